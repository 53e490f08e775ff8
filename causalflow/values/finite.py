"""FiniteType: the values of a variable with levels, read and shown by one rule.

The rule depends on the levels, never on how a value comes in:

    NUMBERS   all read as whole numbers        a value is that number, as text, number or tensor
              (0..K-1; "1", "2", "3")          (1, 1.0, "1", " 1 ", True are one); no indices
    MIXED     some read as numbers             a name; a number is the level that reads as it; a
              ("<5", "5"; "0.5", "1.5")        torch tensor holds indices 0..K-1
    NAMES     none does                        a name, or an index 0..K-1, as number or text

A text is a level's name first, then a word for a gap, then a number. A truth value, and the text
True or False, is the level of that name (true and false, yes and no, y and n, ... in any case of
letters); where a level has such a name, no other is meant; where none has, it is 1 or 0. -1 is a
gap where it is no level. A float is exact up to 2^53 (float32: 2^24); a larger one is refused where
levels are numbers, as it may have been another.

Stored: the position 0..K-1 of the level, `GAP` for a gap.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from functools import cached_property, lru_cache
from typing import Any, ClassVar

import numpy as np

from causalflow.errors import CausalflowError, EvidenceError, one_of, shown
from causalflow.limits import ENTRY_LETTERS
from causalflow.values.column import (
    GAP,
    Array,
    Entries,
    distinct,
    entries_of,
    exact,
    exact_float_below,
    is_gap,
    is_missing_word,
    is_tensor,
    numeral,
)
from causalflow.values.variable import Level, Look, NodeType

__all__ = ["READING", "FiniteType", "Kind", "Level", "finite", "finite_of"]

READING = 2
"""The version of the rule; what it changed is the reading of numbers where levels are numbers."""

_INT64 = 2**63
_EXACT = 2**53
_TRUTHS: tuple[dict[bool, str], ...] = (
    {True: "true", False: "false"},
    {True: "yes", False: "no"},
    {True: "y", False: "n"},
    {True: "t", False: "f"},
    {True: "on", False: "off"},
)
"""Words for truth values; of the first two pairs one alone is one too."""


class Kind(Enum):
    """How the levels of a variable read."""

    NUMBERS = "numbers"
    MIXED = "mixed"
    NAMES = "names"


@dataclass(frozen=True, slots=True, kw_only=True)
class FiniteType(NodeType):
    """A variable with levels; made by `finite`, which keeps the latest.

    Attributes:
        levels: the names or numbers of the values, in the order of their positions.
    """

    levels: tuple[Level, ...]

    word: ClassVar[str] = "class"
    engine: ClassVar[str] = "causalflow.mechanisms.categorical:ENGINE"
    look: ClassVar[Look] = Look(shape="rounded", fill="#dcebf8", line="#2f6ca8")
    shape: ClassVar[tuple[int, ...]] = ()

    @property
    def missing(self) -> int:
        """`GAP`."""
        return GAP

    @property
    def integral(self) -> bool:
        """Positions are whole numbers."""
        return True

    @property
    def extent(self) -> tuple[float, float]:
        """The first and the last position."""
        return 0.0, len(self.levels) - 1.0

    @property
    def caption(self) -> str:
        """The levels, or how many there are.

        Example:
            >>> finite(("green", "red")).caption, finite(range(10)).caption
            ('green | red', '10 levels')
        """
        names = " | ".join(map(str, self.levels))
        short = 0 < len(names) <= 18 and len(self.levels) <= 3
        return names if short else f"{len(self.levels)} levels"

    @property
    def words(self) -> str:
        """The type, and how many levels there are."""
        return f"class, {len(self.levels)} levels"

    @cached_property
    def kind(self) -> Kind:
        """How the levels read."""
        found = [number for number in self._numerals if number is not None]
        whole = all(n.denominator == 1 and -_INT64 <= n < _INT64 for n in found)
        if len(found) == len(self.levels) == len(set(found)) and whole:
            return Kind.NUMBERS
        return Kind.MIXED if found else Kind.NAMES

    @cached_property
    def numbers(self) -> tuple[Fraction, ...]:
        """What each level counts as: its number where all read as one, else its position."""
        if self.counts_by_position:
            return tuple(map(Fraction, range(len(self.levels))))
        return tuple(number for number in self._numerals if number is not None)

    @cached_property
    def counts_by_position(self) -> bool:
        """Whether some level reads as no number, so that in a mean all count as positions."""
        return None in self._numerals

    @cached_property
    def counting(self) -> str:
        """What levels that are names count as in a mean, ``no=0, yes=1``; nothing of numbers."""
        if not self.counts_by_position:
            return ""
        more = ", ..." if len(self.levels) > 8 else ""
        return ", ".join(f"{each}={k}" for k, each in enumerate(self._texts[:8])) + more

    @cached_property
    def stored_differs(self) -> bool:
        """Whether a value of the face is not the position: levels that are numbers, not 0..K-1."""
        return self.kind is Kind.NUMBERS and self.numbers != tuple(range(len(self.levels)))

    @cached_property
    def note(self) -> str:
        """What to know of levels that read as numbers and are not 0..K-1; nothing of others."""
        shown = f"[{', '.join(self._texts[:5])}{', ...' if len(self.levels) > 5 else ''}]"
        if self.stored_differs:
            return f"the levels {shown} are numbers: a number is the level, never an index"
        if self.kind is Kind.MIXED:
            return f"some of the levels {shown} are numbers: a number is a level, never an index"
        return ""

    @cached_property
    def whole(self) -> Array:
        """The levels' numbers where they are whole, else the positions: int64, shape (K,)."""
        found = self.numbers if self.kind is Kind.NUMBERS else range(len(self.levels))
        return np.array([int(number) for number in found], dtype=np.int64)

    def read(
        self, given: Any, *, where: str = "value", error: type[CausalflowError] = EvidenceError
    ) -> Array:
        """The positions of a value, or of a column's: int64, shape () or that of the column.

        Args:
            given: what a user gives: one value, or one a row in any container.
            where: says in an error whose value it is, such as ``node 'x'``.
            error: the class of what is raised.

        Raises:
            CausalflowError: an error of class ``error``, for an entry that is no level; it names
                the row.
        """
        if isinstance(given, str) and (place := self._of_text(given)) is not None:
            return np.asarray(place)
        entries = entries_of(given)
        try:
            values, inverse = distinct(entries.array)
        except TypeError:
            kind = type(given).__name__
            raise error(f"{where}: expected one level a row, given {kind}") from None
        found = [self.find(value, tensor=entries.tensor) for value in values]
        if None in found:
            self._refuse(entries, values, inverse, found, where, error)
        return np.asarray(np.array(found, dtype=np.int64)[inverse])

    def position(
        self, given: Any, *, where: str = "value", error: type[CausalflowError] = EvidenceError
    ) -> int:
        """The position of one value that is no gap.

        Raises:
            CausalflowError: an error of class ``error``, for what is no level, or a gap.
        """
        place = self.find(given)
        if place is None or place == GAP:
            raise error(f"{where}: {self._unknown(given, tensor=is_tensor(given))}")
        return place

    def find(self, entry: Any, *, tensor: bool = False) -> int | None:
        """Where one value stands; `GAP` for a gap, None where there is no such level.

        Args:
            entry: a text, a number, ...
            tensor: whether it was an entry of a torch tensor.
        """
        if is_tensor(entry):
            if entry.ndim:
                return None
            entry, tensor = entry.item(), True
        entry = _bare(entry)
        if isinstance(entry, str):
            return self._of_text(entry)
        if isinstance(entry, bool | np.bool_):
            return self._of_truth(bool(entry), tensor)
        if is_gap(entry):
            return GAP
        if not isinstance(entry, int | float | Fraction | Decimal | np.number) or isinstance(
            entry, np.complexfloating
        ):
            return None
        number, limit = exact(entry), exact_float_below(entry)
        if number is None or (self.kind is not Kind.NAMES and limit and abs(number) >= limit):
            return None
        return self._of_number(number, tensor)

    def show(self, stored: Any) -> Array:
        """The values as the public face has them; `read` reads them back to the same positions.

        Levels that are numbers as these, names as indices 0..K-1, both int64 with -1 for a gap (NaN
        or None where -1 is a level); levels of which some are numbers by name, as objects.

        Example:
            >>> finite(("1", "2")).show([0, 1, -1]).tolist(), finite(("<5", "5")).show(1).item()
            ([1, 2, -1], '5')
        """
        places = np.asarray(stored, dtype=np.int64)
        gaps = places == GAP
        if self.kind is Kind.MIXED:
            return self.names(places)
        found = self.whole[places]
        if not gaps.any():
            return np.asarray(found)
        if not (self.kind is Kind.NUMBERS and -1 in self.whole):
            return np.where(gaps, GAP, found)
        if max(map(abs, self.numbers)) < _EXACT:
            return np.where(gaps, np.nan, found)
        objects = found.astype(object)
        objects[gaps] = None
        return objects

    @property
    def in_equations(self) -> Sequence[int] | None:
        """The levels' numbers, where they are not the positions."""
        return self.whole.tolist() if self.stored_differs else None

    def counted(self, stored: Any) -> Array:
        """The levels' numbers, or positions where some level is none: float64."""
        numbers = np.array(self.numbers, dtype=np.float64)
        return np.asarray(numbers[np.asarray(stored, dtype=np.int64)])

    def names(self, stored: Any) -> Array:
        """The values as the levels are written, None for a gap: an array of objects.

        Example:
            >>> finite(("green", "red")).names([1, -1]).tolist()
            ['red', None]
        """
        table = np.empty(len(self.levels) + 1, dtype=object)
        table[:-1] = self.levels  # the last, at -1, is None
        return np.asarray(table[np.asarray(stored, dtype=np.int64)])

    @cached_property
    def _numerals(self) -> tuple[Fraction | None, ...]:
        return tuple(numeral(text) for text in self._texts)

    @cached_property
    def _texts(self) -> tuple[str, ...]:
        return tuple(map(str, self.levels))

    @cached_property
    def _by_text(self) -> dict[str, int]:
        return {text: place for place, text in enumerate(self._texts)}

    @cached_property
    def _by_number(self) -> dict[Fraction, int]:
        """Number -> position; of several levels of one number the one written plainly, or none."""
        found: dict[Fraction, list[int]] = {}
        for place, number in enumerate(self._numerals):
            if number is not None:
                found.setdefault(number, []).append(place)
        plain = {n: [p for p in at if self._texts[p] == str(n)] for n, at in found.items()}
        chosen = {n: at if len(at) == 1 else plain[n] for n, at in found.items()}
        return {number: at[0] for number, at in chosen.items() if len(at) == 1}

    @cached_property
    def _truths(self) -> dict[bool, int]:
        """The levels that are named as truth values, of one pair of words."""
        words = {text.lower(): place for place, text in enumerate(self._texts)}
        found = [{t: words[w] for t, w in pair.items() if w in words} for pair in _TRUTHS]
        whole = [each for each in found if len(each) == 2]
        return next(iter(whole), next(filter(None, found[:2]), {}))

    def _of_text(self, text: str) -> int | None:
        for written in (text, text.strip()):
            if (place := self._by_text.get(written)) is not None:
                return place
        if is_missing_word(text):
            return GAP
        if (word := text.strip().lower()) in ("true", "false"):
            return self._of_truth(word == "true", tensor=False)
        number = numeral(text)
        return None if number is None else self._of_number(number, tensor=False)

    def _of_truth(self, truth: bool, tensor: bool) -> int | None:
        if self._truths:
            return self._truths.get(truth)
        return self._of_number(Fraction(int(truth)), tensor)

    def _of_number(self, number: Fraction, tensor: bool) -> int | None:
        if self.kind is Kind.NUMBERS or (self.kind is Kind.MIXED and not tensor):
            place = self._by_number.get(number)
        elif number.denominator == 1 and 0 <= number < len(self.levels):
            place = int(number)
        else:
            place = None
        return GAP if place is None and number == GAP else place

    def _refuse(
        self,
        entries: Entries,
        values: Iterable[object],
        inverse: Array,
        found: list[int | None],
        where: str,
        error: type[CausalflowError],
    ) -> None:
        wrong = [place is None for place in found]
        row = int(np.argmax(np.array(wrong)[inverse].ravel()))
        value = [*values][int(inverse.ravel()[row])]
        place = f"{where}, row {row}" if entries.array.ndim else where
        raise error(f"{place}: {self._unknown(value, entries.tensor)}")

    def _unknown(self, given: object, tensor: bool) -> str:
        """The message that there is no such level, and which there are."""
        entry = _bare(given)
        if isinstance(entry, np.number):
            entry = entry.item()
        allowed, _, hint = one_of(entry, self.levels).partition("; ")
        if self.kind is Kind.NAMES or (self.kind is Kind.MIXED and tensor):
            allowed += f" or an index 0..{len(self.levels) - 1}"
        if isinstance(entry, float) and abs(entry) >= 2**11 and self.kind is not Kind.NAMES:
            hint = hint or "a float this large may stand for several numbers: give integers or text"
        return (
            f"unknown level {shown(entry, ENTRY_LETTERS)}; {allowed}{'; ' + hint if hint else ''}"
        )


