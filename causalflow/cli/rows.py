"""Rows: the data and the model that a command names, of the package or files of the user's own.

morpho_mnist    a data set of `causalflow.data.sets.catalogue`
rows.csv, folder/, name-{000..009}.tar, ...   a source of `causalflow.data.sources.source`
graph.yaml      in place of a model: the checkpoint that was made for the graph, with the options of
                inference, and the scales of anti-causal edges, that the file states, and its own
                settings in what the file leaves open; one whose equations say it all needs none
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from causalflow.cli.arguments import is_graph_file, load_model
from causalflow.cli.choices import among
from causalflow.cli.output import image_names
from causalflow.errors import CheckpointError, DataError, EvidenceError, one_of
from causalflow.graph.node import images_of
from causalflow.options import Names, rules
from causalflow.plugins import DATA_SETS

if TYPE_CHECKING:
    from causalflow.data.collection import Collection
    from causalflow.data.habit import Habit
    from causalflow.data.sets.catalogue import DataSet
    from causalflow.data.supply import Supply
    from causalflow.graph.graph import Graph
    from causalflow.model.model import Model

__all__ = [
    "DATA_HELP",
    "FILES_HELP",
    "READING",
    "as_evidence",
    "drawn",
    "images_option",
    "is_data_set",
    "is_spelt",
    "named_model",
    "path_option",
    "read_rows",
    "reading_options",
    "refuse_of_images",
    "set_or_file",
    "shipped_data",
    "spelt_reading",
    "supply_of",
]

FILES_HELP = (
    "A folder with labels.csv and the images that it names, or with a folder a level; a .csv, "
    ".parquet, .npz or .h5 file with a column a node; a .tar, or name-{000..009}.tar; a saved "
    "Hugging Face data set"
)
DATA_HELP = f"{FILES_HELP}; or a data set: {', '.join(DATA_SETS)}."

set_or_file = among(lambda: DATA_SETS, file=True)

Command = TypeVar("Command", bound=Callable[..., Any])


def reading_options(command: Command) -> Command:
    """An option for every field of `causalflow.data.reading.Reading`."""
    for option in reversed(_READING):
        command = option(command)
    return command


def spelt_reading(reading: Mapping[str, Any]) -> dict[str, Any]:
    """The options of reading that the command line spells out, of all of them."""
    return {n: value for n, value in reading.items() if is_spelt(n)}


def is_spelt(name: str) -> bool:
    """Whether the command line spells an option out."""
    source = click.get_current_context().get_parameter_source(name)
    return source is not ParameterSource.DEFAULT


def refuse_of_images(command: str, graph: Graph, *names: str) -> None:
    """Refuse options of pictures that the command line spells out for a graph without any.

    Raises:
        EvidenceError: there is one.
    """
    spelt = [] if image_names(graph) else [name for name in names if is_spelt(name)]
    if spelt:
        flag = "--" + {"options": "option"}.get(spelt[0], spelt[0]).replace("_", "-")
        raise EvidenceError(f"{command}: {flag} is of models with an image; this has none")


def _reading_option(name: str, default: Any, text: str) -> Callable[[Command], Command]:
    flag = f"--{name.replace('_', '-')}"
    return click.option(
        flag,
        name,
        type=type(default),
        default=default,
        show_default=default != "",
        shell_complete=among(lambda: _rule(name)),
        help=text,
    )


def _rule(name: str) -> Iterable[str]:
    """The names that a field of Reading takes, if it takes any."""
    from causalflow.data.reading import Reading

    found = rules(Reading).get(name)
    return found if isinstance(found, Names) else ()


# The fields, defaults and helps of Reading, which imports torch: a test holds the two together.
_READING = [
    _reading_option(
        "resize",
        "refuse",
        'Rule by which pictures of other sizes become the graph\'s: "refuse", "cover" (scaled and '
        'cut off), "contain" (scaled, the rest black) or "stretch".',
    ),
    _reading_option(
        "window",
        "",
        'Numbers that are black and white, "-160,240", or the shares of pixels below them, '
        '"1%,99%", found in the rows that are read; "": each format\'s own.',
    ),
    _reading_option(
        "slice",
        "",
        'Slice of volumes that is the picture, "z=50%" or "z=12"; "": they have only one.',
    ),
    _reading_option(
        "on_error", "refuse", '"refuse" or "skip" rows whose picture is damaged or missing.'
    ),
    _reading_option(
        "workers", 2, "Threads that decode pictures; 0: none beside the one that asks."
    ),
    _reading_option(
        "memory",
        2048.0,
        "Megabytes of pictures that are kept in memory; above, they are decoded when asked for.",
    ),
]
READING = ("resize", "window", "slice", "on_error", "workers", "memory")
images_option = click.option(
    "--images",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The folder of the image files that the .csv names.",
)
path_option = click.option(
    "--path-column",
    default="path",
    show_default=True,
    help="The .csv's column of image files, relative to the folder.",
)


def is_data_set(data: str) -> bool:
    """Whether a text names a data set of the package, and no file.

    Example:
        >>> is_data_set("morpho-mnist"), is_data_set("rows.csv")
        (True, False)
    """
    named = data in DATA_SETS or data.replace("-", "_") in DATA_SETS
    return named and not Path(data).exists()


def drawn(graph: Graph, name: str, split: str, *, n: int | None, size: int | None = None) -> Any:
    """Rows of a data set, its images at the size of the graph's where it can choose."""
    from causalflow.data.sets.catalogue import data_set

    found = data_set(name)
    sizes = (image.shape[1] for image in images_of(graph.nodes).values())
    wanted = size or (next(sizes, None) if found.sized else None)
    return found.draw(split, n=n, size=wanted)


