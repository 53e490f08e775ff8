"""Description: what every node and hidden root compiled to, as rows of a table."""

from __future__ import annotations

from typing import Any

from torch import nn

from causalflow.graph.schema import Anticausal, Class, Continuous, Image, Node
from causalflow.mechanisms.categorical import Categorical
from causalflow.mechanisms.continuous import ContinuousMechanism
from causalflow.mechanisms.equation import EquationMechanism
from causalflow.mechanisms.exogenous import ExogenousVariable
from causalflow.mechanisms.image import ImageMechanism
from causalflow.model.scm import StructuralModel

__all__ = ["describe"]


def describe(scm: StructuralModel) -> list[dict[str, Any]]:
    """One row a hidden root and node, roots first, nodes in topological order.

    Returns:
        Rows with the columns node, type, parents, mechanism, parameters (numbers set by fitting).
    """
    roots = [
        {
            "node": name,
            "type": "exogenous" if name in scm.exogenous else "latent class",
            "parents": "",
            "mechanism": _root(scm.root(name)),
            "parameters": _size(scm.root(name)),
        }
        for name in scm.root_names
    ]
    nodes = [
        {
            "node": name,
            "type": _type(scm.graph.nodes[name]),
            "parents": ", ".join(_edge(scm, parent, name) for parent in scm.parents(name)),
            "mechanism": _mechanism(scm.module(name)),
            "parameters": _size(scm.module(name)),
        }
        for name in scm.order
    ]
    return roots + nodes


def _size(module: nn.Module) -> int:
    """Parameters, and the tables and statistics kept as buffers."""
    return sum(tensor.numel() for tensor in module.state_dict().values())


def _type(node: Node) -> str:
    match node:
        case Class():
            return f"class, {len(node.levels)} levels{_vector(node)}"
        case Continuous():
            return f"continuous{f', {node.unit}' if node.unit else ''}{_vector(node)}"
        case Image():
            return "image " + "x".join(map(str, node.shape))
        case _:
            return "untyped"


def _vector(node: Class | Continuous) -> str:
    return f", representation {node.representation}" if node.representation is not None else ""


def _edge(scm: StructuralModel, parent: str, child: str) -> str:
    if parent in scm.root_names or not isinstance(scm.graph.nodes[child], Image):
        return parent
    kind = scm.graph.kind(parent, child)
    if isinstance(kind, Anticausal):
        return f"{parent} (anticausal, scale {kind.scale:g})"
    return parent


def _root(root: nn.Module) -> str:
    if isinstance(root, ExogenousVariable):
        return "finite" if root.is_finite else str(getattr(root.law, "name", ""))
    return "table"


def _mechanism(mechanism: nn.Module) -> str:
    match mechanism:
        case EquationMechanism():
            return f"equation {mechanism.equation}"
        case Categorical():
            kind = "table" if mechanism.is_table else "network"
            kind = "given table" if mechanism.is_given else kind
            return f"{kind}, {mechanism.noise_name} noise"
        case ContinuousMechanism():
            return f"{mechanism.node.noise} noise"
        case ImageMechanism():
            return _diffusion(mechanism)
        case _:
            return type(mechanism).__name__


def _diffusion(mechanism: ImageMechanism) -> str:
    """The solver, and how much of the data the weights of mutilation leave in use."""
    options = mechanism.options
    text = f"diffusion, {options.solver}, {options.steps} steps, code {options.code or 'none'}"
    if mechanism.mutilation is None:
        return text
    return f"{text}, effective share {float(mechanism.mutilation.effective_share):.0%} of the rows"
