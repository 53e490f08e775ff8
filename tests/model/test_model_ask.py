"""Ask: the simulated route against the exact engine, evidence of every kind, and its refusals."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

import causalflow as cf
from causalflow.errors import CausalflowWarning, EvidenceError, QueryError
from causalflow.shipped import graph_path

DRAWS = 20_000
ERRORS = 5  # standard errors; a cell has its own, at most the answer's


def compiled(name):
    return cf.compile(cf.load(graph_path(name)))


def simulating(name):
    """A model of a finite graph that has forgotten that it is one."""
    model = compiled(name)
    model.__dict__["exact"] = None
    return model


@pytest.fixture(scope="module")
def ascm():
    return simulating("ascm_xy")


@pytest.fixture(scope="module")
def labels():
    return simulating("bar_mnist_frontdoor_scm")


def assert_close(model, query, **known):
    """Every cell within five standard errors of the exact one; the axes are the same."""
    simulated, exact = (
        model.ask(query, known, draws=DRAWS),
        compiled_exact(model).ask(query, known),
    )
    assert (simulated.route, exact.route) == ("simulated", "exact")
    assert simulated.table.axes == exact.table.axes
    found, truth = simulated.table.to_dict(), exact.table.to_float().to_dict()
    assert set(found) <= set(truth)
    for cell, value in truth.items():
        assert abs(found.get(cell, 0.0) - value) <= ERRORS * simulated.error, cell
    return simulated


def compiled_exact(model):
    from causalflow.exact.model import ExactModel

    return ExactModel(model.graph)


@pytest.mark.parametrize(
    "query",
    [
        "P(x, y)",
        "P(y | do(x=1))",
        "P(i | do(x))",
        "P(i[x=1] | i=5)",
        "P(u_x, u_xy | i=5)",
        "P(y[x], u_y | x=1)",
        "P(i[x=1]=6 | x=0, y)",
        "P(y[x=1], y[x=0] | x)",
        "P(i[x=1] | i[x=0]=6)",
        "E[x[y=1] - 1/2*y | u_xy=1]",
    ],
)
def test_simulated_answers_of_the_ascm_are_the_exact_ones(ascm, query):
    assert_close(ascm, query)


@pytest.mark.parametrize(
    "query",
    [
        "P(bar | do(color))",
        "P(bar | do(digit=3), color=red)",
        "P(bar[color=red] | color=green, bar=absent)",
        "P(bar[digit=3, color[digit=7]])",
        "P(bar[digit=3, color[]]=present)",
        "P(bar[digit=3]=present, digit=7 | color)",
        "E[bar[color=red] - bar[color=green]]",
        "P(bar[color=red]=present, bar[color=green]=absent | keep=1)",
    ],
)
def test_simulated_answers_of_nested_and_joint_worlds_are_the_exact_ones(labels, query):
    assert_close(labels, query)


def test_rows_of_evidence_give_an_answer_each(labels):
    rows = pd.DataFrame({"color": ["red", "green", "red"], "bar": [0, 1, 1]})
    query = "P(bar[color=red]=present | color, bar)"
    answer = assert_close(labels, query, **rows)
    assert answer.rows
    assert answer.value[0] == 0.0
    assert answer.value[2] == 1.0
    assert_close(labels, "P(bar | do(color))", color=["red", "green"])


def test_worlds_share_their_noise_so_a_difference_is_surer_than_its_parts(labels):
    red, green, difference = (
        labels.ask(f"E[{each}]", draws=5_000, generator=1)
        for each in ("bar[color=red]", "bar[color=green]", "bar[color=red] - bar[color=green]")
    )
    assert abs(difference.value - (red.value - green.value)) < 1e-12
    assert difference.error < np.hypot(red.error, green.error)


def test_an_answer_is_the_same_again_and_another_with_another_seed(labels):
    first, again, other = (
        labels.ask("P(bar | do(color=red))", draws=1_000, generator=seed).table.to_dict()
        for seed in (0, 0, 1)
    )
    assert first == again != other


def test_answers_carry_the_verdict_and_the_draws(labels):
    known = labels.ask("P(bar | do(color=red))", draws=1_000)
    assert known.verdict.identifiable
    assert known.assumptions == ("estimated from 1,000 draws",)
    open_ = labels.ask("P(bar[color=red] | color=green, bar=absent)", draws=4_000)
    assert not open_.verdict.identifiable
    assert "satisfy the conditions" in open_.assumptions[0]
    assert "simulation error" in str(open_)


CHAIN = """
graph: chain
nodes:
  x: {type: class, levels: [low, high]}
  z: {type: continuous, noise: linear}
  y: {type: class, levels: [no, yes], noise: NOISE}
