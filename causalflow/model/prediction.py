"""Prediction: worlds in public units, by a model that is ready and configured for it.

Abduction: the exogenous noise of factual worlds, whatever part of them was observed.

The rows are taken in groups that miss the same nodes. In each group the evidence is completed
(`causalflow.model.posterior`), and then every mechanism abducts its own noise
(`causalflow.model.scm.StructuralModel.abduct`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from causalflow.data.units import to_public
from causalflow.diffusion.denoiser import NetworkCalls
from causalflow.diffusion.guidance.contrast import GUIDANCES
from causalflow.errors import CausalflowError, EvidenceError, one_of
from causalflow.exact.model import ExactModel
from causalflow.graph.diffusion import INFERENCE
from causalflow.graph.graph import Graph
from causalflow.graph.node import Class
from causalflow.mechanisms.categorical import NOISES
from causalflow.mechanisms.mechanism import Noise, Values, labelled
from causalflow.model.evidence import by_missing, check_count, check_number
from causalflow.model.posterior import Completion, complete
from causalflow.model.repeats import Repeats
from causalflow.model.scm import Intervention, StructuralModel, WorldNoise
from causalflow.model.support import Watch
from causalflow.model.world import Abduction, Info, World, latents_of

__all__ = ["abduct", "check_fitted", "check_noise", "configured", "explained", "predicted"]


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

    As `causalflow.exact.copies.Conditional.depends`.
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


def abduct(scm: StructuralModel, values: Values, generator: torch.Generator) -> Abduction:
    """The noise of the worlds of ``values``.

    Args:
        scm: the fitted model.
        values: engine values of some nodes, with as many rows each; entries may be unlabelled.
        generator: draws where several noises fit.

    Raises:
        EvidenceError: the evidence is impossible, or leaves open what cannot be inferred.
    """
    with NetworkCalls(scm.denoisers) as calls:
        rows, parts = zip(*by_missing(values), strict=True)
        completions = [complete(scm, part, generator) for part in parts]
        noises = [scm.abduct(c.values, c.roots, generator) for c in completions]
    n = sum(map(len, rows))
    info = Info(
        network_calls=calls.images / n,
        round_trip_error=_round_trip_error(scm, completions, noises),
        inferred={name: how for c in completions for name, how in c.inferred.items()},
        free=tuple(name for name in scm.order if any(name not in c.values for c in completions)),
        open_noise=tuple(sorted(frozenset().union(*(c.undetermined for c in completions)))),
        effective_draws=min(
            (c.effective for c in completions if c.effective is not None), default=None
        ),
    )
    known = _known(scm, values, rows, completions)
    return Abduction(noise=_merged(noises, rows), rows=n, info=info, known=known)


def explained(problem: EvidenceError, exact: ExactModel | None, values: Values) -> EvidenceError:
    """The same refusal; where a finite model finds the evidence impossible, it names the part.

    Args:
        problem: that `abduct` raised.
        exact: the exact model of the same graph, if it is finite.
        values: the evidence that was refused.
    """
    if exact is None or not all(labelled(value).all() for value in values.values()):
        return problem
    rows = {name: value.cpu().numpy() for name, value in values.items()}
    try:
        exact.draw_counterfactual(rows, do={})
    except EvidenceError as impossible:
        return impossible
    except CausalflowError:  # too wide a question for exact inference
        return problem
    return problem


def _known(
    scm: StructuralModel, values: Values, rows: Sequence[Tensor], completions: Sequence[Completion]
) -> Values:
    """What was given, but for diffusion models' images, or read off those; gaps elsewhere."""
    names = {name for completion in completions for name in completion.known}
    found = {}
    for name in (name for name in scm.order if name in names and name not in scm.images):
        given = [c.known[name] for c in completions if name in c.known]
        shape = (sum(map(len, rows)), *given[0].shape[1:])
        gap = -1 if given[0].dtype == torch.int64 else torch.nan
        found[name] = torch.full(shape, gap, dtype=given[0].dtype, device=given[0].device)
        for at, completion in zip(rows, completions, strict=True):
            if name in completion.known:
                found[name][at] = completion.known[name]
    return found


def _merged(noises: Sequence[dict[str, Noise]], rows: Sequence[Tensor]) -> WorldNoise:
    """The noises of groups of rows, put back in the order of the rows."""
    order = torch.cat(list(rows)).argsort()
    return {
        name: {key: torch.cat([part[name][key] for part in noises])[order] for key in noise}
        for name, noise in noises[0].items()
    }


def _round_trip_error(
    scm: StructuralModel, completions: Sequence[Completion], noises: Sequence[dict[str, Noise]]
) -> float | None:
    """Mean absolute residual of the observed images, in [0, 1]; None where none was kept."""
    residuals = [part.abs().flatten() / 2 for part in _residuals(scm, completions, noises)]
    return float(torch.cat(residuals).mean()) if residuals else None


def _residuals(
    scm: StructuralModel, completions: Sequence[Completion], noises: Sequence[dict[str, Noise]]
) -> Iterator[Tensor]:
    kept = [name for name, image in scm.images.items() if image.options.residual]
    for completion, noise in zip(completions, noises, strict=True):
        yield from (noise[name]["residual"] for name in kept if name in completion.values)
