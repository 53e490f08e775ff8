"""Precomputed: columns that the losses of a stage take of every row, the same in all its steps.

Where an encoder has learned all it will (`causalflow.training.stages`), the latent of a picture
stays what it is. A model that is `Precomputing` says so, and gets it back as columns beside the
row's own:

    before the first step of a stage, or the first after a fit was resumed:  every row, once
    step k   the batch, and its rows of those columns

Rows pass in order, by portions, whatever the batches are, so that a fit that is killed and goes on
has the same columns to the bit. The pass is not kept: a fit that is resumed makes it again, each
process all of it, and one that is told to stop does so after it. There is none where it would not
pay or not fit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from causalflow.training.stages import Stage
from causalflow.training.state import Rows

__all__ = ["Precomputing", "precomputed"]

PORTION = 64
"""Rows that pass at once."""
LEAST_SEEN = 3
"""How often a row must be seen in the whole stage, on average."""
MOST_BYTES = 1 << 28
"""Of all columns, on the device of each process."""


@runtime_checkable
class Precomputing(Protocol):
    """A model whose losses take columns beyond the data's in place of computing them."""

    def precomputed(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Such columns of some rows by name, batch first; none where this stage has none."""


@torch.no_grad()
def precomputed(
    model: object,
    frame: Rows,
    stage: Stage,
    batch_size: int,
    moved: Callable[[Mapping[str, Tensor]], dict[str, Tensor]],
) -> dict[str, Tensor]:
    """The columns of a stage by name, every row of the data, on the device of the fit.

    Args:
        model: has none unless it is `Precomputing`.
        frame: the data.
        stage: the one that begins, or goes on.
        batch_size: rows of a step.
        moved: a batch on the device of the fit.
    """
    seen = stage.steps * batch_size / len(frame)
    if not isinstance(model, Precomputing) or seen < LEAST_SEEN:
        return {}
    portions = torch.arange(len(frame)).split(PORTION)
    found = (model.precomputed(moved(frame.rows(rows))) for rows in portions)
    first = next(found)
    if sum(column[0].nbytes for column in first.values()) * len(frame) > MOST_BYTES:
        return {}
    parts = [first, *found] if first else []
    return {name: torch.cat([part[name] for part in parts]) for name in first}
