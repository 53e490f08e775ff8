"""Support: the ranges that mechanisms were fitted to, and the values of a call outside of them.

A mechanism that was fitted knows its node's law where its rows were: each continuous column it read
has a range there (`causalflow.model.experience`). Outside of the range it extrapolates, and nobody
knows how well. An equation is right everywhere, so only what a learned mechanism reads counts:

    evidence   a value that is given: as a parent it counts wherever it lies outside; as the node's
               own, if it lies beyond an end by more than `MARGIN` of the range's width
    do         a value that is set, read as a parent: it counts wherever it lies outside; after a
               shift, if the shift moved it out of the range
    moved      parents that an intervention moves: some draws pass the ends by themselves, so more
               than `SHARE` of the rows must lie beyond by more than `MARGIN` of the width

So it is with a level of a class parent that no row had: nothing was learned of it.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any

import torch
from torch import Tensor

from causalflow.errors import SupportWarning, one_line
from causalflow.mechanisms.policy import PolicyAction
from causalflow.model.experience import Experience
from causalflow.model.scm import Intervention, StructuralModel

__all__ = ["Outside", "Unseen", "Watch"]

SHARE = 0.01
MARGIN = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """Values of a node outside of a range.

    Attributes:
        node: its name.
        how: "evidence", "do" or "moved".
        low: the least value in the rows that were fitted to.
        high: the largest value there.
        count: the number of rows outside.
        rows: the number of all rows.
        least: the least of the values outside.
        largest: the largest of them.
        unit: that of the numbers, if the node declares one.
    """

    node: str
    how: str
    low: float
    high: float
    count: int
    rows: int
    least: float
    largest: float
    unit: str | None = None

    def __str__(self) -> str:
        start = {"evidence": "evidence ", "do": "do(", "moved": ""}[self.how] + self.node
        end = ")" if self.how == "do" else ""
        after = " after the intervention" if self.how == "moved" else ""
        low, high, least, largest = told_apart(self.low, self.high, self.least, self.largest)
        unit = f" {self.unit}" if self.unit else ""
        within = f"outside {low} to {high}{unit}, the range that was fitted to"
        if self.least == self.largest and self.count == self.rows:
            return f"{start}={least}{end}{after} is {within}"
        values = least if self.largest == self.least else f"from {least} to {largest}"
        return f"{start}{end}{after}: {self.count:,} of {self.rows:,} values, {values}, {within}"

    def and_(self, other: Outside) -> Outside:
        """The values outside in these rows and in further ones."""
        return Outside(
            node=self.node,
            how=self.how,
            low=self.low,
            high=self.high,
            count=self.count + other.count,
            rows=self.rows + other.rows,
            least=min(self.least, other.least),
            largest=max(self.largest, other.largest),
            unit=self.unit,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Unseen:
    """Levels of a class node that no row had.

    Attributes:
        node: its name.
        how: "evidence", "do" or "moved".
        levels: their names.
        count: the number of rows with one of them.
        rows: the number of all rows.
    """

    node: str
    how: str
    levels: frozenset[str]
    count: int
    rows: int

    def __str__(self) -> str:
        levels = " or ".join(sorted(self.levels))
        start = {"evidence": "evidence ", "do": "do(", "moved": ""}[self.how]
        end = {"evidence": "", "do": ")", "moved": " after the intervention"}[self.how]
        share = "" if self.count == self.rows else f" ({self.count:,} of {self.rows:,} values)"
        return f"{start}{self.node}={levels}{end}{share}: no row that was fitted to had that level"

    def and_(self, other: Unseen) -> Unseen:
        """The levels in these rows and in further ones."""
        return Unseen(
            node=self.node,
            how=self.how,
            levels=self.levels | other.levels,
            count=self.count + other.count,
            rows=self.rows + other.rows,
        )


def told_apart(*numbers: float) -> list[str]:
    """The numbers in as few digits, four at least, as show those that differ differently.

    Example:
        >>> told_apart(1.0, 3.0, 3.0000001)
        ['1', '3', '3.0000001']
    """
    texts = [f"{number:.4g}" for number in numbers]
    for digits in range(5, 18):
        if len(set(texts)) == len(set(numbers)):
            break
        texts = [f"{number:.{digits}g}" for number in numbers]
    return texts


@dataclass(slots=True, kw_only=True, eq=False)
class Watch:
    """What one call has given outside of its mechanisms' ranges.

    Attributes:
        scm: the model.
        experience: what it keeps of the rows it was fitted to.
    """

    scm: StructuralModel
    experience: Experience
    _found: dict[tuple[str, str], Outside | Unseen] = field(default_factory=dict)

    @property
    def found(self) -> tuple[Outside | Unseen, ...]:
        """What was outside, each node and way once."""
        return tuple(each for each in self._found.values() if each.count)

    @property
    def sentences(self) -> tuple[str, ...]:
        """A sentence for each of them."""
        return tuple(map(str, self.found))

    @property
    def warning(self) -> str:
        """All of it in one line; empty where nothing was outside."""
        said = "; ".join(self.sentences)
        return one_line(said, ": what was learned is extrapolated there") if said else ""

    def tell(self, call: str) -> None:
        """Warn whoever called the model's method of that name, once, of all that was outside."""
        if warning := self.warning:
            warnings.warn(f"{call}: {warning}", SupportWarning, stacklevel=3)

    def add(self, other: Watch) -> None:
        """What another call has given."""
        for each in other.seen:
            self._note(each)

    @property
    def seen(self) -> tuple[Outside | Unseen, ...]:
        """All that was looked at, what was inside too."""
        return tuple(self._found.values())

    def share(self, seen: Iterable[Sequence[Outside | Unseen]]) -> None:
        """What several processes have given, this one among them."""
        self._found.clear()
        for each in chain.from_iterable(seen):
            self._note(each)

    def evidence(self, values: Mapping[str, Tensor], used: Collection[str]) -> None:
        """Values of the actual world, read by the mechanisms of ``used``."""
        for name, value in values.items():
            if readers := self._readers(name, used):
                self._see(name, "evidence", value, readers)
            elif name in used and name in self.experience.ranges.get(name, {}):
                self._see(name, "evidence", value, [name], margin=MARGIN)

    def setting(self, name: str, value: Tensor, used: Collection[str]) -> None:
        """A value that is set, read by the mechanisms of ``used``."""
        self._see(name, "do", value, self._readers(name, used))

    def actions(
        self, actions: Mapping[str, Intervention], used: Collection[str]
    ) -> dict[str, Intervention]:
        """The interventions; those that are functions are watched when they act."""
        fixed = {name for name, action in actions.items() if isinstance(action, Tensor)}
        computed = frozenset(used) - fixed
        watched: dict[str, Intervention] = {}
        for name, action in actions.items():
            if isinstance(action, Tensor):
                self.setting(name, action, computed)
                watched[name] = action
            elif isinstance(action, PolicyAction):
                watched[name] = replace(action, tell=self._policy(name, computed))
            else:
                watched[name] = self._shift(name, action, computed)
        return watched

    def world(self, values: Mapping[str, Tensor], done: Collection[str]) -> None:
        """A world under an intervention on ``done``: the parents that it has moved."""
        for name in values.keys() & self.scm.below(done):
            readers = self._readers(name, values.keys() - frozenset(done))
            self._see(name, "moved", values[name], readers, margin=MARGIN, share=SHARE)

    def _shift(
        self, name: str, action: Callable[[Tensor], Tensor], used: Collection[str]
    ) -> Intervention:
        def watched(natural: Tensor) -> Tensor:
            given = action(natural)
            self._see(name, "do", given, self._readers(name, used), before=natural)
            return given

        return watched

    def _policy(self, name: str, used: Collection[str]) -> Callable[[Tensor, Tensor | None], None]:
        def see(value: Tensor, natural: Tensor | None) -> None:
            before = natural if self.scm.types[name].numeric else None
            self._see(name, "do", value, self._readers(name, used), before=before)

        return see

    def _readers(self, name: str, used: Collection[str]) -> list[str]:
        """The learned mechanisms that read a node as a parent."""
        ranges, unseen = self.experience.ranges, self.experience.unseen
        return [
            n
            for n in used
            if n != name and (name in ranges.get(n, ()) or name in unseen.get(n, ()))
        ]

    def _see(
        self,
        name: str,
        how: str,
        value: Tensor,
        readers: Collection[str],
        before: Tensor | None = None,
        margin: float = 0.0,
        share: float = 0.0,
    ) -> None:
        """Note values outside, if more than ``share`` of them are by more than ``margin``."""
        if not readers:
            return
        if not self.scm.types[name].numeric:
            self._note(self._unseen(name, how, value, readers, share))
            return
        ends = [self.experience.ranges[reader][name] for reader in readers]
        low, high = max(low for low, _ in ends), min(high for _, high in ends)
        outside = _beyond(value, low, high)
        if before is not None:
            outside &= ~_beyond(before, low, high)
        room = margin * (high - low)
        if (outside & _beyond(value, low - room, high + room)).double().mean() <= share:
            outside = torch.zeros_like(outside)
        values = value[outside]
        seen = Outside(
            node=name,
            how=how,
            low=low,
            high=high,
            count=len(values),
            rows=value.numel(),
            least=float(values.min()) if len(values) else math.inf,
            largest=float(values.max()) if len(values) else -math.inf,
            unit=self.scm.types[name].unit,
        )
        self._note(seen)

    def _unseen(
        self, name: str, how: str, value: Tensor, readers: Collection[str], share: float
    ) -> Unseen:
        """The rows with a level that a reader never met, if they are more than ``share``."""
        kind = self.scm.types[name]
        missing = {k for reader in readers for k in self.experience.unseen[reader][name]}
        among = torch.isin(value, torch.tensor(sorted(missing), device=value.device))
        if among.double().mean() <= share:
            among = torch.zeros_like(among)
        levels = [] if kind.levels is None else [str(kind.levels[k]) for k in value[among].unique()]
        return Unseen(
            node=name,
            how=how,
            levels=frozenset(levels),
            count=int(among.sum()),
            rows=value.numel(),
        )

    def _note(self, seen: Outside | Unseen) -> None:
        key = (seen.node, seen.how)
        before: Any = self._found.get(key)  # of one node, and so of one kind
        self._found[key] = seen if before is None else before.and_(seen)


def _beyond(value: Tensor, low: float, high: float) -> Tensor:
    """Which values are outside, NaN being none."""
    return (value < low) | (value > high)
