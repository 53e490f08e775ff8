"""Scores as tables print them, and as their files keep them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from causalflow.evaluation.score import Score

__all__ = ["cell", "in_full", "percent"]


def cell(score: Score, digits: int) -> str:
    """A score and its interval, so many digits after the point."""
    return _spelled((score.value, *score.interval), digits)


def percent(score: Score, digits: int = 0) -> str:
    """A share and its interval, in per cent."""
    return _spelled([100 * part for part in (score.value, *score.interval)], digits)


def in_full(scores: Mapping[str, Score]) -> dict[str, Any]:
    """The numbers by name, for whoever computes with them."""
    return {
        name: {"value": s.value, "interval": s.interval, "count": s.count, "unit": s.unit}
        for name, s in scores.items()
    }


def _spelled(parts: Iterable[float], digits: int) -> str:
    value, low, high = (f"{part:.{digits}f}" for part in parts)
    return f"{value} ({low} to {high})"
