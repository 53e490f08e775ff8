"""Start: what the page opens with, the graph given or a first example, and the shipped graphs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from causalflow import __version__
from causalflow.app.asked import first_question
from causalflow.app.handler import Handler, Session
from causalflow.errors import CausalflowError
from causalflow.formats.formats import loads
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


def _start(request: Mapping[str, Any], session: Session) -> Mapping[str, Any]:
    """The graph that the page shows first, and the names of the examples."""
    given = session.graph is not None
    text = _WELCOME if session.graph is None else session.graph
    return {
        "name": session.name if given else "smoking.yaml",
        "text": text,
        "format": session.format,
        **_first(text, session.format),
        "pane": "imagine" if session.models and not given else "draw",
        "version": __version__,
        "examples": list(graph_names()),
    }


def _first(text: str, format: str | None) -> Mapping[str, Any]:
    """The file's own first question; none of a text that is no graph."""
    try:
        return first_question(loads(text, format))
    except CausalflowError:
        return {"roles": {}, "query": ""}


def _example(request: Mapping[str, Any], session: Session) -> Mapping[str, Any]:
    """The text of a shipped graph file, by its name."""
    path = graph_path(str(request.get("name", "")))
    text = path.read_text(encoding="utf-8")
    return {"name": path.name, "text": text, "format": "yaml", **_first(text, "yaml")}


HANDLERS: dict[str, Handler] = {"start": Handler(_start), "example": Handler(_example)}
