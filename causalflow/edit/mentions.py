"""Mentions: where a variable is named in an equation or in a question, and another name there.

In an equation a name is a word that is no function, constant or operator, or stands in backticks.
In a question it is a word or a quoted text that no ``=`` stands before (that is a level) and no
round bracket behind (that is a quantity, such as ``ATE(``).
"""

from __future__ import annotations

import re

from causalflow.equations.term import CONSTANTS, FUNCTIONS, RESERVED
from causalflow.names import unquoted
from causalflow.query.query import BARE, NUMBER, QUOTED

__all__ = ["named_in_equation", "named_in_question", "renamed_in_equation", "renamed_in_question"]

_EQUATION = re.compile(
    r"(?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"
    r"|(?P<ticked>`(?:[^`]|``)+`)|(?P<word>[^\W\d]\w*)"
)
_QUESTION = re.compile(
    rf"(?P<level>=\s*(?:{QUOTED}|{NUMBER}|[^\s,|()\[\]]+))|(?P<opened>{BARE}\s*\()"
    rf"|(?P<expectation>(?<!\w)[eE]\s*\[)|(?P<quoted>{QUOTED})|(?P<word>{BARE})"
)


def renamed_in_equation(text: str, old: str, new: str) -> str:
    """The equation with another name for a variable.

    Example:
        >>> renamed_in_equation("x + exp(x1) + `x`", "x", "warm up")
        '`warm up` + exp(x1) + `warm up`'
    """

    def other(found: re.Match[str]) -> str:
        return _in_equation(new) if _equation_name(found) == old else found[0]

    return _EQUATION.sub(other, text)


def named_in_equation(text: str) -> frozenset[str]:
    """The names in an equation."""
    found = map(_equation_name, _EQUATION.finditer(text))
    return frozenset(name for name in found if name is not None)


def _equation_name(found: re.Match[str]) -> str | None:
    if found["ticked"]:
        return found[0][1:-1].replace("``", "`")
    word = found["word"]
    return None if word in {*FUNCTIONS, *CONSTANTS, *RESERVED} else word


def _in_equation(name: str) -> str:
    plain = re.fullmatch(r"[^\W\d]\w*", name) and name not in {*FUNCTIONS, *CONSTANTS, *RESERVED}
    return name if plain else "`" + name.replace("`", "``") + "`"


def renamed_in_question(text: str, old: str, new: str) -> str:
    """The question with another name for a variable.

    Example:
        >>> renamed_in_question("P(y | do(x=y), 'y', z)", "y", "two words")
        "P('two words' | do(x=y), 'two words', z)"
    """

    def other(found: re.Match[str]) -> str:
        return _in_question(new) if _question_name(found) == old else found[0]

    return _QUESTION.sub(other, text)


def named_in_question(text: str) -> frozenset[str]:
    """The names in a question."""
    found = map(_question_name, _QUESTION.finditer(text))
    return frozenset(name for name in found if name is not None)


def _question_name(found: re.Match[str]) -> str | None:
    return unquoted(found["quoted"]) if found["quoted"] else found["word"]


def _in_question(name: str) -> str:
    if re.fullmatch(r"[^\W\d]\w*", name):
        return name
    return "'" + re.sub(r"(['\\])", r"\\\1", name) + "'"
