"""Peers in identification: y0, ananke and pyAgrum, each as its user would call it.

A contestant makes its own graph object (not timed), answers a `Case` with it, and gives its
formula, where it has one, as an `Expression`, so that one evaluator serves all. The call covers:

    causalflow   the query as text -> Verdict with its estimand and derivation (text when printed)
    y0           `identify_outcomes`: estimand or None
    ananke       `OneLineID.id`: whether, and fixing orders; no conditions, no formula to evaluate
    pyagrum      `causalImpact`: formula and its number on a network of binary variables, in C++
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from causalflow.graph.graph import Graph
from causalflow.identify.identify import identify
from causalflow.symbolic.expression import (
    ONE,
    Expression,
    Index,
    Product,
    Ratio,
    Sum,
    probability,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A graph and a question P(outcomes | do(treatments), conditions) about it."""

    name: str
    nodes: tuple[str, ...]
    directed: tuple[tuple[str, str], ...]
    bidirected: tuple[tuple[str, str], ...]
    outcomes: tuple[str, ...]
    treatments: tuple[str, ...]
    conditions: tuple[str, ...] = ()

    @property
    def edges(self) -> list[str]:
        """As a graph file writes them."""
        arrows = [f"{a} -> {b}" for a, b in self.directed]
        return [*arrows, *(f"{a} <-> {b}" for a, b in self.bidirected)]

    @property
    def query(self) -> str:
        """As text."""
        do = f"do({', '.join(self.treatments)})"
        behind = ", ".join([*([do] if self.treatments else []), *self.conditions])
        return f"P({', '.join(self.outcomes)}{' | ' if behind else ''}{behind})"


class Unable(Exception):  # noqa: N818
    """The contestant has no such question."""


class Contestant(Protocol):
    """A package that decides identification."""

    def prepare(self, case: Case) -> Any:
        """The graph as the package's own object, fresh."""

    def answer(self, graph: Any, case: Case) -> Any:
        """What the package returns; this is what is timed."""

    def verdict(self, found: Any) -> bool:
        """Whether it says that the effect is identifiable."""

    def formula(self, found: Any) -> Expression | None:
        """Its formula, if it gives one that can be evaluated."""


class CausalFlow:
    """This package."""

    def prepare(self, case: Case) -> Graph:
        graph = Graph(nodes=list(case.nodes), edges=case.edges)
        assert graph.admg.nodes
        return graph

    def answer(self, graph: Graph, case: Case) -> Any:
        return identify(graph, case.query)

    def verdict(self, found: Any) -> bool:
        return bool(found.identifiable)

    def formula(self, found: Any) -> Expression | None:
        return found.estimand  # type: ignore[no-any-return]


class Y0:
    """y0: ID and IDC."""

    def prepare(self, case: Case) -> Any:
        from y0.graph import NxMixedGraph

        return NxMixedGraph.from_str_edges(
            nodes=case.nodes, directed=case.directed, undirected=case.bidirected
        )

    def answer(self, graph: Any, case: Case) -> Any:
        from y0.algorithm.identify import identify_outcomes
        from y0.dsl import Variable

        sides = (case.treatments, case.outcomes, case.conditions)
        treatments, outcomes, conditions = ({*map(Variable, names)} for names in sides)
        return identify_outcomes(graph, treatments, outcomes, conditions or None)

    def verdict(self, found: Any) -> bool:
        return found is not None

    def formula(self, found: Any) -> Expression | None:
        return None if found is None else _from_y0(found)


class Ananke:
    """ananke: ID."""

    def prepare(self, case: Case) -> Any:
        from ananke.graphs import ADMG

        return ADMG(list(case.nodes), di_edges=case.directed, bi_edges=case.bidirected)

    def answer(self, graph: Any, case: Case) -> Any:
        from ananke.identification import OneLineID

        if case.conditions:
            raise Unable
        return OneLineID(graph, [*case.treatments], [*case.outcomes]).id()

    def verdict(self, found: Any) -> bool:
        return bool(found)

    def formula(self, found: Any) -> Expression | None:
        return None


class PyAgrum:
    """pyAgrum: ID and IDC, after looking for back doors and front doors."""

    def prepare(self, case: Case) -> Any:
        import pyagrum

        network = pyagrum.BayesNet()
        for name in case.nodes:
            network.add(pyagrum.LabelizedVariable(name, name, 2))
        for source, target in case.directed:
            network.addArc(source, target)
        network.generateCPTs()
        latents = [(f"hidden {i}", pair) for i, pair in enumerate(case.bidirected)]
        return pyagrum.CausalModel(network, latents, True)

    def answer(self, graph: Any, case: Case) -> Any:
        import pyagrum

        sides = {"on": case.outcomes, "doing": case.treatments, "knowing": case.conditions}
        sets = {side: set(names) for side, names in sides.items() if names}
        return pyagrum.causalImpact(graph, **sets)[0]

    def verdict(self, found: Any) -> bool:
        return bool(found.isIdentified())

    def formula(self, found: Any) -> Expression | None:
        return _from_pyagrum(found.toDict()) if found.isIdentified() else None


def _from_y0(term: Any) -> Expression:
    """A term of y0's language, as it stands."""
    match type(term).__name__:
        case "Probability":
            parts = (term.distribution.children, term.distribution.parents)
            return probability(*([each.name for each in part] for part in parts))
        case "Sum":
            over = tuple(Index(each.name) for each in term.ranges)
            return Sum(over, _from_y0(term.expression))
        case "Product":
            return Product(tuple(map(_from_y0, term.expressions)))
        case "Fraction":
            return Ratio(_from_y0(term.numerator), _from_y0(term.denominator))
        case "One":
            return ONE
        case name:
            raise NotImplementedError(f"y0: a term of type {name}")


def _from_pyagrum(term: Mapping[str, Any]) -> Expression:
    """A term of pyAgrum's language, as it stands."""
    match term["op"]:
        case "P":
            return probability(term["vars"], term.get("knowing", ()))
        case "sum":
            return Sum((Index(term["var"]),), _from_pyagrum(term["term"]))
        case "*":
            return Product((_from_pyagrum(term["op1"]), _from_pyagrum(term["op2"])))
        case "/":
            return Ratio(_from_pyagrum(term["op1"]), _from_pyagrum(term["op2"]))
        case operation:
            raise NotImplementedError(f"pyAgrum: the operation {operation!r}")


CONTESTANTS: dict[str, Contestant] = {
    "causalflow": CausalFlow(),
    "y0": Y0(),
    "ananke": Ananke(),
    "pyagrum": PyAgrum(),
}


def warm_up() -> None:
    """Load every package, its warnings dropped, by a question of each."""
    warnings.simplefilter("ignore")
    pair = Case(
        name="pair",
        nodes=("x", "y"),
        directed=(("x", "y"),),
        bidirected=(),
        outcomes=("y",),
        treatments=("x",),
    )
    for contestant in CONTESTANTS.values():
        contestant.answer(contestant.prepare(pair), pair)
