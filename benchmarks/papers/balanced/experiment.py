"""Balanced latent space: gammas are searched, scales swept, likelihoods on the way up followed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from functools import cached_property, partial
from typing import Any

import torch
from torch import Tensor

from benchmarks.folders import DOCS
from benchmarks.papers.balanced.curves import Curve, curve, draw_curves, draw_scales
from benchmarks.papers.balanced.push import pushed, saturation
from benchmarks.papers.balanced.readers import Readers, fit_readers
from benchmarks.papers.balanced.tasks import TASKS, Outcome, Rows, Task, nearest_digits
from benchmarks.papers.balanced.ways import (
    FORMS,
    GUIDES,
    ODDS,
    ORIGINAL,
    PRINTED,
    Gammas,
    Made,
    Way,
    as_tensors,
    balanced_way,
    from_tensors,
    guided_by,
    kept_name,
    made,
    recommended,
    unbalanced_ways,
)
from benchmarks.papers.diff_scm.judges import Judges
from benchmarks.papers.experiment import Run, Table, cell, declared, in_full, percent
from causalflow.evaluation.score import Score, mean_score, share_score
from causalflow.mechanisms.image.image_mechanism import ImageMechanism

READER_STEPS = {"coloured": 800, "masked": 500}
SHOWN, FEW = 12, 48
EXCHANGED = [1, 0, 2]
TIMES = (0.25, 0.5, 0.75)

Points = Mapping[str, Sequence[tuple[float, Score, Score]]]
"""By way: scale, share that reaches the target, share that keeps the rest."""
Judged = tuple[Way, Made, Outcome]


def run(run: Run) -> None:
    """Write the tables of the nets that are there."""
    benches = [Bench(run, task) for task in TASKS if run.has_net(task.net)]
    for bench in benches:
        name = bench.task.net.removesuffix("_mnist")
        run.table(f"balanced_gammas_{name}", partial(gammas, bench))
        run.table(f"balanced_{name}", partial(sweep, bench))
    if benches:
        run.table("balanced_forward", partial(likelihoods, benches))
        run.table("balanced_saturation", partial(saturation, benches))
        run.table("balanced_pushed", partial(pushed, benches))


class Bench:
    """One run of one task: net, readers, judge and pictures, each made when first asked."""

    def __init__(self, run: Run, task: Task) -> None:
        self.run, self.task = run, task

    @cached_property
    def mechanisms(self) -> dict[str, ImageMechanism]:
        """The image mechanism by its guide."""
        model = self.run.net(self.task.net)
        return {"learned": guided_by(model, None), "readers": guided_by(model, self.readers)}

    @cached_property
    def readers(self) -> Readers:
        """The readers, fitted to the training law."""

        def fitted() -> dict[str, Tensor]:
            data, steps = self.task.data("train"), READER_STEPS[self.task.name]
            labels = {name: torch.from_numpy(v) for name, v in data.labels.items()}
            return fit_readers(data.images, labels, steps=steps, device=self.run.device).state

        return Readers.of(self.run.kept(f"balanced_readers_{self.task.name}", fitted))

    @cached_property
    def judge(self) -> Callable[[Tensor], Tensor]:
        """Reads a digit off gray pictures."""
        return nearest_digits(self.run.device)

    @cached_property
    def classifier(self) -> Callable[[Tensor], Tensor]:
        """A second reader of digits: the convolutional one that judges Diff-SCM's pictures."""
        return Judges(self.run).reader

    def few(self, n: int) -> int:
        """How many pictures of what takes many network calls, at most n."""
        return min(n, self.run.few, self.run.n)

    def rows(self, split: str, n: int) -> Rows:
        """Pictures of a split."""
        rows = self.task.rows(split, n)
        return replace(rows.each(lambda value: value.to(self.run.device)), truth=rows.truth)

    def made(self, way: Way, rows: Rows, split: str) -> Iterator[tuple[Way, Made]]:
        """A way's pictures at all its scales; kept, so that a run that was stopped goes on."""
        name = f"balanced_{kept_name(self.task.name, way, split, rows)}"
        kept = self.run.kept(
            name, lambda: as_tensors(made(self.mechanisms[way.guide], way, rows)),
            again=self.run.again,
        )  # fmt: skip
        yield from ((way, each) for each in from_tensors(kept))

    def judged(self, images: Tensor, rows: Rows) -> Outcome:
        """What the judges say."""
        return self.task.judged(images, rows, self.judge)

    def heads(self) -> list[str]:
        """The columns of `numbers`."""
        task = self.task
        start = [f"{task.hit}, %", f"{task.kept}, %", "both, %"]
        start += ["distance to factual, levels of 255"]
        return start + (["distance to true, levels of 255"] if task.name == "masked" else [])


