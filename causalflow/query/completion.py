"""Completion: what may come next in a causal question that is being typed.

A question of one kind or the other is read by the grammar as far as it goes
(`causalflow.query.parse.expected_after`), which says what may follow: a variable, a level of the
variable that an ``=`` stands behind, ``do(``, a mark. A quantity with a name, ``ATE(x -> y)``, has
names and arrows. Of a sum of questions the one that is not closed counts.

>>> from causalflow.graph.graph import Graph
>>> yes_no = {"type": "class", "levels": ["no", "yes"]}
>>> graph = Graph(nodes={"x": yes_no, "y": yes_no}, edges=["x -> y"])
>>> completion("P(y | do(x=", graph=graph).options
('no', 'yes')
>>> found = completion("P(y | d", graph=graph)
>>> found.start, found.options
(6, ('do(',))
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from causalflow.graph.graph import Graph
from causalflow.query.named import ALIASES, FORMS
from causalflow.query.parse import expected_after
from causalflow.query.query import BARE, OPENED, QUOTED, Intervention, Term, unquoted

__all__ = ["Completion", "completion"]

_HEAD = re.compile(r"[A-Za-z]+(?:-[A-Za-z]+)?\s*[(\[]")
_WORD = re.compile(rf"(?:{OPENED}|[\w.+-]*)\Z")
_MARKS = re.compile(rf"[][(){{}}]|{OPENED}")
_VALUED = re.compile(
    rf"({BARE}|{QUOTED})\s*(?:\[(?:[^][]|\[(?:[^][]|\[[^][]*\])*\])*\])?\s*=\s*(?:[^\s,()|/]*/)?\Z"
)
_SIGNS = {
    "COMMA": ", ",
    "VBAR": " | ",
    "EQUAL": "=",
    "LSQB": "[",
    "RSQB": "]",
    "RPAR": ")",
    "PLUS": " + ",
    "MINUS": " - ",
    "IN": " in ",
    "LIKELY": " likely ",
}
_BEGINNINGS = ("P(", "E[")


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """What may stand in a text from ``start`` to where it ends.

    Attributes:
        start: where the word begins that is being typed.
        options: what it may become, in the order in which they are likely.
    """

    start: int
    options: tuple[str, ...]


def completion(text: str, at: int | None = None, *, graph: Graph) -> Completion:
    """What may come next.

    Args:
        text: the question as far as it is typed.
        at: where the cursor stands; None: at the end.
        graph: says which names and levels there are.
    """
    before = text[: len(text) if at is None else max(0, at)]
    found = _WORD.search(before)
    word = found[0] if found else ""
    start = len(before) - len(word)
    options = dict.fromkeys(_options(before[:start], graph))
    if not word:
        return Completion(start=start, options=tuple(options))
    like = unquoted(word + word[0]) if word[0] in "'\"" else word
    fits = (each for each in options if _begins(each, like) and each != word)
    return Completion(start=start, options=tuple(fits))


def _begins(option: str, word: str) -> bool:
    return option.strip("'\"").lower().startswith(word.lower())


def _options(before: str, graph: Graph) -> Iterator[str]:
    start = _open_question(before)
    if start is None:
        yield from _outside(before)
        return
    question = before[start:]
    is_plain = re.match(r"(?:pr?|e)\s*[(\[]", question, re.IGNORECASE) is not None
    if valued := _VALUED.search(question):
        yield from _levels(unquoted(valued[1]), graph)
    elif is_plain:
        yield from _in_grammar(expected_after(question), question, graph)
    else:
        yield from _in_named(question, graph)


def _open_question(text: str) -> int | None:
    """Where the question begins whose bracket is open at the end; None: none is."""
    depth, start = 0, None
    heads = {found.end() - 1: found.start() for found in _HEAD.finditer(text)}
    for mark in _MARKS.finditer(text):
        if mark[0] in ("(", "[", "{"):
            if not depth:
                start = heads.get(mark.start())
                if start is None:
                    continue
            depth += 1
        elif mark[0] in (")", "]", "}"):
            depth = max(0, depth - 1)
    return start if depth else None


def _outside(before: str) -> Iterator[str]:
    """A question begins; or one has ended, and others may be added."""
    if not before.strip() or before.rstrip()[-1] in "+-*/(":
        yield from (*_BEGINNINGS, *(f"{name}(" for name in _names()))
    elif before.rstrip()[-1] in ")]":
        yield from (" - ", " + ", " / ")


def _names() -> Iterable[str]:
    return dict.fromkeys([*FORMS, *(name for name in ALIASES if name not in FORMS)])


def _in_grammar(expected: frozenset[str], before: str, graph: Graph) -> Iterator[str]:
    if "NAME" in expected:
        yield from _variables(graph, before)
    if "DO" in expected and "do(" not in before:
        yield "do("
    yield from (sign for terminal, sign in _SIGNS.items() if terminal in expected)


def _in_named(before: str, graph: Graph) -> Iterator[str]:
    if before.rstrip()[-1:] in ("(", ",", ";", "|", ">", "→"):
        yield from _variables(graph, before)
        return
    yield from () if "->" in before else (" -> ",)
    yield from (")", "=", "; ", " | ") if "->" in before else ("=",)


def _variables(graph: Graph, before: str) -> Iterator[str]:
    """Names as a question writes them, those that it has not named yet first."""
    exogenous = () if re.search(r"(?:do\s*\(|\[)[^()\[\]]*\Z", before) else graph.exogenous
    names = [str(Term(name=name)) for name in (*graph.nodes, *exogenous)]
    yield from sorted(
        names, key=lambda name: bool(re.search(rf"(?<!\w){re.escape(name)}(?!\w)", before))
    )


def _levels(name: str, graph: Graph) -> Iterator[str]:
    """The levels of a variable as a question writes them."""
    declared = graph.nodes.get(name) or graph.exogenous.get(name)
    for level in (declared.type.levels if declared else None) or ():
        yield str(Intervention(variable="v", value=level)).removeprefix("v=")
