"""Problem: an error as the page shows them, a line of text and the place that it speaks of.

    {"message": "node 'z': ...", "line": 6, "column": None}

``line`` and ``column`` count from 1 in the text that was sent: the graph's, or the query's.
"""

from __future__ import annotations

import re
from typing import TypedDict

from causalflow.errors import CausalflowError, QueryError, one_line

__all__ = ["Problem", "problem"]

_PLACED = re.compile(r"<text>(?::(\d+))?(?::(\d+))?: (.*)", re.DOTALL)


class Problem(TypedDict):
    """A mistake, its line and its column."""

    message: str
    line: int | None
    column: int | None


def problem(error: CausalflowError | str) -> Problem:
    """The error as the page shows it; graphs are read by ``loads(text)``, which names no file.

    Example:
        >>> problem("<text>:6: node 'z': unknown field")
        {'message': "node 'z': unknown field", 'line': 6, 'column': None}
        >>> problem(QueryError("query: unknown node 'z'", "P(y | z)", 6))
        {'message': "query: unknown node 'z'", 'line': 1, 'column': 7}
    """
    if isinstance(error, QueryError) and error.position is not None:
        return Problem(message=one_line(error.message), line=1, column=error.position + 1)
    text = str(error)
    if placed := _PLACED.fullmatch(text):
        line, column = (None if place is None else int(place) for place in placed.groups()[:2])
        return Problem(message=placed[3], line=line, column=column)
    return Problem(message=one_line(text), line=None, column=None)
