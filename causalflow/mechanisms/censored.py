"""Censored: numbers that stand for all beyond them, as an end of a closed support does.

Notation: y* = a + w . f + sigma u, u ~ N(0, 1), of which y is seen: y* itself inside; at the lower
end only that y* <= y, at the upper that y* >= y. With v the noise at the end, the mass there is
Phi(v), or Phi(-v), and the noise of a row at the end is the normal one cut off there.

Source: Tobin (1958), Estimation of relationships for limited dependent variables; Olsen (1978), in
whose coordinates (w / sigma, 1 / sigma) the likelihood is concave.
"""

from __future__ import annotations

import torch
from torch import Tensor

from causalflow.mechanisms import draws

__all__ = ["drawn_below", "least_censored"]

STEPS = 100
MARGIN = 1e-6
"""Share of the interval left out at its inner end: networks round differently in other batches."""
LEAST_MASS = 1e-290


def drawn_below(v: Tensor, generator: torch.Generator) -> Tensor:
    """A draw of u ~ N(0, 1) given u <= v, shape (batch,); exact to a millionth of the mass."""
    within = MARGIN + (1 - 2 * MARGIN) * draws.uniform((len(v),), generator, v.device)
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
