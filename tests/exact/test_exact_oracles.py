"""Numbers of the papers, as exact fractions from the graph files."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from causalflow.exact.model import ExactModel
from causalflow.formats.formats import load
from causalflow.graph.graph import Graph

GRAPHS = Path(__file__).resolve().parents[2] / "graphs"


def model(name):
    return ExactModel(load(GRAPHS / f"{name}.yaml"), "fraction")


def nonzero(answer):
    return answer.table.to_dict(zeros=False)


def of(text):
    return {int(k): Fraction(v) for k, v in (pair.split(": ") for pair in text.split(", "))}


ASCM_ROWS = """\
u_x  u_y  u_xy  u_i  |  x  y  i   P
0    0    0     0    |  0  0  0   3/50
0    0    0     1    |  0  0  3   3/50
0    0    1     0    |  1  1  6   3/50
0    0    1     1    |  1  1  5   3/50
0    1    0     0    |  0  1  5   1/25
0    1    0     1    |  0  1  6   1/25
0    1    1     0    |  1  0  3   1/25
0    1    1     1    |  1  0  0   1/25
1    0    0     0    |  1  0  11  9/100
1    0    0     1    |  1  0  8   9/100
1    0    1     0    |  0  1  5   9/100
1    0    1     1    |  0  1  6   9/100
1    1    0     0    |  1  1  14  3/50
1    1    0     1    |  1  1  13  3/50
1    1    1     0    |  0  0  0   3/50
1    1    1     1    |  0  0  3   3/50"""


def test_the_sixteen_rows_of_the_paper_are_enumerated():
    assert str(model("ascm_xy").enumerate()) == ASCM_ROWS


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ("P(i)", "0: 0.16, 3: 0.16, 5: 0.19, 6: 0.19, 8: 0.09, 11: 0.09, 13: 0.06, 14: 0.06"),
        ("P(i[x=1] | i=5)", "5: 6/19, 6: 4/19, 14: 9/19"),
        ("P(i[x=0] | i=5)", "5: 13/19, 6: 6/19"),
        ("P(i | do(x=1))", "0: .1, 3: .1, 5: .1, 6: .1, 8: .15, 11: .15, 13: .15, 14: .15"),
    ],
)
def test_numbers_of_the_augmented_scm(query, numbers):
    assert nonzero(model("ascm_xy").ask(query)) == of(numbers)


def test_posterior_of_the_exogenous_variables_is_joint():
    answer = model("ascm_xy").posterior({"i": 5}, ["u_i", "u_x", "u_y", "u_xy"])
    assert nonzero(answer) == {
        (0, 0, 1, 0): Fraction(4, 19),
        (0, 1, 0, 1): Fraction(9, 19),
        (1, 0, 0, 1): Fraction(6, 19),
    }


def test_counterfactual_uses_the_joint_posterior_and_not_its_margins():
    coin = {"p": ["1/2", "1/2"]}
    binary = {"type": "class", "levels": 2}
    graph = Graph(
        exogenous={"ua": coin, "ub": coin, "ux": coin},
        nodes={
            "x": {**binary, "equation": "ux"},
            "y": {**binary, "equation": "ua ^ ub"},
            "w": {**binary, "equation": "y ^ x"},
        },
    )
    answer = ExactModel(graph).ask("P(w[x=0]=1 | y=1, x=1)")
    assert answer.value == 1
    margins = ExactModel(graph).posterior({"y": 1, "x": 1}, ["ua", "ub"]).table
    assert margins.to_dict(zeros=False) == {(0, 1): Fraction(1, 2), (1, 0): Fraction(1, 2)}


def fractions(text):
    return [Fraction(part) for part in text.split()]


FRONT_DOOR = {
    "P(bar=present | do(color=green))": "0.6524",
    "P(bar=present | do(color=red))": "0.5096",
    "P(bar=present | color=green)": "0.67592",
    "P(bar=present | color=red)": "0.41552",
}
BACK_DOOR = {
    "P(bar=present | do(color=green))": "0.7125",
    "P(bar=present | do(color=red))": "0.4125",
    "P(bar=present | color=green)": "0.72375",
    "P(bar=present | color=red)": "0.31125",
    "P(color=red)": "0.5",
}


@pytest.mark.parametrize(
    ("name", "query", "number"),
    [("bar_mnist_frontdoor_scm", *pair) for pair in FRONT_DOOR.items()]
    + [("bar_mnist_backdoor_scm", *pair) for pair in BACK_DOOR.items()],
)
def test_bar_mnist_effects_of_the_colour(name, query, number):
    assert model(name).ask(query).value == Fraction(number)


def test_bar_mnist_front_door_effects_of_the_digit():
    scm = model("bar_mnist_frontdoor_scm")
    effect = scm.ask("P(bar=present | do(digit))").table
    seen = scm.ask("P(bar=present | digit)").table
    assert effect.axes == seen.axes == ("digit",)
    shown = ".5167 .5310 .5453 .5596 .5739 .5881 .6024 .6167 .6310 .6453"
    assert np.allclose(effect.to_numpy(), list(map(float, shown.split())), atol=5e-5)  # 4 digits
    # .1 (9.5 - d) P(bar | do(red)) + (1 - .1 (9.5 - d)) P(bar | do(green)), by the front door
    red = [(Fraction(19, 2) - d) / 10 for d in range(10)]
    assert list(effect.values) == [
        p * Fraction("0.5096") + (1 - p) * Fraction("0.6524") for p in red
    ]
    few, many = fractions("0.196 0.574"), fractions("0.644 0.686")
    pairs = [few if d < 3 else many for d in range(10)]
    assert list(seen.values) == [
        p * on + (1 - p) * off for p, (on, off) in zip(red, pairs, strict=True)
    ]


def test_bar_mnist_back_door_effects_of_the_digit():
    scm = model("bar_mnist_backdoor_scm")
    effect = scm.ask("P(bar=present | do(digit))").table.values
    assert list(effect) == [Fraction("0.675")] * 5 + [Fraction("0.45")] * 5
    seen = scm.ask("P(bar=present | digit)").table.values
    assert list(seen) == fractions(".729 .717 .705 .693 .681 .426 .378 .330 .282 .234")
    strata = scm.ask("P(bar=present | digit, do(color))").table
    cells = [strata.at({"digit": d, "color": c}).values.item() for d in (0, 9) for c in (0, 1)]
    assert cells == fractions(".735 .615 .69 .21")


def test_effect_of_treatment_on_the_treated_and_necessity_by_hand():
    """x = u, y = x and w, w a coin of 1/4: y needs x, and x suffices where w is 1."""
    binary = {"type": "class", "levels": 2}
    graph = Graph(
        exogenous={"u": {"p": ["1/2", "1/2"]}, "w": {"p": ["3/4", "1/4"]}},
        nodes={"x": {**binary, "equation": "u"}, "y": {**binary, "equation": "x and w"}},
    )
    scm = ExactModel(graph)
    assert scm.ask("P(y[x=0]=0 | x=1, y=1)").value == 1
    assert scm.ask("P(y[x=1]=1 | x=0, y=0)").value == Fraction(1, 4)
    assert scm.ask("P(y[x=1]=1, y[x=0]=0)").value == Fraction(1, 4)
    assert scm.ask("E[y[x=1] - y[x=0] | x=1]").value == Fraction(1, 4)


def test_natural_direct_and_indirect_effects_by_hand():
    """m = x or a (a: 1/4), y = x and m, or b (b: 1/5)."""
    binary = {"type": "class", "levels": 2}
    graph = Graph(
        exogenous={
            "u": {"p": ["1/2", "1/2"]},
            "a": {"p": ["3/4", "1/4"]},
            "b": {"p": [".8", ".2"]},
        },
        nodes={
            "x": {**binary, "equation": "u"},
            "m": {**binary, "equation": "x or a"},
            "y": {**binary, "equation": "x and m or b"},
        },
    )
    scm = ExactModel(graph)
    assert scm.ask("P(y[x=1, m[x=0]]=1)").value == Fraction(1, 4) + Fraction(3, 4) * Fraction(1, 5)
    direct = scm.ask("E[y[x=1, m[x=0]] - y[x=0]]").value
    total = scm.ask("E[y[x=1] - y[x=0]]").value
    back = scm.ask("E[y[x=1] - y[x=1, m[x=0]]]").value
    assert direct == Fraction(1, 5)
    assert total == direct + back == Fraction(4, 5)
