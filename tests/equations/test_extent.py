"""The interval of a term holds every finite value of it; what it refuses has none."""

from __future__ import annotations

import math
import random
from itertools import product

import numpy as np
import pytest

from causalflow.equations.equation import evaluate, parse_equation
from causalflow.equations.extent import Extent, check_extent, extent_of
from causalflow.equations.term import walk
from causalflow.errors import GraphError

RANGES = {"a": Extent(-1.5, 2.0), "b": Extent(0.0, 3.0), "k": Extent(0.0, 2.0, True)}
VALUES = {
    "a": np.linspace(-1.5, 2.0, 15),
    "b": np.linspace(0.0, 3.0, 13),
    "k": np.arange(3, dtype=np.int64),
}
BINARY = ["+", "-", "*", "/", "//", "%", "**", "<", "and"]
UNARY = ["exp", "log", "sqrt", "sin", "cos", "tan", "tanh", "sigmoid", "logit", "abs", "floor"]


def term(draw, depth=3):
    if depth == 0 or draw.random() < 0.2:
        return draw.choice(["a", "b", "k", "2", "0.5", "3", "pi"])
    shape = draw.random()
    first, second, third = (term(draw, depth - 1) for _ in range(3))
    if shape < 0.5:
        return f"({first}) {draw.choice(BINARY)} ({second})"
    if shape < 0.8:
        return f"{draw.choice([*UNARY, 'round', '-'])}({first})"
    if shape < 0.9:
        return f"{draw.choice(['min', 'max'])}({first}, {second})"
    return f"{draw.choice(['where', 'clip'])}({first}, {second}, {third})"


def grid():
    cells = list(product(*VALUES.values()))
    columns = zip(*cells, strict=True)
    return {name: np.array(column) for name, column in zip(VALUES, columns, strict=True)}


def numbers(term):
    with np.errstate(all="ignore"):
        values = np.asarray(evaluate(term, grid()), dtype=np.float64)
    return values[np.isfinite(values)]


@pytest.mark.parametrize("seed", range(6))
def test_every_value_lies_in_the_extent_and_what_is_refused_has_none(seed):
    draw, refused = random.Random(seed), 0
    for _ in range(100):
        equation = parse_equation(term(draw))
        finite = numbers(equation)
        try:
            found = extent_of(equation.components[0], RANGES)
        except GraphError:
            refused += 1
            assert any(not len(numbers(part)) for part, _ in walk(equation.components[0]))
            continue
        # Rounding of the term and of the ends, each a few units in the last place per operation.
        slack = 1e-9 * (1 + np.abs(finite))
        assert (finite >= found.low - slack).all(), str(equation)
        assert (finite <= found.high + slack).all(), str(equation)
    assert refused < 50


@pytest.mark.parametrize(
    "text",
    ["log(-b - 1)", "sqrt(-1 - b)", "a / 0", "a % 0", "exp(exp(20))", "logit(2 + b)", "1 << 70"],
)
def test_a_term_without_a_finite_value_is_refused_wherever_it_stands(text):
    for whole in (text, f"a + {text}", f"where(a > 0, a, {text})", f"max(a, {text})"):
        with pytest.raises(GraphError, match="never a finite number"):
            check_extent(parse_equation(whole), RANGES)


@pytest.mark.parametrize("text", ["a / b", "log(b)", "sqrt(a)", "1 / (a - a)", "b ** -1", "a ** 3"])
def test_a_term_with_some_finite_values_is_none_of_its_business(text):
    check_extent(parse_equation(text), RANGES)


def test_whole_numbers_beyond_64_bits_are_refused_and_real_ones_are_not():
    most = 2**62
    with pytest.raises(GraphError, match="64 bits"):
        check_extent(parse_equation(f"k + {most} + {most}"), RANGES)
    check_extent(parse_equation(f"a + {most} + {most}"), {"a": Extent(0.0, 1.0)} | RANGES)
    assert extent_of(parse_equation("k * 2 - 1").components[0], RANGES) == Extent(-1.0, 3.0, True)
    assert math.isinf(extent_of(parse_equation("1 / k").components[0], RANGES).high)
