"""Shipped files: graphs and fitted models that come with the package, found by name or graph.

A wheel holds them inside the package; in a checkout, and an editable install of it, they lie beside
the package.

A checkpoint is a folder that bears the name of its graph file: ``morpho_mnist/model.safetensors``
was fitted with ``graphs/morpho_mnist.yaml``; its card and its log lie beside it. It is taken
for a graph only if that declares the same: nodes, edges and what they compile to, exogenous
variables, and every option of training that it states, be it the default. The graph's name, its
queries, the scales of anti-causal edges and the options of inference may differ: no weight depends
on them. Where the graph does not state them, they are the checkpoint's own
(`causalflow.graph.settings`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from safetensors import safe_open

from causalflow.errors import CheckpointError, GraphError, one_of
from causalflow.formats.formats import loads
from causalflow.graph.graph import Graph
from causalflow.graph.image_options import CALL_OPTIONS, Diffusion
from causalflow.graph.node import Image, diffusion_images, images_of, stated_options
from causalflow.graph.settings import (
    InForce,
    Settings,
    in_force,
    read_settings,
    settled,
    with_latents,
    with_latents_of,
    with_scales_of,
    yielding,
)
from causalflow.names import written

__all__ = [
    "at_size",
    "checkpoint_for",
    "checkpoint_name",
    "checkpoint_names",
    "checkpoint_path",
    "graph_names",
    "graph_path",
    "merged",
    "merged_options",
    "settings_for",
    "shipped_folder",
]

_PACKAGE = Path(__file__).resolve().parent


def shipped_folder(name: str) -> Path:
    """The folder of that name: ``graphs`` or ``checkpoints``."""
    inside = _PACKAGE / name
    return inside if inside.is_dir() else _PACKAGE.parent / name


_CHECKPOINTS, _WEIGHTS = shipped_folder("checkpoints"), "model.safetensors"


def checkpoint_path(name: str) -> Path:
    """The path of a checkpoint by its name; ``.safetensors`` may be added.

    Raises:
        CheckpointError: there is no such checkpoint.

    Example:
        >>> checkpoint_path("morpho_mnist").parts[-2:]
        ('morpho_mnist', 'model.safetensors')
    """
    stem = name.removesuffix(".safetensors")
    if stem not in checkpoint_names():
        known = one_of(stem, checkpoint_names())
        raise CheckpointError(f"no checkpoint '{name}' comes with the package; {known}")
    return _CHECKPOINTS / stem / _WEIGHTS


def checkpoint_names() -> tuple[str, ...]:
    """The names of all checkpoints that come with the package, sorted."""
    return tuple(sorted(path.parent.name for path in _CHECKPOINTS.glob(f"*/{_WEIGHTS}")))


def checkpoint_name(path: Path) -> str:
    """The name of a model by its file: of one in a folder that was shared, the folder's.

    Example:
        >>> checkpoint_name(checkpoint_path("morpho_mnist"))
        'morpho_mnist'
        >>> checkpoint_name(Path("nets/mine.safetensors"))
        'mine'
    """
    return path.parent.name if path.name == _WEIGHTS else path.stem


def checkpoint_for(graph: Graph) -> Path | None:
    """The checkpoint that was made for a graph; None if none was.

    Graphs that declare the same of different data (coloured and masked MNIST) are told apart by
    their names; the only checkpoint that fits serves a graph of any name.
    """
    fitting = [path for path in map(checkpoint_path, checkpoint_names()) if _fits(graph, path)]
    named = [path for path in fitting if checkpoint_name(path) == graph.name.replace("-", "_")]
    return named[0] if named else fitting[0] if len(fitting) == 1 else None


def merged_options(declared: Image, fitted: Diffusion) -> Diffusion:
    """The options that a model was fitted with, and those of inference that a graph file states.

    Example:
        >>> declared = Image(shape=(1, 8, 8), diffusion=Diffusion(steps=9, width=8))
        >>> merged = merged_options(declared, Diffusion(steps=5, width=16))
        >>> merged.steps, merged.width
        (9, 16)
    """
    stated = stated_options(declared)
    return replace(fitted, **{name: stated[name] for name in CALL_OPTIONS if name in stated})


def merged(
    graph: Graph, fitted: Graph, settings: Mapping[str, Settings]
) -> tuple[Graph, dict[str, Settings]]:
    """The declaration under which a fitted model answers for a graph file.

    Args:
        graph: the file's, which wins in what it states of inference.
        fitted: what the model declares.
        settings: what was chosen for it.

    Returns:
        The graph, and the settings that it leaves in force.
    """
    graph = with_latents_of(graph, fitted)
    options = {name: image.diffusion for name, image in images_of(fitted.nodes).items()}
    images = {
        name: replace(image, diffusion=merged_options(image, options[name]))
        for name, image in diffusion_images(graph.nodes).items()
    }
    left = yielding(settings, graph)
    return settled(with_scales_of(graph.with_nodes(images), fitted), left), left


def settings_for(graph: Graph, path: Path) -> InForce:
    """What is in force where the checkpoint answers for a graph, by its header alone."""
    fitted, options = _texts(path)
    given = options["images"].items()
    nodes = {n: replace(images_of(fitted.nodes)[n], diffusion=Diffusion(**o)) for n, o in given}
    settings = read_settings(fitted, options.get("settings", {}))
    made = settled(fitted.with_nodes(nodes), settings)
    return in_force(*merged(graph, made, settings))


def _fits(graph: Graph, path: Path) -> bool:
    made_for, options = _texts(path)
    if _content(with_latents_of(graph, made_for)) != _content(made_for):
        return False
    declared = images_of(graph.nodes)
    images = options["images"]
    return all(_trained_alike(declared[name], options) for name, options in images.items())


def _texts(path: Path) -> tuple[Graph, dict[str, Any]]:
    """The graph, with its latents, and the options in a file's header."""
    with safe_open(path, framework="numpy") as file:
        texts = file.metadata()
    graph, options = loads(texts["graph"], "yaml", source=str(path)), json.loads(texts["options"])
    return with_latents(graph, options.get("latents", {})), options


