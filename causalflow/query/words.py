r"""Words: names, levels and numbers as they are read in a question.

    name      letters, digits and _, no digit first     y, größe, m_2
    level     anything without blanks , | ( ) [ ] = ' " red, 2.5, -1, 1e-3, a/b
    quoted    '...' or "...", \ before a character keeps it: 'very yes', "it's", 'it\'s'

What looks like a number is one; in quotes it is a name. `causalflow.query.query` writes what
`unquoted` and `literal` read back.
"""

from __future__ import annotations

import re
from typing import TypeAlias

__all__ = [
    "BARE",
    "NAME",
    "NUMBER",
    "OPENED",
    "QUOTED",
    "WORD",
    "Value",
    "is_number",
    "literal",
    "unquoted",
]

Value: TypeAlias = str | int | float

NAME = r"[^\W\d]\w*"
"""A name that is written without quotes."""
BARE = r"\w[\w.]*"
"""A name that is read without quotes; digits are a number where a number can stand."""
NUMBER = r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?"
WORD = r"[^\s,|()\[\]='\"]+"
QUOTED = r"""'(?:[^'\\]|\\[\s\S])*'|"(?:[^"\\]|\\[\s\S])*\""""
OPENED = r"""'(?:[^'\\]|\\[\s\S])*(?:'|\Z)|"(?:[^"\\]|\\[\s\S])*(?:"|\Z)"""
"""A quoted text, or all that is left behind a quote that never closes: one way to read it."""

_DIGITS = 4_000
"""Of a whole number: Python converts no more than 4,300."""


def is_number(text: str) -> bool:
    """Whether a text without quotes is a number, whole or not."""
    return bool(re.fullmatch(NUMBER, text))


def unquoted(text: str) -> str:
    """A name, without quotes and backslashes if it has them."""
    return re.sub(r"\\([\s\S])", r"\1", text[1:-1]) if text[:1] in ("'", '"') else text


def literal(text: str) -> Value:
    """A level or number, as it is written; a number beyond all others is infinite.

    Example:
        >>> literal("2.5"), literal("-1"), literal("'-1'"), literal("red")
        (2.5, -1, '-1', 'red')
    """
    if not is_number(text):
        return unquoted(text)
    if re.fullmatch(r"[+-]?\d+", text) and len(text) <= _DIGITS:
        return int(text)
    return float(text)
