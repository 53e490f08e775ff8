"""Evaluation: a fitted model, asked for counterfactuals of pictures, and judged.

    subject -> judges, worlds -> measures

The model is asked in public units; judges and measures see bright pictures
(`causalflow.evaluation.outcomes`).
`evaluate` measures; `causalflow.evaluation.page` and `causalflow.evaluation.page` show what it
found.

Foundation: what the numbers of an evaluation rest on.

pictures    whether the model was fitted to the pictures that it is measured on, by the digests
that it keeps of its rows; never claimed where they are not kept
outside     what the rows or the interventions give it outside of the ranges it was fitted to
"""

from __future__ import annotations

import platform
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from causalflow.errors import CausalflowWarning, SupportWarning
from causalflow.evaluation.actions import Action
from causalflow.evaluation.judges import Judge, fitted_judges
from causalflow.evaluation.measures import DEFINITIONS, Bench, Measure, measured, score_record
from causalflow.evaluation.outcomes import (
    Settings,
    Worlds,
    asked_worlds,
    bright_subject,
    bright_worlds,
)
from causalflow.evaluation.score import Score
from causalflow.evaluation.task import Columns, Subject, image_node
from causalflow.graph.graph import Graph
from causalflow.model.model import Model
from causalflow.model.support import Watch

__all__ = ["Evaluation", "evaluate", "foundation"]


def foundation(model: Model, subject: Subject, actions: Sequence[Action]) -> tuple[str, ...]:
    """One sentence on the pictures, and one on each column that is outside; warns of both.

    Args:
        model: fitted.
        subject: its rows as they are kept, not brightened.
        actions: what is done to every row.
    """
    return (_pictures(model, subject), *_outside(model, subject, actions))


def _pictures(model: Model, subject: Subject) -> str:
    name, n = image_node(model.graph), len(subject)
    kept = model.experience.pictures.get(name)
    if kept is None:
        return f"whether the model was fitted to any of these {n:,} pictures is not known"
    known = kept.known(subject.rows[name])
    if known:
        least = "" if kept.whole else "at least "
        are = "is" if known == 1 else "are"
        said = (
            f"{least}{known:,} of the {n:,} pictures {are} among those the model was fitted to: "
            "the numbers say less of new ones"
        )
        warnings.warn(f"evaluate: {said}", CausalflowWarning, stacklevel=4)
        return said
    if kept.whole:
        return f"none of the {n:,} pictures is among the {kept.rows:,} the model was fitted to"
    return (
        f"none of the {n:,} pictures is among the {kept.kept:,} that are known of the "
        f"{kept.rows:,} the model was fitted to"
    )


def _outside(model: Model, subject: Subject, actions: Sequence[Action]) -> tuple[str, ...]:
    watch, every = Watch(scm=model.scm, experience=model.experience), frozenset(model.scm.order)
    watch.evidence(subject.rows, every)
    for action in actions:
        for name, values in action.values.items():
            watch.setting(name, values, every - action.values.keys())
    if watch.warning:
        warnings.warn(f"evaluate: {watch.warning}", SupportWarning, stacklevel=4)
    return watch.sentences


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
            (`causalflow.evaluation.evaluation`).
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
