"""Shipped: the fitted model that comes with the package for a graph file, and its data set.

A graph file given in place of a model stands for the checkpoint that was made for it, with the
options of inference, and the scales of anti-causal edges, that the file states. One whose equations
say it all needs none.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from causalflow.cli.arguments import is_graph_file, load_model
from causalflow.errors import CheckpointError

if TYPE_CHECKING:
    from causalflow.data.catalogue import DataSet
    from causalflow.graph.graph import Graph
    from causalflow.graph.schema import Image
    from causalflow.model.model import Model

__all__ = ["named_model", "shipped_data"]


def named_model(file: Path, device: str) -> tuple[Model, Path | None]:
    """The model in a file, or for a graph file; and the file of its weights, if it needs one.

    Raises:
        CausalflowError: neither a model nor a graph file, or no such device.
        CheckpointError: no checkpoint was made for this graph.
    """
    if not is_graph_file(file):
        return load_model(file, device), file
    from causalflow.data.checkpoints import checkpoint_for
    from causalflow.graph.reader import load
    from causalflow.model.compile import compile
    from causalflow.model.model import Model

    graph = load(file)
    path = checkpoint_for(graph)
    if path is not None:
        return _stated(graph, Model.load(path)).to(device), path
    model = compile(graph)
    if not model.fitted >= set(graph.nodes):
        raise _missing(file)
    return model.to(device), None


def _missing(file: Path) -> CheckpointError:
    from causalflow.data.checkpoints import checkpoint_names

    known = ", ".join(f"{name}.yaml" for name in checkpoint_names())
    return CheckpointError(
        f"{file}: no fitted model ships for this graph, only for {known}; "
        f"fit one: causalflow fit {file} --data ... -o model.safetensors"
    )


def shipped_data(file: Path, checkpoint: Path | None) -> DataSet | None:
    """The data set that belongs to a graph file, or to the checkpoint that ships for it."""
    from causalflow.data.catalogue import data_set_of

    if not is_graph_file(file):
        return None
    return data_set_of(file.stem) or (data_set_of(checkpoint.stem) if checkpoint else None)


def _stated(graph: Graph, fitted: Model) -> Model:
    """The fitted weights under the declaration of the graph file."""
    from dataclasses import asdict

    from causalflow.data.checkpoints import merged_options
    from causalflow.model.compile import compile

    images: dict[str, Any] = {
        name: merged_options(cast("Image", graph.nodes[name]), image.options)
        for name, image in fitted.scm.images.items()
    }
    model = compile(graph, **asdict(fitted.options), **images)
    model.scm.load_state_dict(fitted.scm.state_dict())
    model.scm.eval()
    model.fitted |= fitted.fitted
    model.experience = fitted.experience
    return model
