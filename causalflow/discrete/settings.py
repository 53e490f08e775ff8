"""Settings: what each of a question's worlds sets, in the terms of `causalflow.graph.worlds`."""

from __future__ import annotations

from collections.abc import Sequence

from causalflow.graph.worlds import WorldNode
from causalflow.query.query import World

__all__ = ["ANY", "settings"]


class _AnyValue:
    """What a variable is set to by ``do(x)``: any of its values."""

    def __str__(self) -> str:
        return "any"


ANY = _AnyValue()


def settings(world: World, worlds: Sequence[World], nodes: frozenset[str]) -> dict[str, object]:
    """What a world sets, for `parallel_worlds`: constants, any value, copies in earlier worlds."""
    found: dict[str, object] = {}
    for each in world:
        if each.variable not in nodes:
            continue
        nested = each.nested
        if nested is not None:
            earlier = worlds.index(nested.subscript)
            found[each.variable] = WorldNode(name=each.variable, world=earlier)
        else:
            found[each.variable] = ANY if each.value is None else each.value
    return found
