"""plot_graph: a causal graph as a picture, by graphviz where its program is, else by matplotlib.

Node types differ by shape and colour (`causalflow.plot.style`), anti-causal edges have hollow
heads, bidirected edges are dashed with two heads, declared exogenous variables are small. The
format follows from the file's suffix; ``.dot`` is graphviz's source text and needs no program.
Where the graph says at which places its nodes stand, they stand there, drawn by matplotlib; in
graphviz's source they are pinned for neato.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from causalflow.errors import GraphError, one_of
from causalflow.files import whole_file, written
from causalflow.formats.dot import dot_document
from causalflow.formats.positions import pinned
from causalflow.formats.statements import Attributes, Document, Link
from causalflow.graph.graph import Graph
from causalflow.graph.node import Node
from causalflow.identify.hedge import Hedge
from causalflow.plot.images import draw_to
from causalflow.plot.style import (
    BIDIRECTED,
    EXOGENOUS,
    Highlight,
    NodeStyle,
    caption,
    edge_style,
    highlight_of,
    node_style,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["FORMATS", "dot_source", "plot_graph"]

FORMATS = (".png", ".svg", ".pdf", ".dot")
_SHAPES: Mapping[str, Attributes] = {
    "ellipse": {"shape": "ellipse", "style": "filled"},
    "rounded": {"shape": "box", "style": "filled,rounded"},
    "card": {"shape": "box", "style": "filled", "peripheries": "2"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """What is shown beside the graph itself."""

    exogenous: bool
    legend: bool
    title: str | None
    highlight: Highlight | None


def plot_graph(
    graph: Graph,
    path: str | Path | None = None,
    *,
    exogenous: bool = True,
    legend: bool = True,
    title: str | None = None,
    highlight: Hedge | None = None,
    dpi: float = 160,
) -> Figure | Path:
    """Draw ``graph``; into the file ``path`` if given.

    Args:
        graph: any causal graph.
        path: its suffix is the format: .png, .svg, .pdf or .dot.
        exogenous: show declared exogenous variables; otherwise the bidirected edges they amount to.
        legend: explain node types and edge kinds (matplotlib; graphviz puts them into tooltips).
        title: a line above the drawing.
        highlight: the hedge of a verdict, shown in colour while the rest of the graph is pale.
        dpi: pixels an inch in a .png.

    Returns:
        The matplotlib figure, or the path written.

    Raises:
        GraphError: another suffix, a file that cannot be written, or the hedge of another graph.
    """
    look = _Look(
        exogenous=exogenous and highlight is None,
        legend=legend,
        title=title,
        highlight=highlight_of(highlight, graph),
    )
    if path is None:
        return _figure(graph, look)
    target = Path(path)
    suffix = target.suffix.lower()
    if suffix not in FORMATS:
        raise GraphError(f"cannot draw to '{target}': format '{suffix}'; {one_of(suffix, FORMATS)}")
    with written(target, GraphError):
        _write(graph, target, look, dpi)
    return target


def _write(graph: Graph, path: Path, look: _Look, dpi: float) -> None:
    suffix = path.suffix.lower()
    with whole_file(path) as part:
        if suffix == ".dot":
            part.write_text(_source(graph, look), encoding="utf-8")
        elif shutil.which("dot") and not graph.layout:
            part.write_bytes(_render(_source(graph, look, dpi), suffix.lstrip(".")))
        else:
            draw_to(_figure(graph, look), part, suffix.removeprefix("."), dpi)


def _source(graph: Graph, look: _Look, dpi: float | None = None) -> str:
    highlight = look.highlight
    hedge = None if highlight is None else highlight.hedge
    return dot_source(graph, exogenous=look.exogenous, title=look.title, highlight=hedge, dpi=dpi)


def _figure(graph: Graph, look: _Look) -> Figure:
    from causalflow.plot.drawing import draw_figure

    return draw_figure(
        graph,
        exogenous=look.exogenous,
        legend=look.legend,
        title=look.title,
        highlight=look.highlight,
    )


def _render(source: str, suffix: str) -> bytes:
    import graphviz
    from graphviz import CalledProcessError

    try:
        return bytes(graphviz.Source(source).pipe(format=suffix, quiet=True))
    except CalledProcessError as error:
        said = error.stderr.decode("utf-8", "replace") if error.stderr else str(error)
        detail = " ".join(said.split())[:200]
        raise GraphError(f"graphviz could not draw the graph: {detail}") from None


def dot_source(
    graph: Graph,
    *,
    exogenous: bool = True,
    title: str | None = None,
    highlight: Hedge | None = None,
    dpi: float | None = None,
) -> str:
    """Graphviz source with styling; `causalflow.formats.dot.from_dot` reads it back."""
    plain, look = dot_document(graph), highlight_of(highlight, graph)
    title = title or (look.title if look else None)
    settings = {"rankdir": "LR", "nodesep": "0.35", "ranksep": "0.6", "fontname": "Helvetica"}
    settings |= {"label": title, "labelloc": "t"} if title else {}
    settings |= {"dpi": f"{dpi:g}"} if dpi else {}
    nodes = {
        name: {**given, **_dot_node(name, graph.nodes[name], look)}
        for name, given in plain.nodes.items()
    }
    shown = exogenous and bool(graph.exogenous)
    links = tuple(
        _dot_link(link, graph, look) for link in plain.links if not (shown and _implied(link))
    )
    styled = replace(plain, attributes={**settings, **plain.attributes}, nodes=nodes, links=links)
    return str(_with_exogenous(styled, graph) if shown else styled)


def _implied(link: Link) -> bool:
    return link.attributes.get("implied") == "true"


def _dot_node(name: str, node: Node, highlight: Highlight | None) -> Attributes:
    style = node_style(node)
    if highlight is not None:
        style = highlight.node(name, style)
    below = caption(node)
    tooltip = f"{name}: {style.legend}{', ' if below else ''}{below}"
    label = {"label": f"{name}\n{below}"} if below else {}
    return {**label, **_look(style), "tooltip": tooltip}


def _look(style: NodeStyle) -> Attributes:
    colours = {"fillcolor": style.fill, "color": style.line, "fontcolor": style.text}
    ring = {"peripheries": "2", "penwidth": "1.5"} if style.ring else {}
    return {**_SHAPES[style.shape], **ring, **colours, "fontname": "Helvetica"}


def _dot_link(link: Link, graph: Graph, highlight: Highlight | None) -> Link:
    if link.attributes.get("dir") == "both":
        style, extra = BIDIRECTED, {"constraint": "false"}
    else:
        style, extra = (
            edge_style(graph.kind(link.source, link.target), graph.nodes[link.target]),
            {},
        )
    if highlight is not None:
        style = highlight.edge(link.source, link.target, style)
    extra |= {"arrowhead": "onormal"} if style.hollow else {}
    extra |= {"color": style.colour, "tooltip": style.legend or "cause"}
    return replace(link, attributes={**link.attributes, **extra})


def _with_exogenous(document: Document, graph: Graph) -> Document:
    small = {"fontsize": "9", "width": "0.3", "height": "0.3", "margin": "0.02"}
    nodes = {
        name: {
            **_look(EXOGENOUS),
            **small,
            **pinned(graph.layout, name),
            "tooltip": f"{name}: exogenous",
        }
        for name in graph.exogenous
    }
    thin = {"color": EXOGENOUS.line, "arrowsize": "0.6"}
    links = tuple(
        Link(source=variable, mark="->", target=name, attributes=thin)
        for name in graph.nodes
        for variable in graph.exogenous_parents(name)
    )
    return replace(document, nodes={**document.nodes, **nodes}, links=(*document.links, *links))
