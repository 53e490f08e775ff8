"""Normal proposal: numbers that a row does not show, drawn together as if all were jointly normal.

Notation: y the numbers and, level by level but the first, the classes of a row; m and P mean and
inverse covariance of y over some rows; S the places of y that the row does not show, R the rest.

    y_S | y_R  ~  N(m_S - P_SS^-1 P_SR (y_R - m_R),  P_SS^-1)

the proposal of a joint draw, whose density corrects it. Where the model is linear and normal it is
the posterior itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from causalflow.mechanisms.mechanism import Values

__all__ = ["NormalProposal"]

RIDGE = 1e-9
"""Added to the variances of standardised columns, so that a column may be a sum of others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NormalProposal:
    """A joint proposal for some numbers.

    Attributes:
        names: the numbers that are proposed where they are open, the first places of y.
        numbers: the numbers that come after them.
        levels: the classes that come last -> number of levels.
        mean: m.
        precision: P.
    """

    names: Sequence[str]
    numbers: Sequence[str]
    levels: Mapping[str, int]
    mean: Tensor
    precision: Tensor

    @classmethod
    def of(
        cls,
        names: Sequence[str],
        numbers: Sequence[str],
        levels: Mapping[str, int],
        rows: Values,
    ) -> NormalProposal:
        """The proposal by the moments of some rows, which show everything."""
        y = _columns((*names, *numbers), levels, rows)
        mean, spread = y.mean(0), y.std(0, correction=0)
        spread = torch.where(spread > 0, spread, 1.0)
        z = (y - mean) / spread
        covariance = z.T @ z / len(z) + RIDGE * torch.eye(len(spread)).to(z)
        precision = torch.linalg.inv(covariance) / spread / spread[:, None]
        return cls(names=names, numbers=numbers, levels=levels, mean=mean, precision=precision)

    @property
    def reads(self) -> tuple[str, ...]:
        """The columns that y is made of."""
        return (*self.names, *self.numbers, *self.levels)

    def conditional(self, rows: Values, gaps: Values) -> tuple[Tensor, Tensor]:
        """The normal law of y_S given the rest of each row: y_S = mean + (L^T)^-1 e, e ~ N(0, 1).

        Args:
            rows: all columns, without a gap; what stands in a gap does not matter.
            gaps: name -> where a number is open, shape (n,).

        Returns:
            Means, shape (n, names), and upper factors L^T of P_SS = L L^T, shape (n, names, names);
            places that are not open are apart from the others.
        """
        k, y = (
            len(self.names),
            _columns(self.reads[: -len(self.levels) or None], self.levels, rows) - self.mean,
        )
        is_open = torch.stack([gaps[name] for name in self.names], dim=1).to(y)
        known = torch.cat([y[:, :k] * (1 - is_open), y[:, k:]], dim=1)
        both = is_open[:, :, None] * is_open[:, None, :]
        inner = self.precision[:k, :k] * both + torch.diag_embed(1 - is_open)
        factor = torch.linalg.cholesky(inner)
        pull = (known @ self.precision[:, :k]) * is_open
        shift = torch.cholesky_solve(pull[..., None], factor)[..., 0]
        return self.mean[:k] + (1 - is_open) * y[:, :k] - shift, factor.mT


def _columns(names: Sequence[str], levels: Mapping[str, int], rows: Values) -> Tensor:
    found = [rows[name].double()[:, None] for name in names]
    found += [
        functional.one_hot(rows[name], count)[:, 1:].double() for name, count in levels.items()
    ]
    return torch.cat(found, dim=1)
