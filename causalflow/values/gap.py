"""Gap: an entry that says nothing: None, NaN, NaT, pandas' NA, an empty text, or a word for it."""

from __future__ import annotations

import numpy as np

__all__ = ["GAP", "MISSING", "is_gap", "is_missing_word"]

GAP = -1
"""The position of a missing value; also a way of writing it, where -1 is no level."""

MISSING = frozenset({"", "na", "n/a", "nan", "nat", "none", "null", "<na>"})
"""Texts, in lower case, that stand for a missing value, unless a level has that name."""


def is_missing_word(text: str) -> bool:
    """Whether a text is one of the words of `MISSING`.

    Example:
        >>> is_missing_word(" NaN "), is_missing_word("no")
        (True, False)
    """
    return text.strip().lower() in MISSING


def is_gap(entry: object) -> bool:
    """Whether an entry that is no text stands for a missing value.

    Example:
        >>> is_gap(None), is_gap(float("nan")), is_gap(0)
        (True, True, False)
    """
    if entry is None or type(entry).__name__ == "NAType":  # pandas' NA has no truth value
        return True
    try:
        different = entry != entry  # NaN and NaT differ from themselves
    except ArithmeticError:  # a signalling NaN
        return True
    return isinstance(different, bool | np.bool_) and bool(different)
