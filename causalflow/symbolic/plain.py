"""Plain: products, sums and ratios left as they are, for formulas made of several sources.

The laws of `causalflow.symbolic.simplify` suppose one joint distribution: they make P(x, y) of
P(y | x) P(x), which nobody has where the two are known each by itself.
"""

from __future__ import annotations

from collections.abc import Iterable

from causalflow.symbolic.expression import ONE, ZERO, Expression, Index, Product, Ratio, Sum
from causalflow.symbolic.simplify import factors_of

__all__ = ["plain_product", "plain_ratio", "plain_sum"]


def plain_product(factors: Iterable[Expression]) -> Expression:
    """The product; 1 of none, 0 where a factor is."""
    flat = [each for factor in factors for each in factors_of(factor)]
    if ZERO in flat:
        return ZERO
    if len(flat) < 2:
        return flat[0] if flat else ONE
    return Product(tuple(flat))


def plain_sum(over: Iterable[Index], body: Expression) -> Expression:
    """The sum over indices that are free in the body."""
    left = tuple(index for index in over if index in body.free)
    if not left:
        return body
    return Sum((*left, *body.over), body.body) if isinstance(body, Sum) else Sum(left, body)


def plain_ratio(numerator: Expression, denominator: Expression) -> Expression:
    """The quotient; 1 of equal formulas."""
    if numerator == denominator:
        return ONE
    return numerator if denominator == ONE else Ratio(numerator, denominator)
