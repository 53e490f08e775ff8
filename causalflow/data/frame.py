"""Frame: a checked table of observations, one column per node of a graph.

Columns stay small: classes as int64 indices, continuous values as float64, images as uint8 or
float32 in public units, or as files; `Frame.rows` gives a batch in engine values (see
`causalflow.mechanisms.mechanism`).

Partly labelled data: the labels of some rows are hidden, their images stay. Experiments: a column
``do(NAME)`` says in which rows the node was set (`causalflow.values.regime`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from causalflow.data.pictures import Pictures
from causalflow.errors import DataError, one_of
from causalflow.frozen import Frozen
from causalflow.graph.graph import Graph
from causalflow.graph.indicator import with_indicators
from causalflow.graph.node import Node
from causalflow.mechanisms.mechanism import stored, to_engine, to_scale
from causalflow.values.column import located
from causalflow.values.dataframe import table_of
from causalflow.values.image import image_of
from causalflow.values.regime import read_regimes, regime_column, regime_columns

__all__ = ["Frame", "hide_labels"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """Observations of a graph's nodes.

    Attributes:
        nodes: the type of each column.
        columns: one entry per row: tensors, or image files read when they are asked for.
        regimes: bool columns of the nodes that were set in some rows, by name.
    """

    nodes: Mapping[str, Node]
    columns: Mapping[str, Tensor | Pictures]
    regimes: Mapping[str, Tensor] = field(default_factory=dict)

    @classmethod
    def read(cls, data: Any, graph: Graph) -> Frame:
        """Check ``data`` against ``graph``; columns that are no node of it are ignored.

        A column ``do(NAME)`` is no node's, but says in which rows NAME was set.

        Args:
            data: a data frame of pandas, polars, pyarrow, ...; a mapping of tensors, arrays or
                lists; a torch Dataset of mappings; a Frame; or anything whose ``columns`` is such a
                mapping (`causalflow.data.sets.bar_mnist`). What stands for a level, and what for a
                missing label: `causalflow.values`; images as float in [0, 1] or uint8, (n,
                channels, height, width) or (n, height, width).
            graph: gives the columns' names and types.

        Raises:
            DataError: missing column, unknown level, value outside its support, misshapen image,
                unequal lengths, ...

        Example:
            >>> graph = Graph(nodes={"color": {"type": "class", "levels": ["green", "red"]}})
            >>> Frame.read({"color": ["red", "green", "red"]}, graph).columns["color"]
            tensor([1, 0, 1])
        """
        if isinstance(data, Frame) and graph.nodes.items() <= data.nodes.items():
            return data.of(graph.nodes)
        given = with_indicators(_as_mapping(data), graph.nodes)
        for name in graph.nodes:
            if name not in given:
                missing = f"node '{name}': no such column in the data; {one_of(name, given)}"
                raise located(DataError(missing), next(iter(given.values()), None))
        columns = {name: _column(name, node, given[name]) for name, node in graph.nodes.items()}
        found = read_regimes(graph.nodes, given)
        regimes = {name: torch.from_numpy(was_set) for name, was_set in found.items()}
        _check_lengths(columns | {regime_column(name): each for name, each in regimes.items()})
        return cls(nodes=graph.nodes, columns=Frozen(columns), regimes=Frozen(regimes))

    def of(self, names: Iterable[str]) -> Frame:
        """Some of the columns, with their regimes."""
        kept = list(names)
        return Frame(
            nodes={name: self.nodes[name] for name in kept},
            columns=Frozen({name: self.columns[name] for name in kept}),
            regimes=Frozen({n: each for n, each in self.regimes.items() if n in kept}),
        )

    def part(self, rows: Tensor) -> Frame:
        """Some of the rows, by their numbers, shape (rows,)."""
        return Frame(
            nodes=self.nodes,
            columns=Frozen({name: column[rows] for name, column in self.columns.items()}),
            regimes=Frozen({name: each[rows] for name, each in self.regimes.items()}),
        )

    @property
    def marks(self) -> dict[str, Tensor]:
        """The regimes as columns, ``do(NAME)`` by name."""
        return {regime_column(name): was_set for name, was_set in self.regimes.items()}

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), ()))

    def rows(self, indices: Tensor) -> dict[str, Tensor]:
        """The engine values of some rows, and their regimes; ``indices`` has shape (batch,)."""
        indices = indices.cpu()
        return {
            name: to_scale(self.nodes[name].type, column[indices])
            for name, column in self.columns.items()
        } | {name: was_set[indices] for name, was_set in self.marks.items()}

    def labels(self) -> dict[str, Tensor]:
        """All rows of the columns that are no images, in engine values, and their regimes."""
        return {
            name: column
            for name, column in self.columns.items()
            if isinstance(column, Tensor) and not self.nodes[name].type.pictured
        } | self.marks


def _as_mapping(data: Any) -> Mapping[str, Any]:
    if isinstance(data, Frame):
        return {**data.columns, **data.marks}
    if (table := table_of(data)) is not None:
        return table
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


def _column(name: str, node: Node, value: Any) -> Tensor | Pictures:
    if isinstance(value, Pictures):
        if (image := image_of(node.type)) is None:
            raise DataError(
                f"node '{name}': the column holds image files, but the node is no image"
            )
        return value.of_shape(image.shape)
    if node.type.pictured:
        return stored(name, node.type, value, DataError)
    column = to_engine(name, node.type, value, DataError)
    if column.ndim != 1 + len(node.type.shape):
        raise DataError(
            f"node '{name}': a column of shape {tuple(column.shape)}; expected one value a row"
        )
    return column


def _check_lengths(columns: Mapping[str, Tensor | Pictures]) -> None:
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        shown = ", ".join(f"'{name}' {length}" for name, length in lengths.items())
        raise DataError(f"columns of unequal lengths: {shown}")
    if not columns or not next(iter(lengths.values())):
        raise DataError("the data have no rows")


_UNLABELLED = -1


def hide_labels(
    columns: Mapping[str, Any],
    share: float,
    seed: int = 0,
    names: Iterable[str] | None = None,
) -> dict[str, Any]:
    """The columns with the labels of all but a random ``share`` of the rows hidden.

    Every hidden row loses all the labels named; a hidden class is -1 (NaN in a column that has
    negative levels), a hidden number NaN. The rows
    that keep theirs at a share keep them at every larger one with the same seed.

    Args:
        columns: name -> array or tensor, shape (n, ...).
        share: the part of the rows that keep their labels, 0 to 1; rounded to whole rows.
        seed: which rows keep them.
        names: the columns to hide; default all of shape (n,), but those that say what was set.

    Raises:
        DataError: a share outside of 0 to 1, or a name that is no column of labels.

    Example:
        >>> hidden = hide_labels({"digit": np.array([3, 1, 4, 1])}, share=0.5)
        >>> int((hidden["digit"] >= 0).sum())
        2
    """
    kept = regime_columns(columns)
    labels = [name for name, column in columns.items() if np.ndim(column) == 1 and name not in kept]
    chosen = labels if names is None else list(names)
    for name in chosen:
        if name not in labels:
            raise DataError(f"hide_labels: no column of labels '{name}'; {one_of(name, labels)}")
    if not 0 <= share <= 1:
        raise DataError(f"hide_labels: share is {share:g}; expected 0 to 1")
    return {
        name: _hide(column, share, seed) if name in chosen else column
        for name, column in columns.items()
    }


def _hide(column: Any, share: float, seed: int) -> Tensor | NDArray[Any]:
    """The column as an array, or the tensor that it was, with a gap in every hidden row."""
    is_tensor = isinstance(column, Tensor)
    values = column.detach().cpu().numpy() if is_tensor else np.asarray(column)
    gap: float | None
    if values.dtype.kind in "OUS":
        values, gap = values.astype(object), None
    elif values.dtype.kind != "f" and not (values.size and values.min() < 0):
        values, gap = values.astype(np.int64), _UNLABELLED
    else:  # -1 may be a level among negative ones
        values, gap = values * 1.0, math.nan
    values = values.copy()
    values[np.random.default_rng(seed).permutation(len(values))[round(share * len(values)) :]] = gap
    return torch.from_numpy(values).to(column.device) if is_tensor else values
