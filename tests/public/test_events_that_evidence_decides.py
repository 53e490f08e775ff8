"""What evidence says of its own event is 0 or 1, in identify, ask, estimate and bounds alike."""

from __future__ import annotations

import numpy as np
import pytest

import causalflow as cf

SYMBOLIC = cf.Graph(edges=["X -> Z", "Z -> Y", "X <-> Z"])
MODEL = """
exogenous: {u: {p: [0.3, 0.7]}, v: {p: [0.6, 0.4]}, w: {p: [0.2, 0.8]}}
nodes:
  X: {type: class, levels: 2, equation: u}
  Z: {type: class, levels: 2, equation: (X & v) ^ u}
  Y: {type: class, levels: 2, equation: Z ^ w}
"""

DECIDED = {
    "P(Y[Z=0]=1, Z[X=0]=0, X=0 | Y=1, Z=0, X=1)": 0,
    "P(X=1 | X=1)": 1,
    "P(X=1 | X=0)": 0,
    "P(X=1 | do(Z=0), X=0)": 0,
    "P(X=0 | X=0, do(Z=1))": 1,
    "P(Y[Z=0]=1 | Y=1, Z=0)": 1,
    "P(Y[Z=0]=0 | Y=1, Z=0)": 0,
    "P(Y[Z=0]=1, Y=1 | Y=1, Z=0)": 1,
    "P(Y[Z=0]=1 | Y[Z=0]=1, X=0)": 1,
    "P(Y[Z=0]=1 | Y[Z=0]=0, X=0)": 0,
    "P(Y[Z=0]=1, X=1 | Y[Z=0]=1, X=0)": 0,
    "P(Y=1, Z=0, X=1 | X=1, Y=1, Z=0)": 1,
}


@pytest.mark.parametrize("data", ["observational", "experimental"])
@pytest.mark.parametrize(("query", "value"), DECIDED.items(), ids=list(DECIDED))
def test_identification_says_zero_or_one(query, value, data):
    verdict = cf.identify(SYMBOLIC, query, data=data)
    assert verdict.identifiable is True
    assert str(verdict.estimand) == str(value)


@pytest.mark.parametrize(("query", "value"), DECIDED.items(), ids=list(DECIDED))
def test_every_engine_says_the_same(query, value):
    graph = cf.loads(MODEL)
    model = cf.compile(graph)
    joint = model.ask("P(X, Z, Y)").table
    assert model.ask(query).value == value
    verdict = cf.identify(graph, query)
    assert float(verdict.evaluate(joint).values) == value
    rows = {name: np.asarray(column) for name, column in model.sample(300, generator=0).items()}
    assert verdict.estimate(rows, resamples=10).interval == (value, value)
    found = cf.bounds(graph, query, joint)
    assert (found.low, found.high) == pytest.approx((value, value), abs=1e-9)


def test_an_outcome_that_is_known_leaves_the_others():
    graph = cf.loads(MODEL)
    model = cf.compile(graph)
    for with_known, without in [
        ("P(Y=1, X=0 | X=0)", "P(Y=1 | X=0)"),
        ("P(Y, X=1 | X=1)", "P(Y | X=1)"),
        ("P(Y=0, Z=1 | Z=1, do(X=1))", "P(Y=0 | Z=1, do(X=1))"),
    ]:
        one, other = model.ask(with_known).table, model.ask(without).table
        assert one.to_dict() == other.to_dict()
        assert cf.identify(graph, with_known).estimand == cf.identify(graph, without).estimand
    impossible = model.ask("P(Y, X=0 | X=1)").table
    assert set(impossible.to_dict().values()) == {0}


def test_a_continuous_model_says_the_same_by_draws():
    graph = cf.loads("""
exogenous: {ux: {type: normal}, b: {p: [0.3, 0.7]}}
nodes:
  c: {type: class, levels: 2, equation: b}
  x: {type: continuous, equation: ux + c}
""")
    model = cf.compile(graph)
    for query, value in {"P(c=1 | c=1)": 1, "P(c=1 | c=0)": 0, "P(c=1 | c=0, x=0.5)": 0}.items():
        assert model.ask(query, draws=500).value == value


def test_an_event_that_is_free_or_stated_twice_stays_a_mistake():
    for query in ("P(X | X=1)", "P(Y=1, Y=0)", "P(Y=1 | X=0, X=1)"):
        with pytest.raises(cf.CausalflowError):
            cf.identify(SYMBOLIC, query)
