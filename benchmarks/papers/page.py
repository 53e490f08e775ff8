"""The page of results: docs/results.md, written from the tables that runs have left."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.papers.experiment import Experiment, Table, read_tables
from causalflow.files import whole_file

__all__ = ["write_page"]

HEAD = """\
# Results: the papers' experiments, and ours beside them

Every table is written by `python -m benchmarks.papers` from files in `benchmarks/results/papers`;
the command and the machine stand below each. Numbers in parentheses are central 95 % intervals
unless a table says otherwise. "paper" is what the paper prints; a dash: it prints nothing.
Settings come from validation images, but for the best scales in the balanced tables' verdicts,
which are of the test images themselves, and where a note says otherwise. The nets are small:
trained on two CPU cores, or in a part of an hour of one GPU.
`python -m benchmarks.papers --again --device cuda` makes every table anew, with the nets that ship
and others trained first; that has not been run on a GPU yet. A table that is there is kept without
--again.
"""


def write_page(experiments: Sequence[Experiment], results: Path, page: Path) -> None:
    """Write the page: an introduction and the tables of each system.

    The introduction is the docstring of the system's module, without its first line.
    """
    parts = [HEAD]
    for experiment in experiments:
        module = importlib.import_module(experiment.run.__module__)
        parts.append(f"## {experiment.about}\n")
        parts.append((module.__doc__ or "").partition("\n")[2].strip() + "\n")
        tables = read_tables(results, experiment.name, experiment.tables)
        parts += [_shown(found) for found in tables.values()]
    page.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(page) as temporary:
        temporary.write_text("\n".join(parts), encoding="utf-8")


def _shown(found: dict[str, Any]) -> str:
    table = Table(
        title=found["title"], columns=found["columns"], rows=found["rows"], notes=found["notes"]
    )
    about = found["machine"]
    place = f"{about['device']}, {about['processor']}, torch {about['torch']}"
    return f"{table.markdown()}\n`{found['command']}`: {found['seconds']:.0f} s on {place}.\n"
