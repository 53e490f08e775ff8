"""What a hedge is, by definition, with networkx: shares no code with identification."""

from __future__ import annotations

from typing import Any

import networkx

from causalflow.admg.admg import ADMG


def is_hedge(admg: ADMG, hedge: Any) -> bool:
    """Definition 6 of Shpitser & Pearl (2006), in the graph without the experiment's variables."""
    left = set(admg.nodes) - hedge.experiment
    dag = networkx.DiGraph([e for e in admg.directed if set(e) <= left])
    dag.add_nodes_from(left)
    arcs = networkx.Graph([tuple(pair) for pair in admg.bidirected if pair <= left])
    arcs.add_nodes_from(left)
    mutilated = networkx.DiGraph([(a, b) for a, b in admg.directed if b not in hedge.treatments])
    mutilated.add_nodes_from(admg.nodes)
    reached = set(hedge.outcomes).union(
        *(networkx.ancestors(mutilated, node) for node in hedge.outcomes)
    )
    inner_edges = {edge for edge in hedge.edges if set(edge) <= hedge.inner}
    return all(
        [
            is_forest(hedge.forest, hedge.edges, hedge.roots, dag, arcs),
            is_forest(hedge.inner, inner_edges, hedge.roots, dag, arcs),
            hedge.inner < hedge.forest,
            bool(hedge.forest & hedge.treatments),
            not hedge.inner & hedge.treatments,
            hedge.roots <= reached,
        ]
    )


def is_forest(
    nodes: frozenset[str], edges: Any, roots: frozenset[str], dag: Any, arcs: Any
) -> bool:
    """One district; edges of the graph, at most one child a node; the childless are the roots."""
    children: dict[str, list[str]] = {node: [] for node in nodes}
    for source, target in edges:
        if not dag.has_edge(source, target) or target not in children:
            return False
        children[source].append(target)
    return (
        networkx.is_connected(arcs.subgraph(nodes))
        and all(len(found) <= 1 for found in children.values())
        and {node for node, found in children.items() if not found} == set(roots)
    )
