"""Posterior of unknown finite variables: exact, joint, by enumeration.

Notation: e the known values, H the unknown finite variables, H = H_1 + H_2 + ... split into groups
that no likelihood joins. Then

    p(H_g | e)  proportional to  prod_{i in factors of H_g} p(x_i | pa_i),

a table over the joint states of H_g for each row of the batch. The posterior must be joint:
replacing every variable by its own marginal is wrong as soon as two of them explain one value.

Abduction of what the evidence leaves open: hidden roots, and nodes that were not observed.

In this order:

0. Nodes whose equation has known parents and no exogenous variable are computed.
1. Parents of an observed image are read off it by its anti-causal predictors (the mode).
2. Declared exogenous variables come from their equations: solved for, or drawn from the joint
   posterior.
3. Latent classes, and class nodes that are missing while a descendant is known, are drawn from
   their exact joint posterior (`causalflow.model.posterior`).
4. A missing node without known descendants stays free: its noise is drawn, not abducted.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from causalflow.errors import EvidenceError
from causalflow.graph.node import Class, Image
from causalflow.limits import POSTERIOR_ROWS, POSTERIOR_STATES
from causalflow.mechanisms import draws
from causalflow.mechanisms.exogenous.draws import ExogenousDraws, abduct_exogenous
from causalflow.mechanisms.image.mechanism import ImageMechanism
from causalflow.mechanisms.mechanism import Values
from causalflow.model.scm import StructuralModel

__all__ = ["Completion", "Group", "complete", "draw_group", "groups", "unknowns"]


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
    """The unknown finite variables that bear on ``values``.

    They are latent classes, and class nodes above a known one.

    Raises:
        EvidenceError: an unknown variable of another type has a known descendant.
    """
    found: list[str] = []
    for name in scm.order:
        below = (scm.graph.descendants(name) - {name}) & values.keys()
        if name not in values and below:
            _check_finite(scm, name, min(below))
            found.append(name)
    informative = [*values, *found]
    latents = [r for r in scm.latents if any(r in scm.parents(name) for name in informative)]
    return [*latents, *found]


def _check_finite(scm: StructuralModel, name: str, below: str) -> None:
    if name in scm.equations or not isinstance(scm.graph.nodes[name], Class):
        raise EvidenceError(
            f"node '{name}': missing from the evidence while its descendant '{below}' is given, "
            "and only class nodes without an equation can be inferred; give it too, or leave out "
            "its descendants"
        )


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
    """What has a likelihood that depends on unknown variables: name -> those variables."""
    likely = [name for name in scm.latents if name in unknown]
    likely += [
        name
        for name in scm.order
        if (name in values or name in unknown)
        and name not in scm.equations
        and not isinstance(scm.graph.nodes[name], Image)
    ]
    scopes = {name: frozenset(unknown) & {name, *scm.parents(name)} for name in likely}
    return {name: scope for name, scope in scopes.items() if scope}


def draw_group(
    scm: StructuralModel, known: Values, group: Group, generator: torch.Generator
) -> dict[str, Tensor]:
    """A draw of the group from its joint posterior, int64 of shape (batch,) each.

    Args:
        scm: the fitted model.
        known: engine values of nodes and roots, the same rows each.
        group: what to draw.
        generator: draws.

    Raises:
        EvidenceError: more than `POSTERIOR_STATES` joint states.
    """
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
        draws.index(_log_weight(scm, known, rows, group, states), generator) for rows in chunks
    ]
    drawn = states[torch.cat(chosen)]
    return {name: drawn[:, column] for column, name in enumerate(group.names)}


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """Evidence, completed.

    Attributes:
        values: every node but the free ones.
        roots: every hidden root.
        inferred: node -> how its value was found.
        known: the evidence, and what was read off its images.
        undetermined: declared exogenous variables that the evidence leaves more than one value.
        effective: how many independent draws those of importance sampling are worth, in the worst
            row; None where none were needed.
    """

    values: Mapping[str, Tensor]
    roots: Mapping[str, Tensor]
    inferred: Mapping[str, str]
    known: Mapping[str, Tensor]
    undetermined: frozenset[str] = frozenset()
    effective: float | None = None


def complete(scm: StructuralModel, evidence: Values, generator: torch.Generator) -> Completion:
    """Fill in what ``evidence`` leaves open.

    Args:
        scm: the fitted model.
        evidence: engine values of at least one node, labelled throughout.
        generator: draws from the posteriors.

    Raises:
        EvidenceError: the equations cannot produce the evidence, or a missing node can be neither
            inferred nor left free.
    """
    values = dict(evidence)
    n = len(next(iter(values.values())))
    certain = _compute(scm, values, {})
    values |= certain
    read = _read_images(scm, values)
    values |= read
    _check_likelihoods(scm, values)
    exogenous = _exogenous(scm, values, generator)
    roots = {name: value for part in exogenous for name, value in part.values.items()}
    known = frozenset(roots)
    effective = [part.effective for part in exogenous if part.effective is not None]
    computed = certain | _compute(scm, values, roots)
    values |= computed
    drawn: dict[str, Tensor] = {}
    for group in groups(scm, values, unknowns(scm, values)):
        drawn |= draw_group(scm, {**values, **roots}, group, generator)
    roots |= {name: drawn[name] for name in scm.root_names if name in drawn}
    for name in scm.root_names:
        if name not in roots:
            roots[name] = scm.root(name).draw_noise(n, generator)["value"]
    nodes = {name: value for name, value in drawn.items() if name not in roots}
    inferred = dict.fromkeys(read, "read off the image, as what its predictor holds most probable")
    inferred |= dict.fromkeys(computed, "computed by its equation")
    inferred |= dict.fromkeys(nodes, "drawn from its exact posterior under the model")
    return Completion(
        values=values | nodes,
        roots=roots,
        inferred=inferred,
        known={**evidence, **read},
        undetermined=frozenset(scm.exogenous.keys() - known).union(
            *(part.undetermined for part in exogenous)
        ),
        effective=min(effective, default=None),
    )


def _read_images(scm: StructuralModel, values: Values) -> dict[str, Tensor]:
    """The missing parents of observed images, as their predictors see them."""
    found: dict[str, Tensor] = {}
    for name in scm.order:
        mechanism = scm.mechanism(name)
        if name in values and isinstance(mechanism, ImageMechanism):
            missing = [p for p in mechanism.parents if p not in values and p not in found]
            if missing:
                found |= mechanism.infer(values[name], missing)
    return found


def _exogenous(
    scm: StructuralModel, values: Values, generator: torch.Generator
) -> list[ExogenousDraws]:
    """The declared exogenous variables that the evidence bears on, by group."""
    found: list[ExogenousDraws] = []
    for group in _linked(scm, values):
        _check_parents(scm, values, group)
        mechanisms = {name: scm.equations[name] for name in scm.equations if name in group}
        read = {name for member in mechanisms for name in scm.hidden_parents[member]}
        variables = {n: variable for n, variable in scm.exogenous.items() if n in read}
        found.append(abduct_exogenous(mechanisms, variables, values, generator))
    return found


def _linked(scm: StructuralModel, values: Values) -> list[frozenset[str]]:
    """The nodes with an equation that bear on the evidence, in groups to be abducted together.

    Two are linked when they share an exogenous variable, or when one is an unknown parent of the
    other.
    """
    known = scm.equations.keys() & values.keys()
    bearing = [name for name in scm.equations if scm.graph.descendants(name) & known]
    groups: list[frozenset[str]] = []
    for name in bearing:
        district = scm.graph.district(name) & set(bearing)
        unknown = (frozenset(scm.graph.parents(name)) & set(bearing)) - values.keys()
        linked = frozenset({name}) | district | unknown
        joined = linked.union(*(group for group in groups if group & linked))
        groups = [group for group in groups if not group & linked] + [joined]
    return groups


def _check_parents(scm: StructuralModel, values: Values, group: frozenset[str]) -> None:
    """Equations are abducted from all their parents; a missing learned one cannot be inferred."""
    for name in sorted(group):
        for parent in sorted(scm.graph.parents(name) - values.keys() - group):
            raise EvidenceError(
                f"node '{parent}': missing from the evidence while its descendant '{name}' has an "
                "equation to be abducted; give it too"
            )


def _check_likelihoods(scm: StructuralModel, values: Values) -> None:
    """An unknown node with an equation and noise above it must not bear on a learned node.

    Its exogenous variables are drawn given the equations alone, so that the learned node's
    likelihood would be left out.
    """
    missing = scm.equations.keys() - values.keys()
    for name in sorted(missing):
        random = any(scm.hidden_parents[a] for a in scm.graph.ancestors(name) & missing)
        for child in sorted(scm.graph.children(name) - scm.equations.keys()) if random else ():
            if scm.graph.descendants(child) & values.keys():
                raise EvidenceError(
                    f"node '{name}': missing from the evidence while its descendant '{child}', "
                    "which has no equation, is given or above what is given; give it too"
                )


def _compute(scm: StructuralModel, values: Values, roots: Values) -> dict[str, Tensor]:
    """The missing nodes with an equation whose arguments are known."""
    rows = len(next(iter(values.values())))
    known, found = {**values, **roots}, {}
    for name in scm.equations:
        if name not in known and all(parent in known for parent in scm.parents(name)):
            known[name] = found[name] = scm.computed(name, known, {}, rows)
    return found
