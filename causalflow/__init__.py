"""causalflow: causal graphs with images, from a graph file to a counterfactual picture.

    >>> import causalflow as cf
    >>> graph = cf.Graph(edges=["x -> m -> y", "x <-> y"])
    >>> sorted(graph.district("x"))
    ['x', 'y']

Importing the package loads neither torch nor a drawing library: what needs them is loaded when it
is first used.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from causalflow import data
    from causalflow.bounds.bounds import Bounds, bounds
    from causalflow.design.adjustment import adjustment_sets, is_adjustment_set
    from causalflow.design.front_door import front_door_sets
    from causalflow.design.independences import Independence, implied_independences, separated
    from causalflow.design.instruments import Instrument, instruments
    from causalflow.errors import (
        CausalflowError,
        CausalflowWarning,
        CheckpointError,
        CompileError,
        DataError,
        EvidenceError,
        GraphError,
        QueryError,
        SupportWarning,
    )
    from causalflow.estimate.plug_in import Estimate
    from causalflow.evaluation.evaluation import Evaluation, evaluate
    from causalflow.factors.table import Table
    from causalflow.formats.formats import dumps, load, loads
    from causalflow.formats.networkx import from_networkx, to_networkx
    from causalflow.graph.diffusion import Diffusion, Sampling
    from causalflow.graph.graph import Graph
    from causalflow.graph.methods import (
        Alf,
        Ancestral,
        Ddim,
        DdimFixedPoint,
        DeltaGuidance,
        Difference,
        Dpm2m,
        Edict,
        FreeGuidance,
        GroupedGuidance,
        Heun,
        Leapfrog,
        Midpoint,
        OddsBalance,
        PreservingBalance,
        PrintedBalance,
        StoppingBalance,
        UNet,
    )
    from causalflow.identify.identify import identify
    from causalflow.identify.verdict import Verdict
    from causalflow.model.abduction import Abduction
    from causalflow.model.model import Model, compile
    from causalflow.model.stream import StreamReport
    from causalflow.model.world import World
    from causalflow.plot.graph import plot_graph
    from causalflow.plot.images import image_grid
    from causalflow.plugins import register
    from causalflow.pretrained.adm import guided_diffusion
    from causalflow.proof.proof import Proof
    from causalflow.query.answer import Answer
    from causalflow.query.contrast import Contrast
    from causalflow.query.parse import parse_query
    from causalflow.query.query import Query
    from causalflow.training.fit import FitReport
    from causalflow.training.options import Fit

__version__ = "0.1.0"

_PLACES = {
    "Abduction": "causalflow.model.abduction",
    "Alf": "causalflow.graph.methods",
    "Ancestral": "causalflow.graph.methods",
    "Answer": "causalflow.query.answer",
    "Bounds": "causalflow.bounds.bounds",
    "CausalflowError": "causalflow.errors",
    "CausalflowWarning": "causalflow.errors",
    "CheckpointError": "causalflow.errors",
    "CompileError": "causalflow.errors",
    "Contrast": "causalflow.query.contrast",
    "DataError": "causalflow.errors",
    "Ddim": "causalflow.graph.methods",
    "DdimFixedPoint": "causalflow.graph.methods",
    "DeltaGuidance": "causalflow.graph.methods",
    "Difference": "causalflow.graph.methods",
    "Diffusion": "causalflow.graph.diffusion",
    "Dpm2m": "causalflow.graph.methods",
    "Edict": "causalflow.graph.methods",
    "Estimate": "causalflow.estimate.plug_in",
    "Evaluation": "causalflow.evaluation.evaluation",
    "EvidenceError": "causalflow.errors",
    "Fit": "causalflow.training.options",
    "FitReport": "causalflow.training.fit",
    "FreeGuidance": "causalflow.graph.methods",
    "Graph": "causalflow.graph.graph",
    "GraphError": "causalflow.errors",
    "GroupedGuidance": "causalflow.graph.methods",
    "Heun": "causalflow.graph.methods",
    "Independence": "causalflow.design.independences",
    "Instrument": "causalflow.design.instruments",
    "Leapfrog": "causalflow.graph.methods",
    "Midpoint": "causalflow.graph.methods",
    "Model": "causalflow.model.model",
    "OddsBalance": "causalflow.graph.methods",
    "PreservingBalance": "causalflow.graph.methods",
    "PrintedBalance": "causalflow.graph.methods",
    "Proof": "causalflow.proof.proof",
    "Query": "causalflow.query.query",
    "QueryError": "causalflow.errors",
    "Sampling": "causalflow.graph.diffusion",
    "StoppingBalance": "causalflow.graph.methods",
    "StreamReport": "causalflow.model.stream",
    "SupportWarning": "causalflow.errors",
    "Table": "causalflow.factors.table",
    "UNet": "causalflow.graph.methods",
    "Verdict": "causalflow.identify.verdict",
    "World": "causalflow.model.world",
    "adjustment_sets": "causalflow.design.adjustment",
    "bounds": "causalflow.bounds.bounds",
    "compile": "causalflow.model.model",
    "data": "causalflow.data",
    "dumps": "causalflow.formats.formats",
    "evaluate": "causalflow.evaluation.evaluation",
    "from_networkx": "causalflow.formats.networkx",
    "front_door_sets": "causalflow.design.front_door",
    "guided_diffusion": "causalflow.pretrained.adm",
    "identify": "causalflow.identify.identify",
    "image_grid": "causalflow.plot.images",
    "implied_independences": "causalflow.design.independences",
    "instruments": "causalflow.design.instruments",
    "is_adjustment_set": "causalflow.design.adjustment",
    "load": "causalflow.formats.formats",
    "loads": "causalflow.formats.formats",
    "parse_query": "causalflow.query.parse",
    "plot_graph": "causalflow.plot.graph",
    "register": "causalflow.plugins",
    "separated": "causalflow.design.independences",
    "to_networkx": "causalflow.formats.networkx",
}

__all__ = [
    "Abduction",
    "Alf",
    "Ancestral",
    "Answer",
    "Bounds",
    "CausalflowError",
    "CausalflowWarning",
    "CheckpointError",
    "CompileError",
    "Contrast",
    "DataError",
    "Ddim",
    "DdimFixedPoint",
    "DeltaGuidance",
    "Difference",
    "Diffusion",
    "Dpm2m",
    "Edict",
    "Estimate",
    "Evaluation",
    "EvidenceError",
    "Fit",
    "FitReport",
    "FreeGuidance",
    "Graph",
    "GraphError",
    "GroupedGuidance",
    "Heun",
    "Independence",
    "Instrument",
    "Leapfrog",
    "Midpoint",
    "Model",
    "OddsBalance",
    "PreservingBalance",
    "PrintedBalance",
    "Proof",
    "Query",
    "QueryError",
    "Sampling",
    "StoppingBalance",
    "StreamReport",
    "SupportWarning",
    "Table",
    "UNet",
    "Verdict",
    "World",
    "adjustment_sets",
    "bounds",
    "compile",
    "data",
    "dumps",
    "evaluate",
    "from_networkx",
    "front_door_sets",
    "guided_diffusion",
    "identify",
    "image_grid",
    "implied_independences",
    "instruments",
    "is_adjustment_set",
    "load",
    "loads",
    "parse_query",
    "plot_graph",
    "register",
    "separated",
    "to_networkx",
]


if not TYPE_CHECKING:  # a checker reads the imports above, and knows no other name

    def __getattr__(name: str) -> Any:
        """The public name, loaded on its first use (PEP 562)."""
        if name not in _PLACES:
            raise AttributeError(f"module 'causalflow' has no attribute '{name}'")
        module = import_module(_PLACES[name])
        value = module if _is_module(name) else getattr(module, name)
        globals()[name] = value
        return value


def _is_module(name: str) -> bool:
    return _PLACES[name] == f"causalflow.{name}"


class _Package(ModuleType):
    """The package, in which a function is not hidden by the subpackage of the same name."""

    def __setattr__(self, name: str, value: object) -> None:
        """Importing ``causalflow.identify`` would bind it here in place of the function."""
        if name in _PLACES and isinstance(value, ModuleType) and not _is_module(name):
            return
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


def __dir__() -> list[str]:
    return sorted(__all__)
