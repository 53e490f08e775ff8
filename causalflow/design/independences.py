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

from collections.abc import Iterator, Mapping
from itertools import combinations, islice

from causalflow.admg.admg import ADMG, Names
from causalflow.admg.separation import separation
from causalflow.admg.separators import separating_sets
from causalflow.dependence.dependence import Method
from causalflow.design.contradictions import IndependenceTests, tested
from causalflow.design.independence import Independence
from causalflow.errors import GraphError, shown
from causalflow.graph.graph import Graph, admg_of
from causalflow.graph.node import Node
from causalflow.limits import CUTS
from causalflow.values.dataframe import Tabular, columns_of

__all__ = ["Independences", "implied_independences", "separated"]


class Independences(Iterator[Independence]):
    """The independences that a graph implies, each found when it is asked for."""

    def __init__(self, *, admg: ADMG, nodes: Mapping[str, Node], most: int | None) -> None:
        """Those of a graph, at most ``most`` of each pair; ``nodes`` says the types of some."""
        self._admg, self._nodes, self._most = admg, nodes, most
        self._found = self._all()

    def __next__(self) -> Independence:
        """The next statement."""
        return next(self._found)

    def test(
        self, rows: Tabular, *, level: float = 0.05, method: Method = "auto"
    ) -> IndependenceTests:
        """All the statements held against rows of data, the least likely first.

        A class is compared within strata of what is given, by Pearson's statistic with its exact
        mean and variance; a number, or a class where strata are thin, by what regressions on what
        is given leave of both. No linearity or distribution is assumed. Rows with a gap in the
        columns of a test are left out of it.

        Args:
            rows: a data frame of any library, or a mapping of columns; of a node without a type
                texts, and whole numbers of which few are different, are levels.
            level: the chance that any statement is called contradicted if all hold, at most.
            method: "auto"; or "strata", "residuals" or "correlation" (partial, which sees straight
                lines only) for all.

        Raises:
            DataError: a missing column, an entry that is no value of its node, rows of an
                experiment, or an argument out of range.

        Source: Shah & Peters (2020); Haldane (1940); Holm (1979).

        Example:
            >>> chain = Graph(edges=["a -> b -> c"])
            >>> rows = {"a": [0, 1] * 50, "b": [0, 0, 1, 1] * 25, "c": [0, 1] * 50}
            >>> print(implied_independences(chain).test(rows).contradicted[0].independence)
            a _||_ c | b
        """
        return tested(
            self._all(), columns_of(rows, "test"), self._nodes, level=level, method=method
        )

    def _all(self) -> Iterator[Independence]:
        """The statements, from the first on."""
        for x, y in combinations(self._admg.nodes, 2):
            for given in islice(_separating(self._admg, x, y), self._most):
                yield Independence(x=x, y=y, given=given)


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


def implied_independences(graph: Graph | ADMG, *, most: int | None = None) -> Independences:
    """The independences that data from any model of the graph show: all minimal ones.

    Pairs come in declared order, the sets of a pair fewest variables first.

    Args:
        graph: the causal graph; latent nodes are in no statement.
        most: how many sets of each pair are looked for, at least 1; None: all of them.

    Returns:
        The statements one by one, each found when it is asked for; their ``test(rows)`` holds all
        of them against data.

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
    nodes = graph.nodes if isinstance(graph, Graph) else {}
    return Independences(admg=admg, nodes=nodes, most=most)


def _separating(admg: ADMG, x: str, y: str) -> Iterator[frozenset[str]]:
    one, other = frozenset({x}), frozenset({y})
    if not (yield from separating_sets(admg, one, other, frozenset(admg.nodes) - one - other)):
        raise GraphError(
            f"implied_independences: what separates '{x}' and '{y}' takes more than {CUTS:,} steps"
            " to list; most=1 finds one set for each pair"
        )
