"""Names of variables: any Unicode text, quoted where it needs it, in every format both ways."""

from __future__ import annotations

import random
from fractions import Fraction
from itertools import combinations

import numpy as np
import pandas as pd
import pytest

import causalflow as cf

WORDS = [
    *["node", "edge", "graph", "digraph", "subgraph", "strict", "dag", "do", "P", "E", "sum"],
    *["null", "true", "yes", "no", "~", "latent", "label", "id", "network", "variable", "table"],
    *["probability", "property", "default", "type", "1", "0x1f", "1e5", "-1", "1/2", ".5", "2nd"],
    *["X.ray", "light-on", "smoker?", "age group", "größe", "e\u0301te\u0301", "体重", "قلب"],
    *["नमस्ते", "👩\u200d🔬", "❤️", "a -> b", "a <-> b", "a: b", "a, b", "a=b", "{a}"],
    *['say "x"', "it's", "back\\slash", "end\\", '"', "'", "\\", "//", "/*", "#1"],
    *["[a]", "(a)", "<a>", "&amp;", "&#65;"],
    *["%20", "$x$", "a|b", "a;b", "a + b", "a  b", "../b", "C:\\x", "@home", "U"],
]  # fmt: skip
LETTERS = "abXYZ019_.-:,;'\"\\/|(){}[]<>=+*#$%&@!?^~` éßñ中あЖعहि👍🏽\u0301\u200d"


def random_name(draw: random.Random) -> str:
    if draw.random() < 0.5:
        return draw.choice(WORDS)
    text = "".join(draw.choice(LETTERS) for _ in range(draw.randint(1, 8))).strip()
    return text or "x"


def random_names(draw: random.Random, size: int) -> list[str]:
    names: list[str] = []
    while len(names) < size:
        name = random_name(draw)
        try:  # two names that look alike are refused, whatever they are
            cf.Graph(nodes=[*names, name])
        except cf.GraphError:
            continue
        names.append(name)
    return names


def quoted(name: str) -> str:
    """The name in an edge string, or in a query."""
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def random_graph(seed: int) -> cf.Graph:
    draw = random.Random(seed)
    names = random_names(draw, draw.randint(2, 5))
    pairs = list(combinations(names, 2))
    edges = [f"{quoted(a)} -> {quoted(b)}" for a, b in pairs if draw.random() < 0.5]
    edges += [f"{quoted(a)} <-> {quoted(b)}" for a, b in pairs if draw.random() < 0.25]
    latent = [name for name in names[2:] if draw.random() < 0.3]
    return cf.Graph(nodes=names, edges=edges, latent=latent, name=random_name(draw))


@pytest.mark.parametrize("seed", range(150))
def test_what_is_written_is_read_back_whatever_the_names(seed):
    graph = random_graph(seed)
    assert cf.loads(graph.to_yaml()) == graph
    for format in ("dagitty", "dot", "gml"):
        again = cf.loads(cf.dumps(graph, format), format)
        assert (list(again.nodes), again.latent) == (list(graph.nodes), graph.latent)
        assert again.admg == graph.admg
        assert again.name == (graph.name if format != "dagitty" else "graph")
    again = cf.from_networkx(cf.to_networkx(graph))
    assert (again.name, again.admg, again.latent) == (graph.name, graph.admg, graph.latent)


@pytest.mark.parametrize("seed", range(40))
def test_a_network_with_tables_is_read_back_from_bif_whatever_the_names(seed):
    draw = random.Random(seed)
    names = random_names(draw, 3)
    levels = {name: random_names(draw, draw.randint(1, 3)) for name in names}

    def law(name: str) -> list[Fraction]:
        parts = [draw.randint(0, 9) for _ in levels[name]]
        parts[0] += 1
        return [Fraction(part, sum(parts)) for part in parts]

    first, second, third = names
    tables = {
        first: law(first),
        second: {level: law(second) for level in levels[first]},
        third: {a: {b: law(third) for b in levels[second]} for a in levels[first]},
    }
    nodes = {n: {"type": "class", "levels": levels[n], "table": tables[n]} for n in names}
    edges = [f"{quoted(first)} -> {quoted(second)}"]
    edges += [f"{quoted(a)} -> {quoted(third)}" for a in (first, second)]
    graph = cf.Graph(nodes=nodes, edges=edges, name=random_name(draw))
    assert cf.loads(cf.dumps(graph, "bif"), "bif") == graph
    assert cf.loads(graph.to_yaml()) == graph


