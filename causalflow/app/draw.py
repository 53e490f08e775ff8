"""Draw: the graph as text and as a drawing, each following the other.

    draw      {text, shown, query} -> nodes, edges, positions, problems, the file's own first
              question, the roles of the question that is asked; another format's text as YAML
    edit      {text, query, edits: [{kind: cut_edge, source: x, target: y}, ...]} -> {text, query}
    arrange   {text} -> {positions} in columns, from causes to effects
    check     {text} -> {problems}: what ``causalflow check`` says of a file

``shown`` are the positions of the nodes on the page: those that the file does not place stay there.
An edit is one of `causalflow.edit`, with its attributes; ``compiled`` is the kind of an edge. The
question on the page follows as those of the file do: a node's name changes there too, and one that
names a node which is gone is none any more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields
from typing import Any

from causalflow import edit
from causalflow.app.asked import first_question, roles_of, text_of
from causalflow.app.drawing import drawing_of
from causalflow.app.handler import Handler, Session
from causalflow.app.problem import Problem, problem
from causalflow.edit.mentions import named_in_question, renamed_in_question
from causalflow.errors import CausalflowError, GraphError, one_of, shown
from causalflow.exact.verification import verify
from causalflow.formats.formats import FORMATS, format_of, loads
from causalflow.graph.compilable import refusals, untyped
from causalflow.graph.graph import Graph
from causalflow.graph.positions import REACH
from causalflow.graph.writer import sections_yaml
from causalflow.query.parse import parse_query

__all__ = ["EDITS", "HANDLERS"]

_Reply = Mapping[str, Any]


def _text(request: Mapping[str, Any]) -> str:
    text = request.get("text", "")
    if not isinstance(text, str):
        raise GraphError("the request has no text")
    return text


def _point(given: Any) -> tuple[float, float]:
    """A position of the request's.

    Raises:
        GraphError: it is none.
    """
    is_pair = isinstance(given, list) and len(given) == 2
    if not is_pair or not all(type(each) in (int, float) and abs(each) <= REACH for each in given):
        raise GraphError("a position is two numbers [x, y]")
    return float(given[0]), float(given[1])


def _points(given: Any) -> dict[str, tuple[float, float]]:
    if not isinstance(given, Mapping):
        raise GraphError("positions are a mapping name: [x, y]")
    return {str(name): _point(each) for name, each in given.items()}


def _draw(request: Mapping[str, Any], session: Session) -> _Reply:
    """The text as a drawing; what cannot be drawn says why, with its line."""
    text, seen = _text(request), _points(request.get("shown") or {})
    empty = {"nodes": [], "edges": [], "positions": {}, "placed": [], "title": "", "problems": []}
    try:
        text, read_as = _as_yaml(text, request.get("format"))
        drawing = drawing_of(text)
        if drawing is None:
            return {**empty, "text": text, "format": read_as, "drawn": True}
        return {
            "nodes": list(drawing.nodes()),
            "edges": list(drawing.edges()),
            "positions": drawing.positions(seen),
            "placed": [name for name, _ in drawing.declaration.layout],
            "title": drawing.declaration.name,
            "problems": list(_asked_amiss(drawing.graph)),
            "first": first_question(drawing.graph),
            "asked": roles_of(text_of(request, "query"), drawing.graph),
            "text": text,
            "format": read_as,
            "drawn": True,
        }
    except CausalflowError as error:
        return {**empty, "problems": [problem(error)], "text": text, "drawn": False}


def _as_yaml(text: str, format: Any) -> tuple[str, str]:
    """The text of a graph file in YAML, and the format that it was in.

    Raises:
        GraphError: an unknown format, or a text that is not of it.
    """
    if format in (None, ""):
        found = format_of(text)
        format = next((name for name in FORMATS if FORMATS.get(name) is found), "yaml")
    if format == "yaml":
        return text, format
    graph = loads(text, format)
    said = FORMATS.get(str(format)).sections
    made = graph.to_yaml() if said is None else sections_yaml(said(text, "<text>"))
    return made, str(format)


def _asked_amiss(graph: Graph) -> Iterator[Problem]:
    """The file's questions that cannot be read."""
    for check in graph.queries:
        try:
            parse_query(check.ask, graph)
        except CausalflowError as error:
            yield Problem(message=str(error), line=check.line, column=None)


