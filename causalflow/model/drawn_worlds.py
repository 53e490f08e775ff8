"""Drawn worlds: the worlds of a question over one noise, and what the draws in them are counted to.

A world is the prediction of the noise under its interventions, computed once, and only as far as
needed. A nested subscript takes its value from the world it names, which is computed before.

Draws are counted into the cells of a table, a `Tally`, with the standard error of each. Notation: n
the draws that satisfy the conditions of a cell, k those with its outcome, p = k / n. The standard
error of p is sqrt(q (1 - q) / n) with q = (k + 1/2) / (n + 1), which is not zero where k happens to
be 0 or n (Agresti & Coull 1998, in spirit). That of a mean is s / sqrt(n).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from causalflow.errors import QueryError
from causalflow.graph.node import Level
from causalflow.limits import JOINT_CELLS
from causalflow.mechanisms.mechanism import Noise
from causalflow.mechanisms.policy import PolicyAction
from causalflow.model.drawn_question import declaration, levels_of, reached, read_value
from causalflow.model.scm import StructuralModel
from causalflow.model.support import Watch
from causalflow.model.told.told import told_alone
from causalflow.query.policy import Policy
from causalflow.query.query import Intervention, Term, World
from causalflow.values.image import codes_of, image_of
from causalflow.values.likelihood import Levels, Span
from causalflow.values.variable import UNTYPED

__all__ = ["Axis", "Cells", "DrawnWorlds", "Tally", "frequencies", "means"]

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]
Cells: TypeAlias = Mapping[tuple[Level, ...], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnWorlds:
    """The worlds of a question over one noise, each computed once.

    Attributes:
        scm: the fitted model.
        noise: the noise of each node and hidden root, by name.
        draws: the size of the batch.
        wanted: world -> what is read in it.
        settings: free intervention -> its value, one row.
        acting: the policies, each with what it draws.
        watch: told of what is set, and of what that moves.
    """

    scm: StructuralModel
    noise: Mapping[str, Noise]
    draws: int
    wanted: Mapping[World, frozenset[str]]
    settings: Mapping[str, Tensor]
    acting: Mapping[Policy, PolicyAction]
    watch: Watch
    _known: dict[World, Mapping[str, Tensor]] = field(default_factory=dict)

    def value(self, term: Term) -> Tensor:
        """The term's value in each draw."""
        if term.name not in self.scm.graph.nodes:
            return self.noise[term.name]["value"]
        if term.subscript not in self._known:
            self._known[term.subscript] = self._world(term.subscript)
        return self._known[term.subscript][term.name]

    def axis(self, term: Term) -> Axis:
        """The term as an axis of the answer; of a discrete image or a count what is drawn."""
        graph, value = self.scm.graph, self.value(term)
        kind = graph.nodes[term.name].type if term.name in graph.nodes else UNTYPED
        if (image := image_of(kind)) is not None and image.depth is not None:
            images, index = value.flatten(1).unique(dim=0, return_inverse=True)
            codes = codes_of(term.name, image, images.long().cpu().numpy()).tolist()
            return Axis(levels=tuple(codes), index=index.cpu().numpy())
        if kind.numeric and kind.integral:
            whole, index = value.unique(return_inverse=True)
            return Axis(levels=tuple(whole.long().tolist()), index=index.cpu().numpy())
        levels = levels_of(graph, term.name)
        if levels is None:
            other = f", or ask for E[{term.free}]" if kind.scalar else ""
            raise QueryError(
                f"query: '{term.name}' is {kind.predicate}, so '{term}' has no table of "
                f"probabilities; draw it with counterfactual(...) or sample(...){other}"
            )
        return Axis(levels=levels, index=value.long().cpu().numpy())

    def number(self, term: Term) -> Array:
        """The term as a number: levels that are no numbers count as their index."""
        nodes = self.scm.graph.nodes
        kind = nodes[term.name].type if term.name in nodes else UNTYPED
        if not kind.scalar:
            raise QueryError(
                f"query: the expectation of the {kind.word} '{term.name}'; ask sample(...)"
            )
        return kind.counted(self.value(term).cpu().numpy())

    def holds(self, term: Term) -> Array:
        """Whether the term has its value, in each draw."""
        if isinstance(term.value, Levels | Span):
            value = self.value(term)
            kind = declaration(self.scm.graph, term.name).type
            told = told_alone(term.name, kind, term.value, value.device)
            return np.asarray(told.weights(value).bool().cpu())
        axis = self.axis(term.free)
        place = axis.levels.index(term.value) if term.value in axis.levels else -1
        return np.asarray(axis.index == place)

    def meets(self, term: Term, value: Tensor) -> Array:
        """Whether the term has an engine value of one row, in each draw."""
        mine = self.value(term)
        return np.asarray(
            (mine == value).flatten(1).all(dim=1).cpu() if mine.ndim > 1 else (mine == value).cpu()
        )

    def _world(self, world: World) -> Mapping[str, Tensor]:
        set_ = {e.variable: self._action(e) for e in world if not isinstance(e.value, Policy)}
        policies = {e.variable: self.acting[e.value] for e in world if isinstance(e.value, Policy)}
        nodes = reached(self.scm, world, self.wanted[world])
        for name, value in set_.items():
            self.watch.setting(name, value, nodes)
        fixed = {n: value.expand(self.draws, *value.shape[1:]) for n, value in set_.items()}
        do = self.watch.actions(policies, nodes) | fixed
        noise = {n: each for n, each in self.noise.items() if n in nodes or n in self._roots}
        values = self.scm.predict(noise, do, rows=self.draws)
        self.watch.world(values, do)
        return values

    @property
    def _roots(self) -> frozenset[str]:
        return frozenset(self.scm.root_names)

    def _action(self, each: Intervention) -> Tensor:
        """What is set: one row for all draws, or that of another world, one a draw."""
        if each.nested is not None:
            return self.value(each.nested)
        value = self.settings.get(each.variable) if each.value is None else self._read(each)
        assert value is not None
        return value

    def _read(self, each: Intervention) -> Tensor:
        noises = (part for noise in self.noise.values() for part in noise.values())
        device = next((part.device for part in noises), torch.device("cpu"))
        return read_value(self.scm.graph, each.variable, each.value, device)[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """A variable of the answer.

    Attributes:
        levels: its values.
        index: which of them each draw has, shape (draws,).
    """

    levels: tuple[Level, ...]
    index: Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """The number of draws in each cell of an answer.

    Attributes:
        cells: levels of the axes -> number; zeros may be left out.
        error: the largest standard error.
        kept: how many draws satisfy the conditions that have a value.
        empty: whether some cell's condition was satisfied by no draw.
    """

    cells: Cells
    error: float
    kept: int
    empty: bool


def frequencies(
    kept: Array, event: Array, outcomes: Sequence[Axis], conditions: Sequence[Axis]
) -> Tally:
    """P(event, outcomes | conditions) among the draws that are kept.

    Args:
        kept: whether each draw is kept, shape (draws,), bool.
        event: whether the outcomes that have a value have it, shape (draws,), bool.
        outcomes: the free outcomes.
        conditions: the free conditions.
    """
    group, groups = _codes(conditions, kept)
    cell, cells = _codes(outcomes, kept)
    if cells * groups > JOINT_CELLS:
        raise QueryError(
            f"query: the table would have {cells * groups:,} cells; at most {JOINT_CELLS:,}: give"
            " some of its variables a value"
        )
    n = np.bincount(group, minlength=groups)
    hit = event[kept]
    k = np.bincount((cell * groups + group)[hit], minlength=cells * groups).reshape(cells, groups)
    q = (k + 0.5) / (n + 1)
    errors = np.where(n, np.sqrt(q * (1 - q) / np.maximum(n, 1)), 0.0)
    return _tally(k / np.maximum(n, 1), errors, n, (*outcomes, *conditions))


def means(kept: Array, number: Array, conditions: Sequence[Axis]) -> Tally:
    """E[number | conditions] among the draws that are kept; at least two of them."""
    group, groups = _codes(conditions, kept)
    n = np.bincount(group, minlength=groups)
    chosen = number[kept]
    mean = np.bincount(group, chosen, minlength=groups) / np.maximum(n, 1)
    squares = np.bincount(group, (chosen - mean[group]) ** 2, minlength=groups)
    errors = np.sqrt(squares / np.maximum(n - 1, 1) / np.maximum(n, 1))
    return _tally(mean[None], errors[None], n, conditions)


def _codes(axes: Sequence[Axis], kept: Array) -> tuple[Array, int]:
    """One number for the levels of several axes, last fastest, and how many there are."""
    code, count = np.zeros(int(kept.sum()), dtype=np.int64), 1
    for axis in axes:
        code = code * len(axis.levels) + axis.index[kept]
        count *= len(axis.levels)
    return code, count


def _tally(values: Array, errors: Array, n: Array, axes: Sequence[Axis]) -> Tally:
    cells = zip(product(*(axis.levels for axis in axes)), values.ravel().tolist(), strict=True)
    return Tally(
        cells={cell: number for cell, number in cells if number},
        error=float(errors.max()),
        kept=int(n.sum()),
        empty=bool((n == 0).any()),
    )