def scores(outcome: Outcome) -> dict[str, Score]:
    """The numbers of an outcome."""
    both = outcome.hit & outcome.kept
    shares = {"hit": outcome.hit, "kept": outcome.kept, "both": both}
    found = {name: share_score(each) for name, each in shares.items()}
    for name, errors in (("distance", outcome.distance), ("error", outcome.error)):
        if errors is not None:
            found[name] = mean_score(errors.mean(dim=1), "levels")
    return found


def numbers(outcome: Outcome) -> list[str]:
    """The cells of an outcome."""
    return [
        percent(each) if each.unit == "share" else cell(each, 1)
        for each in scores(outcome).values()
    ]


def gammas(bench: Bench) -> Table:
    """The constants of each balanced form, with either predictor, on validation pictures.

    The push adds up over the levels, so that what is found with few levels says little of many: the
    search is made with as many as the sweep has.
    """
    search, task = declared("balanced")["search"], bench.task
    rows = bench.rows("validation", bench.few(search["pictures"]))
    scale, cells, kept, found = search["scale"][task.name], [], {}, {}
    for guide in GUIDES:
        for name, all_tried in search["tried"].items():
            tried: list[tuple[Gammas, Outcome]] = []
            for constants in (Gammas(end=e, push=p, noise=n) for e, p, n in all_tried):
                way = balanced_way(task.name, guide, name, constants, bench.run.levels)
                ((_, pictures),) = bench.made(replace(way, scales=(scale,)), rows, "validation")
                tried.append((constants, bench.judged(pictures.images, rows)))
            best, _ = max(tried, key=lambda each: _merit(each[1]))
            kept[f"{guide}: {name}"] = asdict(best)
            for each, outcome in tried:
                start = [f"{number:g}" for number in (each.end, each.push, each.noise)]
                mark = "taken" if each == best else ""
                cells.append([guide, name, *start, *numbers(outcome), mark])
                found[f"{guide}: {name}, {', '.join(start)}"] = in_full(scores(outcome))
    facts = {"task": task.name.capitalize(), "n": len(rows), "levels": bench.run.levels}
    return Table(
        rows=cells,
        values={"taken": kept, "tried": found},
        facts=facts | {"scale": scale, "heads": bench.heads()},
    )


def taken(bench: Bench, guide: str, name: str) -> Gammas:
    """The constants that the search took, read from its table."""
    path = bench.run.out / f"balanced_gammas_{bench.task.net.removesuffix('_mnist')}.json"
    table = json.loads(path.read_text(encoding="utf-8"))
    return Gammas(**table["values"]["taken"][f"{guide}: {name}"])


def _merit(outcome: Outcome) -> tuple[float, float, float]:
    both = (outcome.hit & outcome.kept).float().mean()
    return float(both), float(outcome.kept.float().mean()), -float(outcome.distance.mean())


def sweep(bench: Bench) -> Table:
    """Every way at every scale, on test pictures; the page shows each at its best scale."""
    task, rows = bench.task, bench.rows("test", bench.run.n)
    judged = [(way, m, bench.judged(m.images, rows)) for way, m in _all(bench, rows)]
    points: dict[str, list[tuple[float, Score, Score]]] = {}
    for way, each, o in judged:
        point = (each.scale, share_score(o.hit), share_score(o.kept))
        points.setdefault(way.label, []).append(point)
    path, best = DOCS / f"balanced_{task.name}.svg", _best_of_each(judged)
    draw_scales(task.asked, (task.hit, task.kept), points, path)
    shown = {"factual": rows.images[:SHOWN].cpu()}
    shown |= {} if rows.truth is None else {"true": rows.truth[:SHOWN]}
    for way, each, _ in best:
        shown[f"{way.label}\ns = {each.scale:g}"] = each.images[:SHOWN].cpu().clamp(0, 1)
    bench.run.draw(f"balanced_{task.name}", shown)
    facts = _second(bench, rows, judged[0][1]) | _recommended(bench)
    facts |= {"verdict": verdict(points), "plot": path.name, "asked": task.asked}
    return Table(
        rows=[*_references(bench, rows), *map(_cells, best)],
        values={f"{w.label}, s = {m.scale:g}": in_full(scores(o)) for w, m, o in judged},
        facts=facts | {"task": task.name.capitalize(), "heads": bench.heads()},
    )


def _all(bench: Bench, rows: Rows) -> Iterator[tuple[Way, Made]]:
    """The recommended way on all pictures, the others on few."""
    name, few, levels = bench.task.name, rows.first(bench.run.few), bench.run.levels
    yield from bench.made(recommended(name), rows, "test")
    for guide in GUIDES:
        for way in unbalanced_ways(name, guide, levels):
            yield from bench.made(way, few, "test")
        for form in FORMS:
            way = balanced_way(name, guide, form, taken(bench, guide, form), levels)
            yield from bench.made(way, few, "test")


