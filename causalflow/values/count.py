"""CountType: whole numbers from 0 without a largest, such as events, cells or visits.

A value is a whole number, as number or text; a gap is None, NaN or -1. Stored: float64, NaN for a
gap, exact below 2^53; shown: int64, -1 for a gap.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from causalflow.errors import CausalflowError, EvidenceError
from causalflow.options import Text, option
from causalflow.values.column import GAP, Array
from causalflow.values.real import RealType
from causalflow.values.variable import Look, NodeType

__all__ = ["CountType"]

LARGEST = 2**53


@dataclass(frozen=True, slots=True, kw_only=True)
class CountType(NodeType):
    """Whole numbers from 0.

    Attributes:
        unit: shown in tables and on axes.

    Example:
        >>> visits = CountType()
        >>> visits.read(["3", 0, None, -1]).tolist(), visits.show(visits.read([2, None])).tolist()
        ([3.0, 0.0, nan, nan], [2, -1])
    """

    unit: str | None = option(None, Text())

    word: ClassVar[str] = "count"
    engine: ClassVar[str] = "causalflow.mechanisms.count:ENGINE"
    look: ClassVar[Look] = Look(shape="ellipse", fill="#e6e0f5", line="#6b4fa3")
    noises: ClassVar[tuple[str, ...]] = ("poisson", "negative_binomial")

    @property
    def numeric(self) -> bool:
        """Every value is a number."""
        return True

    @property
    def integral(self) -> bool:
        """Every value is a whole number."""
        return True

    @property
    def stored_differs(self) -> bool:
        """Shown as integers."""
        return True

    @property
    def extent(self) -> tuple[float, float]:
        """From 0, without end."""
        return 0.0, math.inf

    @property
    def caption(self) -> str:
        """The unit, or the first values."""
        return self.unit or "0, 1, 2, ..."

    @property
    def predicate(self) -> str:
        """What a message says that a node is, as in "'x' is a count"."""
        return "a count"

    @property
    def words(self) -> str:
        """The type and the unit."""
        return f"count, {self.unit}" if self.unit else "count"

    def read(
        self, given: Any, *, where: str = "value", error: type[CausalflowError] = EvidenceError
    ) -> Array:
        """The numbers of a value or a column, NaN for a gap: float64, of the column's shape.

        Raises:
            CausalflowError: an error of class ``error``, for what is no number, negative, no whole
                number, or not below 2^53.
        """
        numbers = RealType().read(given, where=where, error=error)
        numbers = np.where(numbers == GAP, np.nan, numbers)
        wrong = (numbers < 0) | (numbers != np.floor(numbers)) | (numbers >= LARGEST)
        wrong &= ~np.isnan(numbers)
        if wrong.any():
            row = int(np.argmax(wrong.ravel()))
            place = f"{where}, row {row}" if numbers.ndim else where
            shown, rule = f"{float(numbers.ravel()[row]):.15g}", "0, 1, 2, ... below 2^53"
            raise error(f"{place}: value {shown} is no count; expected a whole number {rule}")
        return np.asarray(numbers)

    def show(self, stored: Any) -> Array:
        """The numbers as int64, -1 for a gap."""
        numbers = np.asarray(stored, dtype=np.float64)
        return np.asarray(np.where(np.isnan(numbers), GAP, numbers).astype(np.int64))
