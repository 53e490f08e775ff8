"""Report: what a fit did, in numbers; how good its model is, `cf.evaluate` says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from causalflow.display import html_of

__all__ = ["FitReport"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FitReport:
    """What a fit did; ``losses`` are averages over the last steps, ``images`` the rows seen.

    ``held_out``: the least loss of held-out rows, None where there are none; ``best_step``: after
    how many steps it was, whose weights the fitted model holds. ``distances``: how far the draws of
    a model's continuous nodes are from the rows, 0 to 1 (Kolmogorov-Smirnov). ``stopped``: why it
    ended before its last step, "minutes" or "signal"; else "". ``members``: how many models were
    fitted to halves of the rows. ``gaps``: columns of a table with empty cells, and the share of
    the rows that these are. ``assumptions``: what the fitted model rests on beside the graph, one
    sentence each.
    """

    steps: int
    images: int
    seconds: float
    losses: Mapping[str, float]
    parameters: int
    device: str
    precision: str
    processes: int
    resumed_from: int
    held_out: float | None = None
    best_step: int | None = None
    distances: Mapping[str, float] = field(default_factory=dict)
    stopped: str = ""
    members: int = 0
    gaps: Mapping[str, float] = field(default_factory=dict)
    assumptions: tuple[str, ...] = ()

    def _repr_html_(self) -> str:
        return html_of(self)
