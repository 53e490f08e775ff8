"""Cells: what the judges said, as cells and as numbers, and the paper's claim put to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.papers.balanced.curves import Curve
from benchmarks.papers.balanced.spaces import ODDS, ORIGINAL, PRINTED
from benchmarks.papers.balanced.tasks import Outcome, Task
from benchmarks.papers.scores import cell, in_full, percent
from causalflow.evaluation.score import Score, mean_score, share_score

__all__ = [
    "Points",
    "at",
    "heads",
    "numbers",
    "points",
    "values",
    "verdict",
]

Points = Mapping[str, Sequence[tuple[float, Score, Score]]]
"""By way: scale, share that reaches the target, share that keeps the rest."""

GUIDES = {"learned": "the learned predictor", "readers": "readers"}


def heads(task: Task) -> list[str]:
    """The columns of `numbers`."""
    start = [f"{task.hit}, %", f"{task.kept}, %", "both, %", "distance to factual, levels of 255"]
    return start + (["distance to true, levels of 255"] if task.name == "masked" else [])


def numbers(outcome: Outcome) -> list[str]:
    """The cells of an outcome."""
    shares = (outcome.hit, outcome.kept, outcome.hit & outcome.kept)
    cells = [percent(share_score(each)) for each in shares]
    for each in (outcome.distance, outcome.error):
        if each is not None:
            cells.append(cell(mean_score(each.mean(dim=1), "levels"), 1))
    return cells


def values(outcome: Outcome) -> dict[str, Any]:
    """The numbers of an outcome in full."""
    both = outcome.hit & outcome.kept
    shares = {"hit": outcome.hit, "kept": outcome.kept, "both": both}
    scores = {name: share_score(each) for name, each in shares.items()}
    for name, errors in (("distance", outcome.distance), ("error", outcome.error)):
        if errors is not None:
            scores[name] = mean_score(errors.mean(dim=1), "levels")
    return in_full(scores)


def points(found: Sequence[tuple[str, float, Outcome]]) -> dict[str, list[Any]]:
    """By way, what `draw_scales` draws."""
    curves: dict[str, list[Any]] = {}
    for name, scale, outcome in found:
        point = (scale, share_score(outcome.hit), share_score(outcome.kept))
        curves.setdefault(name, []).append(point)
    return curves


def verdict(curves: Points) -> str:
    """The paper's claim: the balanced forms against the original space, at their best scales."""
    said = []
    for guide, named in GUIDES.items():
        first = _best(curves[f"{guide}: {ORIGINAL}"])
        for name, called in ((PRINTED, "printed form"), (ODDS, "form of the log-odds")):
            second = _best(curves[f"{guide}: {name}"])
            said.append(
                f"With {named}, the {called} {_beside(second, first)} DDIM, each at its best scale "
                f"by the lesser of the two shares: {percent(second)} % against {percent(first)} %."
            )
    return " ".join(said)


def at(task: str, up: str, each: Curve, tau: float) -> list[str]:
    """The likelihoods of a way up at the node next to tau."""
    k = int((each.tau - tau).abs().argmin())
    factual, other = each.factual[:, k], each.counterfactual[:, k]
    likelihoods = [factual, other, (factual - other).abs()]
    means = [cell(mean_score(values, "probability"), 2) for values in likelihoods]
    return [task, up, f"{float(each.tau[k]):.2f}", str(len(factual)), *means]


def _best(curve: Sequence[tuple[float, Score, Score]]) -> Score:
    lesser = [min(hit, kept, key=lambda share: share.value) for _, hit, kept in curve]
    return max(lesser, key=lambda share: share.value)


def _beside(first: Score, second: Score) -> str:
    """What intervals let be said of two shares."""
    if first.interval[0] > second.interval[1]:
        return "beats"
    return "falls short of" if first.interval[1] < second.interval[0] else "cannot be told from"
