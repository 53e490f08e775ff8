"""Grammar: an equation's text to terms, by an LALR(1) parser with Python's precedence.

The operators bind as in Python, level by level. A name that is no word stands in backticks
(`` `warm up` ``), as in formulas of R and of pandas. The tree is built bottom-up while parsing,
without recursion, so hostile text meets a limit and never the stack's end.
"""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Any, NoReturn

from causalflow.equations.term import (
    CONSTANTS,
    FUNCTIONS,
    RESERVED,
    Binary,
    Call,
    Comparison,
    Constant,
    Expression,
    Name,
    Number,
    Unary,
    term_text,
    walk,
)
from causalflow.errors import GraphError, one_of
from causalflow.limits import EQUATION_DEPTH, EQUATION_LETTERS, VECTOR_LETTERS

if TYPE_CHECKING:
    from lark import Lark, Token

__all__ = ["parse_terms"]


GRAMMAR = r"""
start: disjunction                              -> scalar
     | "[" disjunction ("," disjunction)* "]"   -> vector
?disjunction: conjunction | disjunction OR conjunction -> binary
?conjunction: inversion | conjunction AND inversion -> binary
?inversion: comparison | NOT inversion -> unary
?comparison: bit_or | bit_or (COMPARISON bit_or)+ -> chain
?bit_or: bit_xor | bit_or "|" bit_xor -> bitor
?bit_xor: bit_and | bit_xor "^" bit_and -> bitxor
?bit_and: shift | bit_and "&" shift -> bitand
?shift: sum | shift SHIFT sum -> binary
?sum: product | sum (PLUS | MINUS) product -> binary
?product: factor | product PRODUCT factor -> binary
?factor: power | MINUS factor -> unary | TILDE factor -> unary | PLUS factor -> plus
?power: atom | atom POWER factor -> binary
?atom: NUMBER -> number
     | NAME -> name
     | TICKED -> ticked
     | NAME "(" [disjunction ("," disjunction)*] ")" -> call
     | "(" disjunction ")"
OR: "or"
AND: "and"
NOT: "not"
COMPARISON: "<=" | ">=" | "==" | "!=" | "<" | ">"
SHIFT.2: "<<" | ">>"
PLUS: "+"
MINUS: "-"
TILDE: "~"
POWER.2: "**"
PRODUCT: "//" | "*" | "/" | "%"
NAME: /[^\W\d]\w*/
TICKED: /`(?:[^`]|``)+`/
NUMBER: /([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?/
WHITESPACE: /[ \t\r\n\f]+/
%ignore WHITESPACE
"""


_INSTEAD = {
    "if": "use where(condition, a, b)",
    "xor": "use ^",
    "!": "use not",
    **dict.fromkeys("'\"", "a level is its number"),
}


class _TokenError(Exception):
    """A mistake at a token; becomes a GraphError where the whole text is at hand."""

    def __init__(self, message: str, position: int | None) -> None:
        super().__init__(message)
        self.position = position


class _Terms:
    """The parser's actions: one method a rule of the grammar."""

    def scalar(self, parts: list[Any]) -> tuple[tuple[Expression, ...], bool]:
        return tuple(parts), False

    def vector(self, parts: list[Any]) -> tuple[tuple[Expression, ...], bool]:
        return tuple(parts), True

    def binary(self, parts: list[Any]) -> Expression:
        left, operator, right = parts
        return Binary(str(operator), left, right)

    def bitor(self, parts: list[Any]) -> Expression:
        return Binary("|", *parts)

    def bitxor(self, parts: list[Any]) -> Expression:
        return Binary("^", *parts)

    def bitand(self, parts: list[Any]) -> Expression:
        return Binary("&", *parts)

    def unary(self, parts: list[Any]) -> Expression:
        operator, operand = parts
        return Unary("negate" if operator == "-" else str(operator), operand)

    def plus(self, parts: list[Any]) -> Any:
        return parts[1]

    def chain(self, parts: list[Any]) -> Expression:
        return Comparison(tuple(map(str, parts[1::2])), tuple(parts[::2]))

    def number(self, parts: list[Any]) -> Expression:
        return _number(parts[0])

    def name(self, parts: list[Any]) -> Expression:
        token = parts[0]
        if token in FUNCTIONS:
            raise _TokenError(
                f"function '{token}' needs its arguments in brackets", token.start_pos
            )
        return Constant(str(token)) if token in CONSTANTS else Name(str(token))

    def ticked(self, parts: list[Any]) -> Expression:
        return Name(str(parts[0])[1:-1].replace("``", "`"))

    def call(self, parts: list[Any]) -> Expression:
        function, *arguments = (part for part in parts if part is not None)
        return _call(function, tuple(arguments))


