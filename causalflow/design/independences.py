"""Independences: what a graph says about data before any question is asked.

Notation: x _||_ y | Z says that x and y are independent given Z in every distribution that a model
of the graph gives its nodes, which is so if and only if Z m-separates x and y. Each pair of nodes
that some set separates is given with its minimal sets, those of which no part separates them. In a
graph without bidirected edges these are the pairs without an edge; with bidirected edges no set
separates some of those either.

Source: Pearl (2009), section 1.2; Richardson (2003); Textor et al. (2016), dagitty, which lists the
same statements; van der Zander, Liskiewicz & Textor (2019) for the search.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, islice

from causalflow.admg.admg import ADMG, Names
from causalflow.admg.separation import separation
from causalflow.admg.separators import separating_sets
from causalflow.errors import GraphError, shown
from causalflow.graph.graph import Graph, admg_of
from causalflow.limits import CUTS
from causalflow.names import written

__all__ = ["Independence", "implied_independences", "separated"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Independence:
    """Two variables that are independent given others.

    Attributes:
        x: the one that is declared first.
        y: the other.
        given: the variables that separate them; empty if nothing need be given.
    """

    x: str
    y: str
    given: frozenset[str] = frozenset()

    def __str__(self) -> str:
        behind = f" | {', '.join(map(written, sorted(self.given)))}" if self.given else ""
        return f"{written(self.x)} _||_ {written(self.y)}{behind}"


def separated(graph: Graph | ADMG, x: Names, y: Names, given: Names = ()) -> bool:
    """Whether ``given`` blocks every path between ``x`` and ``y`` (m-separation).

    Then they are independent given it in every model of the graph; `Graph.separated` answers with
    the path that is open if not.

    Args:
        graph: the causal graph.
        x: one name or several.
        y: one name or several.
        given: one name, several, or none.

    Raises:
        GraphError: an unknown node, or one that is given twice.

    Source: Richardson (2003), section 2.1.

    Example:
        >>> graph = Graph(edges=["x -> m -> y -> z", "m <-> y"])
        >>> separated(graph, "x", "z", given=["y"]), separated(graph, "x", ["y", "z"], given="m")
        (True, False)
    """
    return bool(separation(admg_of(graph, "separated"), x, y, given))


def implied_independences(
    graph: Graph | ADMG, *, most: int | None = None
) -> Iterator[Independence]:
    """The independences that data from any model of the graph show: all minimal ones.

    Pairs come in declared order, the sets of a pair fewest variables first.

    Args:
        graph: the causal graph; latent nodes are in no statement.
        most: how many sets of each pair are looked for, at least 1; None: all of them.

    Returns:
        The statements one by one, each found when it is asked for.

    Raises:
        GraphError: ``most`` is no such number; while the statements are read, that a pair has too
            many sets to look through.

    Source: Textor et al. (2016), dagitty: ``impliedConditionalIndependencies``.

    Example:
        >>> diamond = Graph(edges=["a -> b -> d", "a -> c -> d"])
        >>> print(*implied_independences(diamond), sep="; ")
        a _||_ d | b, c; b _||_ c | a
    """
    if most is not None and (not isinstance(most, int) or isinstance(most, bool) or most < 1):
        raise GraphError(
            f"implied_independences: most is {shown(most, 60)}; expected a number from 1, or None"
        )
    admg = admg_of(graph, "implied_independences")
    return (
        Independence(x=x, y=y, given=given)
        for x, y in combinations(admg.nodes, 2)
        for given in islice(_separating(admg, x, y), most)
    )


def _separating(admg: ADMG, x: str, y: str) -> Iterator[frozenset[str]]:
    one, other = frozenset({x}), frozenset({y})
    if not (yield from separating_sets(admg, one, other, frozenset(admg.nodes) - one - other)):
        raise GraphError(
            f"implied_independences: what separates '{x}' and '{y}' takes more than {CUTS:,} steps"
            " to list; most=1 finds one set for each pair"
        )
