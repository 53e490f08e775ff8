"""Continuous models against closed forms: linear-Gaussian equations and fits, and Morpho-MNIST."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import causalflow as cf
from causalflow.shipped import graph_path

# y' - y under do(x = x') of a linear model is (total effect of x on y) times (x' - x); u_y cancels.
CHAIN = """
graph: chain
exogenous: {u: normal, v: normal, w: normal}
nodes:
  x: {type: continuous, equation: 1 + 2 * u}
  m: {type: continuous, equation: 3 * x - 1 + 0.5 * v}
  y: {type: continuous, equation: 2 - 0.7 * m + 4 * w}
"""
DIAMOND = """
graph: diamond
exogenous: {u: normal, v: normal, w: normal, t: normal}
nodes:
  x: {type: continuous, equation: u}
  a: {type: continuous, equation: 2 * x + 0.1 * v}
  b: {type: continuous, equation: -1.5 * x + w}
  y: {type: continuous, equation: a + 0.25 * b - x + t}
"""
EFFECTS = {
    CHAIN: {("x", "m"): 3.0, ("m", "y"): -0.7, ("x", "y"): -2.1},
    DIAMOND: {("x", "a"): 2.0, ("x", "b"): -1.5, ("a", "y"): 1.0, ("x", "y"): 2 - 0.375 - 1},
}


def linear(edges, names):
    kind = {"type": "continuous", "noise": "linear"}
    return cf.Graph(nodes=dict.fromkeys(names, kind), edges=edges)


@pytest.mark.parametrize("text", EFFECTS, ids=["chain", "diamond"])
def test_counterfactuals_of_linear_gaussian_equations_equal_the_closed_form(text):
    model = cf.compile(cf.loads(text))
    factual = model.sample(50, generator=1)
    for (cause, effect), slope in EFFECTS[text].items():
        world = model.counterfactual(factual, {cause: 0.3})
        expected = factual[effect] + slope * (0.3 - factual[cause])
        torch.testing.assert_close(world[effect], expected, rtol=0, atol=1e-9)
        for other in set(factual) - set(model.graph.descendants(cause)):
            torch.testing.assert_close(world[other], factual[other], rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    "edges", [["x -> m -> y"], ["x -> m", "x -> y", "m -> y"]], ids=["chain", "triangle"]
)
def test_counterfactuals_of_a_linear_fit_equal_those_of_ordinary_least_squares(edges):
    rng = np.random.default_rng(0)
    x = rng.normal(3, 2, 500)
    m = 1.7 * x + rng.normal(0, 3, 500)
    y = -0.4 * m + 0.9 * x + rng.normal(0, 1, 500)
    data = {"x": x, "m": m, "y": y}
    graph = linear(edges, data)
    model = cf.compile(graph)
    model.fit(data, progress=False)

    def slopes(child):
        parents = sorted(graph.parents(child))
        design = np.column_stack([data[p] for p in parents] + [np.ones(500)])
        return dict(zip(parents, np.linalg.lstsq(design, data[child], rcond=None)[0], strict=False))

    change = rng.normal(0, 5, 500)
    by_m = change * slopes("m")["x"]
    by_y = by_m * slopes("y")["m"] + change * slopes("y").get("x", 0.0)
    with pytest.warns(cf.SupportWarning, match="do\\(x\\): 104 of 500 values"):
        world = model.counterfactual(data, {"x": x + change})
    np.testing.assert_allclose(world["m"], m + by_m, rtol=0, atol=1e-6)
    np.testing.assert_allclose(world["y"], y + by_y, rtol=0, atol=1e-6)
    with pytest.warns(cf.SupportWarning, match="do\\(x\\): 104 of 500 values"):
        shifted = model.counterfactual(data, {"x": lambda v: v + torch.from_numpy(change)})
    for name in data:
        torch.testing.assert_close(shifted[name], world[name], rtol=0, atol=1e-9)


def test_a_linear_fit_with_a_class_parent_moves_by_the_difference_of_group_means():
    rng = np.random.default_rng(0)
    group = rng.integers(3, size=600)
    y = np.array([0.0, 5.0, -2.0])[group] + rng.normal(size=600)
    kind = {"type": "class", "levels": ["a", "b", "c"]}
    nodes = {"g": kind, "y": {"type": "continuous", "noise": "linear"}}
    model = cf.compile(cf.Graph(nodes=nodes, edges=["g -> y"]))
    model.fit({"g": group, "y": y}, progress=False)
    means = np.array([y[group == level].mean() for level in range(3)])
    world = model.counterfactual({"g": group, "y": y}, {"g": "c"})
    np.testing.assert_allclose(world["y"], y + means[2] - means[group], rtol=0, atol=1e-6)


def morphomnist():
    return cf.compile(cf.load(graph_path("morphomnist_scm")))


def morpho_rows(n, seed=0):
    """Morpho-MNIST, written from its equations."""
    rng = np.random.default_rng(seed)
    u_t, u_i = rng.gamma(10, 1 / 5, n), rng.normal(size=n)
    thickness = 0.5 + u_t
    return u_t, u_i, thickness, morpho_intensity(thickness, u_i)


def morpho_intensity(thickness, u):
    return 64 + 191 / (1 + np.exp(-(2 * (thickness - 2.5) + 0.5 * u)))


def test_abduction_recovers_the_noise_of_the_morphomnist_equations():
    u_t, u_i, thickness, intensity = morpho_rows(500)
    noise = morphomnist().abduct({"thickness": thickness, "intensity": intensity}).noise
    np.testing.assert_allclose(noise["u_thickness"]["value"], u_t, rtol=0, atol=1e-9)
    # du/di <= 1 / (.5 * 191 * s (1 - s)), s the sigmoid: the spacing of float64 at i, 3e-14,
    # becomes 3e-16 / (s (1 - s)) in u, below 1e-12 in all of these rows.
    share = (intensity - 64) / 191
    assert (share * (1 - share)).min() > 3e-4
    np.testing.assert_allclose(noise["u_intensity"]["value"], u_i, rtol=0, atol=1e-9)


def test_morphomnist_counterfactuals_equal_the_formula():
    _, u_i, thickness, intensity = morpho_rows(500)
    evidence = {"thickness": thickness, "intensity": intensity}
    world = morphomnist().counterfactual(evidence, {"thickness": lambda t: t + 0.6})
    expected = morpho_intensity(thickness + 0.6, u_i)
    np.testing.assert_allclose(world["intensity"], expected, rtol=0, atol=1e-7)
    world = morphomnist().counterfactual(evidence, {"intensity": 100.0})
    np.testing.assert_allclose(world["thickness"], thickness, rtol=0, atol=1e-12)


def test_morphomnist_samples_have_the_moments_of_the_stored_file():
    # The data: mean 2.5, sd .632 of thickness (exact), correlation .908 with intensity (measured).
    world = morphomnist().sample(20_000)
    t, i = world["thickness"].numpy(), world["intensity"].numpy()
    assert abs(t.mean() - 2.5) < 5 * 0.632 / 20_000**0.5
    assert abs(np.corrcoef(t, i)[0, 1] - 0.908) < 0.008


def test_a_learned_flow_predicts_intensity_under_do_thickness():
    _, _, thickness, intensity = morpho_rows(4_000)
    nodes = {
        "thickness": {"type": "continuous", "support": [0.5, float("inf")]},
        "intensity": {"type": "continuous", "support": [64, 255]},
    }
    model = cf.compile(cf.Graph(nodes=nodes, edges=["thickness -> intensity"]))
    rows = {"thickness": thickness, "intensity": intensity}
    model.fit(rows, steps=200, batch_size=256, warmup=20, ema=0.9, progress=False, device="cpu")
    _, u_i, t, i = morpho_rows(1_000, seed=1)
    with pytest.warns(cf.SupportWarning, match="evidence thickness: 2 of 1,000 values"):
        world = model.counterfactual(
            {"thickness": t, "intensity": i}, {"thickness": t[::-1].copy()}
        )
    error = np.abs(world["intensity"].numpy() - morpho_intensity(t[::-1], u_i))
    assert error.mean() < 3  # grey levels, the bound
    forced = model.sample(5_000, {"thickness": 2.0}, nodes=["intensity"])["intensity"].numpy()
    truth = morpho_intensity(2.0, np.random.default_rng(2).normal(size=5_000))
    assert abs(forced.mean() - truth.mean()) < 3
