"""Projection: the graph that is left when some nodes are observed no more.

It has the same separations, and the same identifiable effects, of the nodes that stay.

Source: Verma & Pearl (1990), Equivalence and synthesis of causal models; Tian & Pearl (2002), On
the identification of causal effects (technical report), section 5.
"""

from __future__ import annotations

from collections.abc import Mapping

from causalflow.admg.admg import ADMG, Names
from causalflow.errors import GraphError
from causalflow.limits import EDGES

__all__ = ["latent_projection"]


def latent_projection(admg: ADMG, latent: Names) -> ADMG:
    """The graph of the other nodes.

    ``a -> b`` where a directed path leads from a to b through latent nodes alone; ``a <-> b``
    where a and b are both reached so from one latent node, or from the two ends of a
    bidirected edge (an observed node reaches itself). Edges are counted before they are made.

    Raises:
        GraphError: a cycle, or more than `causalflow.limits.EDGES` edges to make.

    Example:
        >>> edges = frozenset({("p", "u"), ("u", "a"), ("u", "b")})
        >>> print(latent_projection(ADMG(("p", "u", "a", "b"), edges), "u"))
        p -> a, p -> b, a <-> b
    """
    hidden = frozenset(admg.ordered(latent))
    reached = _reached_through(admg, hidden)
    tops = [reached[node] for node in hidden if not admg.parents(node) & hidden]
    ends = [(reached[a], reached[b]) for a, b in map(tuple, admg.bidirected)]
    kept = admg.members - hidden
    reach = [(a, reached[b]) for a, b in admg.directed if a in kept]
    count = sum(len(below) * (len(below) - 1) // 2 for below in tops)
    count += sum(len(x) * len(y) for x, y in ends) + sum(len(below) for _, below in reach)
    _require_few(count, admg)
    ends += [(below, below) for below in tops]
    return ADMG(
        admg.ordered(kept),
        ((a, b) for a, below in reach for b in below),
        (frozenset((a, b)) for x, y in ends for a in x for b in y if a != b),
    )


def _reached_through(admg: ADMG, hidden: frozenset[str]) -> Mapping[str, frozenset[str]]:
    """The observed nodes that each node reaches through ``hidden`` alone; observed: itself."""
    reached: dict[str, frozenset[str]] = {}
    held = 0
    for node in reversed(admg.topological_order() if hidden else admg.nodes):
        below = [reached[child] for child in admg.children(node)] if node in hidden else ()
        reached[node] = frozenset().union(*below) if node in hidden else frozenset((node,))
        held += len(reached[node])
        _require_few(held, admg)
    return reached


def _require_few(count: int, graph: ADMG) -> None:
    if count > EDGES + len(graph.nodes) + len(graph.directed) + 2 * len(graph.bidirected):
        raise GraphError(
            f"the latent nodes would leave {count:,} edges or more; at most {EDGES:,} are allowed: "
            "a latent node joins all that it reaches, two by two"
        )
