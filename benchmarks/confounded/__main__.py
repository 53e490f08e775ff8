"""Pictures with a hidden cause, against truth that is enumerated.

\b
    python -m benchmarks.confounded measure --work WORK   fits and measures; goes on when rerun
    python -m benchmarks.confounded report                the committed page
    python -m benchmarks.confounded draw --work WORK      counterfactual pictures beside the true
"""

from __future__ import annotations

import json
import time
import warnings
from pathlib import Path
from typing import Any

import click

import causalflow as cf
from benchmarks.confounded.measure import WAYS, fitted, measured
from benchmarks.confounded.pictures import draw
from benchmarks.confounded.questions import CASES
from benchmarks.confounded.report import page
from benchmarks.folders import RESULTS

KEPT = RESULTS / "confounded.jsonl"
kept_option = click.option(
    "--kept",
    type=click.Path(path_type=Path, dir_okay=False),
    default=KEPT,
    show_default="benchmarks/results/confounded.jsonl",
    help="A line a model; what stands there is not measured again.",
)


work_option = click.option(
    "--work",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("confounded"),
    show_default=True,
    help="Folder of fitted models.",
)


@click.group(help=__doc__)
def main() -> None:
    """The commands."""


@main.command()
@kept_option
@work_option
@click.option("--world", "worlds", multiple=True, type=click.Choice(list(CASES)))
@click.option("--way", "ways", multiple=True, type=click.Choice(list(WAYS)))
@click.option("--seed", "seeds", multiple=True, type=int, default=(0, 1), show_default=True)
@click.option("--steps", default=400, show_default=True, help="Gradient steps of each fit.")
def measure(
    kept: Path,
    work: Path,
    worlds: tuple[str, ...],
    ways: tuple[str, ...],
    seeds: tuple[int, ...],
    steps: int,
) -> None:
    """Fit every world with the hidden cause and without it, and hold both against the truth."""
    warnings.simplefilter("ignore", cf.CausalflowWarning)
    work.mkdir(parents=True, exist_ok=True)
    done = {_key(line) for line in lines(kept)}
    for seed in seeds:
        for kind in worlds or CASES:
            for way in ways or WAYS:
                key = {"world": kind, "way": way, "seed": seed, "steps": steps}
                if WAYS[way].get(kind) is None or _key(key) in done:
                    continue
                model, spent = fitted(kind, way, seed, steps, work)
                start = time.process_time()
                found = measured(model, kind, seed)
                seconds = {"fit_seconds": spent, "asked_seconds": time.process_time() - start}
                with kept.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(key | seconds | found) + "\n")
                click.echo(f"{kind}, {way}, seed {seed}: {spent:.0f} s")


@main.command("draw")
@work_option
@click.option("--world", "worlds", multiple=True, default=("frontdoor", "bar_mnist"))
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True)
def draw_command(work: Path, worlds: tuple[str, ...], out: Path) -> None:
    """Draw what the models of seed 0 in the folder make of test rows."""
    models = {}
    for path in sorted(work.glob("*-0-*.safetensors")):
        kind, way = path.stem.split("-")[:2]
        if kind in worlds:
            models[kind, way.replace("_", " ")] = cf.Model.load(path)
    draw(models, out)


@main.command()
@kept_option
def report(kept: Path) -> None:
    """Write the page beside the lines."""
    text = page(lines(kept))
    kept.with_suffix(".md").write_text(text, encoding="utf-8")
    click.echo(text)


def lines(kept: Path) -> list[dict[str, Any]]:
    """What was measured so far."""
    found = kept.read_text(encoding="utf-8").splitlines() if kept.exists() else []
    return [json.loads(line) for line in found]


def _key(line: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(line[name] for name in ("world", "way", "seed", "steps"))


if __name__ == "__main__":
    main()
