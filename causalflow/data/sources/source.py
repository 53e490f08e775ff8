"""Source: a way to keep rows with pictures, opened to labels in memory and pictures on disk.

    folder      a folder with labels.csv, which names the image files in it
    shards      a folder that `Model.counterfactual` or `Model.sample` wrote
    saved       a Hugging Face data set that was saved to disk
    hdf5        an .h5 or .hdf5 file with a data set a node
    arrays      an .npz file with an array a node
    tar         WebDataset archives: name.tar, name-{000..009}.tar, or a folder of them
    tree        a folder with a folder a level: TREE/LEVEL/*.png
    table       a .csv or .parquet file, and the folder of the images that it names

The first that claims a place opens it. Columns that are no node of the graph are left out or
ignored. Nothing is unpacked to disk, no file outside of the place is opened, nothing is unpickled,
and nothing is fetched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from causalflow import plugins
from causalflow.data.pictures import PictureSource
from causalflow.errors import DataError, one_of
from causalflow.graph.graph import Graph
from causalflow.graph.node import images_of
from causalflow.registry import Registry

__all__ = [
    "SKIPPED",
    "SOURCES",
    "Opened",
    "Place",
    "Source",
    "claimed",
    "class_node",
    "image_node",
    "opened_source",
    "other_table",
]

SKIPPED = "; on_error=skip leaves such rows out"
"""The end of an error of a picture that cannot be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What a user names.

    Attributes:
        text: the path or pattern.
        graph: the graph whose nodes are looked for.
        images: the folder of the image files that a table names.
        column: the column of a table that names them.
        strict: whether a picture that is missing is an error now, not when it is read.
    """

    text: str
    graph: Graph
    images: Path | None = None
    column: str = "path"
    strict: bool = True

    @property
    def path(self) -> Path:
        """The text as a path."""
        return Path(self.text)

    def ends(self, *suffixes: str) -> bool:
        """Whether it is a file of one of these endings."""
        return self.path.suffix.lower() in suffixes and self.path.is_file()


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """The rows of a source.

    Attributes:
        about: what it is, in a few words.
        columns: the labels (and images that are in memory already), by name.
        pictures: the images that are read later, by the name of their node.
    """

    about: str
    columns: Mapping[str, Any]
    pictures: Mapping[str, PictureSource] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A way to keep rows.

    Attributes:
        name: its name in the registry.
        claims: whether a place is of this kind, told by its name and what lies there.
        open: the rows of a place; raises `DataError` where they cannot be read.
    """

    name: str
    claims: Callable[[Place], bool]
    open: Callable[[Place], Opened]


SOURCES: Registry[Source] = plugins.SOURCES


def opened_source(place: Place) -> Opened:
    """The rows of what a user names.

    Raises:
        DataError: nothing is there, no source claims it, or it cannot be read.
    """
    source = claimed(place)
    if source is not None:
        return source.open(place)
    if not place.path.exists():
        raise DataError(f"{place.text}: no such file or folder")
    kinds = ", ".join(source.name for source in _sources())
    hint = other_table(place)
    raise DataError(f"{place.text}: no source of rows that is known ({kinds}){hint}")


def claimed(place: Place) -> Source | None:
    """The source that a place is of, if it is of one."""
    return next((source for source in _sources() if source.claims(place)), None)


def _sources() -> Iterator[Source]:
    return map(SOURCES.get, SOURCES)


def other_table(place: Place) -> str:
    """What to do with a table of another name than labels.csv in a folder; "" if there is none."""
    if not place.path.is_dir():
        return ""
    found = sorted(p for p in place.path.iterdir() if p.suffix.lower() in (".csv", ".parquet"))
    if not found:
        return ""
    return (
        f"; is {found[0].name} the table? Then give --data {found[0]} --images FOLDER (images= in "
        "Python), the folder of the pictures that it names"
    )


def image_node(graph: Graph, where: str) -> str:
    """The name of the only image node.

    Raises:
        DataError: there is none, or several.
    """
    names = list(images_of(graph.nodes))
    if len(names) != 1:
        raise DataError(f"{where}: the graph has {len(names)} image nodes; expected one")
    return names[0]


def class_node(graph: Graph, where: str, hint: str = "") -> str:
    """The name of the only node of levels; ``hint`` ends the error.

    Raises:
        DataError: there is none, or several.
    """
    names = [name for name, node in graph.nodes.items() if node.type.levels is not None]
    if len(names) != 1:
        raise DataError(
            f"{where}: it says one level a row, and the graph has {len(names)} class nodes, "
            f"{one_of('', names)}" + (hint or "; name the labels in a labels.csv")
        )
    return names[0]
