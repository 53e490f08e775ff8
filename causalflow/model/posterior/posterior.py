"""Posterior of unknown variables: exact and joint where they are finite, by a chain where not.

Notation: e the known values, H the unknown finite variables, H = H_1 + H_2 + ... split into groups
that no likelihood joins. Then

    p(H_g | e)  proportional to  prod_{i in factors of H_g} p(x_i | pa_i),

a table over the joint states of H_g for each row of the batch. The posterior must be joint:
replacing every variable by its own marginal is wrong as soon as two of them explain one value. A
group that has a number is drawn by `causalflow.model.posterior.chain`, from a start by its parents
alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from causalflow.errors import EvidenceError
from causalflow.limits import POSTERIOR_ROWS, POSTERIOR_STATES
from causalflow.mechanisms.mechanism import Likely, Values, draw_index
from causalflow.model.posterior.chain import Chain
from causalflow.model.scm import StructuralModel

__all__ = ["SWEEPS", "Group", "draw_group", "groups", "is_finite", "unknowns"]

SWEEPS = 12
"""Of the chain, for each draw."""
WORLDS = 2_000
"""Worlds that show it what numbers are like."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Unknown variables that must be drawn together.

    Attributes:
        names: the variables.
        factors: the nodes and roots whose likelihood depends on them.
    """

    names: tuple[str, ...]
    factors: tuple[str, ...]


def unknowns(scm: StructuralModel, values: Values) -> list[str]:
    """The unknown variables that bear on ``values``.

    They are latent classes, and classes and numbers above a known node.

    Raises:
        EvidenceError: an unknown variable with an equation, or one that is no class or number, has
            a known descendant.
    """
    above = scm.needed(values) - values.keys()
    found = [name for name in scm.order if name in above]
    for name in found:
        if name in scm.equations or not scm.types[name].scalar:
            raise EvidenceError(
                f"node '{name}': missing from the evidence while its descendant "
                f"'{min(scm.below([name]) & values.keys())}' is given, and only classes and "
                "numbers without an equation can be inferred; give it too, or leave out its "
                "descendants"
            )
    informative = [*values, *found]
    latents = [r for r in scm.latents if any(r in scm.parents(name) for name in informative)]
    return [*latents, *found]


def groups(scm: StructuralModel, values: Values, unknown: list[str]) -> list[Group]:
    """``unknown``, split into groups that no likelihood joins."""
    scopes = _scopes(scm, values, unknown)
    joined: list[frozenset[str]] = []
    for scope in scopes.values():
        merged = scope.union(*(group for group in joined if group & scope))
        joined = [group for group in joined if not group & scope] + [merged]
    return [
        Group(
            names=tuple(name for name in unknown if name in group),
            factors=tuple(name for name, scope in scopes.items() if scope <= group),
        )
        for group in joined
    ]


def _scopes(scm: StructuralModel, values: Values, unknown: list[str]) -> dict[str, frozenset[str]]:
    """What has a likelihood that depends on unknown variables: name -> those variables.

    Raises:
        EvidenceError: a known node below one of them has a mechanism that tells no likelihood.
    """
    told = [name for name in scm.latents if name in unknown]
    told += [
        name
        for name in scm.order
        if (name in values or name in unknown)
        and name not in scm.equations
        and not scm.types[name].pictured
    ]
    scopes = {name: frozenset(unknown) & {name, *scm.parents(name)} for name in told}
    scopes = {name: scope for name, scope in scopes.items() if scope}
    for name, scope in scopes.items():
        if name not in scm.latents and not isinstance(scm.module(name), Likely):
            raise EvidenceError(
                f"node '{name}': its mechanism tells no likelihood, so {sorted(scope)} cannot be "
                "inferred from it; give these too, or write `log_prob` for the mechanism"
            )
    return scopes


def draw_group(
    scm: StructuralModel, known: Values, group: Group, generator: torch.Generator
) -> dict[str, Tensor]:
    """A draw of the group from its joint posterior, shape (batch,) each.

    Args:
        scm: the fitted model.
        known: engine values of nodes and roots, the same rows each.
        group: what to draw.
        generator: draws.

    Raises:
        EvidenceError: more than `POSTERIOR_STATES` joint states.
    """
    if not is_finite(scm, group):
        return _chained(scm, known, group, generator)
    levels = [scm.levels(name) for name in group.names]
    if math.prod(levels) > POSTERIOR_STATES:
        raise EvidenceError(
            f"too little evidence: {math.prod(levels):,} joint states of {list(group.names)} would "
            f"have to be enumerated, at most {POSTERIOR_STATES:,} are; give one of them"
        )
    like = next(iter(known.values()))
    states = torch.cartesian_prod(*(torch.arange(k, device=like.device) for k in levels))
    states = states.reshape(-1, len(levels))
    chunks = torch.arange(len(like), device=like.device).split(
        max(1, POSTERIOR_ROWS // len(states))
    )
    chosen = [
        draw_index(_log_weight(scm, known, rows, group, states), generator) for rows in chunks
    ]
    drawn = states[torch.cat(chosen)]
    return {name: drawn[:, column] for column, name in enumerate(group.names)}


def is_finite(scm: StructuralModel, group: Group) -> bool:
    """Whether all variables of a group are finite."""
    return all(name in scm.latents or scm.types[name].levels is not None for name in group.names)


def _chained(
    scm: StructuralModel, known: Values, group: Group, generator: torch.Generator
) -> dict[str, Tensor]:
    """A draw of a group that has a number."""
    unknown = [name for name in (*scm.latents, *scm.order) if name in group.names]
    chain = Chain(scm=scm, unknown=unknown, laws=group.factors)
    gaps = {name: torch.ones(len(next(iter(known.values()))), dtype=torch.bool) for name in unknown}
    start = chain.predicted(known, gaps, generator)
    like = _like(scm, group, generator)
    found = chain.swept(start, gaps, generator, SWEEPS, like)
    return {name: found[name] for name in unknown}


@torch.no_grad()
def _like(scm: StructuralModel, group: Group, generator: torch.Generator) -> Values:
    """Worlds of the model, after whose moments numbers are proposed; none where pictures are."""
    needed = scm.needed(name for name in group.factors if name not in scm.latents)
    if any(scm.types[name].pictured for name in needed):
        return {}
    noise = scm.draw_noise(WORLDS, generator, needed)
    roots = {name: noise[name]["value"] for name in scm.root_names}
    return {**roots, **scm.predict(noise, rows=WORLDS)}


@torch.no_grad()
def _log_weight(
    scm: StructuralModel, known: Values, rows: Tensor, group: Group, states: Tensor
) -> Tensor:
    """log prod p(x_i | pa_i) for each row and joint state, shape (rows, states)."""
    needed = {name for factor in group.factors for name in (factor, *scm.parents(factor))}
    values: dict[str, Tensor] = {
        name: known[name][rows].repeat_interleave(len(states), dim=0)
        for name in needed
        if name in known
    }
    for column, name in enumerate(group.names):
        values[name] = states[:, column].repeat(len(rows))
    terms = [scm.log_prob(name, values) for name in group.factors]
    return torch.stack(terms).sum(dim=0).reshape(len(rows), len(states))
