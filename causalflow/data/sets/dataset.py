"""Data sets: what each offers by its rows, and how labels are drawn from an explicit graph.

A data set has columns by node: labels, and one column of images. Labels are drawn from a structural
causal model whose every node has an equation: with u the exogenous variables,

    x_i = f_i(pa_i, u)    in topological order,

and the same u under an intervention give the true counterfactual. Values are numpy arrays, one
entry a row: classes int64, continuous float64 in the unit of the graph file, discrete images int64
(n, channels, height, width).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from causalflow.data.frame import Frame, hide_labels
from causalflow.equations.equation import evaluate
from causalflow.equations.law import FAMILIES
from causalflow.errors import DataError, one_of
from causalflow.graph.graph import Graph
from causalflow.graph.node import Exogenous, Finite, Node
from causalflow.graph.stored import stored_node

__all__ = [
    "SPLITS",
    "LabelledImages",
    "LabelledRows",
    "check_split",
    "draw_exogenous",
    "draw_labels",
    "solve",
]


class LabelledRows:
    """Labels and images of n rows, with the graph that a learner is told.

    Attributes:
        graph: the modelling graph.
        labels: the labels by node, each of shape (n,); classes as level indices.
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
    if node.type.levels is None:
        return pd.Series(column)
    return pd.Series(node.type.names(node.type.read(column, where=f"node '{name}'")))


SPLITS = ("train", "test", "validation")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LabelledImages:
    """Gray images of digits.

    Attributes:
        images: shape (n, height, width), float32 in [0, 1] or uint8.
        digits: shape (n,), int64, 0..9.
    """

    images: NDArray[Any]
    digits: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.digits)

    @property
    def columns(self) -> Mapping[str, NDArray[Any]]:
        """The columns ``digit`` and ``image``, as `causalflow.data.frame.Frame.read` takes them."""
        return {"digit": self.digits, "image": self.images}


def check_split(split: str) -> None:
    """Refuse a split that is not train, test or validation.

    Raises:
        DataError: unknown split.
    """
    if split not in SPLITS:
        raise DataError(f"unknown split {split!r}; {one_of(split, SPLITS)}")


Arrays: TypeAlias = Mapping[str, NDArray[Any]]


def draw_labels(graph: Graph, n: int, generator: np.random.Generator) -> dict[str, NDArray[Any]]:
    """n draws of every node of an explicit graph.

    Raises:
        DataError: a node without an equation, or one that gives what the node cannot have.

    Example:
        >>> coin = {"type": "class", "levels": 2, "equation": "u"}
        >>> graph = Graph(nodes={"x": coin}, exogenous={"u": {"p": [0, 1]}})
        >>> draw_labels(graph, 3, np.random.default_rng(0))["x"]
        array([1, 1, 1])
    """
    return solve(graph, draw_exogenous(graph, n, generator))


def draw_exogenous(graph: Graph, n: int, generator: np.random.Generator) -> dict[str, NDArray[Any]]:
    """n draws of every exogenous variable, each of shape (n,)."""
    return {name: _draw(variable, n, generator) for name, variable in graph.exogenous.items()}


def solve(
    graph: Graph, exogenous: Arrays, do: Mapping[str, ArrayLike] | None = None
) -> dict[str, NDArray[Any]]:
    """Every node's value given the exogenous variables, in the world where ``do`` is done.

    Args:
        graph: every node has an equation.
        exogenous: name -> shape (n,).
        do: node -> its value, one for all rows or one per row.

    Raises:
        DataError: a node without an equation, or one that gives what the node cannot have.
    """
    n = len(next(iter(exogenous.values())))

    def compute(name: str, values: Arrays) -> NDArray[Any]:
        return _compute(name, stored_node(graph, name), values, n)

    fixed = {
        name: np.broadcast_to(np.asarray(value), _shape(graph.nodes[name], n)).copy()
        for name, value in (do or {}).items()
        if name in graph.nodes
    }
    world = graph.admg.solve(compute, fixed, exogenous)
    return {name: value for name, value in world.items() if name not in exogenous}


def _draw(variable: Exogenous, n: int, generator: np.random.Generator) -> NDArray[Any]:
    if isinstance(variable, Finite):
        return generator.choice(len(variable.p), size=n, p=[float(p) for p in variable.p])
    return FAMILIES.get(variable.name).sample(generator, n, **dict(variable.parameters))


def _compute(name: str, node: Node, values: Arrays, n: int) -> NDArray[Any]:
    if node.equation is None:
        raise DataError(f"node '{name}': no equation to draw it from; expected an explicit graph")
    result = evaluate(node.equation, values)
    if not node.type.scalar:
        entries = np.stack([np.broadcast_to(entry, n) for entry in result], axis=1)
        return _typed(name, node, entries.reshape(_shape(node, n)))
    return _typed(name, node, np.broadcast_to(result, n))


def _typed(name: str, node: Node, values: NDArray[Any]) -> NDArray[Any]:
    """The values in the node's type, all of them possible; an end of a support may be reached."""
    (low, high), whole = node.type.extent, node.type.integral
    possible = (values >= low) & (values <= high)
    if whole:
        possible &= values == np.floor(values)
    if not possible.all():
        row, given = int(np.argwhere(~possible)[0][0]), values[~possible].flat[0]
        kind = "a whole number" if whole else "a number"
        raise DataError(
            f"node '{name}', row {row}: its equation gives {given:g}; "
            f"expected {kind} from {low:g} to {high:g}"
        )
    return values.astype(np.int64 if whole else np.float64)


def _shape(node: Node, n: int) -> tuple[int, ...]:
    return (n, *node.type.shape)
