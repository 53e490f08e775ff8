"""Metrics: what an evaluation measures, each a function of a bench and an outcome.

A `Metric` reads one number, or several, off what a model answered to one intervention (an
`Outcome`), beside what it is to be compared with (a `Bench`). Those that come with the package
follow, in the order of a report; `causalflow.plugins.METRICS` has them by name. An own one is
entered there, and then named in `cf.evaluate(..., metrics=[...])` and in
``causalflow evaluate --metrics``:

    @cf.register("metric", "sharpness")
    @metric(unit="grey levels", definition="Mean step between neighbouring pixels, 0 to 255.")
    def sharpness(bench, outcome):
        return total_variation(outcome.world[bench.image])      # one value an image

How each is defined is said to the reader of a report in its ``definition``; formulas and sources
stand in `causalflow.evaluation.axioms` and `causalflow.evaluation.frechet`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import torch
from torch import Tensor

from causalflow.errors import CausalflowError
from causalflow.evaluation import axioms
from causalflow.evaluation.bench import COUNTED, Bench, Measure, counted
from causalflow.evaluation.frechet import UNIT, frechet_score
from causalflow.evaluation.judges import Judge
from causalflow.evaluation.outcomes import Outcome
from causalflow.evaluation.readers import hit_rate, reading_error
from causalflow.evaluation.score import Score, mean_score, paired_score, share_score
from causalflow.graph.node import Node

__all__ = [
    "Metric",
    "amplification",
    "as_metric",
    "compared",
    "composition",
    "effectiveness",
    "frechet",
    "kept",
    "measured",
    "metric",
    "network_calls",
    "reversibility",
    "time",
    "true_error",
    "true_label",
]

FEWEST_FEATURES = 4


Values: TypeAlias = "Tensor | Score | Iterable[Measure] | None"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Metric:
    """A way to measure what a model answered.

    Attributes:
        name: the metric's name in reports; of an own one, that by which it is registered.
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


def metric(
    name: str = "", *, unit: str, definition: str, null: bool = False
) -> Callable[[Callable[[Bench, Outcome], Values]], Metric]:
    """The decorator that makes a `Metric` of a function of a bench and an outcome.

    Args:
        name: the metric's name; of an own one, `cf.register` gives it.
        unit: the unit of its values.
        definition: what it is, for the reader of a report.
        null: see `Metric`.
    """
    return lambda values: Metric(
        name=name, unit=unit, definition=definition, values=values, null=null
    )


def measured(bench: Bench, metrics: Sequence[Metric]) -> list[Measure]:
    """Every number, in the order of the report: those of the null intervention first.

    Args:
        bench: what the model answered, and what it is held against.
        metrics: the metrics, in that order.
    """
    found = [each for m in metrics if m.null for each in m.measures(bench, bench.null)]
    for outcome in bench.worlds.outcomes:
        own = bench.at(outcome)
        found += [each for m in metrics if not m.null for each in m.measures(own, outcome)]
    return found


def compared(query: str, name: str, values: Tensor, left: Tensor, unit: str) -> Measure:
    """The mean of one value a picture, beside that of the same pictures left as they are.

    Args:
        query: the intervention.
        name: the metric's name.
        values: what the counterfactuals have, shape (n,).
        left: what the factual pictures have in their stead, shape (n,).
        unit: the unit of both.
    """
    return Measure(
        query=query,
        name=name,
        score=mean_score(values, unit),
        baseline=mean_score(left, unit),
        difference=paired_score(values, left, unit),
    )


@metric(
    "composition",
    unit="grey levels",
    null=True,
    definition="Mean distance per pixel between a picture and what the null intervention makes "
    "of it, 0 to 255 grey levels, 0 at best; over again for several cycles. The residual is what "
    "decoding misses of a picture, kept as part of its noise.",
)
def composition(bench: Bench, outcome: Outcome) -> Iterator[Measure]:
    """The null intervention, once and over again, with the residual and without."""
    worlds = bench.worlds
    if worlds.kept is None:
        bench.note("composition is not measurable: no pictures under no intervention are given")
    elif worlds.decoded is None:
        score = axioms.composition(bench.pictures, worlds.kept)
        yield Measure(query=outcome.action.query, name="composition", detail="1 cycle", score=score)
    for residual, pictures in ((True, worlds.kept), (False, worlds.decoded)):
        if pictures is None or worlds.decoded is None:
            return
        cycles = worlds.cycles[residual]
        for made, times in ((pictures, "1 cycle"), (cycles[-1], f"{len(cycles)} cycles")):
            yield Measure(
                query=outcome.action.query,
                name="composition",
                detail=f"{'with' if residual else 'without'} residual, {times}",
                score=axioms.composition(bench.pictures[: len(made)], made),
            )


