"""Structure: a finite structural causal model as positions and integer arrays.

Notation: U the exogenous variables with laws P(u); V the nodes, v = f_v(pa, u) by equations. Each
f_v is an array: one axis for every variable that the equation reads (nodes first, then exogenous
variables, both in declared order), its cell the position of v. `NEVER` marks arguments for which
the equation gives no level of v; a model in which they can occur is refused when it is asked.

A node may have a table P(v | pa) instead of an equation: it is kept as it is
(`causalflow.exact.copies`), and its noise stays implicit.

Tables are made when they are first needed, so that a question about a few nodes of a large graph
pays for their ancestors only.

An image with discrete pixels is known by its code (`causalflow.values.image`). Of all codes its
domain has only those that its equation can give.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import prod
from types import MappingProxyType
from typing import Any, NoReturn, TypeAlias

import numpy as np

from causalflow.equations.equation import Equation, evaluate
from causalflow.equations.law import FAMILIES
from causalflow.errors import CompileError, EvidenceError, GraphError, QueryError, one_of
from causalflow.exact.copies import Conditional
from causalflow.graph.conditional import reordered_rows
from causalflow.graph.graph import Graph
from causalflow.graph.node import Exogenous, Family, Finite, Level, Node, levels_of
from causalflow.graph.stored import stored_node
from causalflow.limits import EQUATION_CELLS
from causalflow.query.reader import resolve
from causalflow.values.column import GAP, distinct, entries_of, is_gap, is_tensor, rank
from causalflow.values.finite import FiniteType, finite_of
from causalflow.values.image import codes_of, image_of
from causalflow.values.likelihood import Likelihood

__all__ = ["NEVER", "Domain", "FiniteStructure", "Places", "unsupported"]

Places: TypeAlias = np.ndarray[Any, np.dtype[np.int64]]

NEVER = -1
"""The position of a value that a variable never takes: evidence of probability zero."""

_REMEMBERED = 2**10


@dataclass(frozen=True, kw_only=True)
class Domain:
    """The values of one variable.

    Attributes:
        name: the variable's name.
        declared: the variable's declaration.
        levels: the value at each position: level names, codes of an image, 0..K-1 of an exogenous
            variable.
    """

    name: str
    declared: Node | Exogenous
    levels: tuple[Level, ...]

    @cached_property
    def _places(self) -> dict[Level, int]:
        return {level: place for place, level in enumerate(self.levels)}

    @cached_property
    def _scalars(self) -> dict[Any, int]:
        return {}

    def scalar(self, value: Any) -> int:
        """The position of one value, remembered.

        Raises:
            EvidenceError: the variable has no such level.
            TypeError: the value is one for each of several rows, or less than one.
        """
        key: Any = (value.__class__, value)
        if not isinstance(value, str | int | float | np.generic):
            if isinstance(value, Likelihood) or self.is_batch(value):
                raise TypeError("expected one value")
            array = np.asarray(value)
            if array.dtype == object:
                return self.position(value)
            key = (array.dtype.str, array.shape, array.tobytes())
        found = self._scalars.get(key)
        if found is None:
            found = self.position(value)
            if len(self._scalars) >= _REMEMBERED:
                self._scalars.clear()
            self._scalars[key] = found
        return found

    def position(self, value: Any) -> int:
        """Where a value stands: a level (`causalflow.values`), an image by its code or its pixels.

        Raises:
            EvidenceError: the variable has no such level.
        """
        if (levels := finite_of(self.declared.type)) is not None:
            return self._place(value, levels)
        image = image_of(self.declared.type)
        plain = value.item() if isinstance(value, np.generic) or is_tensor(value) else value
        if image is not None and rank(plain) > 0:
            plain = int(codes_of(self.name, image, [plain])[0])
        if is_gap(plain):
            raise EvidenceError(f"'{self.name}' has no value; leave it out of the evidence")
        try:
            level = resolve(self.name, self.declared, plain)
        except QueryError as error:
            raise EvidenceError(error.message.removeprefix("query: ")) from None
        return self._places.get(level, NEVER)  # type: ignore[arg-type]

    def _place(self, value: Any, levels: FiniteType) -> int:
        """The position of a class's value, gaps refused."""
        if levels.find(value) == GAP:
            raise EvidenceError(f"'{self.name}' has no value; leave it out of the evidence")
        place = levels.position(value, where=f"'{self.name}'")
        return self._places.get(levels.levels[place], NEVER)

    def _found(self, given: Any, levels: tuple[Level, ...]) -> Places:
        """The positions of a class's value or column, gaps refused."""
        found = self.declared.type.read(given, where=f"'{self.name}'")
        if (found == GAP).any():
            row = f"row {int(np.argmax(found == GAP))}: " if found.ndim else ""
            raise EvidenceError(f"{row}'{self.name}' has no value; leave it out of the evidence")
        if self.levels == levels:
            return found
        places = [self._places.get(level, NEVER) for level in levels]
        return np.asarray(np.array(places, dtype=np.int64)[found])

    def positions(self, column: Any) -> Places:
        """Where each row's value stands, shape (rows,).

        Raises:
            EvidenceError: a row's value is no level.
        """
        if (levels := self.declared.type.levels) is not None:
            found = self._found(column, levels)
            return found if found.ndim == 1 else self._misshapen(found)
        array = entries_of(column).array
        image = image_of(self.declared.type)
        if image is not None and array.ndim > 1:
            array = codes_of(self.name, image, array)
        if array.ndim != 1:
            self._misshapen(array)
        values, inverse = distinct(array)
        found = np.empty(len(values), dtype=np.int64)
        for place, value in enumerate(values):
            try:
                found[place] = self.position(value)
            except EvidenceError as error:
                row = int(np.argmax(inverse == place))
                raise EvidenceError(f"row {row}: {error}") from None
        return found[inverse]

    def _misshapen(self, array: np.ndarray[Any, Any]) -> NoReturn:
        raise EvidenceError(f"'{self.name}' has shape {array.shape}; expected one value a row")

    def is_batch(self, value: Any) -> bool:
        """Whether a value given as evidence is one for each of several rows."""
        if isinstance(value, str):
            return False
        single = len(self.declared.type.shape) if rank(value) > 1 else 0
        return rank(value) > single


