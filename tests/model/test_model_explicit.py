"""Explicit models: the ASCM of the diffusion NCM, constants, and evidence left open."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction

import pytest
import torch

import causalflow as cf
from causalflow.errors import CausalflowError, EvidenceError
from causalflow.shipped import graph_path

DRAWS = 20_000
FIVE = torch.tensor([[[0, 1], [0, 1]]])


@pytest.fixture(scope="module")
def ascm():
    return cf.compile(cf.load(graph_path("ascm_xy")))


def numbers(images):
    """The four pixels as a number, the first pixel its highest bit."""
    return (images.flatten(1).long() @ torch.tensor([8, 4, 2, 1])).tolist()


def assert_frequencies(drawn, expected):
    counts = Counter(drawn)
    assert set(counts) <= set(expected)
    for value, p in expected.items():
        error = 5 * (float(p) * (1 - float(p)) / len(drawn)) ** 0.5
        assert abs(counts[value] / len(drawn) - float(p)) < error, value


@pytest.mark.parametrize(
    ("x", "expected"),
    [
        (1, {5: Fraction(6, 19), 6: Fraction(4, 19), 14: Fraction(9, 19)}),
        (0, {5: Fraction(13, 19), 6: Fraction(6, 19)}),
    ],
)
def test_ascm_counterfactuals_from_the_image_alone_are_the_papers(ascm, x, expected):
    world = ascm.counterfactual({"i": FIVE}, {"x": x}, n=DRAWS)
    assert_frequencies(numbers(world["i"]), expected)
    assert set(world["x"].tolist()) == {x}


def test_a_bare_image_is_the_evidence_of_the_one_image_node(ascm):
    bare, named = (
        ascm.counterfactual(FIVE, {"x": 1}, n=50),
        ascm.counterfactual({"i": FIVE}, {"x": 1}, n=50),
    )
    assert all(bare[name].equal(named[name]) for name in named)


def test_ascm_null_intervention_returns_the_image_in_every_draw(ascm):
    assert set(numbers(ascm.reconstruct(FIVE)["i"])) == {5}
    assert set(numbers(ascm.counterfactual(FIVE, {}, n=500)["i"])) == {5}


def test_ascm_counterfactuals_keep_the_joint_posterior(ascm):
    # Given i = 5 and x: (u_I, u_x, u_y, u_xy) is one of three states; x = 0 leaves (0,0,1,0) alone,
    # so that nothing is random any more: under do(x=1) the image is that state's, by hand 6.
    states = [(0, 0, 1, 0), (0, 1, 0, 1), (1, 0, 0, 1)]
    image = {}
    for u_i, u_x, u_y, u_xy in states:
        y = u_y ^ u_xy
        assert (u_x & (u_x ^ u_xy), y, (u_x ^ u_xy) ^ u_i, (u_x ^ u_xy) ^ y ^ u_i) == (0, 1, 0, 1)
        image.setdefault(u_x ^ u_xy, set()).add(
            8 * (u_x & 1) + 4 * y + 2 * (1 ^ u_i) + (1 ^ y ^ u_i)
        )
    for x, possible in image.items():
        world = ascm.counterfactual({"i": FIVE, "x": x}, {"x": 1}, n=200)
        assert set(numbers(world["i"])) == possible


def test_impossible_evidence_of_a_finite_model_is_refused_by_its_part_and_row(ascm):
    with pytest.raises(EvidenceError, match=r"^the evidence has probability zero: P\(i=.*\) = 0$"):
        ascm.counterfactual(torch.tensor([[[0, 0], [0, 1]]]), {"x": 1}, n=3)
    rows = {"i": [5, 5, 6], "x": [1, 0, 1], "y": [1, 0, 1]}
    part = r"^row 1: the evidence has probability zero: P\(i=5, y=0\) = 0$"
    with pytest.raises(EvidenceError, match=part):
        ascm.counterfactual(rows, {"x": 1})
    with pytest.raises(EvidenceError, match=part):
        ascm.abduct(rows)


def test_evidence_with_a_missing_label_is_refused_by_its_node(ascm):
    with pytest.raises(EvidenceError, match=r"node 'i'.*no exogenous values give this evidence"):
        ascm.counterfactual({"i": [5], "x": [-1], "y": [0]}, {"x": 1})


def test_missing_nodes_are_computed_from_their_equation(ascm):
    # Given x = 1 and the image 14 (1,1,1,0): y is the second pixel.
    evidence = {"x": 1, "i": torch.tensor([[[1, 1], [1, 0]]])}
    world = ascm.counterfactual(evidence, {}, n=20)
    assert set(world["y"].tolist()) == {1}
    assert "y" in world.info.inferred


def test_per_row_missing_labels_are_completed_row_by_row(ascm):
    images = torch.tensor([[[[0, 1], [0, 1]]], [[[1, 1], [1, 0]]], [[[0, 1], [0, 1]]]])
    world = ascm.counterfactual({"i": images, "x": [None, 1, 0]}, {}, n=400)
    assert numbers(world["i"]) == [5, 14, 5] * 400
    x = world["x"].reshape(400, 3)
    assert set(x[:, 1].tolist()) == {1}
    assert set(x[:, 2].tolist()) == {0}
    # P(x = 1 | i = 5) = P(0,1,0,1: x = 0) ...: x = u_x ^ u_xy is 1 only in the state (1,0,0,1).
    p = 6 / 19
    assert abs(float(x[:, 0].double().mean()) - p) < 5 * (p * (1 - p) / 400) ** 0.5


def test_nodes_without_arguments_fill_every_row():
    nodes = {
        "k": {"type": "class", "levels": 2, "equation": "1"},
        "z": {"type": "continuous", "equation": "k + 1"},
        "w": {"type": "continuous", "noise": "linear"},
    }
    model = cf.compile(cf.Graph(nodes=nodes, edges=["z -> w"]))
    model.fit({"z": [2.0] * 4, "w": [1.0, 2.0, 3.0, 4.0]}, progress=False)
    drawn = model.sample(3)
    assert (drawn["k"].tolist(), drawn["z"].tolist()) == ([1] * 3, [2.0] * 3)
    with pytest.warns(cf.SupportWarning, match="z=1 after the intervention is outside 2 to 2"):
        world = model.counterfactual({"w": [1.5, 1.25]}, {"k": 0})
    assert (world["k"].tolist(), world["z"].tolist()) == ([0, 0], [1.0, 1.0])


def test_fitting_equations_says_that_there_is_nothing_to_fit(ascm):
    with pytest.raises(CausalflowError, match="have equations or tables; there is nothing to fit"):
        ascm.fit({"x": [0], "y": [0], "i": FIVE})


MIXED = """
graph: mixed
exogenous: {u: {p: [0.9, 0.1]}}
nodes:
  x: {type: class, levels: 2}
  y: {type: class, levels: 2, equation: x ^ u}
  z: {type: class, levels: 2}
