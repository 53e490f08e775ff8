"""The graph files that come with the package, found by name in a checkout and in a wheel."""

from __future__ import annotations

from pathlib import Path

from causalflow.errors import GraphError, one_of

__all__ = ["graph_names", "graph_path"]

_PACKAGE = Path(__file__).resolve().parents[1]


def graph_path(name: str) -> Path:
    """The path of a graph file by its name, with or without ``.yaml``.

    Raises:
        GraphError: there is no such file.

    Example:
        >>> graph_path("ascm_xy").name
        'ascm_xy.yaml'
    """
    stem = name.removesuffix(".yaml")
    if stem not in graph_names():
        raise GraphError(f"unknown graph file '{name}'; {one_of(stem, graph_names())}")
    return _folder() / f"{stem}.yaml"


def graph_names() -> tuple[str, ...]:
    """The names of all graph files that come with the package, sorted."""
    return tuple(sorted(path.stem for path in _folder().glob("*.yaml")))


def _folder() -> Path:
    """``causalflow/graphs`` in a wheel; ``graphs`` beside the package in a checkout."""
    shipped = _PACKAGE / "graphs"
    return shipped if shipped.is_dir() else _PACKAGE.parent / "graphs"
