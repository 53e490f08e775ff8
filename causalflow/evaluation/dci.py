"""DCI: disentanglement, completeness and informativeness of a code, given the true factors.

Notation: z_1..z_D the numbers of a code, a_1..a_K the factors, R_ij >= 0 the importance of z_i in
predicting a_j, by gradient-boosted trees fitted to one factor at a time; H_K the entropy with
logarithms to base K, so that the entropy of K equal parts is 1.

    disentanglement  sum_i rho_i (1 - H_K(R_i. / sum_j R_ij)),  rho_i = sum_j R_ij / sum R
                     0 (every number serves all factors alike) to 1 (each serves one at most)
    completeness     mean over j of 1 - H_D(R_.j / sum_i R_ij)
                     0 (all numbers serve a factor alike) to 1 (one number serves it)
    informativeness  error of predicting a_j on rows that were held out: of a number the root mean
                     square error over its standard deviation, of a class the share that is wrong
                     0 at best; 1, or the share outside the commonest level, by a constant

A code that gives each factor several numbers, as a representation does, is not complete by design.
The importance of a number is its share of what all trees' splits gain (the impurity decrease).

Source: Eastwood & Williams (2018), A Framework for the Quantitative Evaluation of Disentangled
Representations, with the boosted trees of Locatello et al. (2019) and Komanduri et al. (2024).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from causalflow.errors import DataError

__all__ = ["DCI", "dci"]

_HELD_OUT = 0.2
_LEAST = 20  # rows: fewer leave nothing to be held out


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DCI:
    """How a code tells the factors.

    Attributes:
        disentanglement: 0..1, 1 at best.
        completeness: 0..1, 1 at best.
        informativeness: error of each factor, 0 at best.
        importances: R, shape (D, K), float64; columns sum to 1.
        count: rows, those held out included.
    """

    disentanglement: float
    completeness: float
    informativeness: Mapping[str, float]
    importances: NDArray[np.float64]
    count: int


def dci(codes: Tensor, factors: Mapping[str, Tensor], *, seed: int = 0) -> DCI:
    """The three scores, of trees fitted to 80 % of the rows.

    Args:
        codes: the codes, shape (n, D).
        factors: the true factors, at least two by name, shape (n,); whole numbers are classes.
        seed: the seed of the rows held out, and of the trees.

    Raises:
        DataError: misshapen, too few rows or factors, or numbers that are not finite.
    """
    z = _checked(codes, factors)
    kept = np.random.default_rng(seed).permutation(len(z))
    held, fitted = np.split(kept, [int(_HELD_OUT * len(z))])
    columns, errors = [], {}
    for name, factor in factors.items():
        truth = factor.detach().cpu().numpy()
        tree = _trees(factor, seed).fit(z[fitted], truth[fitted])
        columns.append(tree.feature_importances_)
        errors[name] = _error(tree.predict(z[held]), truth[held], factor.is_floating_point())
    importances = np.stack(columns, axis=1)
    return DCI(
        disentanglement=disentanglement(importances),
        completeness=completeness(importances),
        informativeness=errors,
        importances=importances,
        count=len(z),
    )


def disentanglement(importances: NDArray[np.float64]) -> float:
    """The disentanglement of a matrix R of importances, shape (D, K); 0 where R is 0.

    Example:
        >>> disentanglement(np.eye(3)), round(disentanglement(np.ones((3, 2))), 12)
        (1.0, 0.0)
    """
    total = importances.sum()
    weights = importances.sum(axis=1) / (total if total > 0 else 1.0)
    return float((weights * (1 - _entropies(importances))).sum())


def completeness(importances: NDArray[np.float64]) -> float:
    """The completeness of R, (D, K): the mean over factors; one that nothing predicts has 0."""
    told = importances.sum(axis=0) > 0
    return float(np.where(told, 1 - _entropies(importances.T), 0.0).mean())


def _entropies(parts: NDArray[np.float64]) -> NDArray[np.float64]:
    """The entropy of each row's shares, to the base of their number, shape (rows,)."""
    sums = parts.sum(axis=1, keepdims=True)
    shares = parts / np.where(sums > 0, sums, 1.0)
    terms = -shares * np.log(np.where(shares > 0, shares, 1.0))
    return np.asarray(terms.sum(axis=1) / np.log(max(2, parts.shape[1])))


def _trees(factor: Tensor, seed: int) -> Any:
    from sklearn.ensemble import GradientBoostingClassifier, GradientBoostingRegressor

    kind = GradientBoostingRegressor if factor.is_floating_point() else GradientBoostingClassifier
    return kind(random_state=seed)


def _error(found: NDArray[Any], truth: NDArray[Any], number: bool) -> float:
    if not number:
        return float((found != truth).mean())
    return float(np.sqrt(np.square(found - truth).mean()) / max(float(truth.std()), 1e-300))


def _checked(codes: Tensor, factors: Mapping[str, Tensor]) -> NDArray[np.float64]:
    """The code as float64."""
    if codes.ndim != 2 or len(codes) < _LEAST:
        raise DataError(
            f"dci: codes of shape {tuple(codes.shape)}; expected (rows, numbers), {_LEAST} rows at "
            "least"
        )
    if len(factors) < 2:
        raise DataError(f"dci: {len(factors)} factors; expected at least 2")
    for name, factor in {"codes": codes, **factors}.items():
        if len(factor) != len(codes) or (name != "codes" and factor.ndim != 1):
            given = tuple(factor.shape)
            raise DataError(f"dci: '{name}' has shape {given}; expected ({len(codes)},)")
        if not factor.isfinite().all():
            raise DataError(f"dci: '{name}' has numbers that are not finite")
    for name, factor in factors.items():
        if (factor == factor[0]).all():
            raise DataError(f"dci: factor '{name}' does not vary")
    return np.asarray(codes.detach().cpu().double().numpy())