@pytest.mark.parametrize("seed", range(40))
def test_a_verdict_does_not_depend_on_the_names(seed):
    graph = random_graph(1_000 + seed)
    plain = {name: f"v{k}" for k, name in enumerate(graph.nodes)}
    renamed = cf.Graph(
        nodes=list(plain.values()),
        edges=[f"{plain[edge.source]} -> {plain[edge.target]}" for edge in graph.edges]
        + [f"{plain[a]} <-> {plain[b]}" for a, b in graph.bidirected],
    )
    x, y = list(graph.nodes)[:2]
    verdict = cf.identify(graph, f"P({quoted(y)} | do({quoted(x)}))")
    expected = cf.identify(renamed, f"P({plain[y]} | do({plain[x]}))")
    assert verdict.identifiable == expected.identifiable
    assert len(str(verdict).splitlines()) == len(str(expected).splitlines())


@pytest.mark.parametrize("query", ["P(2 | do(1))", "P('2' | do(\"1\"))", "P(2[1=0], X.ray | 1=1)"])
def test_names_of_letters_digits_and_dots_need_no_quotes_in_a_query(query):
    graph = cf.loads("dag { 1 -> 2 -> X.ray }")
    again = cf.parse_query(str(cf.parse_query(query, graph)), graph)
    assert again == cf.parse_query(query, graph)
    assert again.variables <= {"1", "2", "X.ray"}
    assert cf.identify(graph, "E[X.ray | do(1=0)]").identifiable
    assert cf.parse_query("TE(1=1/0 -> X.ray)", graph).variables == {"1", "X.ray"}


NAMES = {  # the names that a text of another tool has
    "f06": ('dag { "warm up" -> injury }', ["warm up", "injury"]),
    "f07": ("dag { 1 -> 2 }", ["1", "2"]),
    "f08": ("dag { größe -> y }", ["größe", "y"]),
    "dot, keyword": ('digraph { "node" -> "edge" }', ["node", "edge"]),
    "dot, number": ("digraph { -1.5 -> .5 }", ["-1.5", ".5"]),
    "gml, entity": (
        'graph [directed 1 node [id 0 label "gr&#246;&#223;e"] node [id 1 label "a &#38; b"]]',
        ["größe", "a & b"],
    ),
    "yaml": ("edges:\n  - '\"warm up\" -> X.ray'\n  - X.ray -> 1", ["warm up", "X.ray", "1"]),
}


@pytest.mark.parametrize("which", NAMES)
def test_the_names_of_a_text_are_kept(which):
    text, names = NAMES[which]
    assert list(cf.loads(text).nodes) == names


@pytest.mark.parametrize(
    "edge", ['"warm up" -> x', "'warm up' -> x", "x <- 'warm up'", "'warm up'->\"x\": neural"]
)
def test_names_in_an_edge_string_are_quoted_as_in_a_query(edge):
    graph = cf.Graph(edges=[edge])
    assert set(graph.nodes) == {"warm up", "x"}
    assert graph.parents("x") == {"warm up"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            'edges:\n  - "warm up" -> x',
            "<text>:2: not YAML: expected <block end>, but found '<scalar>'; quote an edge with "
            "quoted names as a whole: '\"warm up\" -> x'",
        ),
        (
            "edges:\n  - warm up -> x",
            "<text>:2: edge 'warm up -> x': column 6: unexpected 'up'; expected '->', '<->' or "
            "','; a name of several words is quoted",
        ),
        (
            "edges:\n  - light-on -> x",
            "<text>:2: edge 'light-on -> x': column 6: unexpected '-'; expected a node's name "
            "(letters, digits, '_', '.'; any other in quotes), '->', '<->' or ','",
        ),
    ],
)
def test_a_name_that_wants_quotes_is_told_so(text, message):
    with pytest.raises(cf.GraphError) as caught:
        cf.loads(text)
    assert str(caught.value) == message


