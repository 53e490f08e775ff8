"""Output: what a command prints and writes, and worlds as readers write them.

A world is shown by level names and numbers in the unit of the graph file. What the evidence leaves
open in a counterfactual world has a line a row and node: of a class the probability of each level,
of a number the range that holds nine draws in ten, and, where several draws were asked for, the
shares of those draws.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from causalflow.files import whole_file, written
from causalflow.graph.node import Node
from causalflow.training.processes import own_rank

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import Tensor

    from causalflow.graph.graph import Graph
    from causalflow.identify.verdict import Verdict
    from causalflow.model.model import Model
    from causalflow.model.world import World

__all__ = [
    "IMPORTED",
    "MISTAKE",
    "Open",
    "below",
    "captions",
    "count",
    "headers",
    "image_names",
    "json_option",
    "label_columns",
    "label_names",
    "marked",
    "open_lines",
    "open_notes",
    "open_values",
    "pixels",
    "records",
    "say",
    "say_json",
    "table",
    "write_csv",
    "write_figure",
]

MISTAKE = 2
IMPORTED = "causalflow.imported"
"""Where a click context keeps the names of the modules that ``--with`` imported."""
GAP = "  "

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")


def say(text: str) -> None:
    """Print to standard output; of several processes the first one does."""
    if own_rank() == 0:
        click.echo(text)


def say_json(value: Any) -> None:
    """Print as JSON; NaN and infinities, which JSON does not have, become null."""
    say(json.dumps(_finite(value), indent=2, ensure_ascii=False, allow_nan=False))


def table(columns: Mapping[str, Sequence[object]]) -> str:
    """Columns under their headers: numbers to the right, texts to the left.

    Example:
        >>> print(table({"node": ["x", "image"], "size [px]": [1.5, 256]}))
        node   size [px]
        x            1.5
        image        256
    """
    blocks = [_block(header, list(values)) for header, values in columns.items()]
    return "\n".join(GAP.join(line).rstrip() for line in zip(*blocks, strict=True))


def records(columns: Mapping[str, Sequence[object]]) -> list[dict[str, object]]:
    """The rows of a table, as JSON shows them.

    Example:
        >>> records({"x": [1, 2], "y": ["a", "b"]})
        [{'x': 1, 'y': 'a'}, {'x': 2, 'y': 'b'}]
    """
    return [
        dict(zip(columns, entries, strict=True)) for entries in zip(*columns.values(), strict=True)
    ]


def count(number: int, noun: str, plural: str | None = None) -> str:
    """A number of things.

    Example:
        >>> count(1, "query", "queries"), count(2, "query", "queries"), count(0, "node")
        ('1 query', '2 queries', '0 nodes')
    """
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def write_csv(path: Path, columns: Mapping[str, Sequence[object]]) -> None:
    """Write a table, wholly or not at all.

    Raises:
        CausalflowError: the file cannot be written.
    """
    import pandas

    with written(path), whole_file(path) as part:
        pandas.DataFrame(dict(columns)).to_csv(part, index=False)


def write_figure(path: Path, figure: Figure) -> None:
    """Write a picture; its folder is made if need be.

    Raises:
        CausalflowError: the file cannot be written.
    """
    from causalflow.plot.images import save_figure

    save_figure(figure, path)


def _block(header: str, values: list[object]) -> list[str]:
    """The lines of a column, all of one width."""
    lines = [header, *map(_text, values)]
    width = max(map(len, lines))
    known = [value for value in values if value is not None]
    numbers = bool(known) and all(_is_number(value) for value in known)
    return [line.rjust(width) if numbers else line.ljust(width) for line in lines]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _text(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _finite(value: Any) -> Any:
    match value:
        case float():
            return value if math.isfinite(value) else None
        case Mapping():
            return {str(key): _finite(each) for key, each in value.items()}
        case list() | tuple():
            return [_finite(each) for each in value]
        case Path():
            return str(value)
        case _:
            return value


def label_names(graph: Graph) -> list[str]:
    """The nodes that are no images, in declared order."""
    return [name for name, node in graph.nodes.items() if not node.type.pictured]


def image_names(graph: Graph) -> list[str]:
    """The image nodes, in declared order."""
    return [name for name, node in graph.nodes.items() if node.type.pictured]


def label_columns(graph: Graph, world: Mapping[str, Tensor]) -> dict[str, list[Any]]:
    """Node -> its values: level names, or numbers in the unit of the graph file."""
    return {
        name: _readable(name, graph.nodes[name], world[name])
        for name in label_names(graph)
        if name in world
    }


def headers(graph: Graph, columns: Mapping[str, Any]) -> dict[str, Any]:
    """The same columns under names with their units: ``thickness [px]``."""
    return {
        _with_unit(name, graph.nodes[name]) if name in graph.nodes else name: values
        for name, values in columns.items()
    }


def captions(graph: Graph, world: Mapping[str, Tensor], rows: Iterable[int]) -> list[str]:
    """One short text a row: ``7 red present``."""
    columns = label_columns(graph, world).values()
    return [" ".join(map(_short, (values[row] for values in columns))) for row in rows]


def below(graph: Graph, world: Mapping[str, Tensor]) -> str | None:
    """What `captions` of pictures that a model drew are, with units; None: there are none."""
    from causalflow.plot.images import ASKED

    names = [_with_unit(name, graph.nodes[name]) for name in label_columns(graph, world)]
    return f"below each: {', '.join(names)}, {ASKED}" if names else None


def pixels(node: Node, images: Tensor) -> Tensor:
    """Public images on the scale [0, 1], discrete ones too."""
    depth = node.type.depth
    return images if depth is None else images / max(depth - 1, 1)


def _readable(name: str, node: Node, values: Tensor) -> list[Any]:
    return list(node.type.names(node.type.read(values, where=f"node '{name}'")).tolist())


def _with_unit(name: str, node: Node) -> str:
    return f"{name} [{node.type.unit}]" if node.type.unit else name


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


MOST_LINES = 20
MOST_LEVELS = 6
ROUNDING = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """One value that the evidence leaves open.

    Attributes:
        row: the row of the evidence.
        node: the node's name.
        draws: how many were counted.
        probabilities: level -> its probability; for a class.
        interval: the 5 % and the 95 % quantile; for a number.
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


