"""Lattice: the whole multiples of a power of ten that all values of a column are, if they are.

Notation: a column is *whole* at d digits if every value is k / 10^d with an integer k; d is the
least such number, from -6 to 6. A value stands for the cell of what rounds to it, half a step to
either side. What atoms have of their own is no part of that: a number is rounded away from them.

Source: dequantisation, as in Uria, Murray & Larochelle (2013), RNADE, section 4.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from causalflow.mechanisms.regression.atoms import Atoms

__all__ = ["Lattice"]

MOST_DIGITS = 6
INSIDE = 1 - 1e-6
"""Share of a cell that noise is drawn in: rounding differs between batches."""


class Lattice(nn.Module):
    """The lattice of one column; all that is fitted is a buffer.

    Attributes:
        digits: d; infinite: there is no lattice.
    """

    digits: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("digits", torch.tensor(math.inf, dtype=torch.float64))

    @property
    def step(self) -> float:
        """Between neighbours; 0 where there is no lattice."""
        return 10.0 ** -float(self.digits)

    def find(self, x: Tensor) -> None:
        """Set it by a column, shape (n,)."""
        for digits in range(-MOST_DIGITS, MOST_DIGITS + 1):
            self.digits.fill_(digits)
            if bool((self.nearest(x) == x).all()):
                return
        self.digits.fill_(math.inf)

    def nearest(self, x: Tensor) -> Tensor:
        """The nearest value, elementwise; x itself where there is no lattice."""
        return self._shifted(x, torch.zeros_like(x)) if self.digits.isfinite() else x

    def _shifted(self, x: Tensor, steps: Tensor) -> Tensor:
        """So many steps from the nearest value; k / 10^d is the double that a text of it gives."""
        scale = 10.0 ** abs(int(self.digits))
        if self.digits < 0:
            return ((x / scale).round() + steps) * scale
        return ((x * scale).round() + steps) / scale

    def cells(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The ends of the cells of values."""
        return x - self.step / 2, x + self.step / 2

    def within(self, x: Tensor, share: Tensor) -> Tensor:
        """A number in the cell of x, at a share of its width from below; x itself off the lattice.

        Args:
            x: shape (n,).
            share: 0..1, shape (n,).
        """
        return x + torch.where(self.nearest(x) == x, INSIDE * (share - 0.5) * self.step, 0.0)

    def rounded(self, x: Tensor, atoms: Atoms) -> Tensor:
        """Of the two values around x the nearer one, or the other if that one alone is an atom."""
        if self.digits.isinf():
            return x
        near = self.nearest(x)
        beside = self._shifted(near, torch.where(x < near, -1.0, 1.0))
        taken = (atoms.index(near) >= 0) & (atoms.index(beside) < 0)
        return torch.where(taken, beside, near)
