"""Law: a row of probabilities, divided by its sum where that misses one by no more than rounding.

within `NOISE`    what 32-bit floats and rounded decimals miss: divided by the sum, silently
within `ROUGH`    decimals of three or four digits (.3333 thrice): divided, with a warning
within `SHORT`    for numbers written with one or two decimals each (.33 thrice), where rounding
                  them can miss one by as much: divided, with a warning
beyond            no rounding: the caller refuses the row
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from fractions import Fraction

from causalflow.errors import CausalflowWarning

__all__ = ["NOISE", "ROUGH", "SHORT", "divided", "shown_number", "warn_of_rough"]

NOISE = Fraction(1, 10**6)
"""A float of 32 bits misses its number by 6e-8 of it, so a row misses one by as much; and decimals
of seven digits, as programs write them, by little more."""

ROUGH = Fraction(1, 10**3)
"""Decimals of three or four digits miss one by as much; an error of typing misses it by more."""

SHORT = Fraction(1, 10**2)
"""Thirds and sevenths of two decimals miss one by as much; what misses it by a tenth (.3, .6) was
never a whole row, however few its decimals."""


def divided(
    row: Sequence[Fraction], where: str, rough: list[str], allowed: Fraction = ROUGH
) -> tuple[Fraction, ...] | None:
    """The row divided by its sum; None where that misses one by more than is allowed.

    Args:
        row: numbers from 0 to 1.
        where: says whose row it is.
        rough: gets a line where the sum misses one by more than `NOISE`.
        allowed: how far it may.

    Example:
        >>> divided([Fraction(1, 3), Fraction(2, 3)], "row", [])
        (Fraction(1, 3), Fraction(2, 3))
    """
    total = sum(row, start=Fraction(0))
    if abs(total - 1) > allowed:
        return None
    if abs(total - 1) > NOISE:
        rough.append(f"{where} sum to {shown_number(total)}")
    return tuple(p / total for p in row)


def warn_of_rough(rough: Sequence[str]) -> None:
    """One warning for all the rows of `divided` that were far from one."""
    if rough:
        more = f" ({len(rough) - 1:,} more rows likewise)" if len(rough) > 1 else ""
        message = f"{rough[0]}{more}; they must sum to 1 and are divided by their sum"
        warnings.warn(message, CausalflowWarning, stacklevel=2)


def shown_number(exact: Fraction) -> str:
    """A fraction with a small denominator, else a decimal."""
    return str(exact) if exact.denominator < 1000 else f"{float(exact):.10g}"
