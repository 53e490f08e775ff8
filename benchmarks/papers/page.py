"""Page: docs/results.md, and of each table a file with all its rows and notes.

A table stands on the page under its verdict, a sentence computed from the table's own numbers (each
system's verdicts.py); its command and a link to its file stand below. What else experiment.yaml may
say of a table:

    folded    true: the rows are in the file alone; without a plot, a line stands at the end
    only      head of a column: the entries whose rows the page shows
    plot      a picture in docs, and what it shows
    caption   what has to be known to read the table, on the page
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.folders import DOCS
from benchmarks.grids import GRIDS, grid_path
from benchmarks.markdown import markdown
from benchmarks.papers.cells import Found
from benchmarks.papers.experiment import SYSTEMS, declared, read_tables
from benchmarks.scenes.report import section
from causalflow.files import whole_file

HEAD = """\
# Results: the papers' experiments, and ours beside them

Four papers, each with its question, what was run here, and what came out. A verdict, computed from
the table below it, comes first; sweeps are plots. Below each table stand the command that makes
it, the machine, and a file with all its rows and notes, in `benchmarks/results/papers`.
`python -m benchmarks.papers --again` makes all of it anew, with the nets that ship and others
trained first; without `--again` a run that was stopped goes on. All numbers are of CPUs.

"paper" is what the paper prints; a dash: it prints nothing. Parentheses are central 95 %
intervals. Settings were chosen on validation pictures, but for the best scales of the balanced
tables, which are of the test pictures themselves, in favour of every way alike. The nets are
small: trained on two CPU cores, or in a part of an hour of one GPU.
"""
ROWS_HEAD = """\
## Rows: tables of numbers and classes

Each page says how it was measured, by which command, and what does not hold.
"""
TOLD_OF_ROWS = {
    "Tables fitted to rows, beside pgmpy": (
        "fitted",
        "the parameters of maximum likelihood, and P(d | ten symptoms) exactly, with its time",
    ),
    "Counterfactuals of fitted tables": (
        "tabular",
        "beside DoWhy gcm and causal normalizing flows,"
        " on models whose counterfactuals are known; columns of"
        " every kind against fresh rows",
    ),
    "Rows with empty cells": (
        "gaps",
        "the error beside that of full rows, and beside the least that there can be",
    ),
    "Effects from rows": (
        "effects",
        "beside EconML and DoWhy: bias, and how often a 95 % interval holds the truth",
    ),
    "How sure a person's counterfactual is": (
        "individuals",
        "how often its range holds the true one",
    ),
    "Many rows": ("million", "a fit from a file, its seconds and its memory"),
}
"""Page -> its file in the results, and what it tells."""
GRID_HEAD = """\
## What the shipped models draw, as they come

Each grid: a row of factual pictures, and what they would have been, at the defaults of the graph
and its checkpoint, nothing chosen and nothing left out. `python -m benchmarks.grids` draws them.
Factual digits are drawn by models that ship (none of MNIST's lies here); the pendulum and
the circuit are rendered. Where the true counterfactuals are known they stand below ours.
"""


def write_page(results: Path, page: Path) -> None:
    """Write the page, and beside each table of ``results`` its file, NAME.md."""
    link = os.path.relpath(results, page.parent)
    parts = [HEAD]
    for system in SYSTEMS:
        words = declared(system)
        parts += [f"## {words['about']}\n", words["introduction"].strip() + "\n"]
        found = read_tables(results, system, words.get("order", [*words["tables"]]))
        also = [name for name in found if _in_file_alone(words["tables"][name])]
        parts += ["\n".join(_on_page(system, n, found[n], link)) for n in found if n not in also]
        lines = ["*Also measured*, with the rows in a file:", ""]
        lines += [f"- {line}" for n in also for line in _in_a_line(system, n, found[n], link)]
        parts.append("\n".join([*lines, ""]) if also else "")
        for name, each in found.items():
            _write(results / f"{name}.md", "\n".join(_in_full(system, name, each)))
    parts.append("\n".join(section(results.parent)))
    parts.append(ROWS_HEAD)
    for says, (file, what) in TOLD_OF_ROWS.items():
        parts.append(
            f"- [{says}]({os.path.relpath(results.parent, page.parent)}/{file}.md): {what}."
        )
    parts += ["", GRID_HEAD]
    for name, grid in GRIDS.items():
        parts.append(f"- {grid.says}. ![{name}]({grid_path(name).relative_to(DOCS)})")
    parts.append("")
    page.parent.mkdir(parents=True, exist_ok=True)
    _write(page, "\n".join(parts))


def verdict(system: str, name: str, found: Found) -> str:
    """What a table says, in a sentence or two."""
    said: str = importlib.import_module(f"benchmarks.papers.{system}.verdicts").VERDICTS[name](
        found
    )
    return said


def _in_file_alone(words: Mapping[str, Any]) -> bool:
    return bool(words.get("folded")) and "plot" not in words


def _in_a_line(system: str, name: str, found: Found, link: str) -> Iterator[str]:
    """A table of which the page has neither rows nor plot."""
    said = f"**{found['title']}.** {verdict(system, name, found)} {_made(found)}"
    yield f"{said} [The table]({link}/{name}.md)"


def _on_page(system: str, name: str, found: Found, link: str) -> Iterator[str]:
    """The lines of a table on the page."""
    words = declared(system)["tables"][name]
    yield from (f"**{found['title']}.** {verdict(system, name, found)}", "")
    if not words.get("folded"):
        yield from (*markdown(found["columns"], _shown(found, words.get("only", {}))), "")
    if plot := words.get("plot"):
        yield from (f"![{plot['shows']}]({plot['file']})", "")
    if caption := words.get("caption"):
        yield from (caption, "")
    what = "the table" if words.get("folded") else "all rows" if "only" in words else "notes"
    yield from (f"{_made(found)} [{what.capitalize()}]({link}/{name}.md)", "")


def _shown(found: Found, only: Mapping[str, Sequence[str]]) -> list[Sequence[Any]]:
    """The rows that the page shows."""
    wanted = [(found["columns"].index(head), entries) for head, entries in only.items()]
    return [row for row in found["rows"] if all(row[k] in entries for k, entries in wanted)]


def _in_full(system: str, name: str, found: Found) -> Iterator[str]:
    """The lines of a table's own file."""
    yield from (f"# {found['title']}", "", verdict(system, name, found), "")
    yield from (*markdown(found["columns"], found["rows"]), "")
    for note in found["notes"]:
        yield from (note, "")
    yield from (_made(found), "")


def _made(found: Found) -> str:
    about = found["machine"]
    place = f"{about['device']}, {about['processor']}, torch {about['torch']}"
    return f"`{found['command']}`: {found['seconds']:.0f} s on {place}."


def _write(path: Path, text: str) -> None:
    with whole_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
