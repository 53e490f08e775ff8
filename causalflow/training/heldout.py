"""Held-out rows: kept from training, by their loss a fit keeps its best weights and ends in time.

Notation: a share h of the rows, drawn by the seed of the fit, is never trained on; a the average of
the weights (`causalflow.training.state`). Every E steps, and at the end,

    L = mean over the held-out rows of the sum of the nodes' losses under a,

with noise that is a function of the seed alone, so that two evaluations differ by the weights and
nothing else. The best a is kept, and is what the fitted model holds; after ``patience`` evaluations
in a row that are no better the fit ends. So with few rows, of which a network learns the training
ones by heart and gets worse on others, it ends where it has learned most of what they share.

A model that draws its rows by a law of its own is judged by rows of that law. A fit in stages
compares within a stage, begins the next one with the best of the last, and ends in its last one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from causalflow.errors import DataError
from causalflow.training.loop import Run, judged
from causalflow.training.options import Fit
from causalflow.training.stages import Staged
from causalflow.training.state import HELD, Best, Rows, drawn_rows, generator

__all__ = ["HeldOut", "parted", "split"]

WHOLE = 256
"""Held-out rows that pass at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Some rows of a frame, as a frame."""

    frame: Rows
    kept: Tensor

    def __len__(self) -> int:
        return len(self.kept)

    def rows(self, indices: Tensor) -> dict[str, Tensor]:
        """The values of these of its rows by node."""
        return self.frame.rows(self.kept[indices])

    def labels(self) -> dict[str, Tensor]:
        """Its rows of every column that is not an image."""
        return {name: column[self.kept] for name, column in self.frame.labels().items()}


def parted(frame: Rows, options: Fit) -> tuple[Rows, Rows | None]:
    """The rows to train on, and those that are held out, None where none are.

    Raises:
        DataError: either part would have no row.
    """
    if not options.held_out:
        return frame, None
    trained, held = split(len(frame), options)
    return Part(frame=frame, kept=trained), Part(frame=frame, kept=held)


def split(rows: int, options: Fit) -> tuple[Tensor, Tensor]:
    """The numbers of the rows to train on, and of those that are held out.

    Raises:
        DataError: either part would have no row.
    """
    held = round(options.held_out * rows)
    if not 0 < held < rows:
        raise DataError(
            f"fit: held_out={options.held_out:g} of {rows:,} rows is {held:,} of them; "
            "expected one at least, and not all"
        )
    order = torch.randperm(rows, generator=generator("cpu", options.seed, HELD))
    return order[held:].sort().values, order[:held].sort().values


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOut:
    """The held-out rows of a fit, and what their loss decides.

    Attributes:
        frame: the rows.
        chosen: which of them are judged, in order: all, or draws of the model's own law.
        options: the options of the fit.
    """

    frame: Rows
    chosen: Tensor
    options: Fit

    @classmethod
    def of(cls, frame: Rows, law: Tensor | None, options: Fit) -> HeldOut:
        """Those rows, whose law is given by weights, shape (rows,); None: every row alike."""
        rows = torch.arange(len(frame))
        if law is not None:
            rows = drawn_rows(law, len(frame), options.seed, 0)
        return cls(frame=frame, chosen=rows, options=options)

    def due(self, step: int) -> bool:
        """Whether the loss is looked at after so many steps."""
        return step % self.options.held_every == 0 or step == self.options.steps

    def look(self, run: Run) -> float:
        """L of the average, which is kept if it is the best so far."""
        state = run.state
        with state.averaged():
            loss = self._loss(run)
        if state.best is None or loss < state.best.loss:
            weights = {name: value.clone() for name, value in state.average.items()}
            state.best = Best(loss=loss, step=state.step, weights=weights)
        return loss

    def over(self, run: Run) -> bool:
        """Whether the patience is at its end."""
        best, options = run.state.best, self.options
        if best is None or not options.patience:
            return False
        begun = run.model.milestones if isinstance(run.model, Staged) else ()
        last = round(max(begun, default=0.0) * options.steps) < best.step
        return last and run.state.step - best.step >= options.patience * options.held_every

    def _loss(self, run: Run) -> float:
        total = torch.zeros(len(run.nodes), dtype=torch.float64)
        for k, rows in enumerate(self.chosen.split(WHOLE)):
            noise = generator(run.fabric.device, self.options.seed, HELD, k)
            total += len(rows) * judged(run, self.frame.rows(rows), noise).cpu().double()
        loss = float(total.sum()) / len(self.chosen)
        return loss if math.isfinite(loss) else math.inf
