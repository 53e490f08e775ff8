"""Check: whether every line of a proof follows from the one before, whoever found it.

A line's formula is that of the line before, in which probabilities have given way to their equals.
Which equals, its reason says; variables stand at their own indices:

    sum over                  P(a | c, do(x)) = sum_b P(a, b | c, do(x))
    chain rule                P(a, b | c, do(x)) = P(a | c, do(x)) P(b | a, c, do(x)), any order
    conditional probability   P(a | b, do(x)) = P(a, b | do(x)) / P(b | do(x)), the divisor as it is
                              or as sum_a P(a, b | do(x))
    rule 1, 2, 3              as each use says, if its separation holds (`causalflow.proof.rules`)
    simplify                  both formulas have one normal form

Nothing here knows how identification works.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import TypeAlias

from causalflow.admg.admg import ADMG, Nodes
from causalflow.proof.proof import Line
from causalflow.proof.rules import Chance, Use, holds, use_of
from causalflow.symbolic.expression import (
    Expression,
    Index,
    Probability,
    Product,
    Ratio,
    Sum,
    natural,
)
from causalflow.symbolic.parts import rebuilt
from causalflow.symbolic.simplify import simplify

__all__ = ["faults"]

Equal: TypeAlias = Callable[[Probability, Expression], bool]
Factors: TypeAlias = tuple[Expression, ...]


def faults(admg: ADMG, asked: Chance, lines: Iterable[Line]) -> Iterator[str]:
    """What is wrong with the lines that are to lead on from a probability; nothing: a proof.

    Args:
        admg: the graph.
        asked: the probability that the first line equals.
        lines: the lines, every variable at its own index.

    Example:
        >>> graph = ADMG(("x", "y"), frozenset({("x", "y")}))
        >>> done, seen = Chance(frozenset("y"), do=frozenset("x")), Chance(frozenset("y"))
        >>> wrong = Line(formula=seen.formula, reason="rule 3", uses=(use_of(graph, done, seen),))
        >>> print(*faults(graph, done, [wrong]))
        line 1: rule 3: P(y | do(x)) = P(y), as y and x are separated when the edges into x are cut
    """
    before: Expression = asked.formula
    for number, line in enumerate(lines, 1):
        wrong = [str(use) for use in line.uses if not _is_sound(admg, use)]
        if not wrong and not _follows(before, line):
            wrong = [f"{line.formula} does not follow by {line.reason} from {before}"]
        yield from (f"line {number}: {each}" for each in wrong)
        before = line.formula


def _is_sound(admg: ADMG, use: Use) -> bool:
    """Whether a use is one of its rule, of one pair of probabilities, and holds."""
    one, other = use.before, use.after
    whole = one.outcomes | one.given | one.do | other.given | other.do
    apart = all(
        len(chance.outcomes) + len(chance.given) + len(chance.do)
        == len(chance.outcomes | chance.given | chance.do)
        for chance in (one, other)
    )
    is_one = one.outcomes == other.outcomes and whole <= admg.members and apart
    return is_one and use == use_of(admg, one, other) and _moves(use) and holds(admg, use)


def _moves(use: Use) -> bool:
    """Whether what moves does so as the rule says."""
    one, other, moved = use.before, use.after, use.moved
    seen, done = one.given ^ other.given, one.do ^ other.do
    match use.rule:
        case 1:
            return seen == moved and not done
        case 2:
            return seen == moved == done
        case _:
            return done == moved and not seen


def _follows(before: Expression, line: Line) -> bool:
    if line.uses:
        changes = {use.before.formula: use.after.formula for use in line.uses}
        return _replaced(before, changes) == line.formula
    if line.reason == "simplify":
        return simplify(before) == line.formula
    name = line.reason.split(" over ")[0]
    return name in _LAWS and _equal(before, line.formula, _LAWS[name])


def _replaced(node: Expression, changes: Mapping[Probability, Expression]) -> Expression:
    if isinstance(node, Probability):
        return changes.get(node, node)
    return rebuilt(node, partial(_replaced, changes=changes))


def _equal(before: Expression, after: Expression, law: Equal) -> bool:
    """Whether two formulas are one but for probabilities that a law makes equal."""
    match before, after:
        case Probability(), _:
            return before == after or law(before, after)
        case Sum(), Sum():
            return before.over == after.over and _equal(before.body, after.body, law)
        case Ratio(), Ratio():
            parts = (before.numerator, after.numerator), (before.denominator, after.denominator)
            return all(_equal(*pair, law) for pair in parts)
        case Product(), Product():
            return _all_equal(before.factors, after.factors, law)
        case _:
            return before == after


def _all_equal(before: Factors, after: Factors, law: Equal) -> bool:
    """The same for products, in which a probability may have become several factors."""
    kept = Counter(before) & Counter(after)
    changed, found = (tuple((Counter(side) - kept).elements()) for side in (before, after))
    return any(not left for left in _without_each(changed, found, law))


def _without_each(before: Factors, after: Factors, law: Equal) -> Iterator[Factors]:
    """What is left of factors when those that equal others are taken away, in every way."""
    if not before:
        yield after
        return
    first = before[0]
    lefts = [_without(after, at) for at, each in enumerate(after) if _equal(first, each, law)]
    if law is _is_chain and (whole := _chance(first)) is not None:
        lefts += _without_chain(whole, after)
    for left in lefts:
        yield from _without_each(before[1:], left, law)


def _without_chain(whole: Chance, after: Factors) -> Iterator[Factors]:
    """What is left of factors when a chain that equals a probability is taken away."""
    if not whole.outcomes:
        yield after
    for at, each in enumerate(map(_chance, after)):
        if each is not None and each.do == whole.do and each.outcomes <= whole.outcomes:
            rest = whole.outcomes - each.outcomes
            if each.given == whole.given | rest:
                yield from _without_chain(whole._replace(outcomes=rest), _without(after, at))


def _without(factors: Factors, place: int) -> Factors:
    return (*factors[:place], *factors[place + 1 :])


def _is_sum(one: Probability, other: Expression) -> bool:
    """P(a | c, do(x)) = sum_b P(a, b | c, do(x))."""
    if not isinstance(other, Sum):
        return False
    more, part, whole = Nodes(index.name for index in other.over), _chance(one), _chance(other.body)
    if part is None or whole is None or other.over != tuple(map(Index, sorted(more, key=natural))):
        return False
    is_new = more.isdisjoint(part.outcomes | part.given | part.do)
    return is_new and whole == Chance(part.outcomes | more, part.given, part.do)


def _is_chain(one: Probability, other: Expression) -> bool:
    """P(a, b | c, do(x)) = P(a | c, do(x)) P(b | a, c, do(x)), in any order."""
    whole = _chance(one)
    if whole is None or not isinstance(other, Product):
        return False
    return any(not left for left in _without_chain(whole, other.factors))


def _is_quotient(one: Probability, other: Expression) -> bool:
    """P(a | b, do(x)) = P(a, b | do(x)) / P(b | do(x)), or / sum_a P(a, b | do(x))."""
    part = _chance(one)
    if part is None or not isinstance(other, Ratio):
        return False
    joint = Chance(part.outcomes | part.given, Nodes(), part.do)
    below = Chance(part.given, Nodes(), part.do)
    divisors = [below.formula, Sum(tuple(map(Index, part.outcomes)), joint.formula)]
    return other.numerator == joint.formula and other.denominator in divisors


def _chance(node: Expression) -> Chance | None:
    """A probability in which every variable stands at its own index."""
    if not isinstance(node, Probability):
        return None
    sides = (node.outcomes, node.given, node.do)
    found = Chance(*(Nodes(event.name for event in side) for side in sides))
    return found if found.formula == node else None


_LAWS: Mapping[str, Equal] = {
    "sum": _is_sum,
    "chain rule": _is_chain,
    "conditional probability": _is_quotient,
}
