"""Measure: one number of an evaluation, with what it has to be compared with.

floor       the same reading on real pictures: what the judge, or the number of pictures, allows
baseline    the same of pictures that are left as they are: what doing nothing would get
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from causalflow.metrics.score import Score

__all__ = ["COUNTED", "Measure", "counted", "score_record"]

COUNTED = "calls"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One measured number.

    Attributes:
        query: the intervention: "do(color)"; "do()" for none.
        name: what is measured: a key of `causalflow.report.definitions.DEFINITIONS`.
        detail: of what: "digit, as in the world".
        score: the number, its 95 % interval, the count of images and the unit.
        floor: on real pictures, where that means something.
        baseline: of pictures left as they are, where that means something.
    """

    query: str
    name: str
    score: Score
    detail: str = ""
    floor: Score | None = None
    baseline: Score | None = None

    @property
    def title(self) -> str:
        """Name and detail."""
        return f"{self.name}: {self.detail}" if self.detail else self.name

    def record(self) -> dict[str, Any]:
        """The measure as JSON has it."""
        beside = {"floor": self.floor, "baseline": self.baseline}
        return {
            "query": self.query,
            "measure": self.name,
            "detail": self.detail,
            **score_record(self.score),
            **{name: score and score_record(score) for name, score in beside.items()},
        }


def counted(value: float, count: int) -> Score:
    """Network calls, a number that has no sampling error."""
    return Score(value=value, interval=(value, value), count=count, unit=COUNTED)


def score_record(score: Score) -> dict[str, Any]:
    """A score as JSON has it; an unbounded end of an interval is null."""
    return {
        "value": score.value,
        "interval_95": [end if math.isfinite(end) else None for end in score.interval],
        "images": score.count,
        "unit": score.unit,
    }
