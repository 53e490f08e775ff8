"""Levels: a knot of finite variables, drawn from its posterior by enumeration; exact and joint.

Notation: e the known values, H the unknown variables of the knot. Then

    p(H | e)  proportional to  prod_{i in factors} p(x_i | pa_i) prod_{u in exogenous} p(u),

a table over the joint states of H for each row of the batch; an equation counts 1 where it gives
the value, else 0. The posterior must be joint: replacing every variable by its own marginal is
wrong as soon as two of them explain one value.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from causalflow.errors import EvidenceError, RowError
from causalflow.limits import POSTERIOR_ROWS, POSTERIOR_STATES
from causalflow.mechanisms.mechanism import Values, draw_index
from causalflow.model.posterior.knot import Knot
from causalflow.model.scm import StructuralModel

__all__ = ["draw_levels"]


def draw_levels(
    scm: StructuralModel, known: Values, knot: Knot, generator: torch.Generator
) -> dict[str, Tensor]:
    """A draw of a finite knot, without its nodes that have an equation: shape (batch,) each.

    Args:
        scm: the fitted model.
        known: engine values of nodes, the same rows each.
        knot: what to draw.
        generator: draws.

    Raises:
        EvidenceError: more than `POSTERIOR_STATES` joint states.
        RowError: no state gives a row's values.
    """
    names = [*knot.roots, *(name for name in knot.nodes if name not in scm.equations)]
    levels = [_levels(scm, name) for name in names]
    if math.prod(levels) > POSTERIOR_STATES:
        raise EvidenceError(
            f"too little evidence: {math.prod(levels):,} joint states of {names} would "
            f"have to be enumerated, at most {POSTERIOR_STATES:,} are; give one of them"
        )
    like = next(iter(known.values()))
    states = torch.cartesian_prod(*(torch.arange(k, device=like.device) for k in levels))
    states = states.reshape(-1, len(levels))
    chunks = torch.arange(len(like), device=like.device).split(
        max(1, POSTERIOR_ROWS // len(states))
    )
    chosen = []
    for rows in chunks:
        weight = _log_weight(scm, known, rows, knot, dict(zip(names, states.T, strict=True)))
        _check_possible(weight, knot, int(rows[0]))
        chosen.append(draw_index(weight, generator))
    drawn = states[torch.cat(chosen)]
    return {name: drawn[:, column] for column, name in enumerate(names)}


def _levels(scm: StructuralModel, name: str) -> int:
    return len(scm.exogenous[name].log_p) if name in scm.exogenous else scm.levels(name)


def _check_possible(weight: Tensor, knot: Knot, offset: int) -> None:
    dead = torch.isneginf(weight).all(1)
    if dead.any():
        row = offset + int(dead.nonzero()[0])
        nodes = f"nodes {sorted(knot.factors)}"
        raise RowError(nodes, row, "no values of what is unknown give this evidence")


@torch.no_grad()
def _log_weight(
    scm: StructuralModel, known: Values, rows: Tensor, knot: Knot, states: Values
) -> Tensor:
    """The logarithm of the product, for each row and joint state: shape (rows, states)."""
    count = len(next(iter(states.values())))
    values = {
        name: known[name][rows].repeat_interleave(count, dim=0)
        for name in knot.reads(scm)
        if name in known
    }
    values |= {name: state.repeat(len(rows)) for name, state in states.items()}
    terms = [scm.exogenous[n].log_prob(values[n]) for n in knot.roots if n in scm.exogenous]
    for name in knot.factors:
        if name in scm.equations and name not in values:
            values[name] = scm.computed(name, values, {}, len(rows) * count)
        else:
            terms.append(scm.log_prob(name, values))
    return torch.stack(terms).sum(dim=0).reshape(len(rows), count)