def _best_of_each(judged: Sequence[Judged]) -> list[Judged]:
    """Each way at the scale with the largest lesser share, then the smallest distance."""

    def merit(each: Judged) -> tuple[float, float]:
        outcome = each[2]
        shares = (float(kind.float().mean()) for kind in (outcome.hit, outcome.kept))
        return min(shares), -float(outcome.distance.mean())

    ways: dict[str, list[Judged]] = {}
    for each in judged:
        ways.setdefault(each[0].label, []).append(each)
    return [max(scales, key=merit) for scales in ways.values()]


def _cells(each: Judged) -> list[str]:
    way, made, outcome = each
    start = [way.guide, way.name, f"{made.scale:g}", f"{made.calls:.0f}", str(len(made.images))]
    return [*start, *numbers(outcome)]


def _references(bench: Bench, rows: Rows) -> list[list[str]]:
    """What no model made: pictures as they were, and with their channels exchanged."""
    images = {"unchanged": rows.images, "channels exchanged": rows.images[:, EXCHANGED]}
    return [
        ["-", name, "-", "0", str(len(rows)), *numbers(bench.judged(each, rows))]
        for name, each in images.items()
    ]


def _recommended(bench: Bench) -> dict[str, Any]:
    """The recommended way, and how well the judge of shapes reads real pictures."""
    way, task = recommended(bench.task.name), bench.task
    data = task.data("test", 2_000, swapped=False)
    read = bench.judge(task.gray(data.images.float() / 255))
    ceiling = share_score(read == torch.from_numpy(data.labels["digit"]))
    return {
        "scale": way.scales[0],
        "ratio": dict(way.ratio),
        "options": dict(way.options),
        "chosen_on": declared("balanced")["recommended"][task.name]["chosen_on"],
        "levels": bench.run.levels,
        "ceiling": percent(ceiling),
    }


def _second(bench: Bench, rows: Rows, recommended: Made) -> dict[str, str]:
    """What another reader of digits says of the recommended way, and of the factual pictures."""
    task, read = bench.task, bench.classifier
    found, own = (task.judged(each, rows, read) for each in (recommended.images, rows.images))
    what, seen, right = (
        (task.hit, found.hit, ~own.hit)
        if task.name == "coloured"
        else (task.kept, found.kept, own.kept)
    )
    return {"what": what, "seen": percent(share_score(seen)), "right": percent(share_score(right))}


def verdict(curves: Points) -> str:
    """The paper's claim: the balanced forms against the original space, at their best scales."""
    said = []
    for guide, named in (("learned", "the learned predictor"), ("readers", "readers")):
        first = _best(curves[f"{guide}: {ORIGINAL}"])
        for name, called in ((PRINTED, "printed form"), (ODDS, "form of the log-odds")):
            second = _best(curves[f"{guide}: {name}"])
            said.append(
                f"With {named}, the {called} {_beside(second, first)} DDIM, each at its best scale "
                f"by the lesser of the two shares: {percent(second)} % against {percent(first)} %."
            )
    return " ".join(said)


def _best(curve: Sequence[tuple[float, Score, Score]]) -> Score:
    lesser = [min(hit, kept, key=lambda share: share.value) for _, hit, kept in curve]
    return max(lesser, key=lambda share: share.value)


def _beside(first: Score, second: Score) -> str:
    """What intervals let be said of two shares."""
    if first.interval[0] > second.interval[1]:
        return "beats"
    return "falls short of" if first.interval[1] < second.interval[0] else "cannot be told from"


def likelihoods(benches: Sequence[Bench]) -> Table:
    """The likelihoods on the way up, by the learned predictor, to the end of each way."""
    found: dict[str, dict[str, Curve]] = {}
    cells = []
    for bench in benches:
        rows, task, levels = bench.rows("test", bench.few(FEW)), bench.task.name, bench.run.levels
        learned = bench.mechanisms["learned"]
        curves = {ORIGINAL: curve(learned, rows, levels)}
        for name, form in FORMS.items():
            curves[name] = curve(learned, rows, levels, form, taken(bench, "learned", name))
        cells += [
            _at(task, name, each, tau)
            for name, each in curves.items()
            for tau in (*(t for t in TIMES if t < float(each.tau[-1])), float(each.tau[-1]))
        ]
        found[task] = curves
    draw_curves(found, DOCS / "balanced_forward.svg")
    return Table(rows=cells, facts={"levels": benches[0].run.levels})


def _at(task: str, up: str, each: Curve, tau: float) -> list[str]:
    """The likelihoods of a way up at the node next to tau."""
    k = int((each.tau - tau).abs().argmin())
    factual, other = each.factual[:, k], each.counterfactual[:, k]
    likelihoods = [factual, other, (factual - other).abs()]
    means = [cell(mean_score(values, "probability"), 2) for values in likelihoods]
    return [task, up, f"{float(each.tau[k]):.2f}", str(len(factual)), *means]
