"""Prediction: worlds in public units, by a model that is ready and configured for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from causalflow.data.units import to_public
from causalflow.diffusion.calls import NetworkCalls
from causalflow.diffusion.guidance import GUIDANCES
from causalflow.errors import EvidenceError, one_of
from causalflow.graph.diffusion import INFERENCE
from causalflow.graph.graph import Graph
from causalflow.graph.schema import Class
from causalflow.mechanisms.categorical import NOISES
from causalflow.model.arguments import check_count, check_number
from causalflow.model.latents import latents_of
from causalflow.model.repeats import Repeats
from causalflow.model.scm import Intervention, StructuralModel
from causalflow.model.support import Watch
from causalflow.model.world import Abduction, World

__all__ = ["check_fitted", "check_noise", "configured", "predicted"]


def predicted(
    scm: StructuralModel,
    abduction: Abduction,
    actions: Mapping[str, Intervention],
    watch: Watch,
    wanted: Iterable[str] | None = None,
    *,
    tried: bool = True,
) -> World:
    """The worlds of a noise under interventions, in public units.

    With ``tried``, further draws tell which of them the evidence leaves open.
    """
    watched = watch.actions(actions, abduction.noise.keys())
    with NetworkCalls(scm.denoisers) as calls:
        values = scm.predict(abduction.noise, watched, rows=abduction.rows)
    watch.world(values, actions)
    public = {n: to_public(n, scm.graph.nodes[n], values[n]) for n in wanted or scm.order}
    spent = abduction.info.network_calls + calls.images / abduction.rows
    outside = dict.fromkeys((*abduction.info.warnings, *watch.sentences))
    repeats = Repeats(scm=scm, evidence=abduction.known, actions=actions)
    info = replace(
        abduction.info,
        network_calls=spent,
        warnings=tuple(outside),
        undetermined=repeats.open() if tried else (),
    )
    latents = latents_of(scm, abduction.noise, values)
    return World(public, info, latents=latents, repeats=repeats)


def configured(
    scm: StructuralModel,
    steps: int | None = None,
    guidance: float | str | None = None,
    **options: Any,
) -> StructuralModel:
    """The structural model with other options for its image nodes (None: as they are).

    Args:
        scm: the model.
        steps: solver steps, each way.
        guidance: a factor of all guidance, or the name of that of the neural parents.
        options: further ones of `causalflow.graph.diffusion.INFERENCE`: residual, solver, ...

    Raises:
        EvidenceError: an option that is none, or that only training can change.
        GraphError: a value out of range.
    """
    for name in options:
        if name not in INFERENCE:
            raise EvidenceError(f"unknown option '{name}'; {one_of(name, INFERENCE)}")
    further = {name: value for name, value in options.items() if value is not None}
    if steps is None and guidance is None and not further:
        return scm
    if steps is not None:
        check_count("steps", steps)
        steps = int(steps)
    if guidance is not None and not (isinstance(guidance, str) and guidance in GUIDANCES):
        check_number("guidance", guidance, list(GUIDANCES))
        guidance = float(guidance)
    return scm.replaced(
        {
            name: image.configured(steps=steps, guidance=guidance, **further)
            for name, image in scm.images.items()
        }
    )


def check_noise(graph: Graph, changed: Iterable[str]) -> None:
    """Refuse a counterfactual that depends on a choice which the graph file has not made.

    Args:
        graph: the declaration.
        changed: the nodes that are set.

    Raises:
        EvidenceError: below them a table does not say how its noise enters.
    """
    moved = graph.admg.do(changed).descendants(changed) - frozenset(changed) if changed else ()
    for name in graph.admg.ordered(moved):
        node = graph.nodes[name]
        if isinstance(node, Class) and node.noise is None and _has_chances(node):
            raise EvidenceError(
                f"node '{name}' has a table, and what it would have been depends on how its noise "
                f"enters; state 'noise' at the node, one of {sorted(NOISES)}"
            )


def _has_chances(node: Class) -> bool:
    """Whether a table leaves more than one row to chance, so that how these hang together matters.

    As `causalflow.discrete.copies.Conditional.depends`.
    """
    return sum(max(law) < 1 for _, law in node.table or ()) > 1


def check_fitted(scm: StructuralModel, fitted: Iterable[str], needed: Iterable[str]) -> None:
    """Refuse to use nodes that have not been fitted.

    Raises:
        EvidenceError: some of ``needed`` are not among ``fitted``.
    """
    ready, wanted = frozenset(fitted), frozenset(needed)
    if untrained := [name for name in scm.order if name in wanted - ready]:
        raise EvidenceError(
            f"graph '{scm.graph.name}': the mechanisms of {untrained} are untrained; "
            "call fit(data) or load a model first"
        )
