"""Separations: many m-separations in one graph, asked again and again, on sets kept as bits.

Notation: node i is bit 1 << i; ``into`` are the nodes whose incoming edges are cut, ``out_of``
those whose outgoing directed edges are. `separation` answers one question with its path; this
answers thousands.

Source: Shachter (1998), Richardson (2003), as in `causalflow.graph.separation`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from causalflow.graph.admg import ADMG

__all__ = ["Separations", "bits_of"]


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
        """A set of names as bits."""
        return sum(self._place[name] for name in names)

    def names(self, mask: int) -> frozenset[str]:
        """The set as names."""
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
