"""Numbers of the papers, as exact fractions from the graph files."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from causalflow.exact.model import ExactModel
from causalflow.formats.formats import load

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
