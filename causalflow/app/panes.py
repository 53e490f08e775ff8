"""Panes: every handler of the page by its name, from the modules of the panes.

Torch is imported by a slow handler when it runs, not by the modules: the page opens at once.
"""

from __future__ import annotations

from causalflow.app import ask, draw, imagine, know, numbered, start, table, upload
from causalflow.app.handler import Handler

__all__ = ["HANDLERS"]

HANDLERS: dict[str, Handler] = {
    **start.HANDLERS,
    **upload.HANDLERS,
    **draw.HANDLERS,
    **know.HANDLERS,
    **ask.HANDLERS,
    **numbered.HANDLERS,
    **imagine.HANDLERS,
    **table.HANDLERS,
}