edges: [x -> z, x -> y]
"""


def fitted(noise):
    model = cf.compile(cf.loads(CHAIN.replace("NOISE", noise)))
    generator = np.random.default_rng(0)
    x = generator.integers(0, 2, 2_000)
    z = x + generator.normal(size=2_000) / 2
    y = generator.random(2_000) < np.where(x, 0.6, 0.2)
    model.fit({"x": x, "z": z, "y": y.astype(int)}, progress=False)
    return model


def test_learned_counterfactuals_name_the_choice_of_noise_that_they_rest_on():
    query = "P(y[x=high]=yes | x=low, y=no)"
    with pytest.warns(CausalflowWarning, match="not identifiable"):
        models = {
            noise: (m := fitted(noise), m.ask(query), m.ask(query, draws=100_000))
            for noise in ("monotone", "gumbel")
        }
    # The difference of two Gumbel variables is one logistic variable, so for two levels both are
    # monotone: those with u < p0 say yes at x=low, those with u < p1 at x=high.
    for model, exact, answer in models.values():
        levels = {"x": torch.tensor([0, 1]), "y": torch.tensor([1, 1])}
        p0, p1 = model.scm.log_prob("y", levels).exp().tolist()
        assert exact.value == pytest.approx((p1 - p0) / (1 - p0), abs=1e-12)
        assert abs(answer.value - exact.value) < ERRORS * answer.error
        assert f"'y' assumes {model.scm.tables['y'].assumption}" in " ".join(exact.assumptions)
    monotone, gumbel = (models[noise][2] for noise in ("monotone", "gumbel"))
    assert "'y' assumes monotone noise" in " ".join(monotone.assumptions)
    assert "'y' assumes Gumbel-max noise" in " ".join(gumbel.assumptions)
    plain = models["gumbel"][0].ask("P(y | do(x=low))", draws=1_000)
    assert "noise" not in " ".join(plain.assumptions)


def test_posterior_of_a_learned_class_given_a_continuous_child():
    # P(x = high | z) by Bayes from the fitted mechanisms; do(x) then moves y with it.
    model = fitted("gumbel")
    by_hand = model.scm.log_prob("x", {"x": torch.tensor([0, 1])})
    values = {"x": torch.tensor([0, 1]), "z": torch.tensor([0.7, 0.7]).double()}
    weight = (by_hand + model.scm.log_prob("z", values)).softmax(0)
    answer = model.ask("P(x=high | z=0.7)")
    assert abs(answer.value - float(weight[1])) < ERRORS * answer.error


def test_too_few_draws_name_the_conditions(labels):
    with pytest.raises(EvidenceError, match=r"only \d+ of 300 draws.*\[digit, color\]"):
        labels.ask("P(bar | digit=1, color=red)", draws=300)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("P(thickness)", "has no table of probabilities"),
        ("E[intensity | do(thickness)]", "set to any value and has no levels"),
        ("E[intensity | thickness]", r"give its value, as in ask\(query, thickness="),
        ("E[intensity | intensity[thickness=2]=150]", "after an intervention"),
        ("P(thick)", "unknown"),
    ],
)
def test_questions_that_draws_cannot_answer_say_why(query, message):
    with pytest.raises(QueryError, match=message):
        compiled("morphomnist_scm").ask(query)


def test_evidence_that_the_query_has_no_place_for_becomes_a_condition(labels):
    known, written = labels.ask("P(bar)", color="red"), labels.ask("P(bar | color=red)")
    assert known.table.to_dict() == written.table.to_dict()  # the same draws
    with pytest.raises(QueryError, match="'bar' is both an outcome and a condition"):
        labels.ask("P(bar)", bar="present")
    with pytest.raises(EvidenceError, match="'color' is 'green' in the query and 'red' besides"):
        labels.ask("P(bar | color=green)", color="red")
    with pytest.raises(EvidenceError, match="unequal length"):
        labels.ask("P(bar | color, digit)", color=["red", "red"], digit=[1, 2, 3])


def test_untrained_mechanisms_are_needed_only_where_they_are_used():
    model = cf.compile(cf.loads(CHAIN.replace("NOISE", "gumbel")))
    with pytest.raises(EvidenceError, match=r"\['x', 'y'\] are untrained"):
        model.ask("P(y)")
