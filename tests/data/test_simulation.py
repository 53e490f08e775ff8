from __future__ import annotations

import itertools
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest

from causalflow.data.sets.dataset import draw_exogenous, draw_labels, solve
from causalflow.errors import DataError
from causalflow.formats.formats import load
from causalflow.graph.graph import Graph
from causalflow.shipped import graph_path

FRONT, BACK = (load(graph_path(f"bar_mnist_{kind}_scm")) for kind in ("frontdoor", "backdoor"))
N = 20_000


def enumerate_world(graph, do=None):
    """Every combination of the exogenous variables: exact weights, and the nodes' values."""
    names = list(graph.exogenous)
    grids = list(itertools.product(*(range(len(graph.exogenous[name].p)) for name in names)))
    weights = [
        np.prod(
            [graph.exogenous[name].p[u] for name, u in zip(names, combination, strict=True)],
            dtype=object,
        )
        for combination in grids
    ]
    exogenous = {
        name: np.array(column) for name, column in zip(names, zip(*grids, strict=True), strict=True)
    }
    return weights, solve(graph, exogenous, do)


def bar(row):
    return row["bar"] == 1


def test_the_weights_of_every_world_sum_to_one():
    assert [sum(enumerate_world(graph)[0]) for graph in (FRONT, BACK)] == [1, 1]


@pytest.mark.parametrize("graph", [FRONT, BACK], ids=["front", "back"])
def test_sampled_labels_follow_the_exact_joint(graph):
    weights, values = enumerate_world(graph)
    exact = Counter()
    for weight, *levels in zip(
        weights, values["digit"], values["color"], values["bar"], strict=True
    ):
        exact[tuple(map(int, levels))] += weight
    drawn = draw_labels(graph, N, np.random.default_rng(3))
    counts = Counter(
        zip(*(drawn[name].tolist() for name in ("digit", "color", "bar")), strict=True)
    )
    assert set(counts) <= set(exact)
    for levels, p in exact.items():
        # 5 standard errors of a binomial share
        assert abs(counts[levels] / N - float(p)) <= 5 * np.sqrt(float(p * (1 - p)) / N)


def test_the_published_image_distribution_comes_out_of_the_bits():
    graph = load(graph_path("ascm_xy"))
    weights, values = enumerate_world(graph)
    assert values["i"].shape == (16, 1, 2, 2)
    code = values["i"].reshape(16, 4) @ [8, 4, 2, 1]
    exact = Counter()
    for weight, number in zip(weights, code.tolist(), strict=True):
        exact[number] += weight
    # The table of Sardesai, section 3.
    expected = {0: ".16", 3: ".16", 5: ".19", 6: ".19", 8: ".09", 11: ".09", 13: ".06", 14: ".06"}
    assert exact == {number: Fraction(p) for number, p in expected.items()}


def test_an_intervention_keeps_the_noise_and_what_it_does_not_reach():
    graph = load(graph_path("morphomnist_scm"))
    exogenous = draw_exogenous(graph, 100, np.random.default_rng(0))
    factual, counterfactual = solve(graph, exogenous), solve(graph, exogenous, {"thickness": 3.0})
    logit = np.log((factual["intensity"] - 64) / (255 - factual["intensity"])) + 2 * (
        3.0 - factual["thickness"]
    )
    # the logit loses about 255 / (255 - intensity) digits of float64
    assert np.allclose(counterfactual["intensity"], 64 + 191 / (1 + np.exp(-logit)), rtol=1e-9)
    untouched = solve(graph, exogenous, {"intensity": np.linspace(70, 250, 100)})
    assert np.array_equal(untouched["thickness"], factual["thickness"])


def test_a_node_without_an_equation_cannot_be_drawn():
    graph = Graph(
        nodes={
            "x": {"type": "class", "levels": 2, "equation": "u"},
            "y": {"type": "class", "levels": 2},
        },
        edges=["x -> y"],
        exogenous={"u": {"p": [0.5, 0.5]}},
    )
    with pytest.raises(DataError, match=r"^node 'y': no equation to draw it from"):
        draw_labels(graph, 2, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("node", "message"),
    [
        ({"type": "class", "levels": 2, "equation": "2 * u"}, "gives 2; expected a whole number"),
        ({"type": "class", "levels": 2, "equation": "u / 2"}, "gives 0.5; expected a whole number"),
        (
            {"type": "continuous", "support": "positive", "equation": "-u"},
            "gives -1; expected a number from 0 to inf",
        ),
        ({"type": "continuous", "equation": "log(1 - 2 * u)"}, "gives nan; expected a number"),
        (
            {"type": "image", "shape": [1, 1, 2], "levels": 2, "equation": "[u, 3 * u]"},
            "gives 3; expected a whole number from 0 to 1",
        ),
    ],
)
def test_an_equation_that_gives_what_its_node_cannot_have_is_refused(node, message):
    graph = Graph(nodes={"x": node}, exogenous={"u": {"p": [0, 1]}})
    with pytest.raises(DataError, match=f"^node 'x', row 0: its equation {message}"):
        draw_labels(graph, 2, np.random.default_rng(0))
