"""RealType: the values of a continuous variable, numbers within an interval.

A value is a number, or a text that shows one; a gap is NaN. Stored and shown: float64, in the unit
of the graph file.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import date
from typing import Any, ClassVar

import numpy as np

from causalflow.errors import CausalflowError, EvidenceError, shown
from causalflow.limits import ENTRY_LETTERS
from causalflow.values.column import Array, entries_of, is_gap, is_missing_word
from causalflow.values.variable import Look, NodeType

__all__ = ["RealType"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RealType(NodeType):
    """A number between two ends, or at one that is finite."""

    low: float = -math.inf
    high: float = math.inf
    unit: str | None = None

    word: ClassVar[str] = "continuous"
    engine: ClassVar[str] = "causalflow.mechanisms.continuous:ENGINE"
    look: ClassVar[Look] = Look(shape="ellipse", fill="#e2f2de", line="#42853a")
    shape: ClassVar[tuple[int, ...]] = ()
    unsaid: ClassVar[tuple[str, str]] = ("auto", "flow")

    @property
    def numeric(self) -> bool:
        """Every value is a number."""
        return True

    @property
    def extent(self) -> tuple[float, float]:
        """The two ends."""
        return self.low, self.high

    @property
    def caption(self) -> str:
        """The unit, or the two ends.

        Example:
            >>> RealType(unit="px").caption, RealType(low=0.0).caption, RealType().caption
            ('px', '(0, ∞)', 'real')
        """
        if self.unit:
            return self.unit
        low, high = (
            f"{end:g}" if math.isfinite(end) else ("-∞" if end < 0 else "∞") for end in self.extent
        )
        return "real" if (low, high) == ("-∞", "∞") else f"({low}, {high})"

    @property
    def words(self) -> str:
        """The type and the unit."""
        return f"continuous, {self.unit}" if self.unit else "continuous"

    def read(
        self, given: Any, *, where: str = "value", error: type[CausalflowError] = EvidenceError
    ) -> Array:
        """The numbers of a value or a column, NaN for a gap: float64, of the column's shape.

        Args:
            given: what a user gives: one value, or one a row in any container.
            where: says in an error whose value it is, such as ``node 'x'``.
            error: the class of what is raised.

        Raises:
            CausalflowError: an error of class ``error``, for what is no number, or lies outside the
                support.

        Example:
            >>> RealType(low=0.0).read(["2.5", 1, None]).tolist()
            [2.5, 1.0, nan]
        """
        array = entries_of(given).array
        numbers = self._numbers(array, where, error)
        outside = (numbers < self.low) | (numbers > self.high) | np.isinf(numbers)
        if outside.any():
            row = int(np.argmax(outside.ravel()))
            place = f"{where}, row {row}" if array.ndim else where
            raise error(f"{place}: value {self._refused(float(numbers.ravel()[row]))}")
        return numbers

    def _refused(self, number: float) -> str:
        """A number with the reason why it is no value."""
        if math.isinf(number):
            return f"{number:g}; expected a finite number"
        low, high = f"{self.low:.15g}", f"{self.high:.15g}"
        return f"{number:.15g} is outside its support; expected {low} <= value <= {high}"

    def show(self, stored: Any) -> Array:
        """The numbers themselves."""
        return np.asarray(stored, dtype=np.float64)

    def _numbers(self, array: Array, where: str, error: type[CausalflowError]) -> Array:
        if array.dtype.kind in "biuf":
            return array.astype(np.float64)
        if (plain := _plain_numbers(array)) is not None:
            return plain
        found = np.empty(array.size, dtype=np.float64)
        for row, entry in enumerate(array.ravel().tolist()):
            number = _number(entry)
            if number is None:
                place = f"{where}, row {row}" if array.ndim else where
                raise error(f"{place}: not a number: {shown(entry, ENTRY_LETTERS)}{_remedy(entry)}")
            found[row] = number
        return found.reshape(array.shape)


def _plain_numbers(array: Array) -> Array | None:
    """The numbers of texts that all are what Python reads as one; None where some are not."""
    entries = array.ravel().tolist()
    if not all(isinstance(entry, str) and "_" not in entry for entry in entries):
        return None
    try:
        return np.fromiter(map(float, entries), np.float64, len(entries)).reshape(array.shape)
    except ValueError:
        return None


_REMEDIES = {
    r"[+-]?[\d.' ]*\d,\d[\d,]*(\.\d+)?": "thousands carry no separator, decimals a point",
    r"\d{4}-\d\d?-\d\d?.*|\d\d?[/.]\d\d?[/.]\d{2,4}.*": "a date goes in as a number, such as days",
    r"[?.-]+|unknown|missing|n\.a\.|#n/a": "leave the cell empty where nothing is known",
    r"[+-]?[\d.]+\s*%": "write the number without the percent sign",
    r"[\d.]+\s*(-|to|\.\.)\s*[\d.]+": "an interval, which is evidence, is written [60, 70]",
}
"""What a cell of a spreadsheet looks like that shows no number, and what to write."""


def _remedy(entry: Any) -> str:
    """What to write instead of an entry, after a semicolon, where its look tells."""
    if not isinstance(entry, str | date | np.datetime64):
        return ""
    text = str(entry)[:ENTRY_LETTERS].strip().lower()
    found = (said for look, said in _REMEDIES.items() if re.fullmatch(look, text, re.ASCII))
    return f"; {said}" if (said := next(found, None)) else ""


def _number(entry: Any) -> float | None:
    """A number, also as text; NaN for a gap, None for what is neither."""
    if isinstance(entry, bytes):
        entry = entry.decode("utf-8", "replace")
    if isinstance(entry, str):
        if is_missing_word(entry):
            return math.nan
        if "_" in entry:
            return None
    elif is_gap(entry):
        return math.nan
    try:
        return float(entry)
    except OverflowError:
        return math.inf
    except (TypeError, ValueError):
        return None
