"""Display: an object as HTML, where a notebook shows the last line of a cell.

The views stand in `causalflow.notebook`, above all that they show; each is loaded at its first use.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

from causalflow.registry import loaded

__all__ = ["VIEWS", "html_of", "svg_of"]

VIEWS = MappingProxyType(
    {
        "Graph": "causalflow.notebook.symbols:graph_view",
        "Verdict": "causalflow.notebook.symbols:verdict_view",
        "Answer": "causalflow.notebook.numbers:answer_view",
        "Table": "causalflow.notebook.numbers:table_view",
        "Effect": "causalflow.notebook.numbers:effect_view",
        "Estimate": "causalflow.notebook.numbers:estimate_view",
        "Bounds": "causalflow.notebook.numbers:bounds_view",
        "Model": "causalflow.notebook.models:model_view",
        "World": "causalflow.notebook.models:world_view",
        "FitReport": "causalflow.notebook.models:report_view",
    }
)
"""The name of a class, and the function from an object of it to its HTML."""


def html_of(shown: object) -> str:
    """The object as a piece of HTML no longer than a screen; its texts are escaped."""
    view: Any = next(loaded(VIEWS[k.__name__]) for k in type(shown).__mro__ if k.__name__ in VIEWS)
    return str(view(shown))


def svg_of(graph: object) -> str | None:
    """The drawing of a graph; None where it has too many nodes to be read."""
    drawn = loaded("causalflow.notebook.symbols:graph_drawing")(graph)
    return None if drawn is None else str(drawn)
