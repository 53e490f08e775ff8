"""Table: an evaluation as columns of text, one line a number."""

from __future__ import annotations

from collections.abc import Sequence

from causalflow.metrics.score import Score
from causalflow.report.measure import COUNTED, Measure

__all__ = ["columns", "interval", "number"]


def columns(measures: Sequence[Measure]) -> dict[str, list[object]]:
    """Header -> cells; "-" where nothing is to be compared."""
    return {
        "query": [each.query for each in measures],
        "measure": [each.title for each in measures],
        "value": [number(each.score) for each in measures],
        "95 % interval": [interval(each.score) for each in measures],
        "real images": [number(each.floor) for each in measures],
        "left as it is": [number(each.baseline) for each in measures],
        "images": [each.score.count for each in measures],
        "unit": [each.score.unit for each in measures],
    }


def number(score: Score | None) -> str:
    """The value, four digits long.

    Example:
        >>> number(Score(value=0.98765, interval=(0.9, 1.0), count=9, unit="share")), number(None)
        ('0.9877', '-')
    """
    return "-" if score is None else f"{score.value:.4g}"


def interval(score: Score) -> str:
    """The interval, three digits each; "exact" of what is counted.

    Example:
        >>> interval(Score(value=0.98, interval=(0.9, 1.0), count=9, unit="share"))
        '0.9 to 1'
    """
    low, high = score.interval
    if score.unit == COUNTED:
        return "exact"
    return "unknown" if low == -high == -float("inf") else f"{low:.3g} to {high:.3g}"
