"""Plug-in: an identified answer from rows of data, with its sampling error.

The rows' relative frequencies stand for P(v). Where the formula conditions on a stratum that has no
rows, that stratum's law may be any, and the answer is an interval: from the smallest to the largest
value over all such laws. Its sampling error is found by drawing laws around those of the rows
(`causalflow.estimate.laws`), those of strata without rows unknown as before. With t an end of the
interval, t* the same of drawn laws, t~ that of their mean, an end moves out to the farther of

    the quantile of t*             few rows: the drawn law is the posterior of a weak prior
    t + the quantile of t* - t~    many strata of few rows each: the prior's pull cancels

where the answer is a probability or a mean it stays within its range.

Source: Manski (1990), Nonparametric bounds on treatment effects, for the interval; Efron &
Tibshirani (1993), chapter 13, for both quantiles.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from causalflow.display import html_of
from causalflow.errors import DataError
from causalflow.estimate.counts import Counts
from causalflow.estimate.empty_strata import form_of, range_of
from causalflow.estimate.laws import DRAW, Laws
from causalflow.estimate.linear_form import LinearForm
from causalflow.estimate.unknowns import Array, Unknowns
from causalflow.factors.table import Number, Table
from causalflow.graph.node import Level
from causalflow.limits import ESTIMATE_RESAMPLES
from causalflow.query.distributions import POSITIVITY
from causalflow.symbolic.evaluate import MAX_CELLS
from causalflow.symbolic.expression import Expression, Index
from causalflow.symbolic.substitute import without_shadows

__all__ = ["Answers", "Estimate", "check_sampling", "estimated", "unsettled"]

_AT_ONCE = 2**22
_EQUAL = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """An answer from rows: an estimate, or the interval that the supported strata leave.

    Attributes:
        table: the answer; None where it is an interval.
        bounds: the smallest and the largest answer over all laws of the strata without rows; both
            are ``table`` where it needs no such stratum.
        low: lower ends of the intervals, sampling error included.
        high: upper ends.
        confidence: how much of the drawn laws' answers lie within each interval.
        rows: how many rows were used.
        dropped: how many were left out, for a cell that is needed is missing.
        unsupported: the strata without rows that the answer depends on.
        assumptions: what the answer rests on beside the rows, one sentence each.
        warnings: the denominators of the formula that are zero there.
    """

    table: Table | None
    bounds: tuple[Table, Table]
    low: Table
    high: Table
    confidence: float
    rows: int
    dropped: int = 0
    unsupported: tuple[Mapping[str, Level], ...] = ()
    assumptions: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def kind(self) -> Literal["estimate", "interval"]:
        """Whether it is an estimate or an interval."""
        return "interval" if self.table is None else "estimate"

    @property
    def value(self) -> Number | None:
        """The number, where the query leaves no variable free and the rows give one."""
        return None if self.table is None or self.table.axes else self.table.values.item()

    @property
    def interval(self) -> tuple[Number, Number] | tuple[Table, Table]:
        """The lower and the upper end: two numbers where the query leaves no variable free."""
        if self.low.axes:
            return self.low, self.high
        return self.low.values.item(), self.high.values.item()

    def _repr_html_(self) -> str:
        return html_of(self)

    def __str__(self) -> str:
        left_out = f" ({self.dropped:,} more are incomplete)" if self.dropped else ""
        head = f"{self.rows:,} rows{left_out}, {self.confidence:.0%} intervals"
        notes = [f"warning: positivity fails: {each}" for each in self.warnings]
        if self.table is None:
            notes.append("each answer is an interval: what the strata with rows leave open")
        axes = ["  ".join(self.low.axes)] if self.low.axes else []
        ends = (each.values.flat for each in (*self.bounds, self.low, self.high))
        lines = [
            _cell(cell) + self._line(*numbers)
            for cell, *numbers in zip(self.low.cells(), *ends, strict=True)
        ]
        return "\n".join([head, *notes, *axes, *lines, *(f"note: {e}" for e in self.assumptions)])

    def _line(self, least: float, most: float, low: float, high: float) -> str:
        shown = f"{least:.6g}" if self.table is not None else f"{least:.6g} to {most:.6g}"
        return f"{shown} [{low:.6g}, {high:.6g}]"


def _cell(cell: tuple[Level, ...]) -> str:
    return "".join(f"{level}  " for level in cell)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """How the numbers of a formula become the axes of an answer.

    Attributes:
        axes: the answer's axes in order, each with the formula's index, as text, and its variable.
        constant: indices on which the answer does not depend -> the position taken.
        levels: the levels of every variable.
    """

    axes: tuple[tuple[str, str, str], ...]
    constant: Mapping[str, int]
    levels: Mapping[str, tuple[Level, ...]]

    @classmethod
    def of(
        cls,
        indices: Sequence[Index],
        names: Sequence[str],
        constant: Sequence[str],
        counts: Table,
    ) -> Answers:
        """The axes ``names`` of an answer, one for each index; others at their likeliest level."""
        likeliest = {
            index: int(counts.marginal(index.rstrip("'")).values.argmax()) for index in constant
        }
        return cls(
            axes=tuple((str(i), name, i.name) for i, name in zip(indices, names, strict=True)),
            constant=likeliest,
            levels=counts.levels,
        )

    def form(self, form: LinearForm) -> LinearForm:
        """The formula's values over the answer's axes, the draws' before them."""
        for index, place in self.constant.items():
            if index in form.axes:
                form = form.taken(index, place)
        indices = tuple(index for index, _, _ in self.axes)
        draws = form.constant.shape[form.axes.index(DRAW)]
        sizes = [draws, *(len(self.levels[name]) for _, _, name in self.axes)]
        return form.over((DRAW, *indices), sizes)

    def table(self, values: Array) -> Table:
        """The answer."""
        levels = {axis: self.levels[name] for _, axis, name in self.axes}
        return Table([axis for _, axis, _ in self.axes], values, levels)


