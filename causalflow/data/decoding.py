"""Decoding: a picture's bytes become numbers; its format is told by the content.

    8 bits   PNG, JPEG, WebP, BMP, TIFF       whole numbers 0..255
    deeper   PNG and TIFF of 16 bits          whole numbers 0..65535
             TIFF of floats, .npy, .npz       floats in [0, 1], or any number in a window
             DICOM, NIfTI                     `causalflow.data.medical`

The format is one of these alone: other decoders of the imaging library start programs (an EPS file
its PostScript interpreter) or are of no use here. The number of pixels is held against a limit
before any is decoded. The orientation that a camera notes (EXIF) is honoured.

Channels are those that the graph asks for. Gray fills colours; colour becomes gray by its luma,
.299 red + .587 green + .114 blue; transparency is left out, unless the graph has four channels;
palettes and CMYK become red, green and blue. Of a file with several pages the first is read. A PNG
with 16 bits in each of three colours is read with 8.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Picture
from PIL import ImageOps

from causalflow.data.arrays import array_of
from causalflow.data.medical import Raw, is_dicom, is_nifti, read_dicom, read_nifti
from causalflow.errors import DataError
from causalflow.files import read_bytes
from causalflow.limits import PICTURE_BYTES, PICTURE_PIXELS

__all__ = ["FORMATS", "READ_MODES", "Raw", "decode", "opened_picture", "raw_of"]

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF")
READ_MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
_EIGHT_BIT = frozenset({"1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr"})
_SIXTEEN_BIT = frozenset({"I;16", "I;16L", "I;16B"})
_ORIENTATION = 0x0112
_ADDRESS = re.compile(r" <\S+ object at 0x[0-9a-f]+>")
_LUMA = (0.299, 0.587, 0.114)


def decode(content: bytes, name: object, channels: int | None = None, cut: str = "") -> Raw:
    """The numbers of a picture.

    Args:
        content: the bytes of its file.
        name: the picture in messages.
        channels: how many are wanted, 1 to 4; None: its own.
        cut: which slice of a volume; see `causalflow.data.medical`.

    Raises:
        DataError: no picture of a format of the module, one of too many pixels, a damaged one, or
            one whose channels cannot become those wanted.
    """
    if content.startswith((b"\x93NUMPY", b"PK")):
        return raw_of(array_of(content, name), name, channels)
    if is_dicom(content):
        return _of_channels(read_dicom(content, name, cut), name, channels)
    if is_nifti(content):
        return _of_channels(read_nifti(content, name, cut), name, channels)
    with opened_picture(content, name) as picture:
        return _of_picture(picture, name, channels)


def raw_of(array: NDArray[Any], name: object, channels: int | None = None) -> Raw:
    """The numbers of a picture that is an array.

    Args:
        array: (height, width), (channels, height, width), or (height, width, channels) where that
            fits the channels wanted and the former does not.
        name: the picture in messages.
        channels: how many are wanted; None: its own.

    Raises:
        DataError: another shape, or no numbers.
    """
    last = _channels_last(array, name, channels)
    if array.dtype == np.uint8:
        return _eight_bits(last, name, channels)
    ends = {"b": (0.0, 1.0), "f": (0.0, 1.0)}.get(array.dtype.kind)
    if array.dtype.kind not in "biuf":
        raise DataError(f"{name}: an array of type {array.dtype}; expected numbers")
    ends = (0.0, 65535.0) if array.dtype == np.uint16 else ends
    return _of_channels(Raw(values=last, ends=ends), name, channels)


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
        reason = _ADDRESS.sub("", str(mistake))
        raise DataError(f"{name}: {what} ({'/'.join(FORMATS)}): {reason}") from None


def _of_picture(picture: Picture.Image, name: object, channels: int | None) -> Raw:
    picture.load()
    if picture.getexif().get(_ORIENTATION, 1) != 1:
        picture = ImageOps.exif_transpose(picture)
    if picture.mode in _EIGHT_BIT:
        wanted = channels or len(picture.getbands())
        return _eight_bit_picture(picture, wanted)
    values = np.asarray(picture)[:, :, None]
    if picture.mode in _SIXTEEN_BIT or (picture.mode == "I" and picture.format == "PNG"):
        raw = Raw(values=values.astype(np.float64), ends=(0.0, 65535.0))
    elif picture.mode in ("I", "F"):
        raw = Raw(values=values, ends=(0.0, 1.0) if picture.mode == "F" else None)
    else:
        raise DataError(f"{name}: pixels of mode '{picture.mode}'; expected gray or colours")
    return _of_channels(raw, name, channels)


def _eight_bit_picture(picture: Picture.Image, channels: int) -> Raw:
    pixels = np.asarray(picture.convert(READ_MODES[channels]))
    values = pixels.reshape(picture.height, picture.width, channels)
    return Raw(values=values, ends=(0.0, 255.0))


def _eight_bits(values: NDArray[Any], name: object, channels: int | None) -> Raw:
    """An array 0..255, its channels converted as those of a picture file are."""
    given = values.shape[2]
    if channels in (None, given):
        return Raw(values=values, ends=(0.0, 255.0))
    flat = np.ascontiguousarray(values[:, :, 0] if given == 1 else values)
    return _eight_bit_picture(Picture.fromarray(flat, READ_MODES[given]), channels)


def _channels_last(array: NDArray[Any], name: object, channels: int | None) -> NDArray[Any]:
    """Shape (height, width, channels)."""
    if array.ndim == 2 and array.size:
        return array[:, :, None]
    shape = array.shape
    if array.ndim == 3 and array.size:
        likely = (shape[0] == channels, shape[2] == channels, shape[0] in READ_MODES)
        if likely[0] or (likely[2] and not likely[1]):
            return np.moveaxis(array, 0, -1)
        if shape[2] in READ_MODES:
            return array
    expected = "(height, width), (channels, height, width) or (height, width, channels)"
    raise DataError(f"{name}: an array of shape {shape}; expected {expected}, 1 to 4 channels")


def _of_channels(raw: Raw, name: object, channels: int | None) -> Raw:
    """The channels that are wanted, of deep pictures."""
    given = raw.values.shape[2]
    if raw.values.dtype == np.uint8:
        converted = _eight_bits(raw.values, name, channels)
        return Raw(values=converted.values, ends=raw.ends, inverted=raw.inverted)
    if channels in (None, given):
        return raw
    colours = raw.values[:, :, :3] if given > 2 else raw.values[:, :, :1]
    match channels, colours.shape[2]:
        case 1, 3:
            values = (colours.astype(np.float64) @ np.array(_LUMA))[:, :, None]
        case 3, 1:
            values = np.repeat(colours, 3, axis=2)
        case (1, 1) | (3, 3):
            values = colours
        case _:
            raise DataError(f"{name}: {given} channels; the graph asks for {channels}")
    return Raw(values=values, ends=raw.ends, inverted=raw.inverted)
