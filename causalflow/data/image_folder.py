"""A folder of images and a CSV file of labels: a file is decoded when its row is asked for."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image as Picture
from torch import Tensor

from causalflow.data.pictures import opened_picture
from causalflow.data.table import read_table
from causalflow.errors import DataError, one_of

__all__ = ["ImageFiles", "image_folder"]

_MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
_EIGHT_BIT = frozenset({"1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFiles:
    """A column of images on disk.

    Attributes:
        folder: no file outside of it is ever opened.
        files: paths relative to ``folder``.
        shape: (channels, height, width) that every image must have; None: as the first image.

    ``files[indices]`` are the images of some rows, uint8, shape (batch, channels, height, width).
    """

    folder: Path
    files: tuple[str, ...]
    shape: tuple[int, int, int] | None = None

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, indices: Tensor | Sequence[int]) -> Tensor:
        wanted = [int(index) for index in indices]
        if not wanted:
            return torch.zeros((0, *(self.shape or (0, 0, 0))), dtype=torch.uint8)
        shape = self.shape or _shape(self.folder, self.files[0])
        return torch.from_numpy(
            np.stack([_read(self.folder, self.files[i], shape) for i in wanted])
        )

    def of_shape(self, shape: tuple[int, int, int]) -> ImageFiles:
        """The same files, each required to be of ``shape`` when read; gray fills colour channels.

        Raises:
            DataError: images of so many channels cannot come from files.
        """
        if shape[0] not in _MODES:
            raise DataError(f"image files have 1 to 4 channels; the graph asks for {shape[0]}")
        return replace(self, shape=shape)


def image_folder(
    folder: str | Path, csv: str | Path = "labels.csv", *, path: str = "path", image: str = "image"
) -> dict[str, Any]:
    """The columns of a CSV file, with the images that its column ``path`` names.

    Args:
        folder: the images' folder.
        csv: the table, in ``folder`` or anywhere else; every other column of it is a column of
            labels.
        path: the column of paths relative to ``folder``.
        image: the name given to the column of images: that of the graph's image node.

    Raises:
        DataError: an unreadable table, a file that is missing or lies outside the folder.
    """
    folder = Path(folder)
    table = read_table(folder / csv if (folder / csv).is_file() else Path(csv))
    if path not in table.columns:
        raise DataError(f"{csv}: no column '{path}'; {one_of(path, table.columns)}")
    files = tuple(table[path])
    for row, file in enumerate(files):
        if not file:
            raise DataError(f"{csv}: row {row}: column '{path}' is empty")
        _inside(folder, file)
    return {
        **{str(n): table[n] for n in table.columns if n != path},
        image: ImageFiles(folder=folder, files=files),
    }


def _inside(folder: Path, file: str) -> Path:
    """The path of an image, links resolved: it must exist, and in the folder."""
    try:
        root, target = os.path.realpath(folder), os.path.realpath(folder / file)
    except (OSError, ValueError) as mistake:
        raise DataError(f"{file}: no such image file in {folder}: {mistake}") from None
    if os.path.commonpath([root, target]) != root:
        raise DataError(f"{file}: the file lies outside the folder {folder}")
    if not os.path.isfile(target):
        raise DataError(f"{file}: no such image file in {folder}")
    return Path(target)


def _shape(folder: Path, file: str) -> tuple[int, int, int]:
    with _opened(folder, file) as picture:
        return (len(picture.getbands()), picture.height, picture.width)


def _read(folder: Path, file: str, shape: tuple[int, int, int]) -> np.ndarray[Any, Any]:
    """One image, uint8, shape (channels, height, width), its size checked before decoding."""
    channels, height, width = shape
    with _opened(folder, file) as picture:
        if picture.mode not in _EIGHT_BIT:
            raise DataError(f"{file}: pixels of mode '{picture.mode}'; expected 8 bits a channel")
        if picture.size != (width, height):
            given = f"{picture.height}x{picture.width}"
            raise DataError(f"{file}: image of height x width {given}; expected {height}x{width}")
        pixels = np.asarray(picture.convert(_MODES[channels]))
    return np.moveaxis(pixels.reshape(height, width, channels), -1, 0).copy()


def _opened(folder: Path, file: str) -> AbstractContextManager[Picture.Image]:
    return opened_picture(_inside(folder, file), file)
