"""Storage: a model as one file, weights beside the graph's text and the options.

Nothing in a file is executed (`causalflow.checkpoint`); whatever is wrong with it is one line that
names the file.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from causalflow.checkpoint import Metadata, load_into, load_state, save_state
from causalflow.errors import CausalFlowError, CheckpointError
from causalflow.graph.reader import loads
from causalflow.model.compile import CompileOptions, structural_model
from causalflow.model.evidence import check_names
from causalflow.model.scm import StructuralModel
from causalflow.options import options_of

__all__ = ["Stored", "read", "write"]

Stored = tuple[StructuralModel, CompileOptions, list[str]]


def write(
    path: str | Path, scm: StructuralModel, options: CompileOptions, fitted: Iterable[str]
) -> None:
    """Write a model, wholly or not at all."""
    texts = {"compile": asdict(options), "fitted": sorted(fitted)}
    metadata = Metadata(kind="model", graph=scm.graph.to_yaml(), options=texts)
    save_state(path, scm.state_dict(), metadata)


def read(path: str | Path) -> Stored:
    """The model in a file, its options, and the nodes that were fitted.

    Raises:
        CheckpointError: the file is missing, truncated, foreign, altered, or of another version.
    """
    state = load_state(path, kind="model")
    try:
        scm, options, fitted = _declared(state.metadata, path)
    except CausalFlowError as error:
        reason = " ".join(str(error).split())
        raise CheckpointError(
            f"{path}: the graph or options inside cannot be read ({reason})"
        ) from None
    load_into(scm, state.tensors, path)
    return scm.eval(), options, fitted


def _declared(metadata: Metadata, path: str | Path) -> Stored:
    """The same without weights, from the texts alone."""
    given, fitted = metadata.options.get("compile"), metadata.options.get("fitted")
    if not isinstance(given, dict):
        raise CheckpointError(f"'compile' is {given!r}; expected an object")
    if not (isinstance(fitted, list) and all(isinstance(name, str) for name in fitted)):
        raise CheckpointError(f"'fitted' is {fitted!r}; expected a list of nodes")
    graph = loads(metadata.graph, source=str(path))
    options = options_of(CompileOptions, "compile", given)
    return structural_model(graph, options), options, check_names(graph, fitted, "'fitted'")