@metric(
    "effectiveness",
    unit="share, or the node's",
    definition="What a judge reads off the counterfactual picture against what was set. "
    "Classes: share of pictures read as set, 0 to 1, 1 at best. Numbers: mean distance, in the "
    "node's unit, 0 at best.",
)
def effectiveness(bench: Bench, outcome: Outcome) -> Iterator[Measure]:
    """What the judges read of what was set."""
    return _readings(bench, outcome, "effectiveness", "as set")


@metric(
    "kept",
    unit="share, or the node's",
    definition="The same of the attributes that were not set, held against their values in the "
    "counterfactual world (off-diagonal effectiveness).",
)
def kept(bench: Bench, outcome: Outcome) -> Iterator[Measure]:
    """What the judges read of all else."""
    return _readings(bench, outcome, "kept", "as in the world")


def _readings(bench: Bench, outcome: Outcome, kind: str, how: str) -> Iterator[Measure]:
    query, done = outcome.action.query, outcome.action.values
    bench, outcome = bench.judged(outcome)
    for name, judge in bench.judges.items():
        if (name in done) != (kind == "effectiveness") or not len(bench.subject):
            continue
        if name not in outcome.world:
            bench.note(f"{query}: {kind} of {name} is not measurable: its value there is not known")
            continue
        read, wanted = judge.read(outcome.world[bench.image]), outcome.world[name]
        if not judge.is_class and (missing := int((~read.isfinite()).sum())):
            bench.note(f"{query}: no {judge.node} could be read off {missing} pictures; left out")
        if (score := judge.score(read, wanted)) is not None:
            before = bench.factual[name]
            yield Measure(
                query=query,
                name=kind,
                detail=f"{name}, {how}",
                score=score,
                floor=bench.floor(name),
                baseline=judge.score(before, wanted),
                difference=_difference(judge, read, before, wanted),
            )


def _difference(judge: Judge, read: Tensor, before: Tensor, wanted: Tensor) -> Score | None:
    """How much better or worse the counterfactuals are read than the factual pictures."""
    values, left = judge.each(read, wanted), judge.each(before, wanted)
    known = values.isfinite() & left.isfinite()
    return paired_score(values[known], left[known], judge.unit) if known.any() else None


@metric(
    "amplification",
    unit="share, or the node's",
    definition="How much further from its value an attribute that the intervention leaves "
    "alone is read on the counterfactual picture than on the reference (the true counterfactual "
    "where it is known, else the factual picture); 0 at best.",
)
def amplification(bench: Bench, outcome: Outcome) -> Iterator[Measure]:
    """Attributes that nothing which is set can move."""
    bench, outcome = bench.judged(outcome)
    moved, truth = bench.graph.descendants(set(outcome.action.values)), bench.truth(outcome)
    for name, judge in bench.judges.items():
        if name in moved or not len(bench.subject):
            continue
        read, wanted = judge.read(outcome.world[bench.image]), bench.subject.rows[name]
        reference = bench.factual[name] if truth is None else judge.read(truth[bench.image])
        known = torch.ones(len(read), dtype=torch.bool)
        if not judge.is_class:
            known = read.isfinite() & reference.isfinite()
        if known.any():
            score = axioms.amplification(read[known], reference[known], wanted[known], judge.unit)
            yield Measure(
                query=outcome.action.query, name="amplification", detail=name, score=score
            )


@metric(
    "true error",
    unit="grey levels",
    definition="Mean distance per pixel to the true counterfactual picture, which the data set "
    "draws with the same noise, 0 to 255 grey levels, 0 at best.",
)
def true_error(bench: Bench, outcome: Outcome) -> Iterator[Measure]:
    """The pictures, and those left as they are, against the true ones."""
    if (truth := bench.truth(outcome)) is not None:
        made, left = (
            axioms.pixel_errors(pictures, truth[bench.image]).mean(1)
            for pictures in (outcome.world[bench.image], bench.pictures)
        )
        yield compared(outcome.action.query, "true error", made, left, axioms.UNIT)
    elif bench.subject.truth is None and outcome.rows is not None:
        bench.note(f"{outcome.action.query}: true error is not measurable: no true pictures given")