def _check(request: Mapping[str, Any], session: Session) -> _Reply:
    """What ``causalflow check`` says of the text, beyond that it can be read."""
    drawing = drawing_of(_text(request))
    if drawing is None:
        return {"problems": []}
    graph = drawing.graph
    found = [
        Problem(message=error, line=each.check.line, column=None)
        for each in verify(graph)
        for error in each.errors
    ]
    reasons = [] if len(untyped(graph)) == len(graph.nodes) else list(refusals(graph))
    notes = [
        Problem(message=f"cannot be compiled: {reason}", line=None, column=None)
        for reason in reasons
    ]
    return {"problems": [*found, *notes]}


def _arrange(request: Mapping[str, Any], session: Session) -> _Reply:
    """The positions of all variables in columns, from causes to effects."""
    drawing = drawing_of(_text(request))
    return {"positions": {} if drawing is None else drawing.arranged()}


EDITS: dict[str, Any] = {
    "add_node": edit.AddNode,
    "drop_node": edit.DropNode,
    "rename_node": edit.RenameNode,
    "type_node": edit.TypeNode,
    "hide_node": edit.HideNode,
    "show_node": edit.ShowNode,
    "place_nodes": edit.PlaceNodes,
    "add_edge": edit.AddEdge,
    "cut_edge": edit.CutEdge,
    "reverse_edge": edit.ReverseEdge,
    "confound_edge": edit.ConfoundEdge,
    "direct_edge": edit.DirectEdge,
    "compile_edge": edit.CompileEdge,
}
"""Kind -> the edit of `causalflow.edit` whose attributes the request gives."""


def _edit(request: Mapping[str, Any], session: Session) -> _Reply:
    """The text after the edits, of which all are made or none."""
    given = request.get("edits", [request.get("edit")])
    if not isinstance(given, list):
        raise GraphError("edits are a list")
    edits = [*map(_one_edit, given)]
    text, query = edit.edited(_text(request), *edits), text_of(request, "query")
    for each in edits:
        query = _followed(query, each)
    return {"text": text, "query": query}


def _followed(query: str, made: edit.Edit) -> str:
    """The question on the page after an edit."""
    match made:
        case edit.RenameNode(old, new):
            return renamed_in_question(query, old, new)
        case edit.DropNode(name) | edit.HideNode(name):
            return "" if name in named_in_question(query) else query
        case _:
            return query


def _one_edit(given: Any) -> edit.Edit:
    """An edit as the request says it.

    Raises:
        GraphError: an unknown kind, or attributes that are not that kind's.
    """
    kind = given.get("kind") if isinstance(given, Mapping) else None
    if not isinstance(kind, str) or kind not in EDITS:
        raise GraphError(f"unknown edit {shown(kind, 40)}; {one_of(kind, EDITS)}")
    said = {key: value for key, value in given.items() if key not in ("kind", "compiled")}
    said |= {"kind": given["compiled"]} if "compiled" in given else {}
    slots = {slot.name: slot for slot in fields(EDITS[kind])}
    for name in said.keys() - slots.keys():
        raise GraphError(f"edit '{kind}': unknown attribute {name[:40]!r}; {one_of(name, slots)}")
    for name, slot in slots.items():
        if name not in said and slot.default is MISSING:
            raise GraphError(f"edit '{kind}': the attribute '{name}' is missing")
    return EDITS[kind](**{name: _attribute(name, value) for name, value in said.items()})


def _attribute(name: str, value: Any) -> Any:
    """A truth, positions or a text.

    Raises:
        GraphError: something else.
    """
    if name == "positions":
        return _points(value)
    wanted = bool if name == "bidirected" else str
    if not isinstance(value, wanted):
        raise GraphError(f"edit: '{name}' is {shown(value, 40)}; expected a {wanted.__name__}")
    return value


HANDLERS: dict[str, Handler] = {
    "draw": Handler(_draw),
    "edit": Handler(_edit),
    "arrange": Handler(_arrange),
    "check": Handler(_check),
}
