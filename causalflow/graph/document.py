"""The located tree: a declaration as scalars, lists and fields that know their line.

A file becomes this tree (`causalflow.graph.events`), and Python dictionaries and lists become the
same tree without lines, so that one reader serves both.

A scalar stays text. ``plain`` tells ``2`` (which a field may take for a number) from ``"2"`` (a
name): whoever knows what a field means decides; numbers are exact fractions (``0.4`` and ``2/5``
are equal).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from numbers import Number
from typing import Any, TypeAlias

import numpy as np

from causalflow.errors import GraphError
from causalflow.limits import LISTED, NESTING
from causalflow.values.entries import is_tensor

__all__ = [
    "DeclarationError",
    "Fields",
    "Items",
    "Scalar",
    "Value",
    "described",
    "from_python",
    "integer",
    "number",
]


class DeclarationError(GraphError):
    """A mistake in a declaration, with its line where there is a file."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True, slots=True)
class Scalar:
    """A text; ``plain`` if written without quotes."""

    text: str
    plain: bool = True
    line: int | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be written to a file again."""
        if any("\ud800" <= character <= "\udfff" for character in self.text):
            raise DeclarationError(
                "the text has a lone surrogate; it is not valid Unicode", self.line
            )

    @property
    def empty(self) -> bool:
        """Whether nothing was written."""
        return self.plain and self.text in ("", "~", "null")


@dataclass(frozen=True, slots=True)
class Items:
    """A list."""

    values: tuple[Value, ...]
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Fields:
    """A mapping with different keys, in order."""

    pairs: tuple[tuple[Scalar, Value], ...]
    line: int | None = None

    def get(self, key: str) -> Value | None:
        """The value of ``key``, None where it is missing."""
        return next((value for name, value in self.pairs if name.text == key), None)

    def keys(self) -> tuple[str, ...]:
        """The keys in order."""
        return tuple(name.text for name, _ in self.pairs)


Value: TypeAlias = Scalar | Items | Fields


def described(value: Value) -> str:
    """The value in an error message: a short text in quotes, or what kind of thing it is.

    Example:
        >>> described(Scalar("red")), described(Items(()))
        ("'red'", 'a list')
    """
    match value:
        case Scalar(text) if value.empty:
            return "an empty value"
        case Scalar(text):
            return repr(text if len(text) <= 40 else f"{text[:37]}...")
        case Items():
            return "a list"
        case Fields():
            return "a mapping"


_NUMBER = re.compile(r"[-+]?(?:\d+/\d+|(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d{1,3})?)", re.ASCII)


def number(value: Value) -> Fraction | None:
    """The exact number that a scalar shows, None if it shows none.

    Example:
        >>> number(Scalar("0.4")) == number(Scalar("2/5"))
        True
    """
    if not isinstance(value, Scalar) or len(value.text) > 100 or not _NUMBER.fullmatch(value.text):
        return None
    _, slash, denominator = value.text.partition("/")
    return None if slash and int(denominator) == 0 else Fraction(value.text)


def integer(value: Value) -> int | None:
    """The integer that a scalar shows, None if it shows none."""
    exact = number(value)
    return int(exact) if exact is not None and exact.denominator == 1 else None


def from_python(thing: Any, depth: int = 1) -> Value:
    """The tree of Python dictionaries, lists, arrays, texts and numbers; there is no line to name.

    Raises:
        DeclarationError: any other object, or nesting deeper than `NESTING`.
    """
    if depth > NESTING:
        raise DeclarationError(f"nested deeper than {NESTING} levels")
    match thing:
        case str():
            return Scalar(str(thing), plain=False)
        case bool():
            return Scalar(str(thing).lower())
        case None:
            return Scalar("")
        case Number():
            return _python_number(thing)
        case Mapping():
            return _python_fields(thing, depth)
        case list() | tuple() | range():
            if len(thing) > LISTED:
                raise DeclarationError(f"a list of {len(thing):,} entries; at most {LISTED:,}")
            return Items(tuple(from_python(item, depth + 1) for item in thing))
        case np.ndarray() | np.bool_():
            return from_python(thing.tolist(), depth)
        case _ if is_tensor(thing):
            return from_python(thing.tolist(), depth)
        case _:
            raise DeclarationError(
                f"cannot read an object of type {type(thing).__name__}; "
                "expected dictionaries, lists, texts and numbers"
            )


def _python_fields(thing: Mapping[Any, Any], depth: int) -> Fields:
    pairs = tuple((_key(key), from_python(value, depth + 1)) for key, value in thing.items())
    for text, times in Counter(key.text for key, _ in pairs).items():
        if times > 1:
            raise DeclarationError(f"duplicate key {text!r}")
    return Fields(pairs)


def _python_number(thing: Any) -> Scalar:
    if isinstance(thing, complex):
        raise DeclarationError(f"cannot read the complex number {thing}")
    try:
        whole = isinstance(thing, int | Fraction | np.integer)
        return Scalar(str(thing) if whole else repr(float(thing)))
    except (ValueError, OverflowError):
        raise DeclarationError("a number of thousands of digits") from None


def _key(key: object) -> Scalar:
    if isinstance(key, str):
        return Scalar(key, plain=False)
    if isinstance(key, int) and not isinstance(key, bool):
        return Scalar(str(key))
    raise DeclarationError(f"the key {key!r} is not a text")
