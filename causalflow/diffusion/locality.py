"""Locality: the region of a picture in which its changed parents act; outside of it the rest holds.

Notation: x the factual picture, or its latent, c the conditions it was read under, c' those after
do(), v the velocity (`causalflow.diffusion.field`), v' that of the changed world, guided where
something guides; in the response below by anti-causal edges alone, as neural guidance is no part of
the mechanism, and one that compares with no parent at all would answer everywhere. eps_1, ...,
eps_K are fixed standard normal pictures, the same for every row and every call, and tau_k goes
through `TIMES` again and again. The network itself says where a parent is seen: on noised copies of
the factual picture,

    s = 1/K sum_k |v'(y_k, tau_k; c') - v(y_k, tau_k; c)|,     y_k = (1 - tau_k) x + tau_k eps_k,

|.| the root mean square over channels: the *response*, a number a place. With its maximum over
places widened by ``local_grow`` of them, and (a, b) = ``local_ramp``, the *mask* is

    m = clip((s / max s - a) / (b - a), 0, 1),         0 everywhere where max s < `FAINT`.

Where several parents have changed, m is the largest of the mask of all of them at once and of the
masks of each alone, c' = c but for it: a shadow that moves is seen beside a ball that changes
colour, though the response to it is less than a share a of the other's.

*Parents act locally* is the assumption that outside of the mask the counterfactual is the factual
picture. The factual path z and the counterfactual one z' run down side by side, in one batch, by
the same solver, from the same position:

    dz/dtau = v(z, tau; c),       dz'/dtau = (1 - m) v(z, tau; c) + m v'(z', tau; c').

Where m = 0, z' is z, to the bit, whatever the solver, as every solver treats all places alike;
where m = 1 it follows v', and sees the factual picture around it. For a mask of zeros and ones this
is z' <- m z' + (1 - m) z after every step; at the edge, unlike that, it does not depend on the
number of steps. Nothing is stored, nothing drawn: the mask is a function of the noise and the
parents. Where c' = c nothing is masked at all, and the picture comes back as it was read.

What it costs: 2 K calls of the network a row, as many again for each parent that has changed where
several have, and the factual path's beside the counterfactual's.

It is an assumption of its own, no theorem: a network that answers to a parent everywhere (lighting,
contrast) fills the mask, and then nothing is held, which the answer says (`Regions`); one that does
not hear a parent leaves it empty, and the picture stays as it was, which is warned of. What the
network has learned by heart (these parents, hence that texture) is hidden outside of the mask and
not cured: see the options ``augment_flip``, ..., ``parent_jitter``, and the fit's ``held_out``.

Source: this project's; masks from the difference of two conditions are Couairon et al. (2023),
DiffEdit: Diffusion-based Semantic Image Editing with Mask Guidance, section 3.2, where the picture
outside comes from stored noised copies of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextvars import ContextVar, Token
from dataclasses import dataclass, field
from functools import cache
from itertools import cycle, islice
from types import TracebackType
from typing import TypeAlias

import torch
from torch import Tensor
from torch.nn import functional

from causalflow.diffusion.field import ConditionalField, Field, Time, Values
from causalflow.diffusion.path import interpolate, precise

__all__ = ["FAINT", "Pair", "Regions", "mask_of", "paired", "response", "side_by_side"]

TIMES = (0.5, 0.7, 0.9)
FAINT = 1e-3
"""The least response that is one, of pictures in [-1, 1] or a latent of unit scale."""
FILLED = 0.6
"""The share of a picture from which on a mask is said to fill it."""
ROWS = 512
"""How many rows of noised copies pass through the network at once."""
_SEED = 0

Pair: TypeAlias = Callable[[Tensor, Tensor, Time], tuple[Tensor, Tensor]]
"""The velocities v(z, tau; c) and v'(z', tau; c') of a factual position and another."""


def paired(
    velocity: ConditionalField, target: Values, factual: Values, changed: Field | None = None
) -> Pair:
    """The velocities of both worlds, by one call of the network where nothing guides.

    Args:
        velocity: v.
        target: c', batch rows each.
        factual: c, likewise.
        changed: v', where it is not v under c'.
    """
    if changed is not None:
        return lambda z, other, tau: (velocity(z, tau, factual), changed(other, tau))
    told = {name: torch.cat([factual[name], value]) for name, value in target.items()}

    def pair(z: Tensor, other: Tensor, tau: Time) -> tuple[Tensor, Tensor]:
        times = torch.cat([tau, tau]) if isinstance(tau, Tensor) and tau.ndim else tau
        own, moved = velocity(torch.cat([z, other]), times, told).chunk(2)
        return own, moved

    return pair


def side_by_side(pair: Pair, mask: Tensor) -> Field:
    """The velocity of positions (z, z'), the factual rows first, where z' moves in the mask only.

    Args:
        pair: the velocities of both.
        mask: m, shape (batch, 1, height, width), precise.
    """

    def field(y: Tensor, tau: Time) -> Tensor:
        z, other = y.chunk(2)
        own, moved = pair(z, other, tau)
        return torch.cat([own, torch.lerp(own, moved, mask)])

    return field


