"""Options: frozen data filled by name, each field with its default, its rule and its phase.

A *rule* says which values a field takes, and how a message tells what it expects; graph files
(`causalflow.graph.tree.reader`), Python (`Options`) and the command line read a value by the same
one. A *phase* says when a value counts: an option of the "network" shapes its weights, one of
"training" how they are fitted, one of the "call" may change in every call.

A *method* is one choice with what belongs to it, as one object: ``Heun(steps=20)`` given for
``solver`` is ``solver="heun", steps=20``, which is how it is kept, written and read.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, ClassVar, Generic, Literal, TypeAlias, TypeVar

from causalflow.errors import CausalflowError, one_of, shown

__all__ = [
    "Bytes",
    "Chosen",
    "Interval",
    "Method",
    "Names",
    "Number",
    "Numbers",
    "Options",
    "Rule",
    "Text",
    "Truth",
    "Whole",
    "Wholes",
    "bytes_of",
    "flat",
    "option",
    "read_size",
    "rules",
]

Phase: TypeAlias = Literal["network", "training", "call"]


@dataclass(frozen=True, slots=True)
class Names:
    """One of some names: those of lists, and of registries at the moment of reading."""

    sources: tuple[Iterable[str], ...]

    def __init__(self, *sources: Iterable[str]) -> None:
        object.__setattr__(self, "sources", sources)

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(name for source in self.sources for name in source))

    def allows(self, value: object) -> bool:
        """Whether the value obeys the rule."""
        return isinstance(value, str) and any(value in source for source in self.sources)

    def expected(self, value: object) -> str:
        """The end of the error's message."""
        return one_of(value, self)


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number between two ends; None too, where ``optional``."""

    least: int
    most: int = 1_000_000
    optional: bool = False
    text: str = ""

    def allows(self, value: object) -> bool:
        """Whether the value obeys the rule."""
        if value is None:
            return self.optional
        return _is_whole(value) and self.least <= value <= self.most  # type: ignore[operator]

    def expected(self, value: object) -> str:
        """The end of the error's message."""
        return f"expected {self.text or f'a whole number from {self.least} to {self.most}'}"


@dataclass(frozen=True, slots=True)
class Number:
    """A finite number between two ends, which it may not reach where they are ``open``.

    None too, where ``optional``.
    """

    low: float
    high: float = math.inf
    open: Literal["", "low", "high"] = ""
    text: str = ""
    optional: bool = False

    def allows(self, value: object) -> bool:
        """Whether the value obeys the rule."""
        if value is None:
            return self.optional
        if not (_is_number(value) and self.low <= value <= self.high):  # type: ignore[operator]
            return False
        return value != {"low": self.low, "high": self.high}.get(self.open)

    def expected(self, value: object) -> str:
        """The end of the error's message."""
        end = f" to {self.high:g}" if math.isfinite(self.high) else ""
        return f"expected {self.text or f'a finite number from {self.low:g}{end}'}"


@dataclass(frozen=True, slots=True)
class Interval:
    """Two numbers (a, b) with low <= a < b <= high."""

    low: float
    high: float

    def allows(self, value: object) -> bool:
        """Whether the value obeys the rule."""
        if not (isinstance(value, tuple) and len(value) == 2 and all(map(_is_number, value))):
            return False
        return bool(self.low <= value[0] < value[1] <= self.high)

    def expected(self, value: object) -> str:
        """The end of the error's message."""
        return f"expected two numbers (low, high) between {self.low:g} and {self.high:g}"


@dataclass(frozen=True, slots=True)
class Numbers:
    """So many numbers between two ends, each above the one before where they are ``rising``.

    None too, where ``optional``.
    """

    low: float
    high: float
    least: int
    most: int
    rising: bool = False
    optional: bool = False

    def allows(self, value: object) -> bool:
        """Whether the value obeys the rule."""
        if value is None:
            return self.optional
        if not (isinstance(value, tuple) and self.least <= len(value) <= self.most):
            return False
        if not all(_is_number(part) and self.low <= part <= self.high for part in value):
            return False
        return not self.rising or all(a < b for a, b in pairwise(value))

    def expected(self, value: object) -> str:
        """The end of the error's message."""
        many = f"{self.least}" if self.least == self.most else f"{self.least} to {self.most}"
        kind = "rising numbers" if self.rising else "numbers"
        return f"expected {many} {kind} from {self.low:g} to {self.high:g}"


@dataclass(frozen=True, slots=True)
class Wholes:
    """So many whole numbers, ``least`` to ``length``, from 1 to ``most``."""

    most: int
    length: int
    least: int = 1

    def allows(self, value: object) -> bool:
        """Whether the value obeys the rule."""
        if not isinstance(value, tuple) or not self.least <= len(value) <= self.length:
            return False
        return all(_is_whole(part) and 1 <= part <= self.most for part in value)

    def expected(self, value: object) -> str:
        """The end of the error's message."""
        many = f"{self.least} to {self.length}"
        return f"expected a tuple of {many} whole numbers from 1 to {self.most}"


@dataclass(frozen=True, slots=True)
class Truth:
    """True or False; None too, where ``optional``."""

    optional: bool = False

    def allows(self, value: object) -> bool:
        """Whether the value obeys the rule."""
        return isinstance(value, bool) or (self.optional and value is None)

    def expected(self, value: object) -> str:
        """The end of the error's message."""
        return "expected True or False"


