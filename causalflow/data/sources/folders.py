"""Folders: tables that name image files, and trees with a folder for each level.

    labels.csv        path,digit          TREE/cat/1.png       the only class node has the level
    img/1.png         img/1.png,7         TREE/cat/deep/2.png  "cat" in these two rows
    img/2.png         img/2.png,3         TREE/dog/3.jpg       "dog"

A tree's rows are in the order of their paths. Files that begin with a point, or whose ending is
none of a picture's, are no rows.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import pandas as pd

from causalflow.data.files import Files, inside, named_files, read_table
from causalflow.data.medical import extra
from causalflow.data.sources.source import (
    SKIPPED,
    Opened,
    Place,
    Source,
    class_node,
    image_node,
    other_table,
)
from causalflow.errors import DataError, one_of
from causalflow.files import opened
from causalflow.graph.graph import Graph
from causalflow.graph.node import images_of
from causalflow.limits import CSV_BYTES, SOURCE_CELLS, SOURCE_FILES

__all__ = ["FOLDER", "LABELS", "TABLE", "TREE", "is_picture", "named_with_commas"]

LABELS = "labels.csv"
_ENDINGS = (
    *(".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"),
    *(".npy", ".npz", ".dcm", ".dicom", ".nii", ".nii.gz"),
)


def is_picture(name: str) -> bool:
    """Whether a file's name has the ending of a picture.

    Example:
        >>> is_picture("a/B.PNG"), is_picture("a.nii.gz"), is_picture("notes.txt")
        (True, True, False)
    """
    return name.lower().endswith(_ENDINGS)


def _open_table(place: Place) -> Opened:
    table = _table(place.path, place.graph)
    if place.images is None and (names := list(images_of(place.graph.nodes))):
        raise DataError(
            f"{place.text}: node '{names[0]}' is an image; give --images FOLDER (images= in "
            f"Python), and a column '{place.column}' of file names in the {place.path.suffix}"
        )
    if place.images is None:
        return Opened(about=f"table {place.path.name}", columns=_columns(table))
    return _named(place, place.images, table, place.path)


def _open_folder(place: Place) -> Opened:
    return _named(place, place.path, _table(place.path / LABELS, place.graph), place.path / LABELS)


def _named(place: Place, folder: Path, table: pd.DataFrame, path: Path) -> Opened:
    """The rows of a table, with the images that it names."""
    node = image_node(place.graph, "--images")
    files = Files(folder=folder, files=named_files(table, place.column, path))
    if place.strict:
        _check_there(folder, files.files)
    return Opened(
        about=f"image folder {folder.name or folder} with {path.name}",
        columns=_columns(table.drop(columns=place.column)),
        pictures={node: files},
    )


def _check_there(folder: Path, files: Iterable[str]) -> None:
    """Refuse files that are missing, or outside of the folder."""
    for file in files:
        try:
            inside(folder, file)
        except DataError as mistake:
            raise DataError(f"{mistake}{SKIPPED}") from None


def _columns(table: pd.DataFrame) -> dict[str, pd.Series]:
    return {str(name): table[name] for name in table.columns}


def _table(path: Path, graph: Graph) -> pd.DataFrame:
    if path.suffix.lower() == ".parquet":
        return _parquet(path)
    numbers = [name for name, node in graph.nodes.items() if node.type.numeric]
    return read_table(path, numbers, named_with_commas(graph))


def named_with_commas(graph: Graph) -> list[str]:
    """The nodes of which a level's name has a comma, which is of no number."""
    nodes = graph.nodes.items()
    return [name for name, node in nodes if any("," in str(e) for e in node.type.levels or ())]


def _parquet(path: Path) -> pd.DataFrame:
    """The columns of a parquet file, its size told by its own header first."""
    try:
        from pyarrow import parquet
    except ImportError:
        raise extra("pyarrow", "datasets", f"{path}: parquet") from None
    with opened(path, DataError, limit=CSV_BYTES) as file:
        try:
            content = parquet.ParquetFile(file)
            rows, columns = content.metadata.num_rows, content.metadata.num_columns
            if rows * columns > SOURCE_CELLS:
                raise DataError(
                    f"{path}: {rows:,} rows of {columns:,} columns; at most {SOURCE_CELLS:,} "
                    "entries are read"
                )
            return content.read().to_pandas(
                ignore_metadata=True, split_blocks=True, self_destruct=True
            )
        except DataError:
            raise
        except Exception as mistake:  # pyarrow raises errors of its own, OSError, MemoryError, ...
            raise DataError(f"{path}: no parquet file that can be read: {mistake}") from None


def _open_tree(place: Place) -> Opened:
    hint = other_table(place)
    node, image = class_node(place.graph, place.text, hint), image_node(place.graph, place.text)
    names = sorted(each.name for each in _folders(place.path))
    kind = place.graph.nodes[node].type
    for name in names:
        try:
            kind.read([name], where=name, error=DataError)
        except DataError:
            raise DataError(
                f"{place.path / name}: no level of node '{node}'; "
                f"{one_of(name, kind.levels or ())}{hint}"
            ) from None
    files = tuple(file for name in names for file in sorted(_under(place.path, name)))
    if not files:
        raise DataError(f"{place.text}: no picture in its folders")
    if place.strict:
        _check_there(place.path, files)
    levels = [file.partition("/")[0] for file in files]
    return Opened(
        about=f"folder {place.path.name or place.path} with a folder a level",
        columns={node: levels},
        pictures={image: Files(folder=place.path, files=files)},
    )


def _folders(path: Path) -> Iterator[Path]:
    return (each for each in path.iterdir() if each.is_dir() and not each.name.startswith("."))


def _under(root: Path, level: str) -> Iterator[str]:
    """The pictures of a level, as paths from the root with / between; links are not followed."""
    found = 0
    for folder, inner, files in os.walk(root / level):
        inner[:] = [name for name in inner if not name.startswith(".")]
        for name in files:
            if is_picture(name) and not name.startswith("."):
                found += 1
                if found > SOURCE_FILES:
                    raise DataError(f"{root / level}: more than {SOURCE_FILES:,} files")
                yield (Path(folder) / name).relative_to(root).as_posix()


def _is_tree(place: Place) -> bool:
    return place.path.is_dir() and next(_folders(place.path), None) is not None


TABLE = Source(
    name="table",
    claims=lambda place: place.path.is_file(),  # asked last: any file that is no other source's
    open=_open_table,
)
FOLDER = Source(
    name="folder",
    claims=lambda place: place.path.is_dir() and (place.path / LABELS).exists(),
    open=_open_folder,
)
TREE = Source(name="tree", claims=_is_tree, open=_open_tree)
