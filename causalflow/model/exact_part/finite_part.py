"""Finite part: the nodes of a model whose mechanism is a finite table, as an exact model over them.

A node is *written out* where its mechanism is a table: one that is given, one that was fitted, or
an equation over finite parents and exogenous variables. Then it stands in a graph as a graph file
would have it, the hidden cause of ``a <-> b`` as a node of that name, and the exact engine answers
(`causalflow.exact.model`). A class node that is not written out is *open*: it may be set, and read
by its children, but nothing is asked of what makes it.

A question is finite if no world of it needs an open node. So is P(y | do(x=1)) where x listens to a
continuous node and y to x alone; P(x) is not, and is simulated.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import torch

from causalflow.errors import CausalflowError, CompileError, QueryError
from causalflow.exact.finite_question import FiniteQuestion
from causalflow.exact.model import ExactModel
from causalflow.exact.policies import given_levels
from causalflow.exact.prepared import Prepared
from causalflow.exact.structure import finite_law
from causalflow.graph.declaration import Declaration
from causalflow.graph.graph import Graph
from causalflow.graph.node import Class, Edge, Level, Node, levels_of
from causalflow.identify.judgement import Judgement
from causalflow.limits import FINITE_CELLS, FINITE_OPERATIONS
from causalflow.mechanisms.categorical import Categorical, rounded_law
from causalflow.model.drawn_question import reached
from causalflow.model.scm import StructuralModel
from causalflow.model.support import Watch
from causalflow.query.known import Key, Known, KnownParts
from causalflow.query.policy import Policy
from causalflow.query.query import Intervention, Query

__all__ = ["FinitePart", "explicit", "finite_part"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FinitePart:
    """An exact model of some nodes, and which of them it may be asked about.

    Attributes:
        scm: the model that it is a part of.
        exact: the exact model.
        open: the nodes of it that are only there to be set or read.
    """

    scm: StructuralModel
    exact: ExactModel
    open: frozenset[str]

    def prepared(self, known: Known | KnownParts) -> Prepared | None:
        """The question, ready to be asked; None where it is not finite, or too wide."""
        parts = known.parts.values() if isinstance(known, KnownParts) else [known]
        if not all(self._has(each.query) and self._is_quick(each) for each in parts):
            return None
        learned = any(self.needed(each.query) & self.scm.learned for each in parts)
        judgement = Judgement(self.scm.graph, known.query, fitted=learned)
        return self.exact.prepared(known, judgement, self._notes(parts), learned=learned)

    def needed(self, query: Query) -> frozenset[str]:
        """The nodes whose mechanisms the answer depends on."""
        terms = [each for top in query.counterfactual_form().terms for each in top.walk()]
        found = (reached(self.scm, each.subscript, frozenset({each.name})) for each in terms)
        return frozenset().union(*found)

    def watch(self, known: Known | KnownParts, given: Mapping[str, Any], watch: Watch) -> None:
        """Tell ``watch`` of the levels that the question's interventions set."""
        if isinstance(known, KnownParts):
            for part in known.parts.values():
                self.watch(part, part.own(given), watch)
            return
        terms = [each for top in known.query.counterfactual_form().terms for each in top.walk()]
        for term in terms:
            read = reached(self.scm, term.subscript, frozenset({term.name}))
            for each in term.subscript:
                if each.nested is None:
                    places = self._places(each, known.bound(given))
                    watch.setting(each.variable, torch.as_tensor(places), read)

    def _places(self, each: Intervention, bound: Mapping[Key, Any]) -> Any:
        """The positions of what a variable is set to, all of them where any value is."""
        domain = self.exact.inference.structure.domain(each.variable)
        if isinstance(each.value, Policy):
            return given_levels(self.exact.graph, each.value)
        value = bound.get(each.variable) if each.value is None else each.value
        if value is None:
            return list(range(len(domain.levels)))
        return domain.positions(value) if domain.is_batch(value) else [domain.position(value)]

    def holds(self, names: Collection[str]) -> bool:
        """Whether all that makes these nodes is written out."""
        return self.scm.needed(names) <= self.exact.graph.nodes.keys() - self.open

    def _has(self, query: Query) -> bool:
        graph = self.exact.graph
        if not query.variables <= graph.nodes.keys() | graph.exogenous.keys():
            return False
        return self.needed(query) <= graph.nodes.keys() - self.open

    def _is_quick(self, known: Known) -> bool:
        """Whether an answer to one row is cheaper than draws."""
        try:
            wider, known = self.exact.with_policies(known)
        except QueryError:  # simulated, where it is refused or answered
            return False
        inference = wider.inference
        question = FiniteQuestion.of(inference, known.query, {})
        first = {key: question.domain(key).levels[0] for key in known.keys.values()}
        try:
            return FiniteQuestion.of(inference, known.query, first).operations() < FINITE_OPERATIONS
        except CausalflowError:
            return False

    def _notes(self, parts: Collection[Known]) -> tuple[str, ...]:
        """Which rows of its tables rest on no row of the data."""
        needed = frozenset().union(*(self.needed(each.query) for each in parts))
        empty = {n: each.empty for n, each in self.scm.tables.items() if n in needed and each.empty}
        if not empty:
            return ()
        listed = ", ".join(f"'{name}' {len(cells):,}" for name, cells in list(empty.items())[:5])
        more = f" and {len(empty) - 5} more" if len(empty) > 5 else ""
        name, cells = next(iter(empty.items()))
        first = ", ".join(f"{parent}={level}" for parent, level in cells[0].items())
        return (
            "combinations of the parents' levels that no row of the fit had, where every level "
            f"counts as equally likely: {listed}{more} (of '{name}' at {first})",
        )


