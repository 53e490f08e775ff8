"""Drawn question: a causal query with its evidence, in engine values, ready to be simulated.

Every term lives in the world of its subscript; interventions that are no ancestors of it are left
out, which changes nothing: the term keeps its value (Galles & Pearl 1998, composition). So a
condition that no intervention reaches is one on the actual world.

Of the conditions, those on the actual world are *evidence* to be abducted if one of them is
continuous or an image; the others are *kept*: of the draws, those that satisfy them count. So does
what is told short of a value (`causalflow.model.told.told`), in any world: a draw counts with
probability its weight. What a question says of a variable, node or exogenous, is read by
`read_value`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from math import prod
from typing import Any

import torch
from torch import Tensor

from causalflow.errors import EvidenceError, QueryError
from causalflow.exact.structure import Domain
from causalflow.graph.graph import Graph
from causalflow.graph.node import Exogenous, Level, Node
from causalflow.limits import SETTINGS
from causalflow.mechanisms.mechanism import labelled, to_engine
from causalflow.model.scm import StructuralModel
from causalflow.model.told.told import Told, told_alone
from causalflow.query.cell import free_names
from causalflow.query.known import Key, Known, read_given
from causalflow.query.policy import Policy
from causalflow.query.query import Intervention, Query, Term, World
from causalflow.values.image import ImageType, image_of, pixels_of
from causalflow.values.likelihood import Likelihood, has_likelihoods, told_to_be_set

__all__ = [
    "Condition",
    "DrawnQuestion",
    "declaration",
    "levels_of",
    "reached",
    "read_question",
    "read_value",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnQuestion:
    """A query in engine values, sorted by what its draws are needed for.

    Attributes:
        query: the question as it was asked.
        axes: the axes of the answer, without the row: axis -> its variable.
        outcomes: the terms asked about, values among them.
        kept: the conditions that draws must satisfy.
        evidence: node -> engine values of the actual world, to be abducted.
        bound: free interventions that are given: node -> engine values.
        free: the other free interventions, each set to all its levels.
        rows: the number of rows in the batch; None if nothing that is known is a batch.
    """

    query: Query
    axes: Mapping[str, str]
    outcomes: tuple[Term, ...]
    kept: tuple[Condition, ...]
    evidence: Mapping[str, Tensor]
    bound: Mapping[str, Tensor]
    free: Mapping[str, tuple[Level, ...]]
    rows: int | None

    @property
    def policies(self) -> tuple[Policy, ...]:
        """The policies of its worlds."""
        worlds = (each for world in self.wanted for each in world)
        return tuple(dict.fromkeys(e.value for e in worlds if isinstance(e.value, Policy)))

    @property
    def wanted(self) -> Mapping[World, frozenset[str]]:
        """World -> the variables that are read in it; nested worlds first."""
        found: dict[World, frozenset[str]] = {}
        for top in (*self.outcomes, *(condition.term for condition in self.kept)):
            for term in top.walk():
                found[term.subscript] = found.get(term.subscript, frozenset()) | {term.name}
        return found

    def needed(self, scm: StructuralModel) -> frozenset[str]:
        """The nodes that have to be computed, in any of the worlds."""
        found = [reached(scm, world, names) for world, names in self.wanted.items()]
        return frozenset().union(*found)

    def used(self, scm: StructuralModel) -> frozenset[str]:
        """The nodes whose mechanisms the answer depends on: `needed`, and those of the evidence."""
        return self.needed(scm) | scm.needed(self.evidence)

    @property
    def told(self) -> Mapping[str, Told]:
        """Node -> what is told of it in the actual world."""
        return {
            each.term.name: each.told
            for each in self.kept
            if each.told is not None and not each.term.subscript
        }

    def at(self, row: int) -> DrawnQuestion:
        """The question of one row of the batch."""

        def one(value: Tensor) -> Tensor:
            return value[[row]] if len(value) > 1 else value

        return replace(
            self,
            kept=tuple(
                replace(
                    each,
                    value=None if each.value is None else one(each.value),
                    told=None if each.told is None else each.told.at(torch.tensor([row])),
                )
                for each in self.kept
            ),
            evidence={name: one(value) for name, value in self.evidence.items()},
            bound={name: one(value) for name, value in self.bound.items()},
            rows=None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A condition: a term, and its value in engine units if it is known.

    Attributes:
        term: the term that is conditioned on, without a value.
        value: one row, or one for each row of the batch.
        told: what is known of it short of a value, likewise; neither: an axis of the answer.
    """

    term: Term
    value: Tensor | None = None
    told: Told | None = None

    @property
    def is_axis(self) -> bool:
        """Whether nothing is known of it."""
        return self.value is None and self.told is None


