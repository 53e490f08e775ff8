"""Ask: questions to a graph that says it all, answered with numbers.

    ask_model   {text, roles} -> its roots and their distributions, the file's own questions, and
                whether it is answered exactly, by draws, or why not at all, and whether example
                numbers (`causalflow.app.numbered`) would help
    ask         {text, query, given, weights} -> the table of a finite model, in fractions
    ask_drawn   the same of a model with continuous equations, by draws, with their error
    ask_bounds  the same -> what P(v) of the model alone would say: a range for each cell
    complete    {text, query, at} -> what may come next in a query: from where, and the options

``weights`` are the sliders' (`causalflow.app.weighed`). What an answer rests on is said in the
engine's own sentences.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import islice
from typing import Any

from causalflow.app.asked import graph_of, hidden_in, own_questions, text_of
from causalflow.app.handler import Handler, Session
from causalflow.app.numbered import can_be_numbered
from causalflow.app.weighed import Root, roots_of, weighed
from causalflow.bounds.bounds import bounds
from causalflow.errors import CausalflowError, EvidenceError, QueryError
from causalflow.exact.judged import judged_answer
from causalflow.exact.model import ExactModel
from causalflow.exact.structure import unsupported
from causalflow.factors.table import Table
from causalflow.graph.compilable import is_explicit
from causalflow.graph.graph import Graph
from causalflow.graph.node import levels_of
from causalflow.identify.verdict import Verdict
from causalflow.query.answer import Answer
from causalflow.query.completion import completion
from causalflow.symbolic.question import question
from causalflow.symbolic.style import MATHML, pieces

__all__ = ["DRAWS", "HANDLERS", "MOST_ROWS"]

MOST_ROWS = 256
"""Cells of an answer that are listed."""
DRAWS = 20_000
"""Worlds that an answer by draws is counted in."""
FEW_STATES = 32
"""Joint values of all nodes up to which bounds are found at once."""

Reply = dict[str, Any]


def ask_model(request: Mapping[str, Any], session: Session) -> Reply:
    """What there is to ask, and to move."""
    graph = graph_of(request, session)
    reason = unsupported(graph)
    explicit = bool(graph.nodes) and is_explicit(graph)
    return {
        "how": "exact" if reason is None else "drawn" if explicit else "none",
        "why": reason or "",
        "fillable": can_be_numbered(graph),
        "roots": [_root(root) for root in roots_of(graph)],
        "queries": own_questions(graph, hidden_in(request)),
    }


def _root(root: Root) -> Reply:
    return {
        "name": root.name,
        "levels": list(map(str, root.levels)),
        "shares": list(map(float, root.shares)),
        "exact": list(map(str, root.shares)),
        "exogenous": root.exogenous,
    }


def ask(request: Mapping[str, Any], session: Session) -> Reply:
    """The exact answer of a finite model."""
    graph = _weighed(request, session)
    return _answered(judged_answer(graph, _query(request), _given(request)), request, graph)


def ask_drawn(request: Mapping[str, Any], session: Session) -> Reply:
    """The answer of a model whose equations are not all finite."""
    from causalflow.model.model import compile

    graph = _weighed(request, session)
    if not is_explicit(graph):
        raise CausalflowError(f"{unsupported(graph)}; fit a model to data and ask that")
    model = session.cache.keep("explicit model", graph, lambda: compile(graph), most=4)
    session.progress(0.1, "drawing worlds")
    found = model.ask(_query(request), _given(request), draws=DRAWS, generator=0)
    return _answered(found, request, graph)


def _query(request: Mapping[str, Any]) -> str:
    text = text_of(request, "query").strip()
    if not text:
        raise QueryError("query: nothing is asked yet; a question is P(y | do(x=1))")
    return text


def _given(request: Mapping[str, Any]) -> dict[str, Any]:
    given = request.get("given") or {}
    if not isinstance(given, Mapping):
        raise EvidenceError("given: expected a value for each variable")
    return {str(name): value for name, value in given.items()}


def _weighed(request: Mapping[str, Any], session: Session) -> Graph:
    weights = request.get("weights") or {}
    if not isinstance(weights, Mapping):
        raise EvidenceError("weights: expected a list of weights for each root")
    return weighed(graph_of(request, session), weights)


def _answered(answer: Answer, request: Mapping[str, Any], graph: Graph) -> Reply:
    verdict = answer.verdict if isinstance(answer.verdict, Verdict) else None
    return {
        "question": str(answer.query),
        "mathml": " ".join(pieces(question(answer.query, MATHML))),
        "axes": list(answer.table.axes),
        "rows": _rows(answer.table),
        "cells": answer.table.values.size,
        "exact": answer.table.is_exact,
        "route": answer.route,
        "error": answer.error_text,
        "identifiable": None if verdict is None else verdict.identifiable,
        "badge": _badge(answer, verdict),
        "bounded": _bounded(verdict, graph),
        "notes": list(dict.fromkeys([*answer.assumptions, *_open(verdict)])),
        "plain": str(answer),
        "python": _python(answer, request, graph),
    }


def _bounded(verdict: Verdict | None, graph: Graph) -> str:
    """Whether bounds are worth asking for, and whether they take no longer than the answer."""
    if verdict is None or verdict.identifiable or unsupported(graph) or verdict.query.policies:
        return "no"
    states = math.prod(map(len, levels_of(graph.nodes).values()))
    return "at once" if states <= FEW_STATES else "when asked"


_BADGES = {True: "identified", False: "rests on the model", None: "unknown"}


def _badge(answer: Answer, verdict: Verdict | None) -> str:
    """What kind of answer it is; an identified one that data do not reach everywhere is in part."""
    if verdict is None:
        return "none"
    fails = any(note.startswith("positivity fails") for note in answer.assumptions)
    return "identified in part" if verdict and fails else _BADGES[verdict.identifiable]


def _open(verdict: Verdict | None) -> list[str]:
    """What the verdict says where the answer is not the data's."""
    if verdict is None or verdict.identifiable:
        return []
    return [f"{verdict.query} is {verdict.said} from {', '.join(verdict.data)}"]


