"""Source: the text of a graph file as pieces that know where they stand, and changes of the text.

A *piece* is a scalar, a list or a mapping of the text, with the place of its first letter and the
one behind its last; comments and blanks around it belong to none. A *change* puts other letters
between two places. Changes of one text are made at once, so places stay those of the text as it
was.

    block   one entry a line:   - a -> b          flow   in brackets:   [a -> b, b -> c]
                                - b -> c

An entry is *taken out* with its line in block style, comment and all, and with its comma in flow
style. One is *put behind* another in the same style.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from causalflow.errors import GraphError
from causalflow.graph.writer import flow
from causalflow.graph.yaml import events, from_yaml

__all__ = ["Change", "Piece", "changed", "pieces", "put_behind", "rewritten", "scalar", "taken_out"]


@dataclass(slots=True)
class Piece:
    """A scalar, a list or a mapping of the text.

    Attributes:
        start: where its first letter stands.
        end: the place behind its last letter.
        text: what a scalar says, without quotes.
        quote: the mark that a scalar is quoted by; empty where there is none.
        is_mapping: whether it is a mapping: its parts are keys and values in turn.
        in_brackets: whether a list or mapping is in flow style.
        parts: what is in a list or mapping.
    """

    start: int
    end: int
    text: str | None = None
    quote: str = ""
    is_mapping: bool = False
    in_brackets: bool = False
    parts: list[Piece] = field(default_factory=list)

    @property
    def pairs(self) -> list[tuple[Piece, Piece]]:
        """The keys and values of a mapping; nothing of anything else."""
        halves = zip(self.parts[::2], self.parts[1::2], strict=True)
        return list(halves) if self.is_mapping else []

    def get(self, key: str) -> Piece | None:
        """The value of a key; None where there is none, or nothing is written behind it."""
        found = (value for name, value in self.pairs if name.text == key)
        return next((value for value in found if value.end > value.start), None)

    def entries(self) -> list[tuple[Piece, Piece]]:
        """The first and the last piece of each entry: one of a list, a pair of a mapping."""
        return self.pairs if self.is_mapping else [(part, part) for part in self.parts]


@dataclass(frozen=True, slots=True)
class Change:
    """Letters to stand between two places of a text."""

    start: int
    end: int
    letters: str


def pieces(text: str) -> Piece:
    """The text as pieces: the mapping at its top.

    Raises:
        GraphError: what no graph file can be, with its line.
    """
    from_yaml(text)
    top, *_ = _built(text) or [Piece(len(text), len(text), is_mapping=True)]
    if not top.is_mapping:
        raise GraphError("graph: expected a mapping such as 'edges: [a -> b]'")
    return top


def _built(text: str) -> list[Piece]:
    done: list[Piece] = []
    stack: list[Piece] = []
    for event in events(text):
        kind = type(event).__name__
        start, end = event.start_mark.index, event.end_mark.index
        if kind == "ScalarEvent":
            quote = text[start] if event.style in ("'", '"') else event.style or ""
            (stack[-1].parts if stack else done).append(Piece(start, end, event.value, quote))
        elif kind in ("SequenceStartEvent", "MappingStartEvent"):
            stack.append(Piece(start, end, None, "", kind[0] == "M", bool(event.flow_style)))
        elif kind in ("SequenceEndEvent", "MappingEndEvent"):
            piece = stack.pop()
            piece.end = end if piece.in_brackets else max(part.end for part in piece.parts)
            (stack[-1].parts if stack else done).append(piece)
    return done


def changed(text: str, changes: Iterable[Change]) -> str:
    """The text with the changes made; those at one place stand in their order.

    Example:
        >>> changed("a -> b", [Change(0, 1, "x"), Change(6, 6, "!")])
        'x -> b!'
    """
    parts, position = [], 0
    for change in sorted(changes, key=lambda each: (each.start, each.end)):
        parts += [text[position : change.start], change.letters]
        position = max(position, change.end)
    return "".join(parts) + text[position:]


def rewritten(piece: Piece, text: str, *, in_brackets: bool = False) -> Change:
    """The scalar says something else, quoted as it was, or as YAML needs it.

    Args:
        piece: the scalar.
        text: what it is to say.
        in_brackets: whether it stands in brackets, where a comma ends it.
    """
    if piece.quote == "'" and text.isprintable():
        return Change(piece.start, piece.end, "'" + text.replace("'", "''") + "'")
    if piece.quote == '"':
        shown = flow(text)
        return Change(piece.start, piece.end, shown if shown[:1] in ("'", '"') else f'"{shown}"')
    return Change(piece.start, piece.end, scalar(text, in_brackets=in_brackets))


def scalar(text: str, *, in_brackets: bool = False) -> str:
    """The text as a scalar says it: without quotes where YAML reads it as it stands.

    Example:
        >>> print(scalar('tar -> "lung cancer"'))
        tar -> "lung cancer"
        >>> print(scalar('"lung cancer" -> tar'))
        '"lung cancer" -> tar'
    """
    return text if _stays_plain(text, in_brackets) else flow(text)


def _stays_plain(text: str, in_brackets: bool) -> bool:
    """Whether YAML reads the text as it stands: asked of the reader itself."""
    if not text.isprintable() or (in_brackets and re.search(r"[,\[\]{}]", text)):
        return False
    try:
        top = _built(f"- {text}\n")
    except GraphError:
        return False
    return [(part.text, part.quote) for part in top[0].parts] == [(text, "")]


def taken_out(
    text: str, holder: Piece, entries: Sequence[int], key: Piece | None = None
) -> list[Change]:
    """Entries of a list or mapping go, and with the last of them the section that holds them.

    Args:
        text: the text.
        holder: the list or mapping.
        entries: the numbers of the entries that go, from 0.
        key: the name of the section; it goes with a holder that nothing would be left in.
    """
    spans = [(first.start, last.end) for first, last in holder.entries()]
    gone = sorted(set(entries))
    if key is not None and len(gone) == len(spans):
        return [Change(*_lines(text, key.start, holder.end), "")]
    if not holder.in_brackets:
        return [Change(*_lines(text, *spans[number]), "") for number in gone]
    kept = [number for number in range(len(spans)) if number not in gone]
    changes = []
    for number in gone:
        before = [each for each in kept if each < number]
        if before:
            start = spans[number - 1][1]
            changes.append(Change(start, spans[number][1], ""))
        else:
            end = spans[number + 1][0] if number + 1 < len(spans) else spans[number][1]
            changes.append(Change(spans[number][0], end, ""))
    return changes


def _lines(text: str, start: int, end: int) -> tuple[int, int]:
    """The whole lines between two places."""
    first = text.rfind("\n", 0, start) + 1
    last = text.find("\n", end)
    return first, len(text) if last < 0 else last + 1


def put_behind(text: str, holder: Piece, number: int, letters: str) -> Change:
    """An entry behind the one of a number, in the style of the list or mapping."""
    first, last = holder.entries()[number] if holder.parts else (holder, holder)
    if holder.in_brackets:
        place = last.end if holder.parts else holder.start + 1
        return Change(place, place, f", {letters}" if holder.parts else letters)
    _, behind = _lines(text, first.start, last.end)
    begin = text.rfind("\n", 0, first.start) + 1
    lead = text[begin : first.start]
    lead = lead if not lead.strip(" -") else " " * len(lead)
    line = f"{lead}{letters}\n"
    missing = behind == len(text) and not text.endswith("\n")
    return Change(behind, behind, f"\n{line}" if missing else line)
