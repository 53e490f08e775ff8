"""Graph files of other tools: what they say is read, or refused with the reason."""

from __future__ import annotations

import gzip
import random
from itertools import combinations

import networkx as nx
import numpy as np
import pytest

import causalflow as cf

FORMATS = ["yaml", "dagitty", "dot", "gml", "bif"]


def content(graph: cf.Graph) -> tuple[set, set, set, set]:
    """Nodes, directed and bidirected edges, latent names; without their order."""
    arcs = {frozenset(pair) for pair in graph.bidirected}
    return set(graph.nodes), {(e.source, e.target) for e in graph.edges}, arcs, set(graph.latent)


READ = {  # format, text, edges of the graph it means, verdict of P(Y | do(X))
    "f01": (
        "dagitty",
        "dag { U [unobserved] U -> X U -> Y X -> Y }",
        "X -> Y, X <-> Y",
        False,
    ),
    "f02": (
        "gml",
        'graph [directed 1 node [id 0 label "U" observed "no"] node [id 1 label "X" observed '
        '"yes"] node [id 2 label "Y" observed "yes"] edge [source 0 target 1] edge [source 0 '
        "target 2] edge [source 1 target 2]]",
        "X -> Y, X <-> Y",
        False,
    ),
    "f03": (
        "dot",
        "digraph { Z; X; Y; Z -> X [dir=both, arrowtail=none, arrowhead=normal]; Z -> Y [dir=both, "
        "arrowtail=none, arrowhead=normal]; X -> Y [dir=both, arrowtail=none, arrowhead=normal]; }",
        "Z -> X, Z -> Y, X -> Y",
        True,
    ),
    "f05": (
        "dot",
        'digraph { U [latent="false"]; U -> X; U -> Y; X -> Y }',
        "U -> X, U -> Y, X -> Y",
        True,
    ),
    "f09": (
        "dagitty",
        "dag { X [exposure] Y [outcome] U [latent] X -> M M -> Y U -> X U -> Y }",
        "X -> M, M -> Y, X <-> Y",
        True,
    ),
    # the front door: two heads are a hidden common cause, as `to_dot` writes it
    "f10": (
        "dot",
        "digraph { X -> M; M -> Y; X -> Y [dir=both]; }",
        "X -> M, M -> Y, X <-> Y",
        True,
    ),
    "bow": ("dot", "digraph { X -> Y; X -> Y [dir=both] }", "X -> Y, X <-> Y", False),
}


@pytest.mark.parametrize("name", READ)
@pytest.mark.parametrize("told", [True, False])
def test_a_text_gives_the_verdict_of_the_graph_it_means(name, told):
    format, text, edges, expected = READ[name]
    graph = cf.loads(text, format=format) if told else cf.loads(text)
    assert content(graph)[:3] == content(cf.Graph(edges=edges.split(", ")))[:3]
    assert cf.identify(graph, "P(Y | do(X))").identifiable is expected


@pytest.mark.parametrize("name", READ)
@pytest.mark.parametrize("suffix", [".txt", ".gv", ".dagitty", ".gml", ".unknown", ""])
def test_the_command_takes_a_text_whatever_its_name(name, suffix, cli, tmp_path):
    _, text, _, expected = READ[name]
    (tmp_path / f"graph{suffix}").write_text(text)
    ran = cli("identify", f"graph{suffix}", "P(Y | do(X))", "--json")
    assert (ran.code, ran.err) == (0, "")
    assert f'"identifiable": {str(expected).lower()}' in ran.out


def test_selection_is_refused_with_the_reason():
    with pytest.raises(cf.GraphError) as caught:
        cf.loads("dag { X [exposure] Y [outcome] S [selected] X -> S Y -> S X -> Y }")
    assert str(caught.value) == (
        "node 'S' is selected: the rows would be those of a selection alone, from which no "
        "question is answered yet; without the mark the graph is that of the whole"
    )
    assert cf.loads("digraph { S [selected=no]; X -> S }") == cf.Graph(["S", "X"], ["X -> S"])


def test_roles_of_dagitty_become_a_question_of_the_graph():
    graph = cf.loads('dag { X1 [e] "X 2" [exposure] Y [outcome] Z [adjusted] X1 -> Y "X 2" -> Z }')
    (query,) = graph.queries
    assert query.ask == 'P(Y | do(X1, "X 2"))'
    assert query.note == "the text marks as adjusted: Z"
    assert cf.identify(graph, query.ask).identifiable


