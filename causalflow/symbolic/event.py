"""Event: what the probabilities of a formula are of, and the order in which they are written."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from causalflow.query.query import Value

__all__ = ["Event", "Index", "by_name", "event_key", "index_key", "natural"]


class Index(NamedTuple):
    """A value that ranges over the levels of a variable; primes tell several of them apart."""

    name: str
    primes: int = 0

    def __str__(self) -> str:
        return self.name + "'" * self.primes


class Event(NamedTuple):
    """A variable takes a value: an index or a literal."""

    name: str
    value: Index | Value

    def __lt__(self, other: object) -> bool:
        """By name, then indices before literals: a total order whatever the values are."""
        assert isinstance(other, Event)
        return event_key(self) < event_key(other)


@lru_cache(maxsize=65_536)
def natural(name: str) -> tuple[tuple[int, int, str], ...]:
    """A sort key under which v2 comes before v10.

    Example:
        >>> sorted(["v10", "v2", "v"], key=natural)
        ['v', 'v2', 'v10']
    """
    parts = re.findall(r"[0-9]+|[^0-9]+", name)
    return tuple((0, int(p), p) if p[0] in "0123456789" else (1, 0, p) for p in parts)


def by_name(event: Event) -> tuple[tuple[int, int, str], ...]:
    """The sort key of events of different variables."""
    return natural(event[0])


def event_key(event: Event) -> tuple[object, ...]:
    """The sort key of any events."""
    return (natural(event.name), index_key(event.value))


def index_key(value: Index | Value) -> tuple[object, ...]:
    """The sort key of the values of events."""
    if isinstance(value, Index):
        return (0, natural(value.name), value.primes)
    return (1, natural(str(value)), 0)
