"""Separation: does every path between two sets of nodes stay closed given a third?

Notation: X, Y, Z disjoint sets of nodes; a path has a *collider* at a node when both of its edges
have an arrow head there. A path is open given Z when each of its colliders is in An(Z), the
ancestors of Z with Z itself, and no other inner node is in Z. X and Y are m-separated by Z when no
path between them is open; in a graph without bidirected edges this is d-separation.

The search runs over states (node, arrow head on arrival?), each entered once, so it is linear in
the graph. The first path it meets is a shortest one, and a shortest open walk repeats no node:
cutting a loop out of an open walk leaves an open walk.

Source: Richardson (2003), section 2.1; Shachter (1998) for the search.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from causalflow.errors import GraphError
from causalflow.graph.admg import ADMG, Names

__all__ = ["Separation", "separation"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Separation:
    """The answer to a separation question, with the open path as evidence; true when separated.

    Attributes:
        separated: no path is open.
        path: the nodes of a shortest open path, if there is one.
        marks: its edges, "->", "<-" or "<->", one fewer than its nodes.
        openings: for each collider of the path, a directed path from it to a given node.
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


class _State(NamedTuple):
    """Where a walk has come to, and whether its last edge has an arrow head there."""

    node: str
    head: bool


_Steps = dict[_State, tuple[_State | None, str]]


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
    downward = _steps_towards(admg, fixed)
    steps: _Steps = {}
    last = _search(admg, starts, frozenset(ends), frozenset(fixed), downward, steps)
    if last is None:
        return Separation(separated=True, text=_statement(starts, ends, fixed))
    path, marks = _retrace(last, steps)
    openings = tuple(_follow(node, downward) for node in _colliders(path, marks))
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


def _steps_towards(admg: ADMG, targets: tuple[str, ...]) -> dict[str, str]:
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
) -> _State | None:
    """Breadth first over states; ``steps`` records how each was reached; the state that ends it."""
    queue: deque[_State] = deque()
    for start in starts:
        steps[_State(start, False)] = (None, "")
        queue.append(_State(start, False))
    while queue:
        state = queue.popleft()
        if state.node in ends:
            return state
        for head, mark, following in _edges(admg, state.node):
            collider = state.head and head
            passable = state.node in opened if collider else state.node not in given
            if passable and following not in steps:
                steps[following] = (state, mark)
                queue.append(following)
    return None


def _edges(admg: ADMG, node: str) -> Iterator[tuple[bool, str, _State]]:
    """The edges at ``node``: arrow head here?, the mark as read from here, the state beyond."""
    for child in admg.ordered(admg.children(node)):
        yield False, "->", _State(child, True)
    for parent in admg.ordered(admg.parents(node)):
        yield True, "<-", _State(parent, False)
    for sibling in admg.ordered(admg.siblings(node)):
        yield True, "<->", _State(sibling, True)


def _retrace(last: _State, steps: _Steps) -> tuple[tuple[str, ...], tuple[str, ...]]:
    path, marks = [last.node], []
    before, mark = steps[last]
    while before is not None:
        path.append(before.node)
        marks.append(mark)
        before, mark = steps[before]
    return tuple(reversed(path)), tuple(reversed(marks))


def _colliders(path: tuple[str, ...], marks: tuple[str, ...]) -> Iterator[str]:
    for node, (before, after) in zip(path[1:], pairwise(marks), strict=False):
        if before.endswith(">") and after.startswith("<"):
            yield node


def _follow(node: str, downward: dict[str, str]) -> tuple[str, ...]:
    chain = [node]
    while downward[chain[-1]] != chain[-1]:
        chain.append(downward[chain[-1]])
    return tuple(chain)


def _render(
    path: tuple[str, ...], marks: tuple[str, ...], openings: tuple[tuple[str, ...], ...]
) -> str:
    line = path[0] + "".join(f" {m} {node}" for m, node in zip(marks, path[1:], strict=True))
    return ", ".join([line, *map(_render_opening, openings)])


def _render_opening(chain: tuple[str, ...]) -> str:
    if len(chain) == 1:
        return f"open at collider {chain[0]} as it is given"
    return f"open at collider {chain[0]} as {chain[-1]} is given ({' -> '.join(chain)})"


def _statement(x: tuple[str, ...], y: tuple[str, ...], given: tuple[str, ...]) -> str:
    condition = f" given {', '.join(given)}" if given else ""
    return f"{', '.join(x)} and {', '.join(y)} are separated{condition}"
