"""Peers: pgmpy and pyAgrum on the network of a graph, each as its user would call it.

Both get the numbers that causalflow has read (each row of a table divided by its sum), so that a
disagreement is one of inference. Both answer P(y | do(x), e) on the *mutilated* network: the edges
into x are cut and x is evidence (pgmpy's own ``query(do=..., evidence=...)`` gives other numbers;
pyAgrum's ``causalImpact`` is made for identification, not for many questions).
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from causalflow.graph.graph import Graph
from causalflow.graph.node import Class

Places = Mapping[str, int]
"""Node -> the position of its level."""


class Peer(Protocol):
    """A package that answers one question on one network."""

    def first(self, outcome: str, treatment: str, places: Places) -> np.ndarray[Any, Any]:
        """Mutilate the network, make an inference object and ask."""

    def again(self, outcome: str, treatment: str, places: Places) -> np.ndarray[Any, Any]:
        """Ask the inference object of `first` with other evidence on the same variables."""


def _levels(graph: Graph, name: str) -> int:
    """How many levels a class node has."""
    node = graph.nodes[name]
    assert isinstance(node, Class)
    return len(node.levels)


def conditional_table(graph: Graph, name: str) -> tuple[list[str], np.ndarray[Any, Any]]:
    """A node's parents and its table in float64, axes: the parents, then the node."""
    node = graph.nodes[name]
    assert isinstance(node, Class)
    assert node.table is not None
    parents = [edge.source for edge in graph.edges if edge.target == name]
    shape = [_levels(graph, parent) for parent in parents]
    rows = np.array([[float(p) for p in row] for _, row in node.table])
    return parents, (rows / rows.sum(axis=1, keepdims=True)).reshape(*shape, len(node.levels))


class PgmpyPeer:
    """`VariableElimination` on ``network.do([x])``, its default elimination order.

    Nothing is kept between calls but the mutilated network and the inference object on it.
    """

    def __init__(self, graph: Graph) -> None:
        logging.getLogger("pgmpy").setLevel(logging.ERROR)
        warnings.simplefilter("ignore")
        from pgmpy.factors.discrete import TabularCPD
        from pgmpy.models import DiscreteBayesianNetwork

        self._network = DiscreteBayesianNetwork([(e.source, e.target) for e in graph.edges])
        self._network.add_nodes_from(graph.nodes)
        for name in graph.nodes:
            parents, table = conditional_table(graph, name)
            cpd = TabularCPD(
                name,
                table.shape[-1],
                np.ascontiguousarray(table.reshape(-1, table.shape[-1]).T),
                evidence=parents or None,
                evidence_card=list(table.shape[:-1]) or None,
            )
            self._network.add_cpds(cpd)

    def first(self, outcome: str, treatment: str, places: Places) -> np.ndarray[Any, Any]:
        from pgmpy.inference import VariableElimination

        self._inference = VariableElimination(self._network.do([treatment]))
        return self.again(outcome, treatment, places)

    def again(self, outcome: str, treatment: str, places: Places) -> np.ndarray[Any, Any]:
        factor = self._inference.query([outcome], evidence=dict(places), show_progress=False)
        return np.asarray(factor.values)


class PyAgrumPeer:
    """`LazyPropagation` on the network without the arcs into x, with y as its only target."""

    def __init__(self, graph: Graph) -> None:
        import pyagrum

        self._package = pyagrum
        self._network = pyagrum.BayesNet()
        for name, node in graph.nodes.items():
            assert isinstance(node, Class)
            labels = [str(level) for level in node.levels]
            self._network.add(pyagrum.LabelizedVariable(name, name, labels))
        for edge in graph.edges:
            self._network.addArc(edge.source, edge.target)
        for name in graph.nodes:
            parents, table = conditional_table(graph, name)
            cpt = self._network.cpt(name)
            wanted = list(reversed(cpt.names))  # its first variable varies fastest
            own = [*parents, name]
            cpt.fillWith(table.transpose([own.index(axis) for axis in wanted]).ravel().tolist())

    def first(self, outcome: str, treatment: str, places: Places) -> np.ndarray[Any, Any]:
        network = self._package.BayesNet(self._network)
        for parent in list(network.parents(treatment)):
            network.eraseArc(parent, network.idFromName(treatment))
        network.cpt(treatment).fillWith(1).normalize()
        self._inference = self._package.LazyPropagation(network)
        self._inference.setTargets({outcome})
        self._inference.setEvidence(dict(places))
        return self._posterior(outcome)

    def again(self, outcome: str, treatment: str, places: Places) -> np.ndarray[Any, Any]:
        for name, place in places.items():
            self._inference.chgEvidence(name, place)
        return self._posterior(outcome)

    def _posterior(self, outcome: str) -> np.ndarray[Any, Any]:
        self._inference.makeInference()
        return np.asarray(self._inference.posterior(outcome).toarray())


PEERS: dict[str, Any] = {"pgmpy": PgmpyPeer, "pyagrum": PyAgrumPeer}
