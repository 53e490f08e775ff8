"""Inference: joint probabilities of a network's terms, some of them at given values.

A *question* says for every term and every free intervention whether its axis is kept in the result
or taken at a position; positions are given when it is asked, one for all or one for each row of a
batch. Networks, plans and programs (with all that does not depend on what is given contracted) are
made once for each question and kept; asking again with other values only does what depends on them.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

import numpy as np

from causalflow.errors import EvidenceError
from causalflow.exact.copies import LONGEST, Factor
from causalflow.exact.coupling import COST
from causalflow.exact.network import Network, build_network
from causalflow.exact.structure import NEVER, Domain, FiniteStructure
from causalflow.factors.array import Backend, Numpy, Scaled, Values
from causalflow.factors.plan import Plan, make_plan
from causalflow.factors.program import Operand, Program, run_plan
from causalflow.limits import PLAN_OPERATIONS
from causalflow.query.known import Key
from causalflow.query.query import Term

__all__ = ["ROW_AXIS", "Arithmetic", "Inference", "Key", "Positions"]

Arithmetic: TypeAlias = Literal["auto", "fraction", "float"]
"""A term, or the name of a variable set to any value."""
Positions: TypeAlias = int | np.ndarray[Any, np.dtype[np.int64]]

ROW_AXIS = "\0row"
"""The axis of a batch's rows; no variable has this name."""
_BATCH_CELLS = 2**22
_ROWS = 64
"""The rows that a plan expects: what they make dearer is put off, one row or many."""
_CACHED = 256
_PROGRAMS = 8
_COUPLED_AT_ONCE = 256
_EXACT_OPERATIONS = 2**16


@dataclass(kw_only=True, eq=False)
class _Compiled:
    """A network, its plans by what is kept and what is given, its programs by exactness too.

    Attributes:
        narrowed: the same network where only the positions asked for matter, by these.
    """

    network: Network
    places: Mapping[Term, str]
    plans: dict[Hashable, Plan] = field(default_factory=dict)
    programs: OrderedDict[Hashable, Program] = field(default_factory=OrderedDict)
    narrowed: OrderedDict[Hashable, _Compiled] = field(default_factory=OrderedDict)

    def axis(self, key: Key) -> str:
        return self.network.free[key] if isinstance(key, str) else self.places[key]


