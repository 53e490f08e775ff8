"""Compilable: why a declared graph cannot be compiled, as far as no data and no network are needed.

`refusals` gives one sentence a mistake; `causalflow.model.construction` raises the first, and
``causalflow check`` shows all. A purely symbolic graph has one, that its nodes have no type.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import fields

from causalflow.graph.graph import Graph
from causalflow.graph.hearing import hearings, latent_arcs, unheard
from causalflow.graph.image_options import AUTO
from causalflow.graph.method_options import Diffusers, DiT, PatchUNet, ResidualNet, UNet
from causalflow.graph.node import Image, Neural, Node, images_of, levels_of
from causalflow.limits import CATEGORICAL_ROWS, CONFOUNDER_STATES, NETWORK_WEIGHTS
from causalflow.plugins import BACKBONES, CLASS_NOISES, NODE_TYPES
from causalflow.values.variable import UNTYPED

_OWN = {
    each.method: frozenset(slot.name for slot in fields(each)) - {"width", "multipliers", "blocks"}
    for each in (UNet, PatchUNet, ResidualNet, DiT, Diffusers)
}
"""Backbone -> its own options. A file may state width and levels whatever stands in their place."""

__all__ = ["is_explicit", "latent_levels", "refusals", "untyped"]


def untyped(graph: Graph) -> list[str]:
    """The nodes without a type."""
    return [name for name, node in graph.nodes.items() if node.type is UNTYPED]


def is_explicit(graph: Graph) -> bool:
    """Whether every node has an equation or a table: nothing is left to be fitted."""
    nodes = graph.nodes.values()
    return all(node.equation is not None or node.table is not None for node in nodes)


def latent_levels(graph: Graph, ends: tuple[str, str], states: int | None) -> int:
    """The levels of the latent class of ``a <-> b``: its own, ``states``, or its larger end's."""
    levels = levels_of({name: graph.nodes[name] for name in ends})
    said = graph.cause(*ends).states
    return said or states or max(map(len, levels.values()), default=1)


def refusals(graph: Graph, states: int | None = None) -> Iterator[str]:
    """Why the graph cannot be compiled; nothing where it can.

    Args:
        graph: the declaration.
        states: levels of the latent class of each ``<->``; None: as its larger end.
    """
    if missing := untyped(graph):
        yield (
            f"graph '{graph.name}': nodes {missing} have no type; declare each under nodes: as one "
            f"of {sorted(NODE_TYPES)}"
        )
        return
    yield from _representations(graph)
    hidden = list(unheard(graph))
    yield from hidden
    for name, node in graph.nodes.items():
        if node.equation is None:
            yield from _node(graph, name, node, states)
    if not hidden:
        yield from _joint_states(graph, states)


def _representations(graph: Graph) -> Iterator[str]:
    """A representation stands for its node in an image that a diffusion model makes."""
    for name, node in graph.nodes.items():
        if node.representation is None:
            continue
        drawn = {c for c, image in images_of(graph.nodes).items() if image.equation is None}
        below = [child for child in graph.children(name) if child in drawn]
        kinds = {child: graph.kind(name, child) for child in below}
        if not any(isinstance(kind, Neural) for kind in kinds.values()):
            what = f"the edges into {sorted(kinds)} are anticausal" if kinds else "it has no image"
            yield (
                f"node '{name}': its representation is told to no network, for {what}; expected an "
                "edge to an image node without equation that is neural, or no representation"
            )


def _node(graph: Graph, name: str, node: Node, states: int | None) -> Iterator[str]:
    parents = {other: graph.nodes[other] for other in graph.parents(name)}
    if node.table is not None:
        yield from _table(name, parents)
    elif node.noise == "response" and any(each.listener == name for each in hearings(graph)):
        yield (
            f"node '{name}': noise 'response' has a value for each combination of the parents, and "
            "the noise that it listens to is one more; expected another noise, or none"
        )
    elif node.noise == "response":
        hidden = [ends for ends in latent_arcs(graph) if name in ends]
        latent = math.prod(latent_levels(graph, ends, states) for ends in hidden)
        yield from _response(name, _rows(parents) * latent)
    elif (noise := graph.noise_of(name)) in ("linear", "auto"):
        yield from _scalar(name, noise, parents)
    elif node.type.pictured:
        yield from _picture(name, node, parents)


def _table(name: str, parents: Mapping[str, Node]) -> Iterator[str]:
    if _rows(parents) > CATEGORICAL_ROWS:
        most = f"{CATEGORICAL_ROWS:,}"
        yield f"node '{name}': its table has more than {most} rows; ask the exact model"


