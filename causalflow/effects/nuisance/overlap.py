"""Overlap: how likely each treatment was for the rows, which an estimate divides by.

Notation: pi_a(z) the probability of treatment a given the covariates z, its *propensity*; weights
w_i = 1 / pi_a(z_i) of the rows with a. The *effective sample* (sum w)^2 / sum w^2 is the number of
equally weighted rows that would tell as much.

*Positivity* fails at rows whose like hardly ever had a treatment, so that its outcome is not known.
Such rows are found in two ways: their propensity is below the least (when that is so of more than
one row in a hundred); or they fill a *region*, a leaf of a small tree of the covariates, in which
a smaller share than the least had the treatment though it holds

    3 / least rows (with none of them the propensity is below the least, with 95 % confidence), or
    100 rows and a tenth of all, or rows of which the propensities expect five more to have it

Source: Crump, Hotz, Imbens & Mitnik (2009) for judging overlap by extreme propensities; Kish (1965)
for the effective sample;
Petersen et al. (2012) for the diagnosis; Louis (1981), the rule of three.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from causalflow.effects.complete_rows import Array

__all__ = ["Overlap", "Void", "void_of"]

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


_SHARE = 0.01
_LEAF, _LEAF_SHARE = 50, 0.05
_LARGE, _LARGE_SHARE = 100, 0.1
_EXPECTED = 5.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Void:
    """The rows whose like hardly ever had a treatment.

    Attributes:
        rows: whether each row is one, shape (rows,).
        words: where they are, one part for each region.
    """

    rows: NDArray[np.bool_]
    words: tuple[str, ...] = ()


def void_of(
    features: Array,
    names: Sequence[str],
    treated: NDArray[np.bool_],
    propensity: Array,
    least: float,
) -> Void:
    """The rows whose like hardly ever had a treatment.

    Args:
        features: shape (rows, features).
        names: each feature in words.
        treated: whether each row had the treatment, shape (rows,).
        propensity: how likely each was to have it, shape (rows,).
        least: the propensity below which a row has no equal under the treatment.
    """
    below = propensity < least
    found = below if below.mean() > _SHARE else np.zeros(len(below), dtype=bool)
    words = [f"the propensity is below {least:g}"] if found.any() else []
    if features.shape[1]:
        for region, text in _regions(features, names, treated, propensity, least):
            found, words = found | region, [*words, text]
    return Void(rows=found, words=tuple(words))


def _regions(
    features: Array,
    names: Sequence[str],
    treated: NDArray[np.bool_],
    propensity: Array,
    least: float,
) -> Iterator[tuple[NDArray[np.bool_], str]]:
    """The leaves that hardly any treated row is in, with their words."""
    from sklearn.tree import DecisionTreeClassifier

    rows = len(treated)
    small = int(min(max(_LEAF, _LEAF_SHARE * rows), 3 / least))
    if rows < 2 * small:
        return
    tree = DecisionTreeClassifier(max_leaf_nodes=8, min_samples_leaf=small, random_state=0)
    leaves = tree.fit(features, treated).apply(features)
    for leaf in np.unique(leaves):
        inside = leaves == leaf
        size, expected = int(inside.sum()), float(propensity[inside].sum())
        large = size >= 3 / least or size >= max(_LARGE, _LARGE_SHARE * rows)
        had = int(treated[inside].sum())
        if had < least * size and (large or expected >= had + _EXPECTED):
            yield inside, f"{_path(tree.tree_, int(leaf), names)} ({size:,} rows)"


def _path(tree: Any, leaf: int, names: Sequence[str]) -> str:
    """The conditions that lead to a leaf."""
    parts: list[str] = []
    node = leaf
    while node:
        is_left = node in tree.children_left
        above = int(
            np.flatnonzero((tree.children_left if is_left else tree.children_right) == node)[0]
        )
        sign = "<=" if is_left else ">"
        parts.append(f"{names[tree.feature[above]]} {sign} {tree.threshold[above]:.4g}")
        node = above
    return " and ".join(reversed(parts)) or "anywhere"
