"""Style: how node types and edge kinds are told apart in a drawing, by shape, colour and head."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import assert_never

from causalflow.graph.schema import Anticausal, Class, Continuous, EdgeKind, Image, Node, Symbol

__all__ = [
    "BIDIRECTED",
    "EXOGENOUS",
    "EdgeStyle",
    "NodeStyle",
    "caption",
    "edge_style",
    "node_style",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeStyle:
    """The look of a node.

    Attributes:
        legend: what it stands for.
        shape: "ellipse", "rounded" (a box with round corners) or "card" (a stack of pictures).
        ring: a second outline around the first.
    """

    legend: str
    shape: str
    fill: str
    line: str
    text: str = "#1c2733"
    ring: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeStyle:
    """The look of an edge; ``hollow`` heads are white inside."""

    legend: str
    colour: str
    width: float = 1.5
    dashed: bool = False
    hollow: bool = False


EXOGENOUS = NodeStyle(
    legend="exogenous", shape="ellipse", fill="#ffffff", line="#a3a9b2", text="#6a717c"
)
BIDIRECTED = EdgeStyle(legend="hidden cause", colour="#8059a8", dashed=True)

_NODES: Mapping[type, NodeStyle] = {
    Symbol: NodeStyle(legend="variable", shape="ellipse", fill="#f4f5f7", line="#57606c"),
    Class: NodeStyle(legend="class", shape="rounded", fill="#dcebf8", line="#2f6ca8"),
    Continuous: NodeStyle(legend="continuous", shape="ellipse", fill="#e2f2de", line="#42853a"),
    Image: NodeStyle(legend="image", shape="card", fill="#fdebd6", line="#c26a1b"),
}
_NEURAL = EdgeStyle(legend="neural", colour="#3d4755")
_EQUATION = EdgeStyle(legend="equation", colour="#3d4755")
_SYMBOLIC = EdgeStyle(legend="", colour="#3d4755")
_ANTICAUSAL = EdgeStyle(legend="anti-causal", colour="#c03a32", hollow=True)


def node_style(node: Node) -> NodeStyle:
    """The look of a declared node."""
    return _NODES[type(node)]


def edge_style(kind: EdgeKind, target: Node) -> EdgeStyle:
    """The look of a directed edge of that kind into ``target``."""
    if isinstance(kind, Anticausal):
        return _ANTICAUSAL
    if isinstance(target, Symbol):
        return _SYMBOLIC
    return _NEURAL if target.equation is None else _EQUATION


def caption(node: Node) -> str:
    """The small line under a node's name: its levels, unit or shape.

    Example:
        >>> caption(Image(shape=(3, 28, 28)))
        '3 × 28 × 28'
    """
    match node:
        case Class(levels=levels):
            names = " | ".join(map(str, levels))
            return names if 0 < len(names) <= 18 and len(levels) <= 3 else f"{len(levels)} levels"
        case Continuous(unit=unit, support=support):
            return unit or _interval(support)
        case Image(shape=shape):
            return " × ".join(map(str, shape))
        case Symbol():
            return ""
        case _:
            assert_never(node)


def _interval(support: tuple[float, float]) -> str:
    low, high = (
        f"{end:g}" if math.isfinite(end) else ("-∞" if end < 0 else "∞") for end in support
    )
    return "real" if (low, high) == ("-∞", "∞") else f"({low}, {high})"
