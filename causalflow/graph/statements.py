"""Statements: the brace language that DOT and dagitty share, as text and as data.

    digraph "napkin" { w -> z -> x [kind=neural]; w -> {x y} [dir=both]; z [type="class"] }
    dag { x [exposure] u [latent] x -> y x <-> y }

A document is a kind, a name, and attributes for the graph, the nodes and the edges; an attribute is
text, and one without a value is "". Groups in braces are multiplied out, chains are cut into edges.

Source: the DOT language (graphviz.org/doc/info/lang.html); Textor et al. (2016) for dagitty.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise, product
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias, cast

from causalflow.errors import GraphError, one_of
from causalflow.limits import STATEMENT_LETTERS

if TYPE_CHECKING:
    from lark import Lark, Token, UnexpectedInput

__all__ = ["Attributes", "Document", "Link", "parse_document"]

Attributes: TypeAlias = Mapping[str, str]

BARE_NAME = re.compile(r"[^\W\d]\w*", re.ASCII)
KEYWORDS = {"node", "edge", "graph", "digraph", "subgraph", "strict"}
GRAMMAR = r"""
start: id~1..3 "{" statement* "}"
?statement: (chain | assignment | defaults) (";" | ",")?
chain: operand (MARK operand)* attributes?
assignment: id "=" id
defaults: DEFAULTS attributes
?operand: id | group
group: (SUBGRAPH id?)? "{" statement* "}"
attributes: ("[" (attribute (";" | ",")?)* "]")+
attribute: id ("=" id)?
id: NAME | QUOTED
MARK: "->" | "<->" | "<-" | "--" | "@-@" | "@->" | "<-@" | "@--" | "--@"
DEFAULTS.2: /(node|edge|graph)(?=\s*\[)/i
SUBGRAPH.2: /subgraph(?=[\s{])/i
NAME: /-?[\w.]+/
QUOTED: /"(\\.|[^"\\])*"/s
COMMENT: /\/\/[^\n]*|#[^\n]*|\/\*.*?\*\//s
%ignore /\s+/
%ignore COMMENT
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One edge: ``mark`` is "->", "<-", "<->", "--" or another of dagitty's."""

    source: str
    mark: str
    target: str
    attributes: Attributes = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A graph as such a text says it; ``str`` gives the text.

    Attributes:
        kind: "digraph", "dag", ...
        nodes: in order of first mention.
    """

    kind: str
    name: str = ""
    attributes: Attributes = field(default_factory=dict)
    nodes: Mapping[str, Attributes] = field(default_factory=dict)
    links: tuple[Link, ...] = ()

    def __str__(self) -> str:
        head = f"{self.kind} {_quote(self.name)} {{" if self.name else f"{self.kind} {{"
        settings = [f"  {_quote(key)}={_quote(value)}" for key, value in self.attributes.items()]
        nodes = [f"  {_quote(name)}{_bracket(given)}" for name, given in self.nodes.items()]
        links = [
            f"  {_quote(link.source)} {link.mark} {_quote(link.target)}{_bracket(link.attributes)}"
            for link in self.links
        ]
        return "\n".join([head, *settings, *nodes, *links, "}"]) + "\n"


def parse_document(
    text: str, source: str, kinds: Collection[str] = (), marks: Collection[str] = ()
) -> Document:
    """Read a text; ``source`` names it in messages, ``kinds`` and ``marks`` are those allowed.

    Raises:
        GraphError: with line and column of the first mistake; another kind of graph or edge.

    Example:
        >>> document = parse_document("dag { u [latent] u -> {x y} x -> y }", "dagitty text")
        >>> [(link.source, link.target) for link in document.links]
        [('u', 'x'), ('u', 'y'), ('x', 'y')]
    """
    from lark import UnexpectedInput

    if len(text) > STATEMENT_LETTERS:
        raise GraphError(
            f"{source}: {len(text)} characters; a graph text may have {STATEMENT_LETTERS} at most"
        )
    try:
        head, collected = cast("tuple[list[str], _Collected]", _parser().parse(text))
    except UnexpectedInput as error:
        _refuse(error, text, source)
    kind, name = _read_head(head)
    document = Document(
        kind=kind,
        name=name,
        attributes=collected.attributes,
        nodes=collected.nodes,
        links=tuple(collected.links),
    )
    _require_allowed(document, source, kinds or (kind,), marks)
    return document


def _require_allowed(
    document: Document, source: str, kinds: Collection[str], marks: Collection[str]
) -> None:
    if document.kind not in kinds:
        kind = document.kind[:40]
        raise GraphError(f"{source}: a graph of kind {kind!r}; {one_of(kind, kinds)}")
    for link in document.links:
        if marks and link.mark not in marks:
            edge = f"{link.source} {link.mark} {link.target}"
            raise GraphError(f"{source}: edge '{edge}'; {one_of(link.mark, marks)}")


@cache
def _parser() -> Lark:
    """Built on first use: lark takes longer to import than all of this package."""
    from lark import Lark

    return Lark(GRAMMAR, parser="lalr", transformer=_transformer())


class _Collected:
    """What a run of statements declares."""

    def __init__(self) -> None:
        self.attributes: dict[str, str] = {}
        self.nodes: dict[str, dict[str, str]] = {}
        self.links: list[Link] = []

    def add(self, other: _Collected) -> None:
        for name, given in other.nodes.items():
            self.nodes.setdefault(name, {}).update(given)
        self.links.extend(other.links)
        self.attributes.update(other.attributes)


def _gather(children: list[Any]) -> _Collected:
    total = _Collected()
    for child in children:
        if isinstance(child, _Collected):
            total.add(child)
    return total


def _chain(children: list[Any]) -> _Collected:
    """Operands with marks between them, perhaps followed by attributes."""
    given = children.pop() if isinstance(children[-1], dict) else {}
    total, operands = _Collected(), []
    for operand in children[::2]:
        part = operand if isinstance(operand, _Collected) else _mention(operand)
        operands.append(tuple(part.nodes))
        total.add(part)
    for (left, right), mark in zip(pairwise(operands), children[1::2], strict=True):
        pairs = product(left, right)
        total.links += [
            Link(source=a, mark=str(mark), target=b, attributes=given) for a, b in pairs
        ]
    if len(children) == 1 and isinstance(children[0], str):
        total.nodes[children[0]].update(given)
    return total


def _mention(name: str) -> _Collected:
    total = _Collected()
    total.nodes[name] = {}
    return total


def _assignment(children: list[Any]) -> _Collected:
    total = _Collected()
    total.attributes[children[0]] = children[1]
    return total


def _transformer() -> Any:
    from lark import Transformer

    class Collect(Transformer):  # type: ignore[type-arg]
        """Bottom-up and while parsing, so that deep nesting needs no recursion."""

        chain = staticmethod(_chain)
        assignment = staticmethod(_assignment)
        group = staticmethod(_gather)

        def start(self, children: list[Any]) -> tuple[list[str], _Collected]:
            return [child for child in children if isinstance(child, str)], _gather(children)

        def defaults(self, children: list[Any]) -> _Collected:
            total = _Collected()
            if children[0].lower() == "graph":
                total.attributes.update(children[1])
            return total

        def attributes(self, children: list[Any]) -> dict[str, str]:
            return dict(children)

        def attribute(self, children: list[Any]) -> tuple[str, str]:
            return children[0], children[1] if len(children) > 1 else ""

        def id(self, children: list[Token]) -> str:
            token = children[0]
            if token.type == "NAME":
                return str(token)
            return re.sub(r"\\(.)", r"\1", token[1:-1], flags=re.DOTALL)

    return Collect()


def _read_head(words: list[str]) -> tuple[str, str]:
    """("strict" | nothing) kind (name | nothing)."""
    rest = words[1:] if words[0].lower() == "strict" and len(words) > 1 else words
    return rest[0].lower(), rest[1] if len(rest) > 1 else ""


def _refuse(error: UnexpectedInput, text: str, source: str) -> NoReturn:
    at_end = getattr(getattr(error, "token", None), "type", "") == "$END"
    rest = [] if at_end else text[error.pos_in_stream or 0 :].split()
    found = f"unexpected '{rest[0][:20]}'" if rest else "the text ends too early"
    line, column = (error.line, error.column) if rest else (text.count("\n") + 1, 1)
    raise GraphError(
        f"{source}:{line}:{column}: {found}; expected 'kind {{ a -> b; a [key=value] }}'"
    ) from None


def _quote(text: str) -> str:
    if BARE_NAME.fullmatch(text) and text.lower() not in KEYWORDS:
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _bracket(attributes: Attributes) -> str:
    inside = ", ".join(
        f"{_quote(key)}={_quote(value)}" if value else _quote(key)
        for key, value in attributes.items()
    )
    return f" [{inside}]" if inside else ""
