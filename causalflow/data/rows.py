"""Rows: what every data set with labels and one column of images offers, written once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from numpy.typing import NDArray
from torch import Tensor

from causalflow.data.frame import Frame
from causalflow.data.partial import hide_labels
from causalflow.graph.graph import Graph
from causalflow.graph.schema import Class

__all__ = ["LabelledRows"]


class LabelledRows:
    """Labels and images of n rows, with the graph that a learner is told.

    Attributes:
        graph: the modelling graph.
        labels: by node, each of shape (n,); classes as level indices.
        images: uint8, shape (n, channel, height, width).
    """

    __slots__ = ()

    graph: Graph
    labels: Mapping[str, NDArray[Any]]
    images: Tensor

    def __len__(self) -> int:
        return len(self.images)

    @property
    def columns(self) -> Mapping[str, Any]:
        """The labels and the column ``image``, as `Frame.read` takes them."""
        return {**self.labels, "image": self.images}

    @property
    def frame(self) -> Frame:
        """The rows, checked against the modelling graph."""
        return Frame.read(self, self.graph)

    def to_dataframe(self) -> pd.DataFrame:
        """The labels, classes by level name."""
        named = {name: _named(self.graph, name, column) for name, column in self.labels.items()}
        return pd.DataFrame(named).infer_objects()

    def with_labels(self, share: float, seed: int = 0) -> dict[str, Any]:
        """The columns, with the labels of all but a random ``share`` of the rows hidden."""
        return hide_labels(self.columns, share, seed)


def _named(graph: Graph, name: str, column: NDArray[Any]) -> pd.Series[Any]:
    node = graph.nodes[name]
    if not isinstance(node, Class):
        return pd.Series(column)
    return pd.Series(node.type.names(node.type.read(column, where=f"node '{name}'")))
