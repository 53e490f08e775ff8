"""Report: what a fit did, in numbers; how good its model is, `cf.evaluate` says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from causalflow.display import html_of

__all__ = ["FitReport"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FitReport:
    """What a fit did.

    Attributes:
        steps: gradient steps in all; 0 of a fit in closed form.
        images: rows that were seen, each as often as it was.
        seconds: how long it took.
        losses: node -> its loss, averaged over the last steps.
        parameters: the numbers that were trained.
        device: where.
        precision: the type of the numbers.
        processes: how many fitted together.
        resumed_from: the step after which a killed fit went on.
        held_out: the least loss of held-out rows, None where there are none.
        best_step: after how many steps that was, whose weights the fitted model holds.
        distances: how far the draws of continuous nodes are from the rows, 0 to 1
            (Kolmogorov-Smirnov).
        stopped: why it ended before its last step, "minutes" or "signal"; else "".
        members: how many models were fitted to halves of the rows.
        gaps: columns of a table with empty cells, and the share of the rows that these are.
        history: (step, losses by node), each loss averaged over the steps since the one before; of
            a fit that went on, from there.
        assumptions: what the fitted model rests on beside the graph, one sentence each.
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
    history: tuple[tuple[int, Mapping[str, float]], ...] = ()

    def _repr_html_(self) -> str:
        return html_of(self)
