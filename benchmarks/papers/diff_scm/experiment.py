"""Diff-SCM: the scale is searched, the methods scored, interventional pictures drawn.

What is compared are `Setting`s: a net, a scale s of its anti-causal edge, and options of inference.
The paper's own are fixed, on its own net; ours and, with 100 steps, the paper's once more are at
the scale that the search on validation pictures chooses.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import causalflow as cf
from benchmarks.folders import DOCS
from benchmarks.papers.diff_scm import baselines
from benchmarks.papers.diff_scm.judges import Judged, Judges, Pairs, pairs
from benchmarks.papers.experiment import (
    Run,
    Table,
    cell,
    declared,
    percent,
    read_tables,
    real_digits,
)
from causalflow.evaluation.likeness import FLOOR, NOTHING
from causalflow.evaluation.score import Score, share_score
from causalflow.graph.node import Anticausal
from causalflow.plot.images import save_figure

PAPER_NET, OUR_NET = "diff_scm_mnist", "diff_scm_velocity"
PAPER_SCALE = 0.7
SCALES = (0.0, 0.7, 1.5, 3.0, 5.0, 8.0, 12.0, 18.0)
REACHED = 0.95
BATCH = 250
SEARCHED = 100  # pictures: a share of .95 is known to .04
SHOWN, ROWS = 10, 4


def run(run: Run) -> None:
    """Write the three tables."""
    bench = Bench(run)
    nets = [net for net in (PAPER_NET, OUR_NET) if run.has_net(net)]
    run.table("diff_scm_scale", lambda: scale_search(bench, nets))
    found = read_tables(run.out, "diff_scm").get("diff_scm_scale", {}).get("values", {})
    ours = [chosen(net, found) for net in nets]
    papers = [chosen(net, found, papers=True) for net in nets if net == PAPER_NET]
    run.table("diff_scm_scores", lambda: scores(bench, [*papers, *ours]))
    run.table("diff_scm_interventional", lambda: interventional(bench, ours))


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A way to a counterfactual.

    Attributes:
        name: shown.
        net: of `benchmarks.nets`.
        scale: s of the anti-causal edge.
        options: of inference.
        few: whether it is too slow for all pictures.
        paper: what the paper prints of it, a key of the declaration.
    """

    name: str
    net: str
    scale: float = PAPER_SCALE
    options: Mapping[str, Any] = field(default_factory=dict)
    few: bool = False
    paper: str = ""


def _ddim(steps: int) -> dict[str, Any]:
    """DDIM both ways, as in the paper: guided everywhere, no residual."""
    both = {"solver": "ddim", "guided_solver": "ddim", "steps": steps, "guided_steps": steps}
    return {**both, "anticausal": "printed", "residual": False, "guidance_interval": (0.0, 1.0)}


HUNDRED = _ddim(100)
WAYS: dict[str, dict[str, Any]] = {"hold": {"anticausal": "hold"}}
"""Ours, at 56 network calls: the candidates of the search."""
SLOW = (
    Setting(
        name="paper's procedure, 1000 DDIM steps each way, s = .7",
        net=PAPER_NET,
        options=_ddim(1000),
        few=True,
        paper="paper",
    ),
    Setting(name="the same, 100 steps", net=PAPER_NET, options=HUNDRED, few=True),
)
"""The paper's own, on its own net."""


def candidates(net: str) -> dict[str, Setting]:
    """What is searched on a net, by name; the scale is yet to be chosen."""
    found = {
        f"{net}: {way}": Setting(name=f"ours, {net}: {way}", net=net, options=options)
        for way, options in WAYS.items()
    }
    if net == PAPER_NET:
        name = f"{net}: paper's procedure, 100 steps"
        found[name] = Setting(name=name, net=net, options=HUNDRED, few=True)
    return found


def chosen(
    net: str, curves: Mapping[str, Sequence[Mapping[str, Any]]], *, papers: bool = False
) -> Setting:
    """Ours on a net: of what shows the target in `REACHED` of the pictures, the least CLD.

    If nothing does, what shows it most often.

    Args:
        net: of `benchmarks.nets`.
        papers: the same choice for the paper's procedure, with 100 steps.
        curves: by candidate, the scores at each of `SCALES`: {"cld": {"value": ...}, ...}.
    """
    found = []
    for name, setting in candidates(net).items():
        if (setting.options == HUNDRED) != papers:
            continue
        for scale, scores in zip(SCALES, curves.get(name, ()), strict=False):
            key = (min(scores["target"]["value"], REACHED), -scores["cld"]["value"])
            label = f"{setting.name}, s = {scale:g}"
            found.append((key, replace(setting, name=label, scale=scale)))
    if not found:
        return next(iter(candidates(net).values()))
    return max(found, key=lambda pair: pair[0])[1]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Made:
    """Pictures of one method.

    Attributes:
        name: of the method.
        images: in [0, 1].
        calls: network calls, or gradients of a classifier, a picture.
        seconds: a picture; processor time on a CPU.
        paper: see `Setting`.
    """

    name: str
    images: Tensor
    calls: float = 0
    seconds: float = 0
    paper: str = ""


