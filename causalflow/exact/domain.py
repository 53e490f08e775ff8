"""Domain: the finite values of a variable as positions 0..n-1, and images as codes.

An image with discrete pixels is known by its *code*: its pixels, in row-major order, read as the
digits of one number in base ``levels``, the first pixel most significant. A finite model keeps of
all levels^pixels codes only those that the image's equation can give.

A position of -1 stands for a value that the variable never takes: evidence of probability zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any, NoReturn, TypeAlias

import numpy as np

from causalflow.errors import EvidenceError, QueryError
from causalflow.graph.node import Class, Exogenous, Finite, Image, Level, Node
from causalflow.query.domain import resolve
from causalflow.values.column import GAP, distinct, entries_of, is_gap, is_tensor, rank
from causalflow.values.finite import FiniteType

__all__ = ["NEVER", "Domain", "codes_of", "pixels_of"]

Places: TypeAlias = np.ndarray[Any, np.dtype[np.int64]]

NEVER = -1
"""The position of a value that a variable never takes."""


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
    def _scalars(self) -> dict[tuple[type, Any], int]:
        return {}

    def scalar(self, value: Any) -> int:
        """The position of one value, remembered.

        Raises:
            EvidenceError: the variable has no such level.
            TypeError: the value is a list, a tuple or an array.
        """
        key = (value.__class__, value)
        found = self._scalars.get(key)
        if found is None:
            if rank(value):
                raise TypeError("expected one value")
            found = self.position(value)
            if isinstance(value, str | int | float):
                self._scalars[key] = found
        return found

    def position(self, value: Any) -> int:
        """Where a value stands: a level (`causalflow.values`), an image by its code or its pixels.

        Raises:
            EvidenceError: the variable has no such level.
        """
        if isinstance(self.declared, Class | Finite):
            return self._place(value, self.declared.type)
        plain = value.item() if isinstance(value, np.generic) or is_tensor(value) else value
        if isinstance(self.declared, Image) and rank(plain) > 0:
            plain = int(codes_of(self.name, self.declared, [plain])[0])
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

    def _found(self, given: Any) -> Places:
        """The positions of a class's value or column, gaps refused."""
        assert isinstance(self.declared, Class | Finite)
        found = self.declared.type.read(given, where=f"'{self.name}'")
        if (found == GAP).any():
            row = f"row {int(np.argmax(found == GAP))}: " if found.ndim else ""
            raise EvidenceError(f"{row}'{self.name}' has no value; leave it out of the evidence")
        if self.levels == self.declared.type.levels:
            return found
        places = [self._places.get(level, NEVER) for level in self.declared.type.levels]
        return np.asarray(np.array(places, dtype=np.int64)[found])

    def positions(self, column: Any) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Where each row's value stands, shape (rows,).

        Raises:
            EvidenceError: a row's value is no level.
        """
        if isinstance(self.declared, Class | Finite):
            found = self._found(column)
            return found if found.ndim == 1 else self._misshapen(found)
        array = entries_of(column).array
        if isinstance(self.declared, Image) and array.ndim > 1:
            array = codes_of(self.name, self.declared, array)
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
        single = 3 if isinstance(self.declared, Image) and rank(value) > 1 else 0
        return rank(value) > single


def codes_of(name: str, image: Image, pixels: Any) -> np.ndarray[Any, np.dtype[Any]]:
    """The codes of a batch of images, shape (batch,): int64 where they fit, else Python's integers.

    Args:
        name: of the node.
        image: its declaration.
        pixels: levels, 0..levels-1; every image in the declared shape or as a list.

    Raises:
        EvidenceError: the pixels are not of that shape, or not among its levels.
    """
    array, levels, count = np.asarray(pixels), image.levels or 0, prod(image.shape)
    if array.size != len(array) * count:
        raise EvidenceError(f"image '{name}' has shape {array.shape[1:]}; expected {image.shape}")
    digits = array.reshape(len(array), count)
    whole = np.round(digits)
    wrong = ~(np.abs(digits - whole) <= 1e-4) | (whole < 0) | (whole >= levels)
    if wrong.any():
        row = int(np.argmax(wrong.any(axis=1)))
        where = f"row {row}: " if len(array) > 1 else ""
        given = f"has a pixel that is not among its {levels} levels"
        raise EvidenceError(f"{where}image '{name}' {given}")
    small = levels**count < 2**62
    powers = [levels**place for place in reversed(range(count))]
    kind: Any = np.int64 if small else object
    return np.asarray(whole.astype(np.int64).astype(kind) @ np.array(powers, dtype=kind))


def pixels_of(image: Image, codes: Sequence[int]) -> np.ndarray[Any, np.dtype[np.int64]]:
    """The pixels' levels of images given by code: (batch, channel, height, width)."""
    assert image.levels is not None
    digits = np.empty((len(codes), prod(image.shape)), dtype=np.int64)
    left = np.array(list(codes), dtype=object)
    for pixel in reversed(range(digits.shape[1])):
        digits[:, pixel] = left % image.levels
        left = left // image.levels
    return digits.reshape(len(codes), *image.shape)


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
