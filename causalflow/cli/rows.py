"""Rows: the data that ``--data`` names, a data set of the package or files of the user's own.

morpho_mnist    a data set of `causalflow.data.catalogue`
rows.csv        a column a node; image files are named in one column (--images FOLDER)
rows.npz        an array a node, as numpy.savez writes them
folder/         a folder with labels.csv and the image files that it names
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from causalflow.cli.worlds import image_names
from causalflow.errors import DataError, one_of
from causalflow.graph.schema import Image

if TYPE_CHECKING:
    from causalflow.graph.graph import Graph

__all__ = [
    "DATA_HELP",
    "drawn",
    "images_option",
    "is_data_set",
    "path_option",
    "read_rows",
]

DATA_SETS = (  # the names of causalflow.data.catalogue, which loads torch
    "bar_digits",
    "bar_mnist_backdoor",
    "bar_mnist_frontdoor",
    "causal_circuit",
    "causal_circuit_synthetic",
    "colored_mnist",
    "masked_mnist",
    "mnist",
    "morpho_mnist",
    "pendulum",
    "pendulum_parts",
)
DATA_HELP = (
    "A .csv with a column a node, an .npz with an array a node, a folder with labels.csv, or a "
    f"data set: {', '.join(DATA_SETS)}."
)
LABELS = "labels.csv"

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
    return data.replace("-", "_") in DATA_SETS and not Path(data).exists()


def drawn(graph: Graph, name: str, split: str, *, n: int | None, size: int | None = None) -> Any:
    """Rows of a data set, its images at the size of the graph's where it can choose."""
    from causalflow.data.catalogue import data_set

    found = data_set(name)
    sizes = (node.shape[1] for node in graph.nodes.values() if isinstance(node, Image))
    wanted = size or (next(sizes, None) if found.sized else None)
    return found.draw(split, n=n, size=wanted)


def read_rows(graph: Graph, data: str, images: Path | None, path_column: str) -> Any:
    """The columns in files of the user's own.

    Raises:
        DataError: no such file, one that cannot be read, or images that nothing names.
    """
    path = Path(data)
    if path.is_dir():
        return _folder(graph, path, path / LABELS, path_column)
    if not path.is_file():
        known = one_of(data.replace("-", "_"), DATA_SETS)
        raise DataError(f"--data {data}: no such file, nor a data set; {known}")
    if path.suffix.lower() == ".npz":
        from causalflow.data.arrays import read_arrays

        return read_arrays(path)
    if images is not None:
        return _folder(graph, images, path.absolute(), path_column)
    if names := image_names(graph):
        raise DataError(
            f"--data {data}: node '{names[0]}' is an image; give --images FOLDER, and a column "
            f"'{path_column}' of file names in the .csv"
        )
    from causalflow.data.table import read_table

    return read_table(path)


def _folder(graph: Graph, folder: Path, labels: Path, path_column: str) -> Any:
    """The columns of a table, with the images it names."""
    from causalflow.data.image_folder import image_folder

    names = image_names(graph)
    if len(names) != 1:
        raise DataError(f"--images: the graph has {len(names)} image nodes; expected one")
    return image_folder(folder, labels, path=path_column, image=names[0])
