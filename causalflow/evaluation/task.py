"""Subject: the data that a model is measured on, and the real pictures that its judges learn from.

No row is in two of the three parts:

    rows         kept from the judges: their factual pictures are intervened on
    training     real pictures and labels that judges are fitted to
    reference    further real pictures, which the distribution of counterfactuals is held against
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor

from causalflow.data.files import ImageFiles
from causalflow.data.frame import Frame
from causalflow.data.sets.catalogue import DataSet
from causalflow.errors import DataError
from causalflow.graph.graph import Graph
from causalflow.graph.node import Class, Continuous, Image

__all__ = ["Subject", "from_data_set", "from_rows", "image_node"]

TRAINING_ROWS = 10_000
REFERENCE_SHARE = 0.2
FEWEST_TRAINING = 20

Columns: TypeAlias = Mapping[str, Tensor]
Truth: TypeAlias = Callable[[Tensor, Mapping[str, Any]], Mapping[str, Tensor]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Subject:
    """What a model is measured on.

    Attributes:
        name: of the data.
        split: of the rows.
        rows: node -> values, (n,) or (n, channel, height, width); classes as indices.
        training: likewise, for judges; classes may be -1 and numbers NaN where unlabelled.
        reference: likewise.
        truth: the rows' true counterfactuals, where the data know them.
        measured: attributes can be measured on the pixels, as of the data set ``name``.
    """

    name: str
    split: str
    rows: Columns
    training: Columns
    reference: Columns
    truth: Truth | None = None
    measured: bool = False

    def __len__(self) -> int:
        return _length(self.rows)


def image_node(graph: Graph) -> str:
    """The one image node of a graph.

    Raises:
        DataError: there are more, or none.
    """
    names = [name for name, node in graph.nodes.items() if isinstance(node, Image)]
    if len(names) != 1:
        raise DataError(f"evaluate: the graph has {len(names)} image nodes; expected one")
    return names[0]


def from_data_set(graph: Graph, data: DataSet, split: str, n: int) -> Subject:
    """A data set of the package: rows of a split, judges from its training split.

    Raises:
        DataError: the data set is not one of this graph's nodes, or cannot be drawn.
    """
    image = graph.nodes[image_node(graph)]
    assert isinstance(image, Image)
    size = image.shape[1] if data.sized else None
    if split == "train":
        raise DataError(
            "evaluate: the judges learn from split 'train'; expected test or validation"
        )
    drawn = data.draw(split, n=n, size=size)
    rows = _columns(drawn, graph)
    count = min(TRAINING_ROWS, data.most or TRAINING_ROWS)
    real = _columns(data.draw("train", n=count, size=size), graph)
    training, reference = _parted(real, _length(real))
    return Subject(
        name=data.name,
        split=split,
        rows=rows,
        training=training,
        reference=reference,
        truth=getattr(drawn, "true_counterfactual", None),
        measured=True,
    )


def from_rows(graph: Graph, name: str, data: Any, n: int, seed: int) -> Subject:
    """Rows of the user's own: n of them at random are measured on, the others teach the judges.

    Raises:
        DataError: they do not fit the graph, or too few are left for judges.
    """
    image_node(graph)
    every = _columns(data, graph)
    total = _length(every)
    complete = _complete(every, graph)
    order = torch.randperm(total, generator=torch.Generator().manual_seed(seed))
    held = order[complete[order]][:n]
    left = order[~torch.isin(order, held)]
    if len(left) < FEWEST_TRAINING:
        raise DataError(
            f"{name}: {total} rows, of which --n {n} are measured on; {len(left)} are left for the "
            f"judges, at least {FEWEST_TRAINING} are needed: give a smaller --n, or more rows"
        )
    if not len(held):
        raise DataError(f"{name}: no row has a label for every node; an evaluation needs them")
    training, reference = _parted(_taken(every, left), min(TRAINING_ROWS, len(left)))
    rows = _taken(every, held)
    return Subject(
        name=name, split="kept from the judges", rows=rows, training=training, reference=reference
    )


def _columns(data: Any, graph: Graph) -> Columns:
    """The columns of all nodes in memory, images as they are kept."""
    frame = Frame.read(data, graph)
    everything = torch.arange(len(frame))
    return {
        name: column[everything] if isinstance(column, ImageFiles) else column
        for name, column in frame.columns.items()
    }


def _parted(columns: Columns, count: int) -> tuple[Columns, Columns]:
    """Rows for judges, and a reference."""
    kept = count - max(2, int(REFERENCE_SHARE * count))
    return _taken(columns, torch.arange(kept)), _taken(columns, torch.arange(kept, count))


def _taken(columns: Columns, rows: Tensor) -> Columns:
    return {name: column[rows] for name, column in columns.items()}


def _complete(columns: Columns, graph: Graph) -> Tensor:
    """Which rows have a label for every node, shape (n,)."""
    found = torch.ones(_length(columns), dtype=torch.bool)
    for name, node in graph.nodes.items():
        match node:
            case Class():
                found &= columns[name] >= 0
            case Continuous():
                found &= columns[name].isfinite()
            case _:
                pass
    return found


def _length(columns: Columns) -> int:
    return len(next(iter(columns.values())))
