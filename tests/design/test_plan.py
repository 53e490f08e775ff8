"""Plans: the sequential formula equals the truth wherever a plan is found."""

import numpy as np
import pytest
from finite_models import latent_model
from questions import random_graph

from causalflow.admg.admg import ADMG
from causalflow.design.plan import plan_of


def models(count, size=5):
    generator, found = np.random.default_rng(11), 0
    while found < count:
        names, directed, bidirected = random_graph(generator, size, 0.5, 0.2)
        admg = ADMG(names, directed, map(frozenset, bidirected))
        order = admg.topological_order()
        treatments, outcome = (order[0], order[2]), order[-1]
        plan = plan_of(admg, treatments, [outcome])
        if plan is not None:
            found += 1
            yield plan, outcome, latent_model(generator, names, directed, bidirected)


def by_plan(model, plan, outcome):
    """E of the outcome under do(1) of all: means of means, from the last treatment to the first."""
    names, joint = list(model.names), model.joint() / model.joint().sum()
    cells = np.unravel_index(np.arange(joint.size), joint.shape)
    value = dict(zip(names, cells, strict=True))
    weights, mean = joint.ravel(), 1.0 * value[outcome]
    for place in reversed(range(len(plan))):
        followed = np.logical_and.reduce([value[s.treatment] == 1 for s in plan[: place + 1]])
        given = [value[name] for name in sorted(plan[place].given)]
        codes = np.ravel_multi_index(given, [2] * len(given)) if given else np.zeros_like(cells[0])
        kept = weights * followed
        mean = (np.bincount(codes, kept * mean) / np.bincount(codes, kept))[codes]
    return float(weights @ mean)


def test_formula_of_a_plan_is_the_effect():
    earlier = 0
    for plan, outcome, model in models(20):
        truth = model.truth([outcome], [step.treatment for step in plan])[1, 1, 1]
        assert by_plan(model, plan, outcome) == pytest.approx(truth, abs=1e-9)
        earlier += bool(plan[1].given - plan[0].given)
    assert earlier >= 3  # plans that adjust the second treatment for more than the first


def test_no_plan_where_a_hidden_cause_joins_treatment_and_outcome():
    assert plan_of(ADMG("xy", [("x", "y")], [frozenset("xy")]), "x", "y") is None