edges: [y -> z]
"""


@pytest.fixture(scope="module")
def mixed():
    model = cf.compile(cf.loads(MIXED))
    rng = torch.Generator().manual_seed(0)
    x = torch.randint(2, (500,), generator=rng)
    model.fit(
        {"x": x, "y": x, "z": torch.where(torch.rand(500, generator=rng) < 0.8, x, 1 - x)},
        progress=False,
    )
    return model


@pytest.mark.parametrize("evidence", [{"y": 1}, {"x": 1, "z": 1}, {"z": 0}], ids=str)
def test_tables_that_were_fitted_and_equations_have_one_joint_posterior(mixed, evidence):
    n = 4_000
    world = mixed.counterfactual(evidence, {}, n=n)
    assert set(world.info.routes.values()) == {"exact"}
    below = mixed.joint(["x", "y", "z"]).to_numpy(["x", "y", "z"])
    for name, value in evidence.items():
        place = ["x", "y", "z"].index(name)
        kept = [slice(None)] * 3
        kept[place] = [1 - value]
        below[tuple(kept)] = 0
    below = below / below.sum()
    for place, name in enumerate(("x", "y", "z")):
        share = below.sum(axis=tuple({0, 1, 2} - {place}))[1]
        error = (share * (1 - share) / n) ** 0.5
        assert abs(float(world[name].double().mean()) - share) <= 5 * error


def test_a_free_equation_node_below_the_evidence_is_drawn(mixed):
    world = mixed.counterfactual({"x": 1}, {}, n=2_000)
    assert abs(float(world["y"].double().mean()) - 0.9) < 5 * (0.09 / 2_000) ** 0.5


def test_a_counterfactual_of_a_table_wants_its_noise_stated():
    text = """
graph: dose
nodes:
  dose: {type: class, levels: 2, table: [1/2, 1/2]}
  cure: {type: class, levels: 2, table: {0: [1/3, 2/3], 1: [1/4, 3/4]}}
edges: [dose -> cure]
"""
    silent = cf.compile(cf.loads(text))
    with pytest.raises(EvidenceError, match=r"node 'cure' has a table.*state 'noise' at the node"):
        silent.counterfactual({"dose": [0], "cure": [1]}, do={"dose": 1})
    assert silent.counterfactual({"dose": [0], "cure": [1]}, do={"cure": 0})["dose"] == 0
    said = cf.compile(
        cf.loads(text.replace("levels: 2, table: {", "levels: 2, noise: monotone, table: {"))
    )
    # One uniform u > 1/3 gives the cure at dose 0, and then u > 1/4 at dose 1.
    assert said.counterfactual({"dose": [0], "cure": [1]}, do={"dose": 1})["cure"] == 1
