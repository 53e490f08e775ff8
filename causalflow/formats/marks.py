"""Marks: what the attributes of other tools say of a node and of an edge, read or refused.

A node is *latent* where latent, unobserved or hidden is true, where observed is false, or, without
such a word, where it is dashed or dotted, has that role, or a label that says no more than
"Unobserved Confounders" or the like. A node that is *selected* is refused. ``yes true 1``, and
an attribute without a value, are true; ``no false 0`` are false.

An edge has an arrow head at either end as DOT draws it (dir, arrowhead, arrowtail), or is called
bidirected (bidirected=true, type or kind). Two heads: ``a <-> b``. No head, or a circle (odot, dot,
circle): refused, as such an edge stands for several graphs. One head, dashed or dotted: refused,
unless it leaves a latent node, as that can be meant for an edge and for a hidden common cause.
Invisible: no edge.

Source: graphviz.org/docs/attrs for DOT; dagitty's GraphParser; the edge types of pgmpy's ADMG and
its roles, the tag "hidden" of y0, the attribute ``observed="no"`` and the labels of DoWhy.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from causalflow.errors import GraphError, one_of
from causalflow.names import written

__all__ = ["MARKS", "Arrow", "is_latent", "read_arrow", "with_role"]

_TRUE = frozenset({"", "yes", "true", "1", "1.0", "on"})
_FALSE = frozenset({"no", "false", "0", "0.0", "off"})
_DIRECTIONS = {"forward": (False, True), "back": (True, False), "both": (True, True)}
_ROLES = {
    "exposure": {"exposure", "source", "e"},
    "outcome": {"outcome", "target", "o"},
    "adjusted": {"adjusted", "a"},
}
_LATENT = ("latent", "unobserved", "hidden", "observed")
_KINDS = ("type", "kind", "edge_type")
_ROLE_KEYS = ("role", "roles")
_HIDDEN = re.compile(r"(?:unobserved|unmeasured|latent|hidden)s?")
_HIDDEN_LABEL = re.compile(
    _HIDDEN.pattern
    + r"(?:\s+(?:common\s+)?(?:cause|confounder|confounding|factor|node|variable)s?)?"
)
MARKS = frozenset(
    {*_LATENT, *_KINDS, *_ROLE_KEYS, "l", "u", "selected", "s", "style", "bidirected", "label"}
    | {"dir", "arrowhead", "arrowtail"}.union(*_ROLES.values())
)
"""The attributes that are read here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrow:
    """An edge that has been understood."""

    source: str
    target: str
    bidirected: bool


def is_latent(name: str, given: Mapping[Any, Any]) -> bool:
    """Whether the attributes say that a node is never observed.

    Raises:
        GraphError: they contradict each other, are no truth values, or mark a selected node.

    Example:
        >>> is_latent("u", {"observed": "no"}), is_latent("u", {"latent": "false"})
        (True, False)
    """
    words = _words(given)
    if _says(name, words, "selected") or words.get("s") == "":
        raise GraphError(
            f"node '{name}' is selected: the rows would be those of a selection alone, from which "
            "no question is answered yet; without the mark the graph is that of the whole"
        )
    said = {key: _says(name, words, key) for key in _LATENT}
    said |= {key: True for key in ("l", "u") if words.get(key) == ""}
    votes = {value is not (key == "observed") for key, value in said.items() if value is not None}
    if len(votes) > 1:
        shown = ", ".join(f"{key}={words[key]}" for key, value in said.items() if value is not None)
        raise GraphError(f"node '{name}': {shown} contradict each other")
    return votes.pop() if votes else _is_dashed(words) or _is_called_hidden(words)


def with_role(nodes: Mapping[str, Mapping[Any, Any]], role: str) -> list[str]:
    """The nodes that dagitty's text marks "exposure", "outcome" or "adjusted"."""
    marked = {name: {key for key, v in _words(g).items() if v == ""} for name, g in nodes.items()}
    return [name for name, keys in marked.items() if keys & _ROLES[role]]


