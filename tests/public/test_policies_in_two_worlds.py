"""Two policies for one variable in one question; what is typed amiss says what to type."""

import math
from fractions import Fraction
from itertools import product

import pytest

import causalflow as cf

CLINIC = """
graph: clinic
exogenous:
  u: {p: [0.5, 0.5]}
  u_z: {p: [0.7, 0.3]}
  u_x: {p: [0.8, 0.2]}
  u_y: {p: [0.9, 0.1]}
nodes:
  z: {type: class, levels: 2, equation: u_z}
  x: {type: class, levels: [none, drug], equation: u ^ u_x}
  y: {type: class, levels: [ill, well], equation: (x & z) ^ u_y | u}
"""
LINE = """
graph: line
exogenous: {u_age: {type: normal, mean: 60, std: 10}, u_t: normal, u_y: normal}
nodes:
  age: {type: continuous, equation: u_age}
  t: {type: continuous, equation: 0.1 * age + u_t}
  y: {type: continuous, equation: 2 * t + u_y}
"""


def test_two_plans_for_one_variable_are_asked_together():
    table = cf.compile(cf.loads(CLINIC)).ask("P(y[x = 1 - z], y[x = z] | y=ill)").table
    assert table.axes == ("y[x = 1 - z]", "y[x = (z)]")
    truth = dict.fromkeys(product(("ill", "well"), repeat=2), Fraction(0))
    laws = [Fraction(1, 2), Fraction(7, 10), Fraction(4, 5), Fraction(9, 10)]
    for u, u_z, u_x, u_y in product(range(2), repeat=4):
        chances = zip((u, u_z, u_x, u_y), laws, strict=True)
        weight = math.prod(1 - p if each else p for each, p in chances)
        factual, other, same = (((x & u_z) ^ u_y) | u for x in (u ^ u_x, 1 - u_z, u_z))
        truth[("ill", "well")[other], ("ill", "well")[same]] += weight * (1 - factual)
    whole = sum(truth.values())
    assert table.to_dict() == {cell: p / whole for cell, p in truth.items()}


def test_two_laws_for_one_variable_are_asked_together():
    model = cf.compile(cf.loads(CLINIC))
    answer = model.ask("P(y[x ~ {p: [.5, .5]}], y[x ~ {p: [0, 1]}])")
    alone = model.ask("P(y | do(x ~ {p: [.5, .5]}))").table.to_dict()
    both = answer.table.to_dict()
    assert {level: both[level, "ill"] + both[level, "well"] for level in alone} == alone


def test_an_answer_names_what_is_told_in_a_world_under_a_policy():
    answer = cf.compile(cf.loads(CLINIC)).ask(
        "P(y | do(z ~ {0: .3, 1: .7}), x likely {none: .2, drug: .9})"
    )
    assert "'x[z ~ {0: 0.3, 1: 0.7}]'" in " ".join(answer.assumptions)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("P(y | do(x = where(z > 0, drug, none)))", "drug is 1"),
        ("P(y | do(x = f(z)))", "write it out, as in z + 1"),
        ("P(y | x ~ {none: .2, drug: .8})", "what was seen is x likely"),
        ("P(y | do(x likely {none: .2, drug: .8}))", "or draws one by ~"),
        ("P(y | x likely {none: .2})", "only 'none' has a weight"),
        ("P(y | x likely {none: -.2, drug: 1})", "the weight -0.2;"),
        ("P(y | x != 1)", "an event is y=1, y in {0, 1}"),
        ("E[y | age > 60, age < 70]", "give one interval, as in age in [1, 2]"),
        ("E[y | 60 < age < 70]", "y in [5, 6]"),
        ("E[y | do(t = log(age - 1000))]", "do(t = log(age - 1000)) gives nan in row 0"),
        ("E[y | do(t ~ normal(age, 0 * age))]", "out of range in row 0: mean"),
    ],
)
def test_what_was_typed_amiss_is_answered_by_what_to_type(text, said):
    model = cf.compile(cf.loads(LINE if text.startswith("E") else CLINIC))
    with pytest.raises(cf.CausalflowError) as error:
        model.ask(text)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_one_weight_alone_is_refused_but_certainty_is_not():
    assert str(cf.likely({3: 1})) == "in {3}"
    assert str(cf.likely([3])) == "in {3}"
    with pytest.raises(cf.CausalflowError, match="give the others theirs"):
        cf.likely({3: 0.8})


def test_a_world_says_by_which_route_what_is_told_was_drawn():
    model = cf.compile(cf.loads(LINE))
    world = model.counterfactual({"y": [5.0], "age": [cf.within(60, 61)]}, do={"t": "= age / 10"})
    assert world.info.routes["age"] == "resampling"
    assert world.info.worth[0].startswith("age")


def test_ends_are_told_of_levels_and_of_numbers_it_is_said_what_to_do():
    graph = cf.Graph(
        nodes={"x": {"type": "class", "levels": 2}, "y": {"type": "continuous"}},
        edges=["x -> y", "x <-> y"],
    )
    rows = {"x": [0, 1] * 20, "y": [0.1 * k for k in range(40)]}
    model = cf.compile(graph)
    model.fit(rows, progress=False)
    with pytest.raises(cf.CausalflowError, match=r"'x <-> y' beside the arrow leaves no row.*"):
        model.ask("E[y | do(x=1)]")
    with pytest.raises(cf.CausalflowError, match=r"for the ends, make \['y'\] classes of ranges"):
        model.ask("E[y | do(x=1)]")
    for text in ("E[y | do(x=1)]", "P(y > 1 | do(x=1))"):
        with pytest.raises(cf.CausalflowError, match="'y' is continuous; ends are told of levels"):
            model.family(text, rows)
    with pytest.raises(cf.CausalflowError, match="which says what was seen of it"):
        model.counterfactual({"x": [1], "y": [0.5]}, do={"y": cf.above(1)})


def test_what_is_known_or_set_in_the_wrong_place_or_form_is_refused():
    model = cf.compile(cf.loads(CLINIC))
    with pytest.raises(cf.CausalflowError, match="'y' is given twice"):
        model.ask("P(y[x=1])", {"y": "ill"}, y="well")
    with pytest.raises(cf.CausalflowError, match="a plan begins with '=', as in '= 1 - z'"):
        model.sample(3, do={"x": "1 - z"})
    with pytest.raises(cf.CausalflowError, match="a law is a text that begins with '~'"):
        model.counterfactual({"y": ["ill"]}, do={"x": {"none": 0.3, "drug": 0.7}})


def test_a_density_ratio_asks_for_a_value_of_each_variable():
    two = {"type": "class", "levels": 2}
    model = cf.compile(cf.Graph(nodes={"x": two, "y": two}, edges=["x -> y", "x <-> y"]))
    rows = {"x": [0, 1] * 20, "y": [0, 1, 1, 1] * 10}
    model.fit(rows, progress=False)
    for text in ("P(y | do(x=1))", "P(y=1 | do(x))"):
        with pytest.raises(cf.CausalflowError, match="with a value for each variable"):
            model.family(text, rows, ratio=2)
