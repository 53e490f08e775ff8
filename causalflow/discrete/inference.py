"""Inference: joint probabilities of a network's terms, some of them at given values.

A *question* says for every term and every free intervention whether its axis is kept in the result
or taken at a position; positions are given when it is asked, one for all or one for each row of a
batch. Networks and contraction plans are made once for each question and kept; asking again with
other values only slices and multiplies.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np

from causalflow.discrete.copies import Factor
from causalflow.discrete.domain import NEVER, Domain
from causalflow.discrete.network import Network, build_network
from causalflow.discrete.structure import FiniteStructure
from causalflow.errors import EvidenceError
from causalflow.query.query import Term
from causalflow.tables.array import Values
from causalflow.tables.contraction import Scaled, run_plan
from causalflow.tables.plan import MAX_OPERATIONS, Plan, make_plan

__all__ = ["ROW_AXIS", "Arithmetic", "Inference", "Key", "Positions"]

Arithmetic: TypeAlias = Literal["auto", "fraction", "float"]
Key: TypeAlias = Term | str
"""A term, or the name of a variable set to any value."""
Positions: TypeAlias = int | np.ndarray[Any, np.dtype[np.int64]]

ROW_AXIS = "\0row"
"""The axis of a batch's rows; no variable has this name."""
_BATCH_CELLS = 2**24
_CACHED = 256
_EXACT_OPERATIONS = 2**20
_EXACT_STEPS = 2**10


@dataclass(kw_only=True, eq=False)
class _Compiled:
    """A network and its plans by what is kept, what is sliced and the rows of a batch."""

    network: Network
    places: Mapping[Term, str]
    plans: dict[Hashable, Plan] = field(default_factory=dict)
    floats: list[Values] = field(default_factory=list)

    def axis(self, key: Key) -> str:
        return self.network.free[key] if isinstance(key, str) else self.places[key]


class Inference:
    """Answers in positions for one model.

    Args:
        structure: the model.
        arithmetic: "fraction" (exact), "float", or "auto": exact where that is quick.
    """

    def __init__(self, structure: FiniteStructure, arithmetic: Arithmetic = "auto") -> None:
        self.structure, self.arithmetic = structure, arithmetic
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
            CausalFlowError: too wide; checked before anything is allocated.
            EvidenceError: an equation that gives no level of its node.
        """
        compiled = self._network(tuple(terms), tuple(free))
        cells = {compiled.axis(key): position for key, position in at.items()}
        plan = self._plan(compiled, [compiled.axis(key) for key in keep], cells)
        plan.check()
        tables = self._tables(compiled, self._is_exact(plan))
        return run_plan(plan, [_sliced(factor.axes, table, cells) for factor, table in tables])

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
            (_scope(factor.axes, cells), _sliced(factor.axes, table, cells).values)
            for factor, table in self._tables(compiled, exact=False)
        ]

    def rows_at_once(
        self,
        terms: Sequence[Term],
        free: Sequence[str],
        keep: Sequence[Key],
        at: Mapping[Key, Positions],
    ) -> int:
        """How many rows of a batch can share one contraction."""
        compiled = self._network(tuple(terms), tuple(free))
        one = {compiled.axis(key): _first(position) for key, position in at.items()}
        plan = self._plan(compiled, [compiled.axis(key) for key in keep], one)
        plan.check()
        scopes = [scope for step in plan.steps for scope in (*step.scopes, step.axes)]
        widest = max(map(plan.cells, scopes), default=1)
        by_work = MAX_OPERATIONS // max(plan.operations, 1)
        return max(1, min(_BATCH_CELLS // widest, by_work))

    def _network(self, terms: tuple[Term, ...], free: tuple[str, ...]) -> _Compiled:
        key = (terms, free)
        if key in self._compiled:
            self._compiled.move_to_end(key)
            return self._compiled[key]
        network = build_network(self.structure, terms, free)
        self._check_defects(network)
        places = dict(zip(terms, network.terms, strict=True))
        compiled = _Compiled(network=network, places=places)
        self._compiled[key] = compiled
        if len(self._compiled) > _CACHED:
            self._compiled.popitem(last=False)
        return compiled

    def _plan(
        self, compiled: _Compiled, keep: Sequence[str], cells: Mapping[str, Positions]
    ) -> Plan:
        rows = {axis: len(p) for axis, p in cells.items() if isinstance(p, np.ndarray)}
        key = (tuple(keep), frozenset(cells), frozenset(rows.items()))
        if key not in compiled.plans:
            network = compiled.network
            sizes = {axis: len(domain.levels) for axis, domain in network.domains.items()}
            sizes[ROW_AXIS] = next(iter(rows.values()), 0)
            scopes = [_scope(factor.axes, cells) for factor in network.factors]
            first = (ROW_AXIS,) if rows else ()
            compiled.plans[key] = make_plan(scopes, sizes, (*first, *keep))
        return compiled.plans[key]

    def _is_exact(self, plan: Plan) -> bool:
        if self.arithmetic != "auto":
            return self.arithmetic == "fraction"
        return plan.operations <= _EXACT_OPERATIONS and len(plan.steps) <= _EXACT_STEPS

    def _tables(self, compiled: _Compiled, exact: bool) -> Sequence[tuple[Factor, Scaled]]:
        factors = compiled.network.factors
        if exact:
            return [(factor, factor.table) for factor in factors]
        if not compiled.floats:
            compiled.floats += [_float(factor.table) for factor in factors]
        tables = [Scaled(values=values) for values in compiled.floats]
        return list(zip(factors, tables, strict=True))

    def _check_defects(self, network: Network) -> None:
        """Refuse a model in which an equation can give what is no level of its node."""
        for axis, factors in network.defects.items():
            sizes = {a: len(domain.levels) for a, domain in network.domains.items()}
            plan = make_plan([factor.axes for factor in factors], sizes, ())
            plan.check()
            exact = self._is_exact(plan)
            tables = [f.table if exact else Scaled(values=_float(f.table)) for f in factors]
            if run_plan(plan, tables).values.any():
                scope, bad = factors[-1].axes, np.argwhere(factors[-1].table.values)[0]
                names = [network.domains[a] for a in scope]
                shown = ", ".join(
                    f"{d.name}={d.levels[k]}" for d, k in zip(names, bad.tolist(), strict=True)
                )
                count = len(network.domains[axis].levels)
                raise EvidenceError(
                    f"'{axis}': the equation gives what is not a level, for instance at {shown};"
                    f" levels are 0 to {count - 1}"
                )


def _scope(axes: tuple[str, ...], cells: Mapping[str, Positions]) -> tuple[str, ...]:
    """The axes that are left when some are taken at positions."""
    batched = any(isinstance(cells.get(axis), np.ndarray) for axis in axes)
    others = tuple(axis for axis in axes if axis not in cells)
    return (ROW_AXIS, *others) if batched else others


def _first(position: Positions) -> Positions:
    return position[:1] if isinstance(position, np.ndarray) else position


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


def _float(table: Scaled) -> Values:
    """The table in float64, each number rounded once."""
    if table.scale is None or table.scale == 1:
        return table.values.astype(np.float64)
    above, below = table.scale.numerator, table.scale.denominator
    numbers = [value * above / below for value in table.values.ravel().tolist()]
    return np.array(numbers, dtype=np.float64).reshape(table.values.shape)
