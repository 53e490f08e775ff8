"""Cells: numbers and their intervals as a table of the report prints them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

__all__ = ["Row", "composed", "interval", "markdown", "number", "short", "true"]

UNITS = {"pixels": "px", "grey levels": "levels", "share": ""}
Row = Mapping[str, Any]


def markdown(head: Sequence[str], lines: Iterable[Sequence[Any]]) -> list[str]:
    """The lines of a table."""
    rule = "|" + "---|" * len(head)
    return [_cells(head), rule, *(_cells(line) for line in lines)]


def _cells(line: Sequence[Any]) -> str:
    return "| " + " | ".join(str(cell) for cell in line) + " |"


def composed(found: Row, name: str) -> str:
    """Mean and largest error of composition; empty where it was not measured."""
    if name not in found:
        return ""
    return f"{short(found[name]['value'])} / {short(found[name]['largest'])}"


def true(found: Row) -> str:
    """The error to the true pictures, and in brackets the same without the residual."""
    text, plain = number(found["true"]), short(found["true plain"]["value"])
    return f"{text} ({plain})"


def number(score: Row) -> str:
    """A share in per cent with its interval, or a number +- half of its interval, with the unit."""
    if score["unit"] == "share":
        share, low, high = (100 * score[key] for key in ("value", "low", "high"))
        return f"{share:.1f} % ({low:.1f} to {high:.1f})"
    half = (score["high"] - score["low"]) / 2
    unit = UNITS[score["unit"]]
    return f"{short(score['value'])} +- {short(half)} {unit}".rstrip()


def interval(score: Row) -> str:
    """A number and its interval."""
    return f"{score['value']:.3g} ({score['low']:.3g} to {score['high']:.3g})"


def short(value: float) -> str:
    """Two digits after the point, or two that count below a tenth."""
    return f"{value:.2g}" if abs(value) < 0.1 else f"{value:.2f}"
