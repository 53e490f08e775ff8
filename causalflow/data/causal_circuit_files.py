"""The published files of CausalCircuit: NumPy archives of pairs of pictures and their latents.

    original_latents  float, (N, 2, 4): red, green, blue, arm, before and after an intervention
    imgs              (N, 2): JPEG bytes of 512 x 512 pictures

They lie in ``$CAUSALFLOW_DATA/causal_circuit`` as ``train-0.npz``, ``train-1.npz``, ...,
``val.npz`` and ``test.npz`` (or with numbers too), and are never fetched: their page asks for a
name and a licence. Only the first of each pair is read, the picture before the intervention.

Nothing is unpickled: pickle runs whatever a file says. ``imgs`` as an array of Python objects is
therefore refused; as byte strings of fixed width, bytes padded with zeros (N, 2, length), or pixels
(N, 2, height, width, 3), it is read.

Source: Brehmer et al. (2022), Weakly supervised causal representation learning, appendix.
"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Picture

from causalflow.data.arrays import read_arrays
from causalflow.data.mnist import data_folder
from causalflow.data.parallel import by_pieces
from causalflow.data.pictures import opened_picture
from causalflow.errors import DataError
from causalflow.limits import CIRCUIT_SIDE

__all__ = ["circuit_files", "read_circuit"]

_PARTS = {"train": "train", "validation": "val", "test": "test"}
_LATENTS, _IMAGES = "original_latents", "imgs"
_ORDER = (3, 2, 1, 0)  # of red, green, blue, arm: arm, blue, green, red
_PIECE = 64


def circuit_files(split: str, folder: Path | None = None) -> list[Path]:
    """The files of a split, in the order of their numbers.

    Raises:
        DataError: there are none.
    """
    place = data_folder() / "causal_circuit" if folder is None else Path(folder)
    pattern = re.compile(rf"{_PARTS[split]}(?:-(\d+))?\.npz")
    found = {path: match for path in place.glob("*.npz") if (match := pattern.fullmatch(path.name))}
    if not found:
        raise DataError(
            f"{place}: no file {_PARTS[split]}.npz or {_PARTS[split]}-0.npz; set $CAUSALFLOW_DATA, "
            "or use synthetic=True"
        )
    return sorted(found, key=lambda path: int(found[path][1] or 0))


def read_circuit(
    files: list[Path], size: int, n: int | None = None, workers: int | None = None
) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    """The first n rows of files: arm, blue, green, red (n, 4), and pictures (n, 3, size, size).

    Args:
        files: read one after the other, no more than are needed.
        size: height and width; pillow reduces the pictures to it, which takes 3 ms each.
        n: number of rows; default all.
        workers: processes that decode; default one a core.

    Raises:
        DataError: a file that is none of these, pictures among Python objects, or too few rows.
    """
    latents: list[NDArray[np.float64]] = []
    pictures: list[NDArray[np.uint8]] = []
    wanted = n
    for path in files:
        if wanted == 0:
            break
        values, images = _read(path, wanted)
        latents.append(values)
        decode = partial(_decoded, size=size, name=str(path))
        pictures.append(
            by_pieces(decode, (images,), piece=_PIECE, workers=workers, label=path.name)
        )
        wanted = None if wanted is None else wanted - len(values)
    if wanted:
        raise DataError(f"{files[0].parent}: {(n or 0) - wanted:,} rows; {n:,} asked for")
    return np.concatenate(latents), np.concatenate(pictures)


def _read(path: Path, n: int | None) -> tuple[NDArray[np.float64], NDArray[Any]]:
    """Latents (rows, 4) and encoded pictures of the first of each pair."""
    fields = read_arrays(path, (_LATENTS, _IMAGES))
    latents, images = fields[_LATENTS], fields[_IMAGES]
    if latents.ndim != 3 or latents.shape[1:] != (2, 4) or latents.dtype.kind != "f":
        shown = f"{latents.dtype} of shape {latents.shape}"
        raise DataError(f"{path}: '{_LATENTS}' is {shown}; expected floats of shape (N, 2, 4)")
    if images.shape[:2] != latents.shape[:2] or not _is_encoded(images):
        shown = f"{images.dtype} of shape {images.shape}"
        raise DataError(
            f"{path}: '{_IMAGES}' is {shown}; expected {len(latents)} pairs, as bytes (N, 2), "
            "padded bytes (N, 2, length) or pixels (N, 2, height, width, 3)"
        )
    return latents[:n, 0][:, _ORDER].astype(np.float64), images[:n, 0]


def _is_encoded(images: NDArray[Any]) -> bool:
    if images.dtype.kind == "S":
        return images.ndim == 2
    pixels = images.ndim == 5 and images.shape[-1] == 3
    return images.dtype == np.uint8 and (images.ndim == 3 or pixels)


def _decoded(images: NDArray[Any], *, size: int, name: str) -> NDArray[np.uint8]:
    """Pictures, uint8, shape (rows, 3, size, size)."""
    return np.stack([_one(image, size, name) for image in images])


def _one(image: Any, size: int, name: str) -> NDArray[np.uint8]:
    if np.ndim(image) == 3:
        return _reduced(Picture.fromarray(image), size, name)
    with opened_picture(bytes(image), f"{name}: a picture that cannot be decoded") as picture:
        return _reduced(picture, size, name)


def _reduced(picture: Picture.Image, size: int, name: str) -> NDArray[np.uint8]:
    if max(picture.size) > CIRCUIT_SIDE:
        raise DataError(f"{name}: a picture of {picture.size[0]} x {picture.size[1]} pixels")
    small = picture.convert("RGB").resize((size, size), Picture.Resampling.BILINEAR)
    return np.moveaxis(np.asarray(small, dtype=np.uint8), -1, 0)
