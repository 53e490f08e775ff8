"""Numeral: the exact number that a text or an object shows, if it shows one."""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np

from causalflow.limits import NUMERAL_LETTERS

__all__ = ["Number", "exact", "exact_float_below", "numeral"]

Number = int | float | Fraction | Decimal | np.number[Any]

_NUMERAL = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII)


def numeral(text: str) -> Fraction | None:
    """The number that a text shows, spaces around it aside; words such as "inf" show none.

    Example:
        >>> numeral(" 1.50 "), numeral("1e3"), numeral("<5"), numeral("nan")
        (Fraction(3, 2), Fraction(1000, 1), None, None)
    """
    inner = text.strip()
    if len(inner) > NUMERAL_LETTERS or not _NUMERAL.fullmatch(inner):
        return None
    return Fraction(inner)


def exact(number: Number) -> Fraction | None:
    """The number itself; a float is the decimal that it shows (0.1 is 1/10), infinity is none."""
    match number:
        case Fraction() | int():
            return Fraction(number)
        case Decimal():
            return Fraction(number) if number.is_finite() else None
        case np.integer():
            return Fraction(int(number))
        case _:
            return numeral(str(number) if isinstance(number, np.floating) else repr(number))


def exact_float_below(number: Number) -> int | None:
    """Below which size a float's whole numbers are told apart; None: it is no float.

    Example:
        >>> exact_float_below(1.0) == 2**53, exact_float_below(np.float32(1)) == 2**24
        (True, True)
    """
    if isinstance(number, np.floating):
        return int(2 ** (np.finfo(number.dtype).nmant + 1))
    return 2**53 if isinstance(number, float) else None
