"""Told: evidence short of values of one node, in engine values: a weight for every draw.

Notation: l_r(v) the weight of a value v in row r, scaled so that the largest is 1:

    class      a table of weights, a row each (virtual evidence, or one of several levels)
    number     1 within the row's interval, 0 elsewhere
    picture    1 where the pixels that are seen are the row's, 0 elsewhere

A draw of what is not known is *kept* with probability l_r(v): what is kept is drawn from the
posterior. Rows that are told nothing weigh all alike.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar, cast

import numpy as np
import torch
from torch import Tensor

from causalflow.errors import EvidenceError
from causalflow.mechanisms.mechanism import to_scale
from causalflow.values.column import entries_of, is_gap
from causalflow.values.image import image_of
from causalflow.values.likelihood import Likelihood, Seen, Span, likely
from causalflow.values.variable import NodeType

Parts = TypeVar("Parts", bound=tuple[Tensor, ...])

__all__ = ["Told", "read_told", "told_alone"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Told:
    """What is told of a node, in each of some rows, or the same in all.

    Attributes:
        words: how it is said, a row each.
        ids: a number a row, the same where the same row is repeated.
        virtual: whether some weights are neither 0 nor 1.
        table: the weights of a class's levels, shape (rows, levels), float64.
        ends: a number's lower and upper end, and whether they are left out: (rows,) each.
        seen: the pixels of a picture, and which of them are seen: (rows, *shape) each.
    """

    words: tuple[str, ...]
    ids: Tensor
    virtual: bool = False
    table: Tensor | None = None
    ends: tuple[Tensor, Tensor, Tensor] | None = None
    seen: tuple[Tensor, Tensor] | None = None

    @property
    def rows(self) -> int:
        """In how many rows it is told; 1: in all alike."""
        return len(self.words)

    def at(self, rows: Tensor) -> Told:
        """What is told in these rows."""
        if self.rows == 1:
            return self
        return replace(
            self,
            words=tuple(self.words[row] for row in rows.tolist()),
            ids=self.ids[rows],
            table=None if self.table is None else self.table[rows],
            ends=None if self.ends is None else _each(self.ends, lambda part: part[rows]),
            seen=None if self.seen is None else _each(self.seen, lambda part: part[rows]),
        )

    def weights(self, value: Tensor, rows: Tensor | None = None) -> Tensor:
        """l of each value: float64, shape (batch,).

        Args:
            value: engine values.
            rows: the row that each value is of; None: the only one.
        """
        row = torch.zeros_like(value[:1], dtype=torch.int64).reshape(1) if rows is None else rows
        row = row if self.rows > 1 else torch.zeros_like(row)
        if self.table is not None:
            return self.table[row, value.long()]
        if self.ends is not None:
            low, high, strict = (end[row] for end in self.ends)
            inside = torch.where(strict, value > low, value >= low)
            return (inside & torch.where(strict, value < high, value <= high)).double()
        assert self.seen is not None
        pixels, mask = (part[row] for part in self.seen)
        return ((value == pixels) | ~mask).flatten(1).all(1).double()

    def said(self, row: int) -> str:
        """How it is said in a row."""
        return self.words[row if self.rows > 1 else 0]

    @property
    def speaks(self) -> Tensor:
        """The rows that are told something: bool, shape (rows,)."""
        return torch.tensor([bool(each) for each in self.words])


def read_told(
    name: str, kind: NodeType, given: Any, device: torch.device
) -> tuple[Told, list[Any] | None]:
    """What is told of a node, and the column with a gap in place of every likelihood.

    Args:
        name: the node's name, for messages.
        kind: its type.
        given: a likelihood; or a column of them, values and gaps among them.
        device: where the tensors go.

    Returns:
        What is told, and the values that a column has besides; None where it has none.

    Raises:
        EvidenceError: a likelihood that does not fit the node.
    """
    if isinstance(given, Seen):
        return _pictures(name, kind, given, device), None
    single = isinstance(given, Likelihood)
    entries = [given] if single else list(entries_of(given).array)
    said = [each if isinstance(each, Likelihood) else None for each in entries]
    if kind.levels is not None:
        found = _levels(name, kind, said)
    elif kind.numeric and kind.scalar:
        found = _spans(name, kind, said)
    else:
        raise EvidenceError(
            f"node '{name}': '{next(filter(None, said))}' cannot be told of a {kind.word}; tell "
            "what is seen of a picture by cf.seen(picture, mask), for all rows at once"
        )
    placed = replace(
        found,
        table=None if found.table is None else found.table.to(device),
        ends=None if found.ends is None else _each(found.ends, lambda end: end.to(device)),
    )
    rest = [None if isinstance(each, Likelihood) else each for each in entries]
    return placed, None if single else rest


def told_alone(name: str, kind: NodeType, given: Any, device: torch.device) -> Told:
    """What is told of a node by a column in which every row is; a level counts as that level.

    Raises:
        EvidenceError: a likelihood that does not fit the node, or a row with a number or nothing.
    """
    if not isinstance(given, Likelihood) and kind.levels is not None:
        given = [
            each if isinstance(each, Likelihood) or is_gap(each) else likely([_level(kind, each)])
            for each in entries_of(given).array
        ]
    told, rest = read_told(name, kind, given, device)
    for row, entry in enumerate(rest or ()):
        if not told.words[row]:
            why = "has no value" if is_gap(entry) else "is a number, others are told short of one"
            raise EvidenceError(f"row {row}: '{name}' {why}; ask about rows of one kind at a time")
    return told


def _level(kind: NodeType, entry: Any) -> Any:
    levels = kind.levels or ()
    return levels[int(kind.read(entry))]


def _each(parts: Parts, change: Callable[[Tensor], Tensor]) -> Parts:
    return cast(Parts, tuple(map(change, parts)))


def _words(said: Sequence[Likelihood | None]) -> tuple[str, ...]:
    return tuple("" if each is None else str(each) for each in said)


def _levels(name: str, kind: NodeType, said: Sequence[Likelihood | None]) -> Told:
    levels = kind.levels or ()
    rows = {each: _row(name, kind, each) for each in dict.fromkeys(said)}
    table = torch.tensor([rows[each] for each in said], dtype=torch.float64)
    assert table.shape[1] == len(levels)
    virtual = bool(((table > 0) & (table < 1)).any())
    return Told(words=_words(said), ids=torch.arange(len(said)), virtual=virtual, table=table)


def _row(name: str, kind: NodeType, said: Likelihood | None) -> list[float]:
    """The weights of a class's levels, the largest 1."""
    levels = kind.levels or ()
    if said is None:
        return [1.0] * len(levels)
    if isinstance(said, Seen):
        raise EvidenceError(f"'{name}' is no image: there are no pixels to be seen")
    found = said.of(name, kind, levels)
    largest = max(found)
    if not largest:
        raise EvidenceError(f"the evidence has probability zero: '{name}' is never {said}")
    return [float(weight / largest) for weight in found]


