"""Evidence: what a command is given about factual worlds, from options, files or a data set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from causalflow.cli.arguments import Assignment, assigned, given_once, read_image
from causalflow.cli.worlds import image_names
from causalflow.errors import EvidenceError
from causalflow.graph.schema import Class, Continuous

if TYPE_CHECKING:
    from causalflow.data.catalogue import DataSet
    from causalflow.graph.graph import Graph

__all__ = ["evidence_of", "repeated", "rows_of"]


def evidence_of(
    graph: Graph, table_file: Path | None, files: Sequence[Path], given: Sequence[Assignment]
) -> dict[str, Any]:
    """Node -> values, from the three options that give evidence."""
    from causalflow.data.table import read_table

    parts: list[Mapping[str, Any]] = [assigned(graph, given, "--given")]
    if table_file is not None:
        frame = read_table(table_file)
        parts.append({str(name): frame[name].tolist() for name in frame.columns})
    if files:
        parts.append(_images(graph, files))
    return given_once(parts)


def rows_of(graph: Graph, known: DataSet, rows: int) -> dict[str, Any]:
    """Rows of the test split, which no shipped model was fitted to: node -> values."""
    from causalflow.cli.rows import drawn
    from causalflow.data.frame import Frame

    frame = Frame.read(drawn(graph, known.name, "test", n=rows), graph)
    labels = {
        name: node.type.show(values.numpy()).tolist()
        for name, values in frame.labels().items()
        if isinstance(node := graph.nodes[name], Class | Continuous)
    }
    return {**labels, **{name: frame.columns[name] for name in image_names(graph)}}


def _images(graph: Graph, files: Sequence[Path]) -> dict[str, Any]:
    import torch

    names = image_names(graph)
    if len(names) != 1:
        raise EvidenceError(
            f"--image: the graph has {len(names)} image nodes; expected one. "
            "Give others by --given NODE=FILE"
        )
    node: Any = graph.nodes[names[0]]
    return {names[0]: torch.cat([read_image(node, file) for file in files])}


def repeated(evidence: Mapping[str, Any], draws: int) -> dict[str, Any]:
    """Every row ``draws`` times: draw k of row i is row k * rows + i; single values become rows."""
    import torch

    columns: dict[str, Any] = {}
    for name, value in evidence.items():
        if isinstance(value, torch.Tensor):
            columns[name] = value.repeat(draws, 1, 1, 1)
        else:
            columns[name] = (value if isinstance(value, list) else [value]) * draws
    return columns
