"""Construction: each node's declaration to a mechanism, each hidden cause to an explicit root.

node with an equation        `EquationMechanism` over its parents and exogenous variables
other nodes                  the mechanism of the node's type (`causalflow.nn.engine`):
  class                      `Categorical`: a table over class parents, a network over others; that
                             of the declaration where it has a table, and nothing is fitted
  continuous                 `RegressionMechanism` with ``noise: auto``, as in tables by default;
                             `ContinuousMechanism`: linear, additive or a monotone flow
  image                      `ImageMechanism`: a diffusion model; anti-causal edges guide it
a <-> b (class nodes)        `LatentClass`: one hidden class that both ends read as a parent
a <-> b (others)             one end is told the other's own noise (`causalflow.graph.hearing`)
exogenous variable           `ExogenousVariable`

What a graph file leaves to the engine are the options of `compile`; what no file can hold are the
user's own networks and predictors, its *parts*.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from types import MappingProxyType
from typing import Any, ClassVar, cast

import torch
from torch import Tensor, nn

from causalflow.errors import CausalflowError, CompileError, one_of
from causalflow.graph.compilable import latent_levels, refusals
from causalflow.graph.graph import Graph
from causalflow.graph.hearing import Hearing, hearings, latent_arcs
from causalflow.graph.node import (
    Class,
    Diffusion,
    Neural,
    Node,
    diffusion_images,
    with_noise,
)
from causalflow.graph.stored import stored_node
from causalflow.limits import CONFOUNDER_STATES, NETWORK_WEIGHTS
from causalflow.mechanisms.equation.equation_mechanism import EquationMechanism
from causalflow.mechanisms.exogenous.exogenous import ExogenousVariable
from causalflow.mechanisms.image.classifier import home_of
from causalflow.mechanisms.image.editor import Editor
from causalflow.mechanisms.image.image_mechanism import ImageMechanism
from causalflow.mechanisms.latent_class import LatentClass
from causalflow.mechanisms.mechanism import Mechanism
from causalflow.mechanisms.own_noise import check_heard
from causalflow.model.scm import StructuralModel
from causalflow.names import written
from causalflow.nn.engine import Site, engine_of
from causalflow.options import Options, Whole, option

__all__ = [
    "CompileOptions",
    "Parts",
    "check_parts",
    "latent_name",
    "outline",
    "read_options",
    "structural_model",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class CompileOptions(Options):
    """What the graph file leaves to the engine.

    Attributes:
        seed: the seed of the networks' initial weights.
        confounder_states: levels of the latent class of each ``<->``; None: as many as its larger
            end has.

    Raises:
        CompileError: a value out of range.
    """

    title: ClassVar[str] = "compile"
    error: ClassVar[type[CausalflowError]] = CompileError

    seed: int = option(
        0, Whole(0, 2**63 - 1, text=f"a whole number, 0 to {2**63 - 1}"), phase="network"
    )
    confounder_states: int | None = option(
        None,
        Whole(
            1, CONFOUNDER_STATES, optional=True, text=f"a whole number, 1 to {CONFOUNDER_STATES}"
        ),
        phase="network",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Modules of the user's own, which no file can hold.

    Attributes:
        networks: the user's own, by image node, in place of the U-Net
            (`causalflow.diffusion.denoiser`).
        predictors: the user's own classifiers, by image node and then by class parent
            (`causalflow.mechanisms.image.classifier`).
    """

    networks: Mapping[str, nn.Module] = field(default_factory=dict)
    predictors: Mapping[str, Mapping[str, Callable[..., Tensor]]] = field(default_factory=dict)

    @property
    def home(self) -> torch.device:
        """Where they are, and the model that is compiled with them; the CPU without weights."""
        classifiers = (each for given in self.predictors.values() for each in given.values())
        return home_of([*self.networks.values(), *classifiers])

    def names(self) -> dict[str, object]:
        """Which parts there are: image nodes, and the parents of each with a classifier."""
        predictors = {name: sorted(given) for name, given in self.predictors.items() if given}
        return {"networks": sorted(self.networks), "predictors": predictors}


def read_options(graph: Graph, given: Mapping[str, Any]) -> tuple[Graph, CompileOptions]:
    """The graph with the image nodes' options that ``given`` has, and the other options.

    Raises:
        CausalflowError: a name that is neither an option nor an image node, or a wrong value.
    """
    images = diffusion_images(graph.nodes)
    options = {name: value for name, value in given.items() if name not in images}
    names = [slot.name for slot in fields(CompileOptions)]
    for name in options:
        if name not in names:
            allowed = one_of(name, [*names, *images])
            raise CompileError(f"compile: no option or image node '{name}'; {allowed}")
    nodes: dict[str, Node] = {}
    for name, value in given.items():
        if name in images:
            if not isinstance(value, Diffusion):
                raise CompileError(
                    f"compile: {name}={value!r}; expected its options, as cf.Diffusion(width=64)"
                )
            nodes[name] = replace(images[name], diffusion=value)
    return graph.with_nodes(nodes) if nodes else graph, CompileOptions(**options)