def read_question(known: Known, columns: Mapping[str, Any], device: torch.device) -> DrawnQuestion:
    """The question, checked against the graph.

    Args:
        known: the question, with a place for everything that is given.
        columns: name -> a value, or one a row.
        device: where the tensors go.

    Raises:
        QueryError: it asks what draws cannot answer.
        EvidenceError: a value does not fit its variable, or rows do not fit one another.
    """
    graph, parsed = known.graph, known.query
    form = parsed.counterfactual_form()
    given, rows = read_given(
        form, known.bound(columns), partial(_read_key, graph=graph, device=device)
    )
    bound = {k: v for k, v in given.items() if isinstance(k, str) and isinstance(v, Tensor)}
    conditions = [_condition(graph, t.free, given.get(t.free)) for t in form.conditions]
    evidence = _evidence(graph, conditions)
    names = zip(parsed.free_variables, free_names(parsed), strict=True)
    return DrawnQuestion(
        query=parsed,
        axes={axis: name for axis, name in names if axis not in columns},
        outcomes=tuple(_reduced(graph, term) for term in form.outcomes),
        kept=tuple(c for c in conditions if not (evidence and _is_factual(graph, c))),
        evidence=evidence,
        bound=bound,
        free=_settings(graph, [name for name in parsed.free_interventions if name not in bound]),
        rows=rows,
    )


def reached(scm: StructuralModel, world: World, names: frozenset[str]) -> frozenset[str]:
    """The nodes that ``names`` depend on in a world, themselves among them, but for those set."""
    policies = {each.variable: each.value for each in world if isinstance(each.value, Policy)}
    fixed = {each.variable for each in world} - policies.keys()
    replaced = fixed | {name for name, each in policies.items() if not each.is_natural}
    found = scm.needed(names & scm.types.keys(), fixed, policies) - replaced
    return found | scm.spoken_to(found)


def _condition(graph: Graph, term: Term, given: Tensor | Told | None) -> Condition:
    """A condition, in the world that reaches it."""
    reduced = _reduced(graph, term)
    if isinstance(given, Told):
        return Condition(term=reduced, told=given)
    return Condition(term=reduced, value=given)


def _read_key(
    key: Key, value: Any, graph: Graph, device: torch.device
) -> tuple[Tensor | Told, int | None]:
    """The engine values of a condition or an intervention, and the rows of a batch."""
    name = key if isinstance(key, str) else key.name
    if has_likelihoods(value):
        if isinstance(key, str):
            raise told_to_be_set(key, value)
        told = told_alone(name, declaration(graph, name).type, value, device)
        return told, None if isinstance(value, Likelihood) and told.rows == 1 else told.rows
    values, batch = read_value(graph, name, value, device)
    return values, len(values) if batch else None


def read_value(graph: Graph, name: str, value: Any, device: torch.device) -> tuple[Tensor, bool]:
    """The engine values of a variable, the rows first, and whether they are a batch.

    Raises:
        EvidenceError: no value of the variable, or a missing one.
    """
    declared = declaration(graph, name)
    plain = value.detach().cpu() if isinstance(value, Tensor) else value
    levels = levels_of(graph, name)
    domain = Domain(name=name, declared=declared, levels=levels or ())
    batch = domain.is_batch(plain)
    if name in graph.nodes and (image := image_of(declared.type)) is not None:
        values = to_engine(name, graph.nodes[name].type, _pixels(image, plain))
        return values.to(device), batch or len(values) > 1
    if levels is not None:
        places = domain.positions(plain) if batch else [domain.position(plain)]
        return torch.as_tensor(places, dtype=torch.int64, device=device), batch
    if name not in graph.nodes:
        raise EvidenceError(f"'{name}' is continuous and exogenous; it cannot be given")
    values = to_engine(name, declared.type, plain).reshape(-1, *declared.type.shape)
    if not labelled(values).all():
        raise EvidenceError(f"'{name}' has no value in some row; leave it out of the evidence")
    return values.to(device), batch


