"""The located tree: a declaration as scalars, lists and fields that know their line.

A file becomes this tree from the *events* of a YAML 1.2 parser, with an explicit stack: no object
is ever constructed, no tag or alias is followed, and depth and size are limited, so that hostile
files meet an error and nothing worse. Python dictionaries and lists become the same tree, without
lines, so that one reader serves both.

A scalar stays text. ``plain`` tells ``2`` (which a field may take for a number) from ``"2"`` (a
name): whoever knows what a field means decides; numbers are exact fractions (``0.4`` and ``2/5``
are equal).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from numbers import Number
from typing import Any, NoReturn, TypeAlias

from causalflow.errors import GraphError

__all__ = [
    "MAX_BYTES",
    "MAX_DEPTH",
    "DeclarationError",
    "Fields",
    "Items",
    "Scalar",
    "Value",
    "described",
    "from_python",
    "from_yaml",
    "integer",
    "number",
]

MAX_DEPTH = 32
MAX_BYTES = 1 << 20


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
    """The tree of Python dictionaries, lists, texts and numbers; there is no line to name.

    Raises:
        DeclarationError: any other object, or nesting deeper than `MAX_DEPTH`.
    """
    if depth > MAX_DEPTH:
        raise DeclarationError(f"nested deeper than {MAX_DEPTH} levels")
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
            pairs = ((_key(key), from_python(thing[key], depth + 1)) for key in thing)
            return Fields(tuple(pairs))
        case list() | tuple():
            return Items(tuple(from_python(item, depth + 1) for item in thing))
        case _:
            raise DeclarationError(
                f"cannot read a {type(thing).__name__}; "
                "expected dictionaries, lists, texts and numbers"
            )


def _python_number(thing: Any) -> Scalar:
    if isinstance(thing, complex):
        raise DeclarationError(f"cannot read the complex number {thing}")
    return Scalar(str(thing) if isinstance(thing, int | Fraction) else repr(float(thing)))


def _key(key: object) -> Scalar:
    if isinstance(key, str):
        return Scalar(key, plain=False)
    if isinstance(key, int) and not isinstance(key, bool):
        return Scalar(str(key))
    raise DeclarationError(f"the key {key!r} is not a text")


@dataclass(slots=True)
class _Open:
    """A list or mapping whose end has not been seen; a mapping's keys and values alternate."""

    mapping: bool
    line: int
    parts: list[Value] = field(default_factory=list)
    keys: dict[str, int] = field(default_factory=dict)

    def add(self, value: Value) -> None:
        if self.mapping and len(self.parts) % 2 == 0:
            self._check_key(value)
        elif self.mapping and isinstance(value, Scalar) and value.empty:
            # The parser puts a value that is not there at the next token, lines further on.
            value = replace(value, line=self.parts[-1].line)
        self.parts.append(value)

    def _check_key(self, key: Value) -> None:
        if not isinstance(key, Scalar):
            raise DeclarationError(f"a key must be a text, not {described(key)}", key.line)
        if key.text in self.keys:
            first = self.keys[key.text]
            raise DeclarationError(
                f"duplicate key {described(key)}; first on line {first}", key.line
            )
        self.keys[key.text] = key.line or 0

    def close(self) -> Value:
        if not self.mapping:
            return Items(tuple(self.parts), self.line)
        pairs = zip(self.parts[::2], self.parts[1::2], strict=True)
        return Fields(tuple((k, v) for k, v in pairs if isinstance(k, Scalar)), self.line)


def from_yaml(text: str) -> Value | None:
    """The tree of a YAML 1.2 text; None if it holds no document.

    Raises:
        DeclarationError: bad syntax, a feature the language has no use for, or a text beyond the
            limits.
    """
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise DeclarationError(f"the file is larger than {MAX_BYTES >> 20} MiB", 1)
    root: Value | None = None
    stack: list[_Open] = []
    for event in _events(text):
        line = event.start_mark.line + 1
        if root is not None and type(event).__name__ == "DocumentStartEvent":
            raise DeclarationError("a second document starts; a file holds one graph", line)
        done = _step(type(event).__name__, event, line, stack)
        if done is None:
            continue
        if stack:
            stack[-1].add(done)
        else:
            root = done
    return root


def _step(kind: str, event: Any, line: int, stack: list[_Open]) -> Value | None:
    """The value that the event completes, if any; what starts goes on the stack."""
    if kind == "AliasEvent" or getattr(event, "anchor", None) is not None:
        hint = "quote a text that starts with '&' or '*'"
        raise DeclarationError(f"YAML anchors and aliases are not allowed; {hint}", line)
    if getattr(event, "tag", None) is not None:
        raise DeclarationError("YAML tags are not allowed; quote a text that starts with '!'", line)
    if kind == "ScalarEvent":
        return Scalar(event.value, event.style is None or event.style == "", line)
    if kind in ("SequenceEndEvent", "MappingEndEvent"):
        return stack.pop().close()
    if kind in ("SequenceStartEvent", "MappingStartEvent"):
        if len(stack) == MAX_DEPTH:
            raise DeclarationError(f"nested deeper than {MAX_DEPTH} levels", line)
        stack.append(_Open(kind == "MappingStartEvent", line))
    return None


# What the parser itself raises on some bad escapes and directives, found by fuzzing; it wraps
# nothing of ours, as the consumer of a generator raises outside of it.
_PARSER_SLIPS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
)


def _events(text: str) -> Iterator[Any]:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    line = 1
    try:
        for event in YAML(typ="safe", pure=True).parse(text):
            line = event.end_mark.line + 1
            yield event
    except YAMLError as error:
        _fail_yaml(text, error)
    except _PARSER_SLIPS as error:
        raise DeclarationError(f"not YAML: {' '.join(str(error).split())}", line) from None


def _fail_yaml(text: str, error: Any) -> NoReturn:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
    position = getattr(error, "position", 0)
    if "end of stream" in str(problem):
        mark = getattr(error, "context_mark", None) or mark
    line = mark.line + 1 if mark is not None else text.count("\n", 0, position) + 1
    raise DeclarationError(f"not YAML: {' '.join(str(problem).split())}", line) from None
