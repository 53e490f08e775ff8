"""Parser: the text of a causal question becomes a `Query`, or an error that points at its place.

    P(y | do(x=1), z)                    interventional; z is free
    P(y, w=0 | do(x=red, v), z=1)        joint; v is set to any of its levels
    P(y[x=1] | x=0, y=0)                 counterfactual: y had x been 1, given what was seen
    P(y[x=1]=1, y[x=0]=0)                several worlds
    P(y[x=1, m[x=0]])                    nested: m takes the value it has in the world x=0
    P(y[x=1, m[]])                       m takes the value it has in the actual world
    P(y[x])                              x is set to any of its levels
    P(y | age in [60, 70], t > 5)        known short of a value: an interval, a censored value
    P(y | digit in {3, 5})               one of these levels
    P(y | digit likely {3: .8, 5: .2})   virtual evidence: likelihoods of levels
    P(t > 5 | do(x=1))                   an event may be so, too
    P(y | do(x ~ {0: .3, 1: .7}))        a policy: see `causalflow.query.policy`
    E[y[x=1] - 1/2*y[x=0] | z=1]         expectation of a linear combination
    NDE(x -> y; m), ATT(x -> y), ...     quantities with names: see `causalflow.query.named`
    P(y | do(x=1)) - P(y | do(x=0))      sums and ratios: see `causalflow.query.combination`

A variable's name of letters, digits, '_' and '.' stands as it is, and a level is written by name or
number; ``'two words'`` or ``"two words"`` quotes names that would read as something else (a
backslash keeps the character after it). ``do`` sets a variable for every term of the query,
conditions too; with subscripts each term has its own world, so the two are not mixed. ``p(...)``,
``Pr(...)``, ``e[...]``, ``E(...)`` and ``DO(...)`` are read as well.

A mistake is a `QueryError` that points at its place.

Questions of names alone are read without the grammar (`plain_query`):

    P(y, w)    P(y, w | z)    P(y, w | do(x, v))    P(y, w | do(x, v), z)

Most questions are of this form, and the grammar takes longer to read one than identification to
answer it. Everything else, mistakes too, is left to the grammar, which reads this form to the same
query.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from lark import Lark
from lark.exceptions import UnexpectedInput, UnexpectedToken

from causalflow.admg.admg import ADMG
from causalflow.errors import QueryError
from causalflow.graph.node import Exogenous, Family, Finite, Node, Symbol
from causalflow.limits import QUERY_DEPTH, QUERY_LETTERS
from causalflow.query.combination import COUNT, AnyQuery, Combination, read_combination
from causalflow.query.named import named_question
from causalflow.query.policy_text import marked
from causalflow.query.query import (
    BARE,
    NAME,
    NUMBER,
    OPENED,
    QUOTED,
    WORD,
    Intervention,
    Kind,
    Query,
    Term,
)
from causalflow.query.reader import Branch, Reader, Variables
from causalflow.query.regime import check_policies
from causalflow.values.likelihood import Levels, Span

if TYPE_CHECKING:
    from causalflow.graph.graph import Graph

__all__ = [
    "expected_after",
    "parse_distribution",
    "parse_query",
    "plain_query",
    "single_query",
    "told_by",
]

_PLAIN = re.compile(r"\s*(?:pr?|e)\s*[(\[]", re.IGNORECASE)
"""How a question begins that has no name of its own."""
_MAY_SET = re.compile(r"~|[-+*]=|=[^,)\]|]*[-+*/(<>^&%]")
"""What stands in a question that sets a variable by a policy."""
_NAMES = rf"\s*({NAME}(?:\s*,\s*{NAME})*)\s*"
_BEHIND = rf"\s*do\s*\({_NAMES}\)\s*(?:,{_NAMES})?|{_NAMES}"
_FORM = re.compile(rf"\s*[Pp]r?\s*\({_NAMES}(?:\|(?:{_BEHIND}))?\)\s*")


def plain_query(text: str, variables: Mapping[str, Node | Exogenous] | None) -> Query | None:
    """The query, if the text is plain, names nothing twice, and only what there is.

    Example:
        >>> print(plain_query(" P( y|do(x) ,z)", None), plain_query("P(y | z, do(x))", None))
        P(y | do(x), z) None
    """
    found = _FORM.fullmatch(text)
    if found is None:
        return None
    outcomes, do, given, alone = (_split(part) for part in found.groups())
    names = [*outcomes, *do, *given, *alone]
    if len(set(names)) < len(names) or not _known(names, do, variables):
        return None
    return Query(
        outcomes=tuple(Term(name=name) for name in outcomes),
        conditions=tuple(Term(name=name) for name in given or alone),
        do=tuple(Intervention(variable=name) for name in do),
    )


def _split(part: str | None) -> list[str]:
    return [name.strip() for name in part.split(",")] if part else []


def _known(
    names: list[str], do: list[str], variables: Mapping[str, Node | Exogenous] | None
) -> bool:
    if variables is None:
        return True
    present = all(name in variables for name in names)
    return present and not any(isinstance(variables[name], Finite | Family) for name in do)


GRAMMAR = rf"""
start: P outcomes given? ")" -> probability
     | E combination given? "]" -> expectation
     | MEAN combination given? ")" -> expectation
