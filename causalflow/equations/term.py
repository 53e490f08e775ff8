"""Terms: the closed set of expressions an equation is made of, and their text.

A term is read by `causalflow.equations.grammar` and given a meaning by
`causalflow.equations.equation`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias, assert_never

__all__ = [
    "CONSTANTS",
    "FUNCTIONS",
    "RESERVED",
    "Binary",
    "Call",
    "Comparison",
    "Constant",
    "Expression",
    "Name",
    "Number",
    "Unary",
    "children",
    "rebuilt",
    "renamed",
    "term_text",
    "walk",
]

CONSTANTS: Mapping[str, float] = {"pi": math.pi}
FUNCTIONS: Mapping[str, tuple[int, float]] = {
    **dict.fromkeys(("exp", "log", "sqrt", "sin", "cos", "tan", "tanh"), (1, 1)),
    **dict.fromkeys(("sigmoid", "logit", "abs", "floor", "round"), (1, 1)),
    **dict.fromkeys(("min", "max"), (2, math.inf)),
    **dict.fromkeys(("where", "clip"), (3, 3)),
}
"""Function name -> (least, most) number of arguments."""
RESERVED = frozenset({*FUNCTIONS, *CONSTANTS, "and", "or", "not"})
"""Names that an equation cannot use for a variable."""


@dataclass(frozen=True, slots=True)
class Number:
    """A literal: an integer of 64 bits or a float, never negative."""

    value: int | float


@dataclass(frozen=True, slots=True)
class Constant:
    """A named constant, ``pi``."""

    name: str


@dataclass(frozen=True, slots=True)
class Name:
    """A variable: a node or an exogenous variable."""

    name: str


@dataclass(frozen=True, slots=True)
class Unary:
    """``-x`` (operator "negate"), ``~x`` or ``not x``."""

    operator: str
    operand: Expression


@dataclass(frozen=True, slots=True)
class Binary:
    """``left operator right``: arithmetic, bit operators, ``and``, ``or``."""

    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Comparison:
    """A chain ``a < b <= c``; one operator fewer than operands."""

    operators: tuple[str, ...]
    operands: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Call:
    """``function(argument, ...)``."""

    function: str
    arguments: tuple[Expression, ...]


Expression: TypeAlias = Number | Constant | Name | Unary | Binary | Comparison | Call


def children(expression: Expression) -> tuple[Expression, ...]:
    """The terms that a term is made of, one level down."""
    match expression:
        case Number() | Constant() | Name():
            return ()
        case Unary(_, operand):
            return (operand,)
        case Binary(_, left, right):
            return (left, right)
        case Comparison(_, parts) | Call(_, parts):
            return parts
        case _:
            assert_never(expression)


def walk(expression: Expression) -> Iterator[tuple[Expression, int]]:
    """Every node with its depth; by an explicit stack, as it guards the depth of hostile text."""
    stack = [(expression, 1)]
    while stack:
        node, depth = stack.pop()
        yield node, depth
        stack.extend((child, depth + 1) for child in children(node))


def renamed(expression: Expression, names: Mapping[str, str]) -> Expression:
    """The expression with other names for some of its variables."""
    if isinstance(expression, Name):
        return Name(names.get(expression.name, expression.name))
    return rebuilt(expression, lambda part: renamed(part, names))


def rebuilt(expression: Expression, inner: Callable[[Expression], Expression]) -> Expression:
    """The same operation on what ``inner`` makes of its operands; a leaf is itself.

    Example:
        >>> print(term_text(rebuilt(Binary("+", Name("x"), Number(1)), lambda part: Name("y"))))
        y + y
    """
    match expression:
        case Name() | Number() | Constant():
            return expression
        case Unary(operator, operand):
            return Unary(operator, inner(operand))
        case Binary(operator, left, right):
            return Binary(operator, inner(left), inner(right))
        case Comparison(operators, operands):
            return Comparison(operators, tuple(map(inner, operands)))
        case Call(function, arguments):
            return Call(function, tuple(map(inner, arguments)))
        case _:
            assert_never(expression)


# Binding strength, loosest first, as in the module docstring.
_STRENGTH = {"or": 1, "and": 2, "not": 3, "<": 4, "|": 5, "^": 6, "&": 7, "<<": 8, ">>": 8}
_STRENGTH |= {"+": 9, "-": 9, "*": 10, "/": 10, "//": 10, "%": 10, "negate": 11, "~": 11, "**": 12}
_ATOM = 13


def term_text(expression: Expression) -> str:
    """The expression as text with the fewest brackets; it reads back as an equal expression."""
    return _text(expression)[0]


def _text(expression: Expression) -> tuple[str, int]:
    """The text, and how tightly it binds."""
    match expression:
        case Number(value):
            return repr(value), _ATOM
        case Constant(name):
            return name, _ATOM
        case Name(name):
            is_word = re.fullmatch(r"[^\W\d]\w*", name) and name not in RESERVED
            return name if is_word else f"`{name.replace('`', '``')}`", _ATOM
        case Call(function, arguments):
            return f"{function}({', '.join(_text(a)[0] for a in arguments)})", _ATOM
        case Unary(operator, operand):
            sign = {"negate": "-", "not": "not "}.get(operator, operator)
            strength = _STRENGTH[operator]
            return sign + _bracketed(operand, strength), strength
        case Binary("**", base, exponent):
            return f"{_bracketed(base, _ATOM)} ** {_bracketed(exponent, 11)}", 12
        case Binary(operator, left, right):
            strength = _STRENGTH[operator]
            texts = _bracketed(left, strength), _bracketed(right, strength + 1)
            return f" {operator} ".join(texts), strength
        case Comparison(operators, operands):
            parts = [_bracketed(operand, _STRENGTH["<"] + 1) for operand in operands]
            rest = (f" {sign} {text}" for sign, text in zip(operators, parts[1:], strict=True))
            return parts[0] + "".join(rest), _STRENGTH["<"]
        case _:
            assert_never(expression)


def _bracketed(expression: Expression, strength: int) -> str:
    text, own = _text(expression)
    return text if own >= strength else f"({text})"
