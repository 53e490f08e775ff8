"""Inversion: the u with f(u) = x where f is undone step by step, from the outside inwards.

    a + g = x   ->  g = x - a          exp(g) = x  ->  g = log x        |g| = x    ->  g = x, -x
    a g = x     ->  g = x / a          g ** 3 = x  ->  g = x^(1/3)      g ** 2 = x ->  g = +-x^.5

It works where u stands in one place; where u is at most squared in a polynomial c0 + c1 u + c2 u^2
or in a fraction of two, whose coefficients are known in each row; and where all of u stands in
equal parts, as in exp(u) / (1 + exp(u)), for these parts.

It finds every root and the last digit of each, for 1e5 rows in milliseconds. Rows in which it finds
none (a = 0 above, x outside f's range or at its rounded end) are left to
`causalflow.mechanisms.equation.isolation`, as are all other expressions.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import TypeAlias

import torch
from torch import Tensor

from causalflow.equations.equation import evaluate
from causalflow.equations.term import (
    Binary,
    Call,
    Expression,
    Name,
    Number,
    Unary,
    rebuilt,
    walk,
)
from causalflow.mechanisms.equation.operations import TORCH

__all__ = [
    "Polynomial",
    "agrees",
    "branches",
    "coefficients",
    "degree",
    "invert",
    "is_invertible",
    "names_of",
    "quadratic_roots",
    "replaced",
]

Polynomial: TypeAlias = list[Tensor]
"""Coefficients of 1, u, u^2; each of shape (batch,) or ()."""


@functools.lru_cache(maxsize=4096)
def names_of(expression: Expression) -> frozenset[str]:
    """The variables of an expression."""
    return frozenset(part.name for part, _ in walk(expression) if isinstance(part, Name))


@functools.lru_cache(maxsize=4096)
def degree(expression: Expression, unknown: str) -> int:
    """The degree of a polynomial in ``unknown``, by its form; 3 where it is none, or more."""
    match expression:
        case _ if unknown not in names_of(expression):
            return 0
        case Name():
            return 1
        case Unary("negate", part):
            return degree(part, unknown)
        case Binary("+" | "-", left, right):
            return max(degree(left, unknown), degree(right, unknown))
        case Binary("*", left, right):
            return min(3, degree(left, unknown) + degree(right, unknown))
        case Binary("/", left, right) if unknown not in names_of(right):
            return degree(left, unknown)
        case Binary("**", part, Number(2)):
            return min(3, 2 * degree(part, unknown))
        case _:
            return 3


def coefficients(
    expression: Expression, unknown: str, known: Callable[[Expression], Tensor]
) -> Polynomial:
    """The coefficients of 1, u and u^2 in a polynomial of degree 2 at most."""

    def of(part: Expression) -> Polynomial:
        return coefficients(part, unknown, known)

    match expression:
        case _ if unknown not in names_of(expression):
            constant = known(expression)
            return [constant, torch.zeros_like(constant), torch.zeros_like(constant)]
        case Name():
            one = torch.ones((), dtype=torch.float64)
            return [torch.zeros_like(one), one, torch.zeros_like(one)]
        case Unary(_, part):
            return [-c for c in of(part)]
        case Binary("+", left, right):
            return [a + b for a, b in zip(of(left), of(right), strict=True)]
        case Binary("-", left, right):
            return [a - b for a, b in zip(of(left), of(right), strict=True)]
        case Binary("/", left, right):
            return [a / known(right) for a in of(left)]
        case Binary("**", part, _):
            return _times(of(part), of(part))
        case Binary(_, left, right):
            return _times(of(left), of(right))
        case _:
            raise AssertionError(expression)


def _times(a: Polynomial, b: Polynomial) -> Polynomial:
    return [a[0] * b[0], a[0] * b[1] + a[1] * b[0], a[0] * b[2] + a[1] * b[1] + a[2] * b[0]]


def quadratic_roots(coefficients: Polynomial, x: Tensor) -> Tensor:
    """The u with c0 + c1 u + c2 u^2 = x, without cancellation."""
    c, b, a = (coefficients[0] - x, *coefficients[1:])
    single = -c / torch.where(b == 0, torch.nan, b)
    if bool((a == 0).all()):
        return single
    discriminant = b * b - 4 * a * c
    small = discriminant.abs() <= 1e-15 * (b * b + (4 * a * c).abs())
    root = torch.where(small, 0.0, discriminant).sqrt()
    q = -(b + root.copysign(b)) / 2
    q = torch.where(q == 0, torch.nan, q)
    first, second = (-b - root.copysign(b)) / (2 * a), c / q
    second = torch.where(q.isnan() | (root == 0), torch.nan, second)
    bent = a != 0
    return torch.cat([torch.where(bent, first, single), torch.where(bent, second, torch.nan)])


TOLERANCE = 1e-6
"""f(u) and x agree to this, relative to 1 + |x|: evidence may have passed through float32."""

MOST_BRANCHES = 64
"""Branches double with each square or absolute value; where they are more, boxes are searched."""

PART = "<part>"
"""Stands for a repeated part; no variable can have this name."""


def agrees(given: Tensor, found: Tensor) -> Tensor:
    """Whether two values are the same up to float32 rounding; elementwise, False at NaN."""
    return (given - found).abs() <= TOLERANCE * (1 + given.abs())


def is_invertible(expression: Expression, unknown: str) -> bool:
    """Whether `invert` can undo the expression, in at most `MOST_BRANCHES`."""
    return 0 < branches(expression, unknown) <= MOST_BRANCHES


@functools.lru_cache(maxsize=4096)
def branches(expression: Expression, unknown: str) -> int:
    """In how many branches the expression is undone; 0: it cannot be."""
    if (power := degree(expression, unknown)) in (1, 2):
        return int(power)
    match expression:
        case Unary("negate", inner):
            return branches(inner, unknown)
        case Call(function, (inner,)) if function in _UNDONE:
            return branches(inner, unknown) * (2 if function == "abs" else 1)
        case Call("where", (condition, *parts)) if unknown not in names_of(condition):
            found = [branches(part, unknown) for part in parts]
            return max(found) if all(found) else 0
        case Binary("**", inner, exponent) if n := _number(exponent):
            return branches(inner, unknown) * (1 if n % 2 else 2)
        case Binary("+" | "-" | "*" | "/" as operator, left, right):
            inside = [part for part in (left, right) if unknown in names_of(part)]
            if len(inside) == 1:
                return branches(inside[0], unknown)
            if not inside:
                return 0
            if operator == "/" and max(degree(left, unknown), degree(right, unknown)) < 3:
                return 2
    if (part := _repeated(expression, unknown)) is None:
        return 0
    return branches(part, unknown) * branches(replaced(expression, part, Name(PART)), PART)


@functools.lru_cache(maxsize=4096)
def _repeated(expression: Expression, unknown: str) -> Expression | None:
    """The part g in which alone the unknown stands, if the expression in g is invertible."""
    calls = [part for part, _ in walk(expression) if isinstance(part, Call)]
    for part in dict.fromkeys(calls):
        if part == expression or unknown not in names_of(part) or len(part.arguments) != 1:
            continue
        rest = replaced(expression, part, Name(PART))
        if unknown not in names_of(rest) and is_invertible(rest, PART):
            return part
    return None


def replaced(expression: Expression, part: Expression, by: Expression) -> Expression:
    """The expression with one part exchanged wherever it stands."""
    if expression == part:
        return by
    return rebuilt(expression, lambda each: replaced(each, part, by))


def invert(
    expression: Expression,
    unknown: str,
    target: Tensor,
    values: Mapping[str, Tensor],
    support: tuple[float, float],
) -> Tensor:
    """Every u that gives ``target``: float64, shape (branches, batch), NaN where there is none.

    Args:
        expression: f, which `is_invertible`.
        unknown: the name of u.
        target: x, shape (batch,).
        values: the other variables, shape (batch,).
        support: the interval of u; an end is let through, as rounding may reach it.
    """
    target = target.double()
    roots = _undone(expression, unknown, target[None], values)
    inside = roots.clamp(*support)
    near = (inside - roots).abs() <= TOLERANCE * roots.abs()
    roots = torch.where(near, inside, torch.nan)
    value = torch.as_tensor(
        evaluate(expression, {**values, unknown: roots}, TORCH), dtype=torch.float64
    )
    return _once(torch.where(roots.isfinite() & agrees(target, value), roots, torch.nan))


def _once(roots: Tensor) -> Tensor:
    """The roots, NaN in place of one that an earlier branch of its row has."""
    rising, order = roots.sort(dim=0, stable=True)
    rising[1:] = torch.where(rising[1:] == rising[:-1], torch.nan, rising[1:])
    return torch.empty_like(roots).scatter_(0, order, rising)


def _undone(
    expression: Expression, unknown: str, x: Tensor, values: Mapping[str, Tensor]
) -> Tensor:
    """The u with f(u) = x, for each branch of x: shape (branches, batch)."""

    def known(part: Expression) -> Tensor:
        return torch.as_tensor(evaluate(part, values, TORCH), dtype=torch.float64, device=x.device)

    def inner(part: Expression, y: Tensor) -> Tensor:
        return _undone(part, unknown, y, values)

    if degree(expression, unknown) in (1, 2):
        return quadratic_roots(coefficients(expression, unknown, known), x)
    match expression:
        case Unary(_, part):
            return inner(part, -x)
        case Call("where", (condition, yes, no)):
            return _either(known(condition) != 0, inner(yes, x), inner(no, x))
        case Call(function, (part,)):
            return inner(part, _UNDONE[function](x))
        case Binary("**", part, exponent):
            return inner(part, _power_roots(x, _number(exponent) or 1.0))
        case _ if (alike := _repeated(expression, unknown)) is not None:
            rest = replaced(expression, alike, Name(PART))
            return inner(alike, _undone(rest, PART, x, values))
        case Binary("/", left, right) if unknown in names_of(left) & names_of(right):
            above, below = (coefficients(each, unknown, known) for each in (left, right))
            return quadratic_roots([a - x * b for a, b in zip(above, below, strict=True)], 0 * x)
        case Binary(operator, left, right) if unknown in names_of(left):
            return inner(left, _LEFT[operator](x, known(right)))
        case Binary(operator, left, right):
            return inner(right, _RIGHT[operator](x, known(left)))
        case _:
            raise AssertionError(expression)


def _either(condition: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """Branches chosen by row; the shorter ones filled up with none."""
    most = max(len(a), len(b))
    filled = [torch.cat([c, c.new_full((most - len(c), c.shape[1]), torch.nan)]) for c in (a, b)]
    return torch.where(condition, filled[0], filled[1])


_LEFT: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "+": lambda x, a: x - a,
    "-": lambda x, a: x + a,
    "*": lambda x, a: x / torch.where(a == 0, torch.nan, a),
    "/": lambda x, a: x * torch.where(a.isfinite(), a, torch.nan),
}
"""g from x = g o a."""
_RIGHT: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "+": lambda x, a: x - a,
    "-": lambda x, a: a - x,
    "*": _LEFT["*"],
    "/": lambda x, a: torch.where(a == 0, torch.nan, a) / x,
}
"""g from x = a o g."""
_UNDONE: Mapping[str, Callable[[Tensor], Tensor]] = {
    "exp": torch.log,
    "log": torch.exp,
    "sqrt": lambda x: torch.where(x >= 0, x**2, torch.nan),
    "tanh": torch.atanh,
    "sigmoid": torch.logit,
    "logit": torch.sigmoid,
    "abs": lambda x: torch.cat([torch.where(x >= 0, x, torch.nan), -x.abs()]),
}
"""g from x = function(g)."""


def _number(term: Expression) -> float | None:
    match term:
        case Number(value):
            return float(value)
        case Unary("negate", Number(value)):
            return -float(value)
        case _:
            return None


def _power_roots(x: Tensor, n: float) -> Tensor:
    """The g with g^n = x."""
    if n != int(n):
        return torch.where(x >= 0, x ** (1 / n), torch.nan)
    size = x.abs() ** (1 / n)
    if int(n) % 2:
        return size.copysign(x)
    size = torch.where(x >= 0, size, torch.nan)
    return torch.cat([size, -size])
