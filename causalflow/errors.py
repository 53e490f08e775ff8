"""Errors: the exceptions that a user sees, a line each: where, what was given, what is allowed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from itertools import islice
from typing import Self

from causalflow.limits import ERROR_LETTERS, NAME_LETTERS

__all__ = [
    "CausalflowError",
    "CausalflowWarning",
    "CheckpointError",
    "CompileError",
    "DataError",
    "EvidenceError",
    "GraphError",
    "ImpossibleError",
    "MissingDataError",
    "QueryError",
    "RowError",
    "SupportWarning",
    "one_line",
    "one_of",
    "shown",
]

_NAMES = 20
_NAMES_LETTERS = 300
_COMPARED = 1_000
_AROUND = 30


def one_line(text: str, end: str = "") -> str:
    r"""The text in one line of under `ERROR_LETTERS` letters, ``end`` kept at its end.

    Letters that move the cursor, are invisible or turn the direction of writing are shown escaped.

    Example:
        >>> one_line("no node 'a\nb'")
        "no node 'a\\nb'"
        >>> one_line("x" * 1000)[-20:]
        'x... (1,000 letters)'
    """
    line, end = _escaped(text[:ERROR_LETTERS]), _escaped(end)[: ERROR_LETTERS // 2]
    if len(text) <= ERROR_LETTERS and len(line) + len(end) < ERROR_LETTERS:
        return line + end
    note = f"... ({len(text):,} letters){end}"
    return line[: ERROR_LETTERS - 1 - len(note)] + note


def shown(value: object, most: int | None = None) -> str:
    """The value as Python writes it; Python does not write integers of thousands of digits.

    Args:
        value: anything.
        most: letters after which the text is cut; None: it is whole.

    Example:
        >>> shown("a"), shown("abcdef", 4), shown(10**5000)
        ("'a'", "'abc...", 'a number of thousands of digits')
    """
    try:
        text = repr(value)
    except ValueError:
        return "a number of thousands of digits"
    return text if most is None or len(text) <= most else f"{text[:most]}..."


def _escaped(text: str) -> str:
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in text
    )


class CausalflowError(ValueError):
    """A mistake the user can mend; the base of all errors raised on purpose.

    Its text is one line of under `ERROR_LETTERS` letters, whatever it quotes.

    Example: ``except cf.CausalflowError as mistake: print(mistake)`` shows every refusal in a line.
    """

    def __str__(self) -> str:
        return one_line(super().__str__())


class GraphError(CausalflowError):
    """A mistake in a graph file or in the arguments of ``Graph``.

    Example: ``cf.Graph(edges=["x -> y", "y -> x"])``, which has a cycle.
    """


class QueryError(CausalflowError):
    """A causal question that cannot be read, or that names what the graph does not have.

    Attributes:
        message: the mistake, in one line.
        text: the question as it was written, if the mistake has a place in it.
        position: where in ``text`` the mistake begins; ``str`` shows it.

    Example:
        >>> print(QueryError("query: unknown node 'z'", "P(y | z)", 6))
        query: unknown node 'z' (at letter 7: 'P(y | ⟨here⟩z)')
    """

    def __init__(self, message: str, text: str | None = None, position: int | None = None) -> None:
        super().__init__(message, text, position)
        self.message, self.text, self.position = message, text, position

    def __str__(self) -> str:
        if self.text is None or self.position is None:
            return one_line(self.message)
        return one_line(self.message, f" (at letter {self.position + 1}: '{self._place()}')")

    def _place(self) -> str:
        """The text around the mistake."""
        text, position = self.text or "", self.position or 0
        first, last = max(0, position - _AROUND), position + _AROUND
        before = ("..." if first else "") + text[first:position]
        return f"{before}⟨here⟩{text[position:last]}{'...' if last < len(text) else ''}"


class CompileError(CausalflowError):
    """A graph that cannot be turned into a model.

    Example: ``cf.compile(cf.Graph(edges=["x -> y"]))``, whose nodes have no types.
    """


class DataError(CausalflowError):
    """Training data that do not fit the graph.

    Example: ``model.fit({"x": [0, 1]})`` where the graph has a node y too.
    """


class MissingDataError(DataError):
    """Files of a data set that are not here and cannot be had, or are not the published ones."""


class EvidenceError(CausalflowError):
    """Evidence or an intervention that the model cannot take.

    Example: ``model.sample(2, do={"x": 7})`` where x has two levels.
    """


class RowError(EvidenceError):
    """One row of the evidence that the model cannot take.

    Attributes:
        where: the place, as in "node 'y'"; empty where no node is to blame.
        row: its number, from 0.
        reason: what is wrong with it.
    """

    def __init__(self, where: str, row: int, reason: str) -> None:
        super().__init__(where, row, reason)
        self.where, self.row, self.reason = where, row, reason

    def __str__(self) -> str:
        place = f"{self.where}: row {self.row}" if self.where else f"row {self.row}"
        return one_line(f"{place}: {self.reason}")

    def at(self, row: int) -> Self:
        """The same of another row."""
        return type(self)(self.where, row, self.reason)


class ImpossibleError(RowError):
    """A row of evidence that has probability zero, for certain."""


class CheckpointError(CausalflowError):
    """A model file that is missing, truncated, foreign or altered.

    Example: ``cf.Model.load("graph.yaml")``, which is no model.
    """


class CausalflowWarning(UserWarning):
    """What an answer rests on and its reader should know; the base of every warning raised here.

    Example: ``warnings.simplefilter("error", cf.CausalflowWarning)`` makes each of them an error.
    """


class SupportWarning(CausalflowWarning):
    """A value outside the range that a fitted model has seen of a node.

    Example: ``model.sample(2, do={"age": 200})`` of a model that was fitted to ages up to 90.
    """


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
    listed = list(_listed(names))
    words = {
        name.lower(): name
        for name in reversed(names[:_COMPARED])
        if not name.isdecimal() and len(name) <= NAME_LETTERS
    }
    word = (given if isinstance(given, str) else shown(given))[: NAME_LETTERS + 1].lower()
    nearest = get_close_matches(word, words, n=1) if len(word) <= NAME_LETTERS else []
    hint = f"; did you mean '{words[nearest[0]]}'?" if nearest else ""
    more = ", ..." if len(names) > len(listed) else ""
    return f"expected one of [{', '.join(listed)}{more}]{hint}"


def _listed(names: Iterable[str]) -> Iterator[str]:
    """The first names, quoted: as many as a line holds."""
    letters = 0
    for name in islice(names, _NAMES):
        letters += len(name) + 4
        if letters > _NAMES_LETTERS:
            return
        yield repr(name)