DAGITTY = {
    "chains": ("dag { X <- U -> Y; X -> Y }", "U -> X, U -> Y, X -> Y"),
    "groups": ("dag { {a b} -> c -> {d e} }", "a -> c, b -> c, c -> d, c -> e"),
    "backward groups": ("dag { c <- {a b} }", "a -> c, b -> c"),
    "coefficients": ("dag { x -> y [beta=-.3e-2] y -> z [beta = 0.4] }", "x -> y, y -> z"),
    "positions": ('dag {\nbb="-1,0,2.5,3"\nx [pos="-0.3,1e-3"]\nx -> y\n}\n', "x -> y"),
    "comments": ("/* a -> b */ dag { // c -> d\n x -> y /* -> z */ }", "x -> y"),
    "quotes": ("dag { 'x' -> \"y\" }", "x -> y"),
    "kind digraph": ("digraph { x [exposure] x <-> y z -> y }", "z -> y, x <-> y"),
    "kind admg": ("admg { x <-> y }", "x <-> y"),
    "named": ('dag "my graph" { x -> y }', "x -> y"),
    "older texts": (
        "graph { X [e] Y [o] X <- A -> M <- B; A <-> B X -> Y }",
        "A -> X, A -> M, B -> M, X -> Y, A <-> B",
    ),
    "upper case": ("DAG { x -> y }", "x -> y"),
}


@pytest.mark.parametrize("name", DAGITTY)
def test_what_dagitty_writes_is_read(name):
    text, edges = DAGITTY[name]
    assert content(cf.loads(text)) == content(cf.Graph(edges=edges.split(", ")))


def test_dagittys_braces_may_be_left_out_where_the_format_is_named():
    assert content(cf.loads("x -> y <- z", format="dagitty")) == content(
        cf.Graph(edges=["x -> y", "z -> y"])
    )


DOT = {
    "back": ("a -> b [dir=back]", "b -> a"),
    "both": ("a -> b [dir=both]", "a <-> b"),
    "both, dashed": ("a -> b [dir=both, style=dashed]", "a <-> b"),
    "both, dotted and bold": ('a -> b [dir=both, style="dotted,bold"]', "a <-> b"),
    "both, no tail": ("a -> b [dir=both, arrowtail=none]", "a -> b"),
    "both, no head": ("a -> b [dir=both, arrowhead=none]", "b -> a"),
    "head of another shape": ("a -> b [arrowhead=vee]", "a -> b"),
    "tail that is not drawn": ("a -> b [arrowtail=none]", "a -> b"),
    "bold": ("a -> b [style=bold]", "a -> b"),
    "dashed from a hidden node": ("u [observed=no]; u -> {a b} [style=dashed]; b -> a", ...),
    "defaults": ("edge [dir=back]; a -> b; edge [dir=forward]; b -> c", "b -> a, b -> c"),
    "defaults of a subgraph": ("subgraph s { edge [dir=both] a -> b } b -> c", "b -> c, a <-> b"),
    "node defaults": ("node [observed=no] u; node [observed=yes]; u -> {a b}; b -> a", ...),
    "dashed node": ('u [style="filled,dashed"]; u -> {a b}; b -> a', ...),
    "dashed, said to be observed": (
        "u [style=dashed, observed=yes]; u -> a",
        "u -> a",
    ),
    "invisible edges": ("a -> b; b -> c [style=invis]; c -> b", "a -> b, c -> b"),
    "graph attributes": ("graph [rankdir=LR]; a -> b", "a -> b"),
    "ports": ("a:n -> b:p:sw", "a -> b"),
    "html": ("a [label=<<b>A &rarr; B</b><br/>>]; a -> b", "a -> b"),
    "subgraphs as ends": ("subgraph x { a; b } -> subgraph { c }", "a -> c, b -> c"),
    "joined text": ('"a" + "b" -> c', "ab -> c"),
    "attributes of a chain": ("a -> b -> c [dir=back]", "b -> a, c -> b"),
    "drawn twice": ("a -> b; a -> b", "a -> b"),
    "line ends": (
        'a -> \\\n b; # comment\na -> "c\\\nd"'.replace("\\\n b", "b"),
        "a -> b, a -> cd",
    ),
}


