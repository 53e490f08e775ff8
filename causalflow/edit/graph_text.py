"""Graph text: a graph file's text by its sections and entries, and changes of one entry.

An entry of ``edges:`` is a chain (`causalflow.edit.chain`) and what stands behind it, the kind:

    - a, b -> c                               chain alone
    - a, b -> c: neural                       a mapping: its key is the chain, its value the kind
    - {"a -> c": {kind: anticausal}}
    - "a, b -> c: neural"                     one text: the chain ends at the colon
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from causalflow.edit.chain import Chain
from causalflow.edit.source import Change, Piece, pieces, put_behind, rewritten, scalar, taken_out
from causalflow.graph.edges import split_kind
from causalflow.graph.writer import flow

__all__ = ["Entry", "GraphText"]


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of ``edges:``.

    Attributes:
        number: its place in the list, from 0.
        piece: the whole entry.
        links: the scalar that the chain stands in.
        chain: what it draws.
        kind: what stands behind the chain in the same scalar, colon and all.
    """

    number: int
    piece: Piece
    links: Piece
    chain: Chain
    kind: str

    def letters(self, text: str, chain: Chain, *, in_brackets: bool) -> str:
        """The entry as it would be written with another chain."""
        change = rewritten(self.links, f"{chain}{self.kind}", in_brackets=in_brackets)
        before, behind = text[self.piece.start : change.start], text[change.end : self.piece.end]
        return f"{before}{change.letters}{behind}"


class GraphText:
    """The text of a graph file.

    Attributes:
        text: the text.
        top: its pieces.
    """

    def __init__(self, text: str) -> None:
        """Read a text.

        Raises:
            GraphError: it is no YAML, or no mapping.
        """
        self.text = text
        self.top = pieces(text)

    def section(self, name: str) -> Piece | None:
        """The value of a section; None where there is none, or an empty one."""
        return self.top.get(name)

    def key(self, name: str) -> Piece | None:
        """The name of a section where it stands."""
        return next((key for key, _ in self.top.pairs if key.text == name), None)

    @cached_property
    def entries(self) -> tuple[Entry, ...]:
        """The entries of ``edges:``."""
        section = self.section("edges")
        parts = [] if section is None else section.parts
        return tuple(self._entry(number, piece) for number, piece in enumerate(parts))

    def _entry(self, number: int, piece: Piece) -> Entry:
        if piece.is_mapping:
            links = piece.pairs[0][0]
            return Entry(number, piece, links, Chain.read(links.text or ""), "")
        whole = piece.text or ""
        links_text, kind = split_kind(whole)
        behind = "" if kind is None else f": {kind}"
        return Entry(number, piece, piece, Chain.read(links_text), behind)

    def with_chains(self, entry: Entry, chains: Sequence[Chain]) -> Iterator[Change]:
        """The entry draws other chains: the first in its place, the others behind it."""
        section = self.section("edges")
        if section is None or not chains or chains == (entry.chain,):
            return
        first, *others = chains
        words = f"{first}{entry.kind}"
        yield rewritten(entry.links, words, in_brackets=section.in_brackets)
        for chain in others:
            letters = entry.letters(self.text, chain, in_brackets=section.in_brackets)
            yield put_behind(self.text, section, entry.number, letters)

    def without(self, section: str, numbers: Iterable[int]) -> list[Change]:
        """Entries of a section go."""
        holder, gone = self.section(section), list(numbers)
        return (
            []
            if holder is None or not gone
            else taken_out(self.text, holder, gone, self.key(section))
        )

    def with_entry(self, section: str, letters: str, before: Sequence[str] = ()) -> Change:
        """An entry behind the others of a section; where there is none, the section begins.

        Args:
            section: its name.
            letters: the entry: that of a mapping ``key: value``, that of a list without its dash.
            before: sections that a new one stands in front of.
        """
        holder = self.section(section)
        if holder is not None:
            return put_behind(self.text, holder, len(holder.entries()) - 1, letters)
        dash = "" if section in ("nodes", "layout") else "- "
        empty = next(((k, v) for k, v in self.top.pairs if k.text == section), None)
        if empty is not None:
            return Change(empty[0].end, empty[0].end + 1, f":\n  {dash}{letters}")
        return self.with_section(f"{section}:\n  {dash}{letters}", before)

    def with_section(self, letters: str, before: Sequence[str]) -> Change:
        """A section in front of the first that is there of some, else at the end."""
        later = [key.start for key, _ in self.top.pairs if key.text in before]
        if later:
            return Change(min(later), min(later), f"{letters}\n")
        end = len(self.text)
        start = "" if not self.text or self.text.endswith("\n") else "\n"
        return Change(end, end, f"{start}{letters}\n")

    def entry_letters(self, links: str, kind: str) -> str:
        """A new entry of ``edges:``, as its section is written."""
        section = self.section("edges")
        if section is not None and section.in_brackets:
            return flow(f"{links}: {kind}" if kind else links)
        return f"{scalar(links)}: {kind}" if kind else scalar(links)
