"""Evaluation: a fitted model, asked for counterfactuals of pictures, and judged.

    subject -> judges, worlds -> measures

The model is asked in public units; judges and measures see bright pictures
(`causalflow.report.pictures`).
`evaluate` measures; `causalflow.report.table` and `causalflow.report.page` show what it found.
"""

from __future__ import annotations

import platform
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from causalflow.errors import SupportWarning
from causalflow.graph.graph import Graph
from causalflow.metrics.score import Score
from causalflow.model.model import Model
from causalflow.report.actions import Action
from causalflow.report.definitions import DEFINITIONS
from causalflow.report.foundation import foundation
from causalflow.report.judges import Judge, fitted_judges
from causalflow.report.measure import Measure, score_record
from causalflow.report.measures import Bench, measured
from causalflow.report.pictures import bright_subject, bright_worlds
from causalflow.report.subject import Columns, Subject
from causalflow.report.worlds import Settings, Worlds, asked_worlds

__all__ = ["Evaluation", "evaluate"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Evaluation:
    """What an evaluation found.

    Attributes:
        model: its name, for the reader.
        graph: the model's.
        subject: what it was measured on, its pictures bright.
        judges: by node.
        floors: how well each judge reads real pictures it has not seen.
        settings: how the model was asked.
        measures: the numbers.
        worlds: what was measured, their pictures bright.
        truths: query -> the true counterfactuals, where the data know them.
        notes: what could not be measured, and why.
        rests_on: whether the model was fitted to the pictures, and what is outside of its ranges
            (`causalflow.report.foundation`).
        device: where the model ran.
        seconds: that it took.
    """

    model: str
    graph: Graph
    subject: Subject
    judges: dict[str, Judge]
    floors: dict[str, Score]
    settings: Settings
    measures: Sequence[Measure]
    worlds: Worlds
    truths: dict[str, Columns]
    notes: Sequence[str]
    rests_on: Sequence[str]
    device: str
    seconds: float

    def record(self) -> dict[str, Any]:
        """The numbers as JSON has them; of pictures nothing."""
        names = dict.fromkeys(each.name for each in self.measures)
        return {
            "model": self.model,
            "graph": self.graph.name,
            "data": self.subject.name,
            "split": self.subject.split,
            "images": len(self.subject),
            "seed": self.settings.seed,
            "steps": self.settings.steps,
            "guidance": self.settings.guidance,
            "device": self.device,
            "torch": torch.__version__,
            "machine": platform.machine(),
            "seconds": self.seconds,
            "judges": [self._judge(name) for name in self.judges],
            "measures": [each.record() for each in self.measures],
            "definitions": {name: DEFINITIONS[name] for name in names},
            "notes": list(self.notes),
            "rests_on": list(self.rests_on),
        }

    def _judge(self, name: str) -> dict[str, Any]:
        judge, floor = self.judges[name], self.floors.get(name)
        read = None if floor is None else score_record(floor)
        return {"node": name, "how": judge.how, "unit": judge.unit, "real_images": read}


def evaluate(
    model: Model,
    subject: Subject,
    actions: Sequence[Action],
    settings: Settings | None = None,
    *,
    name: str = "model",
    judge_epochs: int = 4,
) -> Evaluation:
    """Measure a model.

    Args:
        model: fitted, with one image node.
        subject: rows to measure on, best such that it was not fitted to, and real pictures for
            the judges.
        actions: what is done to every row.
        settings: how the model is asked.
        name: of the model, for the reader.
        judge_epochs: passes of the judges over their pictures.

    Raises:
        DataError: pictures that no judge can learn from.
        EvidenceError: an action that the model cannot take, or rows that it finds impossible.
    """
    chosen, start, device = settings or Settings(), time.monotonic(), str(model.device)
    rests_on = foundation(model, subject, actions)
    seen = bright_subject(model.graph, subject)
    judges = fitted_judges(
        model.graph,
        seen,
        epochs=judge_epochs,
        seed=chosen.seed,
        device=device,
        progress=chosen.progress,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SupportWarning)  # told of all rows at once, above
        worlds = bright_worlds(model.graph, asked_worlds(model, subject, actions, chosen))
    bench = Bench(graph=model.graph, subject=seen, judges=judges)
    found = measured(bench, worlds)
    floors = {node: floor for node in judges if (floor := bench.floor(node)) is not None}
    return Evaluation(
        model=name,
        graph=model.graph,
        subject=seen,
        judges=judges,
        floors=floors,
        settings=chosen,
        measures=tuple(found),
        worlds=worlds,
        truths={query: truth for query, truth in bench.truths.items() if truth},
        notes=tuple(bench.notes),
        rests_on=rests_on,
        device=device,
        seconds=time.monotonic() - start,
    )
