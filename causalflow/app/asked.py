"""Asked: what a request says of the graph, of roles and of the question, read and checked.

    {"text": "edges: [x -> y]", "format": "yaml",
     "roles": {"treatments": ["x"], "outcomes": ["y"], "given": [], "adjusted": [],
               "unobserved": []},
     "query": "P(y | do(x))"}

A query is the question where there is one. Else it is P(outcomes | do(treatments), given). The
unobserved are taken out of the graph: what they join is joined by bidirected edges, or by what
leads through them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from causalflow.admg.admg import ADMG
from causalflow.admg.projection import latent_projection
from causalflow.app.handler import Session
from causalflow.errors import CausalflowError, GraphError, QueryError
from causalflow.formats.formats import loads
from causalflow.graph.graph import Graph
from causalflow.query.combination import AnyQuery, Combination
from causalflow.query.parse import parse_query
from causalflow.query.query import Intervention, Query, Term

__all__ = [
    "Asked",
    "asked_of",
    "first_question",
    "graph_of",
    "hidden_in",
    "own_questions",
    "roles_of",
    "text_of",
]

_GRAPHS = 16
_LISTED = 24
_ROLES = ("treatments", "outcomes", "given", "adjusted", "unobserved")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A question to a graph, and the roles of its nodes.

    Attributes:
        graph: as the text declares it.
        file: the name of the file that the page saves it as.
        seen: the same without what is unobserved.
        treatments: what is set.
        outcomes: what is asked about.
        given: what is known to be so of those who are asked about.
        adjusted: what is held fixed.
        query: the question; None: none yet, as no outcome is named.
    """

    graph: Graph
    file: str
    seen: Graph | ADMG
    treatments: tuple[str, ...]
    outcomes: tuple[str, ...]
    given: tuple[str, ...]
    adjusted: tuple[str, ...]
    query: AnyQuery | None

    @property
    def admg(self) -> ADMG:
        """The algebra of what is seen."""
        return self.seen if isinstance(self.seen, ADMG) else self.seen.admg


def text_of(request: Mapping[str, Any], name: str, most: int = 100_000) -> str:
    """A text of the request, empty where it has none.

    Raises:
        CausalflowError: it is no text, or longer than ``most``.
    """
    found = request.get(name) or ""
    if not isinstance(found, str):
        raise CausalflowError(f"'{name}' is {type(found).__name__}; expected a text")
    if len(found) > most:
        raise CausalflowError(f"'{name}' has {len(found):,} letters; at most {most:,} are read")
    return found


def graph_of(request: Mapping[str, Any], session: Session) -> Graph:
    """The graph that the request's text declares.

    Raises:
        GraphError: the first mistake in it, with its line.
    """
    text, format = text_of(request, "text", 1 << 20), text_of(request, "format") or None
    return session.cache.keep("graph", (text, format), lambda: loads(text, format), most=_GRAPHS)


def own_questions(graph: Graph, hidden: Collection[str] = ()) -> list[str]:
    """The first questions that the graph's file asks and that can be asked, each once.

    Args:
        graph: what the file declares.
        hidden: names of what is unobserved, which a question does not name.
    """
    return [text for text, _ in islice(_own(graph, hidden), _LISTED)]


def _own(graph: Graph, hidden: Collection[str] = ()) -> Iterator[tuple[str, AnyQuery]]:
    for text in dict.fromkeys(check.ask for check in graph.queries):
        try:
            query = parse_query(text, graph)
        except CausalflowError:
            continue
        if query.variables.isdisjoint(hidden):
            yield text, query


def hidden_in(request: Mapping[str, Any]) -> frozenset[str]:
    """The names that the request's roles call unobserved, whether or not the graph has them."""
    roles = request.get("roles")
    names = roles.get("unobserved") if isinstance(roles, Mapping) else ()
    return frozenset(map(str, names)) if isinstance(names, list) else frozenset()


