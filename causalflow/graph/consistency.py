"""Consistency: what names, edges and equations of a declaration say about each other."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial

from causalflow.equations.equation import Equation
from causalflow.equations.extent import Extent, check_extent
from causalflow.equations.law import FAMILIES
from causalflow.equations.term import CONSTANTS
from causalflow.errors import one_of
from causalflow.graph.edges import Link
from causalflow.graph.node import (
    Anticausal,
    Class,
    Continuous,
    Exogenous,
    Finite,
    Image,
    Node,
    Symbol,
)
from causalflow.graph.tree import Place, Scalar, number, trusted
from causalflow.names import same_look

__all__ = ["check_equations", "check_extents", "check_links", "check_names", "equation_of"]


def equation_of(node: Node) -> Equation | None:
    """The node's equation, None where it has none or can have none."""
    return None if isinstance(node, Symbol) else node.equation


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
    if any(equation_of(node) for node in nodes.values()):
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
        elif equation_of(target) is not None:
            _check_used(link, target)
        elif isinstance(link.kind, Anticausal) and not isinstance(target, Image | Symbol):
            kind = type(target).__name__.lower()
            link.place.fail(
                f"an anticausal edge must point at an image; '{link.target}' is of type {kind}",
                link.line,
            )


def _check_bidirected(link: Link, nodes: Mapping[str, Node]) -> None:
    for end in (link.source, link.target):
        if equation_of(nodes[end]) is not None:
            link.place.fail(
                f"node '{end}' has an equation; "
                "use one exogenous variable in both equations instead",
                link.line,
            )


def _check_used(link: Link, target: Node) -> None:
    equation = equation_of(target)
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
        equation = equation_of(node)
        for used in sorted(equation.names) if equation else ():
            place = Place(f"node '{name}': equation")
            if used == name:
                place.fail(f"it uses '{name}' itself", lines.get(name))
            if used not in nodes and used not in exogenous:
                hint = _level_hint(used, nodes) or one_of(used, [*nodes, *exogenous])
                place.fail(f"unknown variable '{used}'; {hint}", lines.get(name))
            if isinstance(nodes.get(used), Image):
                place.fail(
                    f"'{used}' is an image; expected variables of type class or continuous",
                    lines.get(name),
                )


def check_extents(
    nodes: Mapping[str, Node],
    exogenous: Mapping[str, Exogenous],
    lines: Mapping[str, int | None],
) -> None:
    """Every equation can have a value, and none needs more than 64 bits."""
    ranges = {name: _range(node) for name, node in nodes.items()}
    ranges |= {name: _law_range(law) for name, law in exogenous.items()}
    for name, node in nodes.items():
        if (equation := equation_of(node)) is not None:
            check = partial(check_extent, equation, ranges)
            trusted(check, Place(f"node '{name}'"), lines.get(name))


def _range(node: Node) -> Extent:
    """The numbers that a node can be in an equation: of a class those of its levels."""
    match node:
        case Class(levels=levels):
            numbers = [
                float(n) for n in map(number, map(Scalar, map(str, levels))) if n is not None
            ]
            return Extent(min([0.0, *numbers]), max([len(levels) - 1.0, *numbers]), True)
        case Continuous(support=(low, high)):
            return Extent(low, high)
        case _:
            return Extent(-math.inf, math.inf)


def _law_range(law: Exogenous) -> Extent:
    if isinstance(law, Finite):
        return Extent(0.0, len(law.p) - 1.0, True)
    family = FAMILIES.get(law.name)
    return Extent(*family.support(dict(law.parameters)), family.discrete)


def _level_hint(name: str, nodes: Mapping[str, Node]) -> str | None:
    for node, declared in nodes.items():
        if isinstance(declared, Class) and name in declared.levels:
            return f"a level of '{node}' is a number in an equation: {declared.levels.index(name)}"
    return None
