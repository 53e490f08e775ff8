"""Inquiry: a model as one call asks it, its options chosen and its randomness given.

    sample          draw noise, act, predict
    abduct          find the noise of evidence
    predict         act, predict
    counterfactual  abduct, act, predict; of more rows than memory holds, batch by batch
    ask             one number or table, exact or simulated

What the user gives is read into engine values (`causalflow.model.evidence`), what the model is not
ready for is refused before anything is computed, and what comes of it is a `World` in public units
that knows its verdict.

Source: Pearl (2009), Causality, theorem 7.1.7.

Verdicts: what `Model.sample` and `Model.counterfactual` answer, put as causal questions.

Their verdict says whether data alone would tell the answer, or whether it rests on the model.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from causalflow.errors import CausalflowWarning, EvidenceError, QueryError, SupportWarning, one_of
from causalflow.exact.model import ExactModel
from causalflow.graph.graph import Graph
from causalflow.graph.node import Class
from causalflow.identify.identify import attempt
from causalflow.identify.verdict import Verdict
from causalflow.mechanisms.mechanism import Values
from causalflow.model.evidence import (
    check_count,
    check_drawn,
    check_names,
    read_evidence,
    read_interventions,
)
from causalflow.model.experience import Experience
from causalflow.model.prediction import abduct, check_fitted, check_noise, explained, predicted
from causalflow.model.sampling import simulate
from causalflow.model.scm import StructuralModel
from causalflow.model.storage import fingerprint
from causalflow.model.stream import (
    StreamReport,
    batch_generator,
    batches_of,
    described,
    stream,
)
from causalflow.model.support import Watch
from causalflow.model.world import Abduction, Info, World
from causalflow.query.answer import Answer
from causalflow.query.combination import AnyQuery
from causalflow.query.domain import resolve
from causalflow.query.query import Intervention, Query, Term, Value
from causalflow.values.finite import READING

__all__ = ["SET", "Inquiry", "counterfactual_verdict", "left_open", "sample_verdict", "world_of"]

SET = "given"
"""Stands for a value that is no single one: one a row, an image, a function of the old value."""


def sample_verdict(
    graph: Graph, wanted: Iterable[str], world: tuple[Intervention, ...]
) -> Verdict | None:
    """On P(wanted | do(...)); None where everything wanted is set."""
    set_to = {each.variable for each in world}
    outcomes = tuple(Term(name=name) for name in wanted if name not in set_to)
    return attempt(graph, Query(outcomes=outcomes, do=world)) if outcomes else None


def counterfactual_verdict(
    graph: Graph, evidence: Iterable[str], world: tuple[Intervention, ...]
) -> Verdict | None:
    """On P(what changes, in ``world`` | evidence); None where nothing can change."""
    set_to = [each.variable for each in world]
    seen = graph.admg.ordered(evidence)
    moved = graph.admg.do(set_to).descendants(set_to) if set_to else frozenset()
    open_nodes = [n for n in graph.nodes if n not in set_to and (n in moved or n not in seen)]
    outcomes = tuple(Term(name=name, subscript=world) for name in open_nodes)
    conditions = tuple(Term(name=name) for name in seen)
    return attempt(graph, Query(outcomes=outcomes, conditions=conditions)) if outcomes else None


def left_open(verdict: Verdict | None) -> str:
    """What an answer by fitted mechanisms rests on, where their data may not tell it; else ""."""
    identifiable = None if verdict is None else verdict.identifiable
    if identifiable:
        return ""
    if identifiable is None:
        return (
            "whether P(v), the data the model was fitted to, tell this is not known: the answer "
            "may rest on the model"
        )
    return (
        "not identifiable from P(v), the data the model was fitted to: another model that fits "
        "them as well may answer otherwise"
    )


def world_of(graph: Graph, do: Mapping[str, object] | None) -> tuple[Intervention, ...]:
    """What ``do`` sets, each to its level or number; to `SET` where rows differ in it."""
    given = do or {}
    return tuple(
        Intervention(variable=name, value=_value(graph, name, given[name]))
        for name in graph.admg.ordered(given)
    )


def _value(graph: Graph, name: str, value: object) -> Value:
    if isinstance(value, str | int | float):
        try:
            return resolve(name, graph.nodes[name], value)
        except QueryError:  # an image set to one brightness: no value of the language
            return SET
    return SET


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Inquiry:
    """What one call may draw on.

    Attributes:
        scm: the model under the options of the call.
        fitted: the nodes that can be used.
        generator: of all draws, on the model's device.
        exact: gives the exact model of a finite graph, None of another.
        experience: of the rows that the model was fitted to.
    """

    scm: StructuralModel
    fitted: frozenset[str]
    generator: torch.Generator
    exact: Callable[[], ExactModel | None]
    experience: Experience

    @property
    def graph(self) -> Graph:
        """The declaration."""
        return self.scm.graph

    def sample(
        self, n: int, do: Mapping[str, Any] | None, nodes: Iterable[str] | None = None
    ) -> World:
        """n worlds from P(v | do), of ``nodes`` and what they depend on."""
        check_count("n", n)
        check_drawn(self.graph, n)
        wanted = list(self.scm.order) if nodes is None else check_names(self.graph, nodes)
        if not wanted:
            raise EvidenceError(f"sample: no nodes; {one_of('', self.graph.nodes)}")
        actions = read_interventions(self.graph, do, n, self.scm.device)
        fixed = [name for name, action in actions.items() if isinstance(action, Tensor)]
        needed = self.graph.admg.do(fixed).ancestors(wanted)
        check_fitted(self.scm, self.fitted, needed - set(fixed))
        noise = self.scm.draw_noise(n, self.generator, needed)
        drawn, watch = Abduction(noise=noise, rows=n, info=Info()), self._watch()
        world = predicted(self.scm, drawn, actions, watch, wanted, tried=False)
        _tell(watch, "sample")
        set_to = world_of(self.graph, do)
        return world.judged(partial(sample_verdict, self.graph, tuple(wanted), set_to))

    def abduct(self, evidence: Any) -> Abduction:
        """The noise of ``evidence``."""
        check_fitted(self.scm, self.fitted, self.scm.order)
        values, watch = read_evidence(self.graph, evidence, self.scm.device), self._watch()
        found = self._abducted(values, watch)
        _tell(watch, "abduct")
        return found

    def predict(self, abduction: Abduction, do: Mapping[str, Any] | None) -> World:
        """The worlds of a noise under ``do``."""
        actions = read_interventions(self.graph, do, abduction.rows, self.scm.device)
        check_noise(self.graph, actions)
        watch = self._watch()
        world = predicted(self.scm, abduction, actions, watch)
        _tell(watch, "predict")
        return world

    def counterfactual(self, evidence: Any, do: Mapping[str, Any], draws: int = 1) -> World:
        """The worlds of ``evidence`` under ``do``, so many of each row."""
        watch = self._watch()
        world = self._counterfactual(evidence, do, draws, watch, tried=True)
        _tell(watch, "counterfactual")
        return world

    def _counterfactual(
        self, evidence: Any, do: Mapping[str, Any], draws: int, watch: Watch, *, tried: bool
    ) -> World:
        check_count("n", draws)
        check_fitted(self.scm, self.fitted, self.scm.order)
        values = read_evidence(self.graph, evidence, self.scm.device)
        rows = len(next(iter(values.values())))
        check_drawn(self.graph, rows * draws)
        actions = read_interventions(self.graph, do, rows, self.scm.device, draws=draws)
        check_noise(self.graph, actions)
        noise = self._abducted(values, watch, draws)
        world = predicted(self.scm, noise, actions, watch, tried=tried)
        set_to = world_of(self.graph, do)
        return world.judged(partial(counterfactual_verdict, self.graph, tuple(values), set_to))

    def counterfactuals(
        self,
        evidence: Any,
        asked: Mapping[str, Any],
        out: str | Path,
        seed: int,
        batch_size: int,
        progress: bool,
    ) -> StreamReport:
        """The worlds of every batch of ``evidence``, written to ``out``.

        Args:
            evidence: columns, or batches; see `causalflow.model.stream.batches_of`.
            asked: what a call that resumes this one must share; ``do`` and ``n`` among it.
            out: a file or folder.
            seed: batch k is drawn with (seed, k).
            batch_size: rows answered at once.
            progress: show a bar on standard error.
        """
        check_count("n", asked["n"])
        check_fitted(self.scm, self.fitted, self.scm.order)
        check_count("batch_size", batch_size)
        if asked["n"] != 1:
            raise EvidenceError(
                f"counterfactual: n={asked['n']} with out=...; a stream has one draw a row"
            )
        batches, total = batches_of(evidence, batch_size)
        identity = {"model": fingerprint(self.scm), "do": described(asked["do"]), "seed": seed}
        if any(isinstance(n, Class) and n.type.note for n in self.graph.nodes.values()):
            identity["reading"] = READING  # of rows: an earlier one took numbers for indices
        watch = self._watch()
        try:
            report = stream(
                partial(self._of_batch, asked["do"], seed, watch),
                batches,
                out,
                graph=self.graph,
                identity={**asked, **identity},
                total=total,
                progress=progress,
            )
        finally:
            _tell(watch, "counterfactual")
        return replace(report, warnings=watch.sentences)

    def ask(
        self,
        query: str | AnyQuery,
        evidence: Any,
        known: Mapping[str, Any],
        draws: int | None,
    ) -> Answer:
        """The answer to a question: exact of a finite model, else simulated with so many draws.

        Args:
            query: the question.
            evidence: a mapping or a DataFrame of its free conditions and interventions; or None.
            known: more of them.
            draws: of the noise; None: as many as `causalflow.model.sampling` takes.
        """
        columns = {} if evidence is None else {str(name): v for name, v in evidence.items()}
        given, exact = {**columns, **known}, self.exact()
        if exact is not None:
            answer = exact.ask(query, given)
        else:
            watch = self._watch()
            answer = simulate(self.scm, query, given, self.fitted, draws, self.generator, watch)
            _tell(watch, "ask")
        verdict = attempt(self.graph, answer.query)
        notes = verdict.warnings if verdict else ()
        if answer.learned and (open_ := left_open(verdict)):
            notes = (*notes, open_)
            warnings.warn(f"ask: {answer.query}: {open_}", CausalflowWarning, stacklevel=3)
        return replace(answer, verdict=verdict, assumptions=(*answer.assumptions, *notes))

    def _of_batch(
        self, do: Any, seed: int, watch: Watch, batch: Mapping[str, Any], index: int
    ) -> World:
        """The worlds of batch ``index``, whatever was drawn before it."""
        own = replace(self, generator=batch_generator(self.scm.device, seed, index))
        of_batch = own._watch()
        action = do(batch) if callable(do) else do
        world = own._counterfactual(batch, action, 1, of_batch, tried=False)
        watch.add(of_batch)
        return world

    def _watch(self) -> Watch:
        return Watch(scm=self.scm, experience=self.experience)

    def _abducted(self, values: Values, watch: Watch, draws: int = 1) -> Abduction:
        """The noise of ``values``, drawn so many times; a finite model names what is impossible."""
        repeated = {name: torch.cat([value] * draws) for name, value in values.items()}
        watch.evidence(values, self.scm.order)
        try:
            found = abduct(self.scm, repeated, self.generator)
            return replace(found, info=replace(found.info, warnings=watch.sentences))
        except EvidenceError as problem:
            raise explained(problem, self.exact(), values) from None


def _tell(watch: Watch, call: str) -> None:
    """Warn the caller of the model's method, once, of all that was outside."""
    if watch.warning:
        warnings.warn(f"{call}: {watch.warning}", SupportWarning, stacklevel=4)
