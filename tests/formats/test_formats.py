"""The contract of every format: what it writes it reads back, and its texts tell what they are."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causalflow.errors import GraphError
from causalflow.formats.formats import FORMATS, format_of, loads
from causalflow.graph.graph import Graph

KEPT = {"yaml": "all", "dot": "all", "gml": "content", "bif": "content", "dagitty": "edges"}


@st.composite
def mixed_graphs(draw: st.DrawFn, most: int = 5) -> Graph:
    """Any ADMG, with some nodes latent."""
    names = draw(st.permutations("abcdefg"))[: draw(st.integers(1, most))]
    pairs = list(combinations(names, 2))
    kinds = draw(st.lists(st.sampled_from([">", "<>", ".", "<>>"]), max_size=12))
    edges = [
        f"{a} {mark} {b}"
        for (a, b), kind in zip(pairs, kinds, strict=False)
        for mark in {">": ["->"], "<>": ["<->"], ".": [], "<>>": ["->", "<->"]}[kind]
    ]
    latent = [name for name in names[1:] if draw(st.booleans())]
    return Graph(
        nodes=names, edges=edges, latent=latent, name=draw(st.sampled_from(["graph", "g"]))
    )


def tabled(graph: Graph) -> Graph:
    """A finite model over the directed edges: what BIF can hold."""
    nodes = {name: {"type": "class", "levels": 2, "table": "uniform"} for name in graph.nodes}
    return Graph(nodes=nodes, edges=graph.edges, name=graph.name)


def equal(name: str, one: Graph, other: Graph) -> bool:
    """Equality, as far as the format has words."""
    match KEPT.get(name):
        case "edges":
            return (one.admg, one.latent) == (other.admg, other.latent)
        case "content":
            same = (one.name, one.nodes, one.admg, one.latent)
            return same == (other.name, other.nodes, other.admg, other.latent)
        case _:
            return one == other


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=50, deadline=None)
@given(graph=mixed_graphs())
def test_what_a_format_writes_it_reads_back_and_is_told_by_its_text(
    name: str, graph: Graph
) -> None:
    written = tabled(graph) if name == "bif" else graph
    format = FORMATS.get(name)
    text = format.write(written)
    assert equal(name, format.read(text, "text"), written)
    assert format_of(text) is format
    assert equal(name, loads(text), written)


@pytest.mark.parametrize(
    ("text", "suffix", "name"),
    [
        ("dag { x }", ".dot", "dagitty"),
        ("digraph { x }", ".txt", "dot"),
        ("# a comment\ngraph\n[ ]", "", "gml"),
        ('Creator "yFiles"\nVersion "2.2"\ngraph [ ]', "", "gml"),
        ("// mine\nnetwork unknown { }", "", "bif"),
        ("variable x { }", "", "bif"),
        ("graph: dag\nedges: [x -> y]", "", "yaml"),
        ("edges: [x -> y]", ".dot", "dot"),
        ("dag { x }", ".yaml", "yaml"),
        ("", ".bif", "bif"),
        ("", "", "yaml"),
        ('strict digraph "a { b" { x }', "", "dot"),
        ("graph: {x}", "", "yaml"),
        ("dagger: 1", "", "yaml"),
    ],
)
def test_a_text_tells_its_format_by_its_beginning_or_else_by_its_name(
    text: str, suffix: str, name: str
) -> None:
    assert format_of(text, suffix) is FORMATS.get(name)


WORDS = "latent observed=no type=class dir=both node[x=y] options={} kind=causal a b x 0 -1 1e9"
WORDS += " null nodes edges type equation: variable probability table default property network"
WORDS += ' digraph dag graph subgraph node id label source target directed 1e999 1/0 "\\ud800"'
MARKS = [*"{}[]()<>|,;:=&*!#%@`?~'\"\\/ \n\té", "->", "<->", "<-", "--", "//", "/*", "*/"]
PIECES = st.sampled_from([*WORDS.split(), *MARKS])
SEEDS = {
    "yaml": "graph: g\nexogenous: {u: {p: [0.4, 3/5]}}\nnodes:\n  y: {type: class, levels: 2}\n"
    "  t: {type: continuous, support: [0, inf], equation: 0.5 + u}\n  i:\n    type: image\n"
    "    shape: [3, 8, 8]\nedges:\n  - y -> i: {kind: anticausal, scale: 2}\n  - y <-> t\n"
    "queries:\n  - {ask: P(y), answer: {0: 1/4, 1: 0.75}}\n",
    "dagitty": 'dag { bb="0,0,1,1" "U" [latent,pos="0.3,0.1"] {D E} <- U E -> L -> D E <-> F }',
    "dot": 'strict digraph "g" { node [shape=box] a -> {b c} -> d [dir=back]; e [label="E"] }',
    "gml": 'graph [ directed 1 node [ id 0 label "a" ] node [ id 1 label "b" ] '
    "edge [ source 0 target 1 ] ]",
    "bif": "network n { }\nvariable x { type discrete [ 2 ] { <20, 2-3 }; }\n"
    "variable y { type discrete [ 2 ] { 0, 1 }; }\nprobability ( x ) { table 0.3, 0.7; }\n"
    "probability ( y | x ) { (<20) 0.05, 0.95; default 0.5, 0.5; }\n",
}


@pytest.mark.filterwarnings("ignore:.*divided by their sum")
@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_any_text_is_a_graph_or_one_line_of_error(name: str, data: st.DataObject) -> None:
    """Of pieces of the formats' words, or the seed of its format damaged in some places."""
    pieces = st.lists(PIECES, max_size=20).map(" ".join) | st.text(max_size=60)
    text = SEEDS[name] if data.draw(st.booleans()) else data.draw(pieces)
    for _ in range(data.draw(st.integers(0, 4))):
        start = data.draw(st.integers(0, len(text)))
        new = "".join(data.draw(st.lists(PIECES, max_size=4)))
        text = text[:start] + new + text[start + data.draw(st.integers(0, 40)) :]
    try:
        graph = FORMATS.get(name).read(text, "text")
    except GraphError as error:
        assert "\n" not in str(error)
    else:
        assert loads(graph.to_yaml()) == graph