def _rows(table: Table) -> list[Reply]:
    """The cells: their levels, the number, and the fraction where it is one."""
    cells = islice(zip(table.cells(), table.values.flat, strict=True), MOST_ROWS)
    return [
        {
            "levels": list(map(str, cell)),
            "p": float(value),
            "exact": str(value) if table.is_exact else None,
        }
        for cell, value in cells
    ]


def ask_bounds(request: Mapping[str, Any], session: Session) -> Reply:
    """What the distribution of what is observed leaves of the answer."""
    graph = _weighed(request, session)
    found = bounds(ExactModel(graph), _query(request))
    low, high = (_table(end) for end in (found.low, found.high))
    pairs = zip(_rows(low), _rows(high), strict=True)
    return {
        "axes": list(low.axes),
        "rows": [{"levels": a["levels"], "low": a["p"], "high": b["p"]} for a, b in pairs],
        "kind": found.kind,
        "notes": list(found.assumptions),
    }


def _table(end: float | Table) -> Table:
    return end if isinstance(end, Table) else Table.constant(end)


def _python(answer: Answer, request: Mapping[str, Any], graph: Graph) -> str:
    """Lines that give the same answer."""
    given = f", {_given(request)!r}" if _given(request) else ""
    if answer.route != "exact":
        given += f", draws={DRAWS}, generator=0"
    file = text_of(request, "name") or "graph.yaml"
    made = f"cf.load({file!r})"
    if request.get("weights"):
        made = f'cf.loads("""\n{graph.to_yaml()}""")'
    lines = ["import causalflow as cf", "", f"graph = {made}", "model = cf.compile(graph)"]
    return "\n".join([*lines, f"print(model.ask({_query(request)!r}{given}))", ""])


def complete(request: Mapping[str, Any], session: Session) -> Reply:
    """What may come next where the cursor stands."""
    text, at = text_of(request, "query"), request.get("at")
    found = completion(text, at if isinstance(at, int) else None, graph=graph_of(request, session))
    return {"from": found.start, "options": list(found.options[:50])}


HANDLERS: dict[str, Handler] = {
    "ask_model": Handler(ask_model),
    "ask": Handler(ask),
    "ask_drawn": Handler(ask_drawn, slow=True),
    "ask_bounds": Handler(ask_bounds),
    "complete": Handler(complete),
}
