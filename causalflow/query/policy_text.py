"""Policy text: where a question sets a variable by a policy, and what the policy says.

In ``do(...)`` and in subscripts an item is *marked* where it is no constant: behind ``~``, ``+=``,
``-=`` or ``*=``, or behind ``=`` where an expression stands that is no word. The grammar of
questions (`causalflow.query.parse`) then reads a blank level of the same length in its place, and
the mark by its position; so every error keeps its place in the text.

    P(y | do(x ~ {0: .3, 1: .7}))    is read as    P(y | do(x =                   ))

An expression has the grammar of equations (`causalflow.equations`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from causalflow.equations.equation import Equation, parse_equation
from causalflow.equations.law import FAMILIES
from causalflow.equations.term import FUNCTIONS, Binary, Name
from causalflow.errors import GraphError, QueryError
from causalflow.query.policy import Chances, Draw, Function, How, Untold
from causalflow.query.query import NAME, QUOTED, WORD, literal, unquoted

__all__ = ["BLANK", "Mark", "how_of", "marked", "pieces"]

BLANK = "\x02"
"""Stands for each letter of a policy's text; no name or level has it."""
_ITEM = re.compile(rf"\s*(?:{NAME}|\w[\w.]*|{QUOTED})\s*(~|\+=|-=|\*=|=(?!=))\s*", re.DOTALL)
_OPEN, _CLOSE = "([{", ")]}"
_CALL = re.compile(rf"\s*({NAME})\s*\((.*)\)\s*", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What a text says behind the name of a variable that it sets by a policy.

    Attributes:
        operator: ``~``, ``=``, ``+=``, ``-=`` or ``*=``.
        text: what stands behind it.
    """

    operator: str
    text: str


def marked(text: str) -> tuple[str, Mapping[int, Mark]]:
    """The text with blanks for its policies, and what these are by the place of the first blank."""
    plain, marks = list(text), {}
    for start, end in _items(text):
        found = _ITEM.match(text, start, end)
        if found is None:
            continue
        said = text[found.end() : end].rstrip()
        if said and _is_policy(found[1], said):
            marks[found.end()] = Mark(operator=found[1], text=said)
            at = found.start(1)
            plain[at : found.end(1)] = " " * (len(found[1]) - 1) + "="
            plain[found.end() : found.end() + len(said)] = BLANK * len(said)
    return "".join(plain), marks


def _is_policy(operator: str, said: str) -> bool:
    if operator != "=":
        return True
    return (
        not re.fullmatch(rf"{WORD}|{QUOTED}", said) and re.search(r"[-+*/(<>^&%]", said) is not None
    )


def _items(text: str) -> Iterator[tuple[int, int]]:
    """The start and end of every item within do(...) and within subscripts."""
    stack: list[tuple[bool, int]] = []
    place = 0
    while place < len(text):
        if quoted := re.compile(QUOTED, re.DOTALL).match(text, place):
            place = quoted.end()
            continue
        letter = text[place]
        if letter in _OPEN:
            stack.append((_sets(text, place, outer=not stack), place + 1))
        elif letter in _CLOSE and stack:
            inside, start = stack.pop()
            if inside:
                yield start, place
        elif letter == "," and stack and stack[-1][0]:
            yield stack[-1][1], place
            stack[-1] = (True, place + 1)
        place += 1


def _sets(text: str, place: int, *, outer: bool) -> bool:
    """Whether a bracket opens what sets variables: do(...), or a subscript."""
    before = text[:place].rstrip()
    if text[place] == "(":
        return re.search(r"(?<!\w)do$", before, re.IGNORECASE) is not None
    is_mean = outer and re.search(r"(?<!\w)[eE]$", before) is not None
    return text[place] == "[" and not is_mean


def how_of(variable: str, mark: Mark) -> How:
    """What a mark says of a variable.

    Raises:
        QueryError: what cannot be read.
    """
    if mark.operator == "~":
        return _law(mark.text)
    found = _CALL.fullmatch(mark.text)
    if mark.operator == "=" and found and found[1] not in FUNCTIONS and found[1] not in ("not",):
        return Untold(found[1], _given(found[1], found[2]), random=False)
    expression = _expression(mark.text)
    if mark.operator != "=":
        (term,) = expression.components
        expression = Equation((Binary(mark.operator[0], Name(variable), term),))
    return Function(expression)


def _law(text: str) -> How:
    if text.startswith("{") and text.endswith("}"):
        return _chances(text[1:-1])
    found = _CALL.fullmatch(text) or re.fullmatch(rf"\s*({NAME})\s*()", text)
    if found is None:
        raise QueryError(
            f"query: the law '{text}' cannot be read; expected probabilities {{0: 0.3, 1: 0.7}},"
            " a law such as normal(0, 1), or the name of an unknown one, pi(z)"
        )
    if found[1] in FAMILIES:
        return Draw(found[1], tuple(map(_expression, pieces(found[2], ","))))
    return Untold(found[1], _given(found[1], found[2]), random=True)


def _chances(inside: str) -> Chances:
    """``0: .3, 1: .7``, or ``p: [.3, .7]`` in the order of the levels."""
    if listed := re.fullmatch(r"\s*p\s*:\s*\[(.*)\]\s*", inside, re.DOTALL):
        return Chances((), tuple(map(_expression, pieces(listed[1], ","))))
    pairs = [pieces(each, ":") for each in pieces(inside, ",")]
    if not pairs or any(len(pair) != 2 for pair in pairs):
        raise QueryError(
            f"query: '{{{inside}}}' is no law; expected a probability for each level, as in"
            " {0: 0.3, 1: 0.7}, or {p: [0.3, 0.7]} in their order"
        )
    levels = tuple(literal(level.strip()) for level, _ in pairs)
    return Chances(levels, tuple(_expression(share) for _, share in pairs))


def _expression(text: str) -> Equation:
    try:
        expression = parse_equation(text.strip())
    except GraphError as error:
        raise QueryError(f"query: {error}") from None
    if expression.vector:
        raise QueryError(f"query: '{text}' is a list; a variable is set to one value")
    return expression


def _given(name: str, text: str) -> tuple[str, ...]:
    given = [each.strip() for each in pieces(text, ",")]
    for each in given:
        if not re.fullmatch(rf"{NAME}|{QUOTED}", each):
            raise QueryError(
                f"query: '{name}' is no function or law that is known; what it reads is then named"
                f" alone, as in {name}(z), not '{each}'"
            )
    return tuple(sorted({unquoted(each) for each in given}))


def pieces(text: str, mark: str) -> list[str]:
    """The parts of a text between marks that stand in no brackets or quotes.

    Example:
        >>> pieces("0: max(a, b), 1: 'x, y'", ",")
        ['0: max(a, b)', " 1: 'x, y'"]
    """
    parts, start, depth, place = [], 0, 0, 0
    while place < len(text):
        if quoted := re.compile(QUOTED, re.DOTALL).match(text, place):
            place = quoted.end()
            continue
        depth += (text[place] in _OPEN) - (text[place] in _CLOSE)
        if text[place] == mark and not depth:
            parts.append(text[start:place])
            start = place + 1
        place += 1
    parts.append(text[start:])
    return [part for part in parts if part.strip()]
