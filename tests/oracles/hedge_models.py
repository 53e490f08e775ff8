"""Two models of one graph that agree on P(v) and differ in P(y | do(x)), built from a hedge.

Shpitser & Pearl (2006), proof of Theorem 4. Bit a of the nodes of F is the sum modulo 2 of the
forest's parents and of a fair coin for each bidirected edge; in the second model the nodes of F' do
without what lies outside of F'. In both the roots' bits sum to 0; under do(x), only in the second.
Bit b carries the roots' bits down to Y.
"""

from __future__ import annotations

from typing import Any

import networkx
import numpy as np
from latent_oracle import LatentModel

from causalflow.admg.admg import ADMG


def two_models(admg: ADMG, hedge: Any) -> tuple[LatentModel, LatentModel]:
    return _model(admg, hedge, hedge.forest), _model(admg, hedge, hedge.inner)


def _carriers(admg: ADMG, hedge: Any) -> dict[str, str]:
    """Node -> child, on the ways from the roots to the outcomes, without edges into X."""
    dag = networkx.DiGraph([(a, b) for a, b in admg.directed if b not in hedge.treatments])
    dag.add_nodes_from(admg.nodes)
    following: dict[str, str] = {}
    for root in sorted(hedge.roots):
        node = root
        while node not in hedge.outcomes and node not in following:
            ends = [y for y in sorted(hedge.outcomes) if networkx.has_path(dag, node, y)]
            following[node] = networkx.shortest_path(dag, node, ends[0])[1]
            node = following[node]
    return following


def _model(admg: ADMG, hedge: Any, connected: frozenset[str]) -> LatentModel:
    """The model whose nodes of F' listen to what lies in ``connected`` only."""
    following = _carriers(admg, hedge)
    arcs = sorted(tuple(sorted(pair)) for pair in admg.bidirected if pair <= hedge.forest)
    latents = {f"u {a} {b}": np.full(2, 0.5) for a, b in arcs}
    mechanisms = {}
    for node in admg.nodes:
        heard = hedge.forest if node not in hedge.inner else connected
        above = [p for p in sorted(admg.parents(node)) if (p, node) in hedge.edges and p in heard]
        coins = [f"u {a} {b}" for a, b in arcs if node in (a, b) and {a, b} <= heard]
        carried = [p for p in sorted(admg.parents(node)) if following.get(p) == node]
        names = [*dict.fromkeys([*above, *carried]), *coins]
        table = np.zeros([4] * len(names[: len(names) - len(coins)]) + [2] * len(coins) + [4])
        for cell in np.ndindex(*table.shape[:-1]):
            value = dict(zip(names, cell, strict=True))
            a = sum(value[p] & 1 for p in above) + sum(value[c] for c in coins)
            b = sum((value[p] >> 1) + (value[p] & (p in hedge.roots)) for p in carried)
            table[(*cell, a % 2 * (node in hedge.forest) + b % 2 * 2)] = 1
        mechanisms[node] = ((*names, node), table)
    return LatentModel(admg.nodes, dict.fromkeys(admg.nodes, 4), latents, mechanisms)
