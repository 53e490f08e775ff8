"""Evidence short of values: likelihoods of levels, intervals, censored values, parts of pictures.

Right values are sums over the rows of small tables, truncated normal laws, and enumeration; exact
answers are equal as fractions, simulated ones within 5 of the standard errors that they state.
"""

import math
from fractions import Fraction
from itertools import product
from statistics import NormalDist

import pytest

import causalflow as cf

DICE = """
graph: dice
nodes:
  fair: {type: class, levels: [no, yes], table: [1/4, 3/4]}
  face: {type: class, levels: 4, table: {no: [1/10, 1/10, 1/10, 7/10], yes: [1/4, 1/4, 1/4, 1/4]}}
  won:  {type: class, levels: 2, table: {0: [1, 0], 1: [1/2, 1/2], 2: [1/2, 1/2], 3: [0, 1]},
         noise: monotone}
edges: [fair -> face, face -> won]
"""
LINEAR = """
graph: linear
exogenous: {uz: {type: normal}, ux: {type: normal}, uy: {type: normal}}
nodes:
  z: {type: continuous, equation: uz}
  x: {type: continuous, equation: 0.75*z + ux}
  y: {type: continuous, equation: 2*x - 1.5*z + uy}
"""
SPREAD = 1.25  # of x
STANDARD = NormalDist()


@pytest.fixture(scope="module")
def dice():
    return cf.compile(cf.loads(DICE))


@pytest.fixture(scope="module")
def linear():
    return cf.compile(cf.loads(LINEAR))


def joint():
    fair = {0: Fraction(1, 4), 1: Fraction(3, 4)}
    face = {0: [Fraction(1, 10)] * 3 + [Fraction(7, 10)], 1: [Fraction(1, 4)] * 4}
    won = [Fraction(0), Fraction(1, 2), Fraction(1, 2), Fraction(1)]
    for f, k, w in product(range(2), range(4), range(2)):
        yield (f, k, w), fair[f] * face[f][k] * (won[k] if w else 1 - won[k])


def truth(event, weight):
    whole = sum(p * weight(*cell) for cell, p in joint())
    return sum(p * weight(*cell) for cell, p in joint() if event(*cell)) / whole


WEIGHTS = {1: Fraction(8, 10), 3: Fraction(2, 10)}


def test_likelihoods_of_levels_multiply_what_the_model_says(dice):
    right = truth(lambda f, k, w: f, lambda f, k, w: WEIGHTS.get(k, 0))
    text = dice.ask("P(fair=yes | face likely {1: .8, 3: .2})")
    assert text.value == right
    assert dice.ask("P(fair=yes | face)", face=cf.likely({1: 0.8, 3: 0.2})).value == right
    assert dice.ask("P(fair=yes)", {"face": cf.likely({1: 8, 3: 2})}).value == right
    assert "virtual evidence" in " ".join(text.assumptions)
    posterior = dice.ask("P(face | face likely {1: .8, 3: .2}, fair=no)").table.to_dict()
    assert posterior[3] == Fraction(14, 22)  # Jeffrey's rule would say 1/5
    assert dice.ask("P(face in {1} | fair=no)").value == Fraction(1, 10)
    one = dice.ask("P(fair | face likely {1: 1})").table.to_dict()
    assert one == dice.ask("P(fair | face=1)").table.to_dict()


@pytest.mark.parametrize(
    ("told", "of"),
    [
        ("in {1, 2}", cf.likely([1, 2])),
        ("in [1, 2]", cf.within(1, 2)),
        ("in (0, 3)", cf.within(1, 2)),
        ("> 1", cf.above(1)),
        (">= 2", cf.within(2, 3)),
        ("<= 2", cf.within(-math.inf, 2)),
        ("< 1", cf.below(1)),
    ],
)
def test_sets_intervals_and_ends_are_the_levels_within(dice, told, of):
    inside = {
        "in {1, 2}": {1, 2},
        "in [1, 2]": {1, 2},
        "in (0, 3)": {1, 2},
        "> 1": {2, 3},
        ">= 2": {2, 3},
        "<= 2": {0, 1, 2},
        "< 1": {0},
    }[told]
    right = truth(lambda f, k, w: f, lambda f, k, w: k in inside)
    assert dice.ask(f"P(fair=yes | face {told})").value == right
    assert dice.ask("P(fair=yes | face)", face=of).value == right
    event = truth(lambda f, k, w: k in inside, lambda f, k, w: 1)
    assert dice.ask(f"P(face {told})").value == event


def test_a_counterfactual_is_told_too(dice):
    told = dice.ask("P(won[face=1]=1 | face in {0, 1}, won=0)").value
    by_hand = sum(
        dice.ask(f"P(won[face=1]=1 | face={k}, won=0)").value
        * dice.ask(f"P(face={k} | face in {{0, 1}}, won=0)").value
        for k in (0, 1)
    )
    assert told == by_hand


