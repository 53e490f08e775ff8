"""Transplant: a node's fitted mechanism, taken over from a model of another graph.

p(x | pa) is a part of the world of its own: it stays what it is when the mechanisms of other nodes
change. So graphs that agree on a node, its parents and what the edges between them compile to can
share what was fitted for it, whatever the rest of them says.

Source: Peters, Janzing & Schoelkopf (2017), Elements of causal inference, section 2.1.
"""

from __future__ import annotations

from dataclasses import asdict, replace

from causalflow.errors import CompileError, one_of
from causalflow.graph.diffusion import INFERENCE, Diffusion
from causalflow.graph.schema import Class, Image, Node
from causalflow.model.scm import StructuralModel

__all__ = ["transplant"]


def transplant(name: str, donor: StructuralModel, receiver: StructuralModel) -> None:
    """Copy the weights of ``name`` from ``donor`` to ``receiver``.

    Args:
        name: of a node that is the same in both graphs, with parents in the same order.
        donor: where it was fitted.
        receiver: where it goes.

    Raises:
        CompileError: the node is not the same in both, or reads a hidden cause, whose states mean
            something in the donor alone.
    """
    for whose, scm in (("the donor", donor), ("this model", receiver)):
        if name not in scm.order:
            allowed = one_of(name, scm.order)
            raise CompileError(f"transplant: {whose} has no node '{name}'; {allowed}")
        if hidden := scm.hidden_parents[name]:
            raise CompileError(
                f"transplant: node '{name}' of {whose} reads the hidden cause '{hidden[0]}', which "
                "belongs to its own graph; fit the node instead"
            )
        if name in scm.given:
            raise CompileError(
                f"transplant: the graph of {whose} gives the mechanism of node '{name}', by an "
                "equation or a table; there is nothing to take over"
            )
    given, wanted = _described(name, donor), _described(name, receiver)
    for what in dict.fromkeys([*given, *wanted]):
        if given.get(what) != wanted.get(what):
            raise CompileError(
                f"transplant: node '{name}': {what} {given.get(what)!r} in the donor, "
                f"{wanted.get(what)!r} in this model; they must be the same"
            )
    receiver.module(name).load_state_dict(donor.module(name).state_dict())


def _described(name: str, scm: StructuralModel) -> dict[str, object]:
    """What must agree; the options that only inference reads need not."""
    graph, parents = scm.graph, scm.parents(name)
    found: dict[str, object] = {"parents": list(parents), "type": _typed(graph.nodes[name])}
    found |= {f"type of '{parent}'": _typed(graph.nodes[parent]) for parent in parents}
    found |= {f"edge from '{parent}'": graph.kind(parent, name) for parent in parents}
    options = asdict(scm.images[name].options) if name in scm.images else {}
    found |= {f"option '{k}'": value for k, value in options.items() if k not in INFERENCE}
    weights = scm.module(name).state_dict()
    return found | {f"shape of '{key}'": tuple(value.shape) for key, value in weights.items()}


def _typed(node: Node) -> Node:
    """A declaration, without what its own mechanism alone reads."""
    match node:
        case Class():
            return replace(node, noise=None, equation=None, table=None)
        case Image():
            return replace(node, diffusion=Diffusion())
        case _:
            return node
