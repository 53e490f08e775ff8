"""A fit to a million rows of a file: CPU seconds, wall seconds and memory of the command.

python -m benchmarks.million                some ten minutes; writes results/million.md
python -m benchmarks.million --rows 5000 --rows 100000 --out results
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np

from benchmarks.folders import RESULTS
from benchmarks.machine import machine
from benchmarks.markdown import markdown
from causalflow.files import whole_file

COLUMNS, CLASSES, PARENTS = 20, (3, 7, 11, 15), 3
BATCH = 50_000
Columns = dict[str, np.ndarray[Any, Any]]
Row = dict[str, Any]
HEAD = """# A million rows

`python -m benchmarks.million`; {machine}

A graph of twenty nodes, each with up to three parents among those before it: sixteen numbers
(smooth functions of their parents, a third of them with noise whose scale depends on these, two of
them skewed) and four classes of three levels with class parents. Its rows are drawn from its law
and written as CSV; what is measured is the whole command

    causalflow fit graph.yaml --data rows.csv -o model.safetensors

at its defaults, from reading the file to the written model. Memory is the largest resident size of
the process. The machine has other work: read the CPU seconds, all threads together.
The command fits 5,000, 100,000 and 1,000,000 rows; what is not listed was not run to its end.
"""


def parents() -> dict[str, list[str]]:
    """The parents of every node; those of a class are classes."""
    rng, found = np.random.default_rng(0), dict[str, list[str]]()
    for k in range(COLUMNS):
        before = [j for j in range(k) if k not in CLASSES or j in CLASSES]
        chosen = list(rng.permutation(before)[: rng.integers(1, PARENTS + 1)]) if before else []
        found[f"x{k}"] = [f"x{j}" for j in sorted(chosen)]
    return found


def drawn(rows: int, rng: np.random.Generator) -> Columns:
    """Rows of the graph's law."""
    found: Columns = {}
    for k, (name, above) in enumerate(parents().items()):
        pull = sum((np.sin(found[p] + j) for j, p in enumerate(above)), np.zeros(rows))
        if k in CLASSES:
            found[name] = (rng.random(rows) + pull / 6 > 0.4).astype(int) + (rng.random(rows) > 0.7)
            continue
        scale = np.exp(pull / 2) if k % 3 == 0 else np.ones(rows)
        value = pull + scale * rng.normal(size=rows)
        found[name] = np.exp(value / 2) if k in (9, 18) else value
    return found


def graph() -> str:
    """The graph file."""
    lines = ["graph: million", "nodes:"]
    for k, name in enumerate(parents()):
        kind = "class, levels: 3" if k in CLASSES else "continuous"
        lines.append(f"  {name}: {{type: {kind}}}")
    edges = [f"  - {', '.join(above)} -> {name}" for name, above in parents().items() if above]
    return "\n".join([*lines, "edges:", *edges, ""])


def written(path: Path, rows: int) -> None:
    """The rows as CSV, a part at a time."""
    rng = np.random.default_rng(1)
    with path.open("w", encoding="utf-8") as file:
        file.write(",".join(parents()) + "\n")
        for start in range(0, rows, BATCH):
            part = drawn(min(BATCH, rows - start), rng)
            for line in zip(*(column.tolist() for column in part.values()), strict=True):
                file.write(",".join(f"{number:.6g}" for number in line) + "\n")


def measured(rows: int) -> Row:
    """What the command takes."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "graph.yaml").write_text(graph(), encoding="utf-8")
        written(place / "rows.csv", rows)
        size = (place / "rows.csv").stat().st_size
        command = [sys.executable, "-m", "causalflow", "fit", "graph.yaml", "--data", "rows.csv"]
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        subprocess.run([*command, "-o", "model.safetensors"], cwd=place, check=True)
        wall, after = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {
        "rows": rows,
        "file_mb": size / 1e6,
        "cpu_seconds": spent,
        "wall_seconds": wall,
        "peak_mb": after.ru_maxrss / 1024,
    }


def text(result: Row) -> str:
    """The page."""
    about = result["machine"]
    packages = ", ".join(f"{name} {number}" for name, number in about["packages"].items())
    where = f"{about['processor']}, {about['threads']} thread; Python {about['python']}, {packages}"
    heads = ["rows", "file, MB", "CPU seconds", "wall seconds", "largest memory, MB"]
    lines = [
        [f"{row['rows']:,}", *(f"{row[key]:,.0f}" for key in list(row)[1:])]
        for row in result["fits"]
    ]
    return "\n".join([HEAD.format(machine=where), *markdown(heads, lines), ""])


@click.command(context_settings={"max_content_width": 100})
@click.option("--rows", "-r", multiple=True, default=(5_000, 100_000, 1_000_000), show_default=True)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=RESULTS,
    show_default="benchmarks/results",
    help="Where million.json and million.md are written.",
)
def main(rows: Sequence[int], out: Path) -> None:
    """Fit the same graph to files of ever more rows."""
    result: Row = {"machine": machine(("torch", "pandas")), "fits": []}
    out.mkdir(parents=True, exist_ok=True)
    for count in sorted(rows):
        result["fits"].append(measured(count))
        pages = {"million.json": json.dumps(result, indent=1) + "\n", "million.md": text(result)}
        for name, page in pages.items():
            with whole_file(out / name) as part:
                part.write_text(page, encoding="utf-8")
        click.echo(result["fits"][-1])


if __name__ == "__main__":
    main()
