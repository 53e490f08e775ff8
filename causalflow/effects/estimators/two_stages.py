"""Two stages: an effect from variables that move the treatment and reach the outcome only by it.

Notation: for row i, y_i the outcome, x_i the treatment, z_i the instruments (k of them), each with
what other variables explain of it taken out; b the effect of one unit of x on y.

    two stages       b = x'P y / x'P x, P the projection on z             variance: heteroskedastic
    first stage      F = x'P x / tr((z'z)^-1 sum_i z_i z_i' v_i^2), v_i the residual of x on z
    Anderson-Rubin   g_i(b) = z_i (y_i - b x_i); all b with (sum g)'(sum g g')^-1 (sum g) <= c
                     c the quantile of chi^2 with k degrees of freedom

The first interval trusts that z moves x; the second does not: it is right however weak z is, and
then it is a half-line, all numbers, or all but an interval. With several instruments it may be
empty: they contradict one another.

With x and z of two levels, D_y and D_x the effects of z on y and x, b = D_y / D_x is the effect
among those whom z moves (*compliers*), if z moves nobody the other way; scores of D_y and D_x take
the place of z_i y_i and z_i x_i.

Source: Anderson & Rubin (1949); Imbens & Angrist (1994) for compliers; Montiel Olea & Pflueger
(2013) for F; Chernozhukov & Hansen (2008) for the interval under heteroskedasticity.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from causalflow.effects.complete_rows import Array
from causalflow.errors import DataError

__all__ = ["STRONG", "Instrumented", "ratio_of_scores", "two_stages"]

STRONG = 23.1
"""F above which the two-stage estimate's bias is under a tenth of the worst, at 95 % (one z)."""

_STEPS = 1_000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Instrumented:
    """An effect found by instruments.

    Attributes:
        value: b.
        influence: what each row adds to it, shape (n,); the error's variance is the mean of its
            squares over n.
        strength: F of the first stage.
        robust: the parts of the Anderson-Rubin set, from left to right; none: it is empty.
    """

    value: float
    influence: Array
    strength: float
    robust: tuple[tuple[float, float], ...]

    @property
    def error(self) -> float:
        """The standard error."""
        return float(np.sqrt((self.influence**2).mean() / len(self.influence)))

    @property
    def is_weak(self) -> bool:
        """Whether the first stage is too weak for the estimate and its standard error."""
        return self.strength < STRONG


def two_stages(
    outcome: Array, treatment: Array, instruments: Array, *, confidence: float = 0.95, used: int = 1
) -> Instrumented:
    """The effect of one unit of a treatment, the same for everyone.

    Args:
        outcome: y, shape (n,); other variables and the mean taken out, as in all three.
        treatment: x, shape (n,).
        instruments: z, shape (n, k).
        confidence: the Anderson-Rubin set's.
        used: how many coefficients taking out cost, the mean's included.

    Raises:
        DataError: the instruments do not vary beside the others, or do not differ.
    """
    n, k = instruments.shape
    square = instruments.T @ instruments
    if np.linalg.matrix_rank(square) < k:
        raise DataError("estimate: an instrument does not vary beside the other variables")
    first = np.linalg.solve(square, instruments.T @ treatment)
    moved = instruments @ first
    free = n / max(n - k - used, 1)
    left = treatment - moved
    noise = (instruments * (left**2)[:, None]).T @ instruments * free
    strength = float(treatment @ moved / np.trace(np.linalg.solve(square, noise)))
    value = float(moved @ outcome / (moved @ treatment))
    influence = moved * (outcome - value * treatment) / (moved @ treatment) * n * np.sqrt(free)
    return Instrumented(
        value=value,
        influence=influence,
        strength=strength,
        robust=_robust(
            instruments * outcome[:, None], instruments * treatment[:, None], confidence
        ),
    )


def ratio_of_scores(above: Array, below: Array, *, confidence: float = 0.95) -> Instrumented:
    """One effect over another, such as of an instrument on the outcome and on the treatment.

    Args:
        above: scores whose mean is the effect on the outcome, shape (n,).
        below: scores whose mean is the effect on the treatment, shape (n,).
        confidence: the Anderson-Rubin set's, here Fieller's.
    """
    value = float(above.mean() / below.mean())
    strength = float(below.mean() ** 2 / (below.var() / len(below)))
    return Instrumented(
        value=value,
        influence=(above - value * below) / below.mean(),
        strength=strength,
        robust=_robust(above[:, None], below[:, None], confidence),
    )


def _robust(above: Array, below: Array, confidence: float) -> tuple[tuple[float, float], ...]:
    """All b at which the mean of above - b below is not told from 0, by its own spread."""
    from scipy.stats import chi2

    bar = chi2.ppf(confidence, above.shape[1])
    sides = (above - above.mean(0), below - below.mean(0))
    squares = [[one.T @ other for other in sides] for one in sides]
    sums = above.sum(0), below.sum(0)

    def excess(angles: Array) -> Array:
        """The statistic at b = tan(angle), less the bar, shape (angles,)."""
        one, other = np.cos(angles)[:, None], -np.sin(angles)[:, None]
        total = one * sums[0] + other * sums[1]
        one, other = one[..., None], other[..., None]
        spread = (
            one**2 * squares[0][0]
            + one * other * (squares[0][1] + squares[1][0])
            + other**2 * squares[1][1]
        )
        solved = np.linalg.solve(spread, total[..., None])[..., 0]
        return np.asarray((total * solved).sum(axis=1) - bar)

    return _below_zero(excess, _angles(above, below))


def _angles(above: Array, below: Array) -> Array:
    """Angles that are dense where the two sides' sizes balance: tan(angle) = s tan(even ones)."""
    scale = np.linalg.norm(above) / np.linalg.norm(below)
    even = np.linspace(-np.pi / 2, np.pi / 2, _STEPS + 1)
    center = float(above.sum(0) @ below.sum(0) / (below.sum(0) @ below.sum(0)))
    near = np.arctan(center + scale * np.linspace(-1, 1, _STEPS + 1) ** 3)
    inner = np.concatenate([np.arctan(scale * np.tan(even[1:-1])), near])
    return np.concatenate([even[:1], np.unique(inner), even[-1:]])


def _below_zero(excess: Callable[[Array], Array], angles: Array) -> tuple[tuple[float, float], ...]:
    """Where a function of an angle is at most 0, as intervals of the angle's tangent."""
    from scipy.optimize import brentq

    def at_one(angle: float) -> float:
        return float(excess(np.array([angle]))[0])

    inside = excess(angles) <= 0
    turns = np.flatnonzero(inside[1:] != inside[:-1])
    roots = [brentq(at_one, angles[at], angles[at + 1], xtol=1e-14) for at in turns]
    ends = [*map(float, np.tan(roots))]
    ends = [*([-np.inf] if inside[0] else []), *ends, *([np.inf] if inside[-1] else [])]
    return tuple(zip(ends[::2], ends[1::2], strict=True))
