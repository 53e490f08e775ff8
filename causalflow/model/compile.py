"""Compile: a declared graph to a model of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from causalflow.errors import CompileError
from causalflow.graph.graph import Graph
from causalflow.model.construction import structural_model
from causalflow.model.model import Model
from causalflow.model.options import Parts, read_options

__all__ = ["compile"]


def compile(
    graph: Graph,
    *,
    networks: Mapping[str, torch.nn.Module] | None = None,
    predictors: Mapping[str, Mapping[str, Any]] | None = None,
    **options: Any,
) -> Model:
    """A mechanism for every node of ``graph``, untrained (equations need no training).

    Args:
        graph: typed nodes throughout.
        networks: by image node, any module ``(x, tau, condition) -> prediction``.
        predictors: by image node and class parent, any ``(y, tau)`` or ``(x) -> logits``.
        options: fields of `causalflow.model.options.CompileOptions`; and by image node a
            `causalflow.graph.diffusion.Diffusion`, in place of the graph's.

    Raises:
        CompileError: the graph cannot be compiled; the message names the node.
    """
    if not isinstance(graph, Graph):
        given = type(graph).__name__
        raise CompileError(f"compile: given {given}; expected a Graph, as from cf.load(path)")
    parts = Parts(networks=networks or {}, predictors=predictors or {})
    declared, chosen = read_options(graph, options)
    return Model(structural_model(declared, chosen, parts), chosen, parts=parts)
