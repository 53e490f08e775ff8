"""Polynomial: a counterfactual probability in terms of the response functions of districts.

Notation: the terms of a question live in parallel worlds (`causalflow.admg.parallel_worlds`). Each
way a of giving values to the terms' ancestors in all worlds is a set of responses; districts are
independent, so

    P(terms) = sum over a  product over districts D  P(the responses of a in D)

A *monomial* is a set of events, one a district, whose probabilities are multiplied; events whose
probability P(v) determines become numbers at once. The question is linear if no monomial has two
events left.

Source: Correa, Lee & Bareinboim (2021) for the factors; Zhang, Tian & Bareinboim (2022).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from causalflow.admg.parallel_worlds import (
    ParallelWorlds,
    WorldNode,
    WorldVariable,
    parallel_worlds,
)
from causalflow.bounds.response import Event, Response, ResponseModel
from causalflow.errors import CausalflowError, QueryError
from causalflow.limits import POLYNOMIAL_WAYS
from causalflow.query.query import Query, Term, World
from causalflow.values.finite import finite

__all__ = ["Monomial", "Polynomial", "added", "probability"]

Monomial: TypeAlias = frozenset[Event]
Polynomial: TypeAlias = dict[Monomial, float]
_Way: TypeAlias = tuple[dict[WorldNode, int], dict[tuple[str, tuple[int, ...]], int]]


def probability(model: ResponseModel, terms: Sequence[Term]) -> Polynomial:
    """P(terms), every term with its value and every subscript set.

    Raises:
        QueryError: it depends on the law of a root that the data are conditional on.
        CausalflowError: the terms have too many ancestors.
    """
    if not terms:
        return {frozenset(): 1.0}
    worlds, asked = _worlds(model, terms)
    pinned: dict[WorldNode, int] = {}
    for term, variable in zip(terms, asked, strict=True):
        place = finite(model.levels[term.name]).position(term.value, where=f"'{term.name}'")
        if pinned.setdefault(variable.node, place) != place:
            return {}
    total: Polynomial = {}
    for _, responses in _ways(model, _relevant(worlds, asked), pinned):
        added(total, _product(model, responses))
    return total


def added(total: Polynomial, other: Polynomial, scale: float = 1.0) -> None:
    """``total + scale * other``, in place."""
    for monomial, coefficient in other.items():
        total[monomial] = total.get(monomial, 0.0) + scale * coefficient


def _worlds(
    model: ResponseModel, terms: Sequence[Term]
) -> tuple[ParallelWorlds, tuple[WorldVariable, ...]]:
    """The worlds of the terms' ancestors, and the variable that each term is."""
    names = {each.name for term in terms for each in term.walk()}
    inside = model.admg.subgraph(model.admg.ancestors(names))
    worlds = Query(outcomes=tuple(terms)).worlds
    settings = [_settings(model, world, worlds, inside.nodes) for world in worlds]
    parallel = parallel_worlds(inside, settings)
    asked = (parallel.at(term.name, worlds.index(term.subscript)) for term in terms)
    return parallel, tuple(asked)


def _settings(
    model: ResponseModel, world: World, worlds: Sequence[World], inside: Sequence[str]
) -> dict[str, object]:
    """What a world sets: positions, or copies of earlier worlds."""
    found: dict[str, object] = {}
    for each in world:
        if each.variable not in inside:
            continue
        if each.nested is not None:
            place = worlds.index(each.nested.subscript)
            found[each.variable] = WorldNode(name=each.variable, world=place)
        else:
            levels = finite(model.levels[each.variable])
            found[each.variable] = levels.position(each.value, where=f"'{each.variable}'")
    return found


def _relevant(worlds: ParallelWorlds, asked: Sequence[WorldVariable]) -> tuple[WorldVariable, ...]:
    """The asked variables and their ancestors over all worlds, parents first."""
    needed = {variable.node for variable in asked}
    waiting = list(needed)
    while waiting:
        fresh = set(worlds.variables[waiting.pop()].parents) - needed
        needed |= fresh
        waiting.extend(fresh)
    return tuple(variable for node, variable in worlds.variables.items() if node in needed)


def _ways(
    model: ResponseModel, variables: Sequence[WorldVariable], pinned: Mapping[WorldNode, int]
) -> list[_Way]:
    """The values of the variables, and the responses that make them, with no contradictions."""
    ways: list[_Way] = [({}, {})]
    for variable in variables:
        ways = [longer for way in ways for longer in _longer(model, way, variable, pinned)]
        if len(ways) > POLYNOMIAL_WAYS:
            names = sorted({each.node.name for each in variables})
            raise CausalflowError(
                f"bounds: the question's variables {names} have more than {POLYNOMIAL_WAYS:,}"
                f" values together in {len(variables)} copies; this is too wide"
            )
    return ways


def _longer(
    model: ResponseModel, way: _Way, variable: WorldVariable, pinned: Mapping[WorldNode, int]
) -> list[_Way]:
    """A way, continued to one more variable: as its response is already, or as it may be."""
    values, responses = way
    node = variable.node
    if variable.fixed:
        constant = variable.subscript[0][1]
        assert isinstance(constant, int)
        agrees = pinned.get(node, constant) == constant
        return [({**values, node: constant}, responses)] if agrees else []
    key = (node.name, tuple(values[parent] for parent in variable.parents))
    allowed = set(range(len(model.levels[node.name])))
    for known in (pinned.get(node), responses.get(key)):
        allowed &= allowed if known is None else {known}
    return [({**values, node: value}, {**responses, key: value}) for value in sorted(allowed)]


def _product(
    model: ResponseModel, responses: Mapping[tuple[str, tuple[int, ...]], int]
) -> Polynomial:
    """The product of the districts' probabilities, as one monomial."""
    events: dict[int, set[Response]] = {}
    for (node, given), value in responses.items():
        if node in model.unknown:
            raise QueryError(
                f"bounds: the question depends on the law of '{node}', and the data are"
                f" conditional on it; give the joint distribution"
            )
        home = events.setdefault(model.home[node], set())
        home.add(Response(node=node, given=given, value=value))
    coefficient, left = 1.0, []
    for number, found in events.items():
        known = model.known(number).events.get(frozenset(found))
        if known is None:
            left.append(frozenset(found))
        else:
            coefficient *= known
    return {frozenset(left): coefficient} if coefficient else {}
