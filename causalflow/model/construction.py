"""Construction: each node's declaration to a mechanism, each hidden cause to an explicit root.

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
from typing import assert_never

import torch
from torch import Tensor, nn

from causalflow.errors import CompileError
from causalflow.graph.compilable import latent_levels, refusals
from causalflow.graph.graph import Graph
from causalflow.graph.names import written
from causalflow.graph.schema import Class, Continuous, EdgeKind, Image, Node, Symbol
from causalflow.graph.stored import stored_node
from causalflow.limits import NETWORK_WEIGHTS
from causalflow.mechanisms.categorical import Categorical
from causalflow.mechanisms.confounder import LatentClass
from causalflow.mechanisms.continuous import ContinuousMechanism
from causalflow.mechanisms.equation import EquationMechanism
from causalflow.mechanisms.exogenous import ExogenousVariable
from causalflow.mechanisms.image import ImageMechanism
from causalflow.mechanisms.reading import home_of
from causalflow.model.options import CompileOptions, Parts, check_parts
from causalflow.model.scm import StructuralModel

__all__ = ["latent_name", "outline", "structural_model"]


def structural_model(
    graph: Graph, options: CompileOptions, parts: Parts | None = None
) -> StructuralModel:
    """An untrained mechanism for every node; the global random state is left as it was.

    Args:
        graph: typed nodes throughout.
        options: what the graph file leaves open.
        parts: modules of the user's own; the model goes where they are.

    Raises:
        CompileError: a node without a type, a hidden confounder of a node that is not a plain
            class or with too many joint states, a discrete image without an equation, ...
    """
    parts = parts or Parts()
    check_parts(graph, parts)
    outlined = outline(graph, options, parts)
    weights = sum(tensor.numel() for tensor in outlined.values())
    if weights > NETWORK_WEIGHTS:
        raise CompileError(
            f"graph '{graph.name}': its networks would have {weights:,} weights; at most "
            f"{NETWORK_WEIGHTS:,}: choose a smaller width, fewer levels or a smaller image"
        )
    return _built(graph, options, parts).to(parts.home)


def outline(graph: Graph, options: CompileOptions, parts: Parts) -> Mapping[str, Tensor]:
    """Names, shapes and types of a model's tensors, by a model that takes no memory for them.

    Raises:
        CompileError: as `structural_model`.
    """
    with torch.device("meta"):
        return _built(graph, options, parts).state_dict()


def _built(graph: Graph, options: CompileOptions, parts: Parts) -> StructuralModel:
    if refusal := next(refusals(graph, options.confounder_states), ""):
        raise CompileError(refusal)
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
        mechanisms = {
            name: _mechanism(graph, name, hidden[name], latents, parts) for name in graph.nodes
        }
    exogenous = {name: ExogenousVariable(name, law) for name, law in graph.exogenous.items()}
    roots = {name: LatentClass(name, node) for name, node in latents.items()}
    scm = StructuralModel(graph, mechanisms, {**exogenous, **roots}, hidden)
    return scm


def latent_name(first: str, second: str) -> str:
    """The name of the hidden root of ``first <-> second``."""
    return " <-> ".join(map(written, sorted((first, second))))


def _latent(graph: Graph, ends: tuple[str, str], options: CompileOptions) -> Class:
    return Class(levels=tuple(range(latent_levels(graph, ends, options.confounder_states))))


def _mechanism(
    graph: Graph,
    name: str,
    hidden: tuple[str, ...],
    latents: Mapping[str, Class],
    parts: Parts,
) -> nn.Module:
    node = graph.nodes[name]
    above = graph.parents(name)
    observed = [other for other in graph.topological_order() if other in above]
    if not isinstance(node, Symbol) and node.equation is not None:
        return EquationMechanism(name, stored_node(graph, name), (*observed, *hidden))
    parents: dict[str, Node] = {other: graph.nodes[other] for other in observed}
    match node:
        case Class(table=tuple()):
            written = [edge.source for edge in graph.edges if edge.target == name]
            return Categorical(name, node, {other: graph.nodes[other] for other in written})
        case Class():
            return Categorical(name, node, parents | {latent: latents[latent] for latent in hidden})
        case Continuous():
            return ContinuousMechanism(name, node, parents)
        case Image():
            return _image(graph, name, node, parents, parts)
        case Symbol():
            raise AssertionError("checked before")
    assert_never(node)


def _image(
    graph: Graph, name: str, node: Image, parents: Mapping[str, Node], parts: Parts
) -> ImageMechanism:
    kinds: dict[str, EdgeKind] = {parent: graph.kind(parent, name) for parent in parents}
    network, classifiers = parts.networks.get(name), parts.predictors.get(name)
    mechanism = ImageMechanism(name, node, parents, kinds, network=network, classifiers=classifiers)
    if torch.get_default_device().type == "meta":
        return mechanism
    mechanism.to(parts.home)
    if network is not None and not mechanism.denoiser.trained:  # that has checked itself, for free
        _check_network(mechanism)
    return mechanism


def _check_network(mechanism: ImageMechanism) -> None:
    """Refuse a network that cannot be called on two images, where it is."""
    device = home_of([mechanism])
    images = torch.zeros(2, *mechanism.shape, dtype=torch.float64, device=device)
    lengths = {} if mechanism.representation is None else mechanism.representation.lengths
    parents = {
        n: images.new_zeros(2, dtype=torch.int64 if isinstance(node, Class) else torch.float64)
        for n, node in mechanism.parents.items()
    }
    parents |= {n: images.new_zeros(2, k, dtype=torch.float32) for n, k in lengths.items()}
    try:
        with torch.no_grad():
            mechanism.denoiser.velocity(images, 0.5, parents)
    except (RuntimeError, TypeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise CompileError(
            f"node '{mechanism.name}': its network cannot be called as network(x, tau, condition) "
            f"on two images: {reason}"
        ) from None
