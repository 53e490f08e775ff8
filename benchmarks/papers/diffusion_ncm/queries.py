"""Queries: the ten counterfactual questions of Bar-MNIST, their true answers and their bounds.

    P(bar' = present | digits D, color c, bar b)      bar' the bar under do(color) or do(digit)

A question speaks of groups of digits: under do(digit >= 5) each of 5 to 9 is as likely. The truth
comes from the explicit graphs, in fractions. The bounds come from P(digit's group, color, bar) and
the modelling graph alone (`causalflow.bounds`): in both graphs the law of the bar depends on the
digit by its group only, so that every digit of a group has the bounds of the group.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

import causalflow as cf
from causalflow.shipped import graph_path

COLORS = ("green", "red")
BARS = ("absent", "present")
KINDS = ("backdoor", "frontdoor")
EDGES = {
    "backdoor": ["digit <-> color", "digit, color -> bar"],
    "frontdoor": ["digit -> color -> bar", "digit <-> bar"],
}
SPLIT = {"backdoor": 5, "frontdoor": 3}
"""The first digit of the upper group."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One of the ten.

    Attributes:
        kind: "backdoor" or "frontdoor".
        target: "color" or "digit", which is set.
        upper: set to red, or to the upper group of digits; else to green, or the lower one.
        digits: True: the digit seen is of the upper group.
        color: seen, 1 is red.
        bar: seen, 1 is present.
        truth: as the list of questions prints it, three digits.
        bounds: likewise.
    """

    kind: str
    target: str
    upper: bool
    digits: bool
    color: int
    bar: int
    truth: float
    bounds: tuple[float, float]

    @property
    def values(self) -> tuple[int, ...]:
        """The levels that the target is set to, one as likely as another."""
        return (int(self.upper),) if self.target == "color" else _group(self.kind, self.upper)

    @property
    def seen(self) -> tuple[int, ...]:
        """The digits of the evidence."""
        return _group(self.kind, self.digits)

    @property
    def do(self) -> str:
        """The intervention, written."""
        if self.target == "color":
            return f"color={COLORS[self.upper]}"
        return f"digit {_sign(self.upper)} {SPLIT[self.kind]}"

    @property
    def evidence(self) -> str:
        """The evidence, written."""
        digits = f"digit {_sign(self.digits)} {SPLIT[self.kind]}"
        return f"{digits}, {COLORS[self.color]}, bar {BARS[self.bar]}"


def _sign(upper: bool) -> str:
    return ">=" if upper else "<"


def _group(kind: str, upper: bool) -> tuple[int, ...]:
    return tuple(range(SPLIT[kind], 10)) if upper else tuple(range(SPLIT[kind]))


def _question(
    kind: str, target: str, upper: int, seen: tuple[int, int, int], *numbers: float
) -> Question:
    digits, color, bar = seen
    truth, low, high = numbers
    return Question(
        kind=kind, target=target, upper=bool(upper), digits=bool(digits), color=color, bar=bar,
        truth=truth, bounds=(low, high),
    )  # fmt: skip


QUESTIONS = (
    _question("backdoor", "color", 1, (0, 0, 1), 0.816, 0.476, 0.837),
    _question("backdoor", "color", 1, (1, 0, 1), 0.217, 0.0, 0.304),
    _question("backdoor", "color", 0, (1, 1, 0), 0.684, 0.608, 0.873),
    _question("backdoor", "color", 0, (0, 1, 1), 0.976, 0.569, 1.0),
    _question("backdoor", "digit", 1, (0, 0, 1), 0.918, 0.578, 0.939),
    _question("backdoor", "digit", 1, (0, 1, 1), 0.122, 0.0, 0.341),
    _question("backdoor", "digit", 0, (1, 1, 0), 0.684, 0.513, 0.778),
    _question("frontdoor", "color", 1, (0, 0, 1), 0.122, 0.0, 0.341),
    _question("frontdoor", "color", 1, (1, 0, 1), 0.918, 0.481, 0.939),
    _question("frontdoor", "color", 0, (0, 1, 0), 0.627, 0.470, 0.714),
)
"""graph, target, its value, (digit group, color, bar) seen, truth, low, high."""


def answer(ask: Callable[[str], Any], question: Question) -> Any:
    """P(bar' = present | evidence) of a model.

    Args:
        ask: gives the table of a query, as ``lambda query: model.ask(query).table``.
        question: what is asked.
    """
    seen = f"color={COLORS[question.color]}, bar={BARS[question.bar]}"
    level = COLORS.__getitem__ if question.target == "color" else str
    found = []
    for value in question.values:
        # (2, 10): the bar in the other world, the digit in this one
        table = ask(f"P(bar[{question.target}={level(value)}], digit | {seen})").to_numpy()
        there = table[:, list(question.seen)]
        found.append(there[1].sum() / there.sum())
    return sum(found) / len(found)


@cache
def _true_model(kind: str) -> cf.Model:
    return cf.compile(cf.load(graph_path(f"bar_mnist_{kind}_scm")))


def truth(question: Question) -> Fraction:
    """The true answer, by the exact engine."""
    model = _true_model(question.kind)
    found: Fraction = answer(lambda query: model.ask(query).table, question)
    return found


def true_law(kind: str) -> NDArray[np.float64]:
    """P(digit, color, bar) of the explicit graph, shape (10, 2, 2)."""
    law: NDArray[np.float64] = (
        _true_model(kind).ask("P(digit, color, bar)").table.to_float().to_numpy()
    )
    return law


def limits(question: Question, law: Any = None) -> tuple[float, float]:
    """The smallest and largest answer of all models of the graph with this law.

    Args:
        question: what is asked.
        law: P(digit, color, bar), an array of shape (10, 2, 2); None: the true one.
    """
    if law is None:
        law = true_law(question.kind)
    split = SPLIT[question.kind]
    grouped = np.stack([law[:split].sum(axis=0), law[split:].sum(axis=0)])
    table = cf.Table(["digit", "color", "bar"], grouped)
    asked = (
        f"P(bar[{question.target}={int(question.upper)}]=1 | digit={int(question.digits)}, "
        f"color={question.color}, bar={question.bar})"
    )
    found = cf.bounds(cf.Graph(edges=EDGES[question.kind]), asked, table)
    assert not isinstance(found.low, cf.Table)
    assert not isinstance(found.high, cf.Table)
    return float(found.low), float(found.high)