def unsupported(graph: Graph) -> str | None:
    """Why a graph is no finite model, in one line; None if it is one."""
    for name, node in graph.nodes.items():
        if node.type.levels is None and node.type.depth is None:
            return f"node '{name}' has no finite set of levels"
        if node.equation is None and node.table is None:
            tables = " and no table" if node.type.levels is not None else ""
            return f"node '{name}' has no equation{tables}"
    for name, law in graph.exogenous.items():
        if finite_law(law) is None:
            return f"exogenous variable '{name}' has no finite distribution"
    return None


def finite_law(law: Exogenous) -> tuple[Fraction, ...] | None:
    """The probabilities of 0, 1, ... as fractions; None if there are infinitely many values."""
    match law:
        case Finite(p=p):
            return p
        case Family(name="bernoulli", parameters=given):
            share = Fraction(repr(FAMILIES.get("bernoulli").complete(dict(given))["p"]))
            return (1 - share, share)
        case _:
            return None


class FiniteStructure:
    """The model's variables by position, and their functions and laws as arrays.

    Attributes:
        graph: the declaration.
        laws: the laws of the exogenous variables.
        parents: the parents of each node, in declared order.
        noise: the exogenous variables in each node's equation, in declared order.
        tabled: the nodes with a table, as declared.
        assumed: nodes with a fitted table -> how their noise is taken to enter, in words.

    Raises:
        CompileError: the graph has a node without equation and table, or a variable that is not
            finite.
    """

    def __init__(self, graph: Graph, assumed: Mapping[str, str] = MappingProxyType({})) -> None:
        if reason := unsupported(graph):
            raise CompileError(f"graph '{graph.name}': no exact model: {reason}")
        self.graph, self.assumed = graph, dict(assumed)
        self.laws = {name: finite_law(law) or () for name, law in graph.exogenous.items()}
        nodes, exogenous = graph.admg.nodes, tuple(graph.exogenous)
        order, places = _places(nodes), _places(exogenous)
        self.parents = {
            name: tuple(sorted(graph.admg.parents(name), key=order.__getitem__)) for name in nodes
        }
        self.noise = {
            name: tuple(sorted(_names(node) & places.keys(), key=places.__getitem__))
            for name, node in graph.nodes.items()
        }
        self.tabled = {
            name: node.table for name, node in graph.nodes.items() if node.table is not None
        }
        self._renumbered = any(n.type.in_equations is not None for n in graph.nodes.values())
        self._conditionals: dict[str, Conditional] = {}
        self._functions: dict[str, Places] = {}
        self._domains = {name: self._exogenous_domain(name) for name in exogenous}
        for name, levels in levels_of(graph.nodes).items():
            declared = graph.nodes[name]
            self._domains[name] = Domain(name=name, declared=declared, levels=levels)

    def conditional(self, name: str) -> Conditional:
        """The table of a node of `tabled`, its parents in declared order."""
        if name not in self._conditionals:
            node, parents = self.graph.nodes[name], self.parents[name]
            assert node.table is not None
            written = [edge.source for edge in self.graph.edges if edge.target == name]
            order = [written.index(parent) for parent in parents]
            rows = node.table if order == sorted(order) else reordered_rows(node.table, order)
            shape = tuple(len(self._domains[parent].levels) for parent in parents)
            laws = tuple(law for _, law in rows)
            found = Conditional(name=name, shape=shape, laws=laws, choice=node.noise)
            self._conditionals[name] = found
        return self._conditionals[name]

    def _exogenous_domain(self, name: str) -> Domain:
        levels = tuple(range(len(self.laws[name])))
        declared = Finite(p=self.laws[name])
        return Domain(name=name, declared=declared, levels=levels)

    def domain(self, name: str) -> Domain:
        """The values of a node or an exogenous variable.

        Raises:
            GraphError: no such variable.
        """
        if name not in self._domains:
            if name not in self.graph.nodes:
                known = [*self.graph.nodes, *self.graph.exogenous]
                raise GraphError(f"unknown variable '{name}'; {one_of(name, known)}")
            self.function(name)
        return self._domains[name]

    def function(self, name: str) -> Places:
        """The node's function: its position for every combination of `arguments`.

        Raises:
            CompileError: the equation reads too many combinations of values.
        """
        if name not in self._functions:
            self._functions[name] = self._tabulate(name)
        return self._functions[name]

    def arguments(self, name: str) -> tuple[str, ...]:
        """What the node's equation reads: nodes, then exogenous variables."""
        return (*self.parents[name], *self.noise[name])

    def _tabulate(self, name: str) -> Places:
        graph, arguments = self.graph, self.arguments(name)
        node = stored_node(graph, name) if self._renumbered else graph.nodes[name]
        equation = _equation(node)
        shape = tuple(len(self.domain(each).levels) for each in arguments)
        if prod(shape) * len(equation.components) > EQUATION_CELLS:
            raise CompileError(
                f"node '{name}': its equation reads {list(arguments)} with {prod(shape):,}"
                f" combinations of values; at most {EQUATION_CELLS:,} are tabulated"
            )
        grids = np.meshgrid(*map(np.arange, shape), indexing="ij", sparse=True)
        values = dict(zip(arguments, grids, strict=True))
        try:
            found = [_filled(part, values, shape) for part in equation.components]
        except GraphError as error:
            raise CompileError(f"node '{name}': {error}") from None
        if (depth := node.type.depth) is not None:
            return self._code(name, depth, np.stack(found, axis=-1))
        return _whole(found[0], len(self._domains[name].levels))

    def _code(self, name: str, depth: int, pixels: np.ndarray[Any, Any]) -> Places:
        """The image's position among the codes that its equation gives."""
        digits = _whole(pixels, depth)
        flat = digits.reshape(-1, digits.shape[-1])
        possible = (flat != NEVER).all(axis=1)
        rows, inverse = np.unique(flat[possible], axis=0, return_inverse=True)
        codes: tuple[Level, ...] = tuple(_number(row, depth) for row in rows.tolist())
        self._domains[name] = Domain(name=name, declared=self.graph.nodes[name], levels=codes)
        places = np.full(len(flat), NEVER, dtype=np.int64)
        places[possible] = inverse.reshape(-1)
        return places.reshape(digits.shape[:-1])


def _equation(node: Node) -> Equation:
    assert node.equation is not None
    return node.equation


def _names(node: Node) -> frozenset[str]:
    """What a node's equation uses; nothing, if it has a table instead."""
    return frozenset() if node.equation is None else node.equation.names


def _places(names: tuple[str, ...]) -> dict[str, int]:
    return {name: place for place, name in enumerate(names)}


def _filled(part: Any, values: dict[str, Any], shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    return np.broadcast_to(np.asarray(evaluate(part, values), dtype=np.float64), shape)


def _whole(values: np.ndarray[Any, Any], levels: int) -> Places:
    """Levels 0..levels-1 as integers, `NEVER` for everything else."""
    known = (values >= 0) & (values < levels) & (values == np.floor(values))
    return np.where(known, values, NEVER).astype(np.int64)


def _number(digits: Sequence[int], base: int) -> int:
    """The number that has these digits, most significant first.

    Example:
        >>> _number([0, 1, 0, 1], 2)
        5
    """
    code = 0
    for digit in digits:
        code = code * base + digit
    return code
