"""Bench: all that a metric may look at, and the `Measure`, one number that it finds there.

A `Measure` is one number with its interval, and

    floor       the same reading on real pictures: what the judge, or the number of pictures, allows
    baseline    the same of pictures that are left as they are: what doing nothing would get
    difference  number less baseline, of the same pictures: its interval is the paired bootstrap's
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from causalflow.errors import CausalflowError, DataError
from causalflow.evaluation.judges import Judge
from causalflow.evaluation.outcomes import Outcome, Worlds
from causalflow.evaluation.score import Score
from causalflow.evaluation.task import Action, Columns, Subject, image_node
from causalflow.graph.graph import Graph

__all__ = ["COUNTED", "INTERVALS", "Bench", "Measure", "counted", "score_record"]

COUNTED = "calls"
INTERVALS = "an interval is over pictures alone: another fit, or other judges, may differ by more"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """A number that a metric gave for one intervention.

    Attributes:
        query: the intervention: "do(color)"; "do()" for none.
        name: the name of its metric.
        detail: what of: "digit, as in the world".
        score: the number, its 95 % interval, the count of images and the unit.
        floor: the number on real pictures, where that means something.
        baseline: the number for pictures left as they are, where that means something.
        difference: the number less the baseline, paired by picture.
    """

    query: str
    name: str
    score: Score
    detail: str = ""
    floor: Score | None = None
    baseline: Score | None = None
    difference: Score | None = None

    @property
    def title(self) -> str:
        """Name and detail."""
        return f"{self.name}: {self.detail}" if self.detail else self.name

    def record(self) -> dict[str, Any]:
        """The measure as JSON has it."""
        beside = {
            "floor": self.floor,
            "baseline": self.baseline,
            "difference": self.difference,
        }
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
        networks: name -> a network that the caller gave for a metric of their own.
        notes: what could not be measured, and why.
        factual: what each judge reads off the factual pictures.
        truths: query -> the true counterfactuals, empty where the data do not know them.
        unseen: which rows no judge has seen, bool, shape (n,); None: all.
        encoders: what metrics fitted to real pictures, once.
    """

    graph: Graph
    subject: Subject
    judges: Mapping[str, Judge]
    worlds: Worlds
    networks: Mapping[str, nn.Module] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    factual: dict[str, Tensor] = field(default_factory=dict)
    truths: dict[str, Columns] = field(default_factory=dict)
    unseen: Tensor | None = None
    encoders: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Read the factual pictures."""
        if not self.factual:
            reads = {name: judge.read(self.pictures) for name, judge in self.judges.items()}
            self.factual = reads

    def at(self, outcome: Outcome) -> Bench:
        """The bench of the rows that an outcome is of, in its order."""
        rows = outcome.rows
        if rows is None:
            return self
        subject = replace(self.subject, rows={n: c[rows] for n, c in self.subject.rows.items()})
        return replace(
            self,
            subject=subject,
            factual={name: read[rows] for name, read in self.factual.items()},
            unseen=None if self.unseen is None else self.unseen[rows],
        )

    def judged(self, outcome: Outcome) -> tuple[Bench, Outcome]:
        """The same of the rows alone that no judge has seen; of a bench `at` the outcome."""
        if self.unseen is None or bool(self.unseen.all()):
            return self, outcome
        chosen = self.unseen.nonzero()[:, 0]
        own = outcome.of(chosen)
        return replace(self, unseen=None).at(replace(own, rows=chosen)), own

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
        kept = self.worlds.kept
        return Outcome(
            action=Action(query="do()", values={}),
            world={**self.subject.rows, **({} if kept is None else {self.image: kept})},
            returned=None,
            calls=None,
            seconds=torch.zeros(0, dtype=torch.float64),
        )

    def network(self, name: str) -> nn.Module:
        """A network that the caller gave.

        Raises:
            CausalflowError: none of that name was given.
        """
        if name not in self.networks:
            raise CausalflowError(f"evaluate: a metric needs the network {name!r}; give networks=")
        return self.networks[name]

    def floor(self, name: str) -> Score | None:
        """How well a judge reads the real pictures, those that it has not seen."""
        read, wanted = self.factual[name], self.subject.rows[name]
        if self.unseen is not None:
            read, wanted = read[self.unseen], wanted[self.unseen]
        return self.judges[name].score(read, wanted) if len(read) else None

    @property
    def floors(self) -> dict[str, Score]:
        """How well each judge reads the real pictures; without those that can read none."""
        found = {name: self.floor(name) for name in self.judges}
        return {name: floor for name, floor in found.items() if floor is not None}

    def truth(self, outcome: Outcome) -> Columns | None:
        """The true counterfactuals of an action, where the data know them."""
        if outcome.truth is not None:
            return outcome.truth
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
