"""Layout: the edit that says where nodes are drawn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from causalflow.edit.drawn import Drawn, require_known
from causalflow.edit.graph_text import GraphText
from causalflow.edit.source import Change
from causalflow.graph.writer import flow, point

__all__ = ["PlaceNodes"]


@dataclass(frozen=True, slots=True)
class PlaceNodes:
    """Nodes are drawn elsewhere; the others stay where they are.

    Attributes:
        positions: name -> (x, y), x to the right, y down, a hundred to the inch.
    """

    positions: Mapping[str, tuple[float, float]]

    def after(self, drawn: Drawn) -> Drawn:
        """What was drawn."""
        for name in self.positions:
            require_known(name, drawn)
        return drawn

    def changes(self, file: GraphText) -> Iterator[Change]:
        """Their entries of ``layout:``, behind the others where they had none."""
        section = file.section("layout")
        known = {} if section is None else {key.text: value for key, value in section.pairs}
        for name in self.positions.keys() & known.keys():
            yield Change(known[name].start, known[name].end, point(*self.positions[name]))
        new = [(n, each) for n, each in self.positions.items() if n not in known]
        rows = [f"{flow(name)}: {point(*centre)}" for name, centre in new]
        if section is None or section.in_brackets:
            between = "\n  " if section is None else ", "
            rows = [between.join(rows)] if rows else []
        for row in rows:
            yield file.with_entry("layout", row)
