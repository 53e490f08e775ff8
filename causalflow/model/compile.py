"""Compile: each node's declaration to a mechanism, each hidden cause to an explicit root.

node with an equation        EquationMechanism over its parents and exogenous variables
class                        Categorical: a table over class parents, a network over others
class with a table           Categorical with that table; nothing is fitted
continuous                   ContinuousMechanism: linear, additive or a monotone flow
image                        ImageMechanism: a diffusion model; anti-causal edges guide it
a <-> b (class nodes)        LatentClass: one hidden class that both ends read as a parent
exogenous variable           ExogenousVariable
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import assert_never

import torch
from torch import nn

from causalflow.errors import CompileError
from causalflow.graph.graph import Graph
from causalflow.graph.schema import Class, Continuous, EdgeKind, Image, Node, Symbol
from causalflow.mechanisms.categorical import MAXIMAL_ROWS, NOISES, Categorical
from causalflow.mechanisms.confounder import MAXIMAL_STATES, LatentClass
from causalflow.mechanisms.continuous import ContinuousMechanism
from causalflow.mechanisms.equation import EquationMechanism
from causalflow.mechanisms.exogenous import ExogenousVariable
from causalflow.mechanisms.image import ImageMechanism
from causalflow.model.scm import StructuralModel
from causalflow.model.trainee import latent_districts

__all__ = ["CompileOptions", "structural_model"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CompileOptions:
    """What the graph file leaves to the engine.

    Attributes:
        seed: of the networks' initial weights.
        confounder_states: levels of the latent class of each ``<->``; None: as many as its larger
            end has.

    Raises:
        CompileError: a value out of range.
    """

    seed: int = 0
    confounder_states: int | None = None

    def __post_init__(self) -> None:
        """Refuse what no model can be built with."""
        _check_whole("seed", self.seed, 0, 2**63 - 1)
        if self.confounder_states is not None:
            _check_whole("confounder_states", self.confounder_states, 1, MAXIMAL_STATES)


def structural_model(graph: Graph, options: CompileOptions) -> StructuralModel:
    """An untrained mechanism for every node; the global random state is left as it was.

    Raises:
        CompileError: a node without a type, a hidden confounder of a node that is not a plain
            class or with too many joint states, a discrete image without an equation, ...
    """
    _check_types(graph)
    latents = {latent_name(*ends): _latent(graph, ends, options) for ends in graph.bidirected}
    hidden = {
        name: (
            *graph.exogenous_parents(name),
            *(latent_name(*ends) for ends in graph.bidirected if name in ends),
        )
        for name in graph.nodes
    }
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(options.seed)
        mechanisms = {name: _mechanism(graph, name, hidden[name], latents) for name in graph.nodes}
    exogenous = {name: ExogenousVariable(name, law) for name, law in graph.exogenous.items()}
    roots = {name: LatentClass(name, node) for name, node in latents.items()}
    scm = StructuralModel(graph, mechanisms, {**exogenous, **roots}, hidden)
    latent_districts(scm)  # refuses too many joint states now, not when it is fitted
    return scm


def _check_whole(name: str, value: object, least: int, most: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise CompileError(f"compile: {name}={value!r}; expected a whole number, {least} to {most}")


def latent_name(first: str, second: str) -> str:
    """The name of the hidden root of ``first <-> second``."""
    return " <-> ".join(sorted((first, second)))


def _check_types(graph: Graph) -> None:
    untyped = [name for name, node in graph.nodes.items() if isinstance(node, Symbol)]
    if untyped:
        raise CompileError(
            f"graph '{graph.name}': nodes {untyped} have no type; declare each under nodes: as one "
            "of ['class', 'continuous', 'image']"
        )


def _latent(graph: Graph, ends: tuple[str, str], options: CompileOptions) -> Class:
    nodes = [graph.nodes[name] for name in ends]
    for name, node in zip(ends, nodes, strict=True):
        if not isinstance(node, Class) or node.equation is not None:
            raise CompileError(
                f"node '{name}': the hidden confounder '{ends[0]} <-> {ends[1]}' can be compiled "
                "between class nodes only; give it class ends, or declare an exogenous variable "
                "that the equations of both ends share"
            )
    most = max(len(node.levels) for node in nodes if isinstance(node, Class))
    return Class(levels=tuple(range(options.confounder_states or most)))


def _mechanism(
    graph: Graph, name: str, hidden: tuple[str, ...], latents: Mapping[str, Class]
) -> nn.Module:
    node = graph.nodes[name]
    observed = [other for other in graph.topological_order() if other in graph.parents(name)]
    if not isinstance(node, Symbol) and node.equation is not None:
        return EquationMechanism(name, node, (*observed, *hidden))
    parents: dict[str, Node] = {other: graph.nodes[other] for other in observed}
    match node:
        case Class(table=tuple()):
            written = [edge.source for edge in graph.edges if edge.target == name]
            return _given(name, node, {other: graph.nodes[other] for other in written})
        case Class(noise="response"):
            raise CompileError(
                f"node '{name}': noise 'response' needs a table: in the graph file; expected one of"
                f" {sorted(NOISES)} for a mechanism that is fitted"
            )
        case Class():
            return Categorical(name, node, parents | {latent: latents[latent] for latent in hidden})
        case Continuous():
            return ContinuousMechanism(name, node, parents)
        case Image():
            if node.levels is not None:
                raise CompileError(
                    f"node '{name}': an image with levels needs an equation; leave out 'levels' "
                    "to have its pixels, in [0, 1], made by a diffusion model"
                )
            kinds: dict[str, EdgeKind] = {other: graph.kind(other, name) for other in observed}
            return ImageMechanism(name, node, parents, kinds)
        case Symbol():
            raise AssertionError("checked before")
    assert_never(node)


def _given(name: str, node: Class, parents: Mapping[str, Node]) -> Categorical:
    """The mechanism of a declared table."""
    mechanism = Categorical(name, node, parents)
    if not mechanism.is_table:
        raise CompileError(
            f"node '{name}': its table has more than {MAXIMAL_ROWS:,} rows; ask the exact model"
        )
    return mechanism
