"""Engine: what torch has to know of a type of nodes; `causalflow.values.variable` says the rest.

A type names its engine by place, so that nothing of torch is loaded for a graph that is only read.
The engine of a type stands with its mechanism, in `causalflow.mechanisms`.

    embedding   its value as a vector that a network is told
    line        the value on the real line, so that a Gaussian head can read it off an image;
                None of levels, which a head gives logits of, and of what no head reads
    mechanism   what makes a node of the type that has no equation
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any

from torch import Tensor, nn

from causalflow.graph.node import EdgeKind, Node
from causalflow.values.variable import NodeType

__all__ = ["Engine", "RealLine", "Site", "engine_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RealLine:
    """An increasing map of the values onto the real line, and back.

    Attributes:
        to_real: values, shape (batch,) -> real numbers; infinite at an end.
        to_value: the way back; what it gives is a value of the type.
        inside: some value that the map takes to a finite number.
    """

    to_real: Callable[[Tensor], Tensor]
    to_value: Callable[[Tensor], Tensor]
    inside: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """The place of a mechanism in its graph: its node, the parents, and the user's own networks.

    Attributes:
        name: the node's name.
        node: the node's declaration.
        parents: the parents by name, in topological order and then the hidden ones; those of a
            table in the order of its keys.
        kinds: what each parent's edge compiles to.
        network: a network of the user's own for the node; None: there is none.
        predictors: predictors of the user's own, by parent.
        noises: the parents that are another node's noise, as a number.
        listens: whether the node hears another's noise or value beside its parents.
    """

    name: str
    node: Node
    parents: Mapping[str, Node]
    kinds: Mapping[str, EdgeKind]
    network: nn.Module | None = None
    predictors: Mapping[str, Callable[..., Tensor]] | None = None
    noises: frozenset[str] = frozenset()
    listens: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """What the networks need to know of a type of nodes.

    Attributes:
        embedding: (type, features) -> a module from values (batch, ...) to (batch, features).
        mechanism: what makes a node of the type at a site.
        line: type -> how its values lie on the real line.
    """

    embedding: Callable[[Any, int], nn.Module]
    mechanism: Callable[[Site], nn.Module]
    line: Callable[[Any], RealLine] | None = None


@cache
def _loaded(place: str) -> Engine:
    module, _, name = place.partition(":")
    found = getattr(import_module(module), name)
    assert isinstance(found, Engine), place
    return found


def engine_of(kind: NodeType) -> Engine | None:
    """The engine of a type, None of a node without one."""
    return _loaded(kind.engine) if kind.engine else None
