"""Augmentation: pictures seen otherwise in training, in ways that their parents do not speak of.

With few pictures a network learns them by heart: these parents, hence that texture, which do() then
repaints. A change of the picture that leaves every parent as it is makes new rows of old ones. Of
which changes that is true nobody but the user knows, so each is an option of the image node, and
none is on by itself:

    augment_flip        left and right change places, in half of the rows
    augment_shift       moved by up to so many pixels along each axis, the edge repeated
    augment_brightness  p + b, b uniform within so much of 0, pixels p in [0, 1]
    augment_noise       p + s eps, eps standard normal, s uniform from 0 to so much

A flip is wrong where a parent says "left", a shift where one says a place, brightness where one
says light. Pixels are kept within their range. Draws are made only for what is on.
"""

from __future__ import annotations

import torch
from torch import Tensor

from causalflow.graph.node import Diffusion

__all__ = ["augmented", "augments"]


def augments(options: Diffusion) -> bool:
    """Whether pictures are seen otherwise at all."""
    moved = options.augment_flip or options.augment_shift
    return bool(moved or options.augment_brightness or options.augment_noise)


def augmented(image: Tensor, options: Diffusion, generator: torch.Generator) -> Tensor:
    """The pictures as a step of training sees them; themselves where nothing is on.

    Args:
        image: in [-1, 1], shape (batch, channel, height, width); NaN in rows without one.
        options: those of the image node.
        generator: draws.
    """
    rows = (len(image), 1, 1, 1)
    if options.augment_flip:
        mirrored = _uniform(rows, generator, image) < 0.5
        image = torch.where(mirrored, image.flip(-1), image)
    if options.augment_shift:
        image = _shifted(image, options.augment_shift, generator)
    if options.augment_brightness:
        lighter = 2 * _uniform(rows, generator, image) - 1
        image = (image + 2 * options.augment_brightness * lighter).clamp(-1, 1)
    if options.augment_noise:
        spread = 2 * options.augment_noise * _uniform(rows, generator, image)
        noise = torch.randn(image.shape, generator=generator, device=generator.device)
        image = (image + spread * noise.to(image)).clamp(-1, 1)
    return image


def _shifted(image: Tensor, most: int, generator: torch.Generator) -> Tensor:
    """The pictures moved, each by its own whole number of pixels along each axis."""
    n, _, height, width = image.shape
    offsets = torch.randint(
        -most, most + 1, (2, n, 1), generator=generator, device=generator.device
    )
    down, right = offsets.to(image.device)
    at = (torch.arange(height, device=image.device) - down).clamp(0, height - 1)
    along = (torch.arange(width, device=image.device) - right).clamp(0, width - 1)
    rows = torch.arange(n, device=image.device)[:, None, None]
    moved = image.permute(0, 2, 3, 1)[rows, at[:, :, None], along[:, None, :]]
    return moved.permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)


def _uniform(shape: tuple[int, ...], generator: torch.Generator, image: Tensor) -> Tensor:
    return torch.rand(shape, generator=generator, device=generator.device).to(image)
