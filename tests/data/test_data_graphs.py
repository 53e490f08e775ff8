from __future__ import annotations

import pytest

from causalflow.errors import GraphError
from causalflow.formats.formats import load, loads
from causalflow.graph.graph import Graph
from causalflow.graph.node import Anticausal, Neural
from causalflow.shipped import graph_names, graph_path

MINE = [
    "ascm_xy",
    "bar_mnist_backdoor",
    "bar_mnist_backdoor_scm",
    "bar_mnist_confounded_scm",
    "bar_mnist_frontdoor",
    "bar_mnist_frontdoor_scm",
    "digits_demo_frontdoor",
    "morpho_mnist",
    "morphomnist_scm",
]


def bidirected(graph: Graph) -> set[frozenset[str]]:
    return set(graph.admg.bidirected)


@pytest.mark.parametrize("name", MINE)
def test_a_graph_file_survives_writing_and_reading(name):
    graph = load(graph_path(name))
    assert loads(graph.to_yaml()) == graph
    assert graph.queries
    assert all(query.identifiable is not None for query in graph.queries)


@pytest.mark.parametrize("kind", ["frontdoor", "backdoor"])
def test_the_modelling_graph_has_the_structure_of_the_true_labels(kind):
    model, truth = (load(graph_path(f"bar_mnist_{kind}{end}")) for end in ("", "_scm"))
    labels = model.subgraph(["digit", "color", "bar"])
    assert labels.admg == truth.admg
    hidden = {
        "frontdoor": {frozenset({"digit", "bar"})},
        "backdoor": {frozenset({"digit", "color"})},
    }
    assert bidirected(truth) == hidden[kind]
    kinds = {source: type(model.kind(source, "image")) for source in ("digit", "color", "bar")}
    assert kinds == {"digit": Neural, "color": Anticausal, "bar": Neural}


def test_graphs_are_found_by_name_and_nothing_else_is():
    assert graph_path("ascm_xy") == graph_path("ascm_xy.yaml")
    assert set(MINE) <= set(graph_names())
    assert load(graph_path("classics/napkin")).name == "napkin"
    folders = {name.partition("/")[0] for name in graph_names() if "/" in name}
    assert folders == {"classics", "literature"}
    with pytest.raises(GraphError, match="did you mean 'ascm_xy'"):
        graph_path("ascm-xy")
    with pytest.raises(GraphError, match="unknown graph file"):
        graph_path("../graphs/ascm_xy")