outcomes: event ("," event)*
given: "|" condition ("," condition)*
?condition: event | do
do: DO event ("," event)* ")"
event: _name subscript? ("=" value | within | among | likely | compared)?
!within: IN "[" BOUND "," BOUND "]" | IN "(" BOUND "," BOUND ")"
among: IN "{{" LEVEL ("," LEVEL)* "}}"
likely: LIKELY "{{" LEVEL ":" WEIGHT ("," LEVEL ":" WEIGHT)* "}}"
compared: COMPARISON BOUND
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

P: /[Pp]r?\s*\(/
E: /[Ee]\s*\[/
MEAN: /[Ee]\s*\(/
DO.1: /[Dd][Oo]\s*\(/
MINUS: "-"
IN: "in"
LIKELY: "likely"
COMPARISON: /[<>]=?/
BOUND: /{NUMBER}/
WEIGHT: /{COUNT}\s*\/\s*{COUNT}|{NUMBER}/
LEVEL: /[^\s,|()\[\]={{}}:'\"]+|{QUOTED}/
NAME: /{BARE}/
COUNT.1: /{COUNT}/
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
    "BOUND": "a number",
    "WEIGHT": "a number",
    "LEVEL": "a level or number",
    "LBRACE": "'{'",
    "RBRACE": "'}'",
    "COLON": "':'",
    "LSQB": "'['",
    "LPAR": "'('",
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
HINTS = (
    (r"[_^]?\{", "the world of a term stands in brackets: y[x=1]"),
    (r"(?i)(?<=do)\s*\(|do\s*\(", "do(...) stands behind the bar: P(y | do(x=1))"),
    (r"~", "a law is set in do(x ~ {0: 0.3, 1: 0.7}); what was seen is x likely {0: 0.8, 1: 0.2}"),
    (r"[<>≤≥≠!]|\w+\s*[<>]", "an event is y=1, y in {0, 1}, or of a number y > 5, y in [5, 6]"),
    (r"[&;∧∩]|and\b|(?<=[;&]\s)\w", "events are separated by commas"),
    (r"['\"]", 'a quote in a name wants a backslash, or the other quotes: "it\'s"'),
    (r"(?<=[^\W\d_]\s)\w|(?<=\w)-", "a name or level of several words is quoted: 'two words'"),
)


def parse_query(text: str, graph: Graph | ADMG | None = None) -> AnyQuery:
    """Read a causal question.

    Args:
        text: the question, at most `causalflow.limits.QUERY_LETTERS` long, nested at most 20 deep.
        graph: if given, names and levels are checked against it, and a level's index becomes the
            level. Exogenous variables can be asked about and conditioned on, not set.

    Returns:
        The question; a `causalflow.query.combination.Combination` where one question cannot say it.

    Raises:
        QueryError: what cannot be read, contradicts itself, or is not in the graph.

    Example:
        >>> query = parse_query("P(y|z, do( x = 1 ))")
        >>> print(query, query.free_variables)
        P(y | do(x=1), z) ('y', 'z')
        >>> print(parse_query("E[y | do(x=1)] - E[y | do(x=0)]"))
        E[y[x=1] - y[x=0]]
        >>> print(parse_query("RR(x -> y)"))
        P(y[x=1]=1) / P(y[x=0]=1)
    """
    _check_size(text)
    admg = graph if graph is None or isinstance(graph, ADMG) else graph.admg
    variables: Variables | None = None
    if isinstance(graph, ADMG):
        variables = dict.fromkeys(graph.nodes, Symbol())
    elif graph is not None:
        variables = {**graph.nodes, **graph.exogenous}
    one = functools.partial(_one, variables=variables, admg=admg)
    found: AnyQuery | None = plain_query(text, variables)
    if found is None and re.search(r"[-+*/]", text):
        found = read_combination(text, one)
    found = found or one(text)
    if admg is not None and found.policies:
        check_policies(found, admg)
    return found


def single_query(text: str, graph: Graph | ADMG | None = None, where: str = "query") -> Query:
    """Read a causal question that is no sum or ratio of several.

    Raises:
        QueryError: what `parse_query` refuses; or the text is a combination.
    """
    found = parse_query(text, graph)
    if isinstance(found, Combination):
        raise QueryError(f"{where}: {found} combines several questions; ask each by itself")
    return found


def _one(text: str, variables: Variables | None, admg: ADMG | None) -> AnyQuery:
    """One question, perhaps by its name; what a name stands for is checked as if written out."""
    found = None if _PLAIN.match(text) else named_question(text, variables, admg)
    if found is None:
        return _read(text, variables)
    read = functools.partial(_read, variables=variables)
    try:
        return read_combination(str(found), read) or read(str(found))
    except QueryError as error:
        start = len(text) - len(text.lstrip())
        raise QueryError(error.message, text, start) from None


def told_by(
    text: str, name: str, variables: Mapping[str, Node | Exogenous]
) -> Levels | Span | None:
    """What a text says of a variable short of a value; None: it says none of that.

    Args:
        text: such as ``in [60, 70]``, ``[60, 70]``, ``> 5``, ``{3, 5}`` or ``{3: .8, 5: .2}``.
        name: the variable.
        variables: the names allowed, with their types.

    Raises:
        QueryError: it is of that form, and does not fit the variable.

    Example:
        >>> print(told_by("{3: .8, 5: .2}", "digit", {"digit": Symbol()}))
        likely {3: 0.8, 5: 0.2}
        >>> told_by("3", "digit", {"digit": Symbol()}) is None
        True
    """
    bare = text.strip()
    if bare[:1] in ("{", "[", "("):
        bare = f"likely {bare}" if re.match(r"\{[^{}]*:", bare) else f"in {bare}"
    if not re.match(r"(?:in|likely)\s*[\[({]|[<>]", bare):
        return None
    written = Term(name=name)
    try:
        term = _read(f"P({written} | {written} {bare})", variables).conditions[0]
    except QueryError as error:
        said = error.message.removeprefix("query: ")
        raise QueryError(f"evidence: '{name}' is told '{text}': {said}") from None
    return term.value if isinstance(term.value, Levels | Span) else None


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
    _check_size(text)
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
    query = plain_query(text, variables)
    if query is None:
        plain, marks = marked(text) if _MAY_SET.search(text) else (text, {})
        query = Reader(text=text, variables=variables, marks=marks).query(_tree(plain, text))
    return query


def _check_size(text: str) -> None:
    if not isinstance(text, str):
        raise QueryError(f"query: given {type(text).__name__}; expected text: 'P(y | do(x))'")
    if len(text) > QUERY_LETTERS:
        raise QueryError(f"query: {len(text):,} characters; at most {QUERY_LETTERS:,} are read")
    depth = 0
    for mark in re.finditer(rf"(?<!\w)[eE]\s*\[|[][]|{OPENED}", text):
        outer = not depth and mark[0][0] in "eE"  # of an expectation, no subscript
        depth = max(0, depth + {"[": not outer, "]": -1}.get(mark[0][-1], 0))
        if depth > QUERY_DEPTH:
            message = f"query: nested deeper than {QUERY_DEPTH} subscripts"
            raise QueryError(message, text, mark.start())


@functools.cache
def _parser() -> Lark:
    return Lark(GRAMMAR, parser="lalr", propagate_positions=True, maybe_placeholders=False)


def expected_after(text: str) -> frozenset[str]:
    """The terminals of the grammar that may come behind the beginning of one question.

    Example:
        >>> sorted(expected_after("P(y |"))
        ['DO', 'NAME', 'QUOTED']
    """
    interactive = _parser().parse_interactive(text)
    try:
        for _ in interactive.iter_parse():
            pass
    except UnexpectedInput:
        return frozenset()
    return frozenset(interactive.accepts())


def _tree(text: str, written: str = "") -> Branch:
    """The tree of a text; mistakes are shown in the text as it was written, if that is another."""
    interactive = _parser().parse_interactive(text)
    try:
        for _ in interactive.iter_parse():
            pass
        return cast("Branch", interactive.feed_eof())
    except UnexpectedInput as error:
        ended = isinstance(error, UnexpectedToken) and error.token.type == "$END"
        position = len(text.rstrip()) if ended else error.pos_in_stream or 0
    text = written or text
    accepted = interactive.accepts()
    words = [word for terminal, word in WORDS.items() if terminal in accepted]
    expected = " or ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))
    found = re.match(rf"\w+[(\[]?|{QUOTED}|\S", text[position:])
    given = repr(found[0]) if found else "the end of the query"
    if given in ('"\'"', "'\"'"):
        given = "a quote that is not closed"
    raise QueryError(
        f"query: expected {expected}; found {given}{_hint(text, position)}", text, position
    )


def _hint(text: str, position: int) -> str:
    """What the writer may have meant."""
    if not text[:position].strip():
        return "; a question is P(y | do(x=1)), E[y | do(x=1)] or a name such as ATE(x -> y)"
    found = (hint for pattern, hint in HINTS if re.compile(pattern).match(text, position))
    return "".join(f"; {hint}" for hint in list(found)[:1])
