"""Bar: the progress bar of whatever takes a while, in a terminal and in a notebook alike.

In a notebook that has ipywidgets it is a widget; in one that lacks them, which tqdm warns of, a
text bar is as good, and nothing is said.
"""

from __future__ import annotations

import warnings

from tqdm import TqdmWarning

with warnings.catch_warnings():
    warnings.simplefilter("ignore", TqdmWarning)
    from tqdm.auto import tqdm

__all__ = ["tqdm"]
