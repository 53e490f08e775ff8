"""Coupling bounds: what holds of each row whatever couples the noise of one world with another's.

Notation: x = f(pa, u) a learned mechanism, whose rows tell p(x | pa) and no more; x' = f(pa', u).
Many f agree on p(x | pa) and differ in x' given x: in some the same u is high in both, in others
high in one and low in the other.

    number   the range that holds L of the draws x'_d, d = 1 .. D, of worlds whose moved learned
             nodes have noise of their own. Whatever f is, x' has this law over all persons who are
             alike in what the intervention does not move: L of them lie inside
    class    Frechet's bounds of P(x' = k | x, pa), with p = p(x | pa) and q = p(k | pa'),

                 max(0, (q + p - 1) / p)  to  min(1, q / p),

             at the widest over the pa' of such draws; where x is not known p is 1; where pa' = pa,
             x' is x

Where a hidden cause that x listens to leaves P(x' | do) open, no row tells that law: all values,
and all probabilities, are possible. A class that listens has these where the law is known, too.

Source: Frechet (1951); Tian & Pearl (2000), Probabilities of causation, section 4.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from causalflow.certainty.ranges import Ends, Parts, one_hot, quantiles
from causalflow.mechanisms.mechanism import Likely, labelled
from causalflow.model.hidden.standing import standing
from causalflow.model.world import Repeats

__all__ = ["bounds", "fresh_world"]

MOST_DRAWS = 50
"""Draws over which the bounds of a class are the widest."""
ROUNDING = 1e-9
"""Of a number that is abducted and predicted again."""


def fresh_world(asked: Repeats, draws: int) -> dict[str, Tensor]:
    """Worlds in which what moves, and is learned, has noise of its own: node -> (draws, rows)."""
    fixed = [name for name, action in asked.actions.items() if isinstance(action, Tensor)]
    moved = asked.scm.below(asked.actions, fixed) & asked.scm.learned
    return replace(asked, fresh=frozenset(moved), seed=asked.seed + 1).drawn(draws)


def bounds(
    asked: Repeats,
    name: str,
    world: Mapping[str, Tensor],
    value: Parts,
    level: float,
) -> Ends:
    """The ends of a node's value, or of its levels' probabilities: (rows, parts, 2).

    Args:
        asked: the rows and the intervention.
        name: the node.
        world: what `fresh_world` drew.
        value: what the model says, (rows, parts); it stands where nothing is changed.
        level: what the range of a number holds.
    """
    levels = asked.levels(name)
    if standing(asked.scm, asked.actions, {name}).open:
        extent = (0.0, 1.0) if levels else asked.scm.types[name].extent
        ends = np.tile(np.array(extent, np.float64), (*value.shape, 1))
    else:
        ends = _frechet(asked, name, world) if levels else quantiles(world[name], level)[:, None]
    same = ~_changed(asked)
    ends[same] = np.repeat(value[same][..., None], 2, axis=-1)
    return ends


def _changed(asked: Repeats) -> NDArray[np.bool_]:
    """The rows in which the intervention sets another value than there is."""
    changed = torch.zeros(asked.rows, dtype=torch.bool)
    for name, action in asked.actions.items():
        given = asked.evidence.get(name)
        if given is None or not isinstance(action, Tensor):
            return np.ones(asked.rows, dtype=bool)
        changed |= (action != given).cpu()
    return changed.numpy()


@torch.no_grad()
def _frechet(asked: Repeats, name: str, world: Mapping[str, Tensor]) -> Ends:
    scm, count = asked.scm, len(asked.levels(name))
    parents, module = scm.parents(name), scm.module(name)
    wide = np.tile([0.0, 1.0], (asked.rows, count, 1))
    hidden = bool(scm.listened(name)) or any(parent in scm.root_names for parent in parents)
    if hidden or not isinstance(module, Likely):
        return wide
    draws = min(MOST_DRAWS, len(world[name]))
    other = {parent: _drawn(asked, parent, world, draws) for parent in parents}
    size = draws * asked.rows
    q = torch.stack(
        [module.log_prob(torch.full((size,), k), other).exp() for k in range(count)], dim=-1
    ).reshape(draws, asked.rows, count)
    p, known = _own(asked, name)
    low = ((q + p[:, None] - 1) / p[:, None]).clamp(0, 1)
    high = (q / p[:, None]).clamp(0, 1)
    if name in asked.evidence:
        alike = _alike(asked, name, other, draws)[..., None]
        own = one_hot(asked.evidence[name], count)
        low, high = torch.where(alike, own, low), torch.where(alike, own, high)
    ends = torch.stack([low.amin(0), high.amax(0)], dim=-1).cpu().numpy()
    return np.where(known[:, None, None], ends, wide)


def _drawn(asked: Repeats, name: str, world: Mapping[str, Tensor], draws: int) -> Tensor:
    """A parent's values in the drawn worlds, in one axis."""
    if name in world:
        return world[name][:draws].flatten()
    action = asked.actions[name]
    assert isinstance(action, Tensor)
    return action.repeat(draws)


def _own(asked: Repeats, name: str) -> tuple[Tensor, NDArray[np.bool_]]:
    """p(x | pa) of each row, 1 where x is a gap; and the rows in which that is all known."""
    parents, value = asked.scm.parents(name), asked.evidence.get(name)
    p = torch.ones(asked.rows, dtype=torch.float64)
    if value is None:
        return p, np.ones(asked.rows, dtype=bool)
    own = labelled(value)
    above = [parent for parent in parents if parent not in asked.evidence]
    whole = own.clone() if not above else torch.zeros_like(own)
    for parent in parents:
        whole &= labelled(asked.evidence[parent]) if parent not in above else False
    rows = whole.nonzero()[:, 0]
    if len(rows):
        given = {n: asked.evidence[n][rows] for n in (name, *parents)}
        p[rows] = asked.scm.log_prob(name, given).exp().double().clamp_min(1e-300)
    return p, (whole | ~own).cpu().numpy()


def _alike(asked: Repeats, name: str, other: Mapping[str, Tensor], draws: int) -> Tensor:
    """Where a known node's parents are what they were: bool, (draws, rows)."""
    same = labelled(asked.evidence[name]).expand(draws, -1).clone()
    for parent, values in other.items():
        factual = asked.evidence.get(parent)
        if factual is None:
            return torch.zeros_like(same)
        same &= torch.isclose(values.reshape(draws, -1), factual, rtol=ROUNDING, atol=ROUNDING)
    return same
