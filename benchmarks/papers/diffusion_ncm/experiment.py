"""Diffusion NCM: the ten queries, what interventions move, and the four-pixel SCM."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.papers.diffusion_ncm.ascm import ascm, law_of
from benchmarks.papers.diffusion_ncm.queries import (
    BARS,
    COLORS,
    KINDS,
    QUESTIONS,
    limits,
    true_law,
    truth,
)
from benchmarks.papers.diffusion_ncm.study import (
    LABELS,
    LEVELS,
    NOISES,
    Changed,
    Study,
    labelled,
)
from benchmarks.papers.experiment import Run, Table
from causalflow.evaluation.readers import read_bar
from causalflow.evaluation.score import Score, share_score

SHOWN = 8
ALONE = 100
"""Pictures that are asked about without their labels."""


def run(run: Run) -> None:
    """Write the three tables, and a picture of both graphs."""
    run.table("diffusion_ncm_ascm", ascm)
    if not run.has_net("bar"):
        return
    study = Study(run=run)
    run.table("diffusion_ncm_queries", lambda: queries(study))
    run.table("diffusion_ncm_invariances", lambda: invariances(study))
    if "answered" in vars(study) and "further" in vars(study):
        _grid(study)


def queries(study: Study) -> Table:
    """The ten queries."""
    rows, values = [], []
    for question, pictures in sorted(study.answered, key=lambda each: QUESTIONS.index(each[0])):
        score = share_score(read_bar(pictures.after) == 1)
        found = {noise: study.asked(question, noise) for noise in NOISES}
        (low, high), true = limits(question), float(truth(question))
        rows.append(
            [
                question.kind, question.evidence, f"do({question.do})", f"{true:.3f}",
                f"{low:.3f} to {high:.3f}", *(f"{found[noise]:.3f}" for noise in NOISES),
                _shown(score), _verdict(score, low, high),
            ]
        )  # fmt: skip
        numbers: dict[str, Any] = {"truth": true, "low": low, "high": high, **found}
        numbers |= {"pixels": score.value, "interval": score.interval, "n": score.count}
        values.append({"graph": question.kind, "evidence": question.evidence} | numbers)
    return Table(rows=rows, values={"questions": values}, facts=_facts(study, values))


def _facts(study: Study, values: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Whether worlds and pictures agree, and how far answers and laws are off."""
    outside = {n: max(_distance(v[n], v["low"], v["high"]) for v in values) for n in NOISES}
    laws = []
    for kind in KINDS:
        gap = np.abs(law_of(study.model(kind, "response"), LEVELS) - true_law(kind))
        laws.append(f"{kind}: {gap.sum() / 2:.4f} in total variation, {gap.max():.4f} in a cell")
    worlds = [read_bar(pictures.after) == pictures.there["bar"] for _, pictures in study.answered]
    return {
        "agree": _shown(share_score(torch.cat(worlds))),
        "draws": study.draws,
        "outside": ", ".join(f"{noise} {distance:.4f}" for noise, distance in outside.items()),
        "rows": study.rows,
        "laws": "; ".join(laws),
        **_alone(study),
    }


def _alone(study: Study) -> dict[str, int]:
    """The picture as only evidence, against the labels: how many, and how many agree."""
    kind, n = "frontdoor", min(ALONE, study.n)
    model, known = study.model(kind, "response"), labelled(study.data[kind], torch.arange(n))
    query = "P(bar[color=red]=present | {})"
    found = model.ask(query.format("image"), image=known["image"], draws=5_000).table.to_numpy()
    told = model.ask(query.format("digit, color, bar"), draws=study.draws).table.to_numpy()
    wanted = [told[d, c, b] for d, c, b in zip(*(known[n].tolist() for n in LABELS), strict=True)]
    gaps = np.abs(np.ravel(found) - np.array(wanted))
    return {"alone": n, "near": int((gaps <= 0.03).sum())}


def invariances(study: Study) -> Table:
    """What each intervention moves, and what it leaves alone."""
    groups: dict[tuple[str, str], list[Changed]] = {}
    for pictures in (*(p for _, p in study.answered), *study.further):
        groups.setdefault((pictures.kind, pictures.target), []).append(pictures)
    rows, values = [], []
    for (kind, target), parts in groups.items():
        sides = ("before", "after")
        read = {side: [part.read(side, study.judge) for part in parts] for side in sides}
        for name in LABELS:
            scores = _scores(name, parts, read)
            what = _role(kind, target, name)
            rows.append([kind, f"do({target})", f"{name} {what}", *map(_shown, scores.values())])
            values.append({"graph": kind, "do": target, "label": name, "role": what}
                          | {key: score.value for key, score in scores.items()}
                          | {"n": scores["after"].count})  # fmt: skip
    return Table(rows=rows, values={"rows": values})


def _scores(
    name: str, parts: Sequence[Changed], read: Mapping[str, Sequence[Mapping[str, Tensor]]]
) -> dict[str, Score]:
    after, before = (torch.cat([each[name] for each in read[s]]) for s in ("after", "before"))
    there, seen = (torch.cat([getattr(p, s)[name] for p in parts]) for s in ("there", "seen"))
    return {
        "after": share_score(after == there),
        "read right before": share_score((after == there)[before == seen]),
        "unchanged": share_score(before == there),
        "floor": share_score(before == seen),
    }


_BELOW = {
    "backdoor": {"digit": {"bar"}, "color": {"bar"}},
    "frontdoor": {"digit": {"color", "bar"}, "color": {"bar"}, "bar": set()},
}


def _role(kind: str, target: str, name: str) -> str:
    if name == target:
        return "as set"
    return "as in its world" if name in _BELOW[kind][target] else "kept"


def _shown(score: Score) -> str:
    low, high = score.interval
    return f"{score.value:.3f} ({low:.3f} to {high:.3f}; {score.count})"


def _verdict(score: Score, low: float, high: float) -> str:
    if low <= score.value <= high:
        return "yes"
    reaches = score.interval[0] <= high and low <= score.interval[1]
    by = f"no, by {_distance(score.value, low, high):.3f}"
    return f"{by}; its interval reaches in" if reaches else by


def _distance(value: float, low: float, high: float) -> float:
    return max(low - value, value - high, 0.0)


def _grid(study: Study) -> None:
    """Factual pictures and their counterfactuals, with the labels of each world."""
    rows: dict[str, torch.Tensor] = {}
    captions: dict[str, list[str]] = {}
    chosen = [study.answered[0][1], study.answered[1][1], study.answered[-1][1], *study.further]
    for number, pictures in enumerate(chosen):
        factual = f"{pictures.kind} {number + 1}"
        rows[factual] = pictures.before[:SHOWN]
        captions[factual] = _captions(pictures, "seen")
        rows[f"do({pictures.target}) {number + 1}"] = pictures.after[:SHOWN].clamp(0, 1)
        captions[f"do({pictures.target}) {number + 1}"] = _captions(pictures, "there")
    title = "Bar-MNIST: factual, and what it would have been"
    study.run.draw("diffusion_ncm_grid", rows, captions, title=title)


def _captions(pictures: Changed, side: str) -> list[str]:
    columns = (getattr(pictures, side)[name][:SHOWN].tolist() for name in LABELS)
    shown = zip(*columns, strict=True)
    return [f"{digit} {COLORS[color]} {BARS[bar]}" for digit, color, bar in shown]
