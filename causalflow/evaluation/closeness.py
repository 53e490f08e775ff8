"""Closeness: metrics that hold a picture against the true one, the factual one, and its neighbours.

    changed pixels, unchanged pixels, root mean square, PSNR, SSIM   against the true counterfactual
    identity, minimality                                             against the factual picture
    F1                                                               of classes that judges read

Entries of `causalflow.plugins.METRICS`, as those of `causalflow.evaluation.metrics`; formulas stand
in `causalflow.evaluation.distances` and `causalflow.evaluation.minimality`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from causalflow.evaluation import distances
from causalflow.evaluation.axioms import UNIT
from causalflow.evaluation.bench import Bench, Measure
from causalflow.evaluation.judges import Judge
from causalflow.evaluation.metrics import compared, metric
from causalflow.evaluation.minimality import binned, fitted_encoder, minimality, shrunk_latents
from causalflow.evaluation.outcomes import Outcome
from causalflow.evaluation.score import Score, bootstrap_score, mean_score

__all__ = [
    "changed",
    "f1",
    "identity",
    "least_change",
    "root_mean_square",
    "signal_to_noise",
    "similarity",
    "unchanged",
]

MOST_FITTED = 10_000
"""Pictures that the autoencoder of the minimality learns from, at most."""
MOST_DISTANCES = 2_000
"""Pictures whose minimality is computed, at most: its time grows with their square."""


def _against_truth(
    bench: Bench, outcome: Outcome, name: str, unit: str, values: Callable[..., Tensor]
) -> Iterator[Measure]:
    """A measure against the true pictures, beside that of pictures left as they are."""
    truth = bench.truth(outcome)
    if truth is None or bench.image not in truth:
        return  # `true error` says so, once
    true = truth[bench.image]
    made, left = (values(each, true) for each in (outcome.world[bench.image], bench.pictures))
    known = made.isfinite() & left.isfinite()
    if known.any():
        yield compared(outcome.action.query, name, made[known], left[known], unit)


@metric(
    "changed pixels",
    unit=UNIT,
    definition="Mean distance to the true counterfactual picture over the pixels that truly "
    f"change, by more than {distances.CHANGED} levels of 255 in some channel; pictures without any "
    "are left out. 0 at best.",
)
def changed(bench: Bench, outcome: Outcome) -> Iterator[Measure]:
    """The true error where the truth differs from the factual picture."""
    yield from _on_part(bench, outcome, "changed pixels", changes=True)


@metric(
    "unchanged pixels",
    unit=UNIT,
    definition="The same over all other pixels, which a counterfactual should leave alone.",
)
def unchanged(bench: Bench, outcome: Outcome) -> Iterator[Measure]:
    """The true error where the truth is the factual picture."""
    yield from _on_part(bench, outcome, "unchanged pixels", changes=False)


def _on_part(bench: Bench, outcome: Outcome, name: str, *, changes: bool) -> Iterator[Measure]:
    def values(pictures: Tensor, truth: Tensor) -> Tensor:
        where = distances.changed_pixels(bench.pictures, truth)
        return distances.errors_on(pictures, truth, where if changes else ~where)

    yield from _against_truth(bench, outcome, name, UNIT, values)


@metric(
    "root mean square",
    unit=UNIT,
    definition="Root of the mean squared distance to the true counterfactual picture, over pixels "
    "and channels, of each picture; 0 at best.",
)
def root_mean_square(bench: Bench, outcome: Outcome) -> Iterator[Measure]:
    """The pictures, and those left as they are, against the true ones, squared."""
    name = "root mean square"
    yield from _against_truth(bench, outcome, name, UNIT, distances.root_mean_square)


@metric(
    "PSNR",
    unit="decibels",
    definition="Peak signal-to-noise ratio of each picture to the true counterfactual one, at most "
    f"{distances.LARGEST_PSNR:g}, which stands for equal pictures; high at best.",
)
def signal_to_noise(bench: Bench, outcome: Outcome) -> Iterator[Measure]:
    """The same in decibels."""
    yield from _against_truth(bench, outcome, "PSNR", "decibels", distances.psnr)


@metric(
    "SSIM",
    unit="similarity",
    definition="Structural similarity of each picture and the true counterfactual one, -1 to 1, 1 "
    "at best: Gaussian windows of 11 pixels, mean over channels.",
)
def similarity(bench: Bench, outcome: Outcome) -> Iterator[Measure]:
    """The likeness of structure."""
    if bench.truth(outcome) and min(bench.pictures.shape[-2:]) < distances.LEAST_SSIM_SIZE:
        bench.note(f"no SSIM: pictures of less than {distances.LEAST_SSIM_SIZE} pixels a side")
        return
    yield from _against_truth(bench, outcome, "SSIM", "similarity", distances.ssim)


@metric(
    "identity",
    unit="share, or the node's",
    definition="What the intervention cannot move, on the counterfactual picture against the "
    "factual one. Features: distance in the last hidden layer of that attribute's judge, as a "
    "share of the mean distance of two factual pictures; 0 at best, 1 of strangers; its floor is "
    "that of the true picture. Read as before: share of pictures that its judge reads alike, or "
    "mean distance of the two readings.",
)
def identity(bench: Bench, outcome: Outcome) -> Iterator[Measure]:
    """Attributes that nothing which is set can move."""
    bench, outcome = bench.judged(outcome)
    true = (bench.truth(outcome) or {}).get(bench.image)
    moved = bench.graph.descendants(set(outcome.action.values))
    for name, judge in bench.judges.items():
        if name not in moved and len(bench.subject) > 1:
            yield from _kept_features(bench, outcome, judge, true)
            yield from _read_as_before(bench, outcome, judge)


def _kept_features(
    bench: Bench, outcome: Outcome, judge: Judge, true: Tensor | None
) -> Iterator[Measure]:
    if judge.features is None:
        bench.note(f"identity in features of {judge.node} is not measurable: its judge has none")
        return
    own = judge.features(bench.pictures).double()
    stranger = float((own - own.roll(1, dims=0)).norm(dim=1).mean())
    if not stranger > 0:
        return

    def apart(pictures: Tensor) -> Score:
        return mean_score((judge_features(pictures) - own).norm(dim=1) / stranger, "share")

    def judge_features(pictures: Tensor) -> Tensor:
        assert judge.features is not None
        return judge.features(pictures).double()

    yield Measure(
        query=outcome.action.query,
        name="identity",
        detail=f"features of {judge.node}",
        score=apart(outcome.world[bench.image]),
        floor=None if true is None else apart(true),
    )


def _read_as_before(bench: Bench, outcome: Outcome, judge: Judge) -> Iterator[Measure]:
    read, before = judge.read(outcome.world[bench.image]), bench.factual[judge.node]
    if (score := judge.score(read, before)) is not None:
        detail = f"{judge.node}, read as before"
        yield Measure(query=outcome.action.query, name="identity", detail=detail, score=score)


@metric(
    "minimality",
    unit="minimality",
    definition="Whether the counterfactual is further from its factual picture, in the latents of "
    "an autoencoder of real pictures, than pictures of the new value are (weight .8), and nearer "
    "than those of its own (.2): log(.8 exp p' + .2 exp p), 0 to 1, 0 at best; pictures left as "
    "they are have .295.",
)
def least_change(bench: Bench, outcome: Outcome) -> Iterator[Measure]:
    """The benchmark's minimality, of an intervention on one attribute."""
    query, set_to = outcome.action.query, outcome.action.values
    if len(set_to) != 1:
        bench.note(f"{query}: minimality is not measurable: it is of interventions on one node")
        return
    (name,) = set_to
    if name not in bench.subject.rows or len(bench.subject) < 2:
        return
    encoder = _encoder(bench)
    rows = torch.arange(min(len(bench.subject), MOST_DISTANCES))
    made, factual = (
        shrunk_latents(encoder, pictures[rows])
        for pictures in (outcome.world[bench.image], bench.pictures)
    )
    target, own = _as_kinds(bench, name, set_to[name][rows], bench.subject.rows[name][rows])
    values = minimality(made, factual, target, own)
    known = values.isfinite()
    if left := int((~known).sum()):
        bench.note(f"{query}: minimality leaves out {left} pictures whose value no other one has")
    if known.any():
        yield Measure(query=query, name="minimality", score=mean_score(values[known], "minimality"))


