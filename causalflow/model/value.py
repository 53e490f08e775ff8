"""Value: what a question says of one variable, node or exogenous, in engine values."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from causalflow.data.units import to_engine
from causalflow.discrete.domain import Domain, pixels_of
from causalflow.errors import EvidenceError
from causalflow.graph.graph import Graph
from causalflow.graph.schema import Class, Continuous, Exogenous, Finite, Image, Level, Node
from causalflow.mechanisms.labels import labelled

__all__ = ["levels_of", "read_value"]


def read_value(graph: Graph, name: str, value: Any, device: torch.device) -> tuple[Tensor, bool]:
    """The engine values of a variable, the rows first, and whether they are a batch.

    Raises:
        EvidenceError: no value of the variable, or a missing one.
    """
    declared = declaration(graph, name)
    plain = value.detach().cpu() if isinstance(value, Tensor) else value
    levels = levels_of(graph, name)
    domain = Domain(name=name, declared=declared, levels=levels or ())
    batch = domain.is_batch(plain)
    if isinstance(declared, Image):
        values = to_engine(name, declared, _pixels(domain, declared, plain))
        return values.to(device), batch or len(values) > 1
    if levels is not None:
        places = domain.positions(plain) if batch else [domain.position(plain)]
        return torch.as_tensor(places, dtype=torch.int64, device=device), batch
    if not isinstance(declared, Continuous):
        raise EvidenceError(f"'{name}' is continuous and exogenous; it cannot be given")
    values = to_engine(name, declared, plain).reshape(-1)
    if not labelled(values).all():
        raise EvidenceError(f"'{name}' has no value in some row; leave it out of the evidence")
    return values.to(device), batch


def declaration(graph: Graph, name: str) -> Node | Exogenous:
    """What the graph says of a node or exogenous variable."""
    return graph.nodes[name] if name in graph.nodes else graph.exogenous[name]


def levels_of(graph: Graph, name: str) -> tuple[Level, ...] | None:
    """The levels of a class node or finite exogenous variable, in the order of their indices."""
    match declaration(graph, name):
        case Class(levels=levels):
            return levels
        case Finite(p=p):
            return tuple(range(len(p)))
        case _:
            return None


def _pixels(domain: Domain, image: Image, value: Any) -> Any:
    """Images; those of discrete pixels may be given by code."""
    if image.levels is None:
        return value
    codes = [value] if isinstance(value, int) else value
    if getattr(codes, "ndim", 1) != 1 or not all(isinstance(code, int) for code in codes):
        return value
    return pixels_of(image, codes)
