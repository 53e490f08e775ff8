"""Weighted: formulas added and subtracted, in normal form.

zero     f + 0 = f,  f - f = 0
flat     sums within sums are opened
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

from causalflow.symbolic.expression import ZERO, Expression, Weighted

__all__ = ["weighted_of"]


def weighted_of(parts: Iterable[tuple[int | Fraction, Expression]]) -> Expression:
    """The sum of formulas, each times its coefficient; what is added comes first.

    Example:
        >>> from causalflow.symbolic.expression import probability
        >>> one, other = probability("y"), probability("y", "x")
        >>> print(weighted_of([(-1, one), (1, other), (1, one)]))
        P(y | x)
    """
    scales: dict[Expression, Fraction] = {}
    for scale, part in parts:
        inner = part.terms if isinstance(part, Weighted) else ((Fraction(1), part),)
        for own, each in inner:
            scales[each] = scales.get(each, Fraction(0)) + scale * own
    left = [(scale, each) for each, scale in scales.items() if scale and each != ZERO]
    if not left:
        return ZERO
    if len(left) == 1 and left[0][0] == 1:
        return left[0][1]
    return Weighted(tuple(sorted(left, key=lambda term: term[0] < 0)))
