"""BIF networks: written by hand, generated, damaged."""

from __future__ import annotations

import gzip
from fractions import Fraction
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causalflow.errors import CausalflowWarning, GraphError
from causalflow.formats.bif import from_bif, to_bif
from causalflow.formats.formats import load, loads
from causalflow.graph.graph import Graph
from causalflow.graph.node import Class

CLASSICS = Path(__file__).resolve().parents[2] / "graphs" / "classics"
BNLEARN = """\
network unknown {
}
variable asia {
  type discrete [ 2 ] { yes, no };
}
variable age {
  type discrete [ 3 ] { <20, 20-60, >60.5 };
}
variable tub {
  type discrete [ 2 ] { 0, 1 };
}
probability ( asia ) {
  table 0.01, 0.99;
}
probability ( age ) {
  table 0.3333333, 0.3333333, 0.3333333;
}
probability ( tub | asia, age ) {
  (yes, <20) 0.05, 0.95;
  (no, <20) 1.0E-2, 0.99;
  (yes, 20-60) 0, 1;
  (no, 20-60) 1.0, 0.0;
  default 0.5, 0.5;
}
"""
HALVES = (Fraction(1, 2), Fraction(1, 2))


def same(one: Graph, other: Graph) -> bool:
    """Equality but for the order of edges into different nodes."""
    nodes = (one.name, list(one.nodes.items())) == (other.name, list(other.nodes.items()))
    return nodes and all(above(one, name) == above(other, name) for name in one.nodes)


def above(graph: Graph, name: str) -> list[str]:
    return [edge.source for edge in graph.edges if edge.target == name]


def test_a_network_of_bnlearn_is_read_with_exact_numbers() -> None:
    graph = from_bif(BNLEARN)
    assert above(graph, "tub") == ["asia", "age"]
    age, tub = graph.nodes["age"], graph.nodes["tub"]
    assert age == Class(
        levels=("<20", "20-60", ">60.5"), table=(((), (Fraction(1, 3),) * 3),)
    )  # .3333333 three times is rounded to seven digits
    assert isinstance(tub, Class)
    assert tub.levels == (0, 1)
    assert tub.table is not None
    rows = dict(tub.table)
    assert rows["no", "<20"] == (Fraction(1, 100), Fraction(99, 100))
    assert rows["yes", ">60.5"] == HALVES
    assert from_bif(to_bif(graph)) == graph


@pytest.mark.parametrize("path", sorted(CLASSICS.glob("*.yaml")), ids=lambda path: path.stem)
def test_classics_survive_bif_and_the_file_is_loaded_by_its_name(
    path: Path, tmp_path: Path
) -> None:
    graph = load(path)
    if graph.exogenous:
        with pytest.raises(GraphError, match="has no table; BIF has class nodes with tables only"):
            to_bif(graph)
        return
    (tmp_path / "graph.BIF").write_text(to_bif(graph), encoding="utf-8")
    read = load(tmp_path / "graph.BIF")
    assert same(read, graph.subgraph(graph.nodes))


LEVELS = st.integers(2, 3).map(lambda k: tuple(range(k))) | st.lists(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6).filter(str.strip),
    min_size=2,
    max_size=3,
    unique=True,
).map(tuple)


@st.composite
def networks(draw: st.DrawFn) -> Graph:
    names = draw(st.lists(st.sampled_from("abcd"), min_size=1, max_size=4, unique=True))
    nodes: dict[str, Class] = {}
    edges = []
    for name in names:
        parents = (
            draw(st.lists(st.sampled_from(list(nodes)), max_size=2, unique=True)) if nodes else []
        )
        levels = draw(LEVELS)
        count = st.lists(st.integers(0, 9), min_size=len(levels), max_size=len(levels))
        rows = []
        for cell in product(*(nodes[p].levels for p in parents)):
            counts = draw(count.filter(any))
            rows.append((cell, tuple(Fraction(c, sum(counts)) for c in counts)))
        noise = draw(st.sampled_from([None, "gumbel", "monotone", "response"]))
        nodes[name] = Class(levels=levels, noise=noise, table=tuple(rows))
        edges += [f"{parent} -> {name}" for parent in parents]
    return Graph(nodes=nodes, edges=edges, name=draw(st.sampled_from(["graph", "a net", "ü\\"])))


@settings(max_examples=50, deadline=None)
@given(graph=networks())
def test_what_is_written_is_read_back_equal_in_bif_and_in_yaml(graph: Graph) -> None:
    assert from_bif(to_bif(graph)) == graph
    assert loads(graph.to_yaml()) == graph


