"""Pendulum readings: the four labels of a pendulum picture, measured on its pixels.

Every pixel is a mixture of white, black, firebrick and orange, w_white + w_black + w_bob + w_sun =
1, so that three channels give the four shares exactly. With centroids of the shares, in units of
the scene (`causalflow.data.pendulum_scene`),

    angle            direction from the pivot to the centroid of firebrick
    light            direction from the pivot to the sun's height above the centroid of orange
    shadow_length    black of the ground's rows, over the stroke's width
    shadow_position  its centroid across

Shares below `FAINT` count as nothing. No reading is free of error: its floor is the error on true
pictures, at 32 x 32 about .1 steps of 0.9 degrees and .02 units. What lies beyond the edge of the
picture is not seen; a picture without bob, sun or shadow gives NaN.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from causalflow.data.pendulum_scene import (
    BLACK,
    FIREBRICK,
    GROUND,
    ORANGE,
    PIVOT,
    STROKE,
    SUN_HEIGHT,
    pixel_scale,
    to_pixels,
)
from causalflow.errors import DataError

__all__ = ["FAINT", "read_pendulum", "shadow_inside"]

FAINT = 0.1
_SKY, _FLOOR = 14.0, 0.6  # heights: the sun is above, the shadow below
_STEPS = 200 / math.pi  # of 0.9 degrees, a radian


def read_pendulum(images: Tensor) -> dict[str, Tensor]:
    """The labels that pictures show: float64, shape (batch,) each; NaN where a shape is missing.

    Args:
        images: float in [0, 1] or uint8, shape (batch, 3, size, size).

    Raises:
        DataError: another shape.
    """
    if images.ndim != 4 or images.shape[1] != 3 or images.shape[2] != images.shape[3]:
        raise DataError(f"images of shape {tuple(images.shape)}; expected (batch, 3, size, size)")
    size = images.shape[-1]
    black, bob, sun = _shares(images)
    x, y = _places(size, images.device)
    black, bob, sun = black * (y < _FLOOR), bob * (y < _SKY), sun * (y > _SKY)
    profile = (black.sum(dim=1) / (size * STROKE)).clamp(0, 1)
    return {
        "angle": _direction(_mean(bob, x), _mean(bob, y)),
        "light": _STEPS
        * torch.atan2(torch.tensor(SUN_HEIGHT - PIVOT[1]), _mean(sun, x) - PIVOT[0]),
        "shadow_length": _present(profile.sum(dim=1)) / pixel_scale(size)[0],
        "shadow_position": (profile * x[:, 0]).sum(dim=1) / _present(profile.sum(dim=1)),
    }


def shadow_inside(length: Tensor, position: Tensor) -> Tensor:
    """Whether a shadow lies within the picture: bool, shape (batch,)."""
    left, _ = to_pixels((position - length / 2).numpy(), GROUND, 1)
    right, _ = to_pixels((position + length / 2).numpy(), GROUND, 1)
    return torch.from_numpy((left >= 0) & (right <= 1))


def _shares(images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The shares of black, firebrick and orange, shape (batch, height, width); the faint are 0."""
    unit = images.double() / (255 if images.dtype == torch.uint8 else 1)
    colours = torch.tensor([BLACK, FIREBRICK, ORANGE], dtype=torch.float64) / 255
    mixing = torch.linalg.inv(1 - colours).to(unit.device)
    shares = torch.einsum("bchw,ck->kbhw", 1 - unit, mixing)
    black, bob, sun = torch.where(shares < FAINT, 0.0, shares).clamp_max(1)
    return black, bob, sun


def _places(size: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """The pixels' centres in units of the scene, x (1, 1, size) and y (1, size, 1)."""
    left, top = to_pixels(0.0, 0.0, size)
    wide, high = pixel_scale(size)
    pixels = torch.arange(size, dtype=torch.float64, device=device) + 0.5
    return ((pixels - float(left)) / wide)[None, None], ((float(top) - pixels) / high)[
        None, :, None
    ]


def _mean(weights: Tensor, place: Tensor) -> Tensor:
    """The centroid along one axis, shape (batch,)."""
    return (weights * place).sum(dim=(1, 2)) / _present(weights.sum(dim=(1, 2)))


def _direction(x: Tensor, y: Tensor) -> Tensor:
    """The angle from straight down, in steps."""
    return _STEPS * torch.atan2(x - PIVOT[0], PIVOT[1] - y)


def _present(total: Tensor) -> Tensor:
    """The total, NaN where it is less than a pixel's."""
    return torch.where(total < 1, torch.nan, total)