REFUSED = ["", " ", " x", "x ", "x\n", "x\ty", "\0", "x\x1b[31m", "\u202ex", "\ufeffx", "x" * 101]


@pytest.mark.parametrize("name", REFUSED)
def test_a_name_that_cannot_be_shown_is_refused_in_one_line(name):
    rule = "a name is 1 to 100 printable characters, without spaces at its beginning and end"
    with pytest.raises(cf.GraphError, match=rule) as caught:
        cf.Graph(nodes=[name, "y"])
    assert len(str(caught.value)) < 500
    assert str(caught.value).isprintable()


def test_two_spellings_of_the_same_letters_are_refused():
    with pytest.raises(cf.GraphError, match="the same letters in another form of Unicode"):
        cf.Graph(edges=["gr\u00f6\u00dfe -> y", "gro\u0308\u00dfe -> z"])


def test_a_fitted_model_keeps_and_answers_names_of_every_kind(tmp_path):
    draw = np.random.default_rng(0)
    sport, dose = "X.ray/../ sport?", 'größe "2" \\'
    nodes = {
        sport: {"type": "class", "levels": ["no", "yes"], "noise": "gumbel"},
        dose: {"type": "continuous", "noise": "linear"},
    }
    graph = cf.Graph(nodes=nodes, edges=[f"{quoted(sport)} -> {quoted(dose)}"])
    played = draw.integers(0, 2, 400)
    frame = pd.DataFrame({sport: np.array(["no", "yes"])[played], dose: 2.0 * played})
    frame[dose] += draw.normal(size=400) / 10
    model = cf.compile(graph)
    model.fit(frame, progress=False)
    model.save(tmp_path / "m.safetensors")
    again = cf.Model.load(tmp_path / "m.safetensors")
    assert again.graph == graph
    answer = again.ask(f"E[{quoted(dose)} | do({quoted(sport)}=yes)]", generator=0)
    # mean of ~200 rows with standard deviation 1/10, and of the draws: five errors of .01
    assert answer.value == pytest.approx(2, abs=0.05)
    world = again.counterfactual({sport: ["no"], dose: [0.1]}, do={sport: "yes"})
    assert float(world[dose][0]) == pytest.approx(2.1, abs=0.1)  # the same noise, and the effect


def test_equations_take_names_in_backticks_where_they_are_no_words():
    graph = cf.loads(
        "exogenous: {größe: {p: [1/4, 3/4]}, 'u 1': {p: [1/2, 1/2]}}\n"
        "nodes:\n"
        "  warm up: {type: class, levels: 2, equation: größe}\n"
        "  a`b: {type: class, levels: 2, equation: '`warm up` ^ `u 1`'}\n"
        "  min: {type: class, levels: 2, equation: '`a``b` & `warm up`'}\n"
    )
    assert cf.loads(graph.to_yaml()) == graph
    for format in ("dot", "gml"):
        assert cf.loads(cf.dumps(graph, format)) == graph
    answer = cf.compile(graph).ask("P(min=1 | do('warm up'=1))")
    assert answer.value == Fraction(1, 2)  # the fair coin `u 1` alone is left


def test_the_command_line_takes_names_in_quotes(cli, tmp_path):
    (tmp_path / "g.yaml").write_text(
        'nodes:\n  "a = b": {type: class, levels: 2, table: [1/4, 3/4]}\n'
        '  "warm up": {type: class, levels: 2, table: {0: [1, 0], 1: [1/3, 2/3]}}\n'
        'edges: [\'"a = b" -> "warm up"\']\n',
        encoding="utf-8",
    )
    ran = cli("ask", "g.yaml", """P('warm up' | do('a = b'=1))""")
    assert (ran.code, ran.err) == (0, "")
    assert "2/3" in ran.out
    ran = cli("ask", "g.yaml", """P("warm up"=1 | "a = b"=1)""")
    assert (ran.code, ran.err) == (0, "")
    assert "2/3" in ran.out