def read_rows(
    graph: Graph,
    data: str,
    images: Path | None,
    path_column: str,
    reading: Mapping[str, Any] = MappingProxyType({}),
    habits: Mapping[str, Habit] | None = None,
) -> Collection:
    """The rows in files of the user's own.

    Raises:
        DataError: no such file, one that cannot be read, or images that nothing names.
    """
    from causalflow.data.collection import read
    from causalflow.data.sources.source import Place, claimed

    if not claimed(Place(text=data, graph=graph)) and not Path(data).exists():
        known = one_of(data.replace("-", "_"), DATA_SETS)
        raise DataError(f"--data {data}: no such file, nor a data set; {known}")
    return read(data, graph, images=images, path=path_column, like=habits, **reading)


def named_model(file: Path, device: str) -> tuple[Model, Path | None]:
    """The model in a file, or for a graph file; and the file of its weights, if it needs one.

    Raises:
        CausalflowError: neither a model nor a graph file, or no such device.
        CheckpointError: no checkpoint was made for this graph.
    """
    if not is_graph_file(file):
        return load_model(file, device), file
    from causalflow.formats.formats import load
    from causalflow.model.model import Model, compile
    from causalflow.shipped import checkpoint_for

    graph = load(file)
    path = checkpoint_for(graph)
    if path is not None:
        return _stated(graph, Model.load(path)).to(device), path
    model = compile(graph)
    if not model.fitted >= set(graph.nodes):
        raise _missing(file)
    return model.to(device), None


def _missing(file: Path) -> CheckpointError:
    from causalflow.shipped import checkpoint_names

    known = ", ".join(f"{name}.yaml" for name in checkpoint_names())
    data = shipped_data(file, None)
    return CheckpointError(
        f"{file}: no fitted model ships for this graph, only for {known}; fit one: "
        f"causalflow fit {file} --data {data.name if data else '...'} -o model.safetensors"
    )


def shipped_data(file: Path, checkpoint: Path | None) -> DataSet | None:
    """The data set that belongs to a graph file, or to the checkpoint that ships for it."""
    from causalflow.data.sets.catalogue import data_set_of
    from causalflow.shipped import checkpoint_name

    if not is_graph_file(file):
        return None
    return data_set_of(file.stem) or (
        data_set_of(checkpoint_name(checkpoint)) if checkpoint else None
    )


def supply_of(
    model: Model,
    file: Path,
    weights: Path | None,
    data: str | None,
    rows: int,
    reading: Mapping[str, Any] = MappingProxyType({}),
    *,
    images: Path | None = None,
    path_column: str = "path",
) -> Supply:
    """So many rows of what ``--data`` names, else of what there is for the graph file.

    Raises:
        EvidenceError: nothing is named, and no data set belongs to the file.
        DataError: what is named cannot be read.
    """
    from causalflow.data.sets.catalogue import data_set
    from causalflow.data.supply import Origin, Supply, named, supplied

    wanted = {"test": rows}
    if data is None:
        known = shipped_data(file, weights)
        if known is None:
            raise EvidenceError(
                "counterfactual: no evidence; give --image, --data, --evidence or --given"
            )
        return supplied(known, wanted, model)
    if is_data_set(data):
        return named(data_set(data), wanted, model.graph)
    tabled = Path(data).suffix.lower() in (".csv", ".parquet")
    if (names := image_names(model.graph)) and tabled and images is None:
        raise DataError(
            f"--data {data}: node '{names[0]}' is an image; give the folder of the pictures as "
            f"--images, whose files its column '{path_column}' names, or a folder with labels.csv"
        )
    content = read_rows(model.graph, data, images, path_column, reading, model.habits)
    return Supply(data=data, origin=Origin.GIVEN, rows=dict.fromkeys(wanted, content))


def as_evidence(graph: Graph, rows: Any, most: int) -> dict[str, Any]:
    """The first rows as evidence: labels as they are shown, pictures in memory."""
    import torch

    from causalflow.data.frame import Frame

    frame = Frame.read(rows, graph)
    first = torch.arange(min(most, len(frame)))
    labels = {
        name: graph.nodes[name].type.show(values[first].numpy()).tolist()
        for name, values in frame.labels().items()
    }
    return {**labels, **{name: frame.columns[name][first] for name in image_names(graph)}}


def _stated(graph: Graph, fitted: Model) -> Model:
    """The fitted weights under the declaration of the graph file."""
    from dataclasses import asdict

    from causalflow.model.model import compile
    from causalflow.shipped import merged

    declared, settings = merged(graph, fitted.graph, fitted.settings)
    model = compile(declared, **asdict(fitted.options))
    model.scm.load_state_dict(fitted.scm.state_dict())
    model.scm = model.scm.settled(settings).eval()
    model.fitted |= fitted.fitted
    model.experience = fitted.experience
    return model