def levels_of(graph: Graph, name: str) -> tuple[Level, ...] | None:
    """The levels of a class node or finite exogenous variable, in the order of their indices."""
    return declaration(graph, name).type.levels


def declaration(graph: Graph, name: str) -> Node | Exogenous:
    """What the graph says of a node or exogenous variable."""
    return graph.nodes[name] if name in graph.nodes else graph.exogenous[name]


def _pixels(image: ImageType, value: Any) -> Any:
    """Images; those of discrete pixels may be given by code."""
    if image.depth is None:
        return value
    codes = [value] if isinstance(value, int) else value
    if getattr(codes, "ndim", 1) != 1 or not all(isinstance(code, int) for code in codes):
        return value
    return pixels_of(image, codes)


def _evidence(graph: Graph, conditions: list[Condition]) -> dict[str, Tensor]:
    """The conditions on the actual world, if draws cannot simply be kept or not."""
    for condition in conditions:
        _check_condition(graph, condition)
    factual = [each for each in conditions if _is_factual(graph, each)]
    if _is_met_by_draws(graph, frozenset(each.term.name for each in factual)):
        return {}
    found: dict[str, Tensor] = {}
    for each in factual:
        assert each.value is not None
        first = found.setdefault(each.term.name, each.value)
        if not first.equal(each.value):
            raise EvidenceError(
                f"the evidence has probability zero: '{each.term.name}' has two values"
            )
    return found


def _is_met_by_draws(graph: Graph, names: frozenset[str]) -> bool:
    """Whether draws are kept that meet the conditions: on levels, or on counts of open causes.

    A count is abducted where that is exact: where only levels above it are unknown.
    """
    kinds = [graph.nodes[name].type for name in names]
    if all(kind.levels is not None for kind in kinds):
        return True
    above = [graph.nodes[name] for name in graph.ancestors(names) - names]
    is_open = any(node.type.levels is None and node.equation is None for node in above)
    return is_open and all(kind.integral and kind.scalar for kind in kinds)


def _check_condition(graph: Graph, condition: Condition) -> None:
    """Refuse a condition that can neither be abducted nor met by a draw."""
    term = condition.term
    if levels_of(graph, term.name) is not None or condition.told is not None:
        return
    if condition.value is None:
        raise QueryError(
            f"query: the condition '{term}' has no levels to list; give its value, as in "
            f"ask(query, {term.name}=...)"
        )
    is_discrete = graph.nodes[term.name].type.integral
    if not _is_factual(graph, condition) and not is_discrete:
        raise QueryError(
            f"query: the condition '{term}' is on a continuous variable after an intervention, "
            "which no draw meets; condition on the actual world instead"
        )


def _is_factual(graph: Graph, condition: Condition) -> bool:
    """Whether a condition says what a node is in the actual world."""
    term = condition.term
    return not term.subscript and condition.value is not None and term.name in graph.nodes


def _reduced(graph: Graph, term: Term) -> Term:
    """The same variable without the interventions that do not reach it, at any depth."""
    if term.name not in graph.nodes:
        return replace(term, subscript=())
    above = _above(graph, term)
    kept = tuple(_inner(graph, each) for each in term.subscript if each.variable in above)
    return replace(term, subscript=kept)


def _above(graph: Graph, term: Term) -> frozenset[str]:
    """The ancestors of a term's variable, those of what policies on them read too."""
    above = graph.ancestors(term.name)
    policies = {e.variable: e.value for e in term.subscript if isinstance(e.value, Policy)}
    while waiting := policies.keys() & above:
        for name in waiting:
            above |= graph.ancestors(policies.pop(name).reads)
    return above


def _inner(graph: Graph, each: Intervention) -> Intervention:
    return each if each.nested is None else replace(each, value=_reduced(graph, each.nested))


def _settings(graph: Graph, free: list[str]) -> dict[str, tuple[Level, ...]]:
    """The levels that each free intervention is set to."""
    found = {}
    for name in free:
        levels = levels_of(graph, name)
        if levels is None:
            raise QueryError(
                f"query: '{name}' is set to any value and has no levels to list; give one, as in "
                f"do({name}=...) or ask(query, {name}=...)"
            )
        found[name] = levels
    if prod(map(len, found.values())) > SETTINGS:
        raise QueryError(
            f"query: {list(found)} are set to any value, in more than {SETTINGS:,} "
            "combinations; give some of them"
        )
    return found
