"""Models as Pyro programs, and Pyro programs as graphs: both sides say the same."""

from __future__ import annotations

import sys
from fractions import Fraction

import numpy as np
import pyro
import pyro.distributions as dist
import pytest
import torch
from pyro import poutine
from pyro.infer import MCMC, NUTS, SVI, Predictive, Trace_ELBO, TraceEnum_ELBO, config_enumerate
from pyro.infer.autoguide import AutoNormal
from scipy import stats

import causalflow as cf

LINES = """
exogenous:
  u: {type: normal}
  u_x: {type: normal, std: 0.5}
  u_m: {type: normal, mean: 1}
  u_y: {type: normal, std: 2}
nodes:
  x: {type: continuous, equation: 1 + u + u_x}
  m: {type: continuous, equation: 2 * x - 1 + u_m}
  y: {type: continuous, equation: m - u + u_y}
"""
BENT = """
exogenous:
  u_a: {p: [0.3, 0.7]}
  u_x: {type: gamma, shape: 3, rate: 2}
  u_m: {type: normal, std: 0.5}
  u_b: {type: uniform}
  u_y: {type: logistic}
nodes:
  a: {type: class, levels: 2, equation: u_a}
  x: {type: continuous, support: [0, inf], equation: exp(0.5 * a) * u_x}
  m: {type: continuous, equation: tanh(x) + u_m ** 3 + u_m}
  b: {type: class, levels: 2, equation: u_b < sigmoid(m - x)}
  y: {type: continuous, support: [0, 1], equation: sigmoid(b + u_y + m)}
"""
PIXELS = """
exogenous:
  u_x:  {p: [0.4, 0.6]}
  u_y:  {p: [0.6, 0.4]}
  u_xy: {p: [0.5, 0.5]}
  u_i:  {p: [0.5, 0.5]}
nodes:
  x: {type: class, levels: 2, equation: u_x ^ u_xy}
  y: {type: class, levels: 2, equation: u_y ^ u_xy}
  i: {type: image, shape: [1, 2, 2], levels: 2, equation: [u_x & x, y, x ^ u_i, x ^ y ^ u_i]}
"""


def model_of(text):
    return cf.compile(cf.loads(text))


def log_density(program, given, rows):
    """By Pyro, finite sites summed out."""
    conditioned = config_enumerate(pyro.condition(program, given))
    return -TraceEnum_ELBO(max_plate_nesting=1).loss(conditioned, lambda rows: None, rows)


def drawn_by_nuts(program, given, rows, draws=60):
    """Posterior draws of the numbers; the rows are alike, and as good as so many chains."""
    pyro.set_rng_seed(0)
    run = pyro.condition(program, given)
    kernel = NUTS(run, max_plate_nesting=1)
    chain = MCMC(kernel, num_samples=draws, warmup_steps=40, disable_progbar=True)
    chain.run(rows)
    samples = chain.get_samples()
    return samples | Predictive(run, samples)(rows)


def near(draws, mean, most=5):
    """Whether the mean of draws, shape (draws, rows), is within standard errors of a number."""
    by_row = draws.double().mean(0).flatten()
    error = float(by_row.std()) / len(by_row) ** 0.5
    return abs(float(by_row.mean()) - mean) < most * error


def test_linear_density_is_the_normal_closed_form():
    sites = dict.fromkeys(("u", "x", "m", "y"))
    # z = (u, u_x, u_m, u_y) with its scales; each site is a line of z
    lines = np.array([[1, 0, 0, 0], [1, 0.5, 0, 0], [2, 1, 1, 0], [1, 1, 1, 2]], float)
    means = np.array([0, 1, 2, 2], float)  # m: 2 * 1 - 1 + 1
    values = np.random.default_rng(0).normal(size=(6, 4))
    ours = stats.multivariate_normal(means, lines @ lines.T).logpdf(values).sum()
    given = {name: torch.tensor(values[:, k]) for k, name in enumerate(sites)}
    found = poutine.trace(pyro.condition(model_of(LINES).to_pyro(), given)).get_trace(6)
    assert float(found.log_prob_sum()) == pytest.approx(ours, abs=1e-6)


BENT_PLAIN = BENT.replace("u_m ** 3 + u_m", "exp(0.5 * u_m)")


