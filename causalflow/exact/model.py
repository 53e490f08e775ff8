"""Model: a finite structural causal model (`SCM`) that answers every question exactly.

Notation: U are exogenous variables with finite laws, V nodes with v = f_v(pa, u). A counterfactual
y[x=1] given evidence e is P(e, y[x=1]) / P(e) over worlds that share U: the posterior over U that
this uses is the *joint* one. Where the laws are fractions, so are the answers.

Source: Pearl (2009), *Causality*, section 7.1; Balke & Pearl (1994).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy as np

from causalflow.errors import CausalflowError, EvidenceError, one_of
from causalflow.exact import random_worlds
from causalflow.exact.finite_question import answer
from causalflow.exact.impossible import require_possible
from causalflow.exact.inference import Arithmetic, Inference, Key
from causalflow.exact.policies import Asking, policy_question
from causalflow.exact.prepared import Prepared
from causalflow.exact.random_worlds import Enumeration, enumeration
from causalflow.exact.structure import FiniteStructure, unsupported
from causalflow.factors.array import Backend
from causalflow.factors.table import Table
from causalflow.graph.graph import Graph
from causalflow.graph.node import Level
from causalflow.query.answer import Answer, Judgement
from causalflow.query.combination import AnyQuery
from causalflow.query.known import (
    Asked,
    Evidence,
    Known,
    KnownParts,
    asked,
    columns,
    known_once,
    known_question,
    remembered,
)
from causalflow.query.query import Intervention, Kind, Query, Term

__all__ = ["Evidence", "ExactModel"]


class ExactModel:
    """The exact model of a graph whose nodes all have equations or tables over finite levels.

    A table says nothing about the noise behind it: what a counterfactual of its node takes it to be
    is the node's ``noise:`` in the graph file (`causalflow.exact.coupling`), and is stated among
    the answer's assumptions.

    Args:
        graph: the declaration.
        arithmetic: "fraction" for exact numbers, "float" for float64, "auto" for fractions wherever
            they are quick.
        backend: that floats are computed with; None: numpy. `causalflow.model.tensors.Tensors`
            is torch on a device.
        assumed: nodes whose table was fitted -> how their noise is taken to enter, in words.

    Raises:
        CompileError: a node without equation and table, or without finite levels; it is named.

    Example:
        >>> coin = {"p": ["1/3", "2/3"]}
        >>> graph = Graph(
        ...     exogenous={"u": coin, "w": coin},
        ...     nodes={"x": {"type": "class", "levels": 2, "equation": "u"},
        ...            "y": {"type": "class", "levels": 2, "equation": "x ^ w"}},
        ... )
        >>> model = ExactModel(graph)
        >>> model.ask("P(y[x=1] | x=0, y=0)").table.to_dict()
        {0: Fraction(0, 1), 1: Fraction(1, 1)}
        >>> print(model.ask("P(y=1 | do(x=1))"))
        P(y=1 | do(x=1)) = 1/3
    """

    def __init__(
        self,
        graph: Graph,
        arithmetic: Arithmetic = "auto",
        *,
        backend: Backend | None = None,
        assumed: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        if arithmetic not in ("auto", "fraction", "float"):
            allowed = one_of(arithmetic, ("auto", "fraction", "float"))
            raise CausalflowError(f"unknown arithmetic {arithmetic!r}; {allowed}")
        self.graph = graph
        self._remade = partial(
            ExactModel, arithmetic=arithmetic, backend=backend, assumed=dict(assumed)
        )
        self._structure = FiniteStructure(graph, assumed)
        self._inference = Inference(self._structure, arithmetic, backend)
        self._prepared: dict[Asked, Prepared] = {}

    @staticmethod
    def supports(graph: Graph) -> bool:
        """Whether a graph is a finite model."""
        return unsupported(graph) is None

    def ask(
        self,
        query: str | AnyQuery,
        evidence: Evidence | None = None,
        /,
        **known: Any,
    ) -> Answer:
        """The exact answer to a causal question.

        Args:
            query: such as ``"P(y[x=1] | x=0, z)"``, or a sum or ratio of several.
            evidence: what is known, conditions and free interventions (`causalflow.query.known`) ->
                a value, or one value a row (a data frame of rows gives one answer a row).
            known: the same as keywords.

        Raises:
            QueryError: the question cannot be read, names what the graph does not have, or depends
                on how the noise of a table enters without the graph saying so.
            EvidenceError: the evidence has probability zero (the part is named), or is no value of
                its variable.
            CausalflowError: the question is too wide; checked before anything is allocated.
        """
        given = known_once(columns(evidence), known)
        return remembered(self._prepared, asked(query, given), self._prepare).answer(given)

    def _prepare(self, asked: Asked) -> Prepared:
        return self.prepared(known_question(*asked, self.graph))

    @property
    def inference(self) -> Inference:
        """What answers in positions."""
        return self._inference

    def prepared(
        self,
        question: Known | KnownParts,
        judgement: Judgement | None = None,
        notes: tuple[str, ...] = (),
        *,
        learned: bool = False,
    ) -> Prepared:
        """A question, ready to be asked with any values of what is given.

        Args:
            question: the question, with a place for everything that is given.
            judgement: what its answers say of identification.
            notes: what they say besides.
            learned: whether the tables were fitted.
        """
        wider, known = self.with_policies(question)
        stated = None if wider is self else question
        return Prepared(wider.inference, known, judgement, notes, learned=learned, stated=stated)

    def with_policies(self, question: Asking) -> tuple[ExactModel, Asking]:
        """The model and the question where the question's policies are nodes; themselves if none.

        Raises:
            QueryError: a policy that is no table over levels.
        """
        if not question.query.policies:
            return self, question
        graph, known = policy_question(question, self.graph)
        return self._remade(graph), known

    def distribution(
        self, evidence: Evidence, do: Mapping[str, Any], targets: Iterable[str] | None = None
    ) -> Answer:
        """P(targets in the world of ``do`` | evidence), one joint table; one a row in a batch.

        Args:
            evidence: variable -> value, or one value a row; exogenous variables may be known too.
            do: node -> value, or one value a row.
            targets: nodes (default: the descendants of ``do``, images among them).
        """
        self._check_nodes("do", do)
        self._check_nodes("targets", () if targets is None else targets)
        given = columns(evidence)
        batched = {n: v for n, v in do.items() if self._structure.domain(n).is_batch(v)}
        world = tuple(
            Intervention(variable=name, value=None if name in batched else self._level(name, value))
            for name, value in do.items()
        )
        outcomes = [Term(name=n, subscript=world) for n in self._targets(do, targets)]
        conditions = [self._known_term(name) for name in given]
        query = Query(outcomes=tuple(outcomes), conditions=tuple(conditions))
        bound: dict[Key, Any] = {term: given[term.name] for term in conditions}
        return answer(self._inference, query, bound | dict(batched.items()))

    def posterior(self, evidence: Evidence, exogenous: Iterable[str] | None = None) -> Answer:
        """The joint posterior of exogenous variables (default: all of them) given evidence."""
        given = columns(evidence)
        every = (name for name in self.graph.exogenous if name not in given)
        names = tuple(every if exogenous is None else dict.fromkeys(exogenous))
        known: dict[Key, Any] = {Term(name=n): column for n, column in given.items()}
        conditions = tuple(self._known_term(name) for name in given)
        for name in names:
            if name not in self.graph.exogenous or name in given:
                rest = [each for each in self.graph.exogenous if each not in given]
                raise EvidenceError(f"posterior: '{name}' cannot be asked; {one_of(name, rest)}")
        if not names:
            raise EvidenceError("posterior: no exogenous variable is left to ask about")
        asked = tuple(Term(name=name) for name in names)
        return answer(self._inference, Query(outcomes=asked, conditions=conditions), known)

    def joint(self, nodes: Iterable[str] | None = None) -> Table:
        """P(nodes) (default: all nodes) as a table."""
        names = tuple(self.graph.nodes) if nodes is None else tuple(nodes)
        query = Query(kind=Kind.PROBABILITY, outcomes=tuple(Term(name=name) for name in names))
        return self.ask(query).table

    def enumerate(self) -> Enumeration:
        """Every combination of exogenous values with the world it makes, and its probability.

        Raises:
            CausalflowError: there are too many; `ask` needs no enumeration.
        """
        return enumeration(self._structure)

    def sample(
        self,
        n: int,
        do: Mapping[str, Any] | None = None,
        *,
        generator: np.random.Generator | int = 0,
    ) -> dict[str, np.ndarray[Any, Any]]:
        """Draw n worlds from P(v | do).

        Args:
            n: number of draws.
            do: node -> value, or one value a draw.
            generator: numpy's generator or a seed.

        Returns:
            Node -> values, (n,), as `causalflow.values` shows them: numbers, indices where levels
            are names, names where some of them are numbers; of images the levels of the pixels, (n,
            channel, height, width).
        """
        random = np.random.default_rng(generator)
        noise = random_worlds.prior(self._structure, n, random)
        places = random_worlds.world(self._structure, noise, self._settings(do or {}, n), n, random)
        return random_worlds.public(self._structure, places)

    def draw_counterfactual(
        self,
        evidence: Evidence,
        do: Mapping[str, Any],
        n: int = 1,
        *,
        generator: np.random.Generator | int = 0,
    ) -> dict[str, np.ndarray[Any, Any]]:
        """Worlds of ``do`` drawn given evidence: abduct (jointly), act, predict.

        Draw k of row i is entry k * rows + i of every array, as in `sample`'s result.

        Raises:
            EvidenceError: the evidence has probability zero.
            QueryError: the draw depends on how the noise of a table enters, and the graph does not
                say.
        """
        random = np.random.default_rng(generator)
        rows = self._rows(evidence)
        require_possible(self._inference, rows)
        actual = random_worlds.posterior(self._inference, rows, n, random)
        noise = {name: actual[name] for name in self._structure.laws}
        count = n * max((len(places) for places in rows.values()), default=1)
        settings = self._settings(do, count)
        places = random_worlds.world(self._structure, noise, settings, count, random, actual)
        return random_worlds.public(self._structure, places)

    def _rows(self, evidence: Evidence) -> dict[Term, np.ndarray[Any, np.dtype[np.int64]]]:
        """The positions of the evidence, a row each."""
        found = {}
        for name, value in columns(evidence).items():
            domain = self._structure.domain(self._known_term(name).name)
            single = not domain.is_batch(value)
            places = [domain.position(value)] if single else domain.positions(value)
            found[Term(name=name)] = np.asarray(places, dtype=np.int64)
        count = max((len(places) for places in found.values()), default=1)
        if any(len(places) not in (1, count) for places in found.values()):
            lengths = {str(term): len(places) for term, places in found.items()}
            raise EvidenceError(f"evidence: columns of unequal length: {lengths}")
        return {term: np.broadcast_to(places, (count,)) for term, places in found.items()}

    def _settings(
        self, do: Mapping[str, Any], n: int
    ) -> dict[str, np.ndarray[Any, np.dtype[np.int64]]]:
        found: dict[str, np.ndarray[Any, np.dtype[np.int64]]] = {}
        if do:
            self._check_nodes("do", do)
        for name, value in do.items():
            domain = self._structure.domain(name)
            places = domain.positions(value) if domain.is_batch(value) else domain.position(value)
            array = np.asarray(places, dtype=np.int64)
            if array.ndim and n % len(array):
                raise EvidenceError(f"do: '{name}' has {len(array)} values for {n} draws")
            found[name] = np.resize(array, n)
        return found

    def _targets(self, do: Iterable[str], targets: Iterable[str] | None) -> tuple[str, ...]:
        if targets is not None:
            return tuple(dict.fromkeys(targets))
        reached = self.graph.descendants(do) - set(do)
        return tuple(name for name in self.graph.nodes if name in reached)

    def _level(self, name: str, value: Any) -> Level:
        """The level of a value given by name, index or pixels."""
        domain = self._structure.domain(name)
        place = domain.position(value)
        return domain.levels[place] if place >= 0 else int(value)

    def _known_term(self, name: str) -> Term:
        if name not in self.graph.nodes and name not in self.graph.exogenous:
            known = one_of(name, [*self.graph.nodes, *self.graph.exogenous])
            raise EvidenceError(f"evidence: unknown variable '{name}'; {known}")
        return Term(name=name)

    def _check_nodes(self, role: str, names: Iterable[str]) -> None:
        found = (names,) if isinstance(names, str) else tuple(names)
        for name in found:
            if name not in self.graph.nodes:
                known = one_of(name, self.graph.nodes)
                raise EvidenceError(f"{role}: unknown node '{name}'; {known}")
        if role == "do" and not found:
            raise EvidenceError("do: nothing is set; ask for P(... | evidence) instead")
