"""Hedge: the structure in a graph that forbids an effect to be computed from the data.

Notation: a *C-forest* is a graph whose nodes are one district and have at most one child each; its
*roots* are the nodes without children. A hedge for P(y | do(x)) is a pair of C-forests with the
same roots R, F' within F, where F meets X, F' does not, and R are ancestors of Y in the graph
without edges into X. Two models that differ only within F agree on P(v), not on P(y | do(x)).

Source: Shpitser & Pearl (2006), Definitions 4-6 and Theorem 4.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass

from causalflow.admg.admg import ADMG
from causalflow.proof.proof import names_text

__all__ = ["Hedge", "Unmeasured", "hedge_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hedge:
    """Two C-forests with the same roots.

    Attributes:
        forest: the nodes of F.
        inner: the nodes of F'.
        roots: the nodes of both without children.
        edges: the directed edges of F; those with both ends in ``inner`` are the edges of F'.
        treatments: the set X that F meets.
        outcomes: the set Y whose ancestors the roots are.
        experiment: the variables set in the data that the hedge is about; none: P(v).
    """

    forest: frozenset[str]
    inner: frozenset[str]
    roots: frozenset[str]
    edges: frozenset[tuple[str, str]]
    treatments: frozenset[str]
    outcomes: frozenset[str]
    experiment: frozenset[str] = frozenset()

    def __str__(self) -> str:
        forest, inner, roots = map(names_text, (self.forest, self.inner, self.roots))
        data = f"P(v | do({names_text(self.experiment)[1:-1]}))" if self.experiment else "P(v)"
        met = names_text(self.forest & self.treatments)
        return (
            f"hedge F = {forest}, F' = {inner}, roots {roots}: both are joined by hidden causes,"
            f" and only F has treatments, {met}; {data} cannot tell their effect"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Unmeasured:
    """A district of which every source of data sets a variable, so that none tells its factor.

    Source: Lee, Correa & Bareinboim (2019), Theorem 1.
    """

    district: frozenset[str]

    def __str__(self) -> str:
        shown = names_text(self.district)
        return f"every distribution sets some of {shown}, so none tells how they arise"


def hedge_of(
    region: ADMG,
    inner: frozenset[str],
    *,
    treatments: frozenset[str],
    outcomes: frozenset[str],
    experiment: frozenset[str] = frozenset(),
) -> Hedge:
    """The hedge made of a region that is one district, and a smaller one that it descends to.

    Every node keeps one edge, on a shortest way to the roots, by way of ``inner``.
    """
    parents = region.links.parents
    with_child = {p for node in inner for p in parents[node] if p in inner}
    roots = inner - with_child
    within = _tree(parents, roots, inner)
    below = {**within, **_tree(parents, inner, region.members)}
    return Hedge(
        forest=region.members,
        inner=inner,
        roots=roots,
        edges=frozenset(below.items()),
        treatments=treatments,
        outcomes=outcomes,
        experiment=experiment,
    )


def _tree(
    parents: Mapping[str, Set[str]], targets: frozenset[str], nodes: frozenset[str]
) -> dict[str, str]:
    """For each of ``nodes`` that is not a target, the child next on a shortest way to one."""
    following: dict[str, str] = {}
    frontier = sorted(targets)
    while frontier:
        reached = []
        for node in frontier:
            for parent in sorted(parents[node] & nodes):
                if parent not in following and parent not in targets:
                    following[parent] = node
                    reached.append(parent)
        frontier = reached
    return following
