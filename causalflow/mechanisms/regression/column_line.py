"""Column line: an increasing map T of a column onto the real line, where its law is plain.

Notation: x a value; y = x, or its log or logit where the support has ends
(`causalflow.mechanisms.continuous`); where a skewed column of positive numbers, whose support says
nothing of ends, is taken on another scale, y = log x (the power 0) or y = x^(1/3), odd, of which a
cubed sum becomes a sum and its law nearly normal; c and s the middle and the spread of y:

    T(x) = bent((y - c) / s)

bent where the tails are heavy (`causalflow.nn.tails`). Logarithm and bend would make what lies a
little beyond all rows immense in x; so from the outermost rows on, where x has no end, T is a
straight line in x, with the slope that it has there.

Source: Box & Cox (1964), powers and the logarithm as one family, judged by the likelihood of x;
Wilson & Hilferty (1931), the cube root.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from causalflow.mechanisms.continuous import to_real, to_support
from causalflow.nn.tails import bent, log_slope, measured, straight

__all__ = ["SCALES", "ColumnLine"]

SCALES = {1.0: "", 1 / 3: "cube root scale", 0.0: "log scale"}
"""The powers that a column may be taken to, the mildest first, and what each is called."""
SKEWED = 1.0
"""Skewness from which a column of positive numbers may be taken on another scale."""


class ColumnLine(nn.Module):
    """The map of one column; all that is fitted are buffers of fixed shape.

    Args:
        declared: the two ends of the support.

    Attributes:
        column: c and s.
        bend: of the tails, shape (); infinite where there is none.
        positive: whether y = log x, shape ().
        power: that of y = x^p, shape (); 1 where y = log x.
        edges: the |t| of the outermost rows, shape (2,), infinite where x has an end.
    """

    column: Tensor
    bend: Tensor
    positive: Tensor
    power: Tensor
    edges: Tensor

    def __init__(self, declared: tuple[float, float]) -> None:
        super().__init__()
        self.declared = declared
        self.register_buffer("column", torch.tensor([0.0, 1.0], dtype=torch.float64))
        self.register_buffer("bend", torch.tensor(math.inf, dtype=torch.float64))
        self.register_buffer("positive", torch.zeros((), dtype=torch.float64))
        self.register_buffer("power", torch.ones((), dtype=torch.float64))
        self.register_buffer("edges", torch.full((2,), math.inf, dtype=torch.float64))

    @property
    def support(self) -> tuple[float, float]:
        """Between which ends values can lie: the declared ones, or 0 and none."""
        return (0.0, math.inf) if self.positive else self.declared

    @property
    def scale(self) -> str:
        """What the scale is called; empty where values are taken as they are."""
        return SCALES[0.0] if self.positive else SCALES[float(self.power)]

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
        return bent(t, self.bend), slope + log_slope(t, self.bend) - spread.log()

    def _inner_value(self, t: Tensor) -> Tensor:
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

    def fit(self, x: Tensor, *, power: float = 1.0) -> None:
        """Set T by a column, on the scale of a power in `SCALES`."""
        self.positive.fill_(float(power == 0))
        self.power.fill_(power or 1.0)
        self.edges.fill_(math.inf)
        y, _ = self._scaled(x)
        *column, bend = measured(self._sign * y)
        self.column.copy_(torch.stack(column))
        self.bend.copy_(bend)
        t, _ = self._inner(x)
        for end, edge in enumerate((-t.min(), t.max())):
            if math.isinf(self.support[end]) and edge > 0:
                self.edges[end] = edge

    def contains(self, x: Tensor) -> bool:
        """Whether all values are inside the declared support."""
        return bool(to_real(x, self.declared)[0].isfinite().all())

    def is_skewed(self, x: Tensor) -> bool:
        """Whether other scales are worth a try: skewed, positive, and nothing said of the ends."""
        if any(map(math.isfinite, self.declared)) or not x.min() > 0:
            return False
        apart = (x - x.mean()) / x.std(correction=0)
        return bool(apart.pow(3).mean() > SKEWED)


def _power(y: Tensor, power: Tensor) -> Tensor:
    """y to a power, odd in y."""
    return y if power == 1 else y.sign() * y.abs() ** power
