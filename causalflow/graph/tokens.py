"""Tokens: names, signs and edge marks of the language that DOT and dagitty share.

Names stand plain or in quotes; a text in angle brackets (HTML, in DOT) is one token. Comments are
``// ...``, ``# ...`` and ``/* ... */``. What is no token comes as one of kind "bad", the last.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from causalflow.graph.names import PLAIN

__all__ = ["END", "Token", "tokens"]

_TOKEN = re.compile(
    rf"""(?P<blank>(?:\s+|//[^\n]*|\#[^\n]*|/\*.*?\*/)+)
    |(?P<text>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')
    |(?P<mark><->|->|<-@|<-|--@|--|@->|@-@|@--)
    |(?P<name>-?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?(?!{PLAIN})|{PLAIN})
    |(?P<sign>[{{}}\[\]=;,:+])
    |(?P<html><)""",
    re.VERBOSE | re.DOTALL,
)
_ANGLE = re.compile("[<>]")


class Token(NamedTuple):
    """A piece of the text.

    Attributes:
        kind: "name", "text" (a name in quotes), "mark", "sign", "html", "bad" or "end".
        text: as it stands.
        at: where it begins; -1 at the end.
    """

    kind: str
    text: str
    at: int

    def word(self, *words: str) -> bool:
        """Whether it is one of these signs, or of these words without quotes."""
        return self.kind in ("sign", "name") and self.text.lower() in words

    @property
    def is_name(self) -> bool:
        """Whether it can name something."""
        return self.kind in ("name", "text")

    @property
    def plain(self) -> str:
        """The text without quotes; a backslash stands before a quote, a backslash, a line's end."""
        if self.kind != "text":
            return self.text
        return re.sub(r"\\([\"'\\]|\r?\n)", _kept, self.text[1:-1])


def _kept(found: re.Match[str]) -> str:
    return "" if found[1].endswith("\n") else found[1]


END = Token("end", "", -1)


def tokens(text: str) -> Iterator[Token]:
    """The tokens of a text, and `END`; the first that is none ends them, as one of kind "bad"."""
    position, last = 0, ""
    while position < len(text):
        found = _TOKEN.match(text, position)
        kind = (found.lastgroup if found else None) or "bad"
        end = found.end() if found and kind != "html" else _html_end(text, position)
        if end is None or kind == "bad" or kind == last == "name":
            yield Token("bad", "", position)
            return
        if kind != "blank":
            yield Token(kind, text[position:end], position)
        position, last = end, kind
    yield END


def _html_end(text: str, start: int) -> int | None:
    """Where the text in angle brackets ends that begins at ``start``."""
    depth = 0
    for found in _ANGLE.finditer(text, start):
        depth += 1 if found[0] == "<" else -1
        if depth == 0:
            return found.end()
    return None