def response(
    pair: Callable[[Values, Values], Pair], target: Values, factual: Values, x: Tensor, draws: int
) -> Tensor:
    """s, shape (batch, 1, height, width), precise.

    Args:
        pair: gives the velocities of both worlds under conditions c' and c.
        target: c', batch rows each.
        factual: c, likewise.
        x: factual, shape (batch, channel, height, width).
        draws: K.
    """
    x = precise(x)
    noises, times = _copies(x.shape[1:], x.dtype, x.device, draws)
    total = torch.zeros_like(x[:, :1])
    together = max(1, ROWS // len(x))
    for noise, tau in zip(noises.split(together), times.split(together), strict=True):
        count, rows = len(noise), len(x)
        tau = tau.repeat_interleave(rows)
        y = interpolate(x.repeat(count, 1, 1, 1), noise.repeat_interleave(rows, dim=0), tau)
        both = pair(_repeated(target, count), _repeated(factual, count))
        own, moved = both(y, y, tau)
        size = (moved - own).square().mean(dim=1, keepdim=True).sqrt()
        total = total + size.unflatten(0, (count, rows)).sum(dim=0)
    return total / draws


def mask_of(s: Tensor, ramp: tuple[float, float], grow: int = 0) -> Tensor:
    """m of a response, of its shape: (batch, 1, height, width).

    Example:
        >>> mask_of(torch.tensor([[[[0.1, 0.3, 1.0, 2.0]]]]), (0.1, 0.2))
        tensor([[[[0.0000, 0.5000, 1.0000, 1.0000]]]])
    """
    low, high = ramp
    most = s.amax(dim=(1, 2, 3), keepdim=True)
    if grow:
        s = functional.max_pool2d(s, 2 * grow + 1, stride=1, padding=grow)
    mask = ((s / most.clamp_min(FAINT) - low) / (high - low)).clamp(0, 1)
    return torch.where(most < FAINT, torch.zeros_like(mask), mask)


def _repeated(values: Values, count: int) -> dict[str, Tensor]:
    return {name: torch.cat([value] * count) for name, value in values.items()}


@cache
def _copies(
    shape: torch.Size, dtype: torch.dtype, device: torch.device, draws: int
) -> tuple[Tensor, Tensor]:
    """eps and tau of every copy: made once, since a recorded walk fetches nothing from the host."""
    generator = torch.Generator().manual_seed(_SEED)
    times = list(islice(cycle(TIMES), draws))
    with torch.inference_mode(False):
        noise = torch.randn((draws, *shape), generator=generator).to(device, dtype)
        return noise, torch.tensor(times, dtype=dtype, device=device)


_LISTENER: ContextVar[Regions | None] = ContextVar("regions", default=None)


@dataclass(slots=True, kw_only=True, eq=False)
class Regions:
    """The regions in which parents acted, of what is predicted while it is entered.

    Attributes:
        shares: image node -> the share of each row's picture inside of its mask, shape (batch,),
            NaN in rows where nothing was held: drawn ones, and those that no parent changed.
    """

    shares: dict[str, Tensor] = field(default_factory=dict)
    _token: Token[Regions | None] | None = None

    def __enter__(self) -> Regions:
        self._token = _LISTENER.set(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._token is not None
        _LISTENER.reset(self._token)

    @staticmethod
    def tell(name: str, share: Tensor) -> None:
        """Whoever listens is told of the region of a node's pictures."""
        listener = _LISTENER.get()
        if listener is not None:
            listener.shares[name] = share

    @property
    def assumptions(self) -> tuple[str, ...]:
        """What was assumed of each image, one sentence each."""
        return tuple(_assumed(name, share) for name, share in self._held())

    @property
    def unsure(self) -> tuple[str, ...]:
        """What is suspicious, one sentence each."""
        return tuple(
            f"'{name}': the network answers nowhere in {empty:,} of the {len(share):,} pictures "
            "whose parents do() changed; such a picture is left as it was"
            for name, share in self._held()
            if (empty := int((share == 0).sum()))
        )

    def _held(self) -> Iterator[tuple[str, Tensor]]:
        told = ((name, share[~share.isnan()]) for name, share in self.shares.items())
        return ((name, share) for name, share in told if len(share))


def _assumed(name: str, share: Tensor) -> str:
    """The assumption, and how much of it there is."""
    inside = f"{float(share.mean()):.0%} of the picture"
    if len(share) > 1:
        inside += f", {float(share.min()):.0%} to {float(share.max()):.0%} by row"
    said = (
        f"parents act locally: '{name}' is held outside of the region where its network depends on "
        f"what changed ({inside})"
    )
    if filled := int((share > FILLED).sum()):
        said += f"; a change of the whole picture fills it in {filled:,} of {len(share):,} rows"
    return said
