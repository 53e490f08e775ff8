"""Pictures: images in [0, 1] written as PNG files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image as Picture
from torch import Tensor

from causalflow.errors import DataError

__all__ = ["write_png"]

_MODES = {1: "L", 3: "RGB", 4: "RGBA"}


def write_png(path: str | Path, image: Tensor) -> None:
    """Write one image with 8 bits a channel.

    Args:
        path: of the file.
        image: shape (channels, height, width), 1, 3 or 4 channels; clamped to [0, 1].

    Raises:
        DataError: another number of channels.
    """
    if image.shape[0] not in _MODES:
        raise DataError(f"{path}: {image.shape[0]} channels; a PNG file has 1, 3 or 4")
    pixels = (image.detach().clamp(0, 1) * 255).round().cpu().numpy().astype(np.uint8)
    mode = _MODES[image.shape[0]]
    picture = Picture.fromarray(pixels[0] if mode == "L" else np.moveaxis(pixels, 0, -1), mode)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    picture.save(path, format="PNG")
