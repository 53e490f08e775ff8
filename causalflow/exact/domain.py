"""Domain: the finite values of a variable as positions 0..n-1, and images as codes.

An image with discrete pixels is known by its code (`causalflow.values.image`). A finite model keeps
of all codes only those that the image's equation can give.

A position of -1 stands for a value that the variable never takes: evidence of probability zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NoReturn, TypeAlias

import numpy as np

from causalflow.errors import EvidenceError, QueryError
from causalflow.graph.node import Exogenous, Level, Node
from causalflow.query.domain import resolve
from causalflow.values.column import GAP, distinct, entries_of, is_gap, is_tensor, rank
from causalflow.values.finite import FiniteType, finite_of
from causalflow.values.image import codes_of, image_of

__all__ = ["NEVER", "Domain"]

Places: TypeAlias = np.ndarray[Any, np.dtype[np.int64]]

NEVER = -1
"""The position of a value that a variable never takes."""

_REMEMBERED = 2**10


@dataclass(frozen=True, kw_only=True)
class Domain:
    """The values of one variable.

    Attributes:
        name: of the variable.
        declared: its declaration.
        levels: the value at each position: level names, codes of an image, 0..K-1 of an exogenous
            variable.
    """

    name: str
    declared: Node | Exogenous
    levels: tuple[Level, ...]

    @cached_property
    def _places(self) -> dict[Level, int]:
        return {level: place for place, level in enumerate(self.levels)}

    @cached_property
    def _scalars(self) -> dict[Any, int]:
        return {}

    def scalar(self, value: Any) -> int:
        """The position of one value, remembered.

        Raises:
            EvidenceError: the variable has no such level.
            TypeError: the value is one for each of several rows.
        """
        key: Any = (value.__class__, value)
        if not isinstance(value, str | int | float | np.generic):
            if self.is_batch(value):
                raise TypeError("expected one value")
            array = np.asarray(value)
            if array.dtype == object:
                return self.position(value)
            key = (array.dtype.str, array.shape, array.tobytes())
        found = self._scalars.get(key)
        if found is None:
            found = self.position(value)
            if len(self._scalars) >= _REMEMBERED:
                self._scalars.clear()
            self._scalars[key] = found
        return found

    def position(self, value: Any) -> int:
        """Where a value stands: a level (`causalflow.values`), an image by its code or its pixels.

        Raises:
            EvidenceError: the variable has no such level.
        """
        if (levels := finite_of(self.declared.type)) is not None:
            return self._place(value, levels)
        image = image_of(self.declared.type)
        plain = value.item() if isinstance(value, np.generic) or is_tensor(value) else value
        if image is not None and rank(plain) > 0:
            plain = int(codes_of(self.name, image, [plain])[0])
        if is_gap(plain):
            raise EvidenceError(f"'{self.name}' has no value; leave it out of the evidence")
        try:
            level = resolve(self.name, self.declared, plain)
        except QueryError as error:
            raise EvidenceError(error.message.removeprefix("query: ")) from None
        return self._places.get(level, NEVER)  # type: ignore[arg-type]

    def _place(self, value: Any, levels: FiniteType) -> int:
        """The position of a class's value, gaps refused."""
        if levels.find(value) == GAP:
            raise EvidenceError(f"'{self.name}' has no value; leave it out of the evidence")
        place = levels.position(value, where=f"'{self.name}'")
        return self._places.get(levels.levels[place], NEVER)

    def _found(self, given: Any, levels: tuple[Level, ...]) -> Places:
        """The positions of a class's value or column, gaps refused."""
        found = self.declared.type.read(given, where=f"'{self.name}'")
        if (found == GAP).any():
            row = f"row {int(np.argmax(found == GAP))}: " if found.ndim else ""
            raise EvidenceError(f"{row}'{self.name}' has no value; leave it out of the evidence")
        if self.levels == levels:
            return found
        places = [self._places.get(level, NEVER) for level in levels]
        return np.asarray(np.array(places, dtype=np.int64)[found])

    def positions(self, column: Any) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Where each row's value stands, shape (rows,).

        Raises:
            EvidenceError: a row's value is no level.
        """
        if (levels := self.declared.type.levels) is not None:
            found = self._found(column, levels)
            return found if found.ndim == 1 else self._misshapen(found)
        array = entries_of(column).array
        image = image_of(self.declared.type)
        if image is not None and array.ndim > 1:
            array = codes_of(self.name, image, array)
        if array.ndim != 1:
            self._misshapen(array)
        values, inverse = distinct(array)
        found = np.empty(len(values), dtype=np.int64)
        for place, value in enumerate(values):
            try:
                found[place] = self.position(value)
            except EvidenceError as error:
                row = int(np.argmax(inverse == place))
                raise EvidenceError(f"row {row}: {error}") from None
        return found[inverse]

    def _misshapen(self, array: np.ndarray[Any, Any]) -> NoReturn:
        raise EvidenceError(f"'{self.name}' has shape {array.shape}; expected one value a row")

    def is_batch(self, value: Any) -> bool:
        """Whether a value given as evidence is one for each of several rows."""
        if isinstance(value, str):
            return False
        single = len(self.declared.type.shape) if rank(value) > 1 else 0
        return rank(value) > single


def number(digits: Sequence[int], base: int) -> int:
    """The number that has these digits, most significant first.

    Example:
        >>> number([0, 1, 0, 1], 2)
        5
    """
    code = 0
    for digit in digits:
        code = code * base + digit
    return code
