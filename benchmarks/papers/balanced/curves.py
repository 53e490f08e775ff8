"""Curves: the likelihoods of the factual and the counterfactual value on the way up, and plots.

The paper's figure 3 shows p(y_F | x_t) and p(y_CF | x_t) of three digits on its own way up alone.
Here are the means over pictures, by the net's own predictor, on the original way up and on the
balanced ones, all with the same number of steps.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.papers.balanced.tasks import Rows
from benchmarks.papers.balanced.ways import Gammas
from causalflow.diffusion.field import Field
from causalflow.diffusion.guidance.balance import balancing, draw_tape
from causalflow.diffusion.path import enter, grid, prior_scale
from causalflow.evaluation.score import Score
from causalflow.mechanisms.image.image_mechanism import ImageMechanism
from causalflow.nn.embedding import changed
from causalflow.plot.images import save_figure

DRAWN = 150
"""Nodes of a way up that a plot shows."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Curve:
    """Likelihoods on a way up.

    Attributes:
        tau: the nodes, shape (steps + 1,).
        factual: p of the factual values, shape (n, steps + 1).
        counterfactual: p of the counterfactual ones, likewise.
        size: the root of the mean square of x, likewise; about 1 where the network was fitted.
    """

    tau: Tensor
    factual: Tensor
    counterfactual: Tensor
    size: Tensor


@torch.no_grad()
def curve(
    image: ImageMechanism,
    rows: Rows,
    steps: int,
    balance: str | None = None,
    gammas: Gammas | None = None,
) -> Curve:
    """The likelihoods at every node of a way up.

    Args:
        image: whose predictor and network are asked.
        rows: pictures, with what they are to become.
        steps: from the image to the end.
        balance: of `causalflow.diffusion.guidance.balance.BALANCES`; None: the original way up.
        gammas: of the balanced way; it ends where they say, the original one at the path's end.
    """
    nodes, factual, other, sizes = [], [], [], []
    for y, tau in positions(image, rows, steps, balance, gammas):
        here, there = log_likelihoods(image, rows, y, tau)
        nodes.append(tau)
        factual.append(here.exp().cpu())
        other.append(there.exp().cpu())
        sizes.append(y.flatten(1).square().mean(dim=1).sqrt().cpu() / prior_scale(tau))
    return Curve(
        tau=torch.tensor(nodes, dtype=torch.float64),
        factual=torch.stack(factual, dim=1),
        counterfactual=torch.stack(other, dim=1),
        size=torch.stack(sizes, dim=1),
    )


def positions(
    image: ImageMechanism,
    rows: Rows,
    steps: int,
    balance: str | None = None,
    gammas: Gammas | None = None,
) -> Iterator[tuple[Tensor, float]]:
    """The position and its tau at every node of a way up; arguments as of `curve`."""
    end = image.denoiser.tau_max if gammas is None else min(gammas.end, image.denoiser.tau_max)
    nodes = grid(steps, "cosine", end)
    trajectory = image.trajectory
    field, start = trajectory.field(rows.factual), enter(2 * rows.images - 1)
    if balance is None or gammas is None:
        path = _euler(field, start, nodes)
    else:
        tape = draw_tape(start, steps, torch.Generator().manual_seed(0))
        ends = (rows.target, rows.factual)
        constants = (gammas.push, gammas.noise)
        path = balancing(
            balance, field, trajectory.predictor, start, nodes, *ends, tape, *constants
        )
    yield from zip(_from(start, path), nodes.tolist(), strict=True)


def log_likelihoods(
    image: ImageMechanism, rows: Rows, y: Tensor, tau: float
) -> tuple[Tensor, Tensor]:
    """log p(y_F) and log p(y_CF) at positions, shape (n,) each, over the parents that change."""
    posterior = image.trajectory.predictor(y, tau, torch.zeros_like(y))

    def summed(logs: Mapping[str, Tensor]) -> Tensor:
        terms = [p * changed(rows.target[n], rows.factual[n]) for n, p in logs.items()]
        return torch.stack(terms).sum(dim=0)

    return summed(posterior(rows.factual)), summed(posterior(rows.target))


def _from(start: Tensor, path: Iterator[Tensor]) -> Iterator[Tensor]:
    yield start
    yield from path


def _euler(field: Field, y: Tensor, nodes: Tensor) -> Iterator[Tensor]:
    for t, s in pairwise(nodes.tolist()):
        y = y + (s - t) * field(y, t)
        yield y


def draw_curves(found: Mapping[str, Mapping[str, Curve]], path: Path) -> None:
    """A row for each task, a column for each way up: means, and central 80 % of the pictures."""
    from matplotlib.figure import Figure

    columns = max(map(len, found.values()))
    figure = Figure(figsize=(3.2 * columns, 2.6 * len(found)), layout="constrained")
    axes = figure.subplots(len(found), columns, sharex=True, sharey=True, squeeze=False)
    for line, (task, curves) in zip(axes, found.items(), strict=True):
        for axis, (up, each) in zip(line, curves.items(), strict=True):
            some = slice(None, None, max(1, len(each.tau) // DRAWN))
            for name, values in (("p(y_F)", each.factual), ("p(y_CF)", each.counterfactual)):
                tau, shown = each.tau[some], values[:, some].double()
                (drawn,) = axis.plot(tau, shown.mean(dim=0), label=f"{name}, mean")
                low, high = torch.quantile(shown, torch.tensor([0.1, 0.9]).double(), 0)
                axis.fill_between(tau, low, high, alpha=0.15, lw=0, color=drawn.get_color())
            axis.axhline(0.5, color="grey", lw=0.6, ls=":")
            axis.set_title(f"{task}: {up}", fontsize=8)
            axis.set(ylim=(0, 1))
            axis.grid(alpha=0.3, lw=0.4)
    for axis in axes[-1]:
        axis.set_xlabel("tau, 0 image, 1 noise")
    for line in axes:
        line[0].set_ylabel("probability")
    axes[0][0].legend(fontsize=7, frameon=False)
    save_figure(figure, path)


def draw_scales(
    title: str,
    names: tuple[str, str],
    found: Mapping[str, Sequence[tuple[float, Score, Score]]],
    path: Path,
) -> None:
    """The share that reaches the target and the share that keeps the rest, against the scale.

    Args:
        title: of the figure.
        names: what is reached, and what is kept.
        found: by way: scale, share reached, share kept.
        path: of the picture.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    for way, points in found.items():
        scales = [scale for scale, *_ in points]
        for axis, which in zip(axes, (0, 1), strict=True):
            scores = [point[1:][which] for point in points]
            low, high = zip(*(score.interval for score in scores), strict=True)
            (line,) = axis.plot(scales, [s.value for s in scores], "o-", ms=3, lw=1.2, label=way)
            axis.fill_between(scales, low, high, alpha=0.12, color=line.get_color(), lw=0)
    for axis, name, asked in zip(axes, names, (0.9, 0.95), strict=True):
        axis.axhline(asked, color="grey", lw=0.8, ls=":")
        axis.set(xlabel="scale s", title=name, ylim=(0, 1.02), xscale="log")
        axis.grid(alpha=0.3, lw=0.4)
    axes[0].set_ylabel("share")
    axes[1].legend(fontsize=6, frameon=False)
    figure.suptitle(title)
    save_figure(figure, path)
