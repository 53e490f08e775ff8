"""Departure: what a graph on the page declares otherwise than a model was fitted with.

What no weight depends on, the graph's name, queries, layout and options of inference, may differ.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from causalflow.errors import CausalflowError
from causalflow.formats.formats import loads
from causalflow.graph.graph import Graph
from causalflow.graph.node import Diffusion, images_of, with_noise

__all__ = ["ANOTHER", "departures"]

MOST = 6
ANOTHER = "it is another graph: it shares less than half of the model's nodes"


def departures(model: Graph, text: object, format: object = None) -> list[str]:
    """A line for each thing that a text declares otherwise than a model's graph; none: it fits.

    Args:
        model: the graph of the model.
        text: that on the page.
        format: its format; None: as its content says.
    """
    if not isinstance(text, str):
        return ["there is no graph on the page"]
    try:
        given = loads(text, format if isinstance(format, str) else None)
    except CausalflowError as mistake:
        return [f"the graph on the page cannot be read: {mistake}"]
    said = list(_said(model, given))
    rest = len(said) - MOST
    return said[:MOST] + ([f"and {rest} more"] if rest > 0 else [])


def _said(model: Graph, given: Graph) -> Iterator[str]:
    if 2 * len(model.nodes.keys() & given.nodes.keys()) < len(model.nodes):
        yield ANOTHER
        return
    yield from _apart("node", model.nodes, given.nodes)
    yield from _apart("edge", _edges(model), _edges(given))
    plain, other = _declared(model), _declared(given)
    for name in plain.keys() & other.keys():
        if plain[name] != other[name]:
            yield f"node {name}: declared otherwise than the model was fitted with"
    if dict(model.exogenous) != dict(given.exogenous):
        yield "exogenous variables: declared otherwise than the model was fitted with"


def _apart(noun: str, model: object, given: object) -> Iterator[str]:
    known, here = dict.fromkeys(model), dict.fromkeys(given)  # type: ignore[call-overload]
    for each in known:
        if each not in here:
            yield f"{noun} {each}: the model was fitted with it, and the graph has it no more"
    for each in here:
        if each not in known:
            yield f"{noun} {each}: the model was fitted without it"


def _edges(graph: Graph) -> list[str]:
    arcs = (f"{first} <-> {second}" for first, second in map(sorted, graph.bidirected))
    return [*(f"{each.source} -> {each.target}" for each in graph.edges), *arcs]


def _declared(graph: Graph) -> dict[str, object]:
    """The nodes, but for the options of their networks and how their noise was chosen."""
    images = images_of(graph.nodes)
    plain = {n: replace(each, diffusion=Diffusion(), latent=None) for n, each in images.items()}
    return {
        name: node if node.noise is None else with_noise(node, None)
        for name, node in {**graph.nodes, **plain}.items()
    }