def _encoder(bench: Bench) -> Any:
    """The autoencoder of real pictures, fitted once; of the factual ones where no others are."""
    if "minimality" not in bench.encoders:
        training = bench.subject.training.get(bench.image)
        pictures = bench.pictures if training is None or len(training) < 2 else training
        bench.encoders["minimality"] = fitted_encoder(pictures[:MOST_FITTED])
    return bench.encoders["minimality"]


def _as_kinds(bench: Bench, name: str, target: Tensor, own: Tensor) -> tuple[Tensor, Tensor]:
    if bench.graph.nodes[name].type.levels is not None:
        return target, own
    among = bench.subject.rows[name]
    return binned(target, among), binned(own, among)


@metric(
    "F1",
    unit="F1",
    definition="Of classes, read by judges against the counterfactual world: twice the hits over "
    "twice the hits plus all misses, of the second of two levels, of more the mean over those that "
    "occur; 0 to 1, 1 at best.",
)
def f1(bench: Bench, outcome: Outcome) -> Iterator[Measure]:
    """The F1 of every class that judges read."""
    bench, outcome = bench.judged(outcome)
    for name, judge in bench.judges.items():
        levels = bench.graph.nodes[name].type.levels
        if name not in outcome.world or levels is None or not len(bench.subject):
            continue
        read, wanted = judge.read(outcome.world[bench.image]), outcome.world[name]
        floor = _f1(bench.factual[name], bench.subject.rows[name], len(levels))
        if (score := _f1(read, wanted, len(levels))) is not None:
            how = "as set" if name in outcome.action.values else "as in the world"
            yield Measure(
                query=outcome.action.query,
                name="F1",
                detail=f"{name}, {how}",
                score=score,
                floor=floor,
                baseline=_f1(bench.factual[name], wanted, len(levels)),
            )


def _f1(read: Tensor, wanted: Tensor, levels: int) -> Score | None:
    """F1, or None where no picture is, or should be, of the level that it is of."""
    counted = [1] if levels == 2 else [*range(levels)]

    def statistic(rows: Tensor) -> Tensor:
        shares = []
        for level in counted:
            hits = ((read == level) & (wanted == level)).double()[rows].sum(dim=1)
            both = ((read == level).double() + (wanted == level).double())[rows].sum(dim=1)
            shares.append(2 * hits / both)
        return torch.stack(shares).nanmean(dim=0)

    if not statistic(torch.arange(len(read))[None]).isfinite().all():
        return None
    return bootstrap_score(statistic, len(read), "F1")
