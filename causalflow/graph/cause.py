"""Cause: what a hidden common cause, an edge ``a <-> b``, compiles to.

- x <-> image                                     - x <-> image: {through: ground}
- x <-> image: {cause: noise}                     - x <-> image: {sensitivity: 2, on: [ground]}
- a <-> b: {cause: latent, states: 4}

noise        one end listens to the other's own noise (`causalflow.graph.hearing`); the default
             wherever an end is no class
latent       a class of ``states`` levels that both ends have as a parent; between classes,
             and the default there
through      the cause reaches the second end through the named node alone: ``x <-> ground`` and
             ``ground -> image`` stand for the edge
sensitivity  the largest ratio, and its inverse the smallest, of what is not seen of the
             attributes ``on`` to what is seen, where a question is not identified
             (`causalflow.model.hidden.family`)
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from causalflow.graph.tree import (
    Fields,
    Place,
    Read,
    Scalar,
    Value,
    bounded,
    choice,
    count,
    declared_fields,
    field_names,
    items,
    record,
    text,
)
from causalflow.limits import CONFOUNDER_STATES

__all__ = ["CAUSES", "Cause", "raw_cause", "read_cause"]

CAUSES = ("noise", "latent")
LARGEST_RATIO = 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """What is said of a hidden common cause.

    Attributes:
        cause: "noise" or "latent"; None: as the types of the ends have it.
        states: the levels of a latent class; None: as `compile` has it.
        sensitivity: the largest density ratio, at least 1; None: none is assumed.
        on: the attributes that have it.
    """

    cause: str | None = None
    states: int | None = None
    sensitivity: float | None = None
    on: tuple[str, ...] = ()


def read_cause(
    value: Value, place: Place, line: int | None
) -> tuple[Cause | None, tuple[str, ...]]:
    """What an edge's value says, if anything, and the nodes that its cause goes through.

    Raises:
        DeclarationError: what cannot be read, or does not go together.
    """
    if isinstance(value, Scalar):
        return Cause(cause=choice(CAUSES)(value, place)), ()
    record(value, place, (*field_names(Cause), "through"), "option")
    assert isinstance(value, Fields)
    through = value.get("through")
    if through is not None:
        if len(value.pairs) > 1:
            place.fail("through stands alone; say the rest of the edge that it leaves", line)
        return None, _names(through, place.within("through"))
    found = Cause(**declared_fields(Cause, value, place, _READ))
    if found.states is not None and found.cause != "latent":
        place.fail("states are those of a latent class; expected cause: latent beside it", line)
    if (found.sensitivity is None) == bool(found.on):
        place.fail(
            "sensitivity is a ratio on declared attributes; expected both, as in "
            "{sensitivity: 2, on: [ground]}",
            line,
        )
    if found.sensitivity is not None and found.cause == "latent":
        place.fail("sensitivity stands beside cause: noise, not beside a latent class", line)
    return (found if found != Cause() else None), ()


def _names(value: Value, place: Place) -> tuple[str, ...]:
    """A node's name, or several."""
    return (text(value, place),) if isinstance(value, Scalar) else _listed(value, place)


def _listed(value: Value, place: Place) -> tuple[str, ...]:
    return tuple(text(each, place) for each in items(value, place, "names of nodes"))


_READ: Mapping[str, Read] = {
    "cause": choice(CAUSES),
    "states": lambda value, place: count(value, place, 1, CONFOUNDER_STATES),
    "sensitivity": bounded(1.0, LARGEST_RATIO),
    "on": _names,
}


def raw_cause(cause: Cause) -> dict[str, object]:
    """The options of an edge as a file has them."""
    said: dict[str, object] = {name: getattr(cause, name) for name in field_names(Cause)}
    return {name: _raw(value) for name, value in said.items() if value not in (None, ())}


def _raw(value: object) -> object:
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, float) and math.isfinite(value) and value == int(value):
        return int(value)
    return value
