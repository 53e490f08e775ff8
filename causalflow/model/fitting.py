"""Fitting: a model's mechanisms, trained on the rows a user gives."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from causalflow.data.frame import Frame
from causalflow.errors import CausalflowError, CausalflowWarning, one_line
from causalflow.model.acceleration import forget_records
from causalflow.model.evidence import check_names
from causalflow.model.experience import FAR, Experience, experienced, far
from causalflow.model.scm import StructuralModel
from causalflow.model.trainee import Trainee
from causalflow.options import options_of
from causalflow.training.fit import FitReport, fit
from causalflow.training.options import FitOptions

__all__ = ["fit_nodes"]


def fit_nodes(
    scm: StructuralModel, data: Any, nodes: Iterable[str] | None, options: dict[str, Any]
) -> tuple[FitReport, frozenset[str], Experience]:
    """Fit some nodes (None: all), leave the model in evaluation mode; which, and to what.

    Warns where draws from a continuous node's mechanism are far from its rows.

    Args:
        scm: the model; its weights go to the device of the fit.
        data: columns for the nodes and their parents (`causalflow.data.frame`).
        nodes: names; those that share a hidden cause with them are fitted too.
        options: of `causalflow.training.options.FitOptions`.

    Raises:
        CausalflowError: data that do not fit the graph, an unknown option, nothing to fit.
    """
    chosen = options_of(FitOptions, "fit", options)
    wanted = scm.order if nodes is None else check_names(scm.graph, nodes)
    part = Trainee(scm, wanted)
    if not part.nodes:
        raise CausalflowError(
            f"fit: {list(wanted)} have equations or tables; there is nothing to fit"
        )
    frame = Frame.read(data, scm.graph.subgraph(part.columns))
    report = fit(part, frame, chosen, graph=scm.graph.to_yaml())
    scm.to(report.device).eval()
    forget_records(scm)
    experience = experienced(scm, frame, part.nodes)
    if apart := far(experience.distances, frame):
        warnings.warn(_apart(apart), CausalflowWarning, stacklevel=3)
    return replace(report, distances=experience.distances), frozenset(part.nodes), experience


def _apart(distances: Mapping[str, float]) -> str:
    """What to say of nodes whose mechanisms do not draw what their rows hold."""
    said = ", ".join(f"'{name}' {distance:.2g}" for name, distance in distances.items())
    return one_line(
        f"fit: what the mechanism draws differs from the rows in {said}",
        f" (Kolmogorov-Smirnov distance, 0 to 1; {FAR:g} is warned of): answers rest on the "
        "mechanism; more steps, noise: flow, or another scale of the column may fit better",
    )
