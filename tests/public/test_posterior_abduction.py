"""Any part of the nodes may be known: the noise is drawn from its joint posterior, and says how.

Judges are the joint normal, conditioned by its covariance, and sums and integrals by numpy; means
of draws are within five standard errors, of as many draws as the answer says they are worth.
"""

import itertools

import numpy as np
import pytest

import causalflow as cf

DRAWS = 4_000


def linear(weights, loadings):
    """The graph of v = B v + G u, u normal."""
    text = ["graph: linear", "exogenous:"]
    text += [f"  u{k}: {{type: normal}}" for k in range(loadings.shape[1])] + ["nodes:"]
    for i in range(len(weights)):
        terms = [f"({w}) * v{j}" for j, w in enumerate(weights[i]) if w]
        terms += [f"({g}) * u{k}" for k, g in enumerate(loadings[i]) if g]
        text.append(f'  v{i}: {{type: continuous, equation: "{" + ".join(terms)}"}}')
    return cf.compile(cf.loads("\n".join(text) + "\n"))


def random_graph(seed):
    """Five nodes at most; the last noise is shared by two of them."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(3, 6))
    weights = np.round(np.tril(rng.random((n, n)) < 0.6, -1) * rng.normal(size=(n, n)), 2)
    shared = np.zeros((n, 1))
    shared[rng.choice(n, 2, replace=False)] = 0.8
    return weights, np.concatenate([np.diag(np.round(rng.uniform(0.4, 1.4, n), 2)), shared], 1)


def within(drawn, mean, worth):
    """Whether the mean of draws is the mean, to five standard errors; of no spread, to 1e-6."""
    error = float(drawn.std()) * (1 / len(drawn) + (1 / worth if worth else 0)) ** 0.5
    return abs(float(drawn.mean()) - mean) <= 5 * error + 1e-6


@pytest.mark.parametrize("seed", range(3))
def test_every_pattern_of_a_linear_gaussian_graph_has_its_closed_form(seed):
    weights, loadings = random_graph(seed)
    model, n = linear(weights, loadings), len(weights)
    total = np.linalg.inv(np.eye(n) - weights) @ loadings
    values = total @ np.random.default_rng(seed).normal(size=loadings.shape[1])
    cut = weights.copy(), loadings.copy()
    cut[0][1], cut[1][1] = 0, 0
    other = np.linalg.inv(np.eye(n) - cut[0])
    for mask in itertools.product((False, True), repeat=n):
        seen = [k for k in range(n) if mask[k]]
        if not seen:
            continue
        among = total[seen] @ total[seen].T
        noise = total[seen].T @ np.linalg.solve(among, values[seen])
        would = other @ (cut[1] @ noise + np.eye(n)[1] * 0.5)
        given = {f"v{k}": float(values[k]) for k in seen}
        bar = ", ".join(given)
        answer = model.ask(f"E[v{n - 1}[v1=0.5] | {bar}]", **given)
        assert float(answer.value) == pytest.approx(would[n - 1], abs=1e-9)
        assert float(model.ask(f"E[u0 | {bar}]", **given).value) == pytest.approx(
            noise[0], abs=1e-9
        )
        if len(seen) == 2:
            for route in (None, "resampling"):
                found = model.abduct(given, draws=DRAWS, route=route)
                worth = found.info.effective_draws
                assert (worth is None) == (route is None)
                world = model.predict(found, {"v1": 0.5})
                for k, mean in enumerate(noise):
                    assert within(found.noise[f"u{k}"]["value"], mean, worth)
                for k, mean in enumerate(would):
                    assert within(world[f"v{k}"], mean, worth)


MIXED = """
graph: mixed
exogenous: {u: {type: normal}, v: {type: normal}, w: {type: normal}}
nodes:
  z: {type: continuous, equation: u}
  c: {type: class, levels: 2, table: [1/3, 2/3]}
  d: {type: class, levels: 2, table: {0: [1/4, 3/4], 1: [4/5, 1/5]}, noise: gumbel}
  x: {type: continuous, equation: 0.8 * z ** 2 + v + 2 * c}
  y: {type: continuous, equation: 2 * x - 1.5 * z + w}