DAMAGED = {
    "no variables": ("", "BIF text:1: there are no variables"),
    "cut": (BNLEARN[:150], "BIF text: not BIF: the text ends early"),
    "token": (BNLEARN.replace("type", "tipe", 1), "BIF text:4: not BIF: unexpected 'tipe'"),
    "number of levels": (
        BNLEARN.replace("[ 2 ]", "[ 3 ]", 1),
        "BIF text:4: variable 'asia': 3 levels are announced, 2 are listed",
    ),
    "name": (
        BNLEARN.replace("variable asia", 'variable " asia"'),
        "BIF text:3: variable ' asia': a name is 1 to 100 printable characters, without spaces at "
        "its beginning and end",
    ),
    "parent": (
        BNLEARN.replace("| asia, age", "| asai, age"),
        "BIF text:18: probability of 'tub': unknown variable 'asai'; expected one of "
        "['asia', 'age', 'tub']; did you mean 'asia'?",
    ),
    "level": (
        BNLEARN.replace("(yes, <20)", "(yse, <20)"),
        "BIF text:19: probability of 'tub': unknown level 'yse' of 'asia'; expected one of "
        "['yes', 'no']; did you mean 'yes'?",
    ),
    "sum": (
        BNLEARN.replace("0.05, 0.95", "0.05, 0.9"),
        "BIF text:19: probability of 'tub': the probabilities sum to 19/20; they must sum to 1",
    ),
    "count": (
        BNLEARN.replace("0.05, 0.95", "0.05, 0.9, 0.05"),
        "BIF text:19: probability of 'tub': expected 2 numbers, not 3",
    ),
    "missing row": (
        BNLEARN.replace("  default 0.5, 0.5;\n", ""),
        "BIF text:18: probability of 'tub': there is no row for (yes, >60.5)",
    ),
    "missing block": (
        BNLEARN[: BNLEARN.index("probability ( tub")],
        "BIF text:9: variable 'tub' has no probability block",
    ),
    "cycle": (
        BNLEARN.replace(
            "probability ( asia ) {\n  table", "probability ( asia | tub ) {\n  default"
        ),
        "BIF text:12: probability of 'asia' is part of a cycle: asia -> tub -> asia",
    ),
    "noise": (
        BNLEARN.replace("yes, no };", "yes, no };\n  property noise = gumbell;"),
        "BIF text:3: variable 'asia': noise: unknown 'gumbell'; expected one of "
        "['gumbel', 'monotone', 'response']; did you mean 'gumbel'?",
    ),
    "exact": (
        BNLEARN.replace("0.01, 0.99;", "0.01, 0.99;\n  property exact = 1/3 2/3;", 1),
        "BIF text:12: probability of 'asia': exact: the numbers are not those of the rows",
    ),
}


@pytest.mark.parametrize("what", DAMAGED)
def test_a_damaged_network_gives_its_one_line_error(what: str) -> None:
    text, message = DAMAGED[what]
    with pytest.raises(GraphError) as caught:
        from_bif(text)
    assert str(caught.value) == message


SINGLE_PRECISION = """\
network unknown { }
variable a { type discrete [ 3 ] { Asy/Patch, 20_MG_L, 3.5 }; }
variable b { type discrete [ 2 ] { 3, 4 }; }
probability ( a ) { table 9.799657e-01, 9.984651e-03, 1.004965e-02; }
probability ( b | a ) {
  (Asy/Patch) 0.3333334, 0.6666667;
  (20_MG_L) 0.0000000, 1.0000000;
  (3.5) 4.999825e-05, 9.999500e-01;
}
"""


def test_numbers_kept_in_single_precision_are_divided_by_their_sum() -> None:
    """As insurance, sachs, diabetes and munin of the bnlearn repository are written."""
    graph = from_bif(SINGLE_PRECISION)
    a, b = graph.nodes["a"], graph.nodes["b"]
    assert isinstance(a, Class)
    assert isinstance(b, Class)
    assert a.levels == ("Asy/Patch", "20_MG_L", "3.5")
    assert b.levels == ("3", "4")
    for node in (a, b):
        assert all(sum(law) == 1 for _, law in node.table or ())
    assert float((a.table or ())[0][1][0]) == pytest.approx(0.9799657, abs=1e-6)
    wrong = SINGLE_PRECISION.replace("9.984651e-03", "9.994651e-03")
    with pytest.warns(CausalflowWarning, match=r"BIF text:4: .* the probabilities sum to 1\.0000"):
        from_bif(wrong)


def test_rows_of_few_decimals_are_divided_by_their_sum_with_one_warning() -> None:
    said = r"^BIF text:16: probability of 'age': the probabilities sum to 0.999; they must sum to 1"
    with pytest.warns(CausalflowWarning, match=said) as caught:
        graph = from_bif(BNLEARN.replace("0.3333333", "0.333"))
    assert len(caught) == 1
    assert graph == from_bif(BNLEARN)


def test_a_packed_network_is_loaded_by_its_name(tmp_path: Path) -> None:
    file = tmp_path / "net.bif.gz"
    file.write_bytes(gzip.compress(BNLEARN.encode()))
    assert load(file) == from_bif(BNLEARN)
    file.write_bytes(gzip.compress(BNLEARN.encode())[:-30])
    with pytest.raises(GraphError, match=r"net\.bif\.gz: cannot be read: "):
        load(file)
    file.write_bytes(b"network unknown { }")
    with pytest.raises(GraphError, match=r"net\.bif\.gz:1: there are no variables"):
        load(file)


def test_every_network_in_pgmpys_wheel_is_read() -> None:
    pgmpy = pytest.importorskip("pgmpy", reason="pgmpy's wheel ships the bnlearn networks")
    folder = Path(pgmpy.__file__).parent / "utils" / "example_models"
    files = [file for file in sorted(folder.glob("*.bif.gz")) if file.stat().st_size < 2**13]
    assert len(files) > 8
    for file in files:
        for node in load(file).nodes.values():
            assert isinstance(node, Class)
            assert all(sum(law) == 1 for _, law in node.table or ())
