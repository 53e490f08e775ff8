"""The mean over several cuts of the rows into folds: its error is that of the rows and the cuts."""

import numpy as np
import pytest

from causalflow.effects.ask import Ask
from causalflow.effects.complete_rows import read_rows
from causalflow.effects.estimator import Moments, Problem, Settings, assembled, averaged
from causalflow.effects.nuisance.learners import read_learners
from causalflow.effects.question import Question
from causalflow.query.parse import parse_query

ROWS = 400
INFLUENCE = np.random.default_rng(0).normal(size=(ROWS, 2))
LEARNERS = read_learners("linear")


def effect_of(cuts):
    """The difference of two moments that are ``cuts`` in each cut."""
    question = Question(axes=(), cells=((),), moments=(), sums=np.array([[1.0, -1.0]]))
    problem = Problem(
        ask=Ask(query=parse_query("E[y | do(x=1)]"), graph=None),
        question=question,
        rows=read_rows({"y": np.arange(ROWS)}, ["y"], {}),
        settings=Settings(outcome_learners=LEARNERS, treatment_learners=LEARNERS),
    )

    def found(of):
        return Moments(values=np.array(cuts[of.cut]), influence=INFLUENCE, method="some")

    return assembled(problem, averaged(problem, found))


def test_cuts_that_agree_add_nothing():
    effect = effect_of([(3.0, 1.0), (3.0, 1.0)])
    difference = INFLUENCE @ [1, -1]
    assert effect.value == 2
    assert effect.standard_error == pytest.approx(np.sqrt((difference**2).sum()) / ROWS)


def test_half_the_distance_of_two_cuts_is_added_in_square():
    alike = effect_of([(3.0, 1.0), (3.0, 1.0)])
    effect = effect_of([(3.0, 1.0), (3.4, 1.2)])  # the answers are 2 and 2.2
    assert effect.value == pytest.approx(2.1)
    assert effect.standard_error**2 == pytest.approx(alike.standard_error**2 + 0.1**2)
    assert effect.high - effect.value == pytest.approx(1.959964 * effect.standard_error)


def test_what_moves_both_moments_alike_does_not_count():
    alike = effect_of([(3.0, 1.0), (3.0, 1.0)])
    assert effect_of([(3.0, 1.0), (5.0, 3.0)]).standard_error == alike.standard_error