@lru_cache(maxsize=4096)
def _finite(levels: tuple[Level, ...], types: tuple[type, ...]) -> FiniteType:
    return FiniteType(levels=levels)


def finite(levels: Iterable[Level]) -> FiniteType:
    """The type of a variable with these levels.

    Example:
        >>> finite(("1", "2", "3")).read([1, "2", 3.0, " 1 ", None]).tolist()
        [0, 1, 2, 0, -1]
        >>> finite(("no", "yes")).read([1, "yes", "0", ""]).tolist()
        [1, 1, 0, -1]
    """
    given = tuple(levels)
    return _finite(given, tuple(map(type, given)))


def finite_of(kind: NodeType) -> FiniteType | None:
    """The type itself where its values are levels, else None."""
    return kind if isinstance(kind, FiniteType) else None


def _bare(entry: Any) -> Any:
    """A numpy scalar of no float as Python's; bytes as text."""
    if is_tensor(entry) and entry.ndim == 0:
        entry = entry.item()
    if isinstance(entry, np.ndarray) and entry.ndim == 0:
        entry = entry[()]
    if isinstance(entry, bytes):
        return entry.decode("utf-8", "replace")
    kept = np.floating | np.bool_
    return entry.item() if isinstance(entry, np.generic) and not isinstance(entry, kept) else entry
