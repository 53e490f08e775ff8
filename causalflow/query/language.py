"""Language: causal questions as text.

    P(y | do(x=1), z)                    interventional; z is free
    P(y, w=0 | do(x=red, v), z=1)        joint; v is set to any of its levels
    P(y[x=1] | x=0, y=0)                 counterfactual: y had x been 1, given what was seen
    P(y[x=1]=1, y[x=0]=0)                several worlds
    P(y[x=1, m[x=0]])                    nested: m takes the value it has in the world x=0
    P(y[x=1, m[]])                       m takes the value it has in the actual world
    P(y[x])                              x is set to any of its levels
    E[y[x=1] - 1/2*y[x=0] | z=1]         expectation of a linear combination
    NDE(x -> y; m), ETT(x -> y), ...     quantities with names: see `causalflow.query.named`

A level is written by name or number; ``'two words'`` or ``"two words"`` quotes names that would
read as something else (a backslash keeps the character after it). ``do`` sets a variable for every
term of the query, conditions too; with subscripts each term has its own world, so the two are not
mixed.

A mistake is a `QueryError` that points at its place.
"""

from __future__ import annotations

import functools
import re
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from lark import Lark
from lark.exceptions import UnexpectedInput, UnexpectedToken

from causalflow.errors import QueryError
from causalflow.graph.schema import Symbol
from causalflow.limits import QUERY_DEPTH, QUERY_LETTERS
from causalflow.query.named import written_out
from causalflow.query.plain import plain_query
from causalflow.query.query import NAME, WORD, Kind, Query, Term
from causalflow.query.reader import Branch, Reader, Variables

if TYPE_CHECKING:
    from causalflow.graph.graph import Graph

__all__ = ["parse_distribution", "parse_query"]


QUOTED = r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\""""

GRAMMAR = rf"""
start: P outcomes given? ")" -> probability
     | E combination given? "]" -> expectation
outcomes: event ("," event)*
given: "|" condition ("," condition)*
?condition: event | do
do: DO event ("," event)* ")"
event: _name subscript? ("=" value)?
subscript: "[" (event ("," event)*)? "]"
value: VALUE | QUOTED
_name: NAME | QUOTED

combination: part (_sign_part)*
part: MINUS? _product
_sign_part: plus_part | minus_part
plus_part: "+" _product -> part
minus_part: MINUS _product -> part
_product: (coefficient "*")? event
coefficient: COUNT ("/" COUNT)?

P: /P\s*\(/
E: /E\s*\[/
DO.1: /do\s*\(/
MINUS: "-"
NAME: /{NAME}/
COUNT: /(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{{1,2}})?/
VALUE: /{WORD}/
QUOTED: /{QUOTED}/
%ignore /\s+/
"""

WORDS = {
    "P": "'P('",
    "E": "'E['",
    "NAME": "a variable",
    "DO": "'do('",
    "COUNT": "a number",
    "VALUE": "a level or number",
    "EQUAL": "'='",
    "LSQB": "'['",
    "STAR": "'*'",
    "SLASH": "'/'",
    "PLUS": "'+'",
    "MINUS": "'-'",
    "COMMA": "','",
    "VBAR": "'|'",
    "RSQB": "']'",
    "RPAR": "')'",
    "$END": "the end of the query",
}


def parse_query(text: str, graph: Graph | None = None) -> Query:
    """Read a causal question.

    Args:
        text: at most 2,000 characters, nested at most 20 deep.
        graph: if given, names and levels are checked against it, and a level's index becomes the
            level. Exogenous variables can be asked about and conditioned on, not set.

    Raises:
        QueryError: what cannot be read, contradicts itself, or is not in the graph.

    Example:
        >>> query = parse_query("P(y|z, do( x = 1 ))")
        >>> print(query, query.free_variables)
        P(y | do(x=1), z) ('y', 'z')
        >>> print(parse_query("P(y[x=1] | x=0, y=0)").worlds[1])
        ()
    """
    written = written_out(text, graph)
    return _read(written, None if graph is None else {**graph.nodes, **graph.exogenous})


def parse_distribution(text: str, graph: Graph | None = None) -> Query:
    """Read a distribution that is available as data, such as ``P(y, z | do(x))``.

    With a graph that has no node ``v``, ``P(v)`` and ``P(v | do(x))`` mean all the nodes that are
    not set.

    Raises:
        QueryError: it cannot be read, or is no distribution of free variables in one world.

    Example:
        >>> print(parse_distribution("P(y[x], z[x])"))
        P(y, z | do(x))
    """
    whole = graph is not None and "v" not in graph.nodes
    variables = None if graph is None else {**({"v": Symbol()} if whole else {}), **graph.nodes}
    query = _read(text, variables)
    if query.kind is Kind.EXPECTATION or query.is_counterfactual:
        raise QueryError("query: data come from a distribution P(... | do(...))", text, 0)
    if len(query.free_terms) < len(query.terms):
        raise QueryError("query: the variables of a distribution of data take no values", text, 0)
    query = query.interventional_form()
    if graph is None or not whole or query.outcomes != (Term(name="v"),):
        return query
    outcomes = graph.nodes.keys() - query.variables
    return replace(query, outcomes=tuple(Term(name=n) for n in graph.nodes if n in outcomes))


def _read(text: str, variables: Variables | None) -> Query:
    _check_size(text)
    query = plain_query(text, variables)
    if query is None:
        query = Reader(text=text, variables=variables).query(_tree(text))
    if len(str(query)) > QUERY_LETTERS:
        raise QueryError(f"query: written out, longer than {QUERY_LETTERS:,} characters")
    return query


def _check_size(text: str) -> None:
    if not isinstance(text, str):
        raise QueryError(f"query: given {type(text).__name__}; expected text: 'P(y | do(x))'")
    if len(text) > QUERY_LETTERS:
        raise QueryError(f"query: {len(text):,} characters; at most {QUERY_LETTERS:,} are read")
    depth = -1 if text.lstrip().startswith("E") else 0
    for mark in re.finditer(rf"[][]|{QUOTED}", text):
        depth += {"[": 1, "]": -1}.get(mark[0], 0)
        if depth > QUERY_DEPTH:
            message = f"query: nested deeper than {QUERY_DEPTH} subscripts"
            raise QueryError(message, text, mark.start())


@functools.cache
def _parser() -> Lark:
    return Lark(GRAMMAR, parser="lalr", propagate_positions=True, maybe_placeholders=False)


def _tree(text: str) -> Branch:
    interactive = _parser().parse_interactive(text)
    try:
        for _ in interactive.iter_parse():
            pass
        return cast("Branch", interactive.feed_eof())
    except UnexpectedInput as error:
        ended = isinstance(error, UnexpectedToken) and error.token.type == "$END"
        position = len(text.rstrip()) if ended else error.pos_in_stream or 0
    accepted = interactive.accepts()
    words = [word for terminal, word in WORDS.items() if terminal in accepted]
    expected = " or ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))
    found = re.match(rf"\w+[(\[]?|{QUOTED}|\S", text[position:])
    given = repr(found[0]) if found else "the end of the query"
    if given in ('"\'"', "'\"'"):
        given = "a quote that is not closed"
    raise QueryError(f"query: expected {expected}; found {given}", text, position)
