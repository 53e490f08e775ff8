"""The exceptions a user sees: one line that says where, what was given, and what is allowed."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = [
    "CausalflowError",
    "CausalflowWarning",
    "CheckpointError",
    "CompileError",
    "DataError",
    "EvidenceError",
    "GraphError",
    "QueryError",
    "SupportWarning",
    "one_of",
]


class CausalflowError(ValueError):
    """A mistake the user can mend; the base of all errors raised on purpose."""


class GraphError(CausalflowError):
    """A mistake in a graph file or in the arguments of ``Graph``."""


class QueryError(CausalflowError):
    """A causal question that cannot be read, or that names what the graph does not have.

    Attributes:
        message: the mistake, in one line.
        text: the question as it was written, if the mistake has a place in it.
        position: where in ``text`` the mistake begins; ``str`` points there with a caret.

    Example:
        >>> print(QueryError("query: unknown node 'z'", "P(y | z)", 6))
        query: unknown node 'z'
          P(y | z)
                ^
    """

    def __init__(self, message: str, text: str | None = None, position: int | None = None) -> None:
        super().__init__(message, text, position)
        self.message, self.text, self.position = message, text, position

    def __str__(self) -> str:
        if self.text is None or self.position is None:
            return self.message
        shown = "".join(letter if letter.isprintable() else " " for letter in self.text)
        return f"{self.message}\n  {shown}\n  {' ' * self.position}^"


class CompileError(CausalflowError):
    """A graph that cannot be turned into a model."""


class DataError(CausalflowError):
    """Training data that do not fit the graph."""


class EvidenceError(CausalflowError):
    """Evidence or an intervention that the model cannot take."""


class CheckpointError(CausalflowError):
    """A model file that is missing, truncated, foreign or altered."""


class CausalflowWarning(UserWarning):
    """What an answer rests on and its reader should know; the base of every warning raised here."""


class SupportWarning(CausalflowWarning):
    """A value outside the range that a fitted model has seen of a node."""


def one_of(given: object, allowed: Iterable[object]) -> str:
    """The end of an error message: what is allowed, and the nearest name if there is one.

    Names are near whatever their case; a number is near nothing.

    Example:
        >>> one_of("Shap", ["shape", "type"])
        "expected one of ['shape', 'type']; did you mean 'shape'?"
        >>> one_of(10, range(2))
        "expected one of ['0', '1']"
    """
    names = [str(name) for name in allowed]
    shown = f"[{', '.join(map(repr, names[:20]))}{', ...' if len(names) > 20 else ''}]"
    words = {name.lower(): name for name in reversed(names) if not name.isdecimal()}
    nearest = get_close_matches(str(given).lower(), words, n=1)
    hint = f"; did you mean '{words[nearest[0]]}'?" if nearest else ""
    return f"expected one of {shown}{hint}"
