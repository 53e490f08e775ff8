"""How often the ranges of `cf.individuals` hold the true counterfactual of a person.

    python -m benchmarks.individuals --sets 40 --out benchmarks/results/individuals

Each design draws a data set from a world that is known, fits a model with members, and asks of new
persons what they would have been under do(x = 1). Their truth is the world again, with their noise.
Told is the share of persons whose truth is inside of the 95 % interval (under the noise assumed),
and inside of the ends that hold whatever the noise; with standard errors over the data sets, as the
persons of one share its error. In *crossed* the noise acts the other way under do(), which no rows
can tell: there the interval must fail, and the other ends must not.

Every data set is a line of the .jsonl file, so that a run that is stopped goes on.
"""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

import causalflow as cf

Columns = dict[str, NDArray[np.float64]]
LEVEL, PERSONS, MEMBERS = 0.95, 20, 8
WHAT = ("interval", "any_noise")


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """A world: x has causes z; y = world(z, x, v), v its noise."""

    about: str
    noise: str
    world: Callable[[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]], Any]
    rows: int = 400


DESIGNS = {
    "linear": Design(
        about="y = 1 + 2 x + z + v",
        noise="linear",
        world=lambda z, x, v: 1 + 2 * x + z + v,
    ),
    "curved": Design(
        about="y = sin(2 x) + z^2 / 2 + v / 2",
        noise="auto",
        world=lambda z, x, v: np.sin(2 * x) + z**2 / 2 + v / 2,
    ),
    "uneven": Design(
        about="y = x + z + exp(x / 2) v / 2",
        noise="auto",
        world=lambda z, x, v: x + z + np.exp(x / 2) * v / 2,
    ),
    "crossed": Design(
        about="y = x + z + v, and - v at x = 1",
        noise="linear",
        world=lambda z, x, v: x + z + np.where(x == 1, -v, v),
    ),
}


def drawn(
    design: Design, generator: np.random.Generator, rows: int
) -> tuple[Columns, dict[str, Any]]:
    """Rows, and their truth under do(x = 1)."""
    z, u, v = generator.normal(size=(3, rows))
    x = z / 2 + u
    truth = {"y": design.world(z, np.ones(rows), v)}
    return {"z": z, "x": x, "y": design.world(z, x, v)}, truth


def graph(design: Design) -> cf.Graph:
    """z -> x -> y <- z."""
    nodes = {name: {"type": "continuous", "noise": design.noise} for name in ("z", "x", "y")}
    return cf.Graph(nodes=nodes, edges=["z -> x -> y", "z -> y"])


def measured(name: str, seed: int) -> dict[str, Any]:
    """One data set: the shares of persons inside, the width of the interval, CPU seconds."""
    design, generator = DESIGNS[name], np.random.default_rng(seed)
    rows, _ = drawn(design, generator, design.rows)
    persons, truth = drawn(design, generator, PERSONS)
    model, start = cf.compile(graph(design)), time.process_time()
    model.fit(rows, members=MEMBERS, progress=False)
    fitted = time.process_time()
    found = cf.individuals(model, persons, {"x": 1.0}, draws=400)["y"]
    line: dict[str, Any] = {"design": name, "seed": seed}
    for what in WHAT:
        low, high = getattr(found, what)[:, 0].T
        line[what] = float(((low <= truth["y"]) & (truth["y"] <= high)).mean())
        line[f"{what}_width"] = float(np.median(high - low))
    error = np.sqrt(np.mean((found.value[:, 0] - truth["y"]) ** 2))
    seconds = {"fit_seconds": fitted - start, "asked_seconds": time.process_time() - fitted}
    return {**line, "error": float(error), **seconds}


def table(lines: list[dict[str, Any]]) -> str:
    """The means over the data sets."""
    head = (
        "| design | world | noise | data sets | inside the interval | its width (median) "
        "| inside any noise | its width | error (root mean square) | CPU seconds, fit and ask |"
    )
    found = [head, "|---" * 10 + "|"]
    for name, design in DESIGNS.items():
        own = [line for line in lines if line["design"] == name]
        if not own:
            continue
        cells = [name, f"`{design.about}`", design.noise, str(len(own))]
        for what in WHAT:
            shares = np.array([line[what] for line in own])
            error = shares.std(ddof=1) / np.sqrt(len(own)) if len(own) > 1 else np.nan
            width = np.mean([line[f"{what}_width"] for line in own])
            cells += [f"{100 * shares.mean():.1f} % ± {100 * error:.1f}", f"{width:.2f}"]
        cells.append(f"{np.mean([line['error'] for line in own]):.3f}")
        seconds = (np.mean([line[key] for line in own]) for key in ("fit_seconds", "asked_seconds"))
        cells.append(", ".join(f"{each:.2f}" for each in seconds))
        found.append("| " + " | ".join(cells) + " |")
    return "\n".join(found)


@click.command()
@click.option("--sets", type=click.IntRange(1), default=40, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Without ending.")
def main(sets: int, out: Path) -> None:
    """Measure, go on where an earlier run stopped, and write the table."""
    warnings.simplefilter("ignore", cf.CausalflowWarning)
    log = out.with_suffix(".jsonl")
    lines = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    done = {(line["design"], line["seed"]) for line in lines}
    for seed in range(sets):
        for name in DESIGNS:
            if (name, seed) not in done:
                lines.append(measured(name, seed))
                with log.open("a") as file:
                    file.write(json.dumps(lines[-1]) + "\n")
    command = f"python -m benchmarks.individuals --sets {sets} --out {out}"
    about = f"{PERSONS} persons a data set, {MEMBERS} members, {LEVEL:.0%} ranges; `{command}`"
    out.with_suffix(".md").write_text(f"# Individuals\n\n{about}\n\n{table(lines)}\n")


if __name__ == "__main__":
    main()
