"""Frame: a checked table of observations, one column per node of a graph.

Columns stay small: classes as int64 indices, continuous values as float64, images as uint8 or
float32 in public units, or as files; `Frame.rows` gives a batch in engine values (see
`causalflow.mechanisms.base`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from causalflow.data.image_folder import ImageFiles
from causalflow.data.table import LINE
from causalflow.data.units import images_to_engine, store_images, to_engine
from causalflow.errors import DataError, one_of
from causalflow.frozen import Frozen
from causalflow.graph.graph import Graph
from causalflow.graph.schema import Image, Node

__all__ = ["Frame"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """Observations of a graph's nodes.

    Attributes:
        nodes: the type of each column.
        columns: one entry per row: tensors, or image files read when they are asked for.
    """

    nodes: Mapping[str, Node]
    columns: Mapping[str, Tensor | ImageFiles]

    @classmethod
    def read(cls, data: Any, graph: Graph) -> Frame:
        """Check ``data`` against ``graph``; columns that are no node of it are ignored.

        Args:
            data: a pandas DataFrame; a mapping of tensors, arrays or lists; a torch Dataset of
                mappings; a Frame; or anything whose ``columns`` is such a mapping
                (`causalflow.data.bar_mnist`). What stands for a level, and what for a missing
                label: `causalflow.values`; images as float in [0, 1] or uint8, (n, channels,
                height, width) or (n, height, width).
            graph: gives the columns' names and types.

        Raises:
            DataError: missing column, unknown level, value outside its support, misshapen image,
                unequal lengths, ...

        Example:
            >>> graph = Graph(nodes={"color": {"type": "class", "levels": ["green", "red"]}})
            >>> Frame.read({"color": ["red", "green", "red"]}, graph).columns["color"]
            tensor([1, 0, 1])
        """
        given = _as_mapping(data)
        for name in graph.nodes:
            if name not in given:
                raise DataError(f"node '{name}': no such column in the data; {one_of(name, given)}")
        columns = {name: _column(name, node, given[name]) for name, node in graph.nodes.items()}
        _check_lengths(columns)
        return cls(nodes=graph.nodes, columns=Frozen(columns))

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), ()))

    def rows(self, indices: Tensor) -> dict[str, Tensor]:
        """The engine values of some rows; ``indices`` has shape (batch,)."""
        indices = indices.cpu()
        return {
            name: _engine(self.nodes[name], column[indices])
            for name, column in self.columns.items()
        }

    def labels(self) -> dict[str, Tensor]:
        """All rows of the columns that are no images, in engine values."""
        return {
            name: column
            for name, column in self.columns.items()
            if isinstance(column, Tensor) and not isinstance(self.nodes[name], Image)
        }


def _engine(node: Node, column: Tensor) -> Tensor:
    return images_to_engine(node, column) if isinstance(node, Image) else column


def _as_mapping(data: Any) -> Mapping[str, Any]:
    if isinstance(data, pd.DataFrame):
        return {str(name): data[name] for name in data.columns}
    if isinstance(data, Mapping):
        return data
    if isinstance(columns := getattr(data, "columns", None), Mapping):
        return columns
    if hasattr(data, "__getitem__") and hasattr(data, "__len__") and not isinstance(data, str):
        return _collate(data)
    accepted = "a DataFrame, a mapping of columns, a Dataset of mappings or a Frame"
    raise DataError(f"data of type {type(data).__name__}; expected {accepted}")


def _collate(dataset: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The columns of a map-style dataset; the names are those of its first row."""
    columns: dict[str, list[Any]] = {}
    for row in range(len(dataset)):
        entries = dataset[row]
        if not isinstance(entries, Mapping):
            kind = type(entries).__name__
            raise DataError(
                f"row {row}: a dataset's rows must be mappings from names to values, given {kind}"
            )
        if row and entries.keys() != columns.keys():
            raise DataError(
                f"row {row}: fields {sorted(entries)}; expected {sorted(columns)} as in row 0"
            )
        for name, entry in entries.items():
            columns.setdefault(name, []).append(entry)
    return {name: _stack(name, entries) for name, entries in columns.items()}


def _stack(name: str, entries: list[Any]) -> Any:
    if not all(isinstance(entry, Tensor) for entry in entries):
        return entries
    if len(shapes := {tuple(entry.shape) for entry in entries}) > 1:
        raise DataError(f"node '{name}': entries of different shapes {sorted(shapes)[:3]}")
    return torch.stack(entries)


def _column(name: str, node: Node, value: Any) -> Tensor | ImageFiles:
    if isinstance(value, ImageFiles):
        if not isinstance(node, Image):
            raise DataError(
                f"node '{name}': the column holds image files, but the node is no image"
            )
        return value.of_shape(node.shape)
    if isinstance(node, Image):
        return store_images(name, node, value, DataError)
    try:
        column = to_engine(name, node, value, DataError)
    except DataError as mistake:
        raise _with_line(name, value, mistake) from None
    if column.ndim != 1:
        raise DataError(
            f"node '{name}': a column of shape {tuple(column.shape)}; expected one value a row"
        )
    return column


def _with_line(name: str, value: Any, mistake: DataError) -> DataError:
    """The mistake, with the line of its row where the column was read from a file."""
    row = re.match(rf"node '{re.escape(name)}', row (\d+)", str(mistake))
    if row is None or getattr(getattr(value, "index", None), "name", None) != LINE:
        return mistake
    return DataError(f"line {value.index[int(row[1])]:,}: {mistake}")


def _check_lengths(columns: Mapping[str, Tensor | ImageFiles]) -> None:
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        shown = ", ".join(f"'{name}' {length}" for name, length in lengths.items())
        raise DataError(f"columns of unequal lengths: {shown}")
    if not columns or not next(iter(lengths.values())):
        raise DataError("the data have no rows")