def plain_density(a, x, m, b, y):
    """The same with m = tanh(x) + exp(u_m / 2), which can be undone step by step."""
    share, u_y = 1 / (1 + np.exp(x - m)), np.log(y / (1 - y)) - b - m
    return (
        np.log([0.3, 0.7][a])
        + stats.gamma(3, scale=0.5).logpdf(x * np.exp(-0.5 * a))
        - 0.5 * a
        + stats.norm(0, 0.5).logpdf(2 * np.log(m - np.tanh(x)))
        + np.log(2 / (m - np.tanh(x)))
        + np.log(share if b else 1 - share)
        + stats.logistic.logpdf(u_y)
        - np.log(y * (1 - y))
    )


def test_density_of_bent_equations_is_that_of_the_change_of_variables():
    model = model_of(BENT_PLAIN)
    rows = model.sample(20, generator=1)
    given = {name: rows[name] for name in ("a", "x", "m", "b", "y")}
    columns = zip(*(given[name].tolist() for name in given), strict=True)
    ours = sum(plain_density(*row) for row in columns)
    assert log_density(model.to_pyro(), given, 20) == pytest.approx(ours, abs=1e-6)


def test_equation_that_cannot_be_undone_keeps_its_noise_and_is_not_conditioned_on():
    program = model_of(BENT).to_pyro()
    assert "u_m  exogenous: normal" in str(program)
    with pytest.raises(cf.EvidenceError, match="node 'm': it follows from other sites"):
        pyro.condition(program, {"m": torch.tensor([0.5])})(1)


def test_pixels_are_enumerated_to_the_exact_probabilities():
    model = model_of(PIXELS)
    program = model.to_pyro()
    table = model.ask("P(x, y, i)").table.to_dict()
    codes = {code for _, _, code in table}
    for code in sorted(codes)[:6]:
        for x, y in ((0, 1), (1, 1)):
            given = program.read({"x": [x], "y": [y], "i": [code]})
            exact = float(table[x, y, code])
            assert np.exp(log_density(program, given, 1)) == pytest.approx(exact, abs=1e-12)


def test_linear_posterior_by_nuts_is_the_closed_form():
    model, rows = model_of(LINES), 24
    program = model.to_pyro(noises=["m"])
    found = drawn_by_nuts(program, {"x": torch.ones(rows), "y": 4 * torch.ones(rows)}, rows)
    lines = np.array([[1, 0.5, 0, 0], [1, 1, 1, 2]])  # x and y in (u, u_x, u_m, u_y)
    gain = lines.T @ np.linalg.inv(lines @ lines.T) @ (np.array([1.0, 4.0]) - [1, 2])
    for k, (name, mean, scale) in enumerate((("u", 0, 1), ("u_x", 0, 0.5), ("u_m", 1, 1))):
        assert near(found[name], mean + scale * gain[k]), name
    answer = model.ask("E[m | x=1, y=4]")
    assert near(found["m"], float(answer.value))


def test_posterior_of_bent_equations_by_nuts_is_that_of_weighed_draws():
    rows, random = 24, np.random.default_rng(0)
    program = model_of(BENT_PLAIN).to_pyro(noises=["x", "m"])  # a is summed out
    given = {"b": torch.ones(rows).long(), "y": 0.9 * torch.ones(rows)}
    found = drawn_by_nuts(program, given, rows)
    a = random.random(10**6) < 0.7
    u_x, u_m = random.gamma(3, 0.5, 10**6), random.normal(0, 0.5, 10**6)
    x = u_x * np.exp(0.5 * a)
    m = np.tanh(x) + np.exp(u_m / 2)
    weight = stats.logistic.pdf(np.log(9) - 1 - m) / (1 + np.exp(x - m))
    assert near(found["u_x"], np.average(u_x, weights=weight))
    assert near(found["u_m"], np.average(u_m, weights=weight))


