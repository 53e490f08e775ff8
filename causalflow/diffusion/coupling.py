"""Coupling: which noise goes with which image in a batch of training.

Notation: x_i the images of a batch, pa_i their parents, eps_i standard normal. ``independent``
leaves them as they are drawn. ``optimal`` permutes the noise so that sum_i |x_i - eps_i|^2 is
least: the straight lines from images to noise then cross less, and fewer steps follow the flow. It
permutes *within rows of equal parents only*: over the whole batch it would deal out the noise by
parents, and the exogenous noise of an image would no longer be independent of them. All parents
that are given count, whatever their edges compile to. Rows of a continuous parent are hardly ever
equal, so there it does nothing; a row with a missing parent keeps its noise.

Source: Pooladian et al. (2023), Multisample Flow Matching; Tong et al. (2024), minibatch optimal
transport. The restriction to equal parents is this project's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

import torch
from torch import Tensor

from causalflow import plugins
from causalflow.registry import Registry

__all__ = ["COUPLINGS", "Coupling"]

Coupling: TypeAlias = Callable[[Tensor, Tensor, Mapping[str, Tensor]], Tensor]

COUPLINGS: Registry[Coupling] = plugins.COUPLINGS


def independent(x: Tensor, noise: Tensor, parents: Mapping[str, Tensor]) -> Tensor:
    """The noise as it was drawn."""
    return noise


def optimal(x: Tensor, noise: Tensor, parents: Mapping[str, Tensor]) -> Tensor:
    """The noise in the order of least transport cost among rows of equal parents.

    Args:
        x: images, shape (batch, channel, height, width).
        noise: same shape.
        parents: values by name, batch rows each.
    """
    order = torch.arange(len(x), device=x.device)
    for rows in _equal_rows(parents, len(x)):
        rows = rows.to(x.device)
        order[rows] = rows[_assignment(x[rows].flatten(1), noise[rows].flatten(1))]
    return noise[order]


def _equal_rows(parents: Mapping[str, Tensor], n: int) -> Iterator[Tensor]:
    """The sets of at least two rows whose parents are all given and equal."""
    columns = [value.detach().cpu().double().reshape(n, -1) for value in parents.values()]
    missing = [~v.isfinite() if v.is_floating_point() else v < 0 for v in parents.values()]
    known = torch.ones(n, dtype=torch.bool)
    for flags in missing:
        known &= ~flags.cpu().reshape(n, -1).any(dim=1)
    rows = known.nonzero()[:, 0]
    group = torch.zeros(len(rows), dtype=torch.int64)
    if columns and len(rows):
        group = torch.cat(columns, dim=1)[rows].unique(dim=0, return_inverse=True)[1]
    for label in range(int(group.max()) + 1 if len(group) else 0):
        members = rows[group == label]
        if len(members) > 1:
            yield members


def _assignment(x: Tensor, noise: Tensor) -> Tensor:
    """The index of the noise row for each row of x, of least summed squared distance."""
    from scipy.optimize import linear_sum_assignment

    # |x - eps|^2 = |x|^2 + |eps|^2 - 2 x eps, and the squares do not depend on the assignment.
    gain = (x.float() @ noise.float().T).cpu().numpy()
    return torch.from_numpy(linear_sum_assignment(gain, maximize=True)[1]).to(x.device)
