"""Linear questions: means of lines with normal noise have closed forms, evidence anywhere.

Held against covariances written down here, least squares by numpy, and draws.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import causalflow as cf

TEXT = """
graph: two-causes
exogenous: {u: normal, v: {type: normal, mean: 1, std: 2}, w: normal, hidden: normal}
nodes:
  x: {type: continuous, equation: 1 + 2 * u + hidden}
  m: {type: continuous, equation: (3 * x - v) / 2}
  y: {type: continuous, equation: 2 - 0.7 * m + 4 * w + 0.5 * hidden}
"""
# Rows: the loadings of x, m, y on u, v - 1, w, hidden, by hand.
X = np.array([2.0, 0.0, 0.0, 1.0])
M = 1.5 * X + np.array([0.0, -0.5, 0.0, 0.0])
Y = -0.7 * M + np.array([0.0, 0.0, 4.0, 0.5])
LAW = np.diag([1.0, 4.0, 1.0, 1.0])
MEANS = {"x": 1.0, "m": 1.0, "y": 1.3}


@pytest.fixture(scope="module")
def model():
    return cf.compile(cf.loads(TEXT))


def test_a_regression_is_that_of_the_covariances(model):
    seen = np.stack([X, Y])
    for x, y in ((0.0, 1.0), (3.0, -2.0)):
        gap = np.array([x - MEANS["x"], y - MEANS["y"]])
        expected = MEANS["m"] + M @ LAW @ seen.T @ np.linalg.solve(seen @ LAW @ seen.T, gap)
        answer = model.ask(f"E[m | x={x}, y={y}]")
        assert (answer.route, answer.error) == ("exact", 0.0)
        assert answer.value == pytest.approx(expected, abs=1e-12)


def test_an_effect_and_its_spread(model):
    answer = model.ask("E[y | do(x=2)]")
    assert answer.value == pytest.approx(2 - 0.7 * (3 * 2 - 1) / 2, abs=1e-12)
    deviation = (0.35**2 * 4 + 16 + 0.25) ** 0.5
    assert f"standard deviation {deviation:.6g}" in " ".join(answer.assumptions)


def test_a_counterfactual_has_the_noise_of_the_evidence(model):
    """Where x and y are known, y[x=0] - y is the effect of the change of x, whatever m was."""
    answer = model.ask("E[y[x=0] | x=1, y=3]")
    assert answer.value == pytest.approx(3 + 0.7 * 1.5, abs=1e-12)
    assert "standard deviation 0" in " ".join(answer.assumptions)


def test_evidence_may_be_of_another_world(model):
    """y[x=0] = 3 is y = 3 - 1.05 x."""
    answer = model.ask("E[y | y[x=0]=3]")
    zero = Y + 1.05 * X
    slope = X @ LAW @ zero / (zero @ LAW @ zero)
    x = MEANS["x"] + slope * (3 - MEANS["y"] - 1.05 * MEANS["x"])
    assert answer.value == pytest.approx(3 - 1.05 * x, abs=1e-12)


def test_nested_worlds_and_exogenous_variables_are_asked_alike(model):
    assert model.ask("E[y[m[x=0]] - y | x=2]").value == pytest.approx(0.7 * 3, abs=1e-12)
    expected = 1 - 0.5 * 4 * (2 - 1) / (M @ LAW @ M)
    assert model.ask("E[v | m=2]").value == pytest.approx(expected, abs=1e-12)


def test_a_column_gives_one_answer_a_row(model):
    rows = pd.DataFrame({"x": [0.0, 1.0, 5.0], "y": [1.0, -1.0, 2.0]})
    answer = model.ask("E[m]", rows)
    single = [model.ask(f"E[m | x={x}, y={y}]").value for x, y in rows.to_numpy()]
    assert answer.rows
    assert answer.value == pytest.approx(single, abs=1e-12)
    moved = model.ask("E[y | do(x)]", x=[0.0, 1.0])
    assert moved.value == pytest.approx([2.35, 1.3], abs=1e-12)


@pytest.mark.parametrize(
    "query", ["E[y | do(x=2)]", "E[m | x=1, y=3]", "E[y[x=0] - y | m=2]", "E[y | do(m=1), x=2]"]
)
def test_draws_agree(model, query):
    exact, simulated = model.ask(query), model.ask(query, draws=20_000)
    assert (exact.route, simulated.route) == ("exact", "simulated")
    assert abs(exact.value - simulated.value) < 5 * simulated.error + 1e-9


def test_evidence_that_no_noise_gives_is_refused():
    text = TEXT.replace("4 * w + 0.5 * hidden", "0 * w")
    with pytest.raises(cf.EvidenceError, match="density zero"):
        cf.compile(cf.loads(text)).ask("E[x | m=1, y=3]")


def test_fitted_lines_are_least_squares_with_evidence_below_what_is_asked():
    random = np.random.default_rng(0)
    x = random.normal(3, 2, 500)
    m = 1.7 * x + random.normal(0, 3, 500)
    y = -0.4 * m + 0.9 * x + random.normal(0, 1, 500)
    kind = {"type": "continuous", "noise": "linear"}
    edges = ["x -> m", "x -> y", "m -> y"]
    model = cf.compile(cf.Graph(nodes=dict.fromkeys("xmy", kind), edges=edges))
    model.fit({"x": x, "m": m, "y": y}, progress=False, steps=1)
    design = np.column_stack([np.ones(500), x, m])
    (a, wx, wm), (left, *_), *_ = np.linalg.lstsq(design, y, rcond=None)
    (b, slope), (rest, *_), *_ = np.linalg.lstsq(design[:, :2], m, rcond=None)
    effect = model.ask("E[y | do(x=4)]")
    assert (effect.route, effect.learned) == ("exact", True)
    assert effect.value == pytest.approx(a + wx * 4 + wm * (b + slope * 4), abs=1e-9)
    # m given x and y: two normals, of precision 1 / s_m^2 and w_m^2 / s_y^2.
    own, below = 498 / rest, wm**2 * 497 / left
    expected = (own * (b + slope * 4) + below * (2 - a - wx * 4) / wm) / (own + below)
    assert model.ask("E[m | x=4, y=2]").value == pytest.approx(expected, abs=1e-9)
    with pytest.warns(cf.SupportWarning, match=r"do\(x=40\) is outside"):
        assert model.ask("E[y | do(x=40)]").route == "exact"


def test_what_is_no_line_is_simulated():
    text = TEXT.replace("(3 * x - v) / 2", "(3 * x - v) ** 2 / 9")
    model = cf.compile(cf.loads(text))
    assert model.ask("E[y | do(x=2)]", draws=2_000).route == "simulated"
    assert model.ask("E[m | do(x=2)]").route == "simulated"
    assert model.ask("E[y | do(m=2)]").value == pytest.approx(0.6, abs=1e-12)