def finite_part(scm: StructuralModel, fitted: Collection[str]) -> FinitePart:
    """The finite part of a model.

    Args:
        scm: the model.
        fitted: the nodes that have a mechanism.
    """
    made = _written_out(scm, fitted)
    stubs = {
        name: _stub(levels)
        for name, levels in levels_of(scm.graph.nodes).items()
        if name not in made
    }
    graph = _graph(scm, {**made, **stubs}, open=stubs.keys())
    rough = [each for n, each in scm.tables.items() if n in made and not _is_exact(each)]
    assumed = {n: scm.tables[n].assumption for n in scm.learned & made.keys()}
    exact = ExactModel(graph, "float" if rough else "auto", assumed=assumed)
    return FinitePart(scm=scm, exact=exact, open=frozenset(stubs))


def explicit(scm: StructuralModel, fitted: Collection[str]) -> Graph:
    """The graph with every fitted table written out, hidden causes as nodes of it.

    Raises:
        CompileError: a node that is not finite, or has no mechanism yet; it is named.
    """
    made = _written_out(scm, fitted)
    for name in scm.order:
        if name not in made:
            why = "is not fitted" if name not in fitted else "has no finite table"
            raise CompileError(
                f"graph '{scm.graph.name}': node '{name}' {why}; a graph in tables needs class "
                "nodes, fitted, whose parents are classes"
            )
    return _graph(scm, made, open=())


def _written_out(scm: StructuralModel, fitted: Collection[str]) -> dict[str, Node]:
    """The nodes that are written out given their parents', hidden causes first."""
    read = {parent for name in scm.order for parent in scm.parents(name) if name in fitted}
    found: dict[str, Node] = {
        name: Class(
            levels=latent.node.levels, table=(((), rounded_law(latent.log_p.exp().tolist())),)
        )
        for name, latent in scm.latents.items()
        if name in read
    }
    known = found.keys() | {n for n, law in scm.graph.exogenous.items() if finite_law(law)}
    known |= levels_of(scm.graph.nodes).keys()
    for name in scm.order:
        if name in fitted and known >= set(scm.parents(name)) and not scm.listened(name):
            node = _node(scm, name)
            if node is not None:
                found[name] = node
                known |= {name}
    return found


def _node(scm: StructuralModel, name: str) -> Node | None:
    """The declaration of a node whose parents are written out; None where it is not finite."""
    node = scm.graph.nodes[name]
    table = scm.tables.get(name)
    if table is not None:
        if table.table.numel() > FINITE_CELLS:
            return None
        changed: dict[str, Any] = {"table": table.written(), "noise": table.noise_name}
        return replace(node, **changed)
    finite = node.type.levels is not None or node.type.depth is not None
    return node if finite and node.equation is not None else None


def _is_exact(table: Categorical) -> bool:
    return table.is_given or table.is_counted


def _stub(levels: tuple[Level, ...]) -> Class:
    """A node of these levels without parents."""
    even = (Fraction(1, len(levels)),) * len(levels)
    return Class(levels=levels, table=(((), even),))


def _graph(scm: StructuralModel, nodes: Mapping[str, Node], open: Collection[str]) -> Graph:
    """The graph of some nodes, its edges in the order of their tables' parents."""
    roots = scm.graph.exogenous.keys()
    edges = tuple(
        Edge(source=parent, target=name)
        for name in nodes
        if name not in open
        for parent in scm.parents(name)
        if parent not in roots
    )
    ordered = {name: nodes[name] for name in (*scm.latents, *scm.graph.nodes) if name in nodes}
    exogenous = {n: law for n, law in scm.graph.exogenous.items() if finite_law(law)}
    return Graph.of(
        Declaration(
            name=scm.graph.name,
            nodes=ordered,
            edges=edges,
            bidirected=(),
            exogenous=exogenous,
            queries=(),
        )
    )
