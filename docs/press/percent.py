"""Percent: a script in percent format, cell by cell, and the notebook page made of it.

``# %% [markdown]`` begins a cell of text, each line of which begins with ``# ``; ``# %%`` begins
one of code.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import nbformat.v4 as notebook

__all__ = ["Cell", "cells", "page"]

_MARK = re.compile(r"^# %%(?P<kind> \[markdown\])?.*$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A piece of a script.

    Args:
        prose: whether it is Markdown.
        text: its Markdown or code.
        line: the line of the script, from 1, where it begins.
        last: the line where it ends.
    """

    prose: bool
    text: str
    line: int
    last: int


def cells(script: str) -> list[Cell]:
    """The cells of a script; what stands before the first mark, if anything, is one of code."""
    lines = script.splitlines()
    starts = [0, *(at for at, line in enumerate(lines) if _MARK.match(line)), len(lines)]
    found = (_cell(lines, start, end) for start, end in pairwise(starts))
    return [cell for cell in found if cell.text]


def _cell(lines: Sequence[str], start: int, end: int) -> Cell:
    mark = _MARK.match(lines[start]) if start < end else None
    body = lines[start + bool(mark) : end]
    prose = bool(mark and mark["kind"])
    if prose:
        body = [line.removeprefix("#").removeprefix(" ") for line in body]
    return Cell(prose=prose, text="\n".join(body).strip("\n"), line=start + 1, last=end)


def page(script: Sequence[Cell], shown: Sequence[Sequence[dict[str, Any]]], note: str) -> str:
    """The notebook, as JSON, with what each cell showed below it.

    Args:
        script: the cells.
        shown: for each cell, its outputs as notebooks hold them.
        note: Markdown that stands below the title.
    """
    made: list[Any] = []
    for cell, outputs in zip(script, shown, strict=True):
        if cell.prose:
            made.append(notebook.new_markdown_cell(_with_note(cell.text, note, not made)))
        else:
            made.append(notebook.new_code_cell(cell.text, outputs=list(outputs)))
    for at, cell in enumerate(made):
        cell["id"] = f"cell-{at}"
    language = {"name": "python", "pygments_lexer": "ipython3"}
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    told = notebook.new_notebook(
        cells=made, metadata={"kernelspec": kernel, "language_info": language}
    )
    return str(notebook.writes(told))


def _with_note(text: str, note: str, first: bool) -> str:
    if not first or not note:
        return text
    title, _, rest = text.partition("\n")
    return f"{title}\n\n{note}\n{rest}"
