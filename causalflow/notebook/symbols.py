"""Symbols: views of a graph and of a verdict."""

from __future__ import annotations

from causalflow.graph.graph import Graph
from causalflow.identify.verdict import Verdict
from causalflow.notebook.parts import (
    GOOD,
    OPEN,
    WRONG,
    Html,
    badge,
    block,
    facts,
    folded,
    formula,
    listed,
    text,
    title,
)
from causalflow.plot.svg import graph_svg

__all__ = ["graph_drawing", "graph_view", "verdict_view"]

MOST_NODES, MOST_EDGES = 50, 70
"""A drawing of more is not read on a screen."""

_STEPS = 12


def graph_drawing(graph: Graph) -> Html | None:
    """The drawing; None of a graph too large to be read, whose text says how large it is."""
    whole = len(graph.nodes) + len(graph.exogenous)
    return graph_svg(graph, exogenous=whole <= MOST_NODES) if _is_drawn(graph) else None


def graph_view(graph: Graph) -> Html:
    """The drawing, or the size of a graph too large for one."""
    return block(graph_drawing(graph) or f"<div>{text(repr(graph))}</div>")


def _is_drawn(graph: Graph) -> bool:
    edges = len(graph.edges) + len(graph.bidirected)
    return 0 < len(graph.nodes) <= MOST_NODES and edges <= MOST_EDGES


def verdict_view(verdict: Verdict) -> Html:
    """Whether it is identified, the estimand or what forbids it, and what that rests on."""
    said = "identifiable" if verdict.identifiable else verdict.said
    colour = {True: GOOD, False: WRONG}.get(verdict.identifiable, OPEN)  # type: ignore[arg-type]
    known = f"from {', '.join(verdict.data)}"
    constant = ", ".join(verdict.constant_in)
    same = f"the same for every value of {constant}" if constant else ""
    return block(
        title(verdict.query, badge(said, colour), f"<span>{text(known)}</span>"),
        *([formula(verdict.mathml())] if verdict.estimand is not None else []),
        _hedge(verdict),
        listed([*verdict.witness, *filter(None, [verdict.note, same])]),
        listed(verdict.warnings, "warning"),
        folded("assumes", listed(verdict.assumptions)),
        folded("derivation", listed(verdict.derivation, most=_STEPS)),
        folded("shorter", listed(verdict.short_answers)),
    )


def _hedge(verdict: Verdict) -> Html:
    """The hedge in the graph."""
    graph = verdict.declared
    if verdict.hedge is None or graph is None or not _is_drawn(graph):
        return facts({"hedge": verdict.hedge}) if verdict.hedge is not None else ""
    if not verdict.hedge.forest <= graph.nodes.keys():
        return facts({"hedge": verdict.hedge})
    return graph_svg(graph, highlight=verdict.hedge)
