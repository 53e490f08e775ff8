"""Rows of evidence short of values, in counterfactuals: against answers by other ways.

Right values are enumeration, truncated normal laws and closed forms; a mean of n draws is within 5
standard errors of it, the draws being worth what the answer says.
"""

import json
import math
import subprocess
import sys
from statistics import NormalDist

import numpy as np
import pytest
import torch

import causalflow as cf

MIXED = """
graph: mixed
exogenous: {uz: {type: normal}, ux: {type: normal}, uy: {type: normal}}
nodes:
  z: {type: continuous, equation: uz}
  c: {type: class, levels: [low, high], table: [0.6, 0.4], noise: monotone}
  x: {type: continuous, equation: 0.75*z + 2*c + ux}
  y: {type: continuous, equation: 2*x - z + uy}
"""
STANDARD = NormalDist()
DRAWS = 2000


@pytest.fixture(scope="module")
def mixed():
    return cf.compile(cf.loads(MIXED))


def close(values, right, worth=DRAWS):
    error = values.double().std() / math.sqrt(min(DRAWS, worth))
    assert abs(float(values.double().mean()) - right) <= 5 * float(error), (values.mean(), right)


def normal_above(end, mean, deviation):
    """Mean of N(mean, deviation^2) above ``end``, and its mass there."""
    cut = (end - mean) / deviation
    mass = 1 - STANDARD.cdf(cut)
    return mean + deviation * STANDARD.pdf(cut) / mass, mass


def test_a_censored_number_weighs_all_that_is_unknown(mixed):
    """x > 2: of z, c and the noise of x; y had z been 0 is 2 x' + uy with x' = x - 0.75 z."""
    world = mixed.counterfactual({"x": cf.above(2)}, {"z": 0.0}, n=DRAWS, generator=1)
    parts = [normal_above(2, 2 * c, 1.25) for c in (0, 1)]
    shares = [p * mass for p, (_, mass) in zip((0.6, 0.4), parts, strict=True)]
    high = shares[1] / sum(shares)
    worth = world.info.effective_draws
    assert world.info.route == "resampling"
    assert not any(each.startswith(":") for each in world.info.assumptions)
    close(world["c"], high, worth)
    means = []
    for c, (mean, _) in enumerate(parts):
        z = 0.75 / 1.25**2 * (mean - 2 * c)
        means.append(mean - 0.75 * z)
    right = 2 * ((1 - high) * means[0] + high * means[1])
    close(world["y"], right, worth)
    factual = mixed.predict(mixed.abduct({"x": cf.above(2)}, draws=DRAWS))
    assert float(factual["x"].min()) > 2


def test_likelihoods_of_a_class_beside_a_number(mixed):
    """P(c | x) times .9 to .1."""
    evidence = {"x": 1.0, "c": cf.likely({"low": 0.9, "high": 0.1})}
    world = mixed.counterfactual(evidence, {"z": 0.0}, n=DRAWS)
    low = 0.6 * 0.9 * STANDARD.pdf(1.0 / 1.25)
    high = 0.4 * 0.1 * STANDARD.pdf(-1.0 / 1.25)
    close(world["c"], high / (low + high), world.info.effective_draws)
    assert any("virtual evidence" in each for each in world.info.assumptions)
    shares = mixed.counterfactual(evidence, {"z": 0.0}).probabilities["c"][0]
    assert abs(float(shares[1]) - high / (low + high)) < 0.05


def test_rows_may_have_values_gaps_and_likelihoods_in_one_column(mixed):
    columns = {
        "x": [1.0, cf.within(0, 1), None, cf.above(3)],
        "c": [cf.likely({"low": 0.5, "high": 0.5}), "low", "high", None],
        "z": [0.0, 1.0, 0.5, None],
    }
    world = mixed.predict(mixed.abduct(columns, draws=200)).to_dataframe()
    x = world["x"].to_numpy().reshape(200, 4)
    assert np.allclose(x[:, 0], 1)
    assert ((x[:, 1] >= 0) & (x[:, 1] <= 1)).all()
    assert (x[:, 3] > 3).all()
    names = world["c"].to_numpy().reshape(200, 4)
    assert set(names[:, 1]) == {"low"}
    assert set(names[:, 2]) == {"high"}
    assert set(names[:, 0]) == {"low", "high"}


def test_counterfactual_and_question_agree(mixed):
    evidence = {"x": cf.within(1, 3), "y": cf.below(2)}
    world = mixed.counterfactual(evidence, {"x": 0.0}, n=DRAWS)
    answer = mixed.ask("E[y[x=0] | x in [1, 3], y < 2]")
    error = float(world["y"].std()) / math.sqrt(min(DRAWS, world.info.effective_draws))
    assert abs(float(world["y"].mean()) - answer.value) <= 5 * (error + answer.error)


