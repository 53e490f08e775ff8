"""Policy rows: what a policy comes to over finite variables, P(x | what it reads), exactly.

Levels count in its expressions as their number, names as their position
(`causalflow.values.finite`). Rational operations are exact, others rounded once to float64.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from itertools import product
from typing import Any

from causalflow.equations.equation import NUMPY, Equation, evaluate
from causalflow.equations.law import NOISE, shown_number
from causalflow.errors import GraphError, QueryError
from causalflow.graph.node import Rows
from causalflow.query.policy import Chances, Draw, Function, Policy, Untold, Value
from causalflow.values.finite import FiniteType

__all__ = ["distribution", "expression_number", "policy_rows", "told"]


def policy_rows(policy: Policy, own: FiniteType, given: Mapping[str, FiniteType]) -> Rows:
    """P(x | what the policy reads): the levels read and a probability for each level of x.

    Args:
        policy: the policy.
        own: the type of the variable that it sets.
        given: the types of what it reads, in the order of the rows' levels.

    Raises:
        QueryError: it is not told, gives what is no level, or what is no distribution.

    Example:
        >>> from causalflow.query.parse import single_query
        >>> from causalflow.values.finite import finite
        >>> (plan,) = single_query("P(y | do(x = 1 - z))").policies
        >>> two = finite((0, 1))
        >>> [[str(p) for p in law] for _, law in policy_rows(plan, two, {"z": two})]
        [['0', '1'], ['1', '0']]
    """
    found = []
    places = [range(len(kind.levels)) for kind in given.values()]
    for cell in product(*places):
        pairs = list(zip(given.items(), cell, strict=True))
        numbers = {name: kind.numbers[place] for (name, kind), place in pairs}
        levels = tuple(kind.levels[place] for (_, kind), place in pairs)
        found.append((levels, _row(policy, own, numbers)))
    return tuple(found)


def told(policy: Policy) -> Policy:
    """The policy itself.

    Raises:
        QueryError: it is a law or function of which only the name is known.
    """
    if isinstance(policy.how, Untold):
        known = "normal(0, 1) or {0: 0.3, 1: 0.7}" if policy.how.random else "z + 1"
        raise QueryError(
            f"query: do({policy}) names '{policy.how.name}' and does not say what it is: enough to"
            f" identify the question, not to compute it; write it out, as in {known}"
        )
    return policy


def _row(policy: Policy, own: FiniteType, at: Mapping[str, Fraction]) -> tuple[Fraction, ...]:
    match told(policy).how:
        case Function(expression):
            return _certain(policy, own, expression_number(policy, expression, at), at)
        case Chances(levels, shares):
            numbers = [expression_number(policy, share, at) for share in shares]
            return _spread(policy, own, levels, numbers, at)
        case Draw(family):
            raise QueryError(
                f"query: do({policy}): '{policy.variable}' has levels; write its probabilities, as"
                f" in {policy.variable} ~ {{{own.levels[0]}: 0.3, ...}}, not {family}(...)"
            )
        case Untold():
            raise AssertionError("told")


def _certain(
    policy: Policy, own: FiniteType, number: Fraction, at: Mapping[str, Fraction]
) -> tuple[Fraction, ...]:
    if number not in own.numbers:
        counted = f" ({own.counting})" if own.counting else ""
        raise QueryError(
            f"query: do({policy}) gives {shown_number(number)}{_where(at)}, which is no level of"
            f" '{policy.variable}': {', '.join(map(shown_number, own.numbers[:20]))}{counted};"
            " clip(value, low, high) keeps within"
        )
    return tuple(Fraction(int(each == number)) for each in own.numbers)


def _spread(
    policy: Policy,
    own: FiniteType,
    levels: Sequence[Value],
    numbers: Sequence[Fraction],
    at: Mapping[str, Fraction],
) -> tuple[Fraction, ...]:
    if not levels and len(numbers) != len(own.levels):
        raise QueryError(
            f"query: do({policy}) has {len(numbers)} probabilities; '{policy.variable}' has"
            f" {len(own.levels)} levels"
        )
    row = [Fraction(0)] * len(own.levels)
    for level, number in zip(levels or own.levels, numbers, strict=True):
        row[own.position(level, where=f"query: '{policy.variable}'", error=QueryError)] += number
    return distribution(policy, row, at)


def distribution(
    policy: Policy, row: Sequence[Fraction], at: Mapping[str, Fraction]
) -> tuple[Fraction, ...]:
    """The probabilities that a policy gives, divided by their sum, which rounding explains.

    Raises:
        QueryError: one is below 0, or they do not sum to 1.
    """
    total = sum(row, start=Fraction(0))
    if min(row) < 0 or abs(total - 1) > NOISE:
        shown = ", ".join(map(shown_number, row))
        raise QueryError(
            f"query: do({policy}) gives {shown}{_where(at)}; probabilities are at least 0 and sum"
            " to 1"
        )
    return tuple(each / total for each in row)


def _where(at: Mapping[str, Fraction]) -> str:
    cells = ", ".join(f"{name}={shown_number(number)}" for name, number in at.items())
    return f" at {cells}" if cells else ""


def expression_number(policy: Policy, expression: Equation, at: Mapping[str, Fraction]) -> Fraction:
    """The value of an expression of a policy.

    Raises:
        QueryError: it has none, such as 1 / 0.
    """
    try:
        return _fraction(evaluate(expression, at, EXACT))
    except (ZeroDivisionError, OverflowError, ValueError, GraphError):
        raise QueryError(f"query: do({policy}) has no value{_where(at)}") from None


def _fraction(value: Any) -> Fraction:
    """A number as it is written: 0.1 is a tenth."""
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ZeroDivisionError
        return Fraction(repr(value))
    return Fraction(value)


def _rational(function: Callable[..., Any]) -> Callable[..., Fraction]:
    return lambda *values: _fraction(function(*map(_fraction, values)))


def _rounded(function: Callable[..., Any]) -> Callable[..., Fraction]:
    def apply(*values: Any) -> Fraction:
        exact = map(_fraction, values)
        plain = [int(each) if each.denominator == 1 else float(each) for each in exact]
        return _fraction(function(*plain).item())

    return apply


_RATIONAL: Mapping[str, Callable[..., Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
    "negate": operator.neg,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "and": lambda a, b: bool(a) and bool(b),
    "or": lambda a, b: bool(a) or bool(b),
    "not": operator.not_,
    "abs": abs,
    "min": min,
    "max": max,
    "where": lambda condition, a, b: a if condition else b,
    "clip": lambda value, low, high: min(max(value, low), high),
}
EXACT: Mapping[str, Callable[..., Fraction]] = {
    **{name: _rounded(function) for name, function in NUMPY.items()},
    **{name: _rational(function) for name, function in _RATIONAL.items()},
}
"""The meaning of every operator and function on fractions."""
