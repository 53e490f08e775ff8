"""Pictures: the pixels of an evaluation as its judges and metrics read them.

A model answers in public units: shares in [0, 1], or the levels 0..K-1 of a discrete image. Metrics
and judges read brightness: a level k is the share k / (K - 1), 0 black and 1 full, so that grey
levels of 255 mean the same of either.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from torch import Tensor

from causalflow.graph.graph import Graph
from causalflow.graph.schema import Image
from causalflow.report.subject import Columns, Subject, image_node
from causalflow.report.worlds import Outcome, Worlds

__all__ = ["bright", "bright_subject", "bright_worlds"]


def bright(node: Image, pictures: Tensor) -> Tensor:
    """Pictures as shares in [0, 1] or uint8; those of a real image are as they were.

    Example:
        >>> import torch
        >>> pixels = torch.tensor([[[[0, 1, 2]]]], dtype=torch.uint8)
        >>> bright(Image(shape=(1, 1, 3), levels=3), pixels).tolist()
        [[[[0.0, 0.5, 1.0]]]]
    """
    return pictures if node.levels is None else pictures.float() / max(node.levels - 1, 1)


def bright_subject(graph: Graph, subject: Subject) -> Subject:
    """The same rows, their pictures bright; the truth's too."""
    truth = subject.truth

    def seen(rows: Tensor, do: Mapping[str, Any]) -> Columns:
        assert truth is not None
        return _columns(graph, truth(rows, do))

    return replace(
        subject,
        rows=_columns(graph, subject.rows),
        training=_columns(graph, subject.training),
        reference=_columns(graph, subject.reference),
        truth=None if truth is None else seen,
    )


def bright_worlds(graph: Graph, worlds: Worlds) -> Worlds:
    """The same worlds, their pictures bright."""
    node = _node(graph)
    return Worlds(
        kept=bright(node, worlds.kept),
        decoded=bright(node, worlds.decoded),
        outcomes=[_outcome(graph, outcome) for outcome in worlds.outcomes],
        cycles={
            residual: [bright(node, each) for each in cycles]
            for residual, cycles in worlds.cycles.items()
        },
    )


def _outcome(graph: Graph, outcome: Outcome) -> Outcome:
    returned = outcome.returned
    return replace(
        outcome,
        world=_columns(graph, outcome.world),
        returned=None if returned is None else bright(_node(graph), returned),
    )


def _columns(graph: Graph, columns: Columns) -> Columns:
    name = image_node(graph)
    return {n: bright(_node(graph), c) if n == name else c for n, c in columns.items()}


def _node(graph: Graph) -> Image:
    node = graph.nodes[image_node(graph)]
    assert isinstance(node, Image)
    return node
