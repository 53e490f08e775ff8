"""Column line: an increasing map T of a column onto the real line, where its law is plain.

Notation: x a value; y = x, or its log or logit where the support has ends
(`causalflow.mechanisms.continuous`); c and s the middle and the spread of y:

    T(x) = H(bent((y - c) / s))

bent where the tails are heavy (`causalflow.nn.tails`). A column may be taken on another `Scale`:
where it is skewed and positive, and its support says nothing of ends, y = x^(1/3), odd, or log x;
any column by its normal scores, H the map that makes its law normal
(`causalflow.mechanisms.regression.monotone_map`; else H is left out). Logarithm and bend would make
what lies a little beyond all rows immense in x; so from the outermost rows on, where x has no end,
T is a straight line in x, with the slope that it has there.

Source: Box & Cox (1964), powers and the logarithm as one family, judged by the likelihood of x;
Wilson & Hilferty (1931), the cube root; Liu, Lafferty & Wasserman (2009), normal scores of columns
that depend on one another.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from enum import StrEnum

import torch
from torch import Tensor, nn

from causalflow.mechanisms.continuous import to_real, to_support
from causalflow.mechanisms.regression.monotone_map import MonotoneMap
from causalflow.nn.tails import bent, log_slope, measured, straight

__all__ = ["ColumnLine", "Scale"]

SKEWED = 1.0
"""Skewness from which a column of positive numbers may be taken on another scale."""


class Scale(StrEnum):
    """On which scale a column is taken, in words."""

    PLAIN = ""
    ROOT = "cube root scale"
    LOG = "log scale"
    SCORES = "normal scores"


class ColumnLine(nn.Module):
    """The map of one column; all that is fitted are buffers of fixed shape.

    Args:
        declared: the two ends of the support.

    Attributes:
        column: c and s.
        bend: the one of the tails, shape (); infinite where there is none.
        positive: whether y = log x, shape ().
        power: that of y = x^p, shape (); 1 where y = log x.
        scored: whether there is an H, shape ().
        edges: the |t| of the outermost rows, shape (2,), infinite where x has an end.
    """

    column: Tensor
    bend: Tensor
    positive: Tensor
    power: Tensor
    scored: Tensor
    edges: Tensor

    def __init__(self, declared: tuple[float, float]) -> None:
        super().__init__()
        self.declared = declared
        self.register_buffer("column", torch.tensor([0.0, 1.0], dtype=torch.float64))
        self.register_buffer("bend", torch.tensor(math.inf, dtype=torch.float64))
        self.register_buffer("positive", torch.zeros((), dtype=torch.float64))
        self.register_buffer("power", torch.ones((), dtype=torch.float64))
        self.register_buffer("scored", torch.zeros((), dtype=torch.float64))
        self.register_buffer("edges", torch.full((2,), math.inf, dtype=torch.float64))
        self.scores = MonotoneMap(0)

    @property
    def support(self) -> tuple[float, float]:
        """Between which ends values can lie: the declared ones, or 0 and none."""
        return (0.0, math.inf) if self.positive else self.declared

    @property
    def scale(self) -> Scale:
        """On which scale the column is taken."""
        if self.scored:
            return Scale.SCORES
        if self.positive:
            return Scale.LOG
        return Scale.PLAIN if self.power == 1 else Scale.ROOT

    @property
    def _sign(self) -> float:
        """That of dy/dx, y as `to_real` gives it."""
        low, high = self.declared
        return -1.0 if math.isinf(low) and math.isfinite(high) else 1.0

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """T(x) and log dT/dx, shape (n,) each; NaN outside the support."""
        t, slope = self._inner(x)
        for sign, edge, (at, flat) in self._straight():
            beyond = sign * t > edge
            t = torch.where(beyond, sign * edge + (x - at) * flat.exp(), t)
            slope = torch.where(beyond, flat, slope)
        return t, slope

    def value(self, t: Tensor) -> Tensor:
        """The x with T(x) = t."""
        x = self._inner_value(t)
        for sign, edge, (at, flat) in self._straight():
            x = torch.where(sign * t > edge, at + (t - sign * edge) / flat.exp(), x)
        return x

    def _inner(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The same, as if there were no straight lines."""
        y, slope = self._scaled(x)
        centre, spread = self.column
        t = (self._sign * y - centre) / spread
        t, slope = bent(t, self.bend), slope + log_slope(t, self.bend) - spread.log()
        if not self.scored:
            return t, slope
        score, rise = self.scores.to_noise(t, _nothing(t))
        return score, slope + rise

    def _inner_value(self, t: Tensor) -> Tensor:
        if self.scored:
            t = self.scores.to_residual(t, _nothing(t))
        centre, spread = self.column
        y = self._sign * (centre + spread * straight(t, self.bend))
        return to_support(_power(y, 1 / self.power), self.support)

    def _scaled(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """y and log |dy/dx|."""
        y, slope = to_real(x, self.support)
        if self.power == 1:
            return y, slope
        return _power(y, self.power), slope + self.power.log() + (self.power - 1) * y.abs().log()

    def _straight(self) -> Iterator[tuple[int, Tensor, tuple[Tensor, Tensor]]]:
        """Where lines begin: their side of 0, their |t|; x and log dT/dx there."""
        for sign, edge in ((-1, self.edges[0]), (1, self.edges[1])):
            if edge.isfinite():
                at = self._inner_value(sign * edge[None])
                yield sign, edge, (at[0], self._inner(at)[1][0])

    def fit(self, x: Tensor, scale: Scale = Scale.PLAIN) -> None:
        """Set T by a column, on a scale."""
        self.positive.fill_(float(scale is Scale.LOG))
        self.power.fill_(1 / 3 if scale is Scale.ROOT else 1.0)
        self.scored.zero_()
        self.edges.fill_(math.inf)
        y, _ = self._scaled(x)
        *column, bend = measured(self._sign * y)
        self.column.copy_(torch.stack(column))
        self.bend.copy_(bend)
        t, _ = self._inner(x)
        if scale is Scale.SCORES:
            self.scores.fit(t, _nothing(t))
            self.scored.fill_(1.0)
            t, _ = self._inner(x)
        for end, edge in enumerate((-t.min(), t.max())):
            if math.isinf(self.support[end]) and edge > 0:
                self.edges[end] = edge

    def contains(self, x: Tensor) -> bool:
        """Whether all values are inside the declared support."""
        return bool(to_real(x, self.declared)[0].isfinite().all())

    def bending(self, x: Tensor) -> tuple[Scale, ...]:
        """Those worth a try, the mildest first: skewed, positive, and nothing said of the ends."""
        if any(map(math.isfinite, self.declared)) or not x.min() > 0:
            return ()
        apart = (x - x.mean()) / x.std(correction=0)
        return (Scale.ROOT, Scale.LOG) if apart.pow(3).mean() > SKEWED else ()


def _power(y: Tensor, power: Tensor) -> Tensor:
    """y to a power, odd in y."""
    return y if power == 1 else y.sign() * y.abs() ** power


def _nothing(t: Tensor) -> Tensor:
    """Inputs of a map that has none."""
    return t.new_empty((len(t), 0))
