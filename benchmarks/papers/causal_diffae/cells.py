"""Cells: scores as the tables of CausalDiffAE print them."""

from __future__ import annotations

from causalflow.evaluation.score import Score

__all__ = ["cell"]


def cell(score: Score | None, unit: float = 1.0) -> str:
    """A score and its interval, three digits that count, as multiples of a unit."""
    if score is None:
        return "-"
    low, high = (end / unit for end in score.interval)
    return f"{score.value / unit:.3g} ({low:.3g}, {high:.3g})"