@pytest.mark.parametrize(
    ("evidence", "refusal"),
    [
        ({"x": cf.above(60)}, "worth fewer than 50 independent ones"),
        ({"x": cf.likely({"low": 1})}, "is not told of a number; give an interval"),
        ({"c": cf.within(0, 1)}, "compares numbers"),
        ({"c": cf.likely({"middle": 1})}, "unknown level 'middle'"),
        ({"c": cf.seen([[0]], [[1]])}, "there are no pixels"),
        ({"x": [cf.above(1), cf.above(2)], "z": [1.0, 2.0, 3.0]}, "2 rows; expected 3"),
    ],
)
def test_what_cannot_be_told_is_refused_in_one_line(mixed, evidence, refusal):
    with pytest.raises(cf.CausalflowError) as caught:
        mixed.counterfactual(evidence, {"z": 0.0})
    assert refusal in str(caught.value)
    assert "\n" not in str(caught.value)


PICTURES = {
    "nodes": {
        "kind": {"type": "class", "levels": 3},
        "size": {"type": "continuous"},
        "image": {"type": "image", "shape": [1, 8, 8], "diffusion": {"steps": 4}},
    },
    "edges": ["kind, size -> image: neural"],
}


@pytest.fixture(scope="module")
def pictures():
    random = np.random.default_rng(0)
    kind, size = random.integers(0, 3, 64), random.normal(0, 1, 64)
    images = np.zeros((64, 1, 8, 8), dtype=np.float32)
    for row in range(64):
        images[row, 0, :, 2 * kind[row] : 2 * kind[row] + 3] = 1 / (1 + math.exp(-size[row]))
    columns = {"kind": kind, "size": size, "image": images}
    model = cf.compile(cf.Graph(**PICTURES))
    model.fit(columns, steps=6, batch_size=16, progress=False)
    return model, {name: column[:3] for name, column in columns.items()}


def test_the_pixels_that_are_seen_stay_and_the_others_are_drawn(pictures):
    model, rows = pictures
    mask = np.zeros((8, 8), dtype=bool)
    mask[:4] = True
    evidence = {**rows, "image": cf.seen(rows["image"], mask)}
    world = model.reconstruct(evidence)
    apart = (world["image"] - torch.as_tensor(rows["image"])).abs()[:, 0]
    assert float(apart[:, :4].max()) < 1e-3
    assert float(apart[:, 4:].mean()) > 1e-3
    assert "not seen" in world.info.inferred["image"]
    below = rows["image"].copy()
    below[:, :, 4:] = np.nan  # what is not seen does not matter
    again = model.reconstruct({**rows, "image": cf.seen(below, mask)})
    assert torch.equal(world["image"], again["image"])


def test_a_parent_that_is_told_is_drawn_from_what_the_picture_shows(pictures):
    model, rows = pictures
    evidence = {**rows, "kind": [cf.likely([1, 2]), cf.likely([0]), 2]}
    world = model.reconstruct(evidence)
    assert int(world["kind"][0]) in (1, 2)
    assert world["kind"][1:].tolist() == [0, 2]
    evidence = {**rows, "size": cf.within(-0.5, 0.5)}
    found = model.reconstruct(evidence)["size"]
    assert bool(((found >= -0.5) & (found <= 0.5)).all())
    answer = model.ask("P(kind=1 | image, kind in {1, 2})", image=rows["image"][:1])
    whole = model.ask("P(kind=0 | image, kind in {1, 2})", image=rows["image"][:1])
    assert whole.value == 0
    assert 0 < answer.value < 1


def test_a_parent_of_a_picture_seen_in_part_is_asked_for(pictures):
    model, rows = pictures
    part = cf.seen(rows["image"], np.eye(8))
    with pytest.raises(cf.EvidenceError, match="its picture 'image' is seen in part; give its"):
        model.reconstruct({"size": rows["size"], "image": part})
    with pytest.raises(cf.EvidenceError, match="draw what it leaves open with counterfactual"):
        model.ask("P(kind | image, size)", image=part, size=rows["size"])


def test_the_command_line_reads_the_same(tmp_path):
    graph, rows = tmp_path / "mixed.yaml", tmp_path / "rows.csv"
    graph.write_text(MIXED)
    rows.write_text('x,c,z\n> 2,,\n"[0, 1]","{low: .9, high: .1}",1\n0.5,low,\n')
    command = [sys.executable, "-m", "causalflow", "counterfactual", str(graph), "--json"]
    command += ["--evidence", str(rows), "--do", "z=0"]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    told = json.loads(ran.stdout)
    factual = [line for line in told["rows"] if line["world"] == "factual"]
    assert factual[0]["x"] > 2
    assert 0 <= factual[1]["x"] <= 1
    assert factual[2]["x"] == 0.5
