"""Abduction: the exogenous noise of factual worlds, whatever part of them was observed.

The rows are taken in groups that miss the same nodes. In each group the evidence is completed
(`causalflow.model.completion`), and then every mechanism abducts its own noise
(`causalflow.model.scm.StructuralModel.abduct`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from causalflow.diffusion.calls import NetworkCalls
from causalflow.discrete.scm import ExactModel
from causalflow.errors import CausalflowError, EvidenceError
from causalflow.mechanisms.base import Noise, Values
from causalflow.mechanisms.labels import labelled
from causalflow.model.completion import Completion, complete
from causalflow.model.evidence import by_missing
from causalflow.model.scm import StructuralModel, WorldNoise
from causalflow.model.world import Abduction, Info

__all__ = ["abduct", "explained"]


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
