"""Measures: the numbers of an evaluation, from a model's worlds and the judges' readings.

Measure: one number of an evaluation, with what it has to be compared with.

floor       the same reading on real pictures: what the judge, or the number of pictures, allows
baseline    the same of pictures that are left as they are: what doing nothing would get

Definitions: what each number of a report is, in a sentence or two, for its reader.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from causalflow.errors import DataError
from causalflow.evaluation.axioms import amplification, composition, reversibility, true_error
from causalflow.evaluation.frechet import frechet_score
from causalflow.evaluation.judges import Judge
from causalflow.evaluation.outcomes import Outcome, Worlds
from causalflow.evaluation.readers import hit_rate, reading_error
from causalflow.evaluation.score import Score, mean_score
from causalflow.evaluation.task import Columns, Subject, image_node
from causalflow.graph.graph import Graph
from causalflow.graph.node import Class, Continuous

__all__ = [
    "COUNTED",
    "DEFINITIONS",
    "INTERVALS",
    "Bench",
    "Measure",
    "counted",
    "measured",
    "score_record",
]

COUNTED = "calls"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One measured number.

    Attributes:
        query: the intervention: "do(color)"; "do()" for none.
        name: what is measured: a key of `causalflow.evaluation.measures.DEFINITIONS`.
        detail: of what: "digit, as in the world".
        score: the number, its 95 % interval, the count of images and the unit.
        floor: on real pictures, where that means something.
        baseline: of pictures left as they are, where that means something.
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


FEWEST_FEATURES = 4


@dataclass(slots=True, kw_only=True, eq=False)
class Bench:
    """What the worlds are measured against, read once.

    Attributes:
        graph: the model's.
        subject: the rows.
        judges: by node.
        notes: what could not be measured, and why.
    """

    graph: Graph
    subject: Subject
    judges: Mapping[str, Judge]
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
        """The factual pictures."""
        return self.subject.rows[self.image]

    def floor(self, name: str) -> Score | None:
        """How well a judge reads the real pictures."""
        return self.judges[name].score(self.factual[name], self.subject.rows[name])

    def truth(self, outcome: Outcome) -> Columns | None:
        """The true counterfactuals of an action, where the data know them."""
        action = outcome.action
        if action.query not in self.truths:
            self.truths[action.query] = self._drawn(outcome) or {}
        return self.truths[action.query] or None

    def _drawn(self, outcome: Outcome) -> Columns | None:
        if self.subject.truth is None:
            return None
        try:
            found = self.subject.truth(torch.arange(len(self.subject)), outcome.action.values)
        except DataError as mistake:
            self.notes.append(f"{outcome.action.query}: {mistake}")
            return None
        return dict(found)

    def note(self, text: str) -> None:
        """Write down what could not be measured, once."""
        if text not in self.notes:
            self.notes.append(text)


def measured(bench: Bench, worlds: Worlds) -> list[Measure]:
    """Every number, in the order of the report."""
    found = list(_compositions(bench, worlds))
    for outcome in worlds.outcomes:
        found += _of_action(bench, outcome)
    return found


def _of_action(bench: Bench, outcome: Outcome) -> Iterator[Measure]:
    yield from _effects(bench, outcome)
    yield from _amplifications(bench, outcome)
    yield from _true_errors(bench, outcome)
    yield from _true_labels(bench, outcome)
    yield from _returned(bench, outcome)
    yield from _distances(bench, outcome)
    query, count = outcome.action.query, len(bench.subject)
    yield Measure(query=query, name="network calls", score=counted(outcome.calls, count))
    yield Measure(query=query, name="time", score=_time(outcome.seconds, count))


def _compositions(bench: Bench, worlds: Worlds) -> Iterator[Measure]:
    for residual, pictures in ((True, worlds.kept), (False, worlds.decoded)):
        with_ = "with residual" if residual else "without residual"
        score = composition(bench.pictures, pictures)
        yield Measure(query="do()", name="composition", detail=f"{with_}, 1 cycle", score=score)
        last, cycles = worlds.cycles[residual][-1], len(worlds.cycles[residual])
        score = composition(bench.pictures[: len(last)], last)
        detail = f"{with_}, {cycles} cycles"
        yield Measure(query="do()", name="composition", detail=detail, score=score)


def _effects(bench: Bench, outcome: Outcome) -> Iterator[Measure]:
    """What the judges read: as set, and as in the counterfactual world."""
    done = outcome.action.values
    for name, judge in sorted(bench.judges.items(), key=lambda item: item[0] not in done):
        wanted = outcome.world[name]
        read = judge.read(outcome.world[bench.image])
        score = judge.score(read, wanted)
        _note_unread(bench, outcome, judge, read)
        if score is None:
            continue
        yield Measure(
            query=outcome.action.query,
            name="effectiveness" if name in done else "kept",
            detail=f"{name}, as set" if name in done else f"{name}, as in the world",
            score=score,
            floor=bench.floor(name),
            baseline=judge.score(bench.factual[name], wanted),
        )


def _note_unread(bench: Bench, outcome: Outcome, judge: Judge, read: Tensor) -> None:
    if not judge.is_class and (missing := int((~read.isfinite()).sum())):
        query = outcome.action.query
        bench.note(f"{query}: no {judge.node} could be read off {missing} pictures; left out")


def _amplifications(bench: Bench, outcome: Outcome) -> Iterator[Measure]:
    """Attributes that nothing which is set can move."""
    moved = bench.graph.descendants(set(outcome.action.values))
    truth = bench.truth(outcome)
    for name, judge in bench.judges.items():
        if name in moved:
            continue
        read = judge.read(outcome.world[bench.image])
        reference = bench.factual[name] if truth is None else judge.read(truth[bench.image])
        wanted = bench.subject.rows[name]
        known = torch.ones(len(read), dtype=torch.bool)
        if not judge.is_class:
            known = read.isfinite() & reference.isfinite()
        if known.any():
            score = amplification(read[known], reference[known], wanted[known], judge.unit)
            query = outcome.action.query
            yield Measure(query=query, name="amplification", detail=name, score=score)


def _true_errors(bench: Bench, outcome: Outcome) -> Iterator[Measure]:
    truth = bench.truth(outcome)
    if truth is not None:
        yield Measure(
            query=outcome.action.query,
            name="true error",
            score=true_error(outcome.world[bench.image], truth[bench.image]),
            baseline=true_error(bench.pictures, truth[bench.image]),
        )


def _true_labels(bench: Bench, outcome: Outcome) -> Iterator[Measure]:
    """The labels below what is set."""
    truth, done = bench.truth(outcome), outcome.action.values
    moved = bench.graph.descendants(set(done)) - set(done)
    for name in bench.graph.admg.ordered(moved) if truth is not None else ():
        assert truth is not None
        node = bench.graph.nodes[name]
        if name not in truth or not isinstance(node, Class | Continuous):
            continue
        score, baseline = (
            _label_score(node, name, values, truth[name])
            for values in (outcome.world[name], bench.subject.rows[name])
        )
        query = outcome.action.query
        yield Measure(query=query, name="true label", detail=name, score=score, baseline=baseline)


def _label_score(node: Class | Continuous, name: str, values: Tensor, truth: Tensor) -> Score:
    if isinstance(node, Class):
        return hit_rate(values, truth)
    return reading_error(values.double(), truth.double(), node.unit or f"units of {name}")


def _returned(bench: Bench, outcome: Outcome) -> Iterator[Measure]:
    query = outcome.action.query
    if outcome.returned is None:
        bench.note(f"{query}: it cannot be undone: {outcome.refused}")
        return
    score = reversibility(bench.pictures, outcome.returned)
    yield Measure(query=query, name="reversibility", score=score)


def _distances(bench: Bench, outcome: Outcome) -> Iterator[Measure]:
    """The Fréchet distance to real pictures, in the features of the first classifier."""
    reference = bench.subject.reference[bench.image]
    judge = next((each for each in bench.judges.values() if each.classifier is not None), None)
    if judge is None or judge.classifier is None:
        bench.note("no Fréchet distance: no judge is a classifier with features of its own")
    elif min(len(bench.subject), len(reference)) < FEWEST_FEATURES:
        bench.note(f"no Fréchet distance: it takes at least {FEWEST_FEATURES} pictures")
    else:
        real = judge.classifier.features(reference)
        made, factual = (
            frechet_score(judge.classifier.features(pictures), real)
            for pictures in (outcome.world[bench.image], bench.pictures)
        )
        yield Measure(
            query=outcome.action.query,
            name="Fréchet distance",
            detail=f"features of the classifier of {judge.node}",
            score=made,
            floor=factual,
        )


def _time(seconds: Tensor, count: int) -> Score:
    score = mean_score(seconds, "seconds")
    return Score(value=score.value, interval=score.interval, count=count, unit=score.unit)


INTERVALS = "an interval is over pictures alone: another fit, or other judges, may differ by more"

DEFINITIONS: Mapping[str, str] = {
    "composition": "Mean distance per pixel between a picture and what the null intervention makes "
    "of it, 0 to 255 grey levels, 0 at best; over again for several cycles. The residual is what "
    "decoding misses of a picture, kept as part of its noise.",
    "reversibility": "Mean distance per pixel between a picture and the one that comes back when "
    "the intervention is undone, 0 to 255 grey levels, 0 at best.",
    "effectiveness": "What a judge reads off the counterfactual picture against what was set. "
    "Classes: share of pictures read as set, 0 to 1, 1 at best. Numbers: mean distance, in the "
    "node's unit, 0 at best.",
    "kept": "The same of the attributes that were not set, held against their values in the "
    "counterfactual world (off-diagonal effectiveness).",
    "amplification": "How much further from its value an attribute that the intervention leaves "
    "alone is read on the counterfactual picture than on the reference (the true counterfactual "
    "where it is known, else the factual picture); 0 at best.",
    "true error": "Mean distance per pixel to the true counterfactual picture, which the data set "
    "draws with the same noise, 0 to 255 grey levels, 0 at best.",
    "true label": "The label of the counterfactual world held against that of the true one: share "
    "that agrees, or mean distance in the node's unit. Where data cannot tell it, no model can "
    "be sure of it.",
    "Fréchet distance": "Squared Fréchet distance between counterfactual and real pictures in the "
    "last hidden layer of the judge that is named; no FID. Its floor is that of the factual "
    "pictures, as many of them.",
    "network calls": "Passes of a picture through the diffusion network: abduction and prediction.",
    "time": "Seconds of wall time a picture: abduction and prediction, in batches.",
}
"""By the name of the measure, in the order in which a report explains them."""
