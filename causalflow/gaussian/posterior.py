"""Posterior: the noise of a linear model given some of its variables, in one world or in several.

Notation: A z = b what is known, row k of A the loading of the k-th known variable and b_k its value
less its constant; A = U S V' its singular values, of which those that rounding leaves are cut off.

    z | A z = b   ~   N(m, I - V V'),      m = V S^-1 U' b

The covariance is a projection W W', W the directions of z of which nothing is known. What lies in
no direction of U cannot be: evidence of density zero. A variable c + L z is then normal, with mean
c + L m and variance |L W|^2, and so is every variable of every other world: a counterfactual.

Rows of A are brought to length one first, as the units of what is known may differ as they like.

Source: Pearl (2009), *Causality*, theorem 7.1.7; Golub & Van Loan (2013), *Matrix computations*,
section 5.5.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from causalflow.errors import EvidenceError
from causalflow.gaussian.linear_model import Affine, Array

__all__ = ["Posterior"]

ROUNDING = 1e-10
"""Singular values below this share of the largest are those of exact dependence."""
IMPOSSIBLE = 1e-6
"""How far, in units of the noise, evidence may miss what its own dependence allows."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Posterior:
    """The law of the noise given evidence.

    Attributes:
        mean: m, shape (noises,), or (rows, noises).
        open: W, shape (noises, directions): orthonormal columns.
    """

    mean: Array
    open: Array

    @staticmethod
    def of(known: Sequence[Affine], values: Sequence[Array], noises: int) -> Posterior:
        """The posterior of ``noises`` standard normal noises.

        Args:
            known: the variables that are known, of any world.
            values: the value of each, a number or one a row.

        Raises:
            EvidenceError: values that the lines cannot give together.
        """
        if not known:
            return Posterior(mean=np.zeros(noises), open=np.eye(noises))
        loading = np.stack([each.loading for each in known])
        units = np.linalg.norm(loading, axis=1)
        rest = [np.asarray(v - each.constant) for v, each in zip(values, known, strict=True)]
        scale = np.where(units > 0, units, 1.0)
        seen = np.stack(np.broadcast_arrays(*rest), axis=-1) / scale
        left, sizes, right = np.linalg.svd(loading / scale[:, None])
        rank = int((sizes > ROUNDING * max(sizes.max(initial=0.0), 1.0)).sum())
        within = seen @ left[:, :rank]
        missed = np.abs(seen - within @ left[:, :rank].T).max(initial=0.0)
        if missed > IMPOSSIBLE * max(1.0, float(np.abs(seen).max())):
            raise EvidenceError(
                "the evidence has density zero: the equations make one of the given values of the "
                "others, and not this one"
            )
        mean = (within / sizes[:rank]) @ right[:rank]
        return Posterior(mean=np.asarray(mean), open=right[rank:].T)

    def expectation(self, variable: Affine) -> Array:
        """The mean of a variable of any world: shape (), or (rows,)."""
        return np.asarray(variable.constant + self.mean @ variable.loading)

    def covariance(self, variables: Sequence[Affine]) -> Array:
        """The covariance of variables of any worlds: (variables, variables); rows share it."""
        spread = np.stack([each.loading for each in variables]) @ self.open
        return np.asarray(spread @ spread.T)

    def deviation(self, variable: Affine) -> float:
        """The standard deviation of a variable of any world, 0 where rounding alone is left."""
        spread = float(np.linalg.norm(variable.loading @ self.open))
        return spread if spread > ROUNDING * float(np.linalg.norm(variable.loading)) else 0.0

    def quantiles(self, variable: Affine, normal: Array) -> Array:
        """The quantiles of a variable where those of N(0, 1) are ``normal``: (rows, quantiles)."""
        mean = np.asarray(self.expectation(variable))
        return np.asarray(mean.reshape(-1, 1) + self.deviation(variable) * normal)

    def draw(self, n: int, random: np.random.Generator) -> Array:
        """n draws of z for each row: (n, noises), or (n, rows, noises)."""
        free = random.standard_normal((n, *self.mean.shape[:-1], self.open.shape[1]))
        return np.asarray(self.mean + free @ self.open.T)
