"""Abduction of what the evidence leaves open: hidden roots, and nodes that were not observed.

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

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from causalflow.errors import EvidenceError
from causalflow.mechanisms.base import Values
from causalflow.mechanisms.exogenous_draws import ExogenousDraws, abduct_exogenous
from causalflow.mechanisms.image import ImageMechanism
from causalflow.model.posterior import draw_group, groups, unknowns
from causalflow.model.scm import StructuralModel

__all__ = ["Completion", "complete"]


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
