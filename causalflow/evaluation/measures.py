"""Measures: the numbers of an evaluation, and the metrics that give them.

A `Metric` reads one number, or several, off what a model answered to one intervention (an
`Outcome`), beside what it is to be compared with (a `Bench`). `METRICS` holds them by name, so that
an own one is declared once and then named in `cf.evaluate(..., metrics=[...])` and in
``causalflow evaluate --metrics``:

    @cf.register("metric", "sharpness")
    def sharpness(bench, outcome):
        return total_variation(outcome.world[bench.image])      # one value an image

A `Measure` is one number with its interval, and

    floor       the same reading on real pictures: what the judge, or the number of pictures, allows
    baseline    the same of pictures that are left as they are: what doing nothing would get
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import torch
from torch import Tensor

from causalflow.errors import DataError
from causalflow.evaluation.judges import Judge
from causalflow.evaluation.outcomes import Outcome, Worlds
from causalflow.evaluation.score import Score, mean_score, share_score
from causalflow.evaluation.task import Action, Columns, Subject, image_node
from causalflow.graph.graph import Graph
from causalflow.plugins import METRICS

__all__ = [
    "COUNTED",
    "INTERVALS",
    "METRICS",
    "STANDARD",
    "Bench",
    "Measure",
    "Metric",
    "counted",
    "measured",
    "metric",
    "score_record",
]

COUNTED = "calls"
INTERVALS = "an interval is over pictures alone: another fit, or other judges, may differ by more"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One measured number.

    Attributes:
        query: the intervention: "do(color)"; "do()" for none.
        name: the name of its metric.
        detail: what of: "digit, as in the world".
        score: the number, its 95 % interval, the count of images and the unit.
        floor: the number on real pictures, where that means something.
        baseline: the number for pictures left as they are, where that means something.
    """

    query: str
    name: str
    score: Score
    detail: str = ""
    floor: Score | None = None
    baseline: Score | None = None

    @property
    def title(self) -> str:
        """Name and detail."""
        return f"{self.name}: {self.detail}" if self.detail else self.name

    def record(self) -> dict[str, Any]:
        """The measure as JSON has it."""
        beside = {"floor": self.floor, "baseline": self.baseline}
        return {
            "query": self.query,
            "measure": self.name,
            "detail": self.detail,
            **score_record(self.score),
            **{name: score and score_record(score) for name, score in beside.items()},
        }


def counted(value: float, count: int) -> Score:
    """Network calls, a number that has no sampling error."""
    return Score(value=value, interval=(value, value), count=count, unit=COUNTED)


def score_record(score: Score) -> dict[str, Any]:
    """A score as JSON has it; an unbounded end of an interval is null."""
    return {
        "value": score.value,
        "interval_95": [end if math.isfinite(end) else None for end in score.interval],
        "images": score.count,
        "unit": score.unit,
    }


@dataclass(slots=True, kw_only=True, eq=False)
class Bench:
    """Everything that a metric may look at, the judges' readings made once.

    Attributes:
        graph: the model's.
        subject: the rows that are asked about.
        judges: the judges, by node.
        worlds: all that the model answered.
        notes: what could not be measured, and why.
        factual: what each judge reads off the factual pictures.
        truths: query -> the true counterfactuals, empty where the data do not know them.
    """

    graph: Graph
    subject: Subject
    judges: Mapping[str, Judge]
    worlds: Worlds
    notes: list[str] = field(default_factory=list)
    factual: dict[str, Tensor] = field(default_factory=dict)
    truths: dict[str, Columns] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Read the factual pictures."""
        self.factual = {name: judge.read(self.pictures) for name, judge in self.judges.items()}

    @property
    def image(self) -> str:
        """The image node."""
        return image_node(self.graph)

    @property
    def pictures(self) -> Tensor:
        """The factual pictures, bright: float in [0, 1] or uint8."""
        return self.subject.rows[self.image]

    @property
    def null(self) -> Outcome:
        """The null intervention, with the residual, as an outcome: "do()"."""
        return Outcome(
            action=Action(query="do()", values={}),
            world={**self.subject.rows, self.image: self.worlds.kept},
            returned=None,
            calls=0.0,
            seconds=torch.zeros(0, dtype=torch.float64),
        )

    def floor(self, name: str) -> Score | None:
        """How well a judge reads the real pictures."""
        return self.judges[name].score(self.factual[name], self.subject.rows[name])

    @property
    def floors(self) -> dict[str, Score]:
        """How well each judge reads the real pictures; without those that can read none."""
        found = {name: self.floor(name) for name in self.judges}
        return {name: floor for name, floor in found.items() if floor is not None}

    def truth(self, outcome: Outcome) -> Columns | None:
        """The true counterfactuals of an action, where the data know them."""
        query = outcome.action.query
        if query not in self.truths:
            self.truths[query] = {}
            if self.subject.truth is not None:
                rows = torch.arange(len(self.subject))
                try:
                    self.truths[query] = dict(self.subject.truth(rows, outcome.action.values))
                except DataError as mistake:
                    self.notes.append(f"{query}: {mistake}")
        return self.truths[query] or None

    def note(self, text: str) -> None:
        """Write down what could not be measured, once."""
        if text not in self.notes:
            self.notes.append(text)


Values: TypeAlias = "Tensor | Score | Iterable[Measure] | None"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Metric:
    """A way to measure what a model answered.

    Attributes:
        name: the metric's name in reports and in ``metrics=[...]``.
        unit: the unit of its values.
        definition: what it is, in a sentence or two, for the reader of a report.
        values: (bench, outcome) -> one value an image, shape (n,), of which the mean is reported
            (the share, of booleans); or a `Score`, or `Measure`s; None where there is nothing.
        null: whether it is of the null intervention, measured once, and not of each action.
    """

    name: str
    unit: str
    definition: str
    values: Callable[[Bench, Outcome], Values]
    null: bool = False

    def measures(self, bench: Bench, outcome: Outcome) -> Iterator[Measure]:
        """Its numbers for one intervention."""
        found = self.values(bench, outcome)
        if isinstance(found, Tensor):
            shares = found.dtype == torch.bool
            found = share_score(found) if shares else mean_score(found, self.unit)
        if isinstance(found, Score):
            found = [Measure(query=outcome.action.query, name=self.name, score=found)]
        yield from found or ()


STANDARD = METRICS.own
"""The package's own, in the order of a report."""


def metric(
    name: str, *, unit: str, definition: str, null: bool = False
) -> Callable[[Callable[[Bench, Outcome], Values]], Metric]:
    """Declare a function of a bench and an outcome as a metric of `METRICS`.

    Args:
        name: the name that it then has.
        unit: the unit of its values.
        definition: what it is, for the reader of a report.
        null: see `Metric`.

    Raises:
        CausalflowError: a metric of the package has that name.
    """

    def declared(values: Callable[[Bench, Outcome], Values]) -> Metric:
        given = Metric(name=name, unit=unit, definition=definition, values=values, null=null)
        return METRICS.add(name, given)

    return declared


def measured(bench: Bench, metrics: Sequence[str] | None = None) -> list[Measure]:
    """Every number, in the order of the report.

    Args:
        bench: what the model answered, and what it is held against.
        metrics: names in `METRICS`; None: `STANDARD`.

    Raises:
        CausalflowError: no such metric; the message lists those there are.
    """
    chosen = [METRICS.get(name) for name in (STANDARD if metrics is None else metrics)]
    found = [each for own in chosen if own.null for each in own.measures(bench, bench.null)]
    for outcome in bench.worlds.outcomes:
        found += [each for m in chosen if not m.null for each in m.measures(bench, outcome)]
    return found