def first_question(graph: Graph) -> dict[str, Any]:
    """The first of the file's own questions: its ``roles``, and its text as ``query``.

    The text is empty where the roles say all of the question; both are where none can be asked.
    """
    text, query = next(_own(graph), ("", None))
    if query is None:
        return {"roles": {}, "query": ""}
    roles = _named_roles(query, {"adjusted": ()})
    says_all = str(query) == str(_effect(roles))
    shown = {role: list(names) for role, names in roles.items()}
    return {"roles": shown, "query": "" if says_all else text}


def roles_of(text: str, graph: Graph) -> dict[str, list[str]] | None:
    """The roles that make a question; None where it cannot be read."""
    try:
        query = parse_query(text, graph)
    except CausalflowError:
        return None
    named = _named_roles(query, {"adjusted": ()})
    return {role: list(names) for role, names in named.items() if role != "adjusted"}


def asked_of(request: Mapping[str, Any], session: Session) -> Asked:
    """What the request asks.

    Raises:
        GraphError: a mistake in the graph, or a role of a node that is not there.
        QueryError: the question cannot be read, or does not fit the graph.
    """
    graph = graph_of(request, session)
    roles = _roles(request, graph)
    hidden = roles["unobserved"]
    seen = latent_projection(graph.admg, hidden) if hidden else graph
    text = text_of(request, "query").strip()
    found = _parsed(text, graph, seen) if text else _effect(roles)
    if text and found is not None:
        roles |= _named_roles(found, roles)
    return Asked(
        graph=graph,
        file=text_of(request, "name") or "graph.yaml",
        seen=seen,
        treatments=roles["treatments"],
        outcomes=roles["outcomes"],
        given=roles["given"],
        adjusted=roles["adjusted"],
        query=found,
    )


def _roles(request: Mapping[str, Any], graph: Graph) -> dict[str, tuple[str, ...]]:
    """The nodes of each role, in declared order."""
    given = request.get("roles") or {}
    if not isinstance(given, Mapping) or not all(isinstance(each, list) for each in given.values()):
        raise GraphError(f"roles: expected lists of names under {', '.join(_ROLES)}")
    found = {role: graph.admg.ordered(map(str, given.get(role, ()))) for role in _ROLES}
    taken = [name for names in found.values() for name in names]
    for name in taken:
        if taken.count(name) > 1:
            raise GraphError(f"roles: '{name}' has two; a node has one")
    return found


def _parsed(text: str, graph: Graph, seen: Graph | ADMG) -> AnyQuery:
    """The question that a text puts.

    Raises:
        QueryError: it cannot be read, or it names what is unobserved.
    """
    try:
        return parse_query(text, seen)
    except QueryError as error:
        named = parse_query(text, graph).variables
        unseen = [name for name in graph.nodes if name in named and name not in seen.nodes]
        if not unseen:
            raise
        said = f"query: '{unseen[0]}' is unobserved; a question names what is observed"
        raise QueryError(said, error.text, error.position) from None


def _effect(roles: Mapping[str, tuple[str, ...]]) -> Query | None:
    if not roles["outcomes"]:
        return None
    return Query(
        outcomes=tuple(Term(name=name) for name in roles["outcomes"]),
        do=tuple(Intervention(variable=name) for name in roles["treatments"]),
        conditions=tuple(Term(name=name) for name in roles["given"]),
    )


def _named_roles(
    query: AnyQuery, roles: Mapping[str, tuple[str, ...]]
) -> dict[str, tuple[str, ...]]:
    """What a question sets, asks about and is given; with what is still adjusted for."""
    parts = query.parts if isinstance(query, Combination) else (query,)
    terms = [term for part in parts for term in part.outcomes]
    worlds = [*(part.do for part in parts), *(term.subscript for term in terms)]
    set_ = tuple(dict.fromkeys(each.variable for world in worlds for each in world))
    outcomes = tuple(dict.fromkeys(term.name for term in terms if term.name not in set_))
    known = dict.fromkeys(term.name for part in parts for term in part.conditions)
    given = tuple(name for name in known if name not in (*set_, *outcomes))
    adjusted = tuple(name for name in roles["adjusted"] if name not in (*set_, *outcomes, *given))
    return {"treatments": set_, "outcomes": outcomes, "given": given, "adjusted": adjusted}
