"""Edits of the text of graph files: the graph is what the edit says, and nothing else moved."""

from difflib import ndiff
from pathlib import Path

import pytest

import causalflow as cf

FILES = sorted((Path(__file__).parents[2] / "graphs").glob("*.yaml"))
TEXTS = {path.stem: path.read_text(encoding="utf-8") for path in FILES}
by_hand = {
    "flow": "# a\nnodes: [a, b, c, d]  # all\nedges: [a -> b, 'a, b -> c', \"c <-> d\"]  # few\n",
    "names": """
nodes:
  "warm up": {type: class, levels: 2}   # first
  größe: {type: continuous}

  y: {type: class, levels: 2}
edges:   # what is known
- '"warm up" -> größe -> y'
- {'"warm up" <-> y': neural}
""".replace("\n- {'\"warm up\" <-> y': neural}", "\n- '\"warm up\" <-> y'"),
    "chains": "edges:\n  - a, b -> c, d -> e <- f\n  - f <-> a\nqueries: ['P(e | do(a), b)']\n",
    "kinds": """
nodes:
  x: {type: class, levels: [low, high]}
  z: {type: class, levels: 3}
  image: {type: image, shape: [1, 8, 8]}
edges:
  - x, z -> image: {kind: anticausal, scale: 3}   # both
  - "z -> x: neural"
""",
    "causes": """
nodes:
  x: {type: class, levels: 2}
  ground: {type: class, levels: 3}
  image: {type: image, shape: [1, 8, 8]}
edges:
  - x -> image
  - x <-> image: {sensitivity: 2, on: [ground, x]}   # a hidden cause
""",
    "several lines": """edges:
  - a -> b
  - "a,
     b -> c"   # one scalar on two lines
  - c ->
      d
latent: [a]
queries:
  - ask: P(d | do(b))
    identifiable: true
  - P(d)
""",
}
TEXTS |= by_hand


def arcs(graph):
    return {frozenset(pair) for pair in graph.admg.bidirected}


def arrows(graph):
    return {(edge.source, edge.target) for edge in graph.edges}


def stated(graph):
    return [e for e in graph.edges if graph.nodes[e.target].equation is None]


def touched(before, after):
    """The lines that are gone, and those that are new."""
    lines = list(ndiff(before.splitlines(), after.splitlines()))
    return [line[2:] for line in lines if line[0] == "-"], [
        line[2:] for line in lines if line[0] == "+"
    ]


def done(text, edit):
    """The edited text, or None where it is refused, in one line."""
    try:
        return cf.edit.edited(text, edit)
    except cf.GraphError as error:
        assert "\n" not in str(error)
        return None


@pytest.mark.parametrize("name", TEXTS)
def test_every_edge_is_cut(name):
    text = TEXTS[name]
    graph = cf.loads(text)
    if graph.latent:
        pytest.skip("the edges of a latent node are not those of the graph")
    for edge in stated(graph):
        after = done(text, cf.edit.CutEdge(edge.source, edge.target))
        if after is None:
            assert graph.nodes[edge.target].table is not None
            continue
        made = cf.loads(after)
        assert arrows(made) == arrows(graph) - {(edge.source, edge.target)}
        assert arcs(made) == arcs(graph)
        same = tuple if "nodes:" in text else set  # edges alone name nodes in their own order
        assert same(made.nodes) == same(graph.nodes)
        gone, new = touched(text, after)
        assert len(gone) <= 2
        assert len(new) <= 4
        others = {(e.source, e.target): e.kind for e in graph.edges}
        assert all(others[e.source, e.target] == e.kind for e in made.edges)


@pytest.mark.parametrize("name", TEXTS)
def test_every_edge_is_reversed_or_said_why_not(name):
    text = TEXTS[name]
    graph = cf.loads(text)
    if graph.latent:
        pytest.skip("the edges of a latent node are not those of the graph")
    turned = 0
    for edge in stated(graph):
        after = done(text, cf.edit.ReverseEdge(edge.source, edge.target))
        if after is not None:
            turned += 1
            pair = (edge.source, edge.target)
            assert arrows(cf.loads(after)) == arrows(graph) - {pair} | {pair[::-1]}
    if name in ("flow", "chains", "morpho_mnist"):
        assert turned


@pytest.mark.parametrize("name", TEXTS)
def test_a_new_edge_is_drawn_and_cut_again(name):
    text = TEXTS[name]
    graph = cf.loads(text)
    names = list(graph.nodes)[: 9 if name in by_hand else 2]
    drawn = 0
    for source in names:
        for target in names:
            for bidirected in (False, True):
                after = done(text, cf.edit.AddEdge(source, target, bidirected))
                if after is None:
                    continue
                drawn += 1
                made = cf.loads(after)
                found = arcs(made) if bidirected else arrows(made)
                assert ({source, target} if bidirected else (source, target)) in found
                cut = cf.edit.CutEdge(source, target, bidirected)
                back = cf.edit.edited(after, cut)
                assert cf.loads(back) == graph
                if "edges:" in text:
                    assert back == text
    if name in by_hand:
        assert drawn


