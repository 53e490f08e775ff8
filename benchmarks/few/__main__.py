"""Few calls: settings of the solver `difference` chosen on validation pictures, and what they do.

\b
    python -m benchmarks.few search        the times and weights of every net, random tries
    python -m benchmarks.few distill       four calls, learned from twelve: NET_4.safetensors
    python -m benchmarks.few measure       against leap-frog, paired, on 1000 test pictures, and
                                           what was distilled into the folder --work

Every try, and every 200 pictures, are kept when they are done, and a distillation every minute; the
same command goes on.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

import causalflow as cf
from benchmarks.counterfactual.tasks import bar_data
from benchmarks.few.measure import measured
from benchmarks.few.report import MANY_NAME, report, summary
from benchmarks.few.search import BEGIN, GRAIN, MANY, chosen, options_of, search
from benchmarks.few.studies import STUDIES
from benchmarks.folders import RESULTS, ROOT
from benchmarks.machine import machine
from benchmarks.nets import net_path
from causalflow.files import whole_file
from causalflow.training.options import DISTILL

SETTINGS, TABLE = RESULTS / "few_settings.json", RESULTS / "few.json"
DISTILLED = "4 calls, distilled"
TRAINING: dict[str, Callable[[], Any]] = {
    "morpho_mnist": lambda: cf.data.morpho_mnist("train"),
    "bar_mnist_frontdoor_neural": lambda: bar_data("train", "frontdoor"),
}
nets_option = click.option(
    "--nets",
    type=click.Path(path_type=Path, file_okay=False),
    default=ROOT / "checkpoints",
    show_default="checkpoints",
    help="Folder of the checkpoints.",
)
work_option = click.option(
    "--work",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("few"),
    show_default=True,
    help="Folder of what is done so far.",
)
only_option = click.option(
    "--only", multiple=True, type=click.Choice(list(STUDIES)), help="These nets alone."
)
calls_option = click.option(
    "--calls",
    multiple=True,
    type=int,
    default=(8, 10, 6, 12),
    show_default=True,
    help="Network calls.",
)


@click.group(help=__doc__)
def main() -> None:
    """The commands."""


@main.command("search", help="Choose times and weights on validation pictures.")
@nets_option
@only_option
@calls_option
@click.option("--tries", default=24, show_default=True, help="Tries of each.")
def search_command(nets: Path, only: tuple[str, ...], calls: tuple[int, ...], tries: int) -> None:
    """Bring every net's tries to that number."""
    for each in calls:
        for net in only or STUDIES:
            search(nets, SETTINGS, net, each, tries)


@main.command("measure", help="Measure them against leap-frog on test pictures.")
@nets_option
@only_option
@calls_option
@click.option("--n", default=1000, show_default=True, help="Test pictures of each net.")
@work_option
def measure_command(
    nets: Path, only: tuple[str, ...], calls: tuple[int, ...], n: int, work: Path
) -> None:
    """Measure every net, leap-frog first, and write the tables."""
    for net in only or STUDIES:
        model, grain = cf.Model.load(net_path(nets, net)), GRAIN.get(net, 0.0)
        settings = {MANY_NAME: {**MANY, "grain": grain}}
        for each in calls:
            if point := chosen(SETTINGS, net, each):
                settings[f"{each} calls"] = options_of(point)
            else:
                click.echo(f"{net}: no tries of {each} calls: python -m benchmarks.few search")
        models, path = dict.fromkeys(settings, model), _distilled(work, net)
        if path.exists():
            settings[DISTILLED], models[DISTILLED] = {}, cf.Model.load(path)
        columns = {}
        for name, options in settings.items():
            columns[name] = measured(models[name], net, name, options, n, "test", work)
            if len(columns) > 1:
                _write(net, summary(columns), settings, n)


@main.command("distill", help="Distill a net to four calls, by its training pictures.")
@nets_option
@click.option("--only", multiple=True, type=click.Choice(list(TRAINING)), help="These nets alone.")
@click.option("--steps", default=DISTILL.steps, show_default=True, help="Gradient steps.")
@click.option("--batch-size", default=DISTILL.batch_size, show_default=True, help="Rows a step.")
@work_option
def distill_command(
    nets: Path, only: tuple[str, ...], steps: int, batch_size: int, work: Path
) -> None:
    """Write NET_4.safetensors, and beside it the log."""
    for net in only or TRAINING:
        times, weights = BEGIN[12]
        path = _distilled(work, net)
        editor = cf.Model.load(net_path(nets, net)).distill(
            TRAINING[net](),
            calls=4,
            teacher=cf.Sampling(solver=cf.Difference(times=times, weights=weights)),
            steps=steps,
            batch_size=batch_size,
            device="cpu",
            checkpoint=path.with_suffix(".resume"),
            log=path.with_suffix(".jsonl"),
            log_every=10,
            progress=False,
        )
        editor.save(path)


def _distilled(work: Path, net: str) -> Path:
    return work / f"{net}_4.safetensors"


def _write(net: str, rows: dict[str, Any], settings: dict[str, Any], n: int) -> None:
    """A net's numbers among those of the others, and the tables of all."""
    found = json.loads(TABLE.read_text(encoding="utf-8")) if TABLE.exists() else {}
    found[net] = {"n": n, "machine": machine(), "settings": settings, "rows": rows}
    with whole_file(TABLE) as part:
        part.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    text = report({each: found[each]["rows"] for each in STUDIES if each in found})
    TABLE.with_suffix(".md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
