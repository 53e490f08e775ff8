"""Consistency: what names, edges and equations of a declaration say about each other."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial

from causalflow.equations.extent import Extent, check_extent
from causalflow.equations.law import FAMILIES
from causalflow.equations.term import CONSTANTS
from causalflow.errors import one_of
from causalflow.graph.edges import Link
from causalflow.graph.node import Anticausal, Exogenous, Finite, Node, levels_of
from causalflow.graph.tree import Place, Scalar, number, trusted
from causalflow.names import same_look
from causalflow.values.variable import UNTYPED

__all__ = ["check_equations", "check_extents", "check_links", "check_names"]


def check_names(
    nodes: Mapping[str, Node],
    exogenous: Mapping[str, Exogenous],
    lines: Mapping[str, int | None],
) -> None:
    """No name is a node's and an exogenous variable's, or a constant's of the equations.

    Nor do two names look alike: Unicode has several ways of writing one letter.
    """
    looks: dict[str, str] = {}
    for name in (*nodes, *exogenous):
        first = looks.setdefault(same_look(name), name)
        if first != name:
            what = f"the name of '{first}' has the same letters in another form of Unicode"
            Place(f"node '{name}'").fail(f"{what}; write both alike", lines.get(name))
    for name in exogenous:
        if name in nodes:
            Place(f"exogenous '{name}'").fail("a node has this name already", lines.get(name))
    if any(node.equation for node in nodes.values()):
        for name in CONSTANTS.keys() & {*nodes, *exogenous}:
            place = Place(f"{'node' if name in nodes else 'exogenous'} '{name}'")
            place.fail("equations have a constant of this name", lines.get(name))


def check_links(links: Sequence[Link], nodes: Mapping[str, Node]) -> None:
    """Every link joins declared nodes and has a meaning there."""
    for link in links:
        for end in (link.source, link.target):
            if end not in nodes:
                link.place.fail(f"unknown node '{end}'; {one_of(end, nodes)}", link.line)
        target = nodes[link.target]
        if link.kind is None:
            _check_bidirected(link, nodes)
        elif target.equation is not None:
            _check_used(link, target)
        elif isinstance(link.kind, Anticausal) and not _can_be_read(target):
            link.place.fail(
                "an anticausal edge must point at an image; "
                f"'{link.target}' is of type {target.type.word}",
                link.line,
            )


def _can_be_read(node: Node) -> bool:
    """Whether a predictor may read the node's parents off it."""
    return node.type.pictured or node.type is UNTYPED


def _check_bidirected(link: Link, nodes: Mapping[str, Node]) -> None:
    for end in (link.source, link.target):
        if nodes[end].equation is not None:
            link.place.fail(
                f"node '{end}' has an equation; "
                "use one exogenous variable in both equations instead",
                link.line,
            )
    for name in link.cause.on if link.cause is not None else ():
        if name not in nodes:
            link.place.fail(f"on: unknown node '{name}'; {one_of(name, nodes)}", link.line)


def _check_used(link: Link, target: Node) -> None:
    equation = target.equation
    assert equation is not None
    if link.source not in equation.names:
        used = sorted(equation.names)
        link.place.fail(
            f"node '{link.target}' has an equation that does not use '{link.source}'; "
            f"it uses {used}",
            link.line,
        )
    if isinstance(link.kind, Anticausal):
        link.place.fail(f"node '{link.target}' has an equation; its edges have no kind", link.line)


def check_equations(
    nodes: Mapping[str, Node],
    exogenous: Mapping[str, Exogenous],
    lines: Mapping[str, int | None],
) -> None:
    """Equations use declared variables with one number a row, and not the node itself."""
    for name, node in nodes.items():
        equation = node.equation
        for used in sorted(equation.names) if equation else ():
            place = Place(f"node '{name}': equation")
            if used == name:
                place.fail(f"it uses '{name}' itself", lines.get(name))
            if used not in nodes and used not in exogenous:
                hint = _level_hint(used, nodes) or one_of(used, [*nodes, *exogenous])
                place.fail(f"unknown variable '{used}'; {hint}", lines.get(name))
            if used in nodes and not nodes[used].type.scalar:
                expected = "expected variables of type class, continuous or count"
                place.fail(f"'{used}' is {nodes[used].type.predicate}; {expected}", lines.get(name))


def check_extents(
    nodes: Mapping[str, Node],
    exogenous: Mapping[str, Exogenous],
    lines: Mapping[str, int | None],
) -> None:
    """Every equation can have a value, and none needs more than 64 bits."""
    ranges = {name: _range(node) for name, node in nodes.items()}
    ranges |= {name: _law_range(law) for name, law in exogenous.items()}
    for name, node in nodes.items():
        if (equation := node.equation) is not None:
            check = partial(check_extent, equation, ranges)
            trusted(check, Place(f"node '{name}'"), lines.get(name))


def _range(node: Node) -> Extent:
    """The numbers that a node can be in an equation: of a class those of its levels."""
    if not node.type.scalar:
        return Extent(-math.inf, math.inf)
    low, high = node.type.extent
    named = map(number, map(Scalar, map(str, node.type.levels or ())))
    numbers = [float(each) for each in named if each is not None]
    return Extent(min([low, *numbers]), max([high, *numbers]), node.type.integral)


def _law_range(law: Exogenous) -> Extent:
    if isinstance(law, Finite):
        return Extent(0.0, len(law.p) - 1.0, True)
    family = FAMILIES.get(law.name)
    return Extent(*family.support(dict(law.parameters)), family.discrete)


def _level_hint(name: str, nodes: Mapping[str, Node]) -> str | None:
    for node, levels in levels_of(nodes).items():
        if name in levels:
            return f"a level of '{node}' is a number in an equation: {levels.index(name)}"
    return None