def test_fitted_posterior_by_nuts_is_the_models_own():
    g = torch.Generator().manual_seed(0)
    a = torch.arange(400) % 2
    x = (1 + a) * torch.randn(400, generator=g).double() + a
    y = torch.tanh(x) + 0.3 * (1 + a) * torch.randn(400, generator=g)
    model = model_of("""
nodes:
  a: {type: class, levels: [low, high]}
  x: {type: continuous, noise: auto}
  y: {type: continuous, noise: flow}
edges: [a -> x, a -> y, x -> y]
""")
    model.fit({"a": a, "x": x, "y": y}, steps=60, progress=False)
    program = model.to_pyro(noises=["x"])
    found = drawn_by_nuts(program, {"y": 0.7 * torch.ones(16)}, 16, draws=40)
    ours = model.counterfactual({"y": [0.7] * 4000}, {})
    exact = float(ours["x"].mean())
    error = float(ours["x"].std()) / 4000**0.5
    by_row = found["x"].mean(0).flatten()
    both = (error**2 + float(by_row.var()) / len(by_row)) ** 0.5
    assert abs(float(by_row.mean()) - exact) < 5 * both


def test_guide_learns_a_linear_posterior():
    program = model_of(LINES).to_pyro(noises=["m"])
    run = pyro.condition(program, {"x": torch.ones(1), "y": torch.full((1,), 4.0)})
    pyro.set_rng_seed(0)
    pyro.clear_param_store()
    guide = AutoNormal(run)
    svi = SVI(run, guide, pyro.optim.Adam({"lr": 0.05}), Trace_ELBO(num_particles=4))
    for _ in range(150):
        svi.step(1)
    lines = np.array([[1, 0.5, 0, 0], [1, 1, 1, 2]])
    gain = lines.T @ np.linalg.inv(lines @ lines.T) @ (np.array([1.0, 4.0]) - [1, 2])
    median = guide.median(1)
    assert float(median["u"]) == pytest.approx(gain[0], abs=0.15)
    assert float(median["u_m"]) == pytest.approx(1 + gain[2], abs=0.15)


def test_intervention_moves_what_is_below_and_keeps_the_noise_of_nature():
    program = model_of(LINES).to_pyro()
    pyro.set_rng_seed(0)
    there = pyro.do(program, {"x": torch.tensor(3.0)})
    seen = poutine.trace(there).get_trace(4000).nodes
    expected = seen["u"]["value"] + seen["u_x"]["value"] + 1
    torch.testing.assert_close(seen["x"]["value"], expected)  # what x would have been
    m = seen["m"]["value"]
    assert abs(float(m.mean()) - 6) < 5 * float(m.std()) / 4000**0.5


def test_kept_noises_give_the_counterfactual():
    model = model_of(LINES)
    rows = model.sample(5, generator=3)
    factual = {name: rows[name] for name in ("x", "m", "y")}
    noise = model.abduct(factual).noise
    kept = {name: noise[name]["value"] for name in ("u", "u_x", "u_m", "u_y")}
    program = pyro.condition(model.to_pyro(noises=True), kept)
    there, ours = (
        pyro.do(program, {"x": torch.tensor(0.5)})(5),
        model.predict(model.abduct(factual), {"x": 0.5}),
    )
    for name in factual:
        torch.testing.assert_close(there[name], ours[name], rtol=0, atol=1e-9)


def linear_program():
    x = pyro.sample("x", dist.Normal(1.0, 2.0))
    m = pyro.deterministic("m", 2 * x + 1)
    return pyro.sample("y", dist.Normal(3 - 0.7 * x + m, 0.3))


def finite_program():
    with pyro.plate("rows", 4):
        a = pyro.sample("a", dist.Bernoulli(0.3))
        rows = torch.tensor([[0.2, 0.3, 0.5], [1 / 3, 1 / 3, 1 / 3]])
        b = pyro.sample("b", dist.Categorical(rows[a.long()]))
        c = pyro.deterministic("c", a.long() ^ (b == 2).long())
        pyro.sample("d", dist.Bernoulli(torch.where(c == 1, 0.9, 0.05)), obs=torch.ones(4))


def test_linear_program_becomes_equations():
    graph = cf.from_pyro(linear_program, name="lines")
    equations = {name: str(node.equation) for name, node in graph.nodes.items()}
    assert equations == {"x": "1 + u_x", "m": "1 + 2 * x", "y": "3 - 0.7 * x + m + u_y"}
    assert (
        graph.exogenous["u_y"]
        == cf.loads(
            "exogenous: {u: {type: normal, std: 0.3}}\nnodes: {v: {type: continuous, equation: u}}"
        ).exogenous["u"]
    )
    assert cf.compile(graph).ask("E[y | do(x=2)]").value == pytest.approx(3 - 1.4 + 5)