def open_values(
    graph: Graph, world: World, rows: int, drawn: Mapping[str, Sequence[Any]]
) -> list[Open]:
    """What is open in a world, row by row.

    Args:
        graph: the declaration.
        world: counterfactual; draw k of row i is its row k * rows + i.
        rows: the number of rows of the evidence.
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
            if node.type.levels is not None:
                shares = {
                    str(level): float((column == k).double().mean())
                    for k, level in enumerate(node.type.levels)
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
    columns: Mapping[str, Sequence[Any]], drawn: Mapping[str, Sequence[Open]]
) -> dict[str, list[Any]]:
    """The columns of a table, what is open in the world of a line marked as a draw."""
    cells = {(label, each.row, each.node) for label, found in drawn.items() for each in found}
    at = list(zip(columns["row"], columns["world"], strict=True))
    return {
        name: [
            f"{_text(value)} (draw)" if (world, row, name) in cells else value
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
    """A note that data leave the question open, where the model has learned mechanisms."""
    from causalflow.identify.judgement import left_open

    said = left_open(verdict) if model.scm.learned else ""
    return [said] if said else []


def _shown(shares: Mapping[str, float]) -> str:
    """Level and share, the likeliest first where there are many."""
    pairs = list(shares.items())
    if len(pairs) > MOST_LEVELS:
        pairs = sorted(pairs, key=lambda pair: -pair[1])[:MOST_LEVELS]
    rest = ", ..." if len(pairs) < len(shares) else ""
    return ", ".join(f"{level}: {share:.2g}" for level, share in pairs) + rest
