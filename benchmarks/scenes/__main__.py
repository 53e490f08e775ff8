"""Scenes: pictures of 64 x 64 pixels against their true counterfactuals, by our way and others.

\b
    python -m benchmarks.scenes fit ball                     the image in a latent, by the defaults
    python -m benchmarks.scenes fit ball --method pixel      also: hvae, latent_half
    python -m benchmarks.scenes measure ball                 every way whose net is there
    python -m benchmarks.scenes report                       scenes.md and docs/results.md
    python -m benchmarks.scenes ship ball                    its net into checkpoints, 8 bits
    python -m benchmarks.scenes sizes                        rates and memory at 64, 128, 256 pixels
    python -m benchmarks.scenes hires                        256 pixels on one GPU, in minutes

A FAMILY is ball, phantom or face, or any data set of the catalogue that knows its counterfactuals.
What a stopped command has done is kept, and the same command goes on.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import click

from benchmarks.folders import RESULTS
from benchmarks.machine import machine
from benchmarks.nets import CHECKPOINTS
from benchmarks.papers.__main__ import PAGE, TABLES
from benchmarks.papers.page import write_page
from benchmarks.scenes.command import command
from benchmarks.scenes.fits import METHODS, fit
from benchmarks.scenes.high_resolution import main as hires
from benchmarks.scenes.judges import judges_of
from benchmarks.scenes.latent import round_trip
from benchmarks.scenes.measure import Measured, measured, shown_pictures
from benchmarks.scenes.report import report
from benchmarks.scenes.scene import FAMILIES, Scene, declared
from benchmarks.scenes.sizes import main as sizes
from benchmarks.scenes.summary import summary
from benchmarks.scenes.ways import WAYS, net_path
from causalflow.files import whole_file
from causalflow.model.model import Model
from causalflow.plot.images import image_grid, save_figure

SHIPPED_BITS = 8
SHOWN_WAYS = ("latent", "latent, no mask", "pixel", "HVAE")
nets_option = click.option(
    "--nets",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("nets"),
    show_default=True,
    help="Folder of the nets.",
)
out_option = click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=RESULTS,
    show_default="benchmarks/results",
    help="Folder of the results.",
)


@click.group(help=__doc__, context_settings={"max_content_width": 100})
def main() -> None:
    """The commands."""


@main.command("fit", help="Fit the net of a family.")
@click.argument("family")
@click.option("--method", type=click.Choice(list(METHODS)), default="latent", show_default=True)
@nets_option
@click.option(
    "--minutes",
    type=float,
    default=declared()["minutes"],
    show_default=True,
    help="CPU minutes of pixel and hvae.",
)
@click.option("--steps", type=int, help="Steps, in place of the method's own.")
def fit_command(family: str, method: str, nets: Path, minutes: float, steps: int | None) -> None:
    """Fit one net."""
    options = {} if steps is None else {"steps": steps}
    fit(family, method, nets, minutes=minutes, command=command(), **options)


@main.command("measure", help="Measure every way of a family whose net is there.")
@click.argument("family")
@nets_option
@out_option
@click.option("--n", default=declared()["test"], show_default=True, help="Test pictures.")
@click.option("--only", multiple=True, type=click.Choice(list(WAYS)), help="These ways alone.")
@click.option(
    "--work",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("runs/scenes"),
    show_default=True,
    help="Folder of what is done so far.",
)
def measure_command(
    family: str, nets: Path, out: Path, n: int, only: tuple[str, ...], work: Path
) -> None:
    """Write scenes_FAMILY.json and .png."""
    began = time.monotonic()
    scene, judges = Scene.draw(family, n, size=declared()["size"]), judges_of(family, work)
    found: dict[str, Measured] = {}
    for name, way in WAYS.items():
        path = net_path(nets, family, way.net)
        if name not in ("truth", "unchanged") and only and name not in only:
            continue
        if way.net and not path.exists():
            fitted_by = f"python -m benchmarks.scenes fit {family} --method {way.net}"
            click.echo(f"{family}, {name}: not run yet: {fitted_by}")
            continue
        found[name] = measured(name, scene, judges, path, work)
    about = summary(scene, found) | {
        "round_trip": _round_trip(scene, net_path(nets, family, "latent"))
    }
    about |= {"says": FAMILIES.get(family, {}).get("says", family), "n": n}
    about |= {"fits": _took(nets, family), "command": command(), "machine": machine()}
    _write(out / f"scenes_{family}.json", about | {"seconds": time.monotonic() - began})
    _draw(scene, found, out / f"scenes_{family}.png")


@main.command("report", help="Write scenes.md, and the section of docs/results.md.")
@out_option
def report_command(out: Path) -> None:
    """From the results there are."""
    with whole_file(out / "scenes.md") as part:
        part.write_text(report(out), encoding="utf-8")
    if out == RESULTS:
        write_page(TABLES, PAGE)


@main.command("ship", help="Write a family's net among the checkpoints, its weights in 8 bits.")
@click.argument("family")
@nets_option
def ship_command(family: str, nets: Path) -> None:
    """checkpoints/scene_FAMILY/model.safetensors and its log."""
    path, shipped = net_path(nets, family, "latent"), CHECKPOINTS / f"scene_{family}"
    Model.load(path).save_pretrained(shipped, bits=SHIPPED_BITS, license="mit")
    (shipped / "log.jsonl").write_bytes(path.with_suffix(".jsonl").read_bytes())


main.add_command(sizes)
main.add_command(hires)


def _took(nets: Path, family: str) -> dict[str, Any]:
    """What each net of a family took, by method."""
    files = {method: net_path(nets, family, method).with_suffix(".json") for method in METHODS}
    return {
        m: json.loads(path.read_text(encoding="utf-8"))
        for m, path in files.items()
        if path.exists()
    }


def _round_trip(scene: Scene, path: Path) -> float | None:
    return round_trip(path, scene.part(0, 50)) if path.exists() else None


def _draw(scene: Scene, found: dict[str, Measured], path: Path) -> None:
    """Factual, true and made pictures of the first rows under every intervention."""
    pictures = {name: shown_pictures(found[name]) for name in SHOWN_WAYS if name in found}
    truth = shown_pictures(found["truth"])
    rows = {"factual": scene.rows["image"][: len(next(iter(truth.values())))]}
    for do in scene.actions:
        rows[f"{do}, true"] = truth[do]
        rows |= {f"{do}, {name}": each[do] for name, each in pictures.items()}
    save_figure(image_grid(rows), path, dpi=60)


def _write(path: Path, found: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as part:
        part.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
