"""Lines: a knot whose factors are all lines with normal noise, drawn in closed form.

The noises of the knot are jointly normal given what is known (`causalflow.gaussian.mean`): they are
drawn from that law itself, whatever of the nodes is known. A node is a line as
`causalflow.model.exact_part.linear_part` says: by its equation, or by its fit.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from causalflow.gaussian.linear_model import Affine, Line, LinearModel
from causalflow.gaussian.mean import Posterior
from causalflow.mechanisms.mechanism import Values, draw_normal
from causalflow.model.exact_part.linear_part import linear_part
from causalflow.model.posterior.knot import Knot
from causalflow.model.scm import StructuralModel

__all__ = ["draw_lines", "lines_of_knot"]


def lines_of_knot(scm: StructuralModel, knot: Knot) -> LinearModel | None:
    """The linear model of a knot's roots and factors; None where one of them is no line."""
    names = {*knot.roots, *knot.factors}
    if any(name in scm.latents for name in names) or not scm.spoken_to(names) <= names:
        return None
    lines: Mapping[str, Line] = linear_part(scm, scm.order).model.lines
    if not names <= lines.keys():
        return None
    return LinearModel(lines={name: line for name, line in lines.items() if name in names})


def draw_lines(
    scm: StructuralModel, model: LinearModel, known: Values, knot: Knot, generator: torch.Generator
) -> tuple[dict[str, Tensor], frozenset[str]]:
    """A draw of a linear knot, and the names that the evidence leaves open.

    Args:
        scm: the fitted model.
        model: the knot's lines.
        known: engine values of nodes, the same rows each.
        knot: what to draw.
        generator: draws.

    Raises:
        EvidenceError: values that the lines cannot give together.
    """
    posterior, unknown = _conditioned(scm, model, known, knot)
    rows, device = len(next(iter(known.values()))), next(iter(known.values())).device
    free = draw_normal((rows, posterior.open.shape[1]), generator, device).cpu().numpy()
    noise = posterior.mean + free @ posterior.open.T
    values = {n: each.constant + noise @ each.loading for n, each in unknown.items()}
    drawn = {
        name: torch.as_tensor(np.broadcast_to(value, (rows,)).copy(), device=device)
        for name, value in values.items()
    }
    return drawn, frozenset(n for n, each in unknown.items() if posterior.deviation(each))


def _conditioned(
    scm: StructuralModel, model: LinearModel, known: Values, knot: Knot
) -> tuple[Posterior, dict[str, Affine]]:
    """The law of the knot's noises given what is known, and its unknown variables by them."""
    numbers = {n: v.double().cpu().numpy() for n, v in known.items() if n in knot.reads(scm)}
    settings = {name: model.number(value) for name, value in numbers.items()}
    seen = [name for name in knot.factors if name in known]
    own = [
        model.world({n: each for n, each in settings.items() if n != name}, [name])[name]
        for name in seen
    ]
    posterior = Posterior.of(own, [numbers[name] for name in seen], len(model.noises))
    unknown = [*knot.roots, *knot.nodes]
    world = model.world(settings, unknown)
    return posterior, {name: world[name] for name in unknown}
