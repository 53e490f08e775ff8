"""Occurring: the levels of a column of which none are declared, those that are in it."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np

from causalflow.values.entries import distinct, entries_of
from causalflow.values.finite import Level
from causalflow.values.gap import is_gap, is_missing_word
from causalflow.values.numeral import numeral

__all__ = ["occurring"]


def occurring(column: Any) -> tuple[Level, ...]:
    """The values that occur, gaps aside: numbers first, then texts, sorted; False is 0, True is 1.

    A text that shows one of the numbers is that number.

    Raises:
        TypeError: an entry is no text and no number.

    Example:
        >>> occurring([1, 0, None, 1]), occurring(["no", "yes", ""]), occurring([True, False, "1"])
        ((0, 1), ('no', 'yes'), (0, 1))
    """
    values, _ = distinct(entries_of(column).array.ravel())
    kept = {_plain(value) for value in values if not _is_gap(value)}
    if wrong := [value for value in kept if not isinstance(value, str | int | float)]:
        raise TypeError(f"{wrong[0]!r} is neither a name nor a number")
    numbers = {value for value in kept if not isinstance(value, str)}
    if numbers:
        kept = {v for v in kept if v in numbers or numeral(str(v)) not in numbers}
    return tuple(sorted(kept, key=lambda each: (isinstance(each, str), each)))


def _is_gap(value: Any) -> bool:
    return is_missing_word(value) if isinstance(value, str) else is_gap(value)


def _plain(value: Any) -> Any:
    """The Python value; a truth value as 0 or 1, a whole number as an integer."""
    bare = value.item() if isinstance(value, np.generic) else value
    bare = float(bare) if isinstance(bare, Decimal | Fraction) else bare
    if isinstance(bare, float) and bare.is_integer():
        return int(bare)
    return int(bare) if isinstance(bare, bool) else bare
