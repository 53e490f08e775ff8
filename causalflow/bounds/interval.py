"""Interval: the bounds of one question without free variables.

A question that is identifiable from a positive P(v) is a point. Any other becomes a ratio of
polynomials, with two extremes; what they mean depends on the districts they are about
(`causalflow.bounds.bounds` has the table of kinds).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, product
from typing import Literal, TypeAlias

import numpy as np

from causalflow.bounds.observation import Observation
from causalflow.bounds.polynomial import Polynomial, added, probability
from causalflow.bounds.polytope import InfeasibleError, Polytope, degree, polytope_of
from causalflow.bounds.response import Array, ResponseModel
from causalflow.errors import DataError, EvidenceError, QueryError
from causalflow.factors.table import Table
from causalflow.identify.identify import identify
from causalflow.query.cell import close, free_names
from causalflow.query.combination import AnyQuery, Combination, Part
from causalflow.query.means import counting_notes
from causalflow.query.query import Kind, Query, Term
from causalflow.values.finite import finite

__all__ = ["KINDS", "BoundsKind", "Interval", "Solver"]

BoundsKind: TypeAlias = Literal["point", "sharp", "outer", "optimised"]

KINDS: tuple[BoundsKind, ...] = ("point", "sharp", "outer", "optimised")

_POINT = 1e-9
SAMPLE = "the frequencies of the rows are taken for P(v); their sampling error is not included"
APART = "the parts are bounded each by itself: together they may vary less"
SEARCHED = "models attain both ends, but a search found them: the bounds may be wider"
SEARCHED_OUTER = "a search found both ends: they may be inside or outside of the bounds"


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """The bounds of a question without free variables."""

    low: float
    high: float
    kind: BoundsKind
    notes: tuple[str, ...] = ()


def combined_interval(question: Combination, parts: Mapping[Query, Interval]) -> Interval:
    """What the bounds of the parts leave a combination.

    Raises:
        QueryError: the divisor may be 0.
    """
    low, high = _sum(question.sum, parts)
    if question.divisor:
        least, most = _sum(question.divisor, parts)
        if least <= 0 <= most:
            raise QueryError(f"bounds: the divisor of {question} may be 0: there are no bounds")
        ends = [end / below for end in (low, high) for below in (least, most)]
        low, high = min(ends), max(ends)
    notes = [note for part in parts.values() for note in part.notes]
    kind = max((part.kind for part in parts.values()), key=KINDS.index)
    if kind != "point":
        kind = max(kind, "outer", key=KINDS.index)
        notes.append(APART)
    return Interval(low=low, high=high, kind=kind, notes=tuple(dict.fromkeys(notes)))


def _sum(scaled: Sequence[Part], parts: Mapping[Query, Interval]) -> tuple[float, float]:
    ends = [
        sorted((float(scale) * parts[query].low, float(scale) * parts[query].high))
        for scale, query in scaled
    ]
    return sum(low for low, _ in ends), sum(high for _, high in ends)


class Solver:
    """Answers questions about the same data.

    Args:
        data: the data of a graph.
        tolerance: how far (L1) from what some model has the data may be.
        seed: the seed of the search where a question is not linear.
    """

    def __init__(self, data: Observation, tolerance: float, seed: int) -> None:
        self._data = data
        self._tolerance = tolerance
        self._random = np.random.default_rng(seed)
        self._model = ResponseModel(
            admg=data.admg, joint=data.joint, unknown=data.unknown, is_blind=data.is_blind
        )
        is_whole = not (data.unknown or data.is_blind)
        self._positive = is_whole and bool(np.all(data.joint.values > 0))
        told = [
            equation
            for query, table in data.experiments
            for equation in _equations(self._model, query, table)
        ]
        self._experiments = [each for each in told if degree(each[0]) <= 1]
        self._left_out = [name for polynomial, _, name in told if degree(polynomial) > 1]
        self._checked = False

    @property
    def _told(self) -> list[tuple[Polynomial, float]]:
        """The equations of the experiments."""
        return [(polynomial, number) for polynomial, number, _ in self._experiments]

    def _check_experiments(self) -> None:
        """Refuse experiments that contradict P(v), whatever is asked; looked at once."""
        if self._experiments and not self._checked:
            self._possible(polytope_of(self._model, [], self._told))
        self._checked = True

    def interval(self, query: AnyQuery) -> Interval:
        """The bounds of a question whose terms have values (but the outcomes of an expectation).

        A sum of questions without conditions is one ratio; any other combination has the bounds
        that those of its parts leave it.

        Raises:
            DataError: no model of the graph has the data.
            EvidenceError: the condition has probability zero in every model.
        """
        self._check_experiments()
        if (point := self._identified(query)) is not None:
            return Interval(low=point, high=point, kind="point", notes=self._data_notes(query))
        if isinstance(query, Combination) and not query.is_plain_sum:
            return combined_interval(query, {part: self.interval(part) for part in query.parts})
        top, bottom = _ratio(self._model, query)
        polytope = polytope_of(self._model, [top, bottom], self._told)
        try:
            polytope, moved = self._possible(polytope)
            top, bottom = polytope.folded(top), polytope.folded(bottom)
            low, high = polytope.extremes(top, bottom, self._random)
        except ZeroDivisionError:
            given = ", ".join(map(str, getattr(query, "conditions", ())))
            raise EvidenceError(
                f"bounds: the condition has probability zero: P({given}) = 0"
            ) from None
        kind, notes = self._with_left_out(*_meaning(polytope, top, bottom))
        if isinstance(query, Query) and query.kind is Kind.PROBABILITY:
            low, high = (min(max(end, 0.0), 1.0) + 0.0 for end in (low, high))
        if high - low < _POINT and kind != "optimised":
            kind, notes = "point", ()
        return Interval(
            low=low, high=high, kind=kind, notes=(*self._data_notes(query), *moved, *notes)
        )

    def _possible(self, polytope: Polytope) -> tuple[Polytope, tuple[str, ...]]:
        """The polytope; for data that no model fits, that of the nearest distribution."""
        try:
            polytope.check()
        except InfeasibleError:
            nearest, moves = polytope.nearest()
        else:
            return polytope, ()
        distance = float(np.abs(moves).sum())
        if distance > self._tolerance:
            raise DataError(
                f"bounds: no model of the graph has these data: {self._contradiction(moves)}; the"
                f" nearest are {distance:.3g} away (L1), more than the tolerance"
                f" {self._tolerance:g}"
            )
        note = f"no model has the data exactly: the nearest are taken, {distance:.3g} away (L1)"
        return nearest, (note,)

    def _contradiction(self, moves: Array) -> str:
        """What contradicts the rest of the data most: a number of an experiment, or P(v)."""
        worst = int(np.abs(moves).argmax()) - (len(moves) - len(self._experiments))
        if not self._experiments:
            return "P(v) contradicts the graph"
        told = np.abs(moves[len(moves) - len(self._experiments) :])
        if worst < 0 and not told.any():
            return "P(v) contradicts the experiments or the graph"
        place = worst if worst >= 0 else int(told.argmax())
        _, number, name = self._experiments[place]
        model_has = number + moves[len(moves) - len(self._experiments) + place]
        return f"{name} = {number:.4g} contradicts the others, by which it is {model_has:.4g}"

    def _with_left_out(
        self, kind: BoundsKind, notes: tuple[str, ...]
    ) -> tuple[BoundsKind, tuple[str, ...]]:
        """What the extremes are where some numbers of experiments are not used."""
        if not self._left_out:
            return kind, notes
        first, *others = self._left_out
        more = f" and {len(others):,} more" if others else ""
        note = f"{first}{more} of the data multiply unknowns of several districts: not used"
        return max(kind, "outer", key=KINDS.index), (*notes, note)

    def _identified(self, query: AnyQuery) -> float | None:
        """The answer from P(v), if the graph determines it and nothing is divided by zero."""
        if not self._positive or isinstance(query, Combination):
            return None
        if query.kind is Kind.EXPECTATION:
            parts = [self._expected(query, term) for term in query.outcomes]
            numbers = zip(query.coefficients, parts, strict=True)
            found = [float(c) * part for c, part in numbers if part is not None]
            return sum(found) if len(found) == len(parts) else None
        form = query if query.is_counterfactual else query.interventional_form()
        try:
            verdict = identify(self._data.admg, form)
        except QueryError:
            return None
        return float(verdict.evaluate(self._data.joint).values) if verdict else None

    def _expected(self, query: Query, term: Term) -> float | None:
        """E[term | conditions], if identifiable."""
        single = replace(query, kind=Kind.PROBABILITY, outcomes=(term,), coefficients=())
        found = []
        for level, number in _numbers(self._model, term):
            event = replace(single, outcomes=(replace(term, value=level),))
            if (part := self._identified(event)) is None:
                return None
            found.append(number * part)
        return sum(found)

    def _data_notes(self, query: AnyQuery) -> tuple[str, ...]:
        notes = counting_notes(query, self._model.levels)
        if self._data.is_sample:
            notes.append(SAMPLE)
        if self._data.is_blind:
            notes.append("P(v) is not known: the bounds are those of the experiments alone")
        if self._data.unknown:
            notes.append(f"the data are conditional on {sorted(self._data.unknown)}")
        if self._data.hidden:
            notes.append(f"the hidden nodes {sorted(self._data.hidden)} may be of any kind")
        return tuple(notes)


def _ratio(model: ResponseModel, query: AnyQuery) -> tuple[Polynomial, Polynomial]:
    """The numerator and the denominator of the question."""
    if isinstance(query, Combination):
        total: Polynomial = {}
        for scale, part in query.sum:
            added(total, _ratio(model, part)[0], float(scale))
        return total, probability(model, ())
    bottom = probability(model, query.conditions)
    if query.kind is Kind.PROBABILITY:
        return probability(model, query.terms), bottom
    top: Polynomial = {}
    for coefficient, term in zip(query.coefficients, query.outcomes, strict=True):
        for level, number in _numbers(model, term):
            event = probability(model, (replace(term, value=level), *query.conditions))
            added(top, event, float(coefficient) * number)
    return top, bottom


def _numbers(model: ResponseModel, term: Term) -> Iterator[tuple[str | int, float]]:
    """The levels of an averaged variable and what they count as."""
    if term.value is not None:
        raise QueryError(f"bounds: '{term}' is an event; ask for its probability")
    levels = finite(model.levels[term.name])
    yield from zip(levels.levels, map(float, levels.numbers), strict=True)


def _equations(
    model: ResponseModel, query: Query, table: Table
) -> Iterator[tuple[Polynomial, float, str]]:
    """What an experiment's table says, an equation a cell, and the question that it answers."""
    axes = query.free_variables
    for cell in product(*(model.levels[name] for name in free_names(query))):
        closed = close(query, cell)
        number = table.at(dict(zip(axes, cell, strict=True))).values.item()
        yield probability(model, closed.terms), float(number), str(closed)


def _meaning(
    polytope: Polytope, top: Polynomial, bottom: Polynomial
) -> tuple[BoundsKind, tuple[str, ...]]:
    """What the extremes over a polytope are, and why."""
    shared, loose = [], []
    admg = polytope.model.admg
    for district in polytope.districts.values():
        pairs = map(frozenset, combinations(district.nodes, 2))
        if not admg.bidirected.issuperset(pairs):
            loose.append(
                f"hidden causes common to all of {sorted(district.nodes)} are allowed,"
                " more than the graph has"
            )
        elif len(district.nodes) > 2:
            shared.append(
                f"sharp if hidden causes may be common to all of {sorted(district.nodes)}"
            )
    notes = (*shared, *loose)
    if degree(top, bottom) > 1:
        return "optimised", (*notes, SEARCHED_OUTER if loose else SEARCHED)
    return ("outer" if loose else "sharp"), notes
