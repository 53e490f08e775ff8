"""Registry: the open sets of the engine (solvers, noises, families), looked up by name, once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from causalflow.errors import CausalflowError, one_of

__all__ = ["Registry"]

Entry = TypeVar("Entry")


class Registry(Generic[Entry]):
    """A named table of siblings.

    Example:
        >>> shapes = Registry[int]("shape")
        >>> shapes.add("square", 4)
        4
        >>> shapes.get("disk")
        Traceback (most recent call last):
        causalflow.errors.CausalflowError: unknown shape 'disk'; expected one of ['square']
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._entries: dict[str, Entry] = {}

    def add(self, name: str, entry: Entry) -> Entry:
        """Enter ``entry`` under ``name`` and return it."""
        if name in self._entries:
            raise CausalflowError(f"{self.kind} '{name}' is registered already")
        self._entries[name] = entry
        return entry

    def register(self, name: str) -> Callable[[Entry], Entry]:
        """The decorator form of `add`."""
        return lambda entry: self.add(name, entry)

    def get(self, name: str) -> Entry:
        """The entry of that name.

        Raises:
            CausalflowError: no such name; the message lists those there are.
        """
        try:
            return self._entries[name]
        except (KeyError, TypeError):
            raise CausalflowError(f"unknown {self.kind} {name!r}; {one_of(name, self)}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __len__(self) -> int:
        return len(self._entries)
