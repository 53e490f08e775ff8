"""Task: what a model is asked in an evaluation, as rows and as interventions on them.

A `Subject` is data in three parts, and no row is in two of them:

    rows         factual pictures and labels, which are intervened on
    training     real pictures and labels that judges are fitted to
    reference    further real pictures, which the distribution of counterfactuals is held against

Where there are no real pictures, the model drew all of them itself: rows that say nothing of real
ones, and no reference.

An `Action` is one intervention, with a value for every row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor

from causalflow.data.frame import Frame
from causalflow.data.pictures import Pictures
from causalflow.data.sets.catalogue import DataSet
from causalflow.data.supply import Origin, Supply, named, supplied
from causalflow.errors import DataError, EvidenceError
from causalflow.graph.graph import Graph
from causalflow.graph.node import Node, images_of
from causalflow.mechanisms.mechanism import labelled, to_engine
from causalflow.model.evidence import check_names
from causalflow.model.model import Model
from causalflow.values.regime import only_observed

__all__ = [
    "TRAINING_ROWS",
    "Action",
    "Columns",
    "Subject",
    "from_data_set",
    "from_rows",
    "from_supplied",
    "image_node",
    "in_memory",
    "label_parents",
    "parted",
    "random_actions",
    "stated_action",
]

TRAINING_ROWS = 10_000
REFERENCE_SHARE = 0.2
FEWEST_TRAINING = 20

Columns: TypeAlias = Mapping[str, Tensor]
Truth: TypeAlias = Callable[[Tensor, Mapping[str, Any]], Mapping[str, Tensor]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Subject:
    """What a model is measured on.

    Attributes:
        name: the name of the data.
        split: the part of the data set that the rows are of.
        rows: node -> values, (n,) or (n, channel, height, width); classes as indices.
        training: the same columns of the rows that judges learn from; classes may be -1 and numbers
            NaN where unlabelled.
        reference: the same columns of the real pictures of whose features distances are taken.
        truth: the rows' true counterfactuals, where the data know them.
        measured: attributes can be measured on the pixels, as of the data set ``name``.
        origin: where the rows come from.
        note: what they are, where they are not the data set's own, in a line.
    """

    name: str
    split: str
    rows: Columns
    training: Columns
    reference: Columns
    truth: Truth | None = None
    measured: bool = False
    origin: Origin = Origin.GIVEN
    note: str = ""

    @property
    def kind(self) -> str:
        """What its pictures are: "real", or "drawn" by the model itself."""
        return "drawn" if self.origin is Origin.DRAWN else "real"

    @property
    def about(self) -> str:
        """What the rows are, in a few words."""
        return f"{self.name}, {self.split}" if self.kind == "real" else "the model's own drawing"

    def __len__(self) -> int:
        return _length(self.rows)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Action:
    """One intervention on every row.

    Attributes:
        query: the intervention as text: "do(color)" where every row has its own value, else
            "do(color=red)".
        values: node -> what it is set to, shape (n,): class indices, or numbers.
    """

    query: str
    values: Columns

    def rows(self, rows: Tensor) -> dict[str, Tensor]:
        """The values of some rows."""
        return {name: values[rows] for name, values in self.values.items()}


def image_node(graph: Graph) -> str:
    """The one image node of a graph.

    Raises:
        DataError: there are more, or none.
    """
    names = list(images_of(graph.nodes))
    if len(names) != 1:
        raise DataError(f"evaluate: the graph has {len(names)} image nodes; expected one")
    return names[0]


def label_parents(graph: Graph) -> list[str]:
    """The parents of the image that are numbers or classes of two levels or more, in order."""
    parents = graph.admg.ordered(graph.parents(image_node(graph)))
    return [name for name in parents if _varies(graph.nodes[name])]


def _varies(node: Node) -> bool:
    return node.type.numeric or len(node.type.levels or ()) > 1


def from_data_set(graph: Graph, data: DataSet, split: str, n: int) -> Subject:
    """A data set of the package: rows of a split, judges from its training split.

    Raises:
        DataError: the data set is not one of this graph's nodes, or cannot be drawn.
    """
    return _of_supply(graph, named(data, _wanted(graph, split, n), graph), split)


def from_supplied(model: Model, data: DataSet, split: str, n: int) -> Subject:
    """The data set of a model's graph, or what there is in its stead: `causalflow.data.supply`.

    Raises:
        DataError: the data set is not one of this graph's nodes, or has not so many rows.
    """
    return _of_supply(model.graph, supplied(data, _wanted(model.graph, split, n), model), split)


def _wanted(graph: Graph, split: str, n: int) -> dict[str, int]:
    """Rows that are measured on, and rows for the judges."""
    image_node(graph)
    if split == "train":
        raise DataError(
            "evaluate: the judges learn from split 'train'; expected test or validation"
        )
    return {split: n, "train": TRAINING_ROWS}


def _of_supply(graph: Graph, supply: Supply, split: str) -> Subject:
    drawn = supply.rows[split]
    rows, further = in_memory(drawn, graph), in_memory(supply.rows["train"], graph)
    training, reference = parted(further, _length(further))
    return Subject(
        name=supply.data,
        split=split,
        rows=rows,
        training=training,
        reference=reference,
        truth=getattr(drawn, "true_counterfactual", None),
        measured=True,
        origin=supply.origin,
        note="" if supply.origin is Origin.PUBLISHED else supply.text(split),
    )


def from_rows(graph: Graph, name: str, data: Any, n: int, seed: int) -> Subject:
    """Rows of the user's own: n of them at random are measured on, the others teach the judges.

    Raises:
        DataError: they do not fit the graph, or too few are left for judges.
    """
    image_node(graph)
    every = in_memory(data, graph)
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
    training, reference = parted(_taken(every, left), min(TRAINING_ROWS, len(left)))
    rows = _taken(every, held)
    return Subject(
        name=name, split="kept from the judges", rows=rows, training=training, reference=reference
    )


def in_memory(data: Any, graph: Graph) -> Columns:
    """The columns of all nodes in memory, images as they are kept.

    Raises:
        DataError: they do not fit the graph.
    """
    frame = Frame.read(data, graph)
    only_observed("evaluate", graph.nodes, frame.marks)
    everything = torch.arange(len(frame))
    return {
        name: column[everything] if isinstance(column, Pictures) else column
        for name, column in frame.columns.items()
    }


def parted(columns: Columns, count: int) -> tuple[Columns, Columns]:
    """Rows for judges, and a reference."""
    kept = count - max(2, int(REFERENCE_SHARE * count))
    return _taken(columns, torch.arange(kept)), _taken(columns, torch.arange(kept, count))


def _taken(columns: Columns, rows: Tensor) -> Columns:
    return {name: column[rows] for name, column in columns.items()}


def _complete(columns: Columns, graph: Graph) -> Tensor:
    """Which rows have a label for every node, shape (n,)."""
    found = torch.ones(_length(columns), dtype=torch.bool)
    for name, node in graph.nodes.items():
        if not node.type.pictured:
            found &= labelled(columns[name])
    return found


def _length(columns: Columns) -> int:
    return len(next(iter(columns.values())))


def random_actions(graph: Graph, subject: Subject, seed: int) -> list[Action]:
    """For each label parent of the image, a random other value in every row.

    Another class is any of the others, as likely as each other; another number is that of another
    row, so that the data's own spread of values is asked for.
    """
    generator = torch.Generator().manual_seed(seed)
    return [
        Action(
            query=f"do({name})",
            values={name: _other(graph.nodes[name], subject.rows[name], generator)},
        )
        for name in label_parents(graph)
    ]


def stated_action(graph: Graph, subject: Subject, do: Mapping[str, Any], query: str = "") -> Action:
    """An intervention of the user's own.

    Args:
        graph: the declaration.
        subject: its rows are intervened on.
        do: node -> a level, a number, a value for each row, or a function of the factual numbers.
        query: the intervention as text; default: made of ``do``.

    Raises:
        EvidenceError: an unknown node or level, a value outside of its support, not one value for
            each row, or a node that is an image.
    """
    check_names(graph, do, "the intervention")
    values = {name: _stated(graph, subject, name, value) for name, value in do.items()}
    return Action(query=query or f"do({', '.join(map(_written, do, do.values()))})", values=values)


def _written(name: str, value: Any) -> str:
    """As text: "color=red", or "color" where every row has its own value."""
    return f"{name}={value}" if isinstance(value, str | int | float) else name


def _other(node: Node, values: Tensor, generator: torch.Generator) -> Tensor:
    if node.type.levels is not None:
        levels = len(node.type.levels)
        step = torch.randint(1, levels, (len(values),), generator=generator)
        return (values + step) % levels
    return values[_moved(len(values), generator)]


def _moved(count: int, generator: torch.Generator) -> Tensor:
    """A random order in which no row keeps its place (but for a single row)."""
    order = torch.randperm(count, generator=generator)
    return order[(torch.argsort(order) + 1) % count]


def _stated(graph: Graph, subject: Subject, name: str, value: Any) -> Tensor:
    node = graph.nodes[name]
    if not node.type.scalar:
        what = node.type.predicate
        raise EvidenceError(f"evaluate: do({name}): expected a class or a number, not {what}")
    factual = subject.rows[name]
    given = to_engine(name, node.type, value(factual) if callable(value) else value)
    if given.ndim and len(given) != len(factual):
        raise EvidenceError(
            f"evaluate: do({name}): {len(given)} values for {len(factual)} pictures; give one, or "
            "one for each"
        )
    return given.expand(len(factual)).clone()
