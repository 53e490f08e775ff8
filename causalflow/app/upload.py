"""Upload: a picture that a user gives, decoded within bounds, as a PNG that the page sends along.

Its header is looked at before anything is unpacked: a file of few bytes may declare pixels without
end. What is larger than any model's picture is made smaller; nothing is written to the disk.
"""

from __future__ import annotations

import base64
import binascii
import io
import warnings
from collections.abc import Mapping
from typing import Any

from causalflow.app.handler import Handler, Session
from causalflow.errors import CausalflowError, DataError

__all__ = ["HANDLERS", "data_uri"]

FORMATS = ("PNG", "JPEG", "GIF", "WEBP", "BMP")
PIXELS = 1 << 24
"""Pixels of a picture that is decoded: 4096 by 4096, 64 MiB."""
SIDE = 512
"""Pixels of a side of what is sent along."""


def data_uri(png: bytes) -> str:
    """A PNG as the address of an image."""
    return "data:image/png;base64," + base64.b64encode(png).decode()


def _upload(request: Mapping[str, Any], session: Session) -> Mapping[str, Any]:
    """The picture, of at most `SIDE` pixels a side: ``{"picture", "width", "height"}``.

    Raises:
        DataError: it is no picture of a known format, or declares too many pixels.
    """
    from PIL import Image as Picture

    try:
        content = base64.b64decode(str(request.get("file", "")), validate=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pillow's, of a size that is refused below
            with Picture.open(io.BytesIO(content), formats=FORMATS) as picture:
                return _small(picture)
    except CausalflowError:
        raise
    except (binascii.Error, OSError, ValueError, SyntaxError, Picture.DecompressionBombError):
        raise DataError(f"no picture that can be read; give one of {', '.join(FORMATS)}") from None


def _small(picture: Any) -> Mapping[str, Any]:
    width, height = picture.size
    if width * height > PIXELS:
        limit = f"{PIXELS:,} pixels"
        raise DataError(f"the picture has {width} by {height} pixels; give one of at most {limit}")
    small = _eight_bits(picture)
    width, height = small.size
    small.thumbnail((SIDE, SIDE))
    file = io.BytesIO()
    small.save(file, format="PNG")
    return {"picture": data_uri(file.getvalue()), "width": width, "height": height}


def _eight_bits(picture: Any) -> Any:
    """Grey or in colours, of 8 bits; 16 bits are scaled, and turned as the camera notes (EXIF)."""
    import numpy as np
    from PIL import Image as Picture
    from PIL import ImageOps

    if picture.mode.startswith("I"):
        return Picture.fromarray((np.asarray(picture) / 257).round().astype(np.uint8))
    turned = ImageOps.exif_transpose(picture)
    return turned.convert("L" if picture.mode in ("1", "L", "F") else "RGB")


HANDLERS: dict[str, Handler] = {"upload": Handler(_upload)}
