"""Simplify: products, sums and ratios in normal form, by laws that hold for every distribution.

`product_of`, `sum_of`, `ratio_of` and `weighted_of` take formulas in normal form and return one;
`simplify` rebuilds a formula with them from its leaves. The laws (f any formula, capitals sets of
variables):

    unit          f * 1 = f,  f * 0 = 0,  f / 1 = f,  f / f = 1,  0 / f = 0,  f + 0 = f,  f - f = 0
    flat          products within products, ratios of ratios and sums of sums are opened
    chain         P(A | B, C) P(B | C) = P(A, B | C)
    condition     P(A, B | C) / P(B | C) = P(A | B, C)
    cancel        common factors leave a ratio
    marginal      sum_A P(A, B | C) = P(B | C), where A occurs nowhere else
    constant      sum_A f g = f sum_A g, where A is not free in f
    split         sum_{A, B} f(A) g(B) = sum_A f(A) sum_B g(B)
    inward        sum_A (f / g) = (sum_A f) / g, where A is not free in g

All are exact where the probabilities divided by are positive. They suppose one joint distribution:
they make P(x, y) of P(y | x) P(x), which nobody has where the two are known each by itself.
`plain_product`, `plain_sum` and `plain_ratio` leave formulas of several sources as they are.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from typing import TypeAlias

from causalflow.symbolic.expression import (
    ONE,
    ZERO,
    Chosen,
    Event,
    Expression,
    Index,
    Linear,
    One,
    Probability,
    Product,
    Ratio,
    Sum,
    Weighted,
    Zero,
)

__all__ = [
    "factors_of",
    "plain_product",
    "plain_ratio",
    "plain_sum",
    "product_of",
    "ratio_of",
    "simplify",
    "sum_of",
    "weighted_of",
]

_Events: TypeAlias = tuple[frozenset[Event], frozenset[Event]]


def simplify(expression: Expression) -> Expression:
    """The formula in normal form."""
    match expression:
        case Sum():
            return sum_of(expression.over, simplify(expression.body))
        case Product():
            return product_of(map(simplify, expression.factors))
        case Ratio():
            return ratio_of(simplify(expression.numerator), simplify(expression.denominator))
        case Probability(outcomes=()):
            return ONE
        case Weighted():
            return Weighted(tuple((c, simplify(term)) for c, term in expression.terms))
        case Probability() | Chosen() | Linear() | One() | Zero():
            return expression


def factors_of(expression: Expression) -> tuple[Expression, ...]:
    """The factors of a product; a formula that is none is its own only factor, and 1 has none."""
    match expression:
        case Product():
            return expression.factors
        case One():
            return ()
        case _:
            return (expression,)


def product_of(factors: Iterable[Expression]) -> Expression:
    """The product: laws of unit, flat, chain and cancel."""
    flat = [each for factor in factors for each in factors_of(factor)]
    if len(flat) < 2:
        return _product(flat)
    if ZERO in flat:
        return ZERO
    ratios = [each for each in flat if isinstance(each, Ratio)]
    if ratios and (reduced := _cancelled(flat, ratios)) is not None:
        return reduced
    return _product(_chained(flat))


def _product(factors: Sequence[Expression]) -> Expression:
    if len(factors) < 2:
        return factors[0] if factors else ONE
    return Product(tuple(factors))


def _cancelled(flat: Sequence[Expression], ratios: Sequence[Ratio]) -> Expression | None:
    """The product as one ratio, if a denominator of one factor is met in another; else None."""
    plain = [each for each in flat if not isinstance(each, Ratio)]
    above = Counter([*plain, *(each for ratio in ratios for each in factors_of(ratio.numerator))])
    below = Counter(each for ratio in ratios for each in factors_of(ratio.denominator))
    common = above & below
    if not common:
        return None
    numerator, denominator = above - common, below - common
    return ratio_of(product_of(numerator.elements()), product_of(denominator.elements()))


def _chained(factors: Sequence[Expression]) -> list[Expression]:
    """Law of the chain: what P(A | B) is conditioned on is met by the whole of another factor."""
    rest = [each for each in factors if not isinstance(each, Probability)]
    left = [each for each in factors if isinstance(each, Probability)]
    if len(left) < 2:
        return [*factors]
    left.sort(key=lambda term: len(term.given))
    conditions = {len(term.given) for term in left} - {0}
    parts: dict[_Events, list[Probability]] = defaultdict(list)
    for term in left:
        if _size(term) in conditions:
            parts[_whole(term)].append(term)
    if not parts:
        return [*factors]
    return [*_joined(left, parts, conditions), *rest]


def _joined(
    left: list[Probability], parts: dict[_Events, list[Probability]], conditions: set[int]
) -> Iterator[Probability]:
    """The terms, most conditions first, each with the part that meets its conditions taken in.

    Args:
        left: terms, fewest conditions first.
        parts: those of them that have as many events as another has conditions, by their events.
        conditions: how many conditions the terms have.
    """
    while left:
        term = left.pop()
        if _size(term) in conditions and not _take(parts[_whole(term)], term):
            continue  # another has taken it in
        found = parts.get((frozenset(term.given), frozenset(term.do))) if term.given else None
        if not found:
            yield term
            continue
        part = found.pop()
        joined = Probability(term.outcomes + part.outcomes, part.given, term.do)
        if _size(joined) in conditions:
            parts[_whole(joined)].append(joined)
        left.append(joined)


def _take(terms: list[Probability], term: Probability) -> bool:
    at = next((place for place, each in enumerate(terms) if each is term), None)
    if at is not None:
        del terms[at]
    return at is not None


def _size(term: Probability) -> int:
    return len(term.outcomes) + len(term.given)


def _whole(term: Probability) -> _Events:
    return frozenset(term.outcomes + term.given), frozenset(term.do)


def ratio_of(numerator: Expression, denominator: Expression) -> Expression:
    """The quotient: laws of unit, flat, cancel and condition."""
    if isinstance(numerator, Zero) or isinstance(denominator, One):
        return numerator
    if numerator == denominator:
        return ONE
    above, below = [*factors_of(numerator)], [*factors_of(denominator)]
    if any(isinstance(each, Ratio) for each in (*above, *below)):
        return ratio_of(*_opened(above, below))
    common = Counter(above) & Counter(below)
    above, below = ([*(Counter(side) - common).elements()] for side in (above, below))
    above, below = _conditioned(above, below)
    if not below:
        return product_of(above)
    return Ratio(product_of(above), product_of(below))


def _opened(
    above: Sequence[Expression], below: Sequence[Expression]
) -> tuple[Expression, Expression]:
    """(a/b) / (c/d) = (a d) / (b c)."""
    over = [f.numerator if isinstance(f, Ratio) else f for f in above]
    under = [f.numerator if isinstance(f, Ratio) else f for f in below]
    over += [f.denominator for f in below if isinstance(f, Ratio)]
    under += [f.denominator for f in above if isinstance(f, Ratio)]
    return product_of(over), product_of(under)


def _conditioned(
    above: list[Expression], below: list[Expression]
) -> tuple[list[Expression], list[Expression]]:
    """Law of the condition, for each probability below that has its joint above."""
    left = []
    for part in below:
        at = next((i for i, joint in enumerate(above) if _is_joint_of(joint, part)), None)
        if at is None:
            left.append(part)
            continue
        joint = above[at]
        assert isinstance(joint, Probability)
        assert isinstance(part, Probability)
        rest = tuple(event for event in joint.outcomes if event not in part.outcomes)
        above[at] = Probability(rest, joint.given + part.outcomes, joint.do)
    return above, left


def _is_joint_of(joint: Expression, part: Expression) -> bool:
    return (
        isinstance(joint, Probability)
        and isinstance(part, Probability)
        and (joint.given, joint.do) == (part.given, part.do)
        and set(part.outcomes) < set(joint.outcomes)
    )


def sum_of(over: Iterable[Index], body: Expression) -> Expression:
    """The sum over indices: laws of marginal, constant, split, inward and flat."""
    left = set(over)
    if not left or isinstance(body, Zero):
        return body
    factors = [*factors_of(body)]
    while summed := _absorbed(left, factors):
        left -= summed
        factors = [*factors_of(product_of(factors))]
    if not left:
        return product_of(factors)
    outside = [factor for factor in factors if left.isdisjoint(factor.free)]
    inside = [factor for factor in factors if not left.isdisjoint(factor.free)]
    idle = left - frozenset().union(*(factor.free for factor in inside))
    sums = [_one_sum(group, left) for group in _components(inside, left)]
    if idle:
        sums.append(Sum(tuple(idle), ONE))
    return product_of([*outside, *sums])


def _absorbed(left: set[Index], factors: list[Expression]) -> set[Index]:
    """Sum out, in place, the indices that meet a single factor; which ones."""
    met: set[Index] = set()
    again: set[Index] = set()
    for factor in factors:
        again |= met & factor.free
        met |= factor.free
    once = (left & met) - again
    summed = set()
    for position, factor in enumerate(factors):
        for index in sorted(once & factor.free):
            reduced = _summed(index, factors[position])
            if reduced is not None:
                factors[position] = reduced
                summed.add(index)
    return summed


def _summed(index: Index, factor: Expression) -> Expression | None:
    """The sum over one index of one factor, if it is simpler than that."""
    match factor:
        case Probability():
            at = [event for event in factor.events if event.value == index]
            if len(at) > 1 or at[0] not in factor.outcomes:
                return None
            rest = tuple(event for event in factor.outcomes if event != at[0])
            return Probability.of(rest, factor.given, factor.do) if rest else ONE
        case Ratio() if index not in factor.denominator.free:
            return ratio_of(sum_of((index,), factor.numerator), factor.denominator)
        case Sum() if index not in factor.over:
            return sum_of((*factor.over, index), factor.body)
        case _:
            return None


def _components(
    factors: Sequence[Expression], left: set[Index]
) -> list[tuple[list[Expression], set[Index]]]:
    """Factors grouped by the summed indices that they share."""
    if any(left <= factor.free for factor in factors):
        return [([*factors], left)]
    groups: list[tuple[list[Expression], set[Index]]] = []
    for factor in factors:
        shared = left & factor.free
        met = [at for at, (_, indices) in enumerate(groups) if not indices.isdisjoint(shared)]
        home = groups[met[0]] if met else ([], set())
        if not met:
            groups.append(home)
        for at in reversed(met[1:]):
            others, indices = groups.pop(at)
            home[0].extend(others)
            home[1].update(indices)
        home[0].append(factor)
        home[1].update(shared)
    return groups


def _one_sum(group: tuple[list[Expression], set[Index]], left: set[Index]) -> Expression:
    factors, over = group
    body = _product(factors)
    if isinstance(body, Sum) and over.isdisjoint(body.over):
        return Sum((*over, *body.over), body.body)
    return Sum(tuple(over), body)


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
