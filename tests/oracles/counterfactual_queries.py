"""Random counterfactual questions: several worlds, nested terms, conditions, literals and free."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from causalflow.query.query import Intervention, Kind, Query, Term, Value


def random_counterfactual(
    generator: np.random.Generator,
    names: Sequence[str],
    *,
    terms: int = 3,
    nesting: float = 0.2,
    literal: float = 0.4,
    levels: int = 2,
) -> Query:
    """One to ``terms`` terms, some of them conditions; names and values at random."""
    count = int(generator.integers(1, terms + 1))
    found: dict[Term, Term] = {}
    while len(found) < count:
        term = _term(generator, names, nesting, levels)
        value = int(generator.integers(levels)) if generator.random() < literal else None
        if value is None and not _fits(found, term):
            value = int(generator.integers(levels))
        found.setdefault(term, Term(name=term.name, subscript=term.subscript, value=value))
    asked = int(generator.integers(1, count + 1))
    each = tuple(found.values())
    return Query(kind=Kind.PROBABILITY, outcomes=each[:asked], conditions=each[asked:])


def _fits(found: dict[Term, Term], term: Term) -> bool:
    """At most two free terms, so that the answer stays small."""
    return sum(each.value is None for each in found.values()) < 2


def _term(
    generator: np.random.Generator, names: Sequence[str], nesting: float, levels: int
) -> Term:
    name, *others = (names[i] for i in generator.permutation(len(names)))
    count = int(generator.choice([0, 1, 2], p=[0.3, 0.45, 0.25]))
    world = []
    for other in others[:count]:
        value: Value | Term = int(generator.integers(levels))
        if generator.random() < nesting:
            rest = [n for n in names if n != other]
            inner = _term(generator, [other, *rest[:2]], nesting / 2, levels)
            value = Term(name=other, subscript=inner.subscript if inner.name == other else ())
        world.append(Intervention(variable=other, value=value))
    return Term(name=name, subscript=tuple(world))
