"""Terms in sympy, for symbolic inversion: numbers are exact rationals, variables real symbols."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import TYPE_CHECKING, Any, assert_never

from causalflow.errors import GraphError
from causalflow.graph.term import (
    Binary,
    Call,
    Comparison,
    Constant,
    Expression,
    Name,
    Number,
    Unary,
)
from causalflow.limits import POWER_BITS, SYMBOLIC_DEGREE

if TYPE_CHECKING:
    import sympy

__all__ = ["term_to_sympy"]


def term_to_sympy(term: Expression) -> sympy.Expr:
    """The sympy form of a term; truth values become 0 and 1.

    Raises:
        GraphError: an operator without a sympy form, or a huge power.
    """
    form = _form(term)
    if form.is_number and not _is_small(form):
        raise GraphError("a constant beyond the floats has no symbolic form")
    return form


def _is_small(constant: Any) -> bool:
    """Whether a constant is a float: sympy writes out the digits of what it rounds or compares."""
    try:
        return math.isfinite(complex(constant.evalf(15)).real)
    except (OverflowError, TypeError, ValueError):
        return False


def _form(term: Expression) -> sympy.Expr:
    import sympy

    match term:
        case Number(value):
            exact = Fraction(str(value))
            return sympy.Rational(exact.numerator, exact.denominator)
        case Constant():
            return sympy.pi
        case Name(name):
            return sympy.Symbol(name, real=True)
        case Unary("negate", operand):
            return -term_to_sympy(operand)
        case Call(function, arguments):
            return _call(function, [term_to_sympy(argument) for argument in arguments])
        case Binary(operator, left, right) if operator in _arithmetic():
            return _arithmetic()[operator](term_to_sympy(left), term_to_sympy(right))
        case Comparison() | Binary("and" | "or") | Unary("not"):
            return sympy.Piecewise((1, _truth(term)), (0, True))
        case Unary(operator) | Binary(operator):
            raise GraphError(f"operator '{operator}' has no symbolic form")
        case _:
            assert_never(term)


def _truth(term: Expression) -> Any:
    """The term as a sympy condition."""
    import sympy

    match term:
        case Binary("and", left, right):
            return sympy.And(_truth(left), _truth(right))
        case Binary("or", left, right):
            return sympy.Or(_truth(left), _truth(right))
        case Unary("not", operand):
            return sympy.Not(_truth(operand))
        case Comparison(operators, operands):
            parts = [term_to_sympy(operand) for operand in operands]
            links = zip(operators, parts, parts[1:], strict=False)
            return sympy.And(*(sympy.Rel(a, b, sign) for sign, a, b in links))
        case _:
            return sympy.Ne(term_to_sympy(term), 0)


def _arithmetic() -> dict[str, Callable[[Any, Any], Any]]:
    import sympy

    return {
        "+": lambda a, b: a + b,
        "-": lambda a, b: a - b,
        "*": lambda a, b: a * b,
        "/": lambda a, b: a / b,
        "//": lambda a, b: sympy.floor(a / b),
        "%": lambda a, b: a - b * sympy.floor(a / b),
        "**": _power,
    }


def _power(base: Any, exponent: Any) -> Any:
    import sympy

    numerator, denominator = base.as_numer_denom()
    bits = sum(int(p).bit_length() for p in (numerator, denominator) if p.is_Integer)
    if exponent.is_number and not bool(abs(exponent) * max(bits, 1) <= POWER_BITS):
        raise GraphError(f"the power {base} ** {exponent} is too large for a symbolic form")
    if base.free_symbols and exponent.is_number:
        inner = [abs(p.exp) for p in base.atoms(sympy.Pow) if p.exp.is_number]
        if not bool(max([1, *inner]) * abs(exponent) <= SYMBOLIC_DEGREE):
            raise GraphError(f"a power of degree {exponent} is too large for a symbolic form")
    return base**exponent


def _call(function: str, arguments: list[Any]) -> Any:
    import sympy

    match function, arguments:
        case "sigmoid", [x]:
            return 1 / (1 + sympy.exp(-x))
        case "logit", [x]:
            return sympy.log(x / (1 - x))
        case "min" | "max", _:
            return (sympy.Min if function == "min" else sympy.Max)(*arguments)
        case "clip", [x, low, high]:
            return sympy.Min(sympy.Max(x, low), high)
        case "where", [condition, a, b]:
            return sympy.Piecewise((a, sympy.Ne(condition, 0)), (b, True))
        case "round", _:
            raise GraphError("function 'round' has no symbolic form")
        case _:
            return getattr(sympy, {"abs": "Abs"}.get(function, function))(*arguments)
