"""Worlds: what ``causalflow counterfactual`` prints and writes of them.

A line of the table is a row, draw and world. Beside a model of a table stands how sure each number
is (`causalflow.certainty.counterfactuals`): with a file its means, the rows being in the file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from causalflow.cli.arguments import Assignment
from causalflow.cli.output import (
    Open,
    below,
    captions,
    headers,
    image_names,
    label_columns,
    marked,
    open_lines,
    open_notes,
    pixels,
    table,
    write_csv,
    write_figure,
)
from causalflow.graph.settings import in_words

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from causalflow.certainty.individuals import Individuals
    from causalflow.data.supply import Supply
    from causalflow.graph.graph import Graph
    from causalflow.model.abduction import Abduction
    from causalflow.model.model import Model
    from causalflow.model.world import World

__all__ = [
    "FACTUAL",
    "named",
    "notes",
    "origin",
    "summary",
    "table_lines",
    "text",
    "world_columns",
    "write",
]

MOST_COLUMNS = 12
FACTUAL = "factual"


def named(do: Sequence[Assignment]) -> str:
    """The label of the counterfactual world."""
    return f"do({', '.join(map(str, do))})"


def world_columns(
    graph: Graph, worlds: Mapping[str, World], draws: int, numbers: Sequence[int]
) -> dict[str, list[Any]]:
    """A line a row, draw and world, worlds of one row together.

    Args:
        graph: the declaration.
        worlds: label -> world; draw k of row i is its row k * rows + i.
        draws: how many of a row.
        numbers: those of the rows.
    """
    rows = len(numbers)
    labels = {label: label_columns(graph, world) for label, world in worlds.items()}
    order = [
        (draw * rows + row, label)
        for row in range(rows)
        for draw in range(draws)
        for label in worlds
    ]
    columns: dict[str, list[Any]] = {"row": [numbers[at % rows] for at, _ in order]}
    if draws > 1:
        columns["draw"] = [at // rows for at, _ in order]
    columns["world"] = [label for _, label in order]
    names = next(iter(labels.values()))
    return columns | {name: [labels[label][name][at] for at, label in order] for name in names}


def write(
    graph: Graph,
    worlds: Mapping[str, World],
    columns: Mapping[str, list[Any]],
    sure: Individuals | None,
    output: Path | None,
) -> None:
    """Write the picture, or the table with the ranges of ``sure`` beside the other world."""
    if output is not None and output.suffix.lower() == ".csv":
        write_csv(output, {**columns, **_beside(columns, sure)})
    elif output is not None:
        write_figure(output, _grid(graph, worlds))


def _beside(columns: Mapping[str, list[Any]], sure: Individuals | None) -> dict[str, list[Any]]:
    """The ranges as columns, empty in the lines of the factual world."""
    from causalflow.certainty.individuals import columns as ranges

    if sure is None:
        return {}
    place = {number: row for row, number in enumerate(sure.numbers)}
    lines = list(zip(columns["row"], columns["world"], strict=True))
    return {
        name: [None if world == FACTUAL else values[place[row]] for row, world in lines]
        for name, values in ranges(sure).items()
    }


def table_lines(
    graph: Graph,
    columns: Mapping[str, list[Any]],
    drawn: Mapping[str, Sequence[Open]],
    label: str,
    sure: Individuals | None,
    written: bool,
) -> Iterator[str]:
    """The rows and what is open of them; where they are in a file, what they come to.

    Args:
        graph: the declaration.
        columns: a line a row, draw and world.
        drawn: the label of each world -> what the evidence leaves open in it.
        label: that of the counterfactual world.
        sure: how sure the rows are; None: of a model with images.
        written: whether a file has the rows.
    """
    if sure is not None and written:
        yield from [*sure.summary(), "", *sure.notes()]
        return
    yield table(headers(graph, columns if "draw" in columns else marked(columns, drawn)))
    yield ""
    yield from open_lines(drawn[label], label)
    if sure is not None and sure:
        yield from [*sure.table(), *sure.notes()]


def _grid(graph: Graph, worlds: Mapping[str, World]) -> Figure:
    """A row a world and image node, a column a row of the evidence, as far as there is room."""
    from causalflow.plot.images import asked, image_grid

    names = image_names(graph)
    rows, texts = {}, {}
    for name in names:
        for label, world in worlds.items():
            title = label if len(names) == 1 else f"{name}\n{label}"
            rows[title] = pixels(graph.nodes[name], world[name][:MOST_COLUMNS])
            own = captions(graph, world, range(len(rows[title])))
            texts[title] = own if label == FACTUAL else asked(own)
    return image_grid(rows, texts, note=below(graph, next(iter(worlds.values()))))


def summary(
    abduction: Abduction,
    worlds: Mapping[str, World],
    output: Path | None,
    found: Sequence[Open],
    sure: Individuals | None,
) -> dict[str, Any]:
    """How the answer came about, as JSON shows it."""
    before = abduction.info.network_calls
    factual, other = (world.info.network_calls - before for world in worlds.values())
    label = list(worlds)[-1]
    return {
        "network_calls_per_row": {
            "abduction": before,
            "factual": factual,
            "counterfactual": other,
        },
        "round_trip_error": abduction.info.round_trip_error,
        "inferred": dict(abduction.info.inferred),
        "free": list(abduction.info.free),
        "settings": worlds[label].info.settings,
        "assumptions": list(worlds[label].info.assumptions),
        "local": {name: list(share) for name, share in worlds[label].info.local.items()},
        "undetermined": [each.record() for each in found],
        **({} if sure is None else {"individuals": sure.record(), "members": sure.members}),
        "warnings": list(worlds[label].info.warnings),
        "file": output,
    }


def origin(supply: Supply | None) -> dict[str, Any]:
    """Where the evidence comes from: a word, and what it is; no supply: options gave it."""
    if supply is None:
        return {"evidence": "given", "data": None}
    return {"evidence": supply.origin, "data": supply.text("test")}


def notes(model: Model, evidence: Mapping[str, Any], action: Mapping[str, Any]) -> dict[str, Any]:
    """Whether data leave the question open."""
    from causalflow.model.world_verdicts import counterfactual_verdict

    verdict = counterfactual_verdict(model.graph, tuple(evidence), action)
    return {"notes": open_notes(model, verdict)}


def text(summary: Mapping[str, Any]) -> str:
    """How the answer came about, in lines."""
    lines = [f"model: {summary['model']}"] if summary.get("model") else []
    lines += [f"evidence: {summary['data']}"] if summary.get("data") else []
    lines += [f"inferred: {name}, {how}" for name, how in summary["inferred"].items()]
    lines += [f"note: {each}" for each in summary["notes"]]
    lines += [f"assumes: {each}" for each in summary["assumptions"]]
    lines += [f"settings of {each}" for each in in_words(summary["settings"])]
    if summary["free"]:
        lines.append(f"free, so drawn: {', '.join(summary['free'])}")
    calls = summary["network_calls_per_row"]
    parts = ", ".join(f"{part} {number:g}" for part, number in calls.items())
    if any(calls.values()):
        lines.append(f"network calls: {sum(calls.values()):g} per row ({parts})")
    if summary["round_trip_error"] is not None:
        error = summary["round_trip_error"]
        lines.append(f"round-trip error: {error:.2g} (mean over pixels in [0, 1], no residual)")
    if summary["file"]:
        lines.append(f"written: {summary['file']}")
    return "\n".join(lines)
