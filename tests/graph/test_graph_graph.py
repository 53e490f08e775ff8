from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causalflow.errors import GraphError
from causalflow.formats.formats import loads
from causalflow.graph.checks import QueryCheck
from causalflow.graph.graph import Graph
from causalflow.graph.node import (
    Anticausal,
    Class,
    Continuous,
    Diffusion,
    Edge,
    Family,
    Finite,
    Image,
    Neural,
    Symbol,
)

NAMES = ["x", "y", "no", "digit", "image_1", "null", "z"]
TEXTS = st.text(min_size=1, max_size=12).filter(lambda text: text.strip())
FINITE_FLOATS = st.floats(allow_nan=False, allow_infinity=False)


@st.composite
def classes(draw: st.DrawFn) -> Class:
    names = st.lists(TEXTS, min_size=2, max_size=4, unique=True).map(tuple)
    levels = draw(st.integers(2, 12).map(lambda k: tuple(range(k))) | names)
    return Class(levels=levels, noise=draw(st.sampled_from(["gumbel", "monotone"])))


@st.composite
def continuous(draw: st.DrawFn) -> Continuous:
    ends = st.lists(st.floats(allow_nan=False), min_size=2, max_size=2, unique=True)
    low, high = sorted(draw(ends))
    return Continuous(
        support=draw(st.sampled_from([(-math.inf, math.inf), (0.0, 1.0), (low, high)])),
        unit=draw(st.none() | TEXTS),
        noise=draw(st.sampled_from(["flow", "additive", "linear"])),
    )


@st.composite
def images(draw: st.DrawFn) -> Image:
    size = st.integers(1, 40)
    diffusion = Diffusion(
        width=draw(size),
        multipliers=tuple(draw(st.lists(size, min_size=1, max_size=3))),
        steps=draw(size),
        guidance_interval=(0.1, draw(st.floats(0.2, 1))),
        residual=draw(st.booleans()),
    )
    return Image(
        shape=(draw(size), draw(size), draw(size)),
        levels=draw(st.none() | st.integers(2, 256)),
        diffusion=draw(st.sampled_from([Diffusion(), diffusion])),
    )


@st.composite
def queries(draw: st.DrawFn) -> QueryCheck:
    numbers = st.fractions(max_denominator=10**6)
    levels = st.integers(-9, 9) | TEXTS.filter(lambda text: not text.lstrip("-").isdigit())
    one = st.dictionaries(levels, numbers, min_size=1, max_size=3)
    joint = st.dictionaries(levels, one, min_size=1, max_size=3).map(
        lambda d: {(a, b): number for a, inner in d.items() for b, number in inner.items()}
    )
    tables = (one | joint).map(lambda d: tuple(d.items()))
    return QueryCheck(
        ask=draw(TEXTS),
        identifiable=draw(st.none() | st.booleans()),
        answer=draw(st.none() | numbers | TEXTS | tables),
        note=draw(st.none() | TEXTS),
    )


@st.composite
def structural(draw: st.DrawFn) -> Graph:
    """Equations over earlier nodes and exogenous variables, and nodes without one."""
    weights = draw(st.lists(st.integers(1, 9), min_size=1, max_size=4))
    exogenous = {
        "u": Finite(p=tuple(Fraction(w, sum(weights)) for w in weights)),
        "v": Family(name="normal", parameters=(("mean", draw(FINITE_FLOATS)), ("std", 2.0))),
    }
    nodes: dict[str, object] = {}
    for name in NAMES[: draw(st.integers(1, 5))]:
        operands = st.sampled_from([*nodes, "u", "v", "2", "0.5"])
        text = " ".join(
            draw(operands) + draw(st.sampled_from([" +", " -", " *"])) for _ in range(3)
        )
        choices = [
            {"type": "continuous", "equation": f"{text} v"},
            {"type": "class", "levels": 3, "equation": f"min(2, abs({text} u))"},
            {"type": "continuous"},
        ]
        nodes[name] = draw(st.sampled_from(choices))
    free = [name for name in nodes if "equation" not in nodes[name]]  # type: ignore[operator]
    edges = [
        f"{a} -> {b}" for a in nodes for b in free if list(nodes).index(a) < list(nodes).index(b)
    ]
    return Graph(nodes, edges, exogenous)


@st.composite
def typed(draw: st.DrawFn) -> Graph:
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, unique=True))
    nodes = {name: draw(classes() | continuous() | images()) for name in names}
    kinds = st.sampled_from([Neural(), Anticausal(), Anticausal(scale=draw(st.floats(0, 10)))])
    edges: list[Edge | str] = []
    for i, source in enumerate(names):
        for target in names[i + 1 :]:
            if draw(st.booleans()):
                kind = draw(kinds) if isinstance(nodes[target], Image) else Neural()
                edges.append(Edge(source=source, target=target, kind=kind))
            if draw(st.integers(0, 3)) == 0:
                edges.append(f"{source} <-> {target}")
    checks = draw(st.lists(queries(), max_size=2))
    return Graph(nodes, edges, queries=checks, name=draw(TEXTS))


@st.composite
def symbolic(draw: st.DrawFn) -> Graph:
    names = draw(st.permutations(NAMES))
    pairs = [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]
    chosen = draw(st.lists(st.sampled_from(pairs), unique=True, max_size=9))
    edges = [f"{a} {draw(st.sampled_from(['->', '<->']))} {b}" for a, b in chosen]
    return Graph(nodes=draw(st.permutations(names)), edges=edges)


GRAPHS = structural() | typed() | symbolic()


@given(GRAPHS)
@settings(deadline=None, max_examples=150)
def test_writing_and_reading_gives_an_equal_graph(graph: Graph) -> None:
    again = loads(graph.to_yaml())
    assert again == graph
    assert hash(again) == hash(graph)
    assert again.to_yaml() == graph.to_yaml()


