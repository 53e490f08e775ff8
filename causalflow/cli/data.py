"""Data: ``causalflow data``, what rows of one's own hold, before anything is fitted to them.

How many rows have each level, and which have none; the numbers' ranges; the sizes of the pictures
and what becomes of them; what is skipped and why; and a picture of some rows as a fit will see
them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from causalflow.cli.arguments import PICTURES, OutputFile, examples, files, seed_option
from causalflow.cli.output import (
    below,
    captions,
    count,
    image_names,
    json_option,
    pixels,
    say,
    say_json,
    table,
    write_figure,
)
from causalflow.cli.rows import (
    DATA_HELP,
    images_option,
    path_option,
    read_rows,
    reading_options,
    set_or_file,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from causalflow.data.collection import Collection
    from causalflow.data.summary import Summary
    from causalflow.graph.graph import Graph

__all__ = ["data", "short_form"]

COLUMNS = 8
MOST_LEVELS = 20


@click.command(
    short_help="What rows of one's own hold, before a fit.",
    epilog=examples(
        "causalflow data graph.yaml --data folder --resize cover -o preview.png",
        "causalflow data graph.yaml --data 'shards-{000..009}.tar' --on-error skip",
        "causalflow data graph.yaml --data scans --window 1%,99% --slice z=50% --json",
    ),
)
@click.argument("file", shell_complete=files)
@click.option("--data", "source", required=True, shell_complete=set_or_file, help=DATA_HELP)
@click.option(
    "-o", "--output", type=OutputFile(*PICTURES), help="A picture of rows drawn at random."
)
@click.option(
    "--rows",
    type=click.IntRange(1, 200),
    default=32,
    show_default=True,
    help="Rows of the picture.",
)
@images_option
@path_option
@reading_options
@seed_option
@json_option
def data(
    file: str,
    source: str,
    output: Path | None,
    rows: int,
    images: Path | None,
    path_column: str,
    seed: int,
    as_json: bool,
    **reading: Any,
) -> None:
    """Show what the rows of --data hold for the graph of FILE; nothing is fitted.

    The rows are read as a fit reads them: what it would refuse is refused here.
    """
    from causalflow.data.summary import summary
    from causalflow.formats.formats import load

    graph = load(file)
    found = read_rows(graph, source, images, path_column, reading)
    held = summary(found, graph)
    if output is not None:
        write_figure(output, _preview(graph, found, rows, seed))
    if as_json:
        say_json({**held.record(), "file": output})
    else:
        say("\n\n".join(_text(held, output)))


def short_form(held: Summary) -> str:
    """What rows hold, a line a node."""
    from causalflow.data.summary import pictures_text

    lines = {"data": f"{count(held.rows, 'row')}, {held.about}"}
    lines |= {name: each.text() for name, each in held.labels.items()}
    lines |= {name: pictures_text(each) for name, each in held.pictures.items()}
    width = max(map(len, lines))
    notes = [f"note: {note}" for note in held.notes()]
    return "\n".join([*(f"{name.ljust(width)}  {text}" for name, text in lines.items()), *notes])


def _text(held: Summary, output: Path | None) -> Iterator[str]:
    from causalflow.data.summary import Balance, Range, pictures_text

    yield f"{count(held.rows, 'row')}, {held.about}"
    for name, seen in held.pictures.items():
        yield f"{name}: {pictures_text(seen)}"
    balances = {n: each for n, each in held.labels.items() if isinstance(each, Balance)}
    if balances:
        yield _levels(balances)
    ranges = {n: each for n, each in held.labels.items() if isinstance(each, Range)}
    if ranges:
        columns = ("least", "median", "mean", "largest", "missing")
        numbers = {c: [getattr(each, c) for each in ranges.values()] for c in columns}
        units = [f"{n} [{each.unit}]" if each.unit else n for n, each in ranges.items()]
        yield table({"node": units, **numbers})
    ends = [f"note: {note}" for note in held.notes()]
    ends += [f"written: {output}"] if output is not None else []
    if ends:
        yield "\n".join(ends)


def _levels(balances: dict[str, Any]) -> str:
    """A line a level, the commonest of many."""
    lines = []
    for name, each in balances.items():
        shares = each.shares()
        order = list(each.counts.items())
        if len(order) > MOST_LEVELS:
            order = sorted(order, key=lambda pair: -pair[1])[:MOST_LEVELS]
        lines += [(name, level, rows, f"{100 * shares[level]:.1f} %") for level, rows in order]
        if len(order) < len(each.counts):
            lines.append((name, f"{len(each.counts) - len(order):,} more", None, "-"))
        if each.missing:
            lines.append((name, "(missing)", each.missing, "-"))
    return table(
        dict(zip(("node", "level", "rows", "share"), zip(*lines, strict=True), strict=True))
    )


def _preview(graph: Graph, found: Collection, rows: int, seed: int) -> Figure:
    """Rows drawn at random, as a fit sees them, with their labels."""
    import torch

    from causalflow.data.frame import Frame
    from causalflow.errors import DataError
    from causalflow.plot.images import image_grid

    frame, names = Frame.read(found, graph), image_names(graph)
    if not names:
        raise DataError("-o: the graph has no image node; there is nothing to be drawn")
    random = torch.Generator().manual_seed(seed)
    chosen = torch.randperm(len(frame), generator=random)[:rows]
    labels = {n: v[chosen] for n, v in frame.labels().items() if n in graph.nodes}
    texts = captions(graph, labels, range(len(chosen)))
    grid, under = {}, {}
    for name in names:
        pictures = pixels(graph.nodes[name], frame.columns[name][chosen])
        colours = pictures[:, :3] if pictures.shape[1] > 2 else pictures[:, :1]
        for at in range(0, len(chosen), COLUMNS):
            shown = colours[at : at + COLUMNS]
            line = f"{name}\n{at + 1} to {at + len(shown)}"
            grid[line], under[line] = shown, texts[at : at + COLUMNS]
    note = "; ".join(filter(None, ["rows drawn at random", below(graph, labels)]))
    return image_grid(grid, under, note=note)
