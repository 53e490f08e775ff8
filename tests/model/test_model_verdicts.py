"""Answers carry their verdict: does P(v) tell them, or do they rest on the model?"""

from __future__ import annotations

import pytest

import causalflow as cf
from causalflow.model import world_verdicts

FILE = """
exogenous: {u: {p: [1/2, 1/2]}, w: {p: [1/4, 3/4]}, e: {p: [1/3, 2/3]}}
nodes:
  x: {type: class, levels: 2, equation: u ^ w}
  m: {type: class, levels: 2, equation: x ^ e}
  y: {type: class, levels: 2, equation: m ^ u}
"""


@pytest.fixture(scope="module")
def model():
    return cf.compile(cf.loads(FILE))


def test_interventional_draws_carry_the_verdict_of_the_effect(model):
    verdict = model.sample(4, do={"x": 1}, nodes=["y"]).verdict
    assert verdict == cf.identify(model.graph, "P(y | do(x=1))")
    assert verdict.identifiable


def test_counterfactual_carries_the_verdict_of_what_changes_given_what_was_seen(model):
    world = model.counterfactual({"x": [0, 1], "y": [1, 1]}, do={"x": 1})
    assert world.verdict == cf.identify(model.graph, "P(m[x=1], y[x=1] | x, y)")
    assert not world.verdict
    seen = model.counterfactual({"x": [0, 1], "m": [1, 0], "y": [1, 1]}, do={"m": 1})
    rows = model.counterfactual({"x": [0, 1], "y": [1, 1]}, do={"x": [1, 0]})
    assert str(rows.verdict.query) == "P(m[x=given], y[x=given] | x, y)"
    assert seen.verdict.query == cf.parse_query("P(y[m=1] | x, m, y)")


def test_observation_and_the_null_intervention_are_told_by_data(model):
    assert model.sample(4).verdict.identifiable
    assert model.counterfactual({"x": [0]}, do={}).verdict.identifiable
    whole = {"x": [0], "m": [1], "y": [1]}
    assert model.counterfactual(whole, do={}).verdict is None
    assert model.sample(4, do={"x": 1}, nodes=["x"]).verdict is None


def test_verdict_is_computed_only_when_it_is_read(model, monkeypatch):
    asked = []
    monkeypatch.setattr(world_verdicts, "attempt", lambda graph, query: asked.append(query))
    world = model.sample(4, do={"x": 1})
    assert asked == []
    for _ in range(2):
        assert world.verdict is None
    assert len(asked) == 1


def test_exact_answers_carry_theirs(model):
    assert model.ask("P(y=1 | do(x=1))").verdict.identifiable
    assert not model.ask("P(y[x=1]=1 | x=0, y=0)").verdict