@pytest.mark.parametrize("name", DOT)
def test_dot_means_what_it_draws(name):
    inside, edges = DOT[name]
    expected = (
        cf.Graph(edges=["u -> a", "u -> b", "b -> a"], latent=["u"])
        if edges is ...
        else cf.Graph(edges=edges.split(", "))
    )
    assert content(cf.loads(f"digraph {{ {inside} }}")) == content(expected)


ONE = "expected one graph, of kind 'dag' or 'admg' or 'digraph'"
SEVERAL = "it stands for several graphs; expected '->', or '<->' for a hidden common cause"
SHAPE = "expected 'kind { a -> b; a [key=value] }'"
REFUSED = {
    "graph { a -- b }": "<text>: the edges of a graph of kind 'graph' have no direction; expected "
    "one graph, of kind 'digraph'",
    "pdag { a -- b }": "<text>: a pdag stands for a class of graphs with the same separations; "
    f"{ONE}",
    "mag { a <-> b }": "<text>: a mag says what is an ancestor of what, and stands for many graphs "
    f"with hidden causes; {ONE}",
    "pag { a @-> b }": f"<text>: a pag stands for a class of graphs with hidden causes; {ONE}",
    "dag { a -- b }": f"edge 'a -- b' has no direction: {SEVERAL}",
    "dag { a @-@ b }": f"edge 'a @-@ b' has no direction: {SEVERAL}",
    "digraph { a -> b [dir=none] }": f"edge 'a -> b' has no direction: {SEVERAL}",
    "digraph { a -> b [arrowhead=none] }": f"edge 'a -> b' has no direction: {SEVERAL}",
    "digraph { a -> b [dir=both, arrowtail=odot] }": f"edge 'a -> b' has an end with a circle: "
    f"{SEVERAL}",
    "digraph { a -> b [style=dashed] }": "edge 'a -> b' is dashed, with one head; expected "
    "dir=both for a hidden common cause, observed=no at a node that is hidden, or another style",
    "digraph { a -> b [dir=up] }": "edge 'a -> b': dir='up'; expected one of ['forward', 'back', "
    "'both', 'none']",
    "digraph { a [observed=perhaps] }": "node 'a': observed='perhaps'; expected yes or no",
    "digraph { a [observed=no, latent=no]; a -> b }": "node 'a': latent=no, observed=no "
    "contradict each other",
    "digraph { a -> b": f"<text>:1:1: the text ends too early; {SHAPE}",
    "dag { light-on -> b }": f"<text>:1:12: unexpected '-on'; {SHAPE}",
    'graph [ node [ id 0 label "a" ] ]': "<text>: the edges have no direction; expected 'directed "
    "1' in the graph",
    'graph [ node [ id 0 label "a" ] node [ id 1 label "a" ] directed 1 ]': "<text>: 2 nodes have "
    "the label 'a'",
    'graph [ directed 1 node [ id 0 label "a" ] edge [ source 0 target 1 ] ]': "<text>: not GML: "
    "edge #0 has undefined target 1",
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_no_causal_graph_is_refused_with_the_reason(text):
    with pytest.raises(cf.GraphError) as caught:
        cf.loads(text)
    assert str(caught.value) == REFUSED[text]


def test_an_unknown_format_is_refused_with_those_there_are():
    with pytest.raises(cf.CausalflowError) as caught:
        cf.loads("x -> y", format="xdsl")
    assert str(caught.value) == f"unknown graph format 'xdsl'; expected one of {FORMATS}"
    with pytest.raises(cf.CausalflowError, match="unknown graph format 'png'"):
        cf.dumps(cf.Graph(edges=["x -> y"]), format="png")


HIDDEN = [{"observed": "no"}, {"observed": False}, {"latent": True}, {"hidden": True}]
HIDDEN += [{"unobserved": 1}, {"observed": np.False_}, {"latent": '"true"'}]
SEEN = [{}, {"observed": "yes"}, {"latent": "false"}, {"hidden": False}, {"latent": None}]
TWO_HEADS = [{"bidirected": True}, {"type": "bidirected"}, {"dir": "both"}, {"kind": "bidirected"}]
ONE_HEAD = [{}, {"type": "directed"}, {"weight": 2.5}, {"bidirected": False}, {"dir": "forward"}]


def drawn(seed: int) -> tuple[cf.Graph, random.Random]:
    """A graph with latent nodes, to be written in other tools' words."""
    draw = random.Random(seed)
    names = [f"n{k}" for k in range(draw.randint(2, 6))]
    draw.shuffle(names)
    pairs = list(combinations(names, 2))
    edges = [f"{a} -> {b}" for a, b in pairs if draw.random() < 0.4]
    edges += [f"{a} <-> {b}" for a, b in pairs if draw.random() < 0.25]
    latent = [name for name in names[1:] if draw.random() < 0.3]
    return cf.Graph(nodes=names, edges=edges, latent=latent), draw, names, edges, latent


@pytest.mark.parametrize("seed", range(40))
def test_a_networkx_graph_of_any_convention_is_read(seed):
    graph, draw, names, edges, latent = drawn(seed)
    peer = nx.MultiDiGraph()
    for name in names:
        peer.add_node(name, **draw.choice(HIDDEN if name in latent else SEEN))
    for edge in edges:
        a, mark, b = edge.split()
        peer.add_edge(a, b, **draw.choice(TWO_HEADS if mark == "<->" else ONE_HEAD))
        if mark == "<->" and draw.random() < 0.5:
            peer.add_edge(b, a, type="bidirected")  # pgmpy writes both ways
    assert content(cf.from_networkx(peer)) == content(graph)


@pytest.mark.parametrize("seed", range(40))
def test_a_dot_text_in_any_spelling_is_read(seed):
    graph, draw, names, edges, latent = drawn(seed)
    lines = []
    for name in names:
        if name in latent:
            lines.append(draw.choice([f"{name} [observed=no]", f'"{name}" [style=dashed]']))
        else:
            lines.append(draw.choice([name, f"{name} [shape=box, latent=false]"]))
    draw.shuffle(lines)
    for edge in edges:
        a, mark, b = edge.split()
        one = [f"{a} -> {b}", f"{b} -> {a} [dir=back]", f"{a} -> {b} [dir=both arrowtail=none]"]
        one += [f"{{{a}}} -> {{ {b} }}", f"subgraph s {{ edge [dir=back]; {b} -> {a} }}"]
        two = [f"{a} -> {b} [dir=both]", f"{b} -> {a} [style=dashed][dir=both]"]
        two += [f"{{ edge [dir=both] {a} -> {b} }}", f"{a} -> {b} [arrowhead=vee; dir=both;]"]
        lines.append(draw.choice(two if mark == "<->" else one))
    joined = draw.choice(["\n", "; ", " // comment\n", " /* x -> y */ "]).join(lines)
    assert content(cf.loads(f"strict digraph {{ {joined} }}")) == content(graph)


GML = {
    "ids that are texts, as DoWhy writes them": (
        'graph[directed 1node[ id "v0" label "v0"]node[ id "y" label "y"]'
        'edge[source "v0" target "y"]]',
        "v0 -> y",
    ),
    "names, as igraph writes them": (
        'Creator "igraph version 0.10"\nVersion 1\ngraph [ directed 1 node [ id 0 name "a" ] '
        'node [ id 1 name "b" ] edge [ source 0 target 1 ] ]',
        "a -> b",
    ),
    "ids alone": (
        "graph [ directed 1 node [ id 3 ] node [ id 7 ] edge [ source 3 target 7 ] ]",
        "3 -> 7",
    ),
    "two edges": (
        'graph [ directed 1 multigraph 1 node [ id 0 label "a" ] node [ id 1 label "b" ] '
        "edge [ source 0 target 1 key 0 ] edge [ source 0 target 1 key 1 bidirected 1 ] ]",
        "a -> b, a <-> b",
    ),
}


@pytest.mark.parametrize("name", GML)
def test_gml_of_other_tools_is_read(name):
    text, edges = GML[name]
    assert content(cf.loads(text)) == content(cf.Graph(edges=edges.split(", ")))


def test_defaults_that_pydot_keeps_apart_hold_for_every_edge():
    peer = nx.MultiDiGraph([("a", "b"), ("b", "c", {"dir": "forward"})])
    peer.graph["edge"] = {"dir": "back"}
    assert content(cf.from_networkx(peer)) == content(cf.Graph(edges=["b -> a", "b -> c"]))


def test_pgmpys_latents_and_y0s_tag_are_hidden_nodes():
    peer = nx.DiGraph([("U", "X"), ("U", "Y"), ("X", "Y")])
    peer.latents = {"U"}
    expected = content(cf.Graph(edges=["U -> X", "U -> Y", "X -> Y"], latent=["U"]))
    assert content(cf.from_networkx(peer)) == expected
    tagged = nx.DiGraph([("U", "X"), ("U", "Y"), ("X", "Y")])
    nx.set_node_attributes(tagged, {"U": True, "X": False, "Y": False}, "hidden")
    assert content(cf.from_networkx(tagged)) == expected


@pytest.mark.parametrize(
    ("peer", "message"),
    [
        ("x -> y", "from_networkx: given str; expected a directed networkx graph"),
        (nx.Graph([("x", "y")]), "a networkx graph with undirected edges"),
        (nx.DiGraph([("x", "y"), ("y", "x")]), "the edges make a cycle"),
        (nx.DiGraph([(1, "1")]), "have the same text as their name"),
        (nx.DiGraph([("x", "y", {"type": "undirected"})]), "edge 'x -> y' has no direction"),
    ],
)
def test_what_networkx_holds_and_is_no_causal_graph_is_refused(peer, message):
    with pytest.raises(cf.GraphError, match=message):
        cf.from_networkx(peer)


def test_a_packed_file_and_one_without_a_known_ending_are_read(tmp_path):
    text = READ["f09"][1].encode()
    for name, written in {"g.dagitty.gz": gzip.compress(text), "g": gzip.compress(text)}.items():
        (tmp_path / name).write_bytes(written)
        assert cf.load(tmp_path / name).latent == ("U",)
    (tmp_path / "g.txt").write_bytes(b"\xef\xbb\xbf" + text)  # as Windows saves it
    assert cf.load(tmp_path / "g.txt").latent == ("U",)


@pytest.mark.parametrize(
    "said", ["Unobserved Confounders", "unobserved", "(Latent variable)", "hidden common causes"]
)
def test_a_label_that_says_no_more_than_hidden_hides_its_node(said):
    text = 'digraph { U [label="SAID" MORE]; X -> Y; U -> X; U -> Y }'.replace("SAID", said)
    assert content(cf.loads(text.replace("MORE", "")))[3] == {"U"}
    assert content(cf.loads(text.replace("MORE", "observed=yes")))[3] == set()
    longer = text.replace("MORE", "").replace(said, "hidden layers of the network")
    assert content(cf.loads(longer))[3] == set()


@pytest.mark.parametrize("role", [{"roles": {"latents"}}, {"role": "latent"}])
def test_a_networkx_node_of_the_role_latent_is_hidden(role):
    peer = nx.DiGraph([("U", "X"), ("U", "Y"), ("X", "Y")])
    peer.nodes["X"]["roles"] = {"exposures"}
    peer.nodes["U"].update(role)
    assert content(cf.from_networkx(peer))[3] == {"U"}


def test_the_labels_of_nodes_that_are_but_numbered_are_their_names():
    text = "digraph { 0 [label=age]; 1 [label=bmi]; 2 [label=sex]; EDGE }"
    drawn = "2 -> 1; 0 -> 1 [arrowhead=normal, arrowtail=none, dir=both]"  # as causal-learn writes
    assert content(cf.loads(text.replace("EDGE", drawn)))[:2] == (
        {"age", "bmi", "sex"},
        {("sex", "bmi"), ("age", "bmi")},
    )
    assert set(cf.loads("digraph { 0 [label=age]; 0 -> 1 }").nodes) == {"0", "1"}
    twice = "digraph { 0 [label=age]; 1 [label=age]; 0 -> 1 }"
    assert set(cf.loads(twice).nodes) == {"0", "1"}


@pytest.mark.parametrize("shape", ["odot", "dot", "odotnormal", "circle"])
def test_an_edge_with_a_circle_of_any_shape_is_refused(shape):
    with pytest.raises(cf.GraphError, match="has an end with a circle"):
        cf.loads(f"digraph {{ X -> Y [dir=both, arrowtail={shape}] }}")
