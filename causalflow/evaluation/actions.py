"""Actions: the interventions of an evaluation, with a value for every row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from causalflow.data.units import to_engine
from causalflow.errors import EvidenceError
from causalflow.evaluation.judges import label_parents
from causalflow.evaluation.task import Columns, Subject
from causalflow.graph.graph import Graph
from causalflow.graph.node import Class, Continuous, Node

__all__ = ["Action", "random_actions", "stated_action"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Action:
    """One intervention on every row.

    Attributes:
        query: as text: "do(color)" where every row has its own value, else "do(color=red)".
        values: node -> what it is set to, shape (n,): class indices, or numbers.
    """

    query: str
    values: Columns

    def rows(self, rows: Tensor) -> dict[str, Tensor]:
        """The values of some rows."""
        return {name: values[rows] for name, values in self.values.items()}


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


def stated_action(graph: Graph, subject: Subject, do: Mapping[str, Any], query: str) -> Action:
    """An intervention of the user's own.

    Args:
        graph: the declaration.
        subject: its rows are intervened on.
        do: node -> a level, a number, or a function of the factual numbers.
        query: as text.

    Raises:
        EvidenceError: an unknown level, a value outside of its support, or a node that is an image.
    """
    values = {name: _stated(graph, subject, name, value) for name, value in do.items()}
    return Action(query=query, values=values)


def _other(node: Node, values: Tensor, generator: torch.Generator) -> Tensor:
    if isinstance(node, Class):
        levels = len(node.levels)
        step = torch.randint(1, levels, (len(values),), generator=generator)
        return (values + step) % levels
    return values[_moved(len(values), generator)]


def _moved(count: int, generator: torch.Generator) -> Tensor:
    """A random order in which no row keeps its place (but for a single row)."""
    order = torch.randperm(count, generator=generator)
    return order[(torch.argsort(order) + 1) % count]


def _stated(graph: Graph, subject: Subject, name: str, value: Any) -> Tensor:
    node = graph.nodes[name]
    if not isinstance(node, Class | Continuous):
        raise EvidenceError(f"evaluate: do({name}): expected a class or a number, not an image")
    factual = subject.rows[name]
    given = value(factual) if callable(value) else value
    return to_engine(name, node, given).expand(len(factual)).clone()
