"""The published Morpho-MNIST of deep structural causal models: its labels and its test images.

The files lie in ``$CAUSALFLOW_DATA/morphomnist`` and are never fetched; their MD5 digests are
checked. Row k of a part was made from digit k of the same part of MNIST; its labels are the
thickness and the intensity asked for, not those measured on the picture.

Source: Pawlowski et al. (2020), Deep Structural Causal Models, section 4.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from causalflow.data.mnist import check_digest, data_folder, read_idx
from causalflow.errors import DataError

__all__ = ["published_images", "published_labels"]

_IMAGES = "t10k-images-idx3-ubyte.gz"
_LABELS = {"train": "train-morpho.csv", "test": "t10k-morpho.csv"}
_MD5 = {
    "t10k-images-idx3-ubyte.gz": "4ca8b1537d32e83abbd0f455c1579d57",
    "t10k-morpho.csv": "84e1aed36c8b366cb5779f50f3289671",
    "train-morpho.csv": "da1db3e1cf3bc1ae10bb494a5a4021df",
}


def published_images() -> NDArray[np.uint8]:
    """The 10,000 test images, shape (10000, 28, 28).

    Raises:
        DataError: the file is missing, or not the published one.
    """
    return read_idx(_file(_IMAGES))


def published_labels(part: str) -> dict[str, NDArray[np.float64]]:
    """Thickness in pixels and intensity in grey levels, each of shape (60000,) or (10000,).

    Args:
        part: "train" or "test".

    Raises:
        DataError: the file is missing, or not the published one.
    """
    table = np.loadtxt(_file(_LABELS[part]), delimiter=",", skiprows=1)
    return {"thickness": table[:, 1].copy(), "intensity": table[:, 2].copy()}


def _file(name: str) -> Path:
    path = data_folder() / "morphomnist" / name
    if not path.is_file():
        raise DataError(f"{path}: no such file; set $CAUSALFLOW_DATA, or use source='rendered'")
    return check_digest(path, _MD5[name])
