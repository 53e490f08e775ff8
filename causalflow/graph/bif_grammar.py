"""The grammar of BIF, the Bayesian network interchange format: text to blocks, with their lines.

Source: Cozman (1998), "The interchange format for Bayesian networks", version 0.15; quotes,
commas and properties as bnlearn, pgmpy, pyAgrum and SamIam write them.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, NoReturn

from causalflow.errors import GraphError
from causalflow.graph.document import DeclarationError
from causalflow.limits import BIF_LETTERS

if TYPE_CHECKING:
    from lark import Lark, Token, UnexpectedInput

__all__ = ["Block", "Entry", "Network", "Variable", "parse_bif"]

GRAMMAR = r"""
start: network? (variable | probability)*
network: "network" name? "{" property* "}"
variable: "variable" name "{" (kind | property)* "}"
kind: "type" "discrete" "[" NUMBERS "]" "{" name (","? name)* "}" ";"
probability: "probability" "(" name (("|" | ",")? name (","? name)*)? ")" "{" (row | property)* "}"
row: (TABLE | DEFAULT | cell) NUMBERS ";"
cell: OPEN name (","? name)* ")"
property: PROPERTY
name: WORD | QUOTED
TABLE: "table"
DEFAULT: "default"
OPEN: "("
PROPERTY.2: /property\b("(\\.|[^"\\])*"|[^;"])*;/s
NUMBERS: /[-+]?[.0-9][-+.\/0-9eE]*(\s*,?\s*[-+]?[.0-9][-+.\/0-9eE]*)*/
WORD: /[^\s,;{}()\[\]|"]+/
QUOTED: /"(\\.|[^"\\])*"/s
COMMENT.3: /\/\/[^\n]*|\/\*.*?\*\//s
%ignore /\s+/
%ignore COMMENT
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A row of a probability block: ``kind`` is "table", "default" or "row" (with its ``cell``)."""

    kind: str
    cell: tuple[str, ...]
    numbers: tuple[str, ...]
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """A variable's block; ``levels`` with whether each was quoted."""

    name: str
    levels: tuple[tuple[str, bool], ...]
    properties: tuple[str, ...]
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A probability block: of the child given its parents."""

    child: str
    parents: tuple[str, ...]
    entries: tuple[Entry, ...]
    properties: tuple[str, ...]
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A whole text."""

    name: str | None
    variables: tuple[Variable, ...]
    blocks: tuple[Block, ...]


def parse_bif(text: str, source: str) -> Network:
    """Read a text; ``source`` names it in messages.

    Raises:
        GraphError: ``source:line:`` and the first mistake.
    """
    from lark import UnexpectedInput

    if len(text) > BIF_LETTERS:
        raise GraphError(f"{source}: larger than {BIF_LETTERS >> 20} MiB")
    try:
        network: Network = _parser().parse(text)  # type: ignore[assignment]
        return network
    except UnexpectedInput as error:
        _refuse(error, source)
    except DeclarationError as error:
        raise GraphError(f"{source}:{error.line}: {error}") from None


def _refuse(error: UnexpectedInput, source: str) -> NoReturn:
    from lark import UnexpectedCharacters, UnexpectedEOF, UnexpectedToken

    token = getattr(error, "token", None)
    match error:
        case UnexpectedToken() if token is not None and token.type != "$END":
            found = repr(str(token)[:40])
        case UnexpectedCharacters():
            found = repr(error.char)
        case UnexpectedEOF() | _:
            raise GraphError(f"{source}: not BIF: the text ends early") from None
    raise GraphError(f"{source}:{error.line}: not BIF: unexpected {found}") from None


@cache
def _parser() -> Lark:
    """Built on first use: lark takes longer to import than all of this package."""
    from lark import Lark, Transformer

    class Blocks(Transformer):  # type: ignore[type-arg]
        """The parser's actions: one method a rule of the grammar."""

        def name(self, parts: list[Token]) -> Token:
            return parts[0]

        def property(self, parts: list[Token]) -> tuple[str, str]:
            inside = str(parts[0]).removeprefix("property").removesuffix(";")
            return "property", inside.strip()

        def kind(self, parts: list[Any]) -> tuple[str, Any, list[Token]]:
            return "kind", parts[0], parts[1:]

        def cell(self, parts: list[Token]) -> tuple[Token, tuple[str, ...]]:
            return parts[0], tuple(map(_text, parts[1:]))

        def row(self, parts: list[Any]) -> Entry:
            head, numbers = parts
            token, cell = head if isinstance(head, tuple) else (head, ())
            split = tuple(re.split(r"[\s,]+", str(numbers)))
            kind = "row" if cell else str(token)
            return Entry(kind=kind, cell=cell, numbers=split, line=token.line)

        def variable(self, parts: list[Any]) -> Variable:
            return _variable(parts[0], parts[1:])

        def probability(self, parts: list[Any]) -> Block:
            names: list[Any] = [part for part in parts if isinstance(part, str)]
            return Block(
                child=_text(names[0]),
                parents=tuple(map(_text, names[1:])),
                entries=tuple(part for part in parts if isinstance(part, Entry)),
                properties=_properties(parts),
                line=parts[0].line,
            )

        def network(self, parts: list[Any]) -> tuple[str, str | None]:
            names: list[Any] = [part for part in parts if isinstance(part, str)]
            return "network", _text(names[0]) if names else None

        def start(self, parts: list[Any]) -> Network:
            names = [part[1] for part in parts if isinstance(part, tuple)]
            return Network(
                name=names[0] if names else None,
                variables=tuple(part for part in parts if isinstance(part, Variable)),
                blocks=tuple(part for part in parts if isinstance(part, Block)),
            )

    return Lark(GRAMMAR, parser="lalr", transformer=Blocks())


def _variable(name: Token, parts: list[Any]) -> Variable:
    kinds = [part for part in parts if part[0] == "kind"]
    if len(kinds) != 1:
        _fail(name, f"variable '{name}': expected one 'type discrete [...]', not {len(kinds)}")
    _, size, levels = kinds[0]
    if str(size) != str(len(levels)):
        _fail(size, f"variable '{name}': {size} levels are announced, {len(levels)} are listed")
    return Variable(
        name=_text(name),
        levels=tuple((_text(level), level.type == "QUOTED") for level in levels),
        properties=_properties(parts),
        line=name.line or 1,
    )


def _properties(parts: list[Any]) -> tuple[str, ...]:
    return tuple(part[1] for part in parts if isinstance(part, tuple) and part[0] == "property")


def _text(token: Token) -> str:
    """A word, or a quoted text with JSON's escapes."""
    try:
        text = str(json.loads(token, strict=False)) if token.type == "QUOTED" else str(token)
    except ValueError:
        _fail(token, f"the text {token[:40]} has an unknown escape; write a backslash as \\\\")
    if not text.strip() or any("\ud800" <= character <= "\udfff" for character in text):
        _fail(token, f"expected a text, not {token[:40]!r}")
    return text


def _fail(token: Token, message: str) -> NoReturn:
    raise DeclarationError(message, token.line)
