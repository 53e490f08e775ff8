"""Undetermined: what the evidence leaves open in a counterfactual world, as a command shows it.

A line a row and node: of a class the probability of each level, of a number the range that holds
nine draws in ten, and, where several draws were asked for, the shares of those draws.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from causalflow.graph.schema import Class

if TYPE_CHECKING:
    from causalflow.graph.graph import Graph
    from causalflow.identify.verdict import Verdict
    from causalflow.model.model import Model
    from causalflow.model.world import World

__all__ = ["Open", "marked", "open_lines", "open_notes", "opened"]

MOST_LINES = 20
MOST_LEVELS = 6
ROUNDING = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """One value that the evidence leaves open.

    Attributes:
        row: of the evidence.
        node: its name.
        draws: how many were counted.
        probabilities: level -> its probability; of a class.
        interval: from the 5 % to the 95 % quantile; of a number.
        shares: level -> share of the draws asked for, where they were several; of a class.
    """

    row: int
    node: str
    draws: int
    probabilities: Mapping[str, float] | None = None
    interval: tuple[float, float] | None = None
    shares: Mapping[str, float] | None = None

    def record(self) -> dict[str, Any]:
        """As JSON has it."""
        shown: dict[str, Any] = {"row": self.row, "node": self.node}
        if self.probabilities is not None:
            shown["probabilities"] = dict(self.probabilities)
        if self.interval is not None:
            shown["interval_90"] = list(self.interval)
        if self.shares is not None:
            shown["shares"] = dict(self.shares)
        return {**shown, "counted_draws": self.draws}

    def __str__(self) -> str:
        start = f"row {self.row}: {self.node}: "
        if self.interval is not None:
            low, high = self.interval
            return f"{start}90 % of draws from {low:.4g} to {high:.4g}"
        known = [f"probability {_shown(self.probabilities or {})}"]
        known += [f"shares of these draws {_shown(self.shares)}"] if self.shares else []
        return start + "; ".join(known)


def opened(graph: Graph, world: World, rows: int, drawn: Mapping[str, Sequence[Any]]) -> list[Open]:
    """What is open in a world, row by row.

    Args:
        graph: the declaration.
        world: counterfactual; draw k of row i is its row k * rows + i.
        rows: of the evidence.
        drawn: node -> the values of the world's rows, as they are shown.
    """
    repeats, found = world.repeats, []
    labels = {name: values for name, values in repeats.items() if name in drawn}
    for row in range(rows):
        for name, values in labels.items():
            column = values[:, row].double()
            if bool(((column - column[0]).abs() <= ROUNDING * (1 + column.abs())).all()):
                continue
            node, few = graph.nodes[name], list(drawn[name])[row::rows]
            if isinstance(node, Class):
                shares = {
                    str(level): float((column == k).double().mean())
                    for k, level in enumerate(node.levels)
                }
                asked = {level: list(map(str, few)).count(level) / len(few) for level in shares}
                found.append(
                    Open(
                        row=row,
                        node=name,
                        draws=len(column),
                        probabilities=shares,
                        shares=asked if len(few) > 1 else None,
                    )
                )
            else:
                low, high = (float(column.quantile(q)) for q in (0.05, 0.95))
                found.append(Open(row=row, node=name, draws=len(column), interval=(low, high)))
    return found


def marked(
    columns: Mapping[str, Sequence[Any]], found: Sequence[Open], label: str
) -> dict[str, list[Any]]:
    """The columns of a table, in the world ``label`` a draw marked as one."""
    open_cells = {(each.row, each.node) for each in found}
    at = list(zip(columns["row"], columns["world"], strict=True))
    return {
        name: [
            f"{_short(value)} (draw)" if world == label and (row, name) in open_cells else value
            for value, (row, world) in zip(values, at, strict=True)
        ]
        for name, values in columns.items()
    }


def open_lines(found: Sequence[Open], label: str) -> Iterator[str]:
    """Lines that say what is open in the world ``label``."""
    if not found:
        return
    yield f"open under {label}, given the evidence (counted in {found[0].draws:,} draws a row):"
    yield from (f"  {each}" for each in found[:MOST_LINES])
    if len(found) > MOST_LINES:
        yield f"  and {len(found) - MOST_LINES:,} more (--json shows all)"


def open_notes(model: Model, verdict: Verdict | None) -> list[str]:
    """That data leave the question itself open, where the model has learned mechanisms."""
    from causalflow.model.verdicts import left_open

    said = left_open(verdict) if model.scm.learned else ""
    return [said] if said else []


def _shown(shares: Mapping[str, float]) -> str:
    """Level and share, the likeliest first where there are many."""
    pairs = list(shares.items())
    if len(pairs) > MOST_LEVELS:
        pairs = sorted(pairs, key=lambda pair: -pair[1])[:MOST_LEVELS]
    rest = ", ..." if len(pairs) < len(shares) else ""
    return ", ".join(f"{level}: {share:.2g}" for level, share in pairs) + rest


def _short(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