def estimated(
    expression: Expression,
    counts: Counts,
    answers: Answers,
    *,
    resamples: int,
    confidence: float,
    generator: np.random.Generator | int | None,
    assumptions: Sequence[str] = (),
) -> Estimate:
    """The answer of a formula from counted rows, with its intervals.

    Raises:
        DataError: fewer than two resamples, a confidence outside (0, 1), or a formula that needs an
            experiment.
    """
    check_sampling(resamples, confidence, generator)
    random = np.random.default_rng(0 if generator is None else generator)
    plug = _PlugIn(expression, counts.table, answers)
    ends, form, unknowns = plug.ends(plug.shares)
    low, high = plug.widened(ends, resamples, (1 - confidence) / 2, random)
    bounds = (answers.table(ends[0][0]), answers.table(ends[1][0]))
    is_point = bool(np.all(ends[1] - ends[0] <= _EQUAL))
    strata = {} if is_point else plug.strata(form, unknowns)
    return Estimate(
        table=bounds[0] if is_point else None,
        bounds=(bounds[0], bounds[0]) if is_point else bounds,
        low=answers.table(low),
        high=answers.table(high),
        confidence=confidence,
        rows=counts.rows,
        dropped=counts.dropped,
        unsupported=tuple(each for found in strata.values() for each in found),
        assumptions=_assumptions(counts, assumptions, is_point),
        warnings=() if is_point else (*_sentences(strata), *unknowns.empty),
    )


def unsettled(expression: Expression, joint: Table, answers: Answers) -> tuple[str, ...]:
    """The denominators that are zero in a distribution and on which the answer depends."""
    plug = _PlugIn(expression, joint, answers)
    ends, form, unknowns = plug.ends(plug.shares)
    if np.all(ends[1] - ends[0] <= _EQUAL):
        return ()
    return (*_sentences(plug.strata(form, unknowns)), *unknowns.empty)


def _assumptions(counts: Counts, given: Sequence[str], is_point: bool) -> tuple[str, ...]:
    """What the answer rests on; an interval does not rest on positivity."""
    found = [each for each in given if is_point or each != POSITIVITY]
    if counts.occurring:
        names = ", ".join(f"'{name}'" for name in counts.occurring)
        found.append(f"of {names} no levels are known but those that occur in the rows")
    found += [counts.assumed] if counts.assumed else []
    found.append("the rows are drawn independently of one another")
    return tuple(found)


