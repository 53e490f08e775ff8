"""Cache: arrays that take minutes to compute, kept on disk and read back the next time.

The folder is ``$CAUSALFLOW_CACHE``, or ``~/.cache/causalflow`` where that variable is not set. A
file is named by what its content depends on; it appears whole or not at all, and one that cannot be
read is computed again.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from causalflow.atomic import whole_file
from causalflow.data.arrays import read_arrays
from causalflow.errors import DataError

__all__ = ["cache_folder", "cached_array"]


def cache_folder() -> Path:
    """Where computed arrays are kept: ``$CAUSALFLOW_CACHE``, else ``~/.cache/causalflow``."""
    given = os.environ.get("CAUSALFLOW_CACHE")
    return Path(given).expanduser() if given else Path.home() / ".cache" / "causalflow"


def cached_array(name: str, compute: Callable[[], NDArray[Any]]) -> NDArray[Any]:
    """The array of that name, computed and kept if it is not in the folder yet.

    Raises:
        DataError: the folder cannot be written to.
    """
    path = cache_folder() / f"{name}.npz"
    try:
        return read_arrays(path, ("array",))["array"]
    except DataError:
        array = compute()
    try:
        with whole_file(path) as part, part.open("wb") as file:
            np.savez_compressed(file, array=array)
    except OSError as mistake:
        raise DataError(f"{path}: {mistake.strerror}; set $CAUSALFLOW_CACHE") from None
    return array
