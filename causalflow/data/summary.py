"""Summary: what a collection of rows holds, node by node, before anything is fitted to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from causalflow.data.collection import Collection, Survey
from causalflow.data.frame import Frame
from causalflow.data.habit import ends_text
from causalflow.graph.graph import Graph
from causalflow.nn.embedding import known

__all__ = ["FEW", "Balance", "Range", "Summary", "pictures_text", "summary"]

FEW = 10
"""Rows of a level below which it is warned of: a network learns little from them."""
_SIZES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """How often each level of a node occurs.

    Attributes:
        counts: level -> rows.
        missing: rows without a label.
    """

    counts: Mapping[str, int]
    missing: int

    def shares(self) -> dict[str, float]:
        """Level -> its share of the labelled rows."""
        total = max(1, sum(self.counts.values()))
        return {level: count / total for level, count in self.counts.items()}

    def text(self) -> str:
        """In one line: ``cat 60 %, dog 40 %``."""
        shares = self.shares()
        shown = [f"{level} {100 * share:.3g} %" for level, share in list(shares.items())[:6]]
        more = [f"and {len(shares) - 6:,} levels more"] if len(shares) > 6 else []
        return ", ".join([*shown, *more, *_missing(self.missing)])


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """The numbers of a node: least, median, mean and largest, and rows without one."""

    least: float
    median: float
    mean: float
    largest: float
    missing: int
    unit: str | None = None

    def text(self) -> str:
        """In one line: ``0.2 to 9.1 px, mean 4.3``."""
        unit = f" {self.unit}" if self.unit else ""
        ends = f"{self.least:.4g} to {self.largest:.4g}{unit}, mean {self.mean:.4g}"
        return ", ".join([ends, *_missing(self.missing)])


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What rows hold.

    Attributes:
        about: their source.
        rows: how many there are.
        labels: node -> its levels or its numbers.
        pictures: image node -> what was seen of its pictures.
        skipped: pictures left out, and why.
    """

    about: str
    rows: int
    labels: Mapping[str, Balance | Range]
    pictures: Mapping[str, Survey]
    skipped: tuple[tuple[str, str], ...]

    def few(self) -> Iterator[tuple[str, str, int]]:
        """Node, level and number of rows, of the levels that have fewer than `FEW`."""
        for name, found in self.labels.items():
            if isinstance(found, Balance):
                yield from ((name, level, n) for level, n in found.counts.items() if n < FEW)

    def notes(self) -> list[str]:
        """What to know before a fit, a line each."""
        lines = [f"node '{n}': level '{level}' has {c:,} rows" for n, level, c in self.few()]
        if len(lines) > _SIZES:
            lines = [*lines[:_SIZES], f"and {len(lines) - _SIZES:,} levels more have few rows"]
        lines += [f"node '{n}': {text}" for n, s in self.pictures.items() if (text := _depths(s))]
        if self.skipped:
            name, reason = self.skipped[0]
            more = f", and {len(self.skipped) - 1:,} more" if len(self.skipped) > 1 else ""
            count = "1 row" if len(self.skipped) == 1 else f"{len(self.skipped):,} rows"
            reason = reason if name in reason else f"{name}: {reason}"
            lines.append(f"{count} skipped: {reason}{more}")
        return lines

    def record(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "source": self.about,
            "rows": self.rows,
            "nodes": {name: _record(found) for name, found in self.labels.items()},
            "pictures": {name: _survey_record(found) for name, found in self.pictures.items()},
            "skipped": [{"picture": name, "reason": reason} for name, reason in self.skipped],
            "notes": self.notes(),
        }


def summary(collection: Collection, graph: Graph) -> Summary:
    """What a collection holds of the nodes of a graph.

    Raises:
        DataError: it does not fit the graph.
    """
    frame = Frame.read(collection, graph)
    labels = {
        name: _labels(graph, name, column)
        for name, column in frame.labels().items()
        if name in graph.nodes and column.ndim == 1
    }
    return Summary(
        about=collection.about,
        rows=len(frame),
        labels=labels,
        pictures=collection.surveys,
        skipped=collection.skipped,
    )


def pictures_text(found: Survey) -> str:
    """What was seen of pictures, in one line: sizes, what becomes of them, where they are."""
    sizes = [f"{h}x{w} ({count:,})" for (h, w), count in list(found.sizes.items())[:_SIZES]]
    more = [f"{len(found.sizes) - _SIZES:,} sizes more"] if len(found.sizes) > _SIZES else []
    parts = [f"{found.rows:,} pictures of height x width {', '.join([*sizes, *more])}"]
    if found.looked < found.rows:
        parts.append(f"{found.looked:,} of them looked at")
    parts.append(f"numbers {found.range[0]:g} to {found.range[1]:g}")
    if found.window is not None:
        parts.append(f"black at {found.window[0]:g}, white at {found.window[1]:g}")
    if found.resize != "refuse":
        parts.append(f"resized by '{found.resize}'")
    if found.small:
        parts.append(f"{found.small:,} enlarged")
    kept = "decoded when asked for"
    parts.append(kept if found.bytes is None else f"{found.bytes / 1e6:.3g} MB in memory")
    return "; ".join(parts)


def _depths(found: Survey) -> str:
    """What to say of pictures whose formats have several ends; "" where they have the same."""
    if len(found.ends) < 2 or found.window is not None:
        return ""
    listed = " and ".join(map(ends_text, found.ends))
    return f"pictures of several depths, {listed}, each with black and white at its own ends"


def _labels(graph: Graph, name: str, column: Tensor) -> Balance | Range:
    kind, there = graph.nodes[name].type, known(column)
    missing = int((~there).sum())
    if kind.levels is not None:
        counts = torch.bincount(column[there], minlength=len(kind.levels)).tolist()
        levels = map(str, kind.levels)
        return Balance(counts=dict(zip(levels, counts, strict=True)), missing=missing)
    numbers = column[there].double() if bool(there.any()) else torch.tensor([torch.nan])
    return Range(
        least=float(numbers.min()),
        median=float(numbers.median()),
        mean=float(numbers.mean()),
        largest=float(numbers.max()),
        missing=missing,
        unit=kind.unit,
    )


def _missing(count: int) -> list[str]:
    return [f"{count:,} missing"] if count else []


def _record(found: Balance | Range) -> dict[str, Any]:
    if isinstance(found, Balance):
        return {"counts": dict(found.counts), "shares": found.shares(), "missing": found.missing}
    names = ("least", "median", "mean", "largest", "missing", "unit")
    return {name: getattr(found, name) for name in names}


def _survey_record(found: Survey) -> dict[str, Any]:
    sizes = [{"height": h, "width": w, "pictures": n} for (h, w), n in found.sizes.items()]
    names = ("rows", "looked", "range", "small", "resize", "window", "bytes")
    return {**{name: getattr(found, name) for name in names}, "sizes": sizes}
