"""causalflow: causal graphs with images, from a graph file to a counterfactual picture.

    >>> import causalflow as cf
    >>> graph = cf.Graph(edges=["x -> m -> y", "x <-> y"])
    >>> sorted(graph.district("x"))
    ['x', 'y']

Importing the package loads neither torch nor a drawing library: what needs them is loaded when it
is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from causalflow import data
    from causalflow.discrete.bounds import bounds
    from causalflow.graph.graph import Graph
    from causalflow.graph.reader import load, loads
    from causalflow.identify.identify import identify
    from causalflow.model.model import Model, compile
    from causalflow.plot.graph import plot_graph
    from causalflow.plot.images import image_grid
    from causalflow.query.language import parse_query
    from causalflow.tables.table import Table

__version__ = "0.1.0"

_PLACES = {
    "Graph": "causalflow.graph.graph",
    "Model": "causalflow.model.model",
    "Table": "causalflow.tables.table",
    "bounds": "causalflow.discrete.bounds",
    "compile": "causalflow.model.model",
    "data": "causalflow.data",
    "identify": "causalflow.identify.identify",
    "image_grid": "causalflow.plot.images",
    "load": "causalflow.graph.reader",
    "loads": "causalflow.graph.reader",
    "parse_query": "causalflow.query.language",
    "plot_graph": "causalflow.plot.graph",
}

__all__ = [
    "Graph",
    "Model",
    "Table",
    "bounds",
    "compile",
    "data",
    "identify",
    "image_grid",
    "load",
    "loads",
    "parse_query",
    "plot_graph",
]


def __getattr__(name: str) -> Any:
    """The public name, loaded on its first use (PEP 562)."""
    if name not in _PLACES:
        raise AttributeError(f"module 'causalflow' has no attribute '{name}'")
    module = import_module(_PLACES[name])
    return module if _PLACES[name] == f"causalflow.{name}" else getattr(module, name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
