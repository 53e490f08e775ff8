"""Separation: does every path between two sets of nodes stay closed given a third?

Notation: X, Y, Z disjoint sets of nodes; a path has a *collider* at a node when both of its edges
have an arrow head there. A path is open given Z when each of its colliders is in An(Z), the
ancestors of Z with Z itself, and no other inner node is in Z. X and Y are m-separated by Z when no
path between them is open; in a graph without bidirected edges this is d-separation.

The search runs over states (node, arrow head on arrival?), each entered once, so it is linear in
the graph. The first path it meets is a shortest one, and a shortest open walk repeats no node:
cutting a loop out of an open walk leaves an open walk.

`separation` answers one question, with its path. `Separations` answers thousands about one graph,
with or without some edges, on sets kept as bits: node i is bit 1 << i; ``into`` are the nodes whose
incoming edges are cut, ``out_of`` those whose outgoing directed edges are.

Source: Richardson (2003), section 2.1; Shachter (1998) for the search.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

from causalflow.admg.admg import ADMG, Names
from causalflow.errors import GraphError

__all__ = [
    "Separation",
    "Separations",
    "bits_of",
    "colliders",
    "edges_at",
    "follow",
    "opening_text",
    "separation",
    "steps_towards",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Separation:
    """The answer to a separation question, with the open path as evidence; true when separated.

    Attributes:
        separated: no path is open.
        path: the nodes of a shortest open path, if there is one.
        marks: its edges, "->", "<-" or "<->", one fewer than its nodes.
        openings: a directed path from each collider of the path to a given node.
        text: the path as ``x <- z <-> y`` and what opens its colliders; else the statement.
    """

    separated: bool
    path: tuple[str, ...] | None = None
    marks: tuple[str, ...] = ()
    openings: tuple[tuple[str, ...], ...] = ()
    text: str = ""

    def __bool__(self) -> bool:
        return self.separated

    def __str__(self) -> str:
        return self.text


class State(NamedTuple):
    """Where a walk has come to, and whether its last edge has an arrow head there."""

    node: str
    head: bool


_Steps = dict[State, tuple[State | None, str]]


def separation(admg: ADMG, x: Names, y: Names, given: Names = ()) -> Separation:
    """Whether ``given`` m-separates ``x`` from ``y`` in ``admg``.

    Raises:
        GraphError: an unknown node, or one that is in two of the three sets.

    Example:
        >>> collider = ADMG(("x", "c", "y", "d"), frozenset({("x", "c"), ("y", "c"), ("c", "d")}))
        >>> separation(collider, "x", "y").separated
        True
        >>> print(separation(collider, "x", "y", given="d"))
        x -> c <- y, open at collider c as d is given (c -> d)
    """
    starts, ends, fixed = (admg.ordered(names) for names in (x, y, given))
    _require_disjoint(starts, ends, fixed)
    downward = steps_towards(admg, fixed)
    steps: _Steps = {}
    last = _search(admg, starts, frozenset(ends), frozenset(fixed), downward, steps)
    if last is None:
        return Separation(separated=True, text=_statement(starts, ends, fixed))
    path, marks = _retrace(last, steps)
    openings = tuple(follow(node, downward) for node in colliders(path, marks))
    text = _render(path, marks, openings)
    return Separation(separated=False, path=path, marks=marks, openings=openings, text=text)


def _require_disjoint(*sets: tuple[str, ...]) -> None:
    seen: set[str] = set()
    for name in (name for names in sets for name in names):
        if name in seen:
            raise GraphError(
                f"separation: node '{name}' is given twice; x, y and given must be disjoint"
            )
        seen.add(name)


def steps_towards(admg: ADMG, targets: tuple[str, ...]) -> dict[str, str]:
    """For each ancestor of the targets, the next node on a shortest directed path to one."""
    following = {name: name for name in targets}
    queue = deque(targets)
    while queue:
        node = queue.popleft()
        for parent in admg.ordered(admg.parents(node)):
            if parent not in following:
                following[parent] = node
                queue.append(parent)
    return following


def _search(
    admg: ADMG,
    starts: tuple[str, ...],
    ends: frozenset[str],
    given: frozenset[str],
    opened: dict[str, str],
    steps: _Steps,
) -> State | None:
    """Breadth first over states; ``steps`` records how each was reached; the state that ends it."""
    queue: deque[State] = deque()
    for start in starts:
        steps[State(start, False)] = (None, "")
        queue.append(State(start, False))
    while queue:
        state = queue.popleft()
        if state.node in ends:
            return state
        for head, mark, following in edges_at(admg, state.node):
            collider = state.head and head
            passable = state.node in opened if collider else state.node not in given
            if passable and following not in steps:
                steps[following] = (state, mark)
                queue.append(following)
    return None


def edges_at(admg: ADMG, node: str) -> Iterator[tuple[bool, str, State]]:
    """The edges at ``node``: arrow head here?, the mark as read from here, the state beyond."""
    for child in admg.ordered(admg.children(node)):
        yield False, "->", State(child, True)
    for parent in admg.ordered(admg.parents(node)):
        yield True, "<-", State(parent, False)
    for sibling in admg.ordered(admg.siblings(node)):
        yield True, "<->", State(sibling, True)


def _retrace(last: State, steps: _Steps) -> tuple[tuple[str, ...], tuple[str, ...]]:
    path, marks = [last.node], []
    before, mark = steps[last]
    while before is not None:
        path.append(before.node)
        marks.append(mark)
        before, mark = steps[before]
    return tuple(reversed(path)), tuple(reversed(marks))


def colliders(path: tuple[str, ...], marks: tuple[str, ...]) -> Iterator[str]:
    """The inner nodes of a path at which both of its edges have an arrow head."""
    for node, (before, after) in zip(path[1:], pairwise(marks), strict=False):
        if before.endswith(">") and after.startswith("<"):
            yield node


def follow(node: str, downward: Mapping[str, str]) -> tuple[str, ...]:
    """A directed path, by the next node of each as `steps_towards` has them."""
    chain = [node]
    while downward[chain[-1]] != chain[-1]:
        chain.append(downward[chain[-1]])
    return tuple(chain)


def _render(
    path: tuple[str, ...], marks: tuple[str, ...], openings: tuple[tuple[str, ...], ...]
) -> str:
    line = path[0] + "".join(f" {m} {node}" for m, node in zip(marks, path[1:], strict=True))
    return ", ".join([line, *map(opening_text, openings)])


def opening_text(chain: tuple[str, ...]) -> str:
    """What opens a collider: it is given, or a node that it leads to."""
    if len(chain) == 1:
        return f"open at collider {chain[0]} as it is given"
    return f"open at collider {chain[0]} as {chain[-1]} is given ({' -> '.join(chain)})"


def _statement(x: tuple[str, ...], y: tuple[str, ...], given: tuple[str, ...]) -> str:
    condition = f" given {', '.join(given)}" if given else ""
    return f"{', '.join(x)} and {', '.join(y)} are separated{condition}"


def bits_of(mask: int) -> Iterator[int]:
    """The single bits of a set.

    Example:
        >>> list(bits_of(0b1101))
        [1, 4, 8]
    """
    while mask:
        bit = mask & -mask
        yield bit
        mask ^= bit


@dataclass(frozen=True, slots=True)
class Separations:
    """The separations of a graph."""

    admg: ADMG
    _place: dict[str, int] = field(default_factory=dict)
    _parents: dict[int, int] = field(default_factory=dict)
    _children: dict[int, int] = field(default_factory=dict)
    _siblings: dict[int, int] = field(default_factory=dict)
    _reached: dict[tuple[int, int, int, int], int] = field(default_factory=dict)
    _above: dict[tuple[int, int], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._place.update({name: 1 << at for at, name in enumerate(self.admg.nodes)})
        for name, bit in self._place.items():
            self._parents[bit] = self.mask(self.admg.parents(name))
            self._children[bit] = self.mask(self.admg.children(name))
            self._siblings[bit] = self.mask(self.admg.siblings(name))

    def mask(self, names: Iterable[str]) -> int:
        """The bits that stand for a set of names."""
        return sum(self._place[name] for name in names)

    def names(self, mask: int) -> frozenset[str]:
        """The names that the bits stand for."""
        return frozenset(name for name, bit in self._place.items() if bit & mask)

    def ancestors(self, mask: int, into: int = 0) -> int:
        """The nodes of a set and all with a directed path into them."""
        key = (mask, into)
        if key not in self._above:
            seen = frontier = mask
            while frontier:
                bit = frontier & -frontier
                frontier ^= bit
                if not bit & into:
                    fresh = self._parents[bit] & ~seen
                    seen |= fresh
                    frontier |= fresh
            self._above[key] = seen
        return self._above[key]

    def separated(self, bit: int, others: int, given: int, into: int = 0, out_of: int = 0) -> bool:
        """Whether ``given`` separates one node from all of ``others`` once the edges are cut."""
        key = (bit, given, into, out_of)
        reached = self._reached.get(key)
        if reached is None:
            reached = self._reached[key] = self._search(bit, given, into, out_of)
        return not reached & others

    def all_separated(
        self, some: int, others: int, given: int, into: int = 0, out_of: int = 0
    ) -> bool:
        """Whether ``given`` separates each node of a set from all of ``others``."""
        return all(self.separated(bit, others, given, into, out_of) for bit in bits_of(some))

    def _search(self, start: int, given: int, into: int, out_of: int) -> int:
        """The nodes with an open walk from ``start``: those come to by a tail, and by a head."""
        opened = self._opened(given, into, out_of)
        tails, heads, at_tail, at_head = start, 0, start, 0
        while at_tail or at_head:
            if at_tail:
                bit, is_head = at_tail & -at_tail, False
                at_tail ^= bit
            else:
                bit, is_head = at_head & -at_head, True
                at_head ^= bit
            to_head = to_tail = 0
            if not bit & (given | out_of):
                to_head = self._children[bit] & ~into
            if not bit & into and bit & (opened if is_head else ~given):
                to_head |= self._siblings[bit] & ~into
                to_tail = self._parents[bit] & ~out_of
            at_head |= to_head & ~heads
            at_tail |= to_tail & ~tails
            heads |= to_head
            tails |= to_tail
        return (tails | heads) & ~start

    def _opened(self, given: int, into: int, out_of: int) -> int:
        """The colliders that ``given`` opens: its ancestors once the edges are cut."""
        if not out_of:
            return self.ancestors(given, into)
        seen = frontier = given
        while frontier:
            bit = frontier & -frontier
            frontier ^= bit
            if not bit & into:
                fresh = self._parents[bit] & ~seen & ~out_of
                seen |= fresh
                frontier |= fresh
        return seen
