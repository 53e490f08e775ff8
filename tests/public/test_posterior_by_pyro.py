"""Posterior draws by ``route="pyro"``: those of the other routes, or a refusal in one line."""

from __future__ import annotations

import pytest

import causalflow as cf

BENT = """
exogenous:
  u: {type: normal}
  u_x: {type: normal, std: 0.5}
  u_y: {type: logistic}
nodes:
  x: {type: continuous, equation: u + u_x}
  y: {type: continuous, equation: tanh(2 * x) - u + 0.3 * u_y}
"""


def test_chain_draws_from_the_posterior_that_weighed_draws_have():
    model = cf.compile(cf.loads(BENT))
    seen = {"y": [1.0]}
    chain = model.abduct(seen, draws=350, route="pyro", generator=1)
    ours = model.abduct(seen, draws=20_000, route="resampling")
    assert chain.info.route == "pyro"
    worth = chain.info.effective_draws
    assert 50 <= worth <= 700
    for name in ("u", "u_x", "u_y"):
        drawn, other = (each.noise[name]["value"] for each in (chain, ours))
        spread = float(other.std())
        error = spread * (1 / worth + 1 / ours.info.effective_draws) ** 0.5
        assert abs(float(drawn.mean() - other.mean())) < 5 * error, name
    world = model.predict(chain)
    assert float((world["y"] - 1).abs().max()) < 1e-6


def test_classes_are_no_numbers_of_a_chain():
    model = cf.compile(cf.loads(BENT.replace("u: {type: normal}", "u: {p: [0.5, 0.5]}")))
    with pytest.raises(cf.EvidenceError, match=r"route='pyro' does not fit"):
        model.abduct({"y": [1.0]}, route="pyro")
