"""Individuals: rows as they would have been, node by node, to be printed, drawn or taken on.

What the ends beside each number are says `causalflow.certainty.counterfactuals`. A line of the
table is a row and a node; of a class the likeliest level, with its probability; the frame and the
record have all levels.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from causalflow.certainty.ranges import Ranges
from causalflow.errors import one_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame

__all__ = ["Individuals", "columns"]

MOST_LINES = 20
MOST_DRAWN = 40


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Individuals(Mapping[str, Ranges]):
    """Rows as they would have been: the nodes that may have changed, by name.

    Attributes:
        do: the intervention, as texts.
        numbers: those of the rows.
        draws: how many a row, behind means, probabilities and ranges.
        members: refits that tell the error of the fit; fewer than two: it is not known.
        level: the probability that an interval holds.
        nodes: node -> its `Ranges`; those that are set, and those that are known to stay, are not
            among them.
        assumptions: how the noise of the learned ones enters.
    """

    do: tuple[str, ...]
    numbers: tuple[int, ...]
    draws: int
    members: int
    level: float
    nodes: Mapping[str, Ranges]
    assumptions: tuple[str, ...]

    def __getitem__(self, name: str) -> Ranges:
        if name not in self.nodes:
            raise KeyError(f"node '{name}' does not change here; {one_of(name, self.nodes)}")
        return self.nodes[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.nodes)

    def __len__(self) -> int:
        return len(self.nodes)

    def __str__(self) -> str:
        return "\n".join([*self.table(), "", *self.notes()])

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(self.numbers)

    @property
    def share(self) -> str:
        """The level in percent."""
        return f"{100 * self.level:g} %"

    @property
    def title(self) -> str:
        """What was asked, and what stands behind the answer."""
        behind = f"{self.draws:,} draws a row"
        if self.members:
            behind += f", {self.members} refits"
        rows = "1 row" if self.rows == 1 else f"{self.rows:,} rows"
        return f"{rows} under do({', '.join(self.do)}): {self.share} ranges ({behind})"

    def table(self, most: int = MOST_LINES) -> list[str]:
        """The lines of a table of the first rows."""
        head = ("row", "node", "factual", "would have been", "interval", "of the fit", "any noise")
        lines = [
            (str(number), *_line(ranges, row, self.members > 1))
            for row, number in enumerate(self.numbers[:most])
            for ranges in self.nodes.values()
        ]
        rest = self.rows - most
        further = [f"and {rest:,} rows more"] if rest > 0 else []
        return [self.title, *_aligned([head, *lines]), *further]

    def summary(self) -> list[str]:
        """The lines of a table of means over the rows, one a node, of a class one a level."""
        head = ("node", "factual", "would have been", "change", "of the fit")
        return [
            self.title,
            *_aligned(
                [head, *(line for each in self.values() for line in _means(each, self.level))]
            ),
        ]

    def notes(self) -> list[str]:
        """What the ranges are and rest on, a line each."""
        numbers = any(each.levels is None for each in self.values())
        inside = "interval: under the noise assumed, what the row leaves open"
        if self.members < 2 and any(_leaves_one(each) for each in self.values()):
            inside += ", - where that is one value"
        if self.members < 2 and not self.assumptions:
            kinds = [inside]
        elif self.members < 2:
            kinds = [
                f"{inside}; the error of the fit is not known, and not in it",
                "of the fit: not known; fit with members=20 (--members 20)",
            ]
        else:
            kinds = [f"{inside} and the error of the fit"]
        if numbers:
            kinds.append(
                f"any noise: whatever the noise, {self.share} of all who are alike in what is"
                " not moved lie inside"
            )
        if any(each.levels for each in self.values()):
            kinds.append("any noise, of a probability: its bounds, whatever the noise")
        if any(
            each.levels and ((each.value > 0) & (each.value < 1)).any() for each in self.values()
        ):
            kinds.append(
                f"probability: a share of the {self.draws:,} draws, off by up to"
                f" {self.draws**-0.5:.2g} (two standard errors at most)"
            )
        return kinds + [f"assumes, beside the graph: {each}" for each in self.assumptions]

    def record(self) -> list[dict[str, Any]]:
        """A mapping for each row, node and level, as JSON has it."""
        return [
            {
                "row": number,
                "node": each.node,
                "level": name,
                "factual": each.factual[row],
                "value": float(each.value[row, part]),
                "interval": each.interval[row, part].tolist(),
                "fit": None if each.fit is None else each.fit[row, part].tolist(),
                "any_noise": each.any_noise[row, part].tolist(),
            }
            for row, number in enumerate(self.numbers)
            for each in self.values()
            for part, name in enumerate(each.names)
        ]

    def to_dataframe(self) -> DataFrame:
        """The numbers, a line for each row, node and level (None of a number).

        Columns: row, node, level, factual, value (the mean, or the probability of the level), low
        and high, fit_low and fit_high, any_noise_low and any_noise_high.
        """
        import pandas

        ends = {"interval": "", "fit": "fit_", "any_noise": "any_noise_"}
        lines = []
        for line in self.record():
            for key, prefix in ends.items():
                low, high = line.pop(key) or (math.nan, math.nan)
                line |= {f"{prefix}low": low, f"{prefix}high": high}
            lines.append(line)
        return pandas.DataFrame(lines)

    def plot(self, most: int = MOST_DRAWN) -> Figure:
        """The first rows with their ranges, one panel a node (of a class: its last level)."""
        from causalflow.certainty.panels import drawn_ranges

        return drawn_ranges(self.title, list(self.values()), self.numbers[:most])


def columns(found: Individuals) -> dict[str, list[Any]]:
    """The numbers beside each row, as further columns of a table of worlds."""
    columns: dict[str, list[Any]] = {}
    for each in found.values():
        for part, level in enumerate(each.names):
            name = each.node if level is None else f"{each.node}={level}"
            what = "mean" if level is None else "probability"
            columns[f"{name}.{what}"] = each.value[:, part].tolist()
            parts = {"": each.interval, "fit_": each.fit, "any_noise_": each.any_noise}
            for prefix, ends in parts.items():
                for side, end in enumerate(("low", "high")):
                    if ends is not None:
                        columns[f"{name}.{prefix}{end}"] = ends[:, part, side].tolist()
    return columns


def _leaves_one(each: Ranges) -> bool:
    """Whether the interval of some row is one value, as it is shown."""
    return any(_is_one(ends) for row in each.interval for ends in row)


def _line(each: Ranges, row: int, knows_fit: bool) -> tuple[str, ...]:
    """The cells of a row and node; an interval of one value is none, unless a fit's error made it.

    Args:
        each: the node's ranges.
        row: which of its rows.
        knows_fit: whether the interval has the error of the fit in it.
    """
    part = int(np.argmax(each.value[row])) if each.levels else 0
    value = _number(each.value[row, part])
    said = value if each.levels is None else f"{each.levels[part]}: {value}"
    own = each.interval[row, part]
    interval = "-" if _is_one(own) and not knows_fit else _ends(own)
    rest = (_ends(None if e is None else e[row, part]) for e in (each.fit, each.any_noise))
    node = f"{each.node} [{each.unit}]" if each.unit else each.node
    return (node, _shown(each.factual[row]), said, interval, *rest)


def _means(each: Ranges, level: float) -> Iterator[tuple[str, ...]]:
    """Means over the rows."""
    ends, node = each.change_ends(level), f"{each.node} [{each.unit}]" if each.unit else each.node
    for part, name in enumerate(each.names):
        before, change = float(each.before[part]), float(each.change[part])
        known = not math.isnan(change)
        yield (
            node if name is None else f"{node}: {name}",
            _number(before) if known else "-",
            _number(float(each.after[part])),
            f"{change:+.4g}" if known else "-",
            _ends(None if ends is None or not known else ends[part]),
        )


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    return _number(value) if isinstance(value, float) else str(value)


def _number(value: float) -> str:
    return f"{value:.4g}"


def _is_one(ends: Any) -> bool:
    """Whether both ends are shown alike."""
    return _number(ends[0]) == _number(ends[1])


def _ends(ends: Any) -> str:
    """The ends as they are shown: one number where both are."""
    if ends is None:
        return "-"
    return _number(ends[0]) if _is_one(ends) else f"{_number(ends[0])} to {_number(ends[1])}"


def _aligned(lines: list[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]
