r"""Names: what a variable may be called, and how its name stands in a text.

A name is any printable Unicode text without spaces at its ends. One of letters, digits, '_' and '.'
(and of whatever lies beyond ASCII) stands as it is; any other in double quotes, with a backslash
before a double quote and before a backslash (single quotes are read as well):

    dose, 1, X.ray, größe, 体重                    "warm up", "light-on", "P(y)", "say \"when\""
"""

from __future__ import annotations

import re
import unicodedata

from causalflow.limits import NAME_LETTERS

__all__ = [
    "NAME_RULE",
    "PLAIN",
    "QUOTED",
    "is_name",
    "quoted_unless_word",
    "same_look",
    "unquoted",
    "written",
]

NAME_RULE = (
    f"a name is 1 to {NAME_LETTERS} printable characters, without spaces at its beginning and end"
)
PLAIN = r"(?:[A-Za-z0-9_.]|[^\x00-\x7f\s\u2190-\u21ff])+"
"""A name that needs no quotes; arrows of Unicode do."""
QUOTED = r"""(?:"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')"""
_JOINERS = "\u200c\u200d"
"""What joins or parts letters and emoji; no other invisible character is part of a name."""


def is_name(text: str) -> bool:
    r"""Whether ``text`` can name a variable.

    Example:
        >>> [is_name(text) for text in ("warm up", "2nd", "größe", "", " x", "x\n")]
        [True, True, True, False, False, False]
    """
    if not 0 < len(text) <= NAME_LETTERS or text != text.strip():
        return False
    return "".join(letter for letter in text if letter not in _JOINERS).isprintable()


def same_look(text: str) -> str:
    """The name in the one form (NFC) that all spellings of the same letters have."""
    return unicodedata.normalize("NFC", text)


def written(name: str) -> str:
    """The name as it stands in an edge string, in quotes where it needs them.

    Example:
        >>> print(written("dose"), written("warm up"))
        dose "warm up"
    """
    return name if re.fullmatch(PLAIN, name) else f'"{_escaped(name)}"'


def quoted_unless_word(name: str) -> str:
    """The name as it stands in a query: in quotes, unless it is a word."""
    return name if re.fullmatch(r"[^\W\d]\w*", name) else f'"{_escaped(name)}"'


def _escaped(name: str) -> str:
    return name.replace("\\", "\\\\").replace('"', '\\"')


def unquoted(text: str) -> str:
    """The name that is written as ``text``: the inverse of `written`."""
    return re.sub(r"\\(.)", r"\1", text[1:-1], flags=re.DOTALL) if text[:1] in "\"'" else text
