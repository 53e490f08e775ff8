"""Pictures and plots of Diff-SCM's experiment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from torch import Tensor

from benchmarks.papers.diff_scm.judges import Judged
from causalflow.evaluation.likeness import FLOOR, NOTHING
from causalflow.plot.images import image_grid, save_figure

__all__ = ["draw_pictures", "draw_scales"]

COLUMNS = 10


def draw_pictures(rows: Mapping[str, Tensor], targets: Tensor, path: Path) -> None:
    """A row of pictures for each entry, the digits wanted below the last; MNIST: not shipped."""
    if not rows:
        return
    shown = {_wrapped(name): images[:COLUMNS] for name, images in rows.items()}
    last = list(shown)[-1]
    captions = {last: [f"do({k})" for k in targets[:COLUMNS].tolist()]}
    path.parent.mkdir(parents=True, exist_ok=True)
    save_figure(image_grid(shown, captions), path)


def draw_scales(found: Mapping[str, Sequence[Judged]], scales: Sequence[float], path: Path) -> None:
    """CLD and the share read as the target, against the scale."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    for name, curve in found.items():
        for axis, scores in ((left, [e.cld for e in curve]), (right, [e.target for e in curve])):
            low, high = zip(*(score.interval for score in scores), strict=True)
            (line,) = axis.plot(scales, [s.value for s in scores], "o-", ms=3, lw=1.2, label=name)
            axis.fill_between(scales, low, high, alpha=0.15, color=line.get_color(), lw=0)
    left.axhline(NOTHING, color="grey", lw=0.8, ls=":")
    left.text(scales[-1], NOTHING, "left as it was", ha="right", va="bottom", fontsize=7)
    left.set(xlabel="scale s", ylabel=f"CLD ({FLOOR:.3f} at best)", title="minimality")
    right.set(xlabel="scale s", ylabel="share", ylim=(0, 1), title="target read")
    right.legend(fontsize=7, loc="lower right", frameon=False)
    for axis in (left, right):
        axis.grid(alpha=0.3, lw=0.4)
    save_figure(figure, path)


def _wrapped(name: str) -> str:
    """A label of rows, on two lines where it has a comma."""
    return name.replace(", ", "\n", 1)
