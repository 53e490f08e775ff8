"""Circuit readings: the four labels of a look-alike CausalCircuit picture, measured on its pixels.

    arm                centroid across of the metal between lamps and rail, as a share of the track
    blue, green, red   mean over a lamp's disk of the pixels' projection on the lamp's colour, less
                       what a lamp shows that is off

Pixels that the disk covers in part count by that part. No reading is free of error: its floor is
the error on true pictures, at 32 x 32 about .0005 of the track and .002 of full light. A picture
without an arm gives NaN. Published pictures are of another scene, and cannot be read so.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from causalflow.data.causal_circuit import DARK, GROUND, LAMPS, METAL, TRACK, lamp_cover
from causalflow.errors import DataError

__all__ = ["read_circuit"]

_BODY = (0.58, 0.80)  # heights between which the arm alone is drawn, as shares of the picture
_FAINT = 0.05


def read_circuit(images: Tensor) -> dict[str, Tensor]:
    """The labels that pictures show: float64, shape (batch,) each; NaN where no arm is seen.

    Args:
        images: of the synthetic look-alike, float in [0, 1] or uint8, shape (batch, 3, size, size).

    Raises:
        DataError: another shape.
    """
    if images.ndim != 4 or images.shape[1] != 3 or images.shape[2] != images.shape[3]:
        raise DataError(f"images of shape {tuple(images.shape)}; expected (batch, 3, size, size)")
    unit = images.double().cpu() * (1 if images.dtype == torch.uint8 else 255)
    lights = {lamp: _light(unit, lamp) for lamp in LAMPS}
    return {"arm": _arm(unit), **lights}


def _arm(unit: Tensor) -> Tensor:
    """The arm's place from the centroid of its body."""
    size = unit.shape[-1]
    rows = slice(*(round(share * size) for share in _BODY))
    ground, metal = (torch.tensor(colour, dtype=torch.float64) for colour in (GROUND, METAL))
    toward = (metal - ground) / (metal - ground).square().sum()
    shares = torch.einsum("bchw,c->bhw", unit[:, :, rows] - ground[:, None, None], toward)
    profile = torch.where(shares < _FAINT, 0.0, shares).clamp_max(1).sum(dim=1)
    across = (torch.arange(size, dtype=torch.float64) + 0.5) / size
    total = profile.sum(dim=1)
    place = (profile * across).sum(dim=1) / torch.where(total < 1, torch.nan, total)
    left, right = TRACK
    return (place - left) / (right - left)


def _light(unit: Tensor, lamp: str) -> Tensor:
    """A lamp's light from the pixels that it covers whole or in part."""
    colour = torch.tensor(LAMPS[lamp][1], dtype=torch.float64)
    ground = torch.tensor(GROUND, dtype=torch.float64)[:, None, None]
    covered = torch.from_numpy(np.asarray(lamp_cover(lamp, unit.shape[-1])))
    own = (unit - (1 - covered) * ground) * (covered > 0)
    seen = (own * colour[:, None, None]).sum(dim=(1, 2, 3))
    brightness = seen / (covered.sum() * colour.square().sum())
    return (brightness - DARK) / (1 - DARK)