@metric(
    "true label",
    unit="share, or the node's",
    definition="The label of the counterfactual world held against that of the true one: share "
    "that agrees, or mean distance in the node's unit. Where data cannot tell it, no model can "
    "be sure of it.",
)
def true_label(bench: Bench, outcome: Outcome) -> Iterator[Measure]:
    """The labels below what is set."""
    truth, done = bench.truth(outcome), outcome.action.values
    moved = bench.graph.descendants(set(done)) - set(done)
    for name in bench.graph.admg.ordered(moved) if truth is not None else ():
        assert truth is not None
        node = bench.graph.nodes[name]
        if name not in truth or not node.type.scalar:
            continue
        score, baseline = (
            _label_score(node, name, values, truth[name])
            for values in (outcome.world[name], bench.subject.rows[name])
        )
        query = outcome.action.query
        yield Measure(query=query, name="true label", detail=name, score=score, baseline=baseline)


def _label_score(node: Node, name: str, values: Tensor, truth: Tensor) -> Score:
    if node.type.levels is not None:
        return hit_rate(values, truth)
    return reading_error(values.double(), truth.double(), node.type.unit or f"units of {name}")


@metric(
    "reversibility",
    unit="grey levels",
    definition="Mean distance per pixel between a picture and the one that comes back when "
    "the intervention is undone, 0 to 255 grey levels, 0 at best.",
)
def reversibility(bench: Bench, outcome: Outcome) -> Score | None:
    """The pictures that came back."""
    if outcome.returned is None:
        query = outcome.action.query
        bench.note(
            f"{query}: reversibility is not measurable: it cannot be undone: {outcome.refused}"
        )
        return None
    return axioms.reversibility(bench.pictures, outcome.returned)


@metric(
    "Fréchet distance",
    unit=UNIT,
    definition="Squared Fréchet distance between counterfactual and real pictures in the "
    "last hidden layer of the judge that is named; no FID. Its floor is that of the factual "
    "pictures, as many of them.",
)
def frechet(bench: Bench, outcome: Outcome) -> Iterator[Measure]:
    """The distance to real pictures, in the features of the first classifier."""
    bench, outcome = bench.judged(outcome)
    reference = bench.subject.reference.get(bench.image, torch.zeros(0))
    judge = _with_features(bench)
    if bench.subject.kind != "real":
        bench.note("no Fréchet distance: there are no real pictures here to hold others against")
    elif judge is None or judge.features is None:
        bench.note("no Fréchet distance: no judge is a network with features of its own")
    elif min(len(bench.subject), len(reference)) < FEWEST_FEATURES:
        bench.note(f"no Fréchet distance: it takes at least {FEWEST_FEATURES} pictures")
    else:
        real = judge.features(reference)
        made, factual = (
            frechet_score(judge.features(pictures), real)
            for pictures in (outcome.world[bench.image], bench.pictures)
        )
        kind = "regressor" if judge.classifier is None else "classifier"
        yield Measure(
            query=outcome.action.query,
            name="Fréchet distance",
            detail=f"features of the {kind} of {judge.node}",
            score=made,
            floor=factual,
        )


def _with_features(bench: Bench) -> Judge | None:
    """The first classifier, else the first judge that is a network at all."""
    judges = [each for each in bench.judges.values() if each.features is not None]
    classifiers = (each for each in judges if each.classifier is not None)
    return next(classifiers, judges[0] if judges else None)


@metric(
    "network calls",
    unit=COUNTED,
    definition="Passes of a picture through the diffusion network: abduction and prediction.",
)
def network_calls(bench: Bench, outcome: Outcome) -> Score | None:
    """Calls a picture, where they were counted."""
    return None if outcome.calls is None else counted(outcome.calls, len(bench.subject))


@metric(
    "time",
    unit="seconds",
    definition="Seconds of wall time a picture: abduction and prediction, in batches.",
)
def time(bench: Bench, outcome: Outcome) -> Score | None:
    """Seconds a picture, where they were taken; the interval is over batches."""
    if not len(outcome.seconds):
        return None
    score = mean_score(outcome.seconds, "seconds")
    count = len(bench.subject)
    return Score(value=score.value, interval=score.interval, count=count, unit=score.unit)


def as_metric(name: str, given: Any) -> Metric:
    """A metric of the user's own: a `Metric`, or a function of a bench and an outcome.

    Args:
        name: the metric's name.
        given: a function's docstring is its definition; a unit takes the decorator `metric`.

    Raises:
        CausalflowError: neither.
    """
    if isinstance(given, Metric):
        return replace(given, name=name)
    if not callable(given):
        raise CausalflowError(f"metric '{name}': expected a function of a bench and an outcome")
    definition = " ".join((given.__doc__ or "").split())
    return metric(name, unit="", definition=definition)(given)