def _number(token: Token) -> Number:
    value = float(token)
    if token.isdigit() and value < 2.0**63:
        return Number(int(token.lstrip("0") or "0"))
    if token.isdigit() or value == math.inf:
        raise _TokenError(f"the number {_short(token)} is too large", token.start_pos)
    return Number(value)


def _call(function: Token, arguments: tuple[Expression, ...]) -> Call:
    name, count = str(function), len(arguments)
    if name not in FUNCTIONS:
        raise _TokenError(
            f"unknown function '{_short(name)}'; {one_of(name, FUNCTIONS)}", function.start_pos
        )
    least, most = FUNCTIONS[name]
    if not least <= count <= most:
        wanted = f"{least}" if least == most else f"at least {least}"
        noun = "argument" if wanted == "1" else "arguments"
        raise _TokenError(
            f"function '{name}' takes {wanted} {noun}, {count} given", function.start_pos
        )
    return Call(name, arguments)


@functools.cache
def _parser() -> Lark:
    from lark import Lark

    # The basic lexer knows keywords everywhere; with the contextual one `and` could be a name.
    return Lark(GRAMMAR, parser="lalr", lexer="basic", transformer=_Terms())


def parse_terms(text: str) -> tuple[tuple[Expression, ...], bool]:
    """The expressions of an equation's text, and whether they were written as a list.

    Raises:
        GraphError: what cannot be read, with its column.
    """
    _check_length(text)
    from lark.exceptions import UnexpectedCharacters, UnexpectedToken

    try:
        parsed: Any = _parser().parse(text)
    except UnexpectedCharacters as error:
        position = error.pos_in_stream or 0
        _fail(text, f"unexpected {text[position]!r}{_instead(text[position])}", position)
    except UnexpectedToken as error:
        _fail(text, *_unexpected(error.token))
    except _TokenError as error:
        _fail(text, str(error), error.position)
    terms, vector = parsed
    _check_terms(text, terms)
    return terms, vector


def _check_terms(text: str, terms: tuple[Expression, ...]) -> None:
    """The limits on the terms themselves: whatever is read can be written, and read again."""
    if any(depth > EQUATION_DEPTH for term in terms for _, depth in walk(term)):
        _fail(
            text, f"nested deeper than {EQUATION_DEPTH} levels; split it over several nodes", None
        )
    _check_length("[" * text.lstrip().startswith("[") + " ".join(map(term_text, terms)))


def _check_length(text: str) -> None:
    limit = VECTOR_LETTERS if text.lstrip().startswith("[") else EQUATION_LETTERS
    length = len("".join(text.split()))
    if length > limit:
        raise GraphError(f"equation of {length} characters; at most {limit} are allowed")
    if not text.strip():
        raise GraphError("the equation is empty; expected an expression such as 'x + u'")


def _unexpected(token: Token) -> tuple[str, int | None]:
    if token.type == "$END":
        return "unexpected end; an operand or a closing bracket is missing", None
    reserved = f"; '{token}' cannot be a variable's name" if token in RESERVED else ""
    hint = reserved or _instead(token)
    return f"unexpected '{_short(token)}'{hint}", token.start_pos


def _instead(token: str) -> str:
    """What to write for what other languages write."""
    return f"; {_INSTEAD[token]}" if token in _INSTEAD else ""


def _fail(text: str, message: str, position: int | None) -> NoReturn:
    place = "" if position is None else f", column {position + 1}"
    if len(text) > 80:
        start = max(0, (position or 0) - 30)
        text = f"{'...' if start else ''}{text[start : start + 60]}..."
    raise GraphError(f"equation {' '.join(text.split())!r}{place}: {message}") from None


def _short(text: str, limit: int = 30) -> str:
    return text if len(text) <= limit else f"{text[: limit - 3]}..."
