"""Plugins: every open set of the package, and what comes with it, in one list.

A name is followed by the place that is imported when it is first used (`causalflow.registry`). Who
adds a built-in method writes it, and a line here; who adds one in a package of their own writes

    [project.entry-points."causalflow.solvers"]
    mine = "my_package.solvers:mine"

or, without a package, enters it by the decorator `register`. Either way it can then be named in
graph files, in Python and on the command line, like those below. What an entry of each kind must be
is said where the registry is used: the module of the first place.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

from causalflow.errors import CausalflowError, one_line, one_of
from causalflow.registry import Registry

__all__ = ["REGISTRIES", "import_plugin", "register"]

Given = TypeVar("Given")


REGISTRIES: dict[str, Registry[Any]] = {}
"""Every registry, by what its entries are: the first argument of `register`."""


def _registry(
    kind: str, group: str, home: str, places: Mapping[str, str], adapt: str = ""
) -> Registry[Any]:
    """A registry whose places stand in the module ``home``, but for those that name another."""
    full = {name: at if ":" in at else f"causalflow.{home}:{at}" for name, at in places.items()}
    adapt = adapt and f"causalflow.{home}:{adapt}"
    REGISTRIES[kind] = Registry(kind, group, full, adapt)
    return REGISTRIES[kind]


NODE_TYPES = _registry(
    "type of a node",
    "node_types",
    "graph.node",
    {
        "image": "Image",
        "class": "Class",
        "continuous": "Continuous",
        "count": "causalflow.values.count:CountType",
    },
    adapt="as_node_type",
)
GRAPH_FORMATS = _registry(
    "graph format",
    "formats",
    "formats.formats",
    {
        "yaml": "YAML",
        "dagitty": "causalflow.formats.dagitty:DAGITTY",
        "dot": "causalflow.formats.dot:DOT",
        "gml": "causalflow.formats.gml:GML",
        "bif": "causalflow.formats.bif:BIF",
    },
    adapt="as_format",
)
DISTRIBUTIONS = _registry(
    "distribution",
    "distributions",
    "equations.law",
    {
        "normal": "NORMAL",
        "uniform": "UNIFORM",
        "gamma": "GAMMA",
        "beta": "BETA",
        "exponential": "EXPONENTIAL",
        "lognormal": "LOGNORMAL",
        "laplace": "LAPLACE",
        "logistic": "LOGISTIC",
        "student_t": "STUDENT_T",
        "bernoulli": "BERNOULLI",
        "poisson": "POISSON",
    },
    adapt="FamilySpec",
)
TABLE_NOISES = _registry(
    "noise of a table",
    "table_noises",
    "exact.coupling",
    {"gumbel": "gumbel", "monotone": "monotone", "response": "response"},
)
RULES = _registry(
    "identification rule",
    "rules",
    "design.formulas",
    {"back door": "BACK_DOOR", "front door": "FRONT_DOOR"},
    adapt="as_rule",
)
CLASS_NOISES = _registry(
    "noise of a class node",
    "class_noises",
    "mechanisms.categorical",
    {"gumbel": "GUMBEL", "monotone": "MONOTONE"},
    adapt="ClassNoise",
)
CONTINUOUS_NOISES = _registry(
    "noise of a continuous node",
    "continuous_noises",
    "mechanisms.flow",
    {"flow": "FLOW", "additive": "ADDITIVE", "linear": "LINEAR", "auto": "AUTO"},
    adapt="ResidualMap",
)
BACKBONES = _registry(
    "backbone",
    "backbones",
    "nn.backbone",
    {
        "unet": "UNET",
        "patch_unet": "PATCH_UNET",
        "residual": "RESIDUAL",
        "dit": "DIT",
        "diffusers": "causalflow.pretrained.diffusers:DIFFUSERS",
    },
    adapt="as_backbone",
)
AUTOENCODERS = _registry(
    "autoencoder",
    "autoencoders",
    "nn.autoencoder",
    {
        "convolutional": "ConvolutionalAutoencoder",
        "diffusers": "causalflow.pretrained.diffusers_autoencoder:diffusers_autoencoder",
    },
)
PATHS = _registry(
    "path",
    "paths",
    "diffusion.path",
    {
        "rectified": "RECTIFIED",
        "linear": "LINEAR",
        "cosine": "COSINE",
        "linear-1000": "LINEAR_1000",
        "cosine-1000": "COSINE_1000",
    },
    adapt="as_path",
)
PREDICTIONS = _registry(
    "prediction",
    "predictions",
    "diffusion.path",
    {"velocity": "VELOCITY", "noise": "NOISE", "data": "DATA", "v": "V"},
    adapt="as_prediction",
)
GRIDS = _registry(
    "grid",
    "grids",
    "diffusion.path",
    {"cosine": "cosine_grid", "uniform": "uniform_grid", "early": "early_grid"},
)
WEIGHTINGS = _registry(
    "weighting",
    "weightings",
    "diffusion.denoiser",
    {
        "velocity": "torch:ones_like",
        "noise": "of_noise",
        "data": "torch:square",
        "min-snr": "min_snr",
    },
)
COUPLINGS = _registry(
    "coupling",
    "couplings",
    "diffusion.coupling",
    {"independent": "independent", "optimal": "optimal"},
)
SOLVERS = _registry(
    "solver",
    "solvers",
    "diffusion.solver.solver",
    {
        "ddim": "causalflow.diffusion.solver.explicit:DDIM",
        "ddim-fixed-point": "causalflow.diffusion.solver.explicit:DDIM_FIXED_POINT",
        "midpoint": "causalflow.diffusion.solver.explicit:MIDPOINT",
        "heun": "causalflow.diffusion.solver.explicit:HEUN",
        "dpm++2m": "causalflow.diffusion.solver.explicit:DPM_2M",
        "alf": "causalflow.diffusion.solver.reversible:ALF",
        "edict": "causalflow.diffusion.solver.reversible:EDICT",
        "leapfrog": "causalflow.diffusion.solver.reversible:LEAPFROG",
        "difference": "causalflow.diffusion.solver.difference:DIFFERENCE",
        "ancestral": "causalflow.diffusion.solver.ancestral:ANCESTRAL",
    },
    adapt="as_solver",
)
GUIDANCES = _registry(
    "guidance",
    "guidances",
    "diffusion.guidance.contrast",
    {"none": "none", "free": "free", "grouped": "grouped", "delta": "delta"},
)
GUIDANCE_SCHEDULES = _registry(
    "guidance schedule",
    "guidance_schedules",
    "diffusion.guidance.contrast",
    {"constant": "torch:ones_like", "linear": "falling", "cosine": "cosine", "middle": "middle"},
)
AIMS = _registry(
    "anti-causal guidance",
    "aims",
    "diffusion.guidance.anticausal",
    {"hold": "HOLD", "contrast": "CONTRAST", "printed": "PRINTED"},
    adapt="as_aim",
)
BALANCES = _registry(
    "balance",
    "balances",
    "diffusion.guidance.balance",
    {"printed": "PRINTED", "preserving": "PRESERVING", "odds": "ODDS"},
    adapt="Balance",
)
FIT_SCHEDULES = _registry(
    "schedule",
    "schedules",
    "training.options",
    {"cosine": "warm_cosine", "constant": "warm_constant"},
)
DATA_SETS = _registry(
    "data set",
    "data_sets",
    "data.sets.catalogue",
    {
        "bar_digits": "BAR_DIGITS",
        "bar_mnist_backdoor": "BAR_MNIST_BACKDOOR",
        "bar_mnist_frontdoor": "BAR_MNIST_FRONTDOOR",
        "causal_circuit": "CAUSAL_CIRCUIT",
        "causal_circuit_synthetic": "CAUSAL_CIRCUIT_SYNTHETIC",
        "colored_mnist": "COLORED_MNIST",
        **{
            f"confounded_{kind}": f"CONFOUNDED_{kind.upper()}"
            for kind in ("ascm", "bar_mnist", "frontdoor", "instrument", "mediated", "severity")
        },
        "masked_mnist": "MASKED_MNIST",
        "mnist": "MNIST",
        "morpho_mnist": "MORPHO_MNIST",
        "pendulum": "PENDULUM",
        "pendulum_parts": "PENDULUM_PARTS",
        "scene_ball": "SCENE_BALL",
        "scene_face": "SCENE_FACE",
        "scene_phantom": "SCENE_PHANTOM",
    },
    adapt="as_data_set",
)
SCENE_FAMILIES = _registry(
    "scene family",
    "scene_families",
    "data.sets.scenes.family",
    {
        "ball": "causalflow.data.sets.scenes.ball:BALL",
        "phantom": "causalflow.data.sets.scenes.phantom:PHANTOM",
        "face": "causalflow.data.sets.scenes.face:FACE",
    },
    adapt="as_scene_family",
)
SOURCES = _registry(
    "source of rows",
    "sources",
    "data.sources.source",
    {
        "folder": "causalflow.data.sources.folders:FOLDER",
        "shards": "causalflow.data.sources.columns:SHARDS",
        "saved": "causalflow.data.sources.columns:SAVED",
        "hdf5": "causalflow.data.sources.columns:HDF5",
        "arrays": "causalflow.data.sources.columns:ARRAYS",
        "tar": "causalflow.data.sources.tars:TAR",
        "tree": "causalflow.data.sources.folders:TREE",
        "table": "causalflow.data.sources.folders:TABLE",
    },
    adapt="Source",
)
METRICS = _registry(
    "metric",
    "metrics",
    "evaluation.metrics",
    {
        "composition": "composition",
        "effectiveness": "effectiveness",
        "F1": "causalflow.evaluation.closeness:f1",
        "kept": "kept",
        "amplification": "amplification",
        "identity": "causalflow.evaluation.closeness:identity",
        "minimality": "causalflow.evaluation.closeness:least_change",
        "true error": "true_error",
        "changed pixels": "causalflow.evaluation.closeness:changed",
        "unchanged pixels": "causalflow.evaluation.closeness:unchanged",
        "root mean square": "causalflow.evaluation.closeness:root_mean_square",
        "PSNR": "causalflow.evaluation.closeness:signal_to_noise",
        "SSIM": "causalflow.evaluation.closeness:similarity",
        "true label": "true_label",
        "reversibility": "reversibility",
        "Fréchet distance": "frechet",
        "network calls": "network_calls",
        "time": "time",
    },
    adapt="as_metric",
)
COMMANDS = _registry(
    "command",
    "commands",
    "cli",
    {
        "check": "causalflow.cli.check:check",
        "draw": "causalflow.cli.show:draw",
        "identify": "causalflow.cli.identify:identify",
        "estimate": "causalflow.cli.estimate:estimate",
        "enumerate": "causalflow.cli.show:enumerate",
        "ask": "causalflow.cli.ask:ask",
        "describe": "causalflow.cli.show:describe",
        "data": "causalflow.cli.data:data",
        "fit": "causalflow.cli.fit:fit",
        "sample": "causalflow.cli.sample:sample",
        "counterfactual": "causalflow.cli.counterfactual:counterfactual",
        "evaluate": "causalflow.cli.evaluate:evaluate",
        "share": "causalflow.cli.share:share",
        "demo": "causalflow.cli.demo:demo",
        "app": "causalflow.cli.app:app",
        "new": "causalflow.cli.new:new",
        "completion": "causalflow.cli.completion:completion",
    },
)


def register(kind: str, name: str) -> Callable[[Given], Given]:
    """The decorator that makes one's own method known by a name, wherever names are read.

    Args:
        kind: what it is: "solver", "guidance", "graph format", "data set", ...
        name: how graph files, Python and the command line call it.

    Raises:
        CausalflowError: an unknown kind, a name that comes with the package, or something that is
            no entry of that kind.

    Example:
        >>> @register("grid", "squared")
        ... def squared(fraction):
        ...     return fraction**2
        >>> "squared" in REGISTRIES["grid"]
        True
    """
    if kind not in REGISTRIES:
        raise CausalflowError(f"register: unknown kind {kind!r}; {one_of(kind, REGISTRIES)}")
    return REGISTRIES[kind].register(name)


def import_plugin(module: str) -> None:
    """Import a module whose decorators register methods, by its name, from the working folder too.

    Raises:
        CausalflowError: it cannot be imported; the line says why.
    """
    here = str(Path.cwd())
    sys.path.append(here)  # last, so that no file of the folder hides another module
    try:
        import_module(module)
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        raise CausalflowError(one_line(f"module '{module}' cannot be imported: {reason}")) from None
    finally:
        sys.path.remove(here)
