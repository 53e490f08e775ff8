"""GML: graphs as networkx and DoWhy keep them, from and to text.

    graph [ directed 1
      node [ id 0 label "U" observed "no" ]  node [ id 1 label "X" ]
      edge [ source 0 target 1 ]
    ]

networkx reads and writes the text. A node's name is its label, else what igraph calls its name,
else its id; attributes mean what they do in networkx (`causalflow.formats.networkx`).

Source: Himsolt (1996), GML: a portable graph file format.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from causalflow.errors import GraphError
from causalflow.formats.attributes import STRUCTURED
from causalflow.formats.formats import Format
from causalflow.formats.networkx import from_networkx, to_networkx
from causalflow.graph.graph import Graph
from causalflow.limits import STATEMENT_LETTERS

if TYPE_CHECKING:
    import networkx

__all__ = ["GML", "from_gml", "to_gml"]

_SLIPS = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What networkx raises on texts that are not GML, beside its own error."""


def from_gml(text: str, source: str = "GML text") -> Graph:
    """The graph of a GML text.

    Raises:
        GraphError: no GML, undirected edges, or what is not a causal graph.

    Example:
        >>> from_gml('graph [directed 1 node [id 0 label "x"] node [id 1 label "y"]'
        ...          ' edge [source 0 target 1]]')
        Graph('graph', x -> y)
    """
    import networkx

    if len(text) > STATEMENT_LETTERS:
        raise GraphError(
            f"{source}: {len(text)} characters; a graph text may have {STATEMENT_LETTERS} at most"
        )
    try:
        peer = networkx.parse_gml(text, label="id")
    except RecursionError:
        raise GraphError(f"{source}: not GML: lists are nested too deeply") from None
    except (networkx.NetworkXError, *_SLIPS) as error:
        said = " ".join(str(error).split())
        raise GraphError(f"{source}: not GML: {said[:200] or type(error).__name__}") from None
    if not peer.is_directed():
        raise GraphError(
            f"{source}: the edges have no direction; expected 'directed 1' in the graph"
        )
    named: Any = networkx.relabel_nodes(peer, _labels(peer, source))
    return from_networkx(named)


def _labels(peer: networkx.Graph[Any], source: str) -> dict[Any, str]:
    """The name of each id."""
    labels = {
        node: str(given.get("label", given.get("name", node)))
        for node, given in peer.nodes(data=True)
    }
    for label, times in Counter(labels.values()).items():
        if times > 1:
            raise GraphError(f"{source}: {times} nodes have the label {label[:40]!r}")
    return labels


def to_gml(graph: Graph) -> str:
    """The GML text of a graph; what a graph file says beside edges stands in JSON."""
    import networkx

    peer = to_networkx(graph)
    for given in [peer.graph, *(g for _, g in peer.nodes(data=True))]:
        _write_json(given)
    for _, _, given in peer.edges(data=True):
        _write_json(given)
    return "\n".join(networkx.generate_gml(peer)) + "\n"


def _write_json(given: dict[str, Any]) -> None:
    given.update({k: json.dumps(v) for k, v in given.items() if k in STRUCTURED})


GML = Format(
    suffixes=(".gml",),
    begins=re.compile(r"(?:(?:Creator|Version)\b[^\n:]*\n\s*)*graph\s*\[", re.IGNORECASE),
    read=from_gml,
    write=to_gml,
)
