"""Gallery: the options of ``causalflow evaluate --pictures``, pictures that any tool made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from causalflow.cli.arguments import input_file, is_graph_file, load_model
from causalflow.cli.rows import is_data_set, read_rows
from causalflow.errors import EvidenceError

if TYPE_CHECKING:
    from causalflow.evaluation.evaluation import Evaluation
    from causalflow.evaluation.gallery import Gallery
    from causalflow.graph.graph import Graph

__all__ = ["FOLDERS", "gallery_options", "given_gallery", "measured_gallery", "refuse_mixed"]

Command = TypeVar("Command", bound=Callable[..., Any])

FOLDERS = {
    "factual": "The folder of the factual pictures.",
    "counterfactual": "The folder of what the tool made of them.",
    "truth": "The folder of the true counterfactual pictures.",
    "null": "The folder of what the tool makes where nothing is set.",
    "reversed": "The folder of what it makes where the intervention is undone.",
}
OF_MODELS = ("do", "steps", "guidance", "options")


def gallery_options(command: Command) -> Command:
    """The options of pictures that any tool made."""
    table = click.option(
        "--pictures",
        type=input_file,
        help="Measure pictures that any tool made, in place of a model: a .csv with a row a "
        "counterfactual picture, columns factual, counterfactual (files), NAME (the factual value) "
        "and do(NAME) (what was set; empty: not this). Further kinds of files have columns truth, "
        "null and reversed. MODEL, if given, is the graph of their names and types.",
    )
    every = [*map(_folder, reversed(FOLDERS)), table]
    return reduce(lambda made, one: one(made), every, command)


def _folder(kind: str) -> Callable[[Command], Command]:
    return click.option(
        f"--{kind}",
        type=click.Path(exists=True, file_okay=False, path_type=Path),
        help=f"{FOLDERS[kind]}  [default: the table's own, if it has a column '{kind}']",
    )


def refuse_mixed(model: Path | None, pictures: Path | None, given: Mapping[str, Any]) -> None:
    """Refuse options that say nothing of what is measured.

    Args:
        model: the argument.
        pictures: the table.
        given: option -> its value, None or empty where it was left out.

    Raises:
        EvidenceError: neither a model nor pictures, or an option of the other.
    """
    if model is None and pictures is None:
        raise EvidenceError(
            "evaluate: give MODEL, or pictures that a tool made by --pictures TABLE"
        )
    others = OF_MODELS if pictures is not None else tuple(FOLDERS)
    wrong = next((name for name in others if given.get(name)), None)
    if wrong is not None:
        option = {"options": "--option"}.get(wrong, f"--{wrong}")
        what = "a model, not of --pictures" if pictures is not None else "--pictures TABLE"
        raise EvidenceError(f"evaluate: {option} is an option of {what}")


def given_gallery(
    table: Path,
    folders: Mapping[str, Path | None],
    graph: Path | None,
    reading: Mapping[str, Any],
) -> Gallery:
    """The pictures that a table names.

    Args:
        table: the file.
        folders: kind -> the folder of its files.
        graph: the file of the graph, or of a model of it.
        reading: how pictures are read.

    Raises:
        CausalflowError: what cannot be read.
    """
    from causalflow.evaluation.gallery import Gallery

    known = None if graph is None else _graph(graph)
    return Gallery.read(table, **folders, graph=known, **reading)


def _graph(file: Path) -> Graph:
    from causalflow.formats.formats import load

    return load(file) if is_graph_file(file) else load_model(file, "cpu").graph


def measured_gallery(
    gallery: Gallery,
    data: str | None,
    images: Path | None,
    path_column: str,
    reading: Mapping[str, Any],
    **options: Any,
) -> Evaluation:
    """The gallery, measured by judges of the real pictures that ``--data`` names."""
    from causalflow.evaluation.evaluation import Evaluation, evaluate

    named = data is None or is_data_set(data)
    rows = data if named else read_rows(gallery.graph, str(data), images, path_column, reading)
    found = evaluate(gallery, rows, **options)
    assert isinstance(found, Evaluation)  # a gallery has pictures
    return found
