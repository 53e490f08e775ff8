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
    from causalflow import data, edit
    from causalflow.bounds.bounds import Bounds, bounds
    from causalflow.certainty.counterfactuals import individuals
    from causalflow.certainty.individuals import Individuals
    from causalflow.design.adjustment import adjustment_sets, is_adjustment_set
    from causalflow.design.contradictions import IndependenceTest, IndependenceTests
    from causalflow.design.front_door import front_door_sets
    from causalflow.design.independence import Independence
    from causalflow.design.independences import implied_independences, separated
    from causalflow.design.instruments import Instrument, instruments
    from causalflow.design.missingness import Missingness, missingness
    from causalflow.design.paths import GraphPath, paths
    from causalflow.effects.effect import Effect
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
    from causalflow.evaluation.gallery import Gallery
    from causalflow.factors.table import Table
    from causalflow.formats.discovery import from_discovery, members
    from causalflow.formats.formats import dumps, load, loads
    from causalflow.formats.networkx import from_networkx, to_networkx
    from causalflow.graph.graph import Graph
    from causalflow.graph.image_options import Diffusion, Sampling
    from causalflow.graph.latent_options import Latent
    from causalflow.graph.method_options import (
        Alf,
        Ancestral,
        Ddim,
        DdimFixedPoint,
        DeltaGuidance,
        Difference,
        Diffusers,
        DiT,
        Dpm2m,
        Edict,
        FreeGuidance,
        GroupedGuidance,
        Heun,
        Leapfrog,
        Midpoint,
        OddsBalance,
        PatchUNet,
        PreservingBalance,
        PrintedBalance,
        ResidualNet,
        StoppingBalance,
        UNet,
    )
    from causalflow.graph.settings import Settings
    from causalflow.hub.pretrained import from_pretrained
    from causalflow.identify.identify import identify
    from causalflow.identify.verdict import Verdict
    from causalflow.model.abduction import Abduction
    from causalflow.model.model import Model, compile
    from causalflow.model.pyro.extra import from_pyro
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
    from causalflow.training.options import Fit
    from causalflow.training.report import FitReport
    from causalflow.values.likelihood import above, below, likely, seen, within

__version__ = "0.2.0"

_NAMES = {
    "causalflow.bounds.bounds": "Bounds bounds",
    "causalflow.certainty.counterfactuals": "individuals",
    "causalflow.certainty.individuals": "Individuals",
    "causalflow.data": "data",
    "causalflow.design.adjustment": "adjustment_sets is_adjustment_set",
    "causalflow.design.front_door": "front_door_sets",
    "causalflow.design.independence": "Independence",
    "causalflow.design.contradictions": "IndependenceTest IndependenceTests",
    "causalflow.design.independences": "implied_independences separated",
    "causalflow.design.instruments": "Instrument instruments",
    "causalflow.design.missingness": "Missingness missingness",
    "causalflow.design.paths": "GraphPath paths",
    "causalflow.edit": "edit",
    "causalflow.errors": (
        "CausalflowError CausalflowWarning CheckpointError CompileError DataError EvidenceError "
        "GraphError QueryError SupportWarning"
    ),
    "causalflow.effects.effect": "Effect",
    "causalflow.estimate.plug_in": "Estimate",
    "causalflow.evaluation.evaluation": "Evaluation evaluate",
    "causalflow.evaluation.gallery": "Gallery",
    "causalflow.factors.table": "Table",
    "causalflow.formats.discovery": "from_discovery members",
    "causalflow.formats.formats": "dumps load loads",
    "causalflow.formats.networkx": "from_networkx to_networkx",
    "causalflow.graph.image_options": "Diffusion Sampling",
    "causalflow.graph.latent_options": "Latent",
    "causalflow.graph.graph": "Graph",
    "causalflow.graph.method_options": (
        "Alf Ancestral Ddim DdimFixedPoint DeltaGuidance Difference Diffusers DiT Dpm2m Edict "
        "FreeGuidance GroupedGuidance Heun Leapfrog Midpoint OddsBalance PatchUNet "
        "PreservingBalance PrintedBalance ResidualNet StoppingBalance UNet"
    ),
    "causalflow.graph.settings": "Settings",
    "causalflow.hub.pretrained": "from_pretrained",
    "causalflow.identify.identify": "identify",
    "causalflow.identify.verdict": "Verdict",
    "causalflow.model.abduction": "Abduction",
    "causalflow.model.model": "Model compile",
    "causalflow.model.pyro.extra": "from_pyro",
    "causalflow.model.stream": "StreamReport",
    "causalflow.model.world": "World",
    "causalflow.plot.graph": "plot_graph",
    "causalflow.plot.images": "image_grid",
    "causalflow.plugins": "register",
    "causalflow.pretrained.adm": "guided_diffusion",
    "causalflow.proof.proof": "Proof",
    "causalflow.query.answer": "Answer",
    "causalflow.query.contrast": "Contrast",
    "causalflow.query.parse": "parse_query",
    "causalflow.query.query": "Query",
    "causalflow.training.options": "Fit",
    "causalflow.training.report": "FitReport",
    "causalflow.values.likelihood": "above below likely seen within",
}
_PLACES = {name: module for module, names in _NAMES.items() for name in names.split()}

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
    "DiT",
    "Difference",
    "Diffusers",
    "Diffusion",
    "Dpm2m",
    "Edict",
    "Effect",
    "Estimate",
    "Evaluation",
    "EvidenceError",
    "Fit",
    "FitReport",
    "FreeGuidance",
    "Gallery",
    "Graph",
    "GraphError",
    "GraphPath",
    "GroupedGuidance",
    "Heun",
    "Independence",
    "IndependenceTest",
    "IndependenceTests",
    "Individuals",
    "Instrument",
    "Latent",
    "Leapfrog",
    "Midpoint",
    "Missingness",
    "Model",
    "OddsBalance",
    "PatchUNet",
    "PreservingBalance",
    "PrintedBalance",
    "Proof",
    "Query",
    "QueryError",
    "ResidualNet",
    "Sampling",
    "Settings",
    "StoppingBalance",
    "StreamReport",
    "SupportWarning",
    "Table",
    "UNet",
    "Verdict",
    "World",
    "above",
    "adjustment_sets",
    "below",
    "bounds",
    "compile",
    "data",
    "dumps",
    "edit",
    "evaluate",
    "from_discovery",
    "from_networkx",
    "from_pretrained",
    "from_pyro",
    "front_door_sets",
    "guided_diffusion",
    "identify",
    "image_grid",
    "implied_independences",
    "individuals",
    "instruments",
    "is_adjustment_set",
    "likely",
    "load",
    "loads",
    "members",
    "missingness",
    "parse_query",
    "paths",
    "plot_graph",
    "register",
    "seen",
    "separated",
    "to_networkx",
    "within",
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