def check_parts(graph: Graph, parts: Parts) -> None:
    """Refuse parts of what is no image node made by a diffusion model.

    Raises:
        CompileError: the first mistake.
    """
    images = diffusion_images(graph.nodes)
    for what, given in (("networks", parts.networks), ("predictors", parts.predictors)):
        for name in given:
            if name not in images:
                raise CompileError(
                    f"compile: {what} of '{name}', which is no image node that a diffusion model "
                    f"makes; {one_of(name, images)}"
                )
    for name, network in parts.networks.items():
        if not isinstance(network, nn.Module):
            raise CompileError(
                f"compile: the network of '{name}' is {type(network).__name__}; expected a "
                "torch.nn.Module, called as network(x, tau, condition)"
            )


def structural_model(
    graph: Graph,
    options: CompileOptions,
    parts: Parts | None = None,
    editors: Mapping[str, int] = MappingProxyType({}),
) -> StructuralModel:
    """An untrained mechanism for every node; the global random state is left as it was.

    Args:
        graph: typed nodes throughout.
        options: what the graph file leaves open.
        parts: modules of the user's own; the model goes where they are.
        editors: the image nodes that have a distilled network, and the number of its times.

    Raises:
        CompileError: a node without a type, a hidden confounder of a node that is not a plain
            class or with too many joint states, a discrete image without an equation, ...
    """
    parts = parts or Parts()
    check_parts(graph, parts)
    outlined = outline(graph, options, parts, editors)
    weights = sum(tensor.numel() for tensor in outlined.values())
    if weights > NETWORK_WEIGHTS:
        raise CompileError(
            f"graph '{graph.name}': its networks would have {weights:,} weights; at most "
            f"{NETWORK_WEIGHTS:,}: choose a smaller width, fewer levels or a smaller image"
        )
    return _built(graph, options, parts, editors).to(parts.home)


def outline(
    graph: Graph,
    options: CompileOptions,
    parts: Parts,
    editors: Mapping[str, int] = MappingProxyType({}),
) -> Mapping[str, Tensor]:
    """Names, shapes and types of a model's tensors, by a model that takes no memory for them.

    Raises:
        CompileError: the errors of `structural_model`.
    """
    with torch.device("meta"):
        return _built(graph, options, parts, editors).state_dict()


def _built(
    graph: Graph, options: CompileOptions, parts: Parts, editors: Mapping[str, int]
) -> StructuralModel:
    if refusal := next(refusals(graph, options.confounder_states), ""):
        raise CompileError(refusal)
    arcs, listening = latent_arcs(graph), hearings(graph)
    latents = {latent_name(*ends): _latent(graph, ends, options) for ends in arcs}
    hidden = {
        name: (
            *graph.exogenous_parents(name),
            *(latent_name(*ends) for ends in arcs if name in ends),
        )
        for name in graph.nodes
    }
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(options.seed)
        mechanisms = {
            name: _mechanism(graph, name, hidden[name], latents, listening, parts)
            for name in graph.nodes
        }
    for each in listening:
        check_heard(each.heard, each.listener, cast(Mechanism, mechanisms[each.heard]))
    exogenous = {name: ExogenousVariable(name, law) for name, law in graph.exogenous.items()}
    roots = {name: LatentClass(name, node) for name, node in latents.items()}
    for name, times in editors.items():
        mechanism = mechanisms.get(name)
        if not isinstance(mechanism, ImageMechanism):
            raise CompileError(f"a distilled network of '{name}', which is no image node")
        network = copy.deepcopy(mechanism.denoiser)
        mechanism.edited_by(Editor(network, [0.5] * times, [0.0] * 4))
    return StructuralModel(graph, mechanisms, {**exogenous, **roots}, hidden, listening)


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
    listening: Sequence[Hearing],
    parts: Parts,
) -> nn.Module:
    node = graph.nodes[name]
    above = graph.parents(name)
    observed = [other for other in graph.topological_order() if other in above]
    if node.equation is not None:
        return EquationMechanism(name, stored_node(graph, name), (*observed, *hidden))
    if node.table is not None:
        observed = [edge.source for edge in graph.edges if edge.target == name]
    if node.type.unsaid is not None:
        node = with_noise(node, graph.noise_of(name))
    own = [each for each in listening if each.listener == name]
    told = {n: node for each in own for n, node in each.declared(graph).items()}
    engine = engine_of(node.type)
    assert engine is not None
    site = Site(
        name=name,
        node=node,
        parents={other: graph.nodes[other] for other in observed}
        | {latent: latents[latent] for latent in hidden}
        | told,
        kinds={parent: graph.kind(parent, name) for parent in observed}
        | dict.fromkeys(told, Neural()),
        network=parts.networks.get(name),
        predictors=parts.predictors.get(name),
        noises=frozenset(each.name for each in own if not each.value),
        listens=bool(own),
    )
    mechanism = engine.mechanism(site)
    if isinstance(mechanism, ImageMechanism) and torch.get_default_device().type != "meta":
        mechanism.to(parts.home)
        if site.network is not None and not mechanism.denoiser.trained:  # that has checked itself
            mechanism.check_network()
    return mechanism
