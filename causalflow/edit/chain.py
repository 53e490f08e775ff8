"""Chain: one entry of ``edges:``, and what is left of it when an edge, a node or a name goes.

    a, b -> c <-> d        groups (a, b), (c), (d); arrows ->, <->

Each arrow joins every name on its left with every name on its right, so an edge can be cut out of a
chain only by parting it. Without a -> c the chain above is ``b -> c`` and ``c <-> d``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from causalflow.graph.edges import parse_chain
from causalflow.names import written

__all__ = ["Chain", "Ends"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """An edge.

    Attributes:
        source: where it begins; one of the ends where it is bidirected.
        target: where it leads.
        bidirected: whether it stands for a hidden common cause.
    """

    source: str
    target: str
    bidirected: bool = False

    def __str__(self) -> str:
        """The edge as it is written."""
        mark = "<->" if self.bidirected else "->"
        return f"{written(self.source)} {mark} {written(self.target)}"

    def is_between(self, left: str, arrow: str, right: str) -> bool:
        """Whether the arrow between two names is this edge."""
        ends = (self.source, self.target)
        if self.bidirected or arrow == "<->":
            return self.bidirected and arrow == "<->" and sorted(ends) == sorted((left, right))
        return ends == ((left, right) if arrow == "->" else (right, left))


@dataclass(frozen=True, slots=True)
class Chain:
    """Groups of names with arrows between them.

    Attributes:
        groups: the names; two groups at least.
        arrows: ``->``, ``<-`` or ``<->``; one fewer.
    """

    groups: tuple[tuple[str, ...], ...]
    arrows: tuple[str, ...]

    @classmethod
    def read(cls, text: str) -> Chain:
        """The chain of an edge string without its kind.

        Raises:
            GraphError: what cannot be read, with its column.
        """
        groups, arrows = parse_chain(text)
        return cls(tuple(map(tuple, groups)), tuple(arrows))

    def __str__(self) -> str:
        """The chain as it is written."""
        first, *others = (", ".join(map(written, group)) for group in self.groups)
        return first + "".join(
            f" {arrow} {group}" for arrow, group in zip(self.arrows, others, strict=True)
        )

    @property
    def names(self) -> frozenset[str]:
        """Every name in it."""
        return frozenset(name for group in self.groups for name in group)

    def place_of(self, edge: Ends) -> int | None:
        """The number of the arrow that draws the edge; None where none does."""
        steps = zip(pairwise(self.groups), self.arrows, strict=True)
        for number, ((left, right), arrow) in enumerate(steps):
            if any(edge.is_between(a, arrow, b) for a in left for b in right):
                return number
        return None

    def without_edge(self, edge: Ends) -> tuple[Chain, ...]:
        """The chains that draw every edge but one.

        Example:
            >>> [str(each) for each in Chain.read("a, b -> c -> d").without_edge(
            ...     Ends(source="a", target="c"))]
            ['b -> c', 'c -> d']
        """
        place = self.place_of(edge)
        if place is None:
            return (self,)
        left, arrow, right = self.groups[place], self.arrows[place], self.groups[place + 1]
        a = edge.source if edge.source in left else edge.target
        b = edge.target if a == edge.source else edge.source
        others = tuple(name for name in left if name != a)
        rest = tuple(name for name in right if name != b)
        parts = [(self.groups[: place + 1], self.arrows[:place])]
        parts += [((others, right), (arrow,)), (((a,), rest), (arrow,))]
        parts += [(self.groups[place + 1 :], self.arrows[place + 1 :])]
        return tuple(Chain(groups, arrows) for groups, arrows in parts if all(groups) and arrows)

    def without_node(self, name: str) -> tuple[Chain, ...]:
        """The chains that draw every edge but those of one node.

        Example:
            >>> [str(each) for each in Chain.read("a -> b -> c -> d").without_node("b")]
            ['c -> d']
        """
        left = [tuple(each for each in group if each != name) for group in self.groups]
        return tuple(_unbroken(left, self.arrows))

    def renamed(self, new: Callable[[str], str]) -> Chain:
        """The chain with other names."""
        return Chain(tuple(tuple(map(new, group)) for group in self.groups), self.arrows)


def _unbroken(groups: list[tuple[str, ...]], arrows: tuple[str, ...]) -> Iterator[Chain]:
    """The chains between the groups that are empty."""
    run: list[tuple[str, ...]] = []
    joints: list[str] = []
    for group, arrow in zip([*groups, ()], [*arrows, "", ""], strict=False):
        if group:
            run.append(group)
            joints.append(arrow)
            continue
        if len(run) > 1:
            yield Chain(tuple(run), tuple(joints[: len(run) - 1]))
        run, joints = [], []