@dataclass(frozen=True, slots=True)
class Text:
    """A text."""

    def allows(self, value: object) -> bool:
        """Whether the value obeys the rule."""
        return value is None or isinstance(value, str)

    def expected(self, value: object) -> str:
        """The end of the error's message."""
        return "expected a text"


UNITS = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


@dataclass(frozen=True, slots=True)
class Bytes:
    """A number of bytes from 1: a whole number, or a text such as "500MB"."""

    def allows(self, value: object) -> bool:
        """Whether the value obeys the rule."""
        return isinstance(value, str | int) and bytes_of(value) >= 1

    def expected(self, value: object) -> str:
        """The end of the error's message."""
        return 'expected a number of bytes, such as "2GB" or "500MB"'


def bytes_of(size: str | int) -> int:
    """The bytes of a size that `Bytes` allows; 0 of any other.

    Example:
        >>> bytes_of("1.5GB"), bytes_of(7), bytes_of("much")
        (1500000000, 7, 0)
    """
    found = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?) ?([KMGT]?B)?", str(size).strip().upper(), re.A)
    if isinstance(size, bool) or found is None:
        return 0
    return int(float(found[1]) * UNITS[found[2] or "B"])


def read_size(where: str, size: str | int) -> int:
    """The bytes of a size.

    Raises:
        CausalflowError: it is none; ``where`` begins the message.
    """
    if not Bytes().allows(size):
        raise CausalflowError(f"{where}={shown(size)}; {Bytes().expected(size)}")
    return bytes_of(size)


Rule: TypeAlias = Names | Whole | Number | Interval | Numbers | Wholes | Truth | Text | Bytes


def option(
    default: Any,
    rule: Rule | None = None,
    *,
    phase: Phase = "call",
    method: Mapping[str, str] | None = None,
) -> Any:
    """A field of options.

    Args:
        default: its value where none is given.
        rule: which values it takes; None: any.
        phase: when it counts.
        method: the field may be given as a `Method`, whose fields are kept in these fields.
    """
    return field(default=default, metadata={"rule": rule, "phase": phase, "method": method or {}})


class Options:
    """The base of all options: a name that is none, or a value against its rule, is an error.

    Attributes:
        title: how messages begin.
        error: what they are raised as.
    """

    __slots__ = ()
    title: ClassVar[str] = "options"
    error: ClassVar[type[CausalflowError]] = CausalflowError

    def __new__(cls, **given: object) -> Options:
        """Refuse a name that is no option; the values are set, and checked, afterwards."""
        allowed = [slot.name for slot in dataclasses.fields(cls)]  # type: ignore[arg-type]
        for name in given:
            if name not in allowed:
                raise cls.error(f"{cls.title}: unknown option '{name}'; {one_of(name, allowed)}")
        return object.__new__(cls)

    def __post_init__(self) -> None:
        """Put methods in flat form, and refuse what no rule allows."""
        given = {slot.name: getattr(self, slot.name) for slot in dataclasses.fields(self)}  # type: ignore[arg-type]
        for name, value in flat(type(self), given).items():
            object.__setattr__(self, name, value)
        for name, rule in rules(type(self)).items():
            value = getattr(self, name)
            if isinstance(value, list):
                value = tuple(value)
                object.__setattr__(self, name, value)
            if not rule.allows(value):
                raise self.error(f"{self.title}: {self.refused(name, value, rule)}")

    def refused(self, name: str, value: object, rule: Rule) -> str:
        """What an error says of a value."""
        return f"{name}={shown(value)}; {rule.expected(value)}"


class Method(Options):
    """One choice by name, with the options that belong to it; None: as they are without it.

    Attributes:
        method: the name in its registry.
    """

    __slots__ = ()
    method: ClassVar[str]

    def __init_subclass__(cls) -> None:
        """Messages begin with the class's name."""
        cls.title = cls.__name__

    def __post_init__(self) -> None:
        """The values are checked where the method is used."""


Kind = TypeVar("Kind", bound=Method)


class Chosen(Generic[Kind]):
    """How a type checker sees a field given as a name or a method, and read as the name.

    It is an annotation only, and never made.
    """

    def __get__(self, instance: object, owner: type | None = None) -> str:
        """The name."""
        raise NotImplementedError

    def __set__(self, instance: object, value: str | Kind) -> None:
        """A name or a method."""
        raise NotImplementedError


def rules(kind: type, phase: Phase | None = None) -> dict[str, Rule]:
    """The rule of every option of a kind that has one, or of those of a phase."""
    return {
        slot.name: slot.metadata["rule"]
        for slot in dataclasses.fields(kind)
        if slot.metadata.get("rule") and phase in (None, slot.metadata["phase"])
    }


def flat(kind: type[Options], given: Mapping[str, Any]) -> dict[str, Any]:
    """The values given for options of a kind, every method as its name and what it says.

    Raises:
        CausalflowError: a method says something else than an option beside it.
    """
    found = dict(given)
    for slot in dataclasses.fields(kind):  # type: ignore[arg-type]
        value = given.get(slot.name)
        if not isinstance(value, Method):
            continue
        places = slot.metadata.get("method", {})
        found[slot.name] = value.method
        for name, place in places.items():
            said, beside = getattr(value, name, None), given.get(place)
            if said is None:
                continue
            default = next(s.default for s in dataclasses.fields(kind) if s.name == place)  # type: ignore[arg-type]
            if beside not in (None, default, said):
                raise kind.error(
                    f"{kind.title}: {place}={shown(beside)} beside {slot.name}={shown(value)}; "
                    "give one of them"
                )
            found[place] = said
    return found


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
