"""Policy reader: what a question says of a policy, checked against the variables of the graph.

A level is written as the graph declares it, so that one policy has one text. What reads nothing and
is certain is no policy but a value.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TypeAlias

from causalflow.equations.equation import parse_equation
from causalflow.equations.law import FAMILIES
from causalflow.errors import GraphError, QueryError
from causalflow.graph.node import Exogenous, Family, Finite, Node
from causalflow.query.policy import Chances, Draw, Function, Policy, Value
from causalflow.query.policy_rows import distribution, expression_number, policy_rows
from causalflow.query.policy_text import Mark, how_of
from causalflow.query.query import is_number, unknown_node
from causalflow.values.column import GAP
from causalflow.values.finite import FiniteType, finite_of
from causalflow.values.variable import UNTYPED, NodeType

__all__ = ["Variables", "read_policy", "spelt_policy", "word_mark"]

_SPELT = re.compile(r"\s*(~|\+=|-=|\*=|=)\s*(.+?)\s*", re.DOTALL)

Variables: TypeAlias = Mapping[str, Node | Exogenous]


def word_mark(name: str, word: str, variables: Variables) -> Mark | None:
    """A word behind ``=`` as an expression, where it is no level: ``x=z``, ``x=1-z``."""
    levels = finite_of(variables[name].type)
    if is_number(word) or (levels is not None and _is_level(levels, word)):
        return None
    try:
        names = parse_equation(word).names
    except GraphError:
        return None
    is_expression = bool(names) and names <= variables.keys()
    return Mark(operator="=", text=word) if is_expression else None


def spelt_policy(name: str, text: str, variables: Variables) -> Value | Policy | None:
    """The policy that a text sets a variable by: ``"~ normal(0, 1)"``, ``"= z + 1"``, ``"+= 1"``.

    None where it is no such text, or a level of that name.

    Raises:
        QueryError: as for `read_policy`.
    """
    found = _SPELT.fullmatch(text)
    levels = finite_of(variables[name].type)
    if found is None or (levels is not None and _is_level(levels, text)):
        return None
    return read_policy(name, Mark(operator=found[1], text=found[2]), variables)


def _is_level(levels: FiniteType, word: str) -> bool:
    try:
        return levels.position(word, where="", error=QueryError) != GAP
    except QueryError:
        return False


def read_policy(name: str, mark: Mark, variables: Variables | None) -> Value | Policy:
    """The policy that a mark sets a variable by, or the value that it always has.

    Raises:
        QueryError: what cannot be read, or does not fit the graph.
    """
    policy = Policy(variable=name, how=how_of(name, mark))
    if variables is None:
        return policy
    for read in policy.reads:
        _check_read(policy, read, variables)
    kind = variables[name].type
    if kind is UNTYPED:
        return policy
    if (levels := finite_of(kind)) is not None:
        return _finite(policy, levels)
    if kind.scalar:
        return _number(policy, kind)
    raise QueryError(f"query: {kind.word} node '{name}' is set to a value, by no policy")


def _check_read(policy: Policy, read: str, variables: Variables) -> None:
    if read not in variables:
        counted = _counted(read, variables[policy.variable])
        raise QueryError(f"query: do({policy}): {unknown_node(read, variables)}{counted}")
    declared = variables[read]
    if isinstance(declared, Finite | Family):
        raise QueryError(
            f"query: do({policy}) reads '{read}', which is exogenous; a policy reads nodes"
        )
    if declared.type is not UNTYPED and not declared.type.scalar:
        raise QueryError(
            f"query: do({policy}) reads {declared.type.word} node '{read}'; a policy reads levels"
            " and numbers"
        )


def _counted(word: str, declared: Node | Exogenous) -> str:
    """How a level that is named in an expression is written there."""
    levels = finite_of(declared.type)
    if levels is None or word not in levels.levels:
        return ""
    return f"; levels count as numbers in an expression: {word} is {levels.levels.index(word)}"


def _finite(policy: Policy, levels: FiniteType) -> Value | Policy:
    """Its levels as they are declared; a level where there is no choice."""
    if isinstance(policy.how, Chances):
        named = policy.how.levels
        places = [_place(policy, levels, each) for each in named] if named else [*levels.levels]
        if len(places) != len(policy.how.shares):
            raise QueryError(
                f"query: do({policy}) has {len(policy.how.shares)} probabilities;"
                f" '{policy.variable}' has {len(levels.levels)} levels"
            )
        if len(set(places)) < len(places):
            raise QueryError(f"query: do({policy}) names a level twice")
        policy = replace(policy, how=Chances(tuple(places), policy.how.shares))
    if policy.reads or not policy.expressions:
        return policy
    ((_, row),) = policy_rows(policy, levels, {})
    return levels.levels[row.index(1)] if isinstance(policy.how, Function) else policy


def _place(policy: Policy, levels: FiniteType, value: Value) -> Value:
    where = f"query: do({policy}): node '{policy.variable}'"
    return levels.levels[levels.position(value, where=where, error=QueryError)]


def _number(policy: Policy, kind: NodeType) -> Value | Policy:
    """Its parameters complete; a number where there is no choice."""
    where = f"query: do({policy})"
    match policy.how:
        case Draw(family, parameters):
            spec = FAMILIES.get(family)
            names = [each.name for each in spec.parameters]
            if len(parameters) > len(names):
                raise QueryError(
                    f"{where}: {family} has the parameters {', '.join(names)}; given"
                    f" {len(parameters)}"
                )
            _check_parameters(policy, names)
        case Chances(levels, shares):
            if len(levels) != len(shares) or any(isinstance(each, str) for each in levels):
                raise QueryError(
                    f"{where}: '{policy.variable}' is {kind.predicate}; name the numbers, as in"
                    " {0.5: 0.3, 2: 0.7}, or a law such as normal(0, 1)"
                )
            for each in levels:
                kind.read(each, where=where, error=QueryError)
            if not policy.reads:
                distribution(policy, [expression_number(policy, each, {}) for each in shares], {})
        case Function(expression) if not policy.reads:
            value: float = kind.show(
                kind.read(float(expression_number(policy, expression, {})), where=where)
            ).item()
            return value
    return policy


def _check_parameters(policy: Policy, names: list[str]) -> None:
    """Parameters that are constants lie within their ranges."""
    assert isinstance(policy.how, Draw)
    spec = FAMILIES.get(policy.how.family)
    given = dict(zip(names, policy.how.parameters, strict=False))
    fixed = {
        name: float(expression_number(policy, each, {}))
        for name, each in given.items()
        if not each.names
    }
    try:
        if fixed.keys() == given.keys():
            spec.complete(fixed)
        missing = [p.name for p in spec.parameters if p.default is None and p.name not in given]
        if missing:
            raise GraphError(f"{spec.name} needs the parameter '{missing[0]}'")
    except GraphError as error:
        raise QueryError(f"query: do({policy}): {error}") from None
