"""``causalflow share``: a model to a folder or a model hub, and back, every file checked."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from warnings import warn

import click

from causalflow.cli.arguments import (
    AssignmentType,
    assigned,
    examples,
    files,
    load_model,
    measured_option,
    shipped_or_file,
)
from causalflow.cli.output import image_names, json_option, say, say_json
from causalflow.cli.rows import (
    DATA_HELP,
    drawn,
    images_option,
    is_data_set,
    path_option,
    read_rows,
    set_or_file,
)
from causalflow.errors import CausalflowWarning

if TYPE_CHECKING:
    from causalflow.cli.arguments import Assignment
    from causalflow.model.model import Model

__all__ = ["share"]

HUB = "hf://"


@click.command(
    short_help="Share a model: a folder with its card, or a model hub.",
    epilog=examples(
        "causalflow share model.safetensors my_model --data new_rows.csv --license mit",
        "causalflow share my_model hf://me/my_model",
        "causalflow share hf://me/my_model@main copy",
        "causalflow share morpho_mnist copy --data morpho_mnist",
    ),
)
@click.argument("source", shell_complete=shipped_or_file)
@click.argument("target", shell_complete=files)
@click.option("--name", default="", help="What the card calls the model.  [default: the graph's]")
@click.option("--about", default="", help="What the model is for, for its card.")
@click.option("--limits", default="", help="What it should not be used for, for its card.")
@click.option("--license", "terms", default="", help="Of the weights, for the card: mit.")
@click.option(
    "--data",
    shell_complete=set_or_file,
    help=f"Rows by which the model is measured for its card. {DATA_HELP}",
)
@images_option
@path_option
@measured_option
@click.option(
    "--do",
    type=AssignmentType(),
    multiple=True,
    help="The intervention that is measured and pictured, NODE=VALUE; repeat it for a joint one.",
)
@click.option("--private", is_flag=True, help="Hide a new repository from others.")
@click.option("--progress/--no-progress", default=True, help="Show bars on standard error.")
@click.option("--message", default="A causalflow model", show_default=True, help="The commit's.")
@json_option
def share(
    source: str,
    target: str,
    data: str | None,
    images: Path | None,
    path_column: str,
    n: int,
    do: tuple[Assignment, ...],
    private: bool,
    progress: bool,
    message: str,
    as_json: bool,
    **texts: str,
) -> None:
    """Copy the model SOURCE to TARGET, with all that others need to use and to trust it.

    SOURCE is a model file, a folder of this command or of Model.save_pretrained, the name of a
    model that ships, or hf://OWNER/NAME, a repository on a model hub; TARGET a folder or
    hf://OWNER/NAME. After @ a branch, tag or commit may be named. The weights are copied as they
    are. A new card is written where SOURCE is a model file, or the card is to say or measure
    something; else that of SOURCE goes along. The token of a hub is that of HF_TOKEN, or of
    "hf auth login"; the hub is huggingface.co, or HF_ENDPOINT.
    """
    said: dict[str, Any] = {
        n.replace("terms", "license"): each for n, each in texts.items() if each
    }
    with _weights(source) as (weights, folder):
        if folder is None or said or data or do:
            model = load_model(weights, "cpu")
            if data is not None:
                said |= {"data": _rows(model, data, images, path_column), "n": n}
            if do:
                said |= {"do": assigned(model.graph, do, "--do", model.habits)}
            told = _written(model, weights, target, said, progress, private, message)
        else:
            told = _copied(folder, target, private, message)
    say_json(told) if as_json else say("\n".join(f"written: {each}" for each in told["written"]))


@contextmanager
def _weights(source: str) -> Iterator[tuple[Path, Path | None]]:
    """The file of a model's weights; and its folder, checked, where it stands in one."""
    from causalflow.hub.model_folder import WEIGHTS, read_folder
    from causalflow.hub.pretrained import place_of_model

    name, revision = _parted(source)
    if Path(source).is_file():
        yield Path(source), None
        return
    folder = place_of_model(name, revision)
    read_folder(folder, lambda path: load_model(path, "cpu"))
    yield folder / WEIGHTS, folder


def _parted(place: str) -> tuple[str, str | None]:
    """The name in a place, and the revision of a repository."""
    if not place.startswith(HUB):
        return place, None
    name, _, revision = place.removeprefix(HUB).partition("@")
    return name, revision or None


def _rows(model: Model, data: str, images: Path | None, path_column: str) -> Any:
    """What ``--data`` names, as `cf.evaluate` takes it."""
    if not is_data_set(data):
        return read_rows(model.graph, data, images, path_column, habits=model.habits)
    return data if image_names(model.graph) else drawn(model.graph, data, "test", n=None)


def _written(
    model: Model,
    weights: Path,
    target: str,
    said: Any,
    progress: bool,
    private: bool,
    message: str,
) -> dict[str, Any]:
    """Write a folder anew, and send it where it is to go."""
    from causalflow.hub.model_folder import CARD
    from causalflow.hub.pretrained import save_weights
    from causalflow.pieces import read_index

    def copy(path: Path) -> None:
        if read_index(weights) is None:
            shutil.copyfile(weights, path)
        else:
            model.save(path)

    if not target.startswith(HUB):
        if (Path(target) / CARD).exists() and not said:
            words = f"{target}: its card is written anew, without what was said for the one before"
            warn(words, CausalflowWarning, stacklevel=1)
        said = {**said, "progress": progress}
        return {"written": save_weights(model, target, copy, place=target, **said)}
    with TemporaryDirectory(prefix="causalflow-") as made:
        folder = Path(made) / "model"
        place = _parted(target)[0]
        save_weights(model, folder, copy, place=place, progress=progress, **said)
        return _copied(folder, target, private, message)


def _copied(folder: Path, target: str, private: bool, message: str) -> dict[str, Any]:
    """Copy the files of a folder as they are, or send them to a hub."""
    from causalflow.hub.model_folder import copy_folder
    from causalflow.hub.repository import push

    if not target.startswith(HUB):
        return {"written": copy_folder(folder, target)}
    name, branch = _parted(target)
    return {"written": [push(folder, name, private=private, branch=branch, message=message)]}
