"""Tree: a declaration as scalars, lists and fields that know their line, and how they are read.

A file becomes this tree (`causalflow.graph.yaml`), and Python dictionaries and lists become the
same tree without lines (`from_python`), so that one reader serves both. A mistake is named with its
place and line (`Place`).

A scalar stays text. ``plain`` tells ``2`` (which a field may take for a number) from ``"2"`` (a
name): whoever knows what a field means decides. Numbers are exact fractions (``0.4`` and ``2/5``
are equal).
"""

from __future__ import annotations

import dataclasses
import math
import numbers
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, NoReturn, TypeAlias, assert_never, cast

import numpy as np

from causalflow.errors import GraphError, one_of
from causalflow.limits import LISTED, NESTING
from causalflow.options import (
    Bytes,
    Interval,
    Names,
    Number,
    Numbers,
    Options,
    Rule,
    Text,
    Truth,
    Whole,
    Wholes,
)
from causalflow.values.column import is_tensor

__all__ = [
    "DeclarationError",
    "Fields",
    "Items",
    "Place",
    "Read",
    "Scalar",
    "Value",
    "bound",
    "bounded",
    "choice",
    "count",
    "counts",
    "declared_fields",
    "described",
    "field_names",
    "from_python",
    "integer",
    "interval",
    "is_null",
    "items",
    "number",
    "reader",
    "real",
    "record",
    "text",
    "trusted",
    "truth",
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
        case numbers.Number():
            return _python_number(thing)
        case Mapping():
            return _python_fields(thing, depth)
        case Options():
            return _python_fields(_given(thing), depth)
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


def _given(options: Options) -> dict[str, Any]:
    """The options that are not at their defaults."""
    slots = dataclasses.fields(cast(Any, options))
    values = {slot.name: getattr(options, slot.name) for slot in slots}
    return {slot.name: values[slot.name] for slot in slots if values[slot.name] != slot.default}


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


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the declaration a value stands: "node 'x'", "edge 'a -> b'"."""

    label: str

    def fail(self, message: str, at: Value | int | None = None) -> NoReturn:
        """Raise the error with this place and the line of ``at``."""
        line = at if at is None or isinstance(at, int) else at.line
        raise DeclarationError(f"{self.label}: {message}", line) from None

    def within(self, name: str) -> Place:
        """The place of a field."""
        return Place(f"{self.label}: {name}")


Read: TypeAlias = Callable[[Value, Place], Any]


def record(value: Value, place: Place, allowed: Iterable[str], kind: str = "field") -> Fields:
    """The value as a mapping whose keys are among ``allowed``."""
    names = tuple(allowed)
    if not isinstance(value, Fields):
        place.fail(f"expected a mapping of {kind}s, not {described(value)}", value)
    for key, _ in value.pairs:
        if key.text not in names:
            hint = "; a text with commas inside { } needs quotes" if _is_cut(value) else ""
            place.fail(f"unknown {kind} {described(key)}; {one_of(key.text, names)}{hint}", key)
    return value


def _is_cut(value: Fields) -> bool:
    """Whether the end of a text that its commas have cut stands among the keys."""
    ends = (key for key, content in value.pairs if isinstance(content, Scalar) and content.empty)
    return any(")" in key.text for key in ends)


def items(value: Value, place: Place, what: str) -> tuple[Value, ...]:
    """The value as a list."""
    if not isinstance(value, Items):
        place.fail(f"expected a list of {what}, not {described(value)}", value)
    return value.values


def text(value: Value, place: Place) -> str:
    """The value as a text that is not empty."""
    if not isinstance(value, Scalar) or not value.text.strip() or value.empty:
        place.fail(f"expected a text, not {described(value)}", value)
    return value.text


def real(value: Value, place: Place) -> float:
    """The value as a finite float."""
    exact = number(value)
    if exact is None:
        place.fail(f"expected a number, not {described(value)}", value)
    try:
        return float(exact)
    except OverflowError:
        place.fail(f"the number {described(value)} is too large", value)


def count(value: Value, place: Place, least: int = 1, most: int = 1_000_000) -> int:
    """The value as an integer between ``least`` and ``most``."""
    whole = integer(value)
    if whole is None or not least <= whole <= most:
        place.fail(f"expected an integer from {least} to {most}, not {described(value)}", value)
    return whole


def counts(most: int, length: int, least: int = 1) -> Read:
    """The reader of a list of ``least`` to ``length`` integers from 1 to ``most``."""

    def read(value: Value, place: Place) -> tuple[int, ...]:
        listed = items(value, place, "positive integers")
        if not least <= len(listed) <= length:
            place.fail(f"expected {least} to {length} integers, not {len(listed):,}", value)
        return tuple(count(item, place, most=most) for item in listed)

    return read


def choice(names: Collection[str] | Names) -> Read:
    """The reader of a name among ``names``, as they are at the moment of reading."""
    rule = names if isinstance(names, Names) else Names(names)

    def read(value: Value, place: Place) -> str:
        given = value.text if isinstance(value, Scalar) else ""
        if not rule.allows(given):
            place.fail(f"unknown name {described(value)}; {rule.expected(given)}", value)
        return given

    return read


def reader(rule: Rule) -> Read:
    """The reader of what a rule of options allows."""
    match rule:
        case Names():
            return choice(rule)
        case Whole(least, most, optional):
            return lambda value, place: (
                None if optional and is_null(value) else count(value, place, least, most)
            )
        case Number(low, high):
            return bounded(low, high)
        case Interval(low, high):
            return interval(low, high)
        case Numbers():
            return number_list(rule)
        case Wholes(most, length, least):
            return counts(most, length, least)
        case Truth(optional):
            return lambda value, place: None if optional and is_null(value) else truth(value, place)
        case Text() | Bytes():
            return text
    assert_never(rule)


def is_null(value: Value) -> bool:
    """Whether the value stands for None."""
    return isinstance(value, Scalar) and (value.empty or value.text in ("null", "none"))


def declared_fields(
    kind: type, value: Fields, place: Place, readers: Mapping[str, Read]
) -> dict[str, Any]:
    """The fields of the dataclass ``kind`` that ``value`` gives, each read by its reader.

    Raises:
        DeclarationError: a field without a default is missing, or a value cannot be read.
    """
    given: dict[str, Any] = {}
    for name in field_names(kind):
        content = value.get(name)
        if content is not None:
            given[name] = readers[name](content, place.within(name))
        elif _required(kind, name):
            place.fail(f"the field '{name}' is missing", value)
    return given


def field_names(kind: type) -> tuple[str, ...]:
    """The names of a dataclass's fields that a file gives: all that take part in equality."""
    return tuple(field.name for field in dataclasses.fields(kind) if field.compare)


def _required(kind: type, name: str) -> bool:
    slot = next(field for field in dataclasses.fields(kind) if field.name == name)
    return slot.default is dataclasses.MISSING and slot.default_factory is dataclasses.MISSING


def truth(value: Value, place: Place) -> bool:
    """The value as true or false."""
    if not isinstance(value, Scalar) or value.text not in ("true", "false"):
        place.fail(f"expected true or false, not {described(value)}", value)
    return value.text == "true"


def interval(low: float, high: float) -> Read:
    """The reader of two numbers [a, b] with low <= a < b <= high; infinite ends are numbers too."""

    def read(value: Value, place: Place) -> tuple[float, float]:
        ends = items(value, place, "two numbers [low, high]")
        if len(ends) != 2:
            place.fail(f"expected two numbers [low, high], not {len(ends)}", value)
        a, b = (bound(end, place) for end in ends)
        if not a < b:
            place.fail(f"low {a:g} must be less than high {b:g}", value)
        if not low <= a < b <= high:
            place.fail(
                f"expected two numbers between {low:g} and {high:g}, not {a:g} and {b:g}", value
            )
        return a, b

    return read


def number_list(rule: Numbers) -> Read:
    """The reader of a list of numbers that a rule allows."""

    def read(value: Value, place: Place) -> tuple[float, ...] | None:
        if rule.optional and is_null(value):
            return None
        listed = tuple(real(each, place) for each in items(value, place, "numbers"))
        if not rule.allows(listed):
            place.fail(rule.expected(listed), value)
        return listed

    return read


def bounded(low: float, high: float) -> Read:
    """The reader of a finite number between low and high; high may be infinite."""

    def read(value: Value, place: Place) -> float:
        given = real(value, place)
        if not low <= given <= high:
            end = f" to {high:g}" if math.isfinite(high) else ""
            place.fail(f"expected a number from {low:g}{end}, not {given:g}", value)
        return given

    return read


def bound(value: Value, place: Place) -> float:
    """A number or an infinity."""
    word = value.text.lstrip("+-").lstrip(".").lower() if isinstance(value, Scalar) else ""
    if isinstance(value, Scalar) and word in ("inf", "infinity"):
        return -math.inf if value.text.startswith("-") else math.inf
    return real(value, place)


def trusted(read: Callable[[], Any], place: Place, at: Value | int | None) -> Any:
    """The result of ``read``; its GraphError, which knows no place, gets this one."""
    try:
        return read()
    except DeclarationError:
        raise
    except GraphError as error:
        place.fail(str(error), at)
