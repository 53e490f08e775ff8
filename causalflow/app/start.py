"""Start: what the page opens with, the graph given or a first example, and the shipped graphs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from causalflow import __version__
from causalflow.app.handler import Handler, Session
from causalflow.shipped import graph_names, graph_path

__all__ = ["HANDLERS"]

_WELCOME = """\
# The front door (Pearl 2009, figure 3.5)
graph: smoking
edges:
  - smoking -> tar -> cancer
  - smoking <-> cancer     # a hidden common cause
queries:
  - P(cancer | do(smoking))
"""
_ROLES = {"treatments": ["smoking"], "outcomes": ["cancer"]}


def _start(request: Mapping[str, Any], session: Session) -> Mapping[str, Any]:
    """The graph that the page shows first, and the names of the examples."""
    given = session.graph is not None
    return {
        "name": session.name if given else "smoking.yaml",
        "text": session.graph if given else _WELCOME,
        "format": session.format,
        "roles": {} if given else _ROLES,
        "pane": "imagine" if session.models and not given else "draw",
        "version": __version__,
        "examples": list(graph_names()),
    }


def _example(request: Mapping[str, Any], session: Session) -> Mapping[str, Any]:
    """The text of a shipped graph file, by its name."""
    path = graph_path(str(request.get("name", "")))
    return {"name": path.name, "text": path.read_text(encoding="utf-8"), "format": "yaml"}


HANDLERS: dict[str, Handler] = {"start": Handler(_start), "example": Handler(_example)}
