"""Few calls: settings of the solver `difference` chosen on validation pictures, and what they do.

\b
    python -m benchmarks.few search        the times and weights of every net, random tries
    python -m benchmarks.few measure       against leap-frog, paired, on 1000 test pictures

Every try, and every 200 pictures, are kept when they are done; the same command goes on.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

import causalflow as cf
from benchmarks.few.measure import measured
from benchmarks.few.report import MANY_NAME, report, summary
from benchmarks.few.search import GRAIN, MANY, chosen, options_of, search
from benchmarks.few.studies import STUDIES
from benchmarks.folders import RESULTS, ROOT
from benchmarks.machine import machine
from causalflow.files import whole_file

SETTINGS, TABLE = RESULTS / "few_settings.json", RESULTS / "few.json"
nets_option = click.option(
    "--nets",
    type=click.Path(path_type=Path, file_okay=False),
    default=ROOT / "checkpoints",
    show_default="checkpoints",
    help="Folder of the checkpoints.",
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
@click.option(
    "--work",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("few"),
    show_default=True,
    help="Folder of what is done so far.",
)
def measure_command(
    nets: Path, only: tuple[str, ...], calls: tuple[int, ...], n: int, work: Path
) -> None:
    """Measure every net, leap-frog first, and write the tables."""
    for net in only or STUDIES:
        model, grain = cf.Model.load(nets / f"{net}.safetensors"), GRAIN.get(net, 0.0)
        settings = {MANY_NAME: {**MANY, "grain": grain}}
        settings |= {f"{each} calls": options_of(chosen(SETTINGS, net, each)) for each in calls}
        columns = {}
        for name, options in settings.items():
            columns[name] = measured(model, net, name, options, n, "test", work)
            if len(columns) > 1:
                _write(net, summary(columns), settings, n)


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
