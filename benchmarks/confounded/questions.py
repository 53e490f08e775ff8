"""Questions: what is asked of a picture in the world where something is done, as data.

A question is P(event[do] | given): the event is of attributes read off the picture, ``given`` of
labels and attributes in the world as it is. Values are the numbers of levels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["CASES", "Case", "Question"]

Values = Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """P(event[do] | given)."""

    event: Values
    do: Values
    given: Values = field(default_factory=dict)

    @property
    def text(self) -> str:
        """As users write it."""
        done = ", ".join(f"{name}={value}" for name, value in self.do.items())
        if not self.given:
            return f"P({_listed(self.event)} | do({done}))"
        return f"P({_listed(self.event, f'[{done}]')} | {_listed(self.given)})"


def _listed(values: Values, world: str = "") -> str:
    return ", ".join(f"{name}{world}={value}" for name, value in values.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is measured in a world.

    Attributes:
        hidden: the hidden edge into the picture, as the graph file has it.
        arms: the interventions whose law of attributes is held against the truth.
        shown: the attributes of that law.
        kept: attribute and intervention (label -> how it is changed: "flip", or a shift) under
            which it stays what it was; None where the truth itself changes it.
        questions: those of bounds.
        treatment: of the bounds; the picture's only parent that has a hidden cause.
        strata: nodes that the treatment does not move.
        instrument: what moves the treatment alone, by lot; "" where nothing does.
        code: length of the picture's semantic code.
    """

    hidden: str
    arms: tuple[Mapping[str, float], ...]
    shown: tuple[str, ...]
    kept: tuple[str, Mapping[str, str | float]] | None = None
    questions: tuple[Question, ...] = ()
    treatment: str = ""
    strata: tuple[str, ...] = ()
    instrument: str = ""
    code: int = 32


def _asked(treatment: str, *asked: tuple[Values, int, Values]) -> tuple[Question, ...]:
    return tuple(
        Question(event=event, do={treatment: value}, given=given) for event, value, given in asked
    )


CASES: Mapping[str, Case] = {
    "mediated": Case(
        hidden="x <-> image",
        arms=({"x": 0}, {"x": 1}),
        shown=("first", "second"),
        kept=("first", {"y": "flip"}),
    ),
    "frontdoor": Case(
        hidden="exposed <-> image",
        arms=({"exposed": 0}, {"exposed": 1}),
        shown=("marker", "ground"),
        kept=("ground", {"marker": "flip"}),
    ),
    "severity": Case(
        hidden="dose <-> image",
        arms=({"dose": -1.0}, {"dose": 1.0}),
        shown=("dark",),
    ),
    "bar_mnist": Case(
        hidden="color <-> image",
        arms=({"color": 0}, {"color": 1}),
        shown=("slant", "bar"),
        kept=("slant", {"color": "flip"}),
        treatment="color",
        strata=("digit",),
        questions=_asked(
            "color",
            ({"slant": 1}, 1, {}),
            ({"slant": 1}, 0, {}),
            ({"slant": 0}, 1, {}),
            ({"slant": 1}, 1, {"digit": 2}),
            ({"slant": 1}, 0, {"digit": 2}),
            ({"slant": 1}, 1, {"digit": 7}),
            ({"slant": 1}, 0, {"digit": 7}),
            ({"slant": 1}, 1, {"color": 0}),
            ({"slant": 1}, 1, {"color": 0, "slant": 1}),
            ({"slant": 0}, 0, {"color": 1, "slant": 0}),
        ),
    ),
    "ascm": Case(
        hidden="x <-> image",
        arms=({"x": 0}, {"x": 1}),
        shown=("first", "third"),
        treatment="x",
        strata=("y",),
        code=0,
        questions=_asked(
            "x",
            ({"first": 1}, 1, {}),
            ({"third": 1}, 1, {}),
            ({"third": 1}, 0, {}),
            ({"first": 1, "second": 1, "third": 1, "fourth": 0}, 1, {}),
            ({"first": 1}, 1, {"y": 0}),
            ({"first": 1}, 1, {"y": 1}),
            ({"first": 1}, 1, {"first": 0, "second": 1, "third": 0, "fourth": 1}),
            ({"third": 1}, 1, {"first": 0, "second": 1, "third": 0, "fourth": 1}),
            ({"second": 1}, 1, {"first": 0, "second": 1, "third": 0, "fourth": 1}),
            (
                {"first": 1, "second": 1, "third": 1, "fourth": 0},
                1,
                {"first": 0, "second": 1, "third": 0, "fourth": 1},
            ),
        ),
    ),
    "instrument": Case(
        hidden="treated <-> image",
        arms=({"treated": 0}, {"treated": 1}),
        shown=("spot",),
        treatment="treated",
        instrument="letter",
        code=0,
        questions=_asked(
            "treated",
            ({"spot": 1}, 0, {}),
            ({"spot": 1}, 1, {}),
            ({"spot": 1}, 0, {"treated": 1}),
            ({"spot": 1}, 1, {"treated": 0}),
            ({"spot": 1}, 1, {"treated": 0, "spot": 1}),
            ({"spot": 1}, 1, {"treated": 0, "spot": 0}),
            ({"spot": 1}, 0, {"treated": 1, "spot": 1}),
            ({"spot": 1}, 0, {"treated": 1, "spot": 0}),
            ({"spot": 1}, 1, {"treated": 0, "letter": 1}),
            ({"spot": 1}, 0, {"treated": 1, "letter": 0}),
        ),
    ),
}
"""By kind of `cf.data.confounded`."""