@given(GRAPHS)
@settings(deadline=None)
def test_the_typed_parts_of_a_graph_declare_an_equal_graph(graph: Graph) -> None:
    hidden = [f"{a} <-> {b}" for a, b in graph.bidirected]
    again = Graph(graph.nodes, [*graph.edges, *hidden], graph.exogenous, graph.queries, graph.name)
    assert again == graph


@given(GRAPHS, st.data())
@settings(deadline=None)
def test_do_and_subgraph_are_those_of_the_mixed_graph(graph: Graph, data: st.DataObject) -> None:
    nodes = data.draw(st.sets(st.sampled_from(list(graph.nodes)), min_size=1))
    for changed, expected in (
        (graph.do(nodes), graph.admg.do(nodes)),
        (graph.subgraph(nodes), graph.admg.subgraph(nodes)),
    ):
        assert changed.admg == expected
        assert loads(changed.to_yaml()) == changed


SCM = """\
exogenous: {u_x: {p: [0.4, 0.6]}, u_y: {p: [0.6, 0.4]}, u_xy: {p: [0.5, 0.5]}, u_i: {p: [0.5, 0.5]}}
nodes:
  x: {type: class, levels: 2, equation: u_x ^ u_xy}
  y: {type: class, levels: 2, equation: u_y ^ u_xy}
  i: {type: image, shape: [1, 2, 2], levels: 2, equation: [u_x & x, y, x ^ u_i, x ^ y ^ u_i]}
"""


def test_edges_follow_from_equations_and_shared_exogenous_variables() -> None:
    graph = loads(SCM)
    assert [(edge.source, edge.target) for edge in graph.edges] == [("x", "i"), ("y", "i")]
    assert graph.bidirected == ()
    assert graph.admg.bidirected == {frozenset("xy"), frozenset("xi")}
    assert graph.exogenous_parents("i") == ("u_x", "u_i")
    assert set(graph.districts()) == {frozenset("xyi")}


def test_do_drops_the_equation_and_the_exogenous_variables_that_nothing_uses() -> None:
    graph = loads(SCM).do("x")
    assert graph.nodes["x"] == Class(levels=(0, 1))
    assert list(graph.exogenous) == ["u_x", "u_y", "u_xy", "u_i"]
    assert list(graph.do(["i"]).exogenous) == ["u_y", "u_xy"]
    assert graph.admg.bidirected == frozenset()


def test_an_equation_goes_with_the_variables_it_uses() -> None:
    graph = loads(SCM).subgraph(["x", "i"])
    assert graph.bidirected == (("x", "i"),)
    assert graph.exogenous == {}
    assert graph.parents("i") == {"x"}


def test_a_declared_edge_that_the_equation_uses_is_the_same_edge() -> None:
    assert loads(SCM + "edges: [x -> i]\n") == loads(SCM)


def test_separation_is_asked_of_the_graph_itself() -> None:
    graph = Graph(edges=["x -> m -> y", "x <-> y"])
    assert not graph.separated("x", "y", "m").separated
    assert graph.do("x").separated("x", "y", "m").separated


def test_unknown_nodes_and_edges_are_graph_errors() -> None:
    graph = Graph(edges=["color -> image"])
    for ask in (graph.do, graph.subgraph, graph.exogenous_parents, graph.parents):
        with pytest.raises(GraphError, match=r"'colour'.*did you mean 'color'"):
            ask("colour")
    with pytest.raises(GraphError, match="no edge 'image -> color'; the parents of 'color' are"):
        graph.kind("image", "color")


def test_a_graph_is_immutable_and_hashable() -> None:
    graph = Graph(edges=["x -> y"])
    with pytest.raises(TypeError):
        graph.nodes["x"] = Symbol()  # type: ignore[index]
    assert len({graph, Graph(edges=["x -> y"]), Graph(edges=["y -> x"])}) == 2
    assert graph != "x -> y"


def test_a_graph_prints_its_edges_or_their_number() -> None:
    assert repr(Graph(edges=["x -> y", "x <-> y"])) == "Graph('graph', x -> y, x <-> y)"
    chain = " -> ".join(f"x{i}" for i in range(20))
    assert repr(Graph(edges=[chain])) == "Graph('graph', 20 nodes, 19 edges)"


def test_the_written_file_is_the_one_a_person_would_write() -> None:
    assert loads(SCM).to_yaml() == (
        "graph: graph\n"
        "exogenous:\n"
        "  u_x: {p: [2/5, 3/5]}\n"
        "  u_y: {p: [3/5, 2/5]}\n"
        "  u_xy: {p: [1/2, 1/2]}\n"
        "  u_i: {p: [1/2, 1/2]}\n"
        "nodes:\n"
        "  x: {type: class, levels: 2, equation: u_x ^ u_xy}\n"
        "  y: {type: class, levels: 2, equation: u_y ^ u_xy}\n"
        "  i: {type: image, shape: [1, 2, 2], levels: 2, "
        "equation: [u_x & x, y, x ^ u_i, x ^ y ^ u_i]}\n"
    )


def test_the_scale_of_an_anticausal_edge_is_written_so_that_no_later_default_replaces_it() -> None:
    nodes = {
        "x": {"type": "class", "levels": 2},
        "i": {"type": "image", "shape": [1, 2, 2]},
    }
    graph = Graph(nodes=nodes, edges=["x -> i: anticausal"])
    assert f"  - x -> i: {{kind: anticausal, scale: {Anticausal().scale}}}\n" in graph.to_yaml()
    assert loads(graph.to_yaml()) == graph
    older = loads(graph.to_yaml().replace("{kind: anticausal, scale: 2.0}", "anticausal"))
    assert older == graph
