"""Parallel: a pure function of rows, applied to pieces of arrays by several processes."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from causalflow.errors import DataError

__all__ = ["by_pieces"]

_WORTH_STARTING = 16  # pieces: a process takes seconds to start


def by_pieces(
    function: Callable[..., NDArray[Any]],
    arrays: tuple[NDArray[Any], ...],
    *,
    piece: int,
    workers: int | None = None,
    label: str = "",
) -> NDArray[Any]:
    """``function(*arrays)``, whose every row depends on the rows of its own piece alone.

    The pieces are fixed, so the result is the same whatever the number of processes. A progress bar
    shows on a terminal while more than one piece is computed.

    Args:
        function: takes pieces of the arrays, gives one row for each of theirs.
        arrays: each of shape (n, ...), n at least 1.
        piece: how many rows a call is given.
        workers: how many processes; default one a core, and one alone for less than 16 pieces.
        label: said by the progress bar.

    Raises:
        DataError: fewer than one worker.
    """
    from joblib import Parallel, delayed
    from tqdm import tqdm

    if workers is not None and workers < 1:
        raise DataError(f"workers is {workers}; expected at least 1")
    starts = range(0, len(arrays[0]), piece)
    calls = (
        delayed(function)(*(array[start : start + piece] for array in arrays)) for start in starts
    )
    default = 1 if len(starts) < _WORTH_STARTING else os.cpu_count() or 1
    done = Parallel(n_jobs=workers or default, return_as="generator")(calls)
    hidden = True if len(starts) == 1 else None  # None: hidden unless on a terminal
    return np.concatenate(list(tqdm(done, desc=label, total=len(starts), disable=hidden)))
