"""Given images: what ``--image`` names, files and folders of them, as evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from causalflow.cli.arguments import read_image
from causalflow.cli.output import image_names
from causalflow.errors import EvidenceError
from causalflow.graph.node import images_of

if TYPE_CHECKING:
    from causalflow.model.model import Model

__all__ = ["given_images", "image_files"]


def image_files(places: Sequence[Path], most: int) -> tuple[list[Path], list[str]]:
    """The files that are named, of folders those in them by their names; and what is left out.

    Args:
        places: files and folders.
        most: how many are taken where there are folders.

    Raises:
        EvidenceError: a folder that holds no picture, or cannot be read.
    """
    files = [file for place in places for file in (_inside(place) if place.is_dir() else [place])]
    if len(files) <= most or not any(place.is_dir() for place in places):
        return files, []
    return files[:most], [
        f"the first {most} of {len(files):,} pictures; --rows {len(files)} takes all"
    ]


def _inside(folder: Path) -> list[Path]:
    from causalflow.data.sources.folders import is_picture

    try:
        found = sorted(each for each in folder.iterdir() if is_picture(each.name))
    except OSError as reason:
        raise EvidenceError(f"--image {folder}: cannot be read: {reason.strerror}") from None
    if not found:
        raise EvidenceError(f"--image {folder}: no picture lies in this folder")
    return found


def given_images(model: Model, files: Sequence[Path], spelt: Mapping[str, Any]) -> dict[str, Any]:
    """The image node -> the pictures of the files, read as those of the fit were.

    Raises:
        EvidenceError: the graph has no image node, or several.
        DataError: a file that is no picture, or one of another size.
    """
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