def _response(name: str, combinations: float) -> Iterator[str]:
    if combinations > CATEGORICAL_ROWS:
        yield (
            f"node '{name}': noise 'response' has a value for each combination of the "
            f"parents, which must be classes, at most {CATEGORICAL_ROWS:,} combinations in "
            f"all; expected one of {list(CLASS_NOISES)} here"
        )


def _scalar(name: str, noise: str | None, parents: Mapping[str, Node]) -> Iterator[str]:
    if wide := sorted(other for other, parent in parents.items() if not parent.type.scalar):
        word = parents[wide[0]].type.word
        yield (
            f"node '{name}': noise '{noise}' cannot have the {word} parent '{wide[0]}'; use "
            "'additive' or 'flow'"
        )


def _picture(name: str, node: Node, parents: Mapping[str, Node]) -> Iterator[str]:
    """An image is made by a diffusion model, from what is no image."""
    images = sorted(other for other, parent in parents.items() if parent.type.pictured)
    if node.type.depth is not None:
        yield (
            f"node '{name}': an image with levels needs an equation; leave out 'levels' "
            "to have its pixels, in [0, 1], made by a diffusion model"
        )
    elif images:
        yield (
            f"node '{images[0]}': an image node cannot be the parent of an image node; "
            "expected a class, continuous or count parent"
        )
    elif folder := _unread_folder(node):
        yield (
            f"node '{name}': folder {folder!r} of a network that nothing reads; write "
            "backbone: diffusers beside it"
        )
    elif foreign := _foreign(node):
        name_of, wanted, backbone = foreign
        yield (
            f"node '{name}': '{name_of}' is an option of backbone {wanted}, and beside backbone "
            f"'{backbone}' it says nothing; leave one of them out"
        )
    elif any(_weights(each) > NETWORK_WEIGHTS for each in images_of({name: node}).values()):
        yield (
            f"node '{name}': its U-Net would have more than {NETWORK_WEIGHTS:,} weights; "
            "choose a smaller width, smaller multipliers or fewer channels"
        )


def _unread_folder(node: Node) -> str | None:
    """The folder that is named beside a backbone of the package that reads none."""
    options = node.diffusion
    if options is None or options.backbone == "diffusers":
        return None
    return options.folder if options.backbone in (AUTO, *BACKBONES.own) else None


def _foreign(node: Node) -> tuple[str, str, str] | None:
    """An option that is given, the backbones that have it, and the one beside it that has not."""
    options = node.diffusion
    if options is None or options.backbone not in _OWN:
        return None
    for slot in fields(options):
        of = [name for name, own in _OWN.items() if slot.name in own]
        given = getattr(options, slot.name) != slot.default
        if of and given and options.backbone not in of:
            return slot.name, " or ".join(map(repr, of)), options.backbone
    return None


def _weights(node: Image) -> int:
    """What the image's U-Net has at least: the weights of its widest convolution, or its first."""
    if node.space is not None or node.diffusion.backbone not in (AUTO, "unet"):
        return 0
    narrow = node.diffusion.width
    widest = narrow * max(node.diffusion.multipliers)
    return 9 * max(widest * widest, narrow * node.shape[0])


def _rows(parents: Mapping[str, Node]) -> float:
    """Combinations of the parents' levels; infinite where one is no class."""
    known = levels_of(parents)
    return math.prod(map(len, known.values())) if len(known) == len(parents) else math.inf


def _joint_states(graph: Graph, states: int | None) -> Iterator[str]:
    """The latent classes that share children are enumerated together."""
    groups: list[tuple[frozenset[str], list[tuple[str, str]]]] = []
    for ends in latent_arcs(graph):
        met = [group for group in groups if group[0] & set(ends)]
        joined = frozenset(ends).union(*(nodes for nodes, _ in met))
        pairs = [ends, *(pair for _, found in met for pair in found)]
        groups = [group for group in groups if group not in met] + [(joined, pairs)]
    for nodes, pairs in groups:
        count = math.prod(latent_levels(graph, ends, states) for ends in pairs)
        if count > CONFOUNDER_STATES:
            causes = sorted(" <-> ".join(sorted(ends)) for ends in pairs)
            yield (
                f"nodes {sorted(nodes)}: their hidden causes {causes} have {count} joint states; "
                f"at most {CONFOUNDER_STATES} can be enumerated"
            )
