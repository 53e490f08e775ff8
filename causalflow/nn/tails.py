"""Tails: numbers so far out that a standard deviation is theirs alone, brought near by a logarithm.

Notation: t a number in units of its spread; B the bend (infinite: none). The bent number

    t                                |t| <= B
    sign(t) (B + log(1 + |t| - B))   beyond

is increasing in t, one-to-one, with slope 1 at the bend. Columns are bent only where their standard
deviation is more than `HEAVY` times what their middle says it is (of few rows, where chance alone
does that, `HEAVY_OF_FEW`): three rows of 1e6 among 5,000 of N(0, 1), or draws of a Cauchy law. All
others keep mean, standard deviation and no bend.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

__all__ = ["BEND", "HEAVY", "bent", "is_heavy", "log_slope", "measured", "sizes", "straight"]

BEND = 3.0
"""Spreads from the middle at which a heavy column is bent: a normal one has .3 % beyond."""
HEAVY, HEAVY_OF_FEW = 2.0, 1e3
"""Standard deviation over spread beyond which a column is heavy; 1.2 of an exponential law."""
FEW = 50
"""Rows below which quartiles may lie so near to each other by chance alone."""
LARGEST = 600.0
"""exp of it is finite, with room for a unit: what lies further out is taken to be there."""
QUANTILES = ((0.25, 0.75, 1.3490), (0.01, 0.99, 4.6527))
"""Two quantiles, and their distance in a normal law of standard deviation 1."""


def bent(t: Tensor, bend: Tensor) -> Tensor:
    """The bent number of t, elementwise."""
    beyond = (t.abs() - bend).clamp_min(0)
    return torch.where(beyond > 0, t.sign() * (bend + torch.log1p(beyond)), t)


def straight(e: Tensor, bend: Tensor) -> Tensor:
    """The t whose bent number is e."""
    beyond = (e.abs() - bend).clamp(0, LARGEST)
    return torch.where(beyond > 0, e.sign() * (bend + torch.expm1(beyond)), e)


def log_slope(t: Tensor, bend: Tensor) -> Tensor:
    """The logarithm of the slope of `bent` at t."""
    return -torch.log1p((t.abs() - bend).clamp_min(0))


def sizes(columns: Tensor) -> Tensor:
    """A power of 2 near the largest number of each column, shape (columns,) or ().

    Squares of 1e200 or of 1e-200 are no numbers: columns are divided by it before.
    """
    exponent = torch.frexp(columns.abs().amax(0)).exponent
    return torch.exp2((exponent - 1).to(columns.dtype))


def measured(values: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Where a column lies, its spread (1 where it is constant), and its bend: three scalars.

    Args:
        values: float64, shape (n,), n at least 1, finite.
    """
    unit = sizes(values)
    scaled = values / unit
    centre, spread = scaled.mean() * unit, scaled.std(correction=0) * unit
    infinite = torch.full_like(centre, math.inf)
    inner = _inner_spread(values)
    heavy = HEAVY if len(values) >= FEW else HEAVY_OF_FEW
    if inner > 0 and not spread <= heavy * inner:
        return values.median(), inner, torch.full_like(centre, BEND)
    return centre, torch.where(spread > 0, spread, 1.0), infinite


def is_heavy(values: Tensor) -> bool:
    """Whether a column is bent."""
    return bool(measured(values)[2].isfinite())


def _inner_spread(values: Tensor) -> Tensor:
    """The standard deviation of the normal law with the column's quartiles, or wider quantiles."""
    ordered = values.sort().values
    last = len(ordered) - 1
    for low, high, width in QUANTILES:
        found = (ordered[math.floor(high * last)] - ordered[math.ceil(low * last)]) / width
        if found > 0:
            return found
    return torch.zeros_like(ordered[0])
