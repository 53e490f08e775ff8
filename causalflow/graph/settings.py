"""Settings: what was chosen for the image nodes of a fitted model, and which options are in force.

How an image is best drawn depends on its net: the scale of an anti-causal edge is in the unit of
its own predictor. What was chosen for a net is kept with its weights, and holds unless something
nearer to the question says otherwise. Nearest first:

    call        what is given with the question
    graph       what the file states
    checkpoint  the settings that were chosen for the net
    fit         what it was compiled with
    default     of the package, and not listed among the options in force
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from causalflow.errors import CausalflowError, one_of, shown
from causalflow.graph.image_options import CALL_OPTIONS, Sampling
from causalflow.graph.latent_options import PIXELS, Latent
from causalflow.graph.node import Anticausal, Image, diffusion_images, stated_options
from causalflow.options import Number

if TYPE_CHECKING:
    from causalflow.graph.graph import Graph

__all__ = [
    "InForce",
    "Settings",
    "in_force",
    "in_words",
    "listed",
    "read_settings",
    "settled",
    "with_latents",
    "with_latents_of",
    "with_scales_of",
    "yielding",
]

InForce: TypeAlias = Mapping[str, Mapping[str, tuple[Any, str]]]
"""Image node -> option -> its value, and where it comes from."""

LETTERS = 300
"""The longest note of what settings were chosen on."""
SCALE = Number(0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What was chosen for one image node.

    Attributes:
        options: options of a call by name, `causalflow.graph.image_options.CALL_OPTIONS`.
        scales: anti-causal parent -> scale of its gradient.
        chosen: on what, in one line.

    Raises:
        CausalflowError: an option that is none, or a value against its rule.
    """

    options: Mapping[str, Any] = field(default_factory=dict)
    scales: Mapping[str, float] = field(default_factory=dict)
    chosen: str = ""

    def __post_init__(self) -> None:
        """Refuse what no call could be asked with."""
        for what in (self.options, self.scales):
            if not isinstance(what, Mapping):
                raise CausalflowError(f"settings: {shown(what)}; expected options by name")
        object.__setattr__(self, "options", Sampling(**self.options).changed())
        for parent, scale in self.scales.items():
            if not SCALE.allows(scale):
                expected = SCALE.expected(scale)
                raise CausalflowError(f"settings: scale of '{parent}'={shown(scale)}; {expected}")
        text = self.chosen
        if not (isinstance(text, str) and len(text) <= LETTERS and text.isprintable()):
            expected = f"expected one line of at most {LETTERS} characters"
            raise CausalflowError(f"settings: chosen={shown(text)}; {expected}")

    def record(self) -> dict[str, Any]:
        """What a file keeps."""
        return dataclasses.asdict(self)

    def then(self, later: Settings) -> Settings:
        """These, and later ones that win."""
        return Settings(
            options={**self.options, **later.options},
            scales={**self.scales, **later.scales},
            chosen=later.chosen or self.chosen,
        )

    def _but(self, node: Image, scaled: set[str]) -> Settings:
        """These, but for the options that a node states and the parents that have a scale."""
        stated = stated_options(node)
        options = {name: value for name, value in self.options.items() if name not in stated}
        scales = {name: scale for name, scale in self.scales.items() if name not in scaled}
        return replace(self, options=options, scales=scales)


def read_settings(graph: Graph, record: Any) -> dict[str, Settings]:
    """The settings by image node in a file's record.

    Raises:
        CausalflowError: no record of settings, or one that does not fit the graph.
    """
    names = [slot.name for slot in dataclasses.fields(Settings)]
    if not (isinstance(record, dict) and all(isinstance(each, dict) for each in record.values())):
        raise CausalflowError(f"'settings' is {shown(record)}; expected settings by image node")
    for given in record.values():
        for name in given:
            if name not in names:
                raise CausalflowError(f"settings: unknown field '{name}'; {one_of(name, names)}")
    found = {name: Settings(**given) for name, given in record.items()}
    check_settings(graph, found)
    return found


def check_settings(graph: Graph, settings: Mapping[str, Settings]) -> None:
    """Refuse settings of what is no image made by a diffusion model, or of no anti-causal parent.

    Raises:
        CausalflowError: the first mistake.
    """
    images = diffusion_images(graph.nodes)
    for name, chosen in settings.items():
        if name not in images:
            raise CausalflowError(f"settings: no image node '{name}'; {one_of(name, images)}")
        kinds = _anticausal(graph, name)
        for parent in chosen.scales:
            if parent not in kinds:
                what = f"settings of '{name}': a scale of '{parent}', no anti-causal parent"
                raise CausalflowError(f"{what}; {one_of(parent, kinds)}")