def check_sampling(resamples: object, confidence: object, generator: object) -> None:
    """Refuse options of the sampling error that are none.

    Raises:
        DataError: fewer than two resamples, a confidence outside (0, 1), or no generator.
    """
    whole = isinstance(resamples, int) and not isinstance(resamples, bool)
    if not whole or not 2 <= resamples <= ESTIMATE_RESAMPLES:  # type: ignore[operator]
        raise DataError(
            f"estimate: resamples={resamples!r}; expected a number from 2 to {ESTIMATE_RESAMPLES:,}"
        )
    if not (isinstance(confidence, float | int) and 0 < confidence < 1):
        raise DataError(
            f"estimate: confidence={confidence!r}; expected a share between 0 and 1, such as 0.95"
        )
    seeds = isinstance(generator, int) and generator >= 0
    if not (seeds or generator is None or isinstance(generator, np.random.Generator)):
        raise DataError(
            f"estimate: generator={generator!r}; expected a generator of numpy, or a seed"
        )


class _PlugIn:
    """A formula with the laws of counted rows put in."""

    def __init__(self, expression: Expression, counts: Table, answers: Answers) -> None:
        self._expression = without_shadows(expression)
        self._laws = Laws.of(self._expression, counts)
        self._answers = answers
        self._range = range_of(self._expression, self._laws)

    @property
    def families(self) -> list[tuple[frozenset[str], Any]]:
        """The families of laws, by their conditions."""
        return list(self._laws.families.items())

    @property
    def shares(self) -> dict[frozenset[str], Array]:
        """The relative frequencies, as one draw of the laws."""
        return {key: family.shares()[None] for key, family in self.families}

    def ends(
        self, numbers: Mapping[frozenset[str], Array]
    ) -> tuple[tuple[Array, Array], LinearForm, Unknowns]:
        """The smallest and largest answers of laws (draw, ...), and what they depend on."""
        form, unknowns = form_of(self._expression, self._laws, numbers)
        form = self._answers.form(form)
        return self._within(form.extremes(unknowns)), form, unknowns

    def _within(self, ends: tuple[Array, Array]) -> tuple[Array, Array]:
        return np.clip(ends[0], *self._range), np.clip(ends[1], *self._range)

    def widened(
        self,
        ends: tuple[Array, Array],
        resamples: int,
        tail: float,
        generator: np.random.Generator,
    ) -> tuple[Array, Array]:
        """The ends with the sampling error added."""
        middle, _, _ = self.ends({key: family.smooth()[None] for key, family in self.families})
        drawn = list(self._drawn(resamples, generator))
        spread = np.sqrt(self._laws.overlap)
        found = []
        for side, share, out in ((0, tail, np.minimum), (1, 1 - tail, np.maximum)):
            values = np.concatenate([each[side] for each in drawn])
            moved = spread * np.quantile(values - middle[side], share, axis=0)
            far = out(np.quantile(values, share, axis=0), ends[side][0] + moved)
            found.append(out(ends[side][0], far))
        return self._within((found[0], found[1]))

    def _drawn(
        self, resamples: int, generator: np.random.Generator
    ) -> Iterator[tuple[Array, Array]]:
        """The ends of drawn laws, some draws at a time."""
        step = max(1, _AT_ONCE // max(self._laws.cells + self._laws.width, 1))
        for start in range(0, resamples, step):
            count = min(step, resamples - start)
            laws = {key: family.drawn(count, generator) for key, family in self.families}
            yield self.ends(laws)[0]

    def strata(
        self, form: LinearForm, unknowns: Unknowns
    ) -> dict[tuple[str, ...], list[dict[str, Any]]]:
        """The strata without rows that the answer depends on."""
        columns = np.zeros(0, dtype=np.int64) if form.part is None else form.part.column
        return self._laws.strata(unknowns.sources(columns))


def _sentences(strata: Mapping[tuple[str, ...], Sequence[Mapping[str, Level]]]) -> Iterator[str]:
    """``P(x, z) is 0 at x=0, z=1``, for each set of conditions."""
    for given, found in strata.items():
        shown = [", ".join(f"{name}={at}" for name, at in each.items()) for each in found]
        more = [f"{len(shown) - MAX_CELLS} more"] if len(shown) > MAX_CELLS else []
        yield f"P({', '.join(given)}) is 0 at {'; '.join(shown[:MAX_CELLS] + more)}"
