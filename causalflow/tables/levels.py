"""Levels: the names of an axis's positions, and the position of a level.

A level is looked up by its name first, then by its index 0..K-1, as everywhere in the language of
queries (`causalflow.query.domain`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import index as whole
from types import MappingProxyType
from typing import SupportsIndex, cast

from causalflow.errors import CausalflowError, one_of
from causalflow.graph.schema import Level

__all__ = ["Levels", "named_levels", "position"]

Levels = Mapping[str, tuple[Level, ...]]


def named_levels(
    axes: Sequence[str], shape: Sequence[int], levels: Mapping[str, Sequence[Level]] | None
) -> Levels:
    """The levels of every axis; 0..n-1 where none are given.

    Raises:
        CausalflowError: levels of an axis that there is not, not one a position, or repeated.
    """
    given = levels or {}
    for name in given:
        if name not in axes:
            raise CausalflowError(f"table: levels of unknown axis '{name}'; {one_of(name, axes)}")
    named = {
        axis: tuple(given.get(axis, range(count))) for axis, count in zip(axes, shape, strict=True)
    }
    for (axis, names), count in zip(named.items(), shape, strict=True):
        if len(names) != count:
            raise CausalflowError(
                f"table: axis '{axis}' has {count} positions and {len(names)} levels"
            )
        if len(set(names)) != count:
            raise CausalflowError(f"table: axis '{axis}' has a level twice: {list(names)}")
    return MappingProxyType(named)


def position(axis: str, levels: Sequence[Level], level: object) -> int:
    """Where a level stands, given by name or by index.

    Raises:
        CausalflowError: there is no such level.

    Example:
        >>> position("color", ("green", "red"), "red"), position("color", ("green", "red"), 1)
        (1, 1)
    """
    if level in levels:
        return levels.index(level)
    for place, name in enumerate(levels):
        if str(name) == str(level):
            return place
    try:
        place = whole(cast("SupportsIndex", level))
    except TypeError:
        place = -1
    if 0 <= place < len(levels):
        return place
    raise CausalflowError(f"table: axis '{axis}' has no level {level!r}; {one_of(level, levels)}")
