"""Sampling: a causal question answered by draws, its worlds sharing their noise.

    P(y[x=1] | w=0)      draw u; compute w(u), and y in the world x=1; count y where w(u) = 0
    P(y[x=1] | image)    draw u ~ p(u | image) by abduction; compute y in the world x=1; count

All worlds are computed from one noise (`causalflow.model.drawn_worlds`), so that they hang together
as the model has it.

Source: Pearl (2009), *Causality*, theorem 7.1.7.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

import numpy as np
import torch
from torch import Tensor

from causalflow.errors import EvidenceError, ImpossibleError, RowError
from causalflow.exact.impossible import impossible_note
from causalflow.factors.table import Table
from causalflow.graph.node import Level
from causalflow.mechanisms.image.image_mechanism import ImageMechanism
from causalflow.mechanisms.mechanism import Noise, draw_uniform
from causalflow.model.completion import complete, completed_noise
from causalflow.model.drawn_question import DrawnQuestion, levels_of, read_question, read_value
from causalflow.model.drawn_worlds import Array, DrawnWorlds, Tally, frequencies, means
from causalflow.model.evidence import check_count, check_fitted, policy_action
from causalflow.model.hidden.standing import assumed_of
from causalflow.model.scm import StructuralModel
from causalflow.model.support import Watch
from causalflow.model.told.pictures import DRAWN_AS_SHOWN
from causalflow.model.told.told import Told
from causalflow.query.answer import ROW, Answer, combined_answer
from causalflow.query.known import Known, KnownParts
from causalflow.query.means import counting_notes
from causalflow.query.query import Kind
from causalflow.values.likelihood import virtual_notes

__all__ = ["DRAWS", "FEWEST", "IMAGE_DRAWS", "simulate"]

DRAWS = 100_000
"""Draws by default, those of all rows together; at least a hundredth of them for each row."""
IMAGE_DRAWS = 1_000
"""Draws by default where images have to be made for each of them."""
FEWEST = 100
"""Draws that must satisfy the conditions."""


def simulate(
    scm: StructuralModel,
    known: Known | KnownParts,
    given: Mapping[str, Any],
    fitted: Collection[str],
    draws: int | None,
    generator: torch.Generator,
    watch: Watch,
    route: str | None = None,
) -> Answer:
    """The answer, estimated.

    Args:
        scm: the model.
        known: the question, with a place for everything that is given.
        given: name -> a value, or one a row.
        fitted: the nodes that can be used.
        draws: the number of draws of the noise, for each row where evidence is abducted; None:
            `DRAWS`.
        generator: draws.
        watch: told of what lies outside of the mechanisms' ranges.
        route: how what the evidence leaves open is drawn; None: the best way of each.

    Raises:
        QueryError: a term has no table, such as the probability of a
            continuous variable.
        EvidenceError: an untrained node is needed, too few draws satisfy the conditions, or the
            evidence is impossible; of a batch, that row's answer is NaN.
    """
    if isinstance(known, KnownParts):
        answers = {
            part: simulate(scm, each, each.own(given), fitted, draws, generator, watch, route)
            for part, each in known.parts.items()
        }
        return combined_answer(known.query, answers)
    question = read_question(known, given, generator.device)
    for name in scm.images.keys() & question.told.keys():
        raise EvidenceError(
            f"'{name}': part of a picture that a network makes is no condition of a question; draw "
            "what it leaves open with counterfactual(...)"
        )
    used = question.used(scm)
    check_fitted(scm, fitted, used)
    assumed = assumed_of(scm, question.wanted)
    if draws is not None:
        check_count("draws", draws)
    watch.evidence(question.evidence, used)
    run = _Run(
        scm=scm,
        question=question,
        draws=draws or _default(scm, question),
        generator=generator,
        watch=watch,
        route=route,
    )
    table = _table(scm, question, run.cells(), list(run.impossible))
    return Answer(
        query=question.query,
        table=table,
        rows=question.rows is not None,
        error=max((tally.error for tally in run.tallies), default=0.0),
        route="simulated",
        notes=(*_notes(run), *assumed, *_unlisted(scm, question, table)),
        learned=bool(used & scm.learned),
        impossible=tuple(run.impossible),
    )


@dataclass(kw_only=True, eq=False)
class _Run:
    """The draws for a question, row by row."""

    scm: StructuralModel
    question: DrawnQuestion
    draws: int
    generator: torch.Generator
    watch: Watch
    route: str | None = None
    inferred: dict[str, str] = field(default_factory=dict)
    tallies: list[Tally] = field(default_factory=list)
    undetermined: set[str] = field(default_factory=set)
    impossible: dict[int, ImpossibleError] = field(default_factory=dict)
    shown: set[str] = field(default_factory=set)
    effective: float = math.inf
    _shared: Mapping[str, Noise] | None = None

    def cells(self) -> dict[tuple[Level, ...], float]:
        """Every cell of the answer but 0: the row, free terms, free interventions."""
        whole = self.question
        if whole.rows is None:
            return dict(self._row(whole))
        found = [self._row_of_batch(whole.at(row), row) for row in range(whole.rows)]
        return {
            (row, *cell): number
            for row, cells in enumerate(found)
            for cell, number in cells.items()
        }

    def _row_of_batch(self, question: DrawnQuestion, row: int) -> dict[tuple[Level, ...], float]:
        """Its cells, none if its evidence is impossible; other refusals name it."""
        try:
            return dict(self._row(question, f"row {row}: "))
        except ImpossibleError as problem:
            self.impossible[row] = problem.at(row)
            return {}
        except RowError as problem:
            raise problem.at(row) from None

    def _row(
        self, question: DrawnQuestion, where: str = ""
    ) -> Iterator[tuple[tuple[Level, ...], float]]:
        noise = self._abducted(question) if question.evidence else self._drawn(question)
        acting = {
            each: policy_action(self.scm, each).drawn(self.draws, self.generator)
            for each in question.policies
        }
        for setting in product(*question.free.values()):
            values = dict(question.bound)
            for name, level in zip(question.free, setting, strict=True):
                values[name], _ = read_value(self.scm.graph, name, level, self.generator.device)
            worlds = DrawnWorlds(
                scm=self.scm,
                noise=noise,
                draws=self.draws,
                wanted=question.wanted,
                settings=values,
                acting=acting,
                watch=self.watch,
            )
            tally = self._widened(self._tally(question, worlds, where))
            self.tallies.append(tally)
            yield from (((*cell, *setting), number) for cell, number in tally.cells.items())

    def _drawn(self, question: DrawnQuestion) -> Mapping[str, Noise]:
        """Noise without evidence, the same for every row."""
        if self._shared is None:
            needed = question.needed(self.scm)
            self._shared = self.scm.draw_noise(self.draws, self.generator, needed)
        return self._shared

    def _abducted(self, question: DrawnQuestion) -> Mapping[str, Noise]:
        """Draws of the noise given the evidence on the actual world."""
        scm, needed = self.scm, question.needed(self.scm)
        shown = self._shown(question)
        known = {**question.evidence, **{name: value[:1] for name, value in shown.items()}}
        once = complete(scm, known, self.generator, self.route)
        spent = [n for n in question.evidence if n not in needed and self._is_spent(n)]
        read = {p: once.values[p] for name in spent for p in scm.parents(name)}
        self.inferred |= {name: how for name, how in once.inferred.items() if name in read}
        known = {**question.evidence, **read, **shown}
        evidence = {n: v for n, v in known.items() if n not in spent}
        if not evidence:
            return self._drawn(question)
        repeated = {n: v.expand(self.draws, *v.shape[1:]) for n, v in evidence.items()}
        return self._noise(repeated, needed)

    def _shown(self, question: DrawnQuestion) -> dict[str, Tensor]:
        """The parents of observed pictures that are told short of a value: draws of them."""
        told = question.told
        found: dict[str, Tensor] = {}
        for name, image in self.scm.images.items():
            parents = [p for p in image.parents if p in told and p not in question.evidence]
            if name in question.evidence and (new := [p for p in parents if p not in found]):
                weigh = {parent: told[parent].weights for parent in new}
                value = question.evidence[name]
                read, worth = image.infer_told(value, weigh, self.generator, self.draws)
                found |= read
                self.effective = min(self.effective, worth)
        self.inferred |= dict.fromkeys(found, DRAWN_AS_SHOWN)
        self.shown |= found.keys()
        return found

    def _widened(self, tally: Tally) -> Tally:
        """With the error of importance sampling, whose draws are worth fewer independent ones."""
        return replace(tally, error=tally.error * math.sqrt(1 + self.draws / self.effective))

    def _is_spent(self, name: str) -> bool:
        """Whether an image tells nothing more once its parents have been read off it."""
        made = isinstance(self.scm.module(name), ImageMechanism)
        return made and not self.scm.graph.children(name)

    def _noise(self, evidence: Mapping[str, Tensor], needed: frozenset[str]) -> Mapping[str, Noise]:
        """The noise of the needed nodes, of so many worlds as the evidence has rows."""
        noise, completion = completed_noise(
            self.scm, evidence, self.generator, needed, route=self.route
        )
        self.inferred |= completion.inferred
        self.undetermined |= completion.undetermined
        if completion.effective is not None:
            self.effective = min(self.effective, completion.effective)
        return noise

    def _tally(self, question: DrawnQuestion, worlds: DrawnWorlds, where: str) -> Tally:
        kept = np.ones(self.draws, dtype=bool)
        for each in question.kept:
            if each.value is not None:
                kept &= worlds.meets(each.term, each.value)
            elif each.told is not None and (
                each.term.subscript or each.term.name not in self.shown
            ):
                kept &= self._accepted(each.told, worlds.value(each.term))
        if kept.sum() < FEWEST:
            raise EvidenceError(where + _too_few(question, int(kept.sum()), self.draws))
        conditions = [worlds.axis(each.term) for each in question.kept if each.is_axis]
        if question.query.kind is Kind.EXPECTATION:
            return means(kept, self._combination(question, worlds), conditions)
        event = np.ones(self.draws, dtype=bool)
        for term in question.outcomes:
            if term.value is not None:
                event &= worlds.holds(term)
        free = [worlds.axis(term) for term in question.outcomes if term.value is None]
        return frequencies(kept, event, free, conditions)

    def _accepted(self, told: Told, value: Tensor) -> Array:
        """Whether each draw is kept, with probability its weight; of intervals none is drawn."""
        weights = told.weights(value)
        if told.virtual:
            weights = weights > draw_uniform((len(value),), self.generator, value.device)
        return np.asarray(weights.bool().cpu())

    def _combination(self, question: DrawnQuestion, worlds: DrawnWorlds) -> Array:
        pairs = zip(question.query.coefficients, question.outcomes, strict=True)
        return np.sum([float(c) * worlds.number(term) for c, term in pairs], axis=0)


def _too_few(question: DrawnQuestion, kept: int, draws: int) -> str:
    terms = ", ".join(str(each.term) for each in question.kept if not each.is_axis)
    if not terms:
        return f"{draws:,} draws are asked for, at least {FEWEST} are needed; give more draws"
    return (
        f"only {kept} of {draws:,} draws satisfy the conditions on [{terms}], at least {FEWEST} "
        "are needed; give more draws, or condition on less"
    )


def _default(scm: StructuralModel, question: DrawnQuestion) -> int:
    if scm.images.keys() & question.needed(scm):
        return IMAGE_DRAWS
    rows = (question.rows or 1) if question.evidence else 1
    return max(DRAWS // 100, DRAWS // rows)


def _table(
    scm: StructuralModel,
    question: DrawnQuestion,
    cells: Mapping[tuple[Level, ...], float],
    impossible: list[int],
) -> Table:
    """The cells under their axes, NaN in rows that are impossible.

    A discrete image has the codes that were drawn, a count the numbers.
    """
    levels: dict[str, tuple[Level, ...]] = {}
    if question.rows is not None:
        levels[ROW if ROW not in question.axes else f"{ROW}'"] = tuple(range(question.rows))
    for place, (axis, name) in enumerate(question.axes.items(), start=len(levels)):
        drawn = {cell[place] for cell in cells}
        levels[axis] = levels_of(scm.graph, name) or tuple(sorted(drawn, key=int))
    named = cells if len(levels) != 1 else {cell[0]: number for cell, number in cells.items()}
    table = Table.from_dict(tuple(levels), named, levels)
    values = table.values.astype(np.float64)
    if impossible:
        values[impossible] = np.nan
    return Table.of(table.axes, values, table.levels)


def _notes(run: _Run) -> Iterator[str]:
    """What the answer rests on."""
    scm, question = run.scm, run.question
    each = " for each row" if question.evidence and question.rows is not None else ""
    fewest = min((tally.kept for tally in run.tallies), default=run.draws)
    kept = f", of which {fewest:,} satisfy the conditions" if fewest < run.draws else ""
    yield f"estimated from {run.draws:,} draws{each}{kept}"
    if run.impossible:
        first = run.impossible[min(run.impossible)]
        why = f"{first.where}: {first.reason}" if first.where else first.reason
        yield impossible_note(sorted(run.impossible), why)
    if any(tally.empty for tally in run.tallies):
        yield "cells whose condition no draw satisfies are shown as 0"
    if question.query.is_counterfactual and not _is_marginal(question):
        yield from _noise_notes(scm, question)
    yield from virtual_notes(str(c.term) for c in question.kept if c.told and c.told.virtual)
    if question.evidence and run.undetermined:
        listed = ", ".join(f"'{name}'" for name in sorted(run.undetermined))
        yield f"the evidence leaves {listed} open: drawn from the posterior"
    if run.effective < math.inf:
        yield f"drawn from weighed draws that are worth {run.effective:,.0f} independent ones"
    for name, how in run.inferred.items():
        if name not in scm.equations:
            yield f"'{name}' was {how}"
    if question.query.kind is Kind.EXPECTATION:
        levels = {name: found.levels for name, found in scm.types.items() if found.levels}
        yield from counting_notes(question.query, levels)
    yield from run.watch.sentences


def _unlisted(scm: StructuralModel, question: DrawnQuestion, table: Table) -> Iterator[str]:
    """Notes that an axis has only the values that were drawn, where there is no list of all."""
    for axis, name in question.axes.items():
        drawn = table.levels[axis]
        if name in scm.graph.nodes and scm.graph.nodes[name].type.numeric and drawn:
            ends = f"{drawn[0]} to {drawn[-1]}"
            yield f"'{name}' has no largest value: the table has those that were drawn, {ends}"


def _is_marginal(question: DrawnQuestion) -> bool:
    """Whether each term is about one world by itself, so that how worlds share noise is no part."""
    if question.kept or question.evidence:
        return False
    nested = any(each.nested is not None for term in question.outcomes for each in term.subscript)
    is_sum = question.query.kind is Kind.EXPECTATION
    return not nested and (is_sum or len(question.outcomes) == 1)


def _noise_notes(scm: StructuralModel, question: DrawnQuestion) -> Iterator[str]:
    """The choices that data cannot test and that a counterfactual depends on."""
    set_ = {each.variable for world in question.wanted for each in world}
    moved = (scm.below(set_) | set_) & question.needed(scm)
    kinds: dict[str, list[str]] = {}
    for name in (name for name in scm.order if name in moved - scm.equations.keys()):
        kinds.setdefault(scm.mechanism(name).assumption, []).append(name)
    for kind, names in kinds.items():
        listed = ", ".join(f"'{name}'" for name in names)
        yield f"the counterfactual of {listed} assumes {kind}, which no data can test"
