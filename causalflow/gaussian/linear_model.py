"""Linear model: nodes that are lines of their parents and of normal noise, in any world.

Notation: z ~ N(0, I) all noise of the model, independent and standardised; a node's line is

    v = a + sum_p w_p p + l . z        p its parents, l what it takes of each noise

so that in every world, whatever is set in it, each node is *affine* in the same z:

    v = c + L z        c a number (one for each row where what is set differs), L a row of numbers

and the nodes of all worlds together are jointly normal. A noise that two lines share is a hidden
common cause.

Source: Pearl (2009), *Causality*, section 5.2; Bollen (1989), *Structural equations with latent
variables*, chapter 4.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from causalflow.equations.equation import Equation
from causalflow.equations.term import CONSTANTS, Binary, Constant, Expression, Name, Number, Unary
from causalflow.graph.graph import Graph
from causalflow.graph.node import Exogenous, Family

__all__ = ["Affine", "Array", "Line", "LinearModel", "line_of", "lines_of"]

Array: TypeAlias = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Affine:
    """A variable in some world, c + L z.

    Attributes:
        constant: c, shape (), or (rows,) where it differs by row.
        loading: L, shape (noises,).
    """

    constant: Array
    loading: Array

    def plus(self, scale: float, other: Affine) -> Affine:
        """This and ``scale`` times the other."""
        return Affine(
            constant=np.asarray(self.constant + scale * other.constant),
            loading=self.loading + scale * other.loading,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """How one node is made.

    Attributes:
        intercept: a.
        weights: parent -> w_p.
        noise: name of a standard normal noise -> how much of it the node takes.
    """

    intercept: float
    weights: Mapping[str, float] = field(default_factory=dict)
    noise: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LinearModel:
    """Lines by node, parents before their children.

    Attributes:
        lines: node, or exogenous variable, -> its line.
    """

    lines: Mapping[str, Line]

    @property
    def noises(self) -> tuple[str, ...]:
        """The names of the noises, in the order of z."""
        return tuple(dict.fromkeys(name for line in self.lines.values() for name in line.noise))

    def number(self, value: Any) -> Affine:
        """What is set: a number, or one a row."""
        return Affine(constant=np.asarray(value, np.float64), loading=np.zeros(len(self.noises)))

    def world(self, settings: Mapping[str, Affine], wanted: Iterable[str]) -> dict[str, Affine]:
        """The variables of the world in which some are set, as far as ``wanted`` need them.

        Args:
            settings: variable -> what it is set to.
            wanted: names; all that they depend on there have a line.
        """
        needed, noises = set(wanted), self.noises
        for name in reversed(tuple(self.lines)):
            if name in needed and name not in settings:
                needed.update(self.lines[name].weights)
        found = {name: each for name, each in settings.items() if name in needed}
        for name, line in self.lines.items():
            if name in needed and name not in found:
                loading = np.array([line.noise.get(each, 0.0) for each in noises])
                own = Affine(constant=np.asarray(line.intercept), loading=loading)
                for parent, weight in line.weights.items():
                    own = own.plus(weight, found[parent])
                found[name] = own
        return found


def lines_of(graph: Graph) -> dict[str, Line]:
    """The exogenous variables that are normal, and the nodes whose equations are lines, by name."""
    found = {name: _of_law(name, law) for name, law in graph.exogenous.items()}
    lines = {name: line for name, line in found.items() if line is not None}
    for name in graph.topological_order():
        node = graph.nodes[name]
        if node.equation is not None and node.type.numeric and node.type.scalar:
            line = line_of(node.equation)
            if line is not None and not node.type.integral:
                lines[name] = line
    return lines


def _of_law(name: str, law: Exogenous) -> Line | None:
    if not isinstance(law, Family) or law.name != "normal":
        return None
    given = dict(law.parameters)
    return Line(intercept=given["mean"], noise={name: given["std"]})


def line_of(equation: Equation) -> Line | None:
    """The line that an equation is; None where it is none.

    Example:
        >>> from causalflow.equations.equation import parse_equation
        >>> line_of(parse_equation("2 * (x - 1) + u / 4")).weights
        {'x': 2.0, 'u': 0.25}
        >>> line_of(parse_equation("x * y")) is None
        True
    """
    if equation.vector:
        return None
    terms = _linear(equation.components[0])
    if terms is None:
        return None
    intercept = terms.pop(ONE, 0.0)
    return Line(intercept=intercept, weights=terms)


ONE = ""
"""What stands for the number one among the variables of a line."""


def _linear(expression: Expression) -> dict[str, float] | None:
    """Variable -> its coefficient, `ONE` -> what no variable has part in; None: not a line."""
    match expression:
        case Number(value):
            return {ONE: float(value)}
        case Constant(name):
            return {ONE: CONSTANTS[name]}
        case Name(name):
            return {name: 1.0}
        case Unary("negate", operand):
            inner = _linear(operand)
            return None if inner is None else _sum({}, inner, -1.0)
        case Binary(operator, left, right):
            first, second = _linear(left), _linear(right)
            if first is None or second is None:
                return None
            return _combined(operator, first, second)
        case _:
            return None


def _combined(
    operator: str, left: dict[str, float], right: dict[str, float]
) -> dict[str, float] | None:
    match operator:
        case "+":
            return _sum(left, right, 1.0)
        case "-":
            return _sum(left, right, -1.0)
        case "*" if right.keys() <= {ONE}:
            return _sum({}, left, right.get(ONE, 0.0))
        case "*" if left.keys() <= {ONE}:
            return _sum({}, right, left.get(ONE, 0.0))
        case "/" if right.keys() <= {ONE} and right.get(ONE):
            return _sum({}, left, 1 / right[ONE])
        case _:
            return None


def _sum(first: Mapping[str, float], second: Mapping[str, float], scale: float) -> dict[str, float]:
    every = dict.fromkeys([*first, *second])
    return {name: first.get(name, 0.0) + scale * second.get(name, 0.0) for name in every}
