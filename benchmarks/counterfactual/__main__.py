"""Counterfactual images, held against the truth: solvers, guidances, confounding, speed.

\b
    python -m benchmarks.nets --device cuda --jobs 8 --out nets/
    python -m benchmarks.counterfactual --nets nets/ --device cuda --minutes 9

\b
    main         every net by its default and by the papers' procedure: calls, seconds, composition,
                 reversibility, distance to the true picture, what was set, what was to stay
    others       the same of every other solver, number of steps and guidance, on fewer pictures
    table        both
    engine       ways of running the engine (portions, threads, channels last, compiled, bf16; on
                 CUDA recorded too), in turns, beside the device's limit: FLOP, reached, share
    speed        seconds of the default and of the papers' procedure, in turns
    confounding  do(color) on nets fitted where colour nearly tells the digit
    partial      nets fitted with all labels, a fifth of them, and the labelled fifth alone
    stream       10,000 pictures to disk, killed once and resumed, and the memory they take

Each part writes counterfactual_PART.json in --out after every row, so a run cut short keeps what
it has; then counterfactual.md and the plots are made of all such files there.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import click

from benchmarks.counterfactual.parts import PARTS
from benchmarks.counterfactual.plots import plots
from benchmarks.counterfactual.report import report
from benchmarks.counterfactual.run import Run
from benchmarks.folders import RESULTS
from causalflow.errors import CausalflowError

ORDER = ("main", "engine", "speed", "confounding", "partial", "stream", "others")


@click.command(help=__doc__, context_settings={"max_content_width": 100})
@click.option(
    "--nets",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("nets"),
    show_default=True,
    help="Folder of NAME.safetensors, as benchmarks.nets makes them; a missing one is passed over.",
)
@click.option(
    "--part", multiple=True, type=click.Choice(["table", *ORDER]), help="These parts alone."
)
@click.option("--only", multiple=True, help="These nets alone.")
@click.option("--device", default="cpu", show_default=True, help="cpu, cuda or mps.")
@click.option("--n", default=1000, show_default=True, help="Images of the main rows.")
@click.option("--few", default=200, show_default=True, help="Images of the other rows.")
@click.option(
    "--split",
    type=click.Choice(["test", "validation"]),
    default="test",
    show_default=True,
    help="Settings are compared on validation; what is printed is test.",
)
@click.option("--minutes", type=float, help="Begin nothing that would end later than this.")
@click.option("--graphs/--no-graphs", default=True, help="Record launches on CUDA (same numbers).")
@click.option("--quick", is_flag=True, help="A rehearsal: 8 images, 1000 steps become 30.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=RESULTS,
    show_default="benchmarks/results",
    help="Where results go.",
)
def main(part: tuple[str, ...], out: Path, **options: object) -> None:
    """Run the parts, most telling first."""
    chosen = [
        name
        for name in ORDER
        if not part or name in part or ("table" in part and name in ("main", "others"))
    ]
    out.mkdir(parents=True, exist_ok=True)
    run = Run(out=out, **options)  # type: ignore[arg-type]
    failed = [name for name in chosen if not _done(run, name)]
    (out / "counterfactual.md").write_text(report(out), encoding="utf-8")
    for path in plots(out):
        click.echo(f"wrote {path}")
    click.echo(report(out))
    if failed:
        raise SystemExit(f"benchmarks: failed: {', '.join(failed)}")


def _done(run: Run, name: str) -> bool:
    """Run a part; the others go on when it fails."""
    try:
        PARTS[name](run)
    except (RuntimeError, CausalflowError, subprocess.CalledProcessError) as error:
        click.echo(f"{name}: {type(error).__name__}: {error}", err=True)
        return False
    return True


if __name__ == "__main__":
    main()
