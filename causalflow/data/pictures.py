"""Pictures: files of the formats that are meant are opened, and images in [0, 1] written as PNG.

The format is told by the content and is one of `FORMATS`: other decoders of the imaging library
start programs (an EPS file its PostScript interpreter) or are of no use here. The number of pixels
is held against a limit before any is decoded.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image as Picture
from torch import Tensor

from causalflow.errors import DataError
from causalflow.files import read_bytes
from causalflow.limits import PICTURE_BYTES, PICTURE_PIXELS

__all__ = ["FORMATS", "opened_picture", "write_png"]

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF")
_MODES = {1: "L", 3: "RGB", 4: "RGBA"}


@contextmanager
def opened_picture(source: str | Path | bytes, name: object) -> Iterator[Picture.Image]:
    """A picture of one of `FORMATS`, its header read; it is decoded when its pixels are asked for.

    Args:
        source: a file's path, or its bytes.
        name: the picture in messages.

    Raises:
        DataError: no such file, no such picture, one of too many pixels; and, inside of the block,
            whatever the decoder raises on a damaged one.
    """
    content = (
        source if isinstance(source, bytes) else read_bytes(source, DataError, limit=PICTURE_BYTES)
    )
    with _decoder_errors(name, "not an image file that can be read"):
        picture = Picture.open(io.BytesIO(content), formats=FORMATS)
    width, height = picture.size
    if width * height > PICTURE_PIXELS:
        raise DataError(
            f"{name}: {width:,} x {height:,} pixels; at most {PICTURE_PIXELS:,} are decoded"
        )
    with picture, _decoder_errors(name, "damaged image file"):
        yield picture


@contextmanager
def _decoder_errors(name: object, what: str) -> Iterator[None]:
    """Whatever a decoder raises becomes one error; what it warns of is no news but for bombs."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Picture.DecompressionBombWarning)
            yield
    except DataError:
        raise
    except Exception as mistake:  # decoders raise what they like: struct.error, KeyError, ...
        raise DataError(f"{name}: {what} ({'/'.join(FORMATS)}): {mistake}") from None


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
