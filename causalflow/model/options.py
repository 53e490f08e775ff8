"""Options: what a graph file leaves to the engine, and the parts of a model that no file holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

import torch
from torch import Tensor, nn

from causalflow.errors import CompileError, one_of, shown
from causalflow.graph.graph import Graph
from causalflow.graph.schema import Diffusion, Image, Node
from causalflow.limits import CONFOUNDER_STATES
from causalflow.mechanisms.reading import home_of

__all__ = ["CompileOptions", "Parts", "check_parts", "diffusion_images", "read_options"]


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
            _check_whole("confounder_states", self.confounder_states, 1, CONFOUNDER_STATES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Modules of the user's own, which no file can hold.

    Attributes:
        networks: by image node, in place of the U-Net (`causalflow.diffusion.denoiser`).
        predictors: by image node, classifiers by class parent (`causalflow.mechanisms.reading`).
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
    images = diffusion_images(graph)
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


def diffusion_images(graph: Graph) -> dict[str, Image]:
    """The image nodes that diffusion models make."""
    images = {name: node for name, node in graph.nodes.items() if isinstance(node, Image)}
    return {name: node for name, node in images.items() if node.equation is None}


def check_parts(graph: Graph, parts: Parts) -> None:
    """Refuse parts of what is no image node made by a diffusion model.

    Raises:
        CompileError: the first mistake.
    """
    images = diffusion_images(graph)
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


def _check_whole(name: str, value: object, least: int, most: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise CompileError(
            f"compile: {name}={shown(value)}; expected a whole number, {least} to {most}"
        )
