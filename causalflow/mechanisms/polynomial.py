"""Polynomial: equations of degree 2 at most in their unknown, read off their form.

Notation: u the unknown; c0 + c1 u + c2 u^2 with coefficients that are known in each row.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor

from causalflow.graph.term import Binary, Expression, Name, Number, Unary, walk

__all__ = ["Polynomial", "coefficients", "degree", "names_of", "quadratic_roots"]

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
    """Those of 1, u and u^2 in a polynomial of degree 2 at most."""

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
