"""The experiments of the four papers: nets, tables, pictures, and the page of results.

\b
    python -m benchmarks.papers --device cuda      everything that is missing; the aim, not
                                                   measured: ten minutes on one H200
    python -m benchmarks.papers diff_scm --n 200   one system, small
    python -m benchmarks.papers --page             docs/results.md from the tables there are

Systems: diff_scm, balanced, causal_diffae, diffusion_ncm; by default all four.

What a stopped run has written stays: the same command goes on. A net that neither ships nor is in
--nets is trained first (`benchmarks.nets`), unless --no-train is given: then its tables are left
out.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click

from benchmarks.folders import DOCS, RESULTS
from benchmarks.papers.experiment import SYSTEMS, Run, declared, run_system
from benchmarks.papers.page import write_page

TABLES = RESULTS / "papers"
FOLDER = click.Path(path_type=Path, file_okay=False)
PAGE = DOCS / "results.md"


@click.command(help=__doc__, context_settings={"max_content_width": 100})
@click.argument("systems", nargs=-1)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=TABLES,
    show_default="benchmarks/results/papers",
    help="Folder of the tables, and of what is kept to make them.",
)
@click.option(
    "--nets",
    type=FOLDER,
    default=Path("nets"),
    show_default=True,
    help="Folder of the nets that do not ship.",
)
@click.option("--device", default="cpu", show_default=True, help="cpu, cuda or mps.")
@click.option("--n", default=1000, show_default=True, help="Images to be judged.")
@click.option("--few", default=100, show_default=True, help="Images of the slow procedures.")
@click.option(
    "--levels", default=1000, show_default=True, help="Steps each way where Yan et al. have 1000."
)
@click.option("--minutes", type=float, help="Begin nothing new after so many.")
@click.option("--jobs", default=1, show_default=True, help="Nets trained at once.")
@click.option("--steps", type=int, help="Steps of the nets that are trained.")
@click.option(
    "--train/--no-train", default=True, show_default=True, help="Whether nets are trained first."
)
@click.option("--again", is_flag=True, help="Make tables that are there already.")
@click.option("--page", is_flag=True, help="Only write the page.")
def main(
    systems: tuple[str, ...],
    out: Path,
    nets: Path,
    device: str,
    n: int,
    few: int,
    levels: int,
    minutes: float | None,
    jobs: int,
    steps: int | None,
    train: bool,
    again: bool,
    page: bool,
) -> None:
    """Run the systems named, or all."""
    for name in systems:
        if name not in SYSTEMS:
            raise click.UsageError(f"unknown system '{name}'; expected one of {sorted(SYSTEMS)}")
    if not page:
        command = " ".join(["python -m benchmarks.papers", *sys.argv[1:]])
        run = Run(
            out=out, nets=nets, device=device, n=n, few=few, levels=levels, minutes=minutes,
            again=again, command=command,
        )  # fmt: skip
        chosen = systems or SYSTEMS
        needed = [net for each in chosen for net in declared(each)["nets"]]
        missing = [net for net in needed if not run.has_net(net)]
        if train and missing:
            _train(missing, nets, device, jobs, steps)
        for each in chosen:
            click.echo(f"{each}: {declared(each)['about']}")
            run_system(each, run)
    write_page(out, PAGE)


def _train(names: list[str], nets: Path, device: str, jobs: int, steps: int | None) -> None:
    command = [sys.executable, "-m", "benchmarks.nets", *dict.fromkeys(names)]
    command += ["--out", str(nets), "--device", device, "--jobs", str(jobs)]
    command += ["--steps", str(steps)] if steps is not None else []
    subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