def test_finite_program_becomes_tables_of_fractions():
    graph = cf.from_pyro(finite_program)
    assert graph.parents("d") == {"c"}
    assert graph.parents("c") == {"a", "b"}
    answer = cf.compile(graph).ask("P(d=1 | do(a=1))").value
    assert answer == Fraction(2, 3) * Fraction(9, 10) + Fraction(1, 3) * Fraction(1, 20)
    assert cf.loads(cf.dumps(graph)) == graph


@pytest.mark.parametrize("text", [LINES, PIXELS.split("  i:")[0]], ids=["lines", "finite"])
def test_program_of_a_model_reads_back_to_the_same_answers(text):
    model = model_of(text)
    back = cf.compile(cf.from_pyro(model.to_pyro(), 3))
    query = "E[y | do(x=1)]" if text is LINES else "P(y | do(x=1))"
    first, second = (each.ask(query) for each in (model, back))
    if text is LINES:
        assert second.value == pytest.approx(float(first.value), abs=1e-9)
    else:
        assert second.table.to_dict() == first.table.to_dict()


def no_line():
    x = pyro.sample("x", dist.Normal(1.0, 2.0))
    pyro.sample("y", dist.Normal(x**2, 1.0))


def no_scale():
    x = pyro.sample("x", dist.Normal(1.0, 2.0))
    pyro.sample("y", dist.Normal(x, torch.exp(x)))


def no_table():
    x = pyro.sample("x", dist.Normal(1.0, 2.0))
    pyro.sample("y", dist.Bernoulli(logits=x))


def no_law():
    pyro.sample("y", dist.Gamma(1.0, 2.0))


def now_and_then():
    x = pyro.sample("x", dist.Bernoulli(0.5))
    if x > 0:
        pyro.sample("y", dist.Normal(0.0, 1.0))
    pyro.sample("z", dist.Normal(x, 1.0))


def two_plates():
    p = pyro.sample("p", dist.Bernoulli(0.5))
    with pyro.plate("rows", 3):
        pyro.sample("y", dist.Bernoulli(0.2 + 0.5 * p))


@pytest.mark.parametrize(
    ("program", "said"),
    [
        (no_line, r"site 'y' cannot be written: it is no line.*of \['x'\]"),
        (no_scale, r"site 'y' cannot be written: it is no line, with one scale"),
        (no_table, "site 'y' depends on the number 'x'"),
        (no_law, "site 'y' is Gamma; expected Categorical, Bernoulli, Normal"),
        (now_and_then, "site 'y' is there for some values of others only"),
        (two_plates, r"site 'y' has the shape \(3,\) and 'p' \(\)"),
        (lambda: 1 / 0, "the program fails: ZeroDivisionError"),
        (lambda: None, "no sites"),
    ],
)
def test_what_is_neither_finite_nor_linear_is_refused_by_name(program, said):
    with pytest.raises(cf.GraphError, match=said):
        cf.from_pyro(program)


def test_program_says_what_its_sites_are():
    text = str(model_of(BENT_PLAIN).to_pyro(noises=["x"]))
    assert "x    follows: exp(0.5 * a) * u_x" in text
    assert "b    law: u_b < sigmoid(m - x); u_b is summed out" in text
    assert "y    law: sigmoid(b + u_y + m); u_y follows" in text


def test_noise_that_follows_is_not_set_silently():
    program = model_of(LINES).to_pyro()
    for change in (pyro.do, pyro.condition):
        with pytest.raises(cf.EvidenceError, match=r"'u_y': it follows.*to_pyro\(noises=\['y'\]\)"):
            change(program, {"u_y": torch.tensor([0.5])})(1)


def test_what_is_asked_amiss_is_refused_in_one_line(monkeypatch):
    model = model_of(LINES)
    with pytest.raises(cf.CausalflowError, match="unknown node 'z'"):
        model.to_pyro(["z"])
    untrained = cf.compile(cf.loads("nodes: {x: {type: continuous}}"))
    with pytest.raises(cf.CausalflowError, match="untrained"):
        untrained.to_pyro()
    monkeypatch.setitem(sys.modules, "pyro", None)
    for call in (model.to_pyro, lambda: cf.from_pyro(linear_program)):
        with pytest.raises(cf.CausalflowError, match=r'pyro-ppl: pip install .*"\.\[pyro\]"'):
            call()
