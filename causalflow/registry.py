"""Registry: the open sets of the engine (solvers, noises, formats, ...), looked up by name.

An entry is an object, or a *place* ``module:NAME`` that is imported when the entry is first asked
for: so a list of names costs nothing, and loads no torch. A registry with a group also has what
other packages declare under the entry-point group ``causalflow.<group>``, read once, when a name is
asked for that is not known yet, or all names are. A package whose entry cannot be loaded is named
in one line, when that entry is asked for; all others work.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib import import_module
from typing import Any, Generic, TypeVar, cast

from causalflow.errors import CausalflowError, CausalflowWarning, one_line, one_of

__all__ = ["Registry", "loaded"]

Entry = TypeVar("Entry")
Given = TypeVar("Given")


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an entry stands that is not loaded yet; ``owner`` is another package's name, or ""."""

    text: str
    owner: str = ""


class Registry(Generic[Entry]):
    """A table of siblings by name.

    Attributes:
        own: the names that come with the package.

    Args:
        kind: what an entry is, as messages say it.
        group: the name of the entry points, after ``causalflow.``; "": other packages cannot add to
            it.
        places: the entries that come with the package.
        adapt: the place of the entries' class, or of a function that makes a proper entry of
            ``(name, given)``, given by a user or another package, or refuses it.

    Example:
        >>> shapes = Registry[int]("shape")
        >>> shapes.add("square", 4)
        4
        >>> shapes.get("disk")
        Traceback (most recent call last):
        causalflow.errors.CausalflowError: unknown shape 'disk'; expected one of ['square']
    """

    def __init__(
        self,
        kind: str,
        group: str = "",
        places: Mapping[str, str] | None = None,
        adapt: str = "",
    ) -> None:
        self.kind, self.group = kind, group
        self._adapt = adapt
        self._entries: dict[str, object] = {}
        self._unread = bool(group)
        for name, text in (places or {}).items():
            self._entries[name] = _Place(text)
        self.own = tuple(self._entries)

    def add(self, name: str, entry: Any) -> Entry:
        """Enter ``entry`` under ``name`` and return it as it was entered.

        A name may be entered again, as a notebook does whose cell is run twice, but for the names
        that come with the package.

        Raises:
            CausalflowError: no name, one that comes with the package, or no entry of this kind.
        """
        if not isinstance(name, str) or not name.strip():
            raise CausalflowError(f"{self.kind}: {name!r} is no name")
        if name in self.own:
            raise CausalflowError(f"{self.kind} '{name}' is registered already")
        self._entries[name] = self._adapted(name, entry)
        return cast(Entry, self._entries[name])

    def register(self, name: str) -> Callable[[Given], Given]:
        """The decorator that enters what it decorates, and returns it unchanged."""

        def enter(entry: Given) -> Given:
            self.add(name, entry)
            return entry

        return enter

    def get(self, name: str) -> Entry:
        """The entry of that name, loaded if it was not.

        Raises:
            CausalflowError: no such name; the message lists those there are. Or the package that
                declares it is broken; the message names it.
        """
        if name not in self:
            raise CausalflowError(f"unknown {self.kind} {name!r}; {one_of(name, self)}")
        entry = self._entries[name]
        if isinstance(entry, _Place):
            entry = self._entries[name] = self._load(name, entry)
        return cast(Entry, entry)

    def __iter__(self) -> Iterator[str]:
        self._read_entry_points()
        return iter(tuple(self._entries))

    def __contains__(self, name: object) -> bool:
        if not isinstance(name, str):
            return False
        if name not in self._entries:
            self._read_entry_points()
        return name in self._entries

    def __len__(self) -> int:
        self._read_entry_points()
        return len(self._entries)

    def _load(self, name: str, place: _Place) -> object:
        if not place.owner:
            return loaded(place.text)
        try:
            return self._adapted(name, loaded(place.text))
        except Exception as error:
            owner = f"{self.kind} '{name}' of the package '{place.owner}' cannot be loaded"
            reason = f"{type(error).__name__}: {error}"
            raise CausalflowError(one_line(f"{owner}: {reason}")) from None

    def _adapted(self, name: str, given: object) -> object:
        adapt = loaded(self._adapt) if self._adapt else None
        if isinstance(adapt, type):
            if not isinstance(given, adapt):
                place = f"{adapt.__module__}.{adapt.__qualname__}"
                raise CausalflowError(f"{self.kind} '{name}': expected a {place}")
            return replace(cast(Any, given), name=name) if hasattr(given, "name") else given
        if adapt is None and self.group and not callable(given):
            raise CausalflowError(f"{self.kind} '{name}': expected a function")
        return given if adapt is None else adapt(name, given)

    def _read_entry_points(self) -> None:
        if not self._unread:
            return
        self._unread = False
        for name, place, package in _declared().get(f"causalflow.{self.group}", ()):
            if name not in self._entries:
                self._entries[name] = _Place(place, package)
            elif name in self.own:
                message = f"{self.kind} '{name}' of the package '{package}' is not used"
                warnings.warn(f"{message}: the name is taken", CausalflowWarning, stacklevel=2)


def loaded(place: str) -> Any:
    """What stands at ``module:NAME``; of a place without a name, the module."""
    module, _, name = place.partition(":")
    found: Any = import_module(module.strip())
    for part in filter(None, name.partition("[")[0].strip().split(".")):
        found = getattr(found, part)
    return found


@cache
def _declared() -> Mapping[str, list[tuple[str, str, str]]]:
    """Name, place and package of every entry point of installed packages, by its group."""
    from importlib.metadata import distributions

    found: dict[str, list[tuple[str, str, str]]] = {}
    for package in distributions():
        try:
            for point in package.entry_points:
                if point.group.startswith("causalflow."):
                    entry = (point.name, point.value, package.name)
                    found.setdefault(point.group, []).append(entry)
        except Exception as error:  # metadata of a package that has nothing to do with this one
            message = one_line(f"the entry points of an installed package cannot be read: {error}")
            warnings.warn(message, CausalflowWarning, stacklevel=3)
    return found
