"""Equations: texts such as ``64 + 191 * sigmoid(2 * (t - 2.5) + u)`` as frozen trees of terms.

The grammar is Python's for the operators below, with Python's precedence; nothing is ever run as
code.

    or   and   not   < <= > >= == !=   |   ^   &   << >>   + -   * / // %   - ~ (unary)   **

``^`` is exclusive or, never a power. Comparisons may be chained (``0 < x < 1``) and, like ``and or
not``, give booleans; booleans count as 0 and 1 in arithmetic and under the bit operators, which
otherwise want integers. Integers have 64 bits. Functions are those of
`causalflow.equations.term.FUNCTIONS`; ``where(condition, a, b)`` and ``clip(x, low, high)`` choose
elementwise; ``pi`` is the constant.

The meaning of an operator is a table from its name to a callable (`NUMPY` here, ``TORCH`` in
`causalflow.mechanisms.equation.operations`), so one tree is evaluated on any kind of array. Unary
minus has the name "negate" in such a table.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, assert_never

import numpy as np

from causalflow.equations.grammar import parse_terms
from causalflow.equations.term import (
    CONSTANTS,
    Binary,
    Call,
    Comparison,
    Constant,
    Expression,
    Name,
    Number,
    Unary,
    term_text,
    walk,
)
from causalflow.errors import GraphError

__all__ = ["NUMPY", "OPERATIONS", "Equation", "evaluate", "parse_equation"]


@dataclass(frozen=True, slots=True)
class Equation:
    """The right-hand side of a structural equation; ``str`` gives text that parses back to it.

    Attributes:
        components: one expression; for images one a pixel, in row-major order.
        vector: whether it was written as a list.
        names: the variables that it uses.

    Example:
        >>> str(parse_equation("((x) & y)^1"))
        'x & y ^ 1'
    """

    components: tuple[Expression, ...]
    vector: bool = False
    names: frozenset[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        every = (node for component in self.components for node, _ in walk(component))
        names = frozenset(node.name for node in every if isinstance(node, Name))
        object.__setattr__(self, "names", names)

    def __str__(self) -> str:
        texts = [term_text(component) for component in self.components]
        return f"[{', '.join(texts)}]" if self.vector else texts[0]


def parse_equation(text: str | int | float | Sequence[str | int | float]) -> Equation:
    """Read an equation.

    Args:
        text: ``"x + u"``, a number, or a list of these (one a pixel); the text ``"[a, b]"`` is a
            list too.

    Raises:
        GraphError: what cannot be read, with its column.

    Example:
        >>> sorted(parse_equation(["u_x & x", "x ^ y"]).names)
        ['u_x', 'x', 'y']
        >>> parse_equation("2 * * x")
        Traceback (most recent call last):
        causalflow.errors.GraphError: equation '2 * * x', column 5: unexpected '*'
    """
    if isinstance(text, str):
        components, vector = parse_terms(text)
        return Equation(components, vector)
    if isinstance(text, int | float):
        return parse_equation(str(text))
    parts = [parse_equation(part) for part in text]
    if not parts or any(part.vector for part in parts):
        raise GraphError("an equation is a text, or a list of texts with one for each pixel")
    return Equation(tuple(part.components[0] for part in parts), vector=True)


def evaluate(
    expression: Expression | Equation,
    values: Mapping[str, Any],
    operations: Mapping[str, Callable[..., Any]] | None = None,
) -> Any:
    """The value of an expression, elementwise over the arrays in ``values``.

    Args:
        expression: an equation or a part of one.
        values: variable name -> array; all broadcast together.
        operations: the meaning of each operator and function (default: `NUMPY`); literals reach it
            as Python numbers.

    Returns:
        An array (a bare literal stays a Python number); for a vector equation the list of its
            components' arrays.

    Example:
        >>> evaluate(parse_equation("x ^ (u > 0.5)"), {"x": np.array([0, 1]), "u": 0.7})
        array([1, 0])
    """
    table = NUMPY if operations is None else operations
    if isinstance(expression, Equation):
        parts = [_value(component, values, table) for component in expression.components]
        return parts if expression.vector else parts[0]
    return _value(expression, values, table)


def _value(
    expression: Expression, values: Mapping[str, Any], table: Mapping[str, Callable[..., Any]]
) -> Any:
    def value(part: Expression) -> Any:
        return _value(part, values, table)

    match expression:
        case Number(number):
            return number
        case Constant(name):
            return CONSTANTS[name]
        case Name(name):
            return values[name]
        case Unary(operator, operand):
            return table[operator](value(operand))
        case Binary(operator, left, right):
            return table[operator](value(left), value(right))
        case Call(function, arguments):
            return table[function](*map(value, arguments))
        case Comparison(operators, operands):
            parts = [value(operand) for operand in operands]
            links = zip(operators, parts, parts[1:], strict=False)
            return functools.reduce(table["and"], [table[o](a, b) for o, a, b in links])
        case _:
            assert_never(expression)


def _number(value: Any) -> Any:
    """Booleans and narrow integers as int64, everything else as float64."""
    array = np.asarray(value)
    return array.astype(np.int64 if array.dtype.kind in "bui" else np.float64, copy=False)


def _integer(value: Any, operator: str) -> Any:
    array = _number(value)
    if array.dtype == np.int64:
        return array
    if not np.all(array == np.floor(array)) or np.any(np.abs(array) >= 2.0**63):
        hint = "; a power is written **" if operator == "^" else ""
        raise GraphError(
            f"operator '{operator}' needs integers or booleans; the values are real{hint}"
        )
    return array.astype(np.int64)


def _elementwise(function: Callable[..., Any]) -> Callable[..., Any]:
    """``function`` on numbers; nan or inf outside its domain, for ``where`` not to choose."""

    def apply(*values: Any) -> Any:
        with np.errstate(all="ignore"):
            return function(*map(_number, values))

    return apply


def _bitwise(operator: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def apply(*values: Any) -> Any:
        return function(*(_integer(value, operator) for value in values))

    return apply


def _shift(function: Callable[..., Any]) -> Callable[..., Any]:
    def apply(value: Any, count: Any) -> Any:
        if np.any((count < 0) | (count > 62)):
            raise GraphError("operators '<<' and '>>' shift by 0 to 62 places")
        return function(value, count)

    return apply


def _whole_division(function: Callable[..., Any]) -> Callable[..., Any]:
    """Division with the floating-point result nan or inf, not 0, where an integer divisor is 0."""
    return lambda a, b: function(a, b) if np.all(b != 0) else function(a * 1.0, b * 1.0)


def _power(base: Any, exponent: Any) -> Any:
    """Exact on integers whose power is an integer of 64 bits."""
    real = np.power(base * 1.0, exponent * 1.0)
    exact = base.dtype == exponent.dtype == np.int64 and np.all(exponent >= 0)
    return np.power(base, exponent) if exact and np.all(np.abs(real) < 2.0**63) else real


def _sigmoid(value: Any) -> Any:
    small = np.exp(-np.abs(value))
    return np.where(value >= 0, 1.0, small) / (1.0 + small)


def _extreme(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *values: functools.reduce(function, values)


_ARITHMETIC: Mapping[str, Callable[..., Any]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.true_divide,
    "//": _whole_division(np.floor_divide),
    "%": _whole_division(np.remainder),
    "**": _power,
    "negate": np.negative,
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
    "==": np.equal,
    "!=": np.not_equal,
    "and": np.logical_and,
    "or": np.logical_or,
    "not": np.logical_not,
    **{name: getattr(np, name) for name in ("exp", "log", "sqrt", "sin", "cos", "tan", "tanh")},
    "abs": np.abs,
    "floor": np.floor,
    "round": np.round,
    "sigmoid": _sigmoid,
    "logit": lambda value: np.log(value) - np.log1p(-value),
    "min": _extreme(np.minimum),
    "max": _extreme(np.maximum),
    "where": lambda condition, a, b: np.where(condition != 0, a, b),
    "clip": lambda value, low, high: np.minimum(np.maximum(value, low), high),
}
_BITS: Mapping[str, Callable[..., Any]] = {
    "&": np.bitwise_and,
    "|": np.bitwise_or,
    "^": np.bitwise_xor,
    "~": np.invert,
    "<<": _shift(np.left_shift),
    ">>": _shift(np.right_shift),
}
NUMPY: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {name: _elementwise(function) for name, function in _ARITHMETIC.items()}
    | {name: _bitwise(name, function) for name, function in _BITS.items()}
)
"""The meaning of every operator and function on numpy arrays."""
OPERATIONS = frozenset(NUMPY)
"""The keys that a table of operations must have."""
