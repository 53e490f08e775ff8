"""The contract of every format: what it writes it reads back, and its texts tell what they are."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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
