"""Line: y = a + w . f + sigma r, fitted to rows by weights of standardised features f.

    least_squares   all rows count alike; sigma is the standard deviation of the residuals
    middle          Huber's estimator: a row far out counts as if it were nearer; sigma is the
                    spread of the residuals' middle, and says where they are bent
                    (`causalflow.nn.tails`)
    censored        greatest likelihood where some rows stand for all beyond them, as those at an
                    end of a closed support do

In a censored line y* = a + w . f + sigma u with u ~ N(0, 1), of which y is seen: y* itself inside,
at the lower end only that y* <= y, at the upper that y* >= y. With v the noise at the end, the mass
there is Phi(v), or Phi(-v), and the noise of such a row is normal, cut off at v (`drawn_below`).

Source: Huber (1964), Robust estimation of a location parameter; Tobin (1958), Estimation of
relationships for limited dependent variables; Olsen (1978), in whose coordinates (w / sigma,
1 / sigma) the censored likelihood is concave.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from causalflow.mechanisms.mechanism import draw_uniform
from causalflow.nn.tails import measured, sizes

__all__ = ["Line", "censored", "drawn_below", "least_censored", "least_squares", "middle"]

STEPS = 100
MARGIN = 1e-6
"""Share of the interval left out at its inner end: networks round differently in other batches."""
LEAST_MASS = 1e-290


def drawn_below(v: Tensor, generator: torch.Generator) -> Tensor:
    """A draw of u ~ N(0, 1) given u <= v, shape (batch,); exact to a millionth of the mass."""
    within = MARGIN + (1 - 2 * MARGIN) * draw_uniform((len(v),), generator, v.device)
    mass = torch.special.ndtr(v)
    drawn = torch.special.ndtri(within * mass.clamp_min(LEAST_MASS))
    far = v + torch.log(within) / v.abs().clamp_min(1)  # Mills' ratio: exponential far below
    return torch.where(mass > LEAST_MASS, torch.minimum(drawn, v), far)


def least_censored(
    design: Tensor, y: Tensor, below: Tensor, above: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """w, a and sigma of greatest likelihood.

    Args:
        design: features, standardised, shape (n, features).
        y: what is seen, shape (n,).
        below: rows at the lower end, bool.
        above: rows at the upper end, bool.
    """
    centre, unit = y.mean(), y.std(correction=0).clamp_min(1e-300)
    seen = (y - centre) / unit
    ones = torch.ones((len(y), 1), dtype=y.dtype, device=y.device)
    columns = torch.cat([ones, design], dim=1)
    slopes = torch.zeros(columns.shape[1], dtype=y.dtype, device=y.device, requires_grad=True)
    log_precision = torch.zeros((), dtype=y.dtype, device=y.device, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [slopes, log_precision], max_iter=STEPS, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        u = log_precision.exp() * seen - columns @ slopes
        inside = log_precision - u.square() / 2
        mass = torch.special.log_ndtr(torch.where(above, -u, u))
        loss = -torch.where(below | above, mass, inside).mean()
        loss.backward()
        return loss

    with torch.enable_grad():
        optimizer.step(closure)
    sigma = torch.exp(-log_precision.detach())
    fitted = slopes.detach() * sigma * unit
    return fitted[1:], centre + fitted[0], sigma * unit


HUBER = 1.345
"""Spreads within which a residual counts in full: 95 % efficient under the normal law."""
REWEIGHTINGS = 30
"""Each is one least squares; the estimate moves by less than rounding after about ten."""

LEAST = 1e-9
"""The least scale, in units of y: where y is a function of the features, rounding is left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A fitted line.

    Attributes:
        slopes: w, in units of y a standardised feature, shape (features,).
        middle: a, the value where every feature is at its centre, shape ().
        scale: sigma, positive, shape ().
        bend: the bend of the residuals over sigma, shape (); infinite: none.
    """

    slopes: Tensor
    middle: Tensor
    scale: Tensor
    bend: Tensor

    def residual(self, design: Tensor, y: Tensor) -> Tensor:
        """y - a - w . f, shape (n,)."""
        return y - self.middle - design @ self.slopes


def least_squares(design: Tensor, y: Tensor) -> Line:
    """The line of least squares; the design's columns have mean 0."""
    unit = sizes(y)
    y = y / unit
    slopes, centre = _solved(design, y - y.mean()), y.mean()
    residual = y - centre - design @ slopes
    freedom = max(1, len(y) - 1 - design.shape[1])
    line = _line(slopes, centre, (residual.square().sum() / freedom).sqrt(), y)
    return replace(
        line, slopes=line.slopes * unit, middle=line.middle * unit, scale=line.scale * unit
    )


def middle(design: Tensor, y: Tensor) -> Line:
    """The line of the middle of the rows."""
    columns = torch.cat([torch.ones_like(y)[:, None], design], dim=1)
    line = torch.zeros(columns.shape[1], dtype=y.dtype, device=y.device)
    line[0] = y.median()
    for _ in range(REWEIGHTINGS):
        residual = y - columns @ line
        _, spread, _ = measured(residual)
        root = (HUBER * spread / residual.abs().clamp_min(1e-300)).clamp_max(1).sqrt()
        line = _solved(root[:, None] * columns, root * y)
    _, spread, bend = measured(y - columns @ line)
    _, unit, _ = measured(y)  # not the deviation: the rows far out would be all of it
    scale = torch.maximum(spread, LEAST * unit)
    return Line(slopes=line[1:], middle=line[0], scale=scale, bend=bend)


def censored(design: Tensor, y: Tensor, below: Tensor, above: Tensor) -> Line:
    """The line of greatest likelihood, rows at the ends known to lie at or beyond them."""
    return _line(*least_censored(design, y, below, above), y)


def _solved(design: Tensor, y: Tensor) -> Tensor:
    """The least-norm least squares, also where a column is constant or doubled (gelsd)."""
    solution = torch.linalg.lstsq(design.cpu(), y.cpu()[:, None], driver="gelsd").solution
    return solution[:, 0].to(y.device)


def _line(slopes: Tensor, centre: Tensor, scale: Tensor, y: Tensor) -> Line:
    """A line whose scale is not zero, and whose residuals are not bent."""
    least = LEAST * (y.std(correction=0) + 1e-3 * y.abs().mean() + 1e-300)
    none = torch.full_like(centre, math.inf)
    return Line(slopes=slopes, middle=centre, scale=torch.maximum(scale, least), bend=none)