def _spans(name: str, kind: NodeType, said: Sequence[Likelihood | None]) -> Told:
    for each in said:
        if each is not None and not isinstance(each, Span):
            raise EvidenceError(
                f"node '{name}': '{each}' is not told of a number; give an interval, as "
                "cf.within(1, 2), cf.above(1) or cf.below(2)"
            )
    spans = [each if isinstance(each, Span) else Span() for each in said]
    return Told(
        words=_words(said),
        ids=torch.arange(len(said)),
        ends=(
            torch.tensor([each.low for each in spans], dtype=torch.float64),
            torch.tensor([each.high for each in spans], dtype=torch.float64),
            torch.tensor([each.strict for each in spans]),
        ),
    )


def _pictures(name: str, kind: NodeType, said: Seen, device: torch.device) -> Told:
    image = image_of(kind)
    if image is None:
        raise EvidenceError(f"'{name}' is no image: there are no pixels to be seen")
    pictures, mask = said.read(image, f"node '{name}'")
    pixels = to_scale(kind, torch.from_numpy(np.array(pictures)))
    seen = torch.from_numpy(np.array(mask))
    words = (str(said),) * len(pictures)
    return Told(
        words=words, ids=torch.arange(len(words)), seen=(pixels.to(device), seen.to(device))
    )
