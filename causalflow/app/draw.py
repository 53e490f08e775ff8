"""Draw: the graph as text and as a drawing."""

from __future__ import annotations

from causalflow.app.handler import Handler

__all__ = ["HANDLERS"]

HANDLERS: dict[str, Handler] = {}