edges: [c -> d]
"""


def test_equations_and_tables_that_hang_together_are_drawn_from_one_posterior():
    model = cf.compile(cf.loads(MIXED))
    grid = np.linspace(-8, 8, 4001)[:, None]
    x, y, c = 1.5, 2.0, np.arange(2)
    weight = np.exp(-(grid**2) / 2 - (x - 0.8 * grid**2 - 2 * c) ** 2 / 2)
    weight = weight * np.exp(-((y - 2 * x + 1.5 * grid) ** 2) / 2)
    weight = weight * np.array([1 / 3, 2 / 3]) * np.array([1 / 4, 4 / 5])
    weight /= weight.sum()
    found = model.abduct({"x": [x], "y": [y], "d": [0]}, draws=20_000)
    assert set(found.info.routes) == {"u", "v", "w", "z", "c"}
    assert found.info.route == "resampling"
    assert found.info.effective_draws > 1_000
    world, other = model.predict(found), model.predict(found, {"c": 0})
    worth = found.info.effective_draws
    assert any(f"worth {worth:,.0f} independent" in each for each in world.info.assumptions)
    assert within(world["c"].double(), weight[:, 1].sum(), worth)
    assert within(world["z"], float((weight * grid).sum()), worth)
    assert within(other["x"], x - 2 * weight[:, 1].sum(), worth)
    assert np.allclose(world["x"], x)
    assert np.allclose(world["y"], y)


def test_draws_of_which_few_would_agree_are_tempered_and_say_what_they_are_worth():
    weights, loadings = np.zeros((4, 4)), np.diag([0.01] * 4)
    loadings = np.concatenate([loadings, np.array([[1.0], [1.3], [1.6], [1.9]])], 1)
    model = linear(weights, loadings)
    values = loadings[:, 4] * 2 + 0.01 * np.array([1, -1, 0.5, 2])
    given = {f"v{k}": float(value) for k, value in enumerate(values)}
    truth = model.ask("E[u4 | v0, v1, v2, v3]", **given)
    found = model.abduct(given, draws=DRAWS, route="resampling")
    drawn, worth = found.noise["u4"]["value"], found.info.effective_draws
    assert 50 <= worth < DRAWS / 4
    assert within(drawn, float(truth.value), worth)
    assert float(drawn.std()) == pytest.approx(1 / (1 + 1e4 * 1 * 8.86) ** 0.5, rel=0.2)
    assert f"resampling: u0, u1, u2, u3, u4 (worth {worth:,.0f} independent draws)" in str(found)


def test_draw_k_of_row_i_is_world_k_times_rows_plus_i():
    model = cf.compile(cf.loads(MIXED))
    world = model.predict(model.abduct({"y": [0.5, 2.5]}, draws=3))
    assert world["y"].tolist() == pytest.approx([0.5, 2.5] * 3)
    assert len(set(world["z"].tolist())) == 6


@pytest.mark.parametrize(
    ("route", "said"),
    [("exact", "route='exact' does not fit"), ("exakt", "did you mean 'exact'")],
)
def test_a_route_that_does_not_fit_is_refused(route, said):
    model = cf.compile(cf.loads(MIXED))
    with pytest.raises(cf.CausalflowError, match=said):
        model.abduct({"y": 0.5}, route=route)


def test_a_posterior_that_no_draws_reach_is_refused_in_one_line():
    text = """
graph: t
exogenous: {u: {type: laplace}, v: {type: laplace}}
nodes:
  x: {type: continuous, equation: u + v}
  y: {type: continuous, equation: u - v}
"""
    with pytest.raises(cf.CausalflowError, match=r"row 1: .*give more of the nodes$"):
        cf.compile(cf.loads(text)).abduct({"x": [None, 0.0], "y": [1.0, 0.0]})


def test_numbers_missing_above_what_is_known_follow_the_fitted_mechanisms():
    """Of x, where y and k are known: the draws of the model itself that come close to them."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=800)
    k = (rng.random(800) < 1 / (1 + np.exp(-2 * x))).astype(int)
    y = x + 0.5 * k + 0.5 * rng.normal(size=800)
    number = {"type": "continuous", "noise": "additive"}
    nodes = {"x": number, "k": {"type": "class", "levels": 2}, "y": number}
    model = cf.compile(cf.Graph(nodes=nodes, edges=["x -> k", "x, k -> y"]))
    model.fit({"x": x, "k": k, "y": y}, progress=False, steps=100)
    drawn = {name: value.numpy() for name, value in model.sample(200_000, generator=3).items()}
    near = drawn["x"][(np.abs(drawn["y"] - 1.2) < 0.05) & (drawn["k"] == 1)]
    found = model.abduct({"y": 1.2, "k": 1}, draws=DRAWS)
    here = model.predict(found)["x"]
    error = float(near.std()) * (1 / len(near) + 1 / found.info.effective_draws) ** 0.5
    assert abs(float(here.mean()) - near.mean()) <= 5 * error
    assert float(here.std()) == pytest.approx(near.std(), rel=0.1)
