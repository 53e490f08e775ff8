"""Stored: an equation between the numbers of levels as one between their positions.

Engines keep a class as the position of its level. Where levels are numbers other than 0..K-1, an
equation speaks of the numbers: with levels 1, 2, 3, ``x + 1`` of x = 2 is 3, in positions 1 -> 2.

Notation: n_k the number of level k. A parent x reads as a + b k where n_k = a + b k, else as
sum_k n_k [x = k]; a result e is stored as (e - a) / b, else as sum_k (k + 1) [e = n_k] - 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from causalflow.equations.equation import Equation
from causalflow.equations.term import (
    Binary,
    Comparison,
    Expression,
    Name,
    Number,
    Unary,
    rebuilt,
)
from causalflow.graph.node import Node

if TYPE_CHECKING:
    from causalflow.graph.graph import Graph

__all__ = ["stored_node"]


def stored_node(graph: Graph, name: str) -> Any:
    """The node, its equation between positions; the node itself where that is the same.

    Example:
        >>> from causalflow.formats.formats import loads
        >>> levels = "levels: ['1', '2', '3']"
        >>> x = f"x: {{type: class, {levels}, equation: u + 1}}"
        >>> y = f"y: {{type: class, {levels}, equation: 4 - x}}"
        >>> graph = loads("exogenous: {u: {levels: 3}}" + chr(10) + "nodes: {" + x + ", " + y + "}")
        >>> print(stored_node(graph, "x").equation, "and", stored_node(graph, "y").equation)
        u + 1 - 1 and 4 - (x + 1) - 1
    """
    node: Node = graph.nodes[name]
    if node.equation is None:
        return node
    read = {
        parent: _number_of(parent, levels)
        for parent, declared in graph.nodes.items()
        if parent in node.equation.names
        if (levels := declared.type.in_equations) is not None
    }
    parts = [_replaced(part, read) for part in node.equation.components]
    if (levels := node.type.in_equations) is not None:
        parts = [_position_of(part, levels) for part in parts]
    equation = Equation(tuple(parts), node.equation.vector)
    return node if equation == node.equation else replace(node, equation=equation)


def _number_of(name: str, numbers: Sequence[int]) -> Expression:
    """The number of a stored position."""
    x = Name(name)
    if (step := _step(numbers)) is None:
        shares = [_times(n, _equal(x, k)) for k, n in enumerate(numbers) if n]
        return _sum(shares)
    return _plus(_times(step, x), numbers[0])


def _position_of(result: Expression, numbers: Sequence[int]) -> Expression:
    """The position of the level whose number an expression gives."""
    if (step := _step(numbers)) is None:
        shares = [_times(k + 1, _equal(result, n)) for k, n in enumerate(numbers)]
        return _plus(_sum(shares), -1)
    shifted = _plus(result, -numbers[0])
    return shifted if step == 1 else Binary("/", shifted, _literal(step))


def _step(numbers: Sequence[int]) -> int | None:
    """The difference of neighbours, if it is one and the same."""
    steps = {after - before for before, after in pairwise(numbers)}
    return steps.pop() if len(steps) == 1 else None if steps else 1


def _literal(number: int) -> Expression:
    return Number(number) if number >= 0 else Unary("negate", Number(-number))


def _equal(expression: Expression, number: int) -> Expression:
    return Comparison(("==",), (expression, _literal(number)))


def _times(factor: int, expression: Expression) -> Expression:
    return expression if factor == 1 else Binary("*", _literal(factor), expression)


def _plus(expression: Expression, number: int) -> Expression:
    if not number:
        return expression
    return Binary("+" if number > 0 else "-", expression, Number(abs(number)))


def _sum(terms: Sequence[Expression]) -> Expression:
    """The total, as a balanced tree."""
    if len(terms) == 1:
        return terms[0]
    half = len(terms) // 2
    return Binary("+", _sum(terms[:half]), _sum(terms[half:]))


def _replaced(expression: Expression, names: Mapping[str, Expression]) -> Expression:
    """The expression with other expressions for some names."""
    if isinstance(expression, Name):
        return names.get(expression.name, expression)
    return rebuilt(expression, lambda part: _replaced(part, names))