class Bench:
    """One run: nets, judges and pictures, each made when first asked."""

    def __init__(self, run: Run) -> None:
        self.run, self.judges = run, Judges(run)
        self._nets: dict[str, cf.Model] = {}

    def net(self, name: str) -> cf.Model:
        """A net, read once."""
        if name not in self._nets:
            self._nets[name] = self.run.net(name)
        return self._nets[name]

    @cached_property
    def test(self) -> Pairs:
        """The pictures judged."""
        return pairs("test", self.run.n)

    @cached_property
    def floor(self) -> str:
        """The share of real test pictures that the classifier reads as they are, in per cent."""
        images, digits = real_digits("test")
        return percent(share_score(self.judges.reader(images) == digits), 1)

    def counterfactuals(self, setting: Setting, given: Pairs) -> Made:
        """The pictures of a setting."""
        model, parts, calls = self.net(setting.net), [], 0.0
        begun = self._clock()
        for start in range(0, len(given), BATCH):
            rows = slice(start, start + BATCH)
            world = model.counterfactual(
                {name: value[rows] for name, value in given.evidence.items()},
                do={"digit": given.targets[rows]},
                guidance=_factor(model, setting.scale),
                **setting.options,
            )
            parts.append(world["image"].cpu())
            calls += world.info.network_calls * len(parts[-1])
        n, images = len(given), torch.cat(parts)
        return self._made(setting.name, images, calls / n, begun, setting.paper)

    def schut(self, given: Pairs) -> Made:
        """The first baseline's pictures."""
        ensemble, begun = self.judges.ensemble, self._clock()
        found = baselines.salient_pixels(ensemble, given.images, given.targets)
        name = "Schut et al., gradients of a classifier"
        return self._made(name, found.images, found.gradients, begun, "schut")

    def looveren(self, given: Pairs) -> Made:
        """The second baseline's pictures."""
        judges = self.judges
        ensemble, autoencoder, real = judges.ensemble, judges.autoencoder, judges.training
        begun = self._clock()
        found = baselines.nearest_to_prototypes(
            ensemble, autoencoder, given.images, given.targets, *real
        )
        name = "Van Looveren & Klaise, prototypes"
        return self._made(name, found.images, found.gradients, begun, "looveren")

    def references(self, given: Pairs) -> list[Made]:
        """What no method made: pictures as they were, and other real ones of the targets."""
        (images, digits), random = real_digits("test"), torch.Generator().manual_seed(2)
        order = torch.randperm(len(digits), generator=random)
        known = [order[digits[order] == k] for k in range(10)]
        drawn = [known[k][i % len(known[k])] for i, k in enumerate(given.targets.tolist())]
        others = images[torch.stack(drawn)].float() / 255
        return [
            Made(name="left as it was", images=given.images),
            Made(name="another real picture, of the target", images=others),
        ]

    def _made(self, name: str, images: Tensor, calls: float, begun: float, paper: str) -> Made:
        seconds = (self._clock() - begun) / len(images)
        return Made(name=name, images=images, calls=calls, seconds=seconds, paper=paper)

    def _clock(self) -> float:
        if torch.device(self.run.device).type == "cuda":
            torch.cuda.synchronize(self.run.device)
            return time.perf_counter()
        return time.process_time()


def scale_search(bench: Bench, nets: list[str]) -> Table:
    """The search over s, on validation pictures that no other table has."""
    given, few = pairs("validation", min(bench.run.n, SEARCHED), seed=1), bench.run.few
    found = {
        name: _curve(bench, setting, given.first(few) if setting.few else given)
        for net in nets
        for name, setting in candidates(net).items()
    }
    draw_scales(found, DOCS / "diff_scm_scale.svg")
    rows = [
        [name, f"{s:g}", str(each.cld.count), _cell(each.cld), _cell(each.im1),
         _cell(each.im2, 4), percent(each.target, 1), _cell(each.distance, 1)]
        for name, curve in found.items()
        for s, each in zip(SCALES, curve, strict=True)
    ]  # fmt: skip
    values = {name: [each.values for each in curve] for name, curve in found.items()}
    return Table(rows=rows, values=values, facts={"reached": REACHED})


def _curve(bench: Bench, setting: Setting, given: Pairs) -> list[Judged]:
    """The scores at every scale, of one abduction."""
    model, options = bench.net(setting.net), dict(setting.options)
    abduction, do = model.abduct(given.evidence, **options), {"digit": given.targets}
    worlds = (model.predict(abduction, do, guidance=_factor(model, s), **options) for s in SCALES)
    return [bench.judges(world["image"], given) for world in worlds]


