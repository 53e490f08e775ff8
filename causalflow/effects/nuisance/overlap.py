"""Overlap: how likely each treatment was for the rows, which an estimate divides by.

Notation: pi_a(z) the probability of treatment a given the covariates z, its *propensity*; weights
w_i = 1 / pi_a(z_i) of the rows with a. The *effective sample* (sum w)^2 / sum w^2 is the number of
equally weighted rows that would tell as much.

Source: Crump, Hotz, Imbens & Mitnik (2009) for judging overlap by extreme propensities; Kish (1965)
for the effective sample.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from causalflow.effects.complete_rows import Array

__all__ = ["Overlap"]

_BINS = 40


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Overlap:
    """The propensities of the rows.

    Attributes:
        levels: the treatments.
        propensities: pi_a(z_i), shape (rows, treatments).
        treated: which treatment each row had, its position, shape (rows,).
        least: the propensity below which a row has no equal under that treatment.
    """

    levels: tuple[str, ...]
    propensities: Array
    treated: np.ndarray[Any, np.dtype[np.int64]]
    least: float

    @property
    def violated(self) -> Array:
        """For each treatment, the share of rows whose propensity is below the least."""
        return np.asarray((self.propensities < self.least).mean(axis=0))

    @property
    def effective(self) -> Array:
        """For each treatment, the effective sample of its rows."""
        found = []
        for place in range(len(self.levels)):
            weights = 1 / self.propensities[self.treated == place, place].clip(1e-12)
            found.append(weights.sum() ** 2 / (weights**2).sum() if weights.size else 0.0)
        return np.array(found)

    @property
    def lines(self) -> list[str]:
        """A line for each treatment."""
        rows = np.bincount(self.treated, minlength=len(self.levels))
        ends = np.quantile(self.propensities, [0, 0.05, 0.5, 0.95, 1], axis=0).T
        return [
            f"{name}: {count:,} rows, effective {effective:,.0f}; propensity {low:.3f} to"
            f" {high:.3f}, 90% within {early:.3f} to {late:.3f}"
            + (f"; below {self.least:g} for {share:.1%}" if share else "")
            for name, count, effective, share, (low, early, _, late, high) in zip(
                self.levels, rows, self.effective, self.violated, ends, strict=True
            )
        ]

    def to_dataframe(self) -> Any:
        """A pandas frame with a row for each treatment: rows, effective rows and propensities."""
        import pandas as pd

        shares = {"least": 0.0, "5%": 0.05, "median": 0.5, "95%": 0.95, "most": 1.0}
        return pd.DataFrame(
            {
                "treatment": self.levels,
                "rows": np.bincount(self.treated, minlength=len(self.levels)),
                "effective": self.effective,
                **{n: np.quantile(self.propensities, at, axis=0) for n, at in shares.items()},
                "violated": self.violated,
            }
        )

    def plot(self, axes: Any = None) -> Any:
        """Each treatment's propensity, of the rows that had it and of those that had not.

        Args:
            axes: one of matplotlib's axes for each treatment; None: new ones.

        Returns:
            The axes, one for each treatment.
        """
        from causalflow.effects.charts import plot_shares

        edges = np.linspace(0, 1, _BINS + 1)
        had = [self.treated == place for place in range(len(self.levels))]
        pairs = [
            (self.propensities[own, place], self.propensities[~own, place])
            for place, own in enumerate(had)
        ]
        return plot_shares(self.levels, pairs, edges, self.least, axes)

    def __str__(self) -> str:
        return "\n".join(self.lines)
