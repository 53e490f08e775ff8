"""``causalflow sample``: draws from a model, observational or under an intervention."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from causalflow.cli.arguments import (
    PICTURES,
    Assignment,
    OutputFile,
    assigned,
    device_option,
    do_option,
    examples,
    guidance_option,
    model_file,
    sampling_option,
    seed_option,
    steps_option,
)
from causalflow.cli.output import (
    below,
    captions,
    headers,
    image_names,
    json_option,
    label_columns,
    label_names,
    open_notes,
    pixels,
    records,
    say,
    say_json,
    table,
    write_csv,
    write_figure,
)
from causalflow.cli.rows import named_model, refuse_of_images
from causalflow.cli.streams import check_alone, say_report, stream_options
from causalflow.errors import CausalflowError, EvidenceError
from causalflow.graph.image_options import Sampling
from causalflow.graph.settings import in_words
from causalflow.limits import DRAWN_ROWS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from causalflow.graph.graph import Graph
    from causalflow.model.world import World

__all__ = ["sample"]

COLUMNS, MOST_IMAGES = 8, 64


@click.command(
    short_help="Draw from a model, also under do(...).",
    epilog=examples(
        "causalflow sample model.safetensors -n 5",
        "causalflow sample graphs/ascm_xy.yaml -n 5 --do x=1",
        "causalflow sample model.safetensors -n 32 --do color=red -o red.png",
        "causalflow sample model.safetensors -n 1000 --node digit --node bar -o labels.csv",
        "torchrun --nproc_per_node=2 -m causalflow sample m.safetensors -n 100000 --out many "
        "--shards tar",
    ),
)
@click.argument("model", type=model_file)
@click.option(
    "-n", "draws", type=click.IntRange(1, DRAWN_ROWS), default=8, show_default=True, help="Draws."
)
@do_option
@click.option("--node", "nodes", multiple=True, help="Draw these nodes only.  [default: all]")
@click.option(
    "-o",
    "--output",
    type=OutputFile(".csv", *PICTURES),
    help="A .csv of the labels, with a .png of the images beside it; or the picture alone.",
)
@stream_options
@steps_option
@guidance_option
@sampling_option
@seed_option
@device_option
@json_option
def sample(
    model: Path,
    draws: int,
    do: Sequence[Assignment],
    nodes: Sequence[str],
    output: Path | None,
    out: Path | None,
    shards: str | None,
    batch_size: int,
    shard_batches: int,
    progress: bool,
    steps: int | None,
    guidance: float | None,
    options: Sequence[tuple[str, Any]],
    seed: int,
    device: str,
    as_json: bool,
) -> None:
    """Draw from MODEL: P(nodes), or P(nodes | do(...)).

    MODEL is a model file, a folder of "causalflow share", a graph file whose nodes all have
    equations or tables, or for which a fitted model ships, or the name of such a model.

    Without an output file the labels are printed, and no image is made unless a label needs it. A
    picture shows the first 64 draws.
    """
    check_alone(out, output, shards)
    loaded, _ = named_model(model, device)
    graph = loaded.graph
    refuse_of_images("sample", graph, "steps", "guidance", "options")
    if out is not None:
        report = loaded.sample(
            draws,
            assigned(graph, do, "--do", loaded.habits),
            nodes=list(nodes) or None,
            generator=seed,
            steps=steps,
            guidance=guidance,
            sampling=Sampling(**dict(options)),
            out=out,
            shards=shards,
            batch_size=batch_size,
            shard_batches=shard_batches,
            progress=progress,
        )
        say_report(report, as_json=as_json)
        return
    wanted = _wanted(graph, nodes, with_images=output is not None)
    pictured = set(wanted) & set(image_names(graph))
    if output is not None and output.suffix.lower() != ".csv" and not pictured:
        raise CausalflowError(f"{output}: no image is drawn; give a .csv file for the labels")
    world = loaded.sample(
        draws,
        assigned(graph, do, "--do", loaded.habits),
        nodes=wanted,
        generator=seed,
        steps=steps,
        guidance=guidance,
        sampling=Sampling(**dict(options)),
    )
    columns = label_columns(graph, world)
    notes = open_notes(loaded, world.verdict) if do else []
    files = [] if output is None else _write(graph, world, output)
    settings = {n: used for n, used in world.info.settings.items() if n in world}
    if as_json:
        rows = records(columns)
        shown = {"do": list(map(str, do)), "rows": rows, "files": files}
        shown |= {"warnings": list(world.info.warnings), "notes": notes, "settings": settings}
        say_json(shown)
        return
    if output is None:
        say(table({"draw": range(draws), **headers(graph, columns)}))
    else:
        say("\n".join(map(str, files)))
    for note in notes:
        say(f"note: {note}")
    for each in in_words(settings):
        say(f"settings of {each}")


def _wanted(graph: Graph, nodes: Sequence[str], *, with_images: bool) -> list[str]:
    wanted = list(nodes) or (list(graph.nodes) if with_images else label_names(graph))
    if (
        not with_images
        and not set(wanted) & set(label_names(graph))
        and set(wanted) <= set(graph.nodes)
    ):
        raise EvidenceError("only images are asked for; give -o FILE.png to see them")
    return wanted


def _write(graph: Graph, world: World, output: Path) -> list[Path]:
    """The labels, the images, or both; returns what was written."""
    columns, files = label_columns(graph, world), []
    images = [name for name in image_names(graph) if name in world]
    if columns and output.suffix.lower() == ".csv":
        write_csv(output, columns)
        files.append(output)
    if images:
        picture = output.with_suffix(".png") if output.suffix.lower() == ".csv" else output
        write_figure(picture, _grid(graph, world, images))
        files.append(picture)
    return files


def _grid(graph: Graph, world: World, images: Sequence[str]) -> Figure:
    """The first draws, some to a row."""
    from causalflow.plot.images import image_grid

    total = min(len(world[images[0]]), MOST_IMAGES)
    spans = [range(i, min(i + COLUMNS, total)) for i in range(0, total, COLUMNS)]
    rows, texts = {}, {}
    for name in images:
        shown = pixels(graph.nodes[name], world[name])
        for span in spans:
            label = f"{name}\n{span.start} to {span.stop - 1}"
            rows[label], texts[label] = shown[span.start : span.stop], captions(graph, world, span)
    return image_grid(rows, texts, note=below(graph, world))