def scores(bench: Bench, chosen: list[Setting]) -> Table:
    """All methods, each at the scale chosen for it; the paper's procedure at its own too."""
    given, few = bench.test, bench.test.first(bench.run.few)
    made = [*bench.references(given), bench.schut(few), bench.looveren(few)]
    slow = [setting for setting in SLOW if bench.run.has_net(setting.net)]
    made += [bench.counterfactuals(s, few if s.few else given) for s in (*slow, *chosen)]
    judged = [bench.judges(each.images, given.first(len(each.images))) for each in made]
    pictures = {"factual": given.images, **{each.name: each.images for each in made[1:]}}
    _draw(bench, "diff_scm_pictures", pictures, given.targets)
    both = [*zip(made, judged, strict=True)]
    facts = {"floor": bench.floor, "judges": bench.judges.about, "last": SCALES[-1]}
    return Table(
        rows=[_row(*pair) for pair in both],
        values={m.name: {**j.values, "calls": m.calls, "seconds": m.seconds} for m, j in both},
        facts=facts | {"best": FLOOR, "nothing": NOTHING},
    )


def _row(made: Made, found: Judged) -> list[str]:
    cld, im1, im2 = declared("diff_scm")["printed"].get(made.paper, "---")
    return [
        made.name,
        f"{made.calls:.0f}" if made.calls else "-",
        str(found.cld.count),
        *(_cell(found.cld), cld, _cell(found.im1), im1, _cell(found.im2, 4), im2),
        percent(found.target, 1),
        percent(found.kept, 1),
        _cell(found.distance, 1),
        f"{made.seconds:.2g}" if made.seconds else "-",
    ]


def interventional(bench: Bench, ours: list[Setting]) -> Table:
    """Ten digits of each noise: the same noise, whatever the digit."""
    noises, rows = max(SHOWN, bench.run.n // 20), []
    values: dict[str, float] = {}
    drawn: dict[str, Tensor] = {}
    for setting in ours:
        for scale in sorted({PAPER_SCALE, setting.scale, 5.0}):
            images = _sampled(bench, setting, scale, noises)
            read = bench.judges.reader(images.flatten(0, 1))
            share = share_score(read == torch.arange(10).repeat_interleave(noises))
            rows.append([setting.net, f"{scale:g}", str(noises), percent(share, 1)])
            values[f"{setting.net} {scale:g}"] = share.value
            if scale == setting.scale:
                drawn |= {f"{setting.net}, noise {i + 1}": images[:, i] for i in range(ROWS)}
    _draw(bench, "diff_scm_interventional", drawn, torch.arange(10))
    return Table(rows=rows, values=values, facts={"floor": bench.floor})


def _factor(model: cf.Model, scale: float) -> float:
    """What a net's own scale is multiplied by to be another."""
    kind = model.graph.kind("digit", "image")
    assert isinstance(kind, Anticausal)
    return scale / kind.scale


def _sampled(bench: Bench, setting: Setting, scale: float, noises: int) -> Tensor:
    """Pictures of every digit, shape (10, noises, 1, 28, 28)."""
    model = bench.net(setting.net)
    guidance = _factor(model, scale)
    worlds = (
        model.sample(noises, do={"digit": k}, generator=0, guidance=guidance, **setting.options)
        for k in range(10)
    )
    return torch.stack([world["image"].cpu() for world in worlds])


def _cell(score: Score, digits: int = 3) -> str:
    """A score, and its interval where it has one."""
    low, high = score.interval
    return f"{score.value:.{digits}f}" if math.isclose(low, high) else cell(score, digits)


def _draw(bench: Bench, name: str, rows: Mapping[str, Tensor], targets: Tensor) -> None:
    """A row of pictures for each entry, the digits wanted below the last."""
    if rows:
        shown = {name.replace(", ", "\n", 1): images[:SHOWN] for name, images in rows.items()}
        wanted = [f"do({k})" for k in targets[:SHOWN].tolist()]
        bench.run.draw(name, shown, {list(shown)[-1]: wanted})


def draw_scales(found: Mapping[str, Sequence[Judged]], path: Path) -> None:
    """CLD and the share read as the target, against the scale."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    for name, curve in found.items():
        for axis, scores in ((left, [e.cld for e in curve]), (right, [e.target for e in curve])):
            low, high = zip(*(score.interval for score in scores), strict=True)
            (line,) = axis.plot(SCALES, [s.value for s in scores], "o-", ms=3, lw=1.2, label=name)
            axis.fill_between(SCALES, low, high, alpha=0.15, color=line.get_color(), lw=0)
    left.axhline(NOTHING, color="grey", lw=0.8, ls=":")
    left.text(SCALES[-1], NOTHING, "left as it was", ha="right", va="bottom", fontsize=7)
    left.set(xlabel="scale s", ylabel=f"CLD ({FLOOR:.3f} at best)", title="minimality")
    right.set(xlabel="scale s", ylabel="share", ylim=(0, 1), title="target read")
    right.legend(fontsize=7, loc="lower right", frameon=False)
    for axis in (left, right):
        axis.grid(alpha=0.3, lw=0.4)
    save_figure(figure, path)