def settled(graph: Graph, settings: Mapping[str, Settings]) -> Graph:
    """The graph with the options and scales that were chosen.

    Raises:
        CausalflowError: settings that do not fit the graph.
    """
    check_settings(graph, settings)
    images = diffusion_images(graph.nodes)
    nodes = {
        name: replace(images[name], diffusion=replace(images[name].diffusion, **chosen.options))
        for name, chosen in settings.items()
    }
    kinds = {
        (parent, name): replace(_anticausal(graph, name)[parent], scale=float(scale))
        for name, chosen in settings.items()
        for parent, scale in chosen.scales.items()
    }
    return graph.with_nodes(nodes).with_kinds(kinds)


def with_scales_of(graph: Graph, fitted: Graph) -> Graph:
    """A declaration whose anti-causal edges have the scales of another where they state none."""
    kinds = {
        (parent, name): replace(kind, scale=_anticausal(fitted, name)[parent].scale)
        for name in diffusion_images(graph.nodes)
        for parent, kind in _anticausal(graph, name).items()
        if not _is_stated(kind)
    }
    return graph.with_kinds(kinds)


def with_latents(graph: Graph, latents: Mapping[str, Mapping[str, Any]]) -> Graph:
    """The declaration whose images have just these latents, whatever the defaults of today.

    Args:
        graph: what a file of a model declares.
        latents: the options of the latent by image node, as the file keeps them; of an image that
            is not among them the pixels.
    """
    nodes = {}
    for name, image in diffusion_images(graph.nodes).items():
        latent = Latent(**latents[name]) if name in latents else None
        if latent != image.space:
            nodes[name] = replace(image, latent=latent or Latent(autoencoder=PIXELS))
    return graph.with_nodes(nodes) if nodes else graph


def with_latents_of(graph: Graph, fitted: Graph) -> Graph:
    """A declaration whose images have the latents of another where they state none."""
    others = diffusion_images(fitted.nodes)
    nodes = {
        name: replace(image, latent=others[name].latent)
        for name, image in diffusion_images(graph.nodes).items()
        if image.latent is None and name in others and others[name].latent is not None
    }
    return graph.with_nodes(nodes) if nodes else graph


def yielding(settings: Mapping[str, Settings], graph: Graph) -> dict[str, Settings]:
    """What is left of settings where a declaration states something itself."""
    images = diffusion_images(graph.nodes)
    left = {
        name: chosen._but(
            images[name], {p for p, kind in _anticausal(graph, name).items() if _is_stated(kind)}
        )
        for name, chosen in settings.items()
    }
    return {name: chosen for name, chosen in left.items() if chosen.options or chosen.scales}


def in_force(graph: Graph, settings: Mapping[str, Settings]) -> InForce:
    """The options that are not those of the package, and where each comes from.

    Args:
        graph: the declaration, settled.
        settings: what was chosen.
    """
    found = {
        name: dict(_in_force(graph, name, settings.get(name, Settings())))
        for name in diffusion_images(graph.nodes)
    }
    return {name: options for name, options in found.items() if options}


def in_words(found: InForce) -> Iterator[str]:
    """What is in force, a line a node, for people."""
    for node, options in found.items():
        yield f"'{node}': {listed(options)}"


def listed(options: Mapping[str, tuple[Any, str]]) -> str:
    """What is in force of one node, for people."""
    return ", ".join(f"{name} {_word(value)} ({where})" for name, (value, where) in options.items())


def _word(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _in_force(graph: Graph, name: str, chosen: Settings) -> Iterator[tuple[str, tuple[Any, str]]]:
    image, kinds = diffusion_images(graph.nodes)[name], _anticausal(graph, name)
    listed = {*stated_options(image), *chosen.options} - (set() if kinds else {"anticausal"})
    for option in (option for option in CALL_OPTIONS if option in listed):
        source = _source(option in chosen.options, option in image.stated)
        yield option, (getattr(image.diffusion, option), source)
    for parent, kind in kinds.items():
        if parent in chosen.scales or _is_stated(kind):
            source = _source(parent in chosen.scales, kind.stated)
            yield f"scale of {parent}", (kind.scale, source)


def _source(chosen: bool, stated: bool) -> str:
    return "checkpoint" if chosen else "graph" if stated else "fit"


def _anticausal(graph: Graph, name: str) -> dict[str, Anticausal]:
    """The anti-causal edges into a node, by parent."""
    into = (edge for edge in graph.edges if edge.target == name)
    return {edge.source: edge.kind for edge in into if isinstance(edge.kind, Anticausal)}


def _is_stated(kind: Anticausal) -> bool:
    return kind.stated or kind.scale != Anticausal().scale