class Inference:
    """Answers in positions for one model.

    Args:
        structure: the model.
        arithmetic: "fraction" (exact), "float", or "auto": exact where that is quick.
        backend: the library that computes floats; None: numpy, as for fractions.
        drawn: node -> its table in each of several draws, (draws, combinations of the parents,
            levels), in place of its own; every result then has the axis of the draws in front.
    """

    def __init__(
        self,
        structure: FiniteStructure,
        arithmetic: Arithmetic = "auto",
        backend: Backend | None = None,
        drawn: Mapping[str, Values] = MappingProxyType({}),
    ) -> None:
        self.structure, self.arithmetic = structure, arithmetic
        self._drawn = dict(drawn)
        self.draws = next(map(len, drawn.values()), None)
        self._backend = Numpy() if backend is None else backend
        self._compiled: OrderedDict[Hashable, _Compiled] = OrderedDict()

    def domain(self, terms: Sequence[Term], free: Sequence[str], key: Key) -> Domain:
        """The values of a term or free intervention in the network of these terms."""
        compiled = self._network(tuple(terms), tuple(free))
        return compiled.network.domains[compiled.axis(key)]

    def joint(
        self,
        terms: Sequence[Term],
        free: Sequence[str],
        keep: Sequence[Key],
        at: Mapping[Key, Positions],
    ) -> Scaled:
        """P(terms) as a table over ``keep``, at the positions of the others.

        Args:
            terms: the terms, without values.
            free: the variables that are set to any value.
            keep: the axes of the result; with a batch, the row's axis stands before them.
            at: the position of every key that is not kept; arrays of shape (rows,) in a batch.

        Raises:
            CausalflowError: too wide; checked before anything is allocated.
            EvidenceError: an equation that gives no level of its node.
        """
        compiled = self._network(tuple(terms), tuple(free))
        cells = {compiled.axis(key): position for key, position in at.items()}
        kept = tuple(compiled.axis(key) for key in keep)
        if self.draws is not None:
            return self._joint_of_draws(compiled.network, kept, cells)
        compiled = self._narrowed(compiled, cells)
        rows = next((len(p) for p in cells.values() if isinstance(p, np.ndarray)), 1)
        return self._program(compiled, kept, frozenset(cells), rows).run(cells)

    def _joint_of_draws(
        self, network: Network, kept: tuple[str, ...], cells: Mapping[str, Positions]
    ) -> Scaled:
        """The contraction of all draws at once; their axis is `ROW_AXIS`."""
        every = {axis: len(domain.levels) for axis, domain in network.domains.items()}
        scopes: list[tuple[str, ...]] = [(ROW_AXIS,)]
        tables = [Scaled(values=np.ones(self.draws or 1))]
        for factor in network.entered:
            floats = Scaled(values=factor.table.to_floats())
            scopes.append(_scope(factor.axes, cells))
            tables.append(_sliced(factor.axes, floats, cells))
        for copies in network.copies:
            drawn = self._drawn.get(copies.conditional.name)
            shared = copies.conditional.floats[None] if drawn is None else drawn
            factor = copies.drawn(shared)
            axes = (ROW_AXIS, *factor.axes)
            own = _sliced(axes, factor.table, cells)
            scope = (ROW_AXIS, *_scope(factor.axes, cells))
            scopes.append(scope if drawn is not None else scope[1:])
            tables.append(own if drawn is not None else replace(own, values=own.values[0]))
        plan = make_plan(scopes, {**every, ROW_AXIS: self.draws or 1}, (ROW_AXIS, *kept))
        plan.check()
        return run_plan(plan, tables)

    def couplings(
        self, terms: Sequence[Term], free: Sequence[str], at: Mapping[Key, Positions]
    ) -> int:
        """The multiplications that the joint laws of P(terms) at these positions are worth."""
        compiled = self._network(tuple(terms), tuple(free))
        cells = {compiled.axis(key): position for key, position in at.items()}
        return COST * self._narrowed(compiled, cells).network.coupled

    def choices(self, terms: Sequence[Term], free: Sequence[str]) -> Mapping[str, str]:
        """Node -> its declared choice of noise, where P(terms) depends on that."""
        return self._network(tuple(terms), tuple(free)).network.choices

    def factors(
        self, terms: Sequence[Term], at: Mapping[Key, Positions]
    ) -> list[tuple[tuple[str, ...], Values]]:
        """The tables of P(terms) in floats, at given positions: the row's axis is `ROW_AXIS`."""
        compiled = self._network(tuple(terms), ())
        cells = {compiled.axis(key): position for key, position in at.items()}
        return [
            (_scope(factor.axes, cells), _sliced(factor.axes, factor.table, cells).values)
            for factor in compiled.network.floats
        ]

    def rows_at_once(
        self,
        terms: Sequence[Term],
        free: Sequence[str],
        keep: Sequence[Key],
        at: Mapping[Key, Positions],
    ) -> int:
        """How many rows of a batch can share one contraction."""
        plan = self.plan(terms, free, keep, at)
        scopes = [scope for step in plan.steps for scope in (*step.scopes, step.axes)]
        widest = max(map(plan.cells, scopes), default=1)
        by_work = PLAN_OPERATIONS // max(plan.operations, 1)
        return max(1, min(_BATCH_CELLS // widest, by_work))

    def plan(
        self, terms: Sequence[Term], free: Sequence[str], keep: Sequence[Key], given: Iterable[Key]
    ) -> Plan:
        """How P(terms) is made over ``keep``, for one row of what is given.

        Raises:
            CausalflowError: too wide.
        """
        compiled = self._network(tuple(terms), tuple(free))
        kept = tuple(compiled.axis(key) for key in keep)
        plan = self._plan(compiled, kept, frozenset(compiled.axis(key) for key in given))
        plan.check()
        return plan

    def is_exact(self, terms: Sequence[Term], free: Sequence[str], plan: Plan) -> bool:
        """Whether this plan for P(terms) is run in fractions."""
        return self._is_exact(self._network(tuple(terms), tuple(free)), plan, 1)

    def _network(self, terms: tuple[Term, ...], free: tuple[str, ...]) -> _Compiled:
        key = (terms, free)
        if key in self._compiled:
            self._compiled.move_to_end(key)
            return self._compiled[key]
        network = build_network(self.structure, terms, free)
        places = dict(zip(terms, network.terms, strict=True))
        compiled = _Compiled(network=network, places=places)
        self._check_defects(compiled)
        self._compiled[key] = compiled
        if len(self._compiled) > _CACHED:
            self._compiled.popitem(last=False)
        return compiled

    def _narrowed(self, compiled: _Compiled, cells: Mapping[str, Positions]) -> _Compiled:
        """A network of its own for these positions, where joint laws of copies are wide."""
        if compiled.network.coupled <= _COUPLED_AT_ONCE or not cells:
            return compiled
        key = tuple((axis, np.asarray(place).tobytes()) for axis, place in sorted(cells.items()))
        if key not in compiled.narrowed:
            network = compiled.network.narrowed(cells)
            compiled.narrowed[key] = _Compiled(network=network, places=compiled.places)
            if len(compiled.narrowed) > _PROGRAMS:
                compiled.narrowed.popitem(last=False)
        return compiled.narrowed[key]

    def _plan(self, compiled: _Compiled, keep: tuple[str, ...], given: frozenset[str]) -> Plan:
        if (keep, given) not in compiled.plans:
            network = compiled.network
            sizes = {axis: len(domain.levels) for axis, domain in network.domains.items()}
            sizes[ROW_AXIS] = _ROWS
            scopes = []
            for axes in network.scopes:
                rest = tuple(axis for axis in axes if axis not in given)
                scopes.append(rest if len(rest) == len(axes) else (ROW_AXIS, *rest))
            first = (ROW_AXIS,) if any(ROW_AXIS in scope for scope in scopes) else ()
            plan = make_plan(scopes, sizes, (*first, *keep))
            compiled.plans[keep, given] = plan.without(ROW_AXIS)
        return compiled.plans[keep, given]

    def _program(
        self, compiled: _Compiled, keep: tuple[str, ...], given: frozenset[str], rows: int
    ) -> Program:
        plan = self._plan(compiled, keep, given)
        exact = self._is_exact(compiled, plan, rows)
        key = (keep, given, exact)
        if key not in compiled.programs:
            plan.check()
            factors = compiled.network.factors if exact else compiled.network.floats
            operands = [_operand(factor, given) for factor in factors]
            compiled.programs[key] = Program(plan, operands, Numpy() if exact else self._backend)
            if len(compiled.programs) > _PROGRAMS:
                compiled.programs.popitem(last=False)
        return compiled.programs[key]

    def _is_exact(self, compiled: _Compiled, plan: Plan, rows: int) -> bool:
        if self.arithmetic != "auto":
            return self.arithmetic == "fraction"
        return plan.operations * rows <= _EXACT_OPERATIONS and compiled.network.bits <= LONGEST

    def _check_defects(self, compiled: _Compiled) -> None:
        """Refuse a model in which an equation can give what is no level of its node."""
        network = compiled.network
        for axis, factors in network.defects.items():
            sizes = {a: len(domain.levels) for a, domain in network.domains.items()}
            plan = make_plan([factor.axes for factor in factors], sizes, ())
            plan.check()
            exact = self.arithmetic != "float" and plan.operations <= _EXACT_OPERATIONS
            tables = [f.table if exact else Scaled(values=f.table.to_floats()) for f in factors]
            if run_plan(plan, tables).values.any():
                scope, bad = factors[-1].axes, np.argwhere(factors[-1].table.values)[0]
                names = [network.domains[a] for a in scope]
                shown = ", ".join(
                    f"{d.name}={d.levels[k]}" for d, k in zip(names, bad.tolist(), strict=True)
                )
                raise EvidenceError(
                    f"'{axis}': the equation gives what is not a level, for instance at {shown};"
                    f" levels are {_levels(network.domains[axis])}"
                )


def _levels(domain: Domain) -> str:
    """What an equation may give."""
    if domain.declared.type.stored_differs:
        return f"[{', '.join(map(str, domain.levels[:20]))}]"
    return f"0 to {len(domain.levels) - 1}"


def _scope(axes: tuple[str, ...], cells: Mapping[str, Positions]) -> tuple[str, ...]:
    """The axes that are left when some are taken at positions."""
    batched = any(isinstance(cells.get(axis), np.ndarray) for axis in axes)
    others = tuple(axis for axis in axes if axis not in cells)
    return (ROW_AXIS, *others) if batched else others


def _operand(factor: Factor, given: frozenset[str]) -> Operand:
    """The table with what is given in front."""
    axes, table = factor.axes, factor.table
    first = tuple(axis for axis in axes if axis in given)
    if not first:
        return Operand(given=(), table=table)
    order = [axes.index(axis) for axis in (*first, *(a for a in axes if a not in given))]
    moved = replace(table, values=table.values.transpose(order))
    return Operand(given=first, table=moved)


def _sliced(axes: tuple[str, ...], table: Scaled, cells: Mapping[str, Positions]) -> Scaled:
    """The table at the given positions; a row's axis comes first, zeros where never."""
    given = [axis for axis in axes if axis in cells]
    if not given:
        return table
    others = [axis for axis in axes if axis not in cells]
    order = [axes.index(axis) for axis in (*given, *others)]
    places = [np.asarray(cells[axis]) for axis in given]
    values = np.asarray(table.values.transpose(order)[tuple(places)])
    never = np.any(np.broadcast_arrays(*(place == NEVER for place in places)), axis=0)
    if never.any():
        values = np.where(never.reshape(*never.shape, *[1] * len(others)), 0, values)
    return Scaled(values=values, scale=table.scale, exponent=table.exponent, bound=table.bound)
