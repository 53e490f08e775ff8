"""Network: the tables whose sum-product answers a question about several worlds at once.

The worlds that a question's terms live in (`causalflow.admg.parallel_worlds`) share the exogenous
variables and everything that no intervention reaches. What remains after pruning everything but the
terms' ancestors becomes one table each:

    exogenous u                 P(u)
    node v in a world           1 where v = f_v(pa, u), else 0; a parent set to a constant is sliced
    node v with a table         P(v | pa); one joint law of its copies, if it has several
    term on a variable that     1 where both are equal: a variable may be asked about under
    has an axis already         several names, "y[x=1]" being "y" where x does not reach y

The product of all tables, summed over every axis but the terms', is the joint probability of the
terms. A variable set to any value (``do(x)``) is an axis without a law.

`build_network` enters each variable's table once, when a term or a child first needs it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np

from causalflow.admg.admg import ADMG
from causalflow.admg.parallel_worlds import (
    ParallelWorlds,
    WorldNode,
    WorldVariable,
    parallel_worlds,
)
from causalflow.errors import CausalflowError
from causalflow.exact.copies import Copies, Copy, Factor
from causalflow.exact.structure import NEVER, Domain, FiniteStructure
from causalflow.factors.array import Scaled, scaled
from causalflow.limits import PLAN_CELLS
from causalflow.query.policy import Policy
from causalflow.query.query import Query, Term, World

__all__ = ["ANY", "Factor", "Network", "build_network", "settings"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Network:
    """The tables, and where the question's variables are in them.

    Attributes:
        entered: tables of exogenous variables, equations and ties between axes.
        copies: the nodes that have a table, each with all its copies.
        domains: axis -> its values.
        terms: the axis of each term, in the order they were given.
        free: variable set to any value -> its axis.
        defects: each node whose equation may give no level: its name and the factors whose
            sum-product is the probability that it does.
    """

    entered: tuple[Factor, ...]
    copies: tuple[Copies, ...]
    domains: Mapping[str, Domain]
    terms: tuple[str, ...]
    free: Mapping[str, str]
    defects: Mapping[str, tuple[Factor, ...]]

    @cached_property
    def factors(self) -> tuple[Factor, ...]:
        """The tables whose product is summed.

        Raises:
            QueryError: a node's copies depend on a choice that the graph does not make.
        """
        return (*self.entered, *(each.factor() for each in self.copies))

    @cached_property
    def floats(self) -> tuple[Factor, ...]:
        """The same tables in floats.

        Raises:
            QueryError: a node's copies depend on a choice that the graph does not make.
        """
        copies = (each.floats() or _in_floats(each.factor()) for each in self.copies)
        return (*map(_in_floats, self.entered), *copies)

    @cached_property
    def scopes(self) -> tuple[tuple[str, ...], ...]:
        """The axes of each table."""
        return (*(f.axes for f in self.entered), *(each.axes for each in self.copies))

    @cached_property
    def bits(self) -> int:
        """The length of the denominator of the product of all tables."""
        scales = (factor.table.scale for factor in self.entered)
        entered = sum(scale.denominator.bit_length() for scale in scales if scale is not None)
        return entered + sum(each.bits for each in self.copies)

    @property
    def coupled(self) -> int:
        """How many probabilities of joint laws of copies the tables are made of."""
        return sum(each.coupled for each in self.copies)

    def narrowed(self, at: Mapping[str, int | np.ndarray[Any, Any]]) -> Network:
        """The same network where only some positions of some axes matter to the copies."""
        return replace(self, copies=tuple(each.narrowed(at) for each in self.copies))

    @cached_property
    def choices(self) -> Mapping[str, str]:
        """Node -> how its noise is said to enter, where the product depends on that."""
        found = {each.conditional.name: each.choice for each in self.copies}
        return {name: choice for name, choice in found.items() if choice is not None}


def _in_floats(factor: Factor) -> Factor:
    """The table in float64, each number rounded once."""
    return Factor(axes=factor.axes, table=Scaled(values=factor.table.to_floats()))


class _AnyValue:
    """What a variable is set to by ``do(x)``: any of its values."""

    def __str__(self) -> str:
        return "any"


ANY = _AnyValue()


def settings(world: World, worlds: Sequence[World], nodes: frozenset[str]) -> dict[str, object]:
    """What a world sets, for `parallel_worlds`: constants, any value, copies in earlier worlds."""
    found: dict[str, object] = {}
    for each in world:
        if each.variable not in nodes:
            continue
        nested = each.nested
        assert not isinstance(each.value, Policy)  # they have become nodes
        if nested is not None:
            earlier = worlds.index(nested.subscript)
            found[each.variable] = WorldNode(name=nested.name, world=earlier)
        else:
            found[each.variable] = ANY if each.value is None else each.value
    return found


def build_network(
    structure: FiniteStructure, terms: Sequence[Term], free: Iterable[str]
) -> Network:
    """The network of some terms, without values, of a query in counterfactual form.

    Args:
        structure: the model.
        terms: outcomes and conditions; their order is that of `Network.terms`.
        free: the variables that are set to any value.
    """
    builder = _Builder(structure, tuple(terms))
    places = [builder.term(term) for term in terms]
    for name in free:
        builder.free_axis(name)
    return Network(
        entered=tuple(builder.factors),
        copies=_grouped(builder.copies),
        domains=builder.domains,
        terms=tuple(places),
        free=builder.free,
        defects=builder.defects(),
    )


class _Builder:
    """Enters each variable's table once, when a term or a child first needs it."""

    def __init__(self, structure: FiniteStructure, terms: tuple[Term, ...]) -> None:
        self._structure = structure
        self._query = Query(outcomes=terms)
        self._worlds = self._parallel_worlds()
        self._positions = {world: place for place, world in enumerate(self._query.worlds)}
        self._axis: dict[WorldNode, str] = {}
        self._taken: set[str] = set()
        self._faulty: dict[str, WorldVariable] = {}
        self._own: dict[str, Factor | Copy] = {}
        self.factors: list[Factor] = []
        self.copies: list[Copy] = []
        self.domains: dict[str, Domain] = {}
        self.free: dict[str, str] = {}

    def _parallel_worlds(self) -> ParallelWorlds | None:
        """The worlds of the terms' ancestors; None where only exogenous variables are asked."""
        whole = self._structure.graph.admg
        walked = {each.name for term in self._query.terms for each in term.walk()}
        nodes = whole.ancestors(walked.intersection(self._structure.parents))
        if not nodes:
            return None
        inside = whole.subgraph(nodes)
        readers: dict[str, list[str]] = {name: [] for name in self._structure.laws}
        for name in inside.nodes:
            for noise in self._structure.noise[name]:
                readers[noise].append(name)
        worlds = self._query.worlds
        set_there = [settings(world, worlds, nodes) for world in worlds]
        return parallel_worlds(ADMG(inside.nodes, inside.directed), set_there, readers)

    def term(self, term: Term) -> str:
        """The axis of a term; one of its own, tied to the variable's, where that is taken."""
        if term.name in self._structure.laws:
            axis = self.exogenous(term.name)
            return self._own_axis(axis, term)
        assert self._worlds is not None
        variable = self._worlds.at(term.name, self._positions[term.subscript])
        if variable.fixed and variable.subscript[0][1] is not ANY:
            return self._constant(term, variable.subscript[0][1])
        return self._own_axis(self.variable(variable), term)

    def _own_axis(self, axis: str, term: Term) -> str:
        if axis not in self._taken and axis not in self.free.values():
            self._taken.add(axis)
            return axis
        again = self._new_axis(f"{term}", self.domains[axis])
        self._add((axis, again), _table(np.eye(len(self.domains[axis].levels), dtype=np.int64)))
        return again

    def _constant(self, term: Term, value: Any) -> str:
        """A term on a variable that is set: its value is the constant, with certainty."""
        domain = self._structure.domain(term.name)
        if domain.position(value) == NEVER:  # an image set to a picture its equation never gives
            domain = Domain(name=domain.name, declared=domain.declared, levels=(value,))
        axis = self._new_axis(str(term), domain)
        certain = np.zeros(len(domain.levels), dtype=np.int64)
        certain[domain.position(value)] = 1
        self._add((axis,), _table(certain))
        return axis

    def free_axis(self, name: str) -> str:
        """The axis of a variable that is set to any value."""
        if name not in self.free:
            domain = self._structure.domain(name)
            self.free[name] = self._new_axis(name, domain)
            self._add((self.free[name],), _table(np.ones(len(domain.levels), dtype=np.int64)))
        return self.free[name]

    def exogenous(self, name: str) -> str:
        """The axis of an exogenous variable, whose law is entered with it."""
        node = WorldNode(name=name, world=-1)
        if node not in self._axis:
            self._axis[node] = self._new_axis(name, self._structure.domain(name))
            self._add((self._axis[node],), _law(self._structure.laws[name]))
        return self._axis[node]

    def variable(self, variable: WorldVariable) -> str:
        """The axis of a node's copy, whose ancestors' tables are entered before its own."""
        assert self._worlds is not None
        if variable.fixed:
            return self.free_axis(variable.node.name)
        waiting = [variable]
        while waiting:  # no recursion: chains are as long as graphs are large
            parents = [self._worlds.variables[parent] for parent in waiting[-1].parents]
            missing = [p for p in parents if not p.fixed and p.node not in self._axis]
            waiting += missing
            if not missing and (each := waiting.pop()).node not in self._axis:
                self._enter(each)
        return self._axis[variable.node]

    def _enter(self, variable: WorldVariable) -> None:
        name = variable.node.name
        if name in self._structure.tabled:
            self._enter_copy(variable)
            return
        function = self._structure.function(name)
        domain = self._structure.domain(name)
        scope, reduced = self._sliced(variable, function)
        axis = self._axis[variable.node] = self._new_axis(variable.label, domain)
        if (reduced == NEVER).any():
            self._faulty[axis] = variable
        levels = np.arange(len(domain.levels))
        if reduced.size * len(levels) > PLAN_CELLS:
            raise CausalflowError(
                f"too wide: node '{name}' has {len(levels):,} levels for {reduced.size:,}"
                f" combinations of {list(scope)}; its table may have {PLAN_CELLS:,} cells"
            )
        self._add((*scope, axis), _table((reduced[..., None] == levels).astype(np.int64)))

    def _enter_copy(self, variable: WorldVariable) -> None:
        """Note a copy of a node that has a table; its factor waits for the other copies."""
        name = variable.node.name
        conditional = self._structure.conditional(name)
        scope, rows = self._sliced(variable, conditional.rows)
        axis = self._new_axis(variable.label, self._structure.domain(name))
        self._axis[variable.node] = axis
        copy = Copy(axis=axis, scope=scope, rows=rows, conditional=conditional)
        self._own[axis] = copy
        self.copies.append(copy)

    def _sliced(
        self, variable: WorldVariable, function: np.ndarray[Any, Any]
    ) -> tuple[tuple[str, ...], np.ndarray[Any, Any]]:
        """The axes of the arguments that vary, and the function at the constants of the others."""
        assert self._worlds is not None
        scope: list[str] = []
        index: list[Any] = []
        for parent in variable.parents:
            source = self._worlds.variables[parent]
            constant = source.subscript[0][1] if source.fixed else ANY
            if source.fixed and constant is not ANY:
                index.append(self._structure.domain(source.node.name).position(constant))
                continue
            index.append(slice(None))
            scope.append(self.free_axis(source.node.name) if source.fixed else self._axis[parent])
        scope += [self.exogenous(name) for name in variable.exogenous]
        return tuple(scope), np.asarray(function[tuple(index)])

    def defects(self) -> dict[str, tuple[Factor, ...]]:
        """For each faulty copy, its ancestors' own tables and where its equation fails."""
        found = {}
        for axis, variable in self._faulty.items():
            scope, reduced = self._sliced(variable, self._structure.function(variable.node.name))
            bad = Factor(axes=scope, table=_table((reduced == NEVER).astype(np.int64)))
            found[axis] = (*self._above(scope), bad)
        return found

    def _above(self, scope: Iterable[str]) -> Iterable[Factor]:
        """The tables of some variables and their ancestors."""
        waiting, reached = list(scope), set(scope)
        copies: list[Copy] = []
        while waiting:
            own = self._own[waiting.pop()]
            if isinstance(own, Copy):
                copies.append(own)
            else:
                yield own
            fresh = set(own.axes) - reached
            reached |= fresh
            waiting += fresh
        yield from (each.factor() for each in _grouped(copies))

    def _add(self, axes: tuple[str, ...], table: Scaled) -> None:
        """Enter the table of the variable whose axis stands last."""
        factor = self._own[axes[-1]] = Factor(axes=axes, table=table)
        self.factors.append(factor)

    def _new_axis(self, wish: str, domain: Domain) -> str:
        name = wish
        while name in self.domains:
            name += "'"
        self.domains[name] = domain
        return name


def _grouped(copies: Iterable[Copy]) -> tuple[Copies, ...]:
    """The copies of each node together."""
    groups: dict[str, list[Copy]] = {}
    for copy in copies:
        groups.setdefault(copy.conditional.name, []).append(copy)
    return tuple(Copies(group) for group in groups.values())


def _table(values: np.ndarray[Any, Any]) -> Scaled:
    return Scaled(values=values, scale=Fraction(1), bound=1)


def _law(p: Sequence[Fraction]) -> Scaled:
    values = np.empty(len(p), dtype=object)
    values[:] = p
    return scaled(values)