def read_arrow(
    source: str, mark: str, target: str, given: Mapping[Any, Any], latent: Collection[str] = ()
) -> Arrow | None:
    """What the edge ``source mark target`` says; None where it is invisible.

    Raises:
        GraphError: it is none of a causal graph; the reason is told.

    Example:
        >>> read_arrow("x", "->", "y", {"dir": "both", "arrowtail": "none"})
        Arrow(source='x', target='y', bidirected=False)
    """
    words = _words(given)
    if "invis" in words.get("style", "").split(","):
        return None
    shown = f"edge '{written(source)} {mark} {written(target)}'"
    tail, head = _ends(shown, mark, words)
    if any(_is_circle(words.get(key, "")) for key in ("arrowhead", "arrowtail")):
        _refuse(shown, "has an end with a circle")
    if not tail and not head:
        _refuse(shown, "has no direction")
    if tail and head:
        return Arrow(source=source, target=target, bidirected=True)
    start, end = (source, target) if head else (target, source)
    if _is_dashed(words) and start not in latent:
        raise GraphError(
            f"{shown} is dashed, with one head; expected dir=both for a hidden common cause, "
            "observed=no at a node that is hidden, or another style"
        )
    return Arrow(source=start, target=end, bidirected=False)


def _ends(shown: str, mark: str, words: Mapping[str, str]) -> tuple[bool, bool]:
    """Whether there is an arrow head at the first end, and at the second."""
    kinds = {words.get(key) for key in _KINDS}
    if _says(shown, words, "bidirected") or mark == "<->" or kinds & {"bidirected", "<->"}:
        return True, True
    if mark not in ("->", "<-") or kinds & {"undirected", "--"}:
        return False, False
    word = words.get("dir", "forward")
    if word not in (*_DIRECTIONS, "none"):
        raise GraphError(f"{shown}: dir={word[:40]!r}; {one_of(word, [*_DIRECTIONS, 'none'])}")
    tail, head = _DIRECTIONS.get(word, (False, False))
    tail = tail and words.get("arrowtail") != "none"
    head = head and words.get("arrowhead") != "none"
    return (head, tail) if mark == "<-" else (tail, head)


def _refuse(shown: str, what: str) -> NoReturn:
    raise GraphError(
        f"{shown} {what}: it stands for several graphs; expected '->', or '<->' for a hidden "
        "common cause"
    )


def _words(given: Mapping[Any, Any]) -> dict[str, str]:
    """The attributes that are marks, as lower-case words without quotes; None is not said."""
    said = {key: value for key, value in given.items() if key in MARKS and value is not None}
    return {key: str(value).strip().strip("\"'").lower() for key, value in said.items()}


def _says(place: str, words: Mapping[str, str], key: str) -> bool | None:
    """The truth value of an attribute; None where it is missing."""
    word = words.get(key)
    if word is None or word in _TRUE | _FALSE:
        return None if word is None else word in _TRUE
    shown = place if place.startswith("edge ") else f"node '{place}'"
    raise GraphError(f"{shown}: {key}={word[:40]!r}; expected yes or no")


def _is_circle(shape: str) -> bool:
    return "dot" in shape or "circle" in shape


def _is_called_hidden(words: Mapping[str, str]) -> bool:
    """Whether a node's role, or all of its label, says that nobody observes it."""
    roles = re.findall(r"\w+", " ".join(words.get(key, "") for key in _ROLE_KEYS))
    label = words.get("label", "").strip("()[] ")
    return any(map(_HIDDEN.fullmatch, roles)) or bool(_HIDDEN_LABEL.fullmatch(label))


def _is_dashed(words: Mapping[str, str]) -> bool:
    styles = {style.strip() for style in words.get("style", "").split(",")}
    return bool(styles & {"dashed", "dotted"})
