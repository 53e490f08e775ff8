"""Constraint: what an observed node says of exogenous variables, unobserved parents written out.

An unobserved parent is replaced by its own equation, and so on upwards, so that x = f(z, u) with
z = g(v) not observed is a constraint f(g(v), u) = x on v and u.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from graphlib import TopologicalSorter
from itertools import islice

from causalflow.errors import CompileError
from causalflow.graph.equation import Equation
from causalflow.graph.schema import Class, Continuous
from causalflow.graph.term import Expression, Name, walk
from causalflow.limits import WRITTEN_OUT
from causalflow.mechanisms.base import Values
from causalflow.mechanisms.equation import EquationMechanism
from causalflow.mechanisms.inversion import replaced
from causalflow.mechanisms.polynomial import names_of

__all__ = ["constraints"]


def constraints(
    mechanisms: Mapping[str, EquationMechanism], values: Values
) -> list[EquationMechanism]:
    """The observed nodes in topological order, each with its equation written out.

    Raises:
        CompileError: an equation of more than `WRITTEN_OUT` terms.
    """
    inner = {k: [p for p in m.parents if p in mechanisms] for k, m in mechanisms.items()}
    missing: dict[str, Expression] = {}
    found = []
    for name in TopologicalSorter(inner).static_order():
        mechanism = mechanisms[name]
        parts = mechanism.equation.components
        if missing and mechanism.equation.names & missing.keys():
            parts = tuple(_written_out(part, missing) for part in parts)
            _check_size(name, parts)
        if name in values:
            found.append(_rewritten(mechanism, parts))
        elif isinstance(mechanism.node, Class | Continuous):
            missing[name] = parts[0]
    return found


def _check_size(name: str, parts: tuple[Expression, ...]) -> None:
    terms = sum(1 for part in parts for _ in islice(walk(part), WRITTEN_OUT + 1))
    if terms > WRITTEN_OUT:
        raise CompileError(
            f"node '{name}': with its unobserved parents written out its equation has more than "
            f"{WRITTEN_OUT:,} terms; give some of those parents"
        )


def _rewritten(mechanism: EquationMechanism, parts: tuple[Expression, ...]) -> EquationMechanism:
    if parts == mechanism.equation.components:
        return mechanism
    equation = Equation(parts, mechanism.equation.vector)
    node = replace(mechanism.node, equation=equation)  # type: ignore[call-arg,arg-type]
    return EquationMechanism(mechanism.name, node, sorted(equation.names))


def _written_out(expression: Expression, missing: Mapping[str, Expression]) -> Expression:
    for name in sorted(names_of(expression) & missing.keys()):
        expression = replaced(expression, Name(name), missing[name])
    return expression
