"""Picture: images as the page shows them, PNG files written into the answer, and what differs.

A difference has a sign, the mean over the channels of after less before, in shares of black to
white. It is drawn by what it hides: nothing where nothing changed; darker in blue, brighter in
vermillion, opaque from `FULL` on.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from causalflow.errors import DataError

if TYPE_CHECKING:
    from torch import Tensor

    from causalflow.data.decoding import Raw
    from causalflow.data.habit import Habit

__all__ = ["FULL", "data_uri", "difference", "made", "picture_of", "unit"]

FULL = 0.5
DARKER, BRIGHTER = (0.0, 114 / 255, 178 / 255), (213 / 255, 94 / 255, 0.0)
MOST_PIXELS = 1 << 24
START = "data:image/png;base64,"
NAME = "the picture"
_ADDRESS = re.compile(r"data:(image/[\w.+-]+|application/octet-stream)?;base64,")


def data_uri(image: Tensor) -> str:
    """An image in [0, 1], shape (channels, height, width), as an address that holds its PNG."""
    from causalflow.data.files import png_of

    return START + base64.b64encode(png_of(image, "picture")).decode("ascii")


def difference(before: Tensor, after: Tensor) -> str:
    """What differs between two images in [0, 1], shape (channels, height, width), as an address."""
    import torch

    change = (after - before).mean(0)
    colours = torch.tensor([DARKER, BRIGHTER])[(change > 0).long()].movedim(-1, 0)
    return data_uri(torch.cat([colours, (change.abs() / FULL).clamp(0, 1)[None]]))


def unit(image: Any, depth: int | None) -> Any:
    """Pixels of the public face, uint8 or of ``depth`` levels too, in [0, 1]."""
    import torch

    if depth is not None:
        return image / max(depth - 1, 1)
    return image / 255 if image.dtype == torch.uint8 else image


def picture_of(given: object, shape: tuple[int, ...], habit: Habit | None = None) -> Tensor:
    """An uploaded picture in an image's shape, (1, channels, height, width): uint8, or float32.

    Args:
        given: an address that holds its file, ``data:image/png;base64,...``.
        shape: that of the image node, (channels, height, width).
        habit: how the pictures that the model was fitted to were read; where that has no rule for
            other sizes it is "cover".

    Raises:
        DataError: no such address, no picture, a damaged or a huge one.
    """
    from causalflow.data.decoding import opened_picture
    from causalflow.data.pictures import Pictures
    from causalflow.data.reading import Reading

    content = _content(given)
    with opened_picture(content, NAME) as header:
        width, height = header.size
    if width * height > MOST_PIXELS:
        raise DataError(f"{NAME}: {width:,} x {height:,} pixels; at most {MOST_PIXELS:,} are read")
    manner = Reading(**(habit.options() if habit else {})).manner()
    manner = replace(manner, resize="cover" if manner.resize == "refuse" else manner.resize)
    channels, height, width = shape
    pictures = Pictures(source=_Upload(content), manner=replace(manner, workers=0))
    return pictures.of_shape((channels, height, width))[[0]]


def made(given: object, size: object, shape: tuple[int, ...]) -> str:
    """What is done to an uploaded picture to bring it to an image's shape, in words.

    Args:
        given: the address that holds its file.
        size: the (width, height) of the file that it was made of; anything else: its own.
        shape: that of the image node, (channels, height, width).
    """
    from causalflow.data.decoding import opened_picture

    with opened_picture(_content(given), NAME) as header:
        own, grey = header.size, header.mode in ("1", "L", "I", "I;16", "F")
    match size:
        case [int(width), int(height)]:
            own = (width, height)
    wide, high = own
    channels, height, width = shape
    said = [f"{wide} x {high} pixels"]
    if own != (width, height):
        cut = "" if wide * height == high * width else " and cut"
        said.append(f"scaled{cut} to {width} x {height}")
    if grey and channels == 3:
        said.append("grey: its three colours are alike")
    if not grey and channels == 1:
        said.append("its colours made grey")
    return ", ".join(said)


@dataclass(frozen=True, slots=True)
class _Upload:
    """A column of one picture, whose file is here."""

    content: bytes

    def __len__(self) -> int:
        return 1

    def name(self, row: int) -> str:
        """The picture in messages."""
        return NAME

    def raw(self, row: int, channels: int | None, cut: str) -> Raw:
        """Its numbers."""
        from causalflow.data.decoding import decode

        return decode(self.content, NAME, channels, cut)


def _content(given: object) -> bytes:
    """The bytes in an address that holds them."""
    if not isinstance(given, str) or not (found := _ADDRESS.match(given)):
        raise DataError(f"{NAME}: expected the file as an address, 'data:image/png;base64,...'")
    try:
        return base64.b64decode(given[found.end() :], validate=True)
    except ValueError:
        raise DataError(f"{NAME}: the address holds no base64") from None