def test_each_row_may_be_told_in_its_own_way(dice):
    rows = [2, cf.likely({1: 0.8, 3: 0.2}), cf.above(1), cf.likely([0])]
    found = dice.ask("P(fair=yes)", {"face": rows}).value
    weights = [{2: 1}, WEIGHTS, {2: 1, 3: 1}, {0: 1}]
    for value, weight in zip(found, weights, strict=True):
        assert value == truth(lambda f, k, w: f, lambda f, k, w, own=weight: own.get(k, 0))


def test_part_of_a_picture_tells_what_its_pixels_tell():
    model = cf.compile(cf.load("graphs/ascm_xy.yaml"))
    law = model.ask("P(x, i)").table.to_dict()
    top = [code for code in range(16) if code >> 2 == 0b01]  # the upper row is 0, 1
    whole = sum(p for (_, i), p in law.items() if i in top)
    right = sum(p for (x, i), p in law.items() if x == 1 and i in top) / whole
    picture, mask = [[0, 1], [1, 1]], [[1, 1], [0, 0]]
    assert model.ask("P(x=1 | i)", i=cf.seen(picture, mask)).value == right
    assert model.ask("P(x=1 | i)", i=cf.seen([[0, 1], [0, 0]], mask)).value == right


def within_five_errors(answer, right):
    assert abs(answer.value - right) <= 5 * answer.error, (answer.value, right, answer.error)


def truncated(low, high):
    """The mean of N(0, 1) within an interval."""
    mass = STANDARD.cdf(high) - STANDARD.cdf(low)
    return (STANDARD.pdf(low) - STANDARD.pdf(high)) / mass


def test_numbers_within_an_interval_and_censored_ones_are_truncated(linear):
    mean = SPREAD * truncated(1 / SPREAD, 2 / SPREAD)
    slope = 0.75 / SPREAD**2
    within_five_errors(linear.ask("E[z | x in [1, 2]]"), slope * mean)
    within_five_errors(linear.ask("E[z]", x=cf.within(1, 2)), slope * mean)
    censored = SPREAD * truncated(1 / SPREAD, 40.0)
    within_five_errors(linear.ask("E[z | x > 1]"), slope * censored)
    within_five_errors(linear.ask("P(x > 1)"), 1 - STANDARD.cdf(1 / SPREAD))
    within_five_errors(linear.ask("P(x > 1 | do(z=2))"), 1 - STANDARD.cdf(-0.5))
    within_five_errors(linear.ask("P(x > 1 | z=2)"), 1 - STANDARD.cdf(-0.5))


def test_worlds_that_are_not_actual_are_told_of_as_well(linear):
    """x had z been 1 is 0.75 + ux; it is above 1 where ux > 0.25."""
    answer = linear.ask("E[x[z=0] | x[z=1] > 1]")
    within_five_errors(answer, truncated(0.25, 40.0))


@pytest.mark.parametrize(
    ("question", "known", "refusal"),
    [
        ("P(fair | face likely {0: 0, 1: 0})", {}, "no level has a weight above 0"),
        ("P(fair | face in {7})", {}, "unknown level 7"),
        ("P(face | fair > 0)", {}, "compares numbers"),
        ("P(face likely {1: .5, 2: .1})", {}, "is a condition; an event is"),
        ("P(won | do(face in {1}))", {}, "says what was seen, and cannot be set"),
        ("P(won | do(face))", {"face": cf.likely([1])}, "says what was seen"),
        ("P(won | face in {1})", {"face": 1}, "give it once"),
        ("P(fair | face in [2, 1])", {}, "expected low, then high"),
        ("P(fair | face in {0}, won=1)", {}, "probability zero: P(face in {0}, won=1) = 0"),
        ("P(fair | face likely {0: 1}, won=1)", {}, "probability zero"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(dice, question, known, refusal):
    with pytest.raises(cf.CausalflowError) as caught:
        dice.ask(question, known)
    assert refusal in str(caught.value)
    assert "\n" not in str(caught.value)


def test_identification_asks_for_the_distribution_instead(dice):
    graph = cf.Graph(edges=["z -> x -> y", "z -> y"])
    with pytest.raises(cf.QueryError, match=r"ask for P\(y, z \| do\(x=1\)\)"):
        cf.identify(graph, "P(y | do(x=1), z in {0, 1})")
    assert dice.ask("P(won | do(face=1), fair in {yes})").verdict.identifiable


def test_questions_are_written_as_they_are_read():
    for text in (
        "P(y | age in [60, 70], t > 5, u <= -1.5)",
        "P(y | digit likely {3: 0.8, 5: 1/3}, color in {red, 'dark blue'})",
        "P(t in (0, 1) | do(x=1))",
        "P(y[x=1] | x[z=0] >= 2)",
    ):
        query = cf.parse_query(text)
        assert str(query) == text
        assert cf.parse_query(str(query)) == query