NEW_NAMES = [(name, "new name") for name in TEXTS] + [
    (name, new) for name in by_hand for new in ("fresh", "2 \"x\" 'y'")
]


@pytest.mark.parametrize(("name", "new"), NEW_NAMES)
def test_every_node_is_called_something_else_and_back(name, new):
    text = TEXTS[name]
    graph = cf.loads(text)
    for old in graph.nodes:
        after = cf.edit.edited(text, cf.edit.RenameNode(old, new))
        made = cf.loads(after)
        assert tuple(made.nodes) == tuple(new if each == old else each for each in graph.nodes)
        assert len(made.queries) == len(graph.queries)
        for check in made.queries:
            cf.parse_query(check.ask, made)
        assert "#" not in text or after.count("#") == text.count("#")
        assert cf.loads(cf.edit.edited(after, cf.edit.RenameNode(new, old))) == graph


@pytest.mark.parametrize("name", TEXTS)
def test_every_node_goes_with_its_edges_and_questions(name):
    text = TEXTS[name]
    graph = cf.loads(text)
    for node in graph.nodes:
        after = done(text, cf.edit.DropNode(node))
        if after is None:
            users = [each for each in graph.children({node}) if graph.nodes[each].equation]
            tables = [each for each in graph.children({node}) if graph.nodes[each].table]
            unused = not (users or tables) and graph.nodes[node].equation
            named = name == "causes" and node in ("x", "ground")  # the attributes of its ratio
            assert users or tables or unused or named or len(graph.nodes) == 1
            continue
        made = cf.loads(after)
        assert node not in made.nodes
        assert arrows(made) == {pair for pair in arrows(graph) if node not in pair}
        for check in made.queries:
            cf.parse_query(check.ask, made)


def test_only_the_line_it_touches_changes():
    text = by_hand["kinds"]
    after = cf.edit.edited(text, cf.edit.CutEdge("x", "image"))
    assert touched(text, after) == (
        ["  - x, z -> image: {kind: anticausal, scale: 3}   # both"],
        ["  - z -> image: {kind: anticausal, scale: 3}   # both"],
    )


def test_nodes_that_edges_alone_name_stay_when_the_edge_goes():
    assert cf.edit.edited("edges:\n  - a -> b\n", cf.edit.CutEdge("a", "b")) == "nodes: [a, b]\n"


def test_a_graph_from_nothing():
    text = cf.edit.edited(
        "",
        cf.edit.AddNode("x", "{type: class, levels: 2}"),
        cf.edit.AddNode("dose of it", "{type: continuous}"),
        cf.edit.AddEdge("x", "dose of it"),
        cf.edit.AddEdge("x", "dose of it", bidirected=True),
    )
    assert text == (
        "nodes:\n  x: {type: class, levels: 2}\n  dose of it: {type: continuous}\n"
        'edges:\n  - x -> "dose of it"\n  - x <-> "dose of it"\n'
    )


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (cf.edit.CutEdge("a", "c"), "there is no edge a -> c"),
        (cf.edit.CutEdge("u", "y"), "follows from the equation of 'y'"),
        (cf.edit.AddEdge("a", "a"), "two different nodes"),
        (cf.edit.AddEdge("c", "a"), "cycle"),
        (cf.edit.AddEdge("a", "y"), "'y' has an equation"),
        (cf.edit.AddNode("a"), "there already"),
        (cf.edit.RenameNode("a", " x"), "a name is 1 to"),
        (cf.edit.RenameNode("q", "x"), "unknown node 'q'"),
        (cf.edit.DropNode("c"), "the equation of 'y' names 'c'"),
    ],
)
def test_what_cannot_be_done_is_refused_in_a_line(edit, says):
    text = (
        "exogenous: {e: {p: [1/2, 1/2]}}\nnodes:\n"
        "  a: {type: class, levels: 2}\n  b: {type: class, levels: 2}\n"
        "  c: {type: class, levels: 2}\n  u: {type: class, levels: 2}\n"
        "  y: {type: class, levels: 2, equation: (c ^ u) & e}\n"
        "edges:\n  - a -> b -> c\n"
    )
    with pytest.raises(cf.GraphError, match=says) as caught:
        cf.edit.edited(text, edit)
    assert "\n" not in str(caught.value)