def _content(graph: Graph) -> tuple[object, ...]:
    """What the shapes and the meaning of the weights depend on, but for an image's options."""
    images = images_of(graph.nodes)
    plain = {
        name: replace(image, diffusion=Diffusion(), latent=image.space)
        for name, image in images.items()
    }
    nodes = {**graph.nodes, **plain}
    edges = {(edge.source, edge.target): type(edge.kind) for edge in graph.edges}
    shared = {frozenset(pair) for pair in graph.bidirected}
    return list(nodes.items()), edges, shared, dict(graph.exogenous)


def _trained_alike(node: Image, options: Mapping[str, Any]) -> bool:
    """Whether the options that a file states are those of the fit."""
    fitted = asdict(Diffusion(**options))
    stated = stated_options(node)
    return all(fitted[name] == value for name, value in stated.items() if name not in CALL_OPTIONS)


_GRAPHS = shipped_folder("graphs")


def graph_path(name: str) -> Path:
    """The path of a graph file by its name, such as ``classics/napkin``; ``.yaml`` may be added.

    Raises:
        GraphError: there is no such file.

    Example:
        >>> graph_path("ascm_xy").name
        'ascm_xy.yaml'
    """
    stem = name.removesuffix(".yaml")
    if stem not in graph_names():
        raise GraphError(f"unknown graph file '{name}'; {one_of(stem, graph_names())}")
    return _GRAPHS / f"{stem}.yaml"


def graph_names() -> tuple[str, ...]:
    """The names of all graph files that come with the package, sorted.

    ``classics/...`` are textbook models with exact answers, ``literature/...`` graphs of papers
    with verdicts.
    """
    found = (path.relative_to(_GRAPHS).with_suffix("") for path in _GRAPHS.rglob("*.yaml"))
    return tuple(sorted(path.as_posix() for path in found))


def at_size(graph: Graph, size: int) -> Graph:
    """The same graph with its images at another height and width."""
    images = images_of(graph.nodes)
    sized = {n: replace(each, shape=(each.shape[0], size, size)) for n, each in images.items()}
    nodes = {**graph.nodes, **sized}
    arcs = (f"{written(first)} <-> {written(second)}" for first, second in graph.bidirected)
    edges = [*graph.edges, *arcs]
    return Graph(nodes=nodes, edges=edges, queries=graph.queries, name=graph.name)
