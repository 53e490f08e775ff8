"""The nets that the image benchmarks judge: trained by one command, stopped and resumed at will.

    python -m benchmarks.nets --device cuda --minutes 8 --jobs 8 --out nets/

Every net is a graph file, a data set, options and a number of steps; it becomes NAME.safetensors
beside its log NAME.jsonl. With --minutes the steps are set to what the machine does in that time
(all nets at once, if there are as many jobs); the log's first line says how many they were.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

__all__ = ["NETS", "Net"]

PARTIAL_ROWS = 5_000
PARTIAL_SHARE = 0.2
CONFOUNDING = 0.99
TRIAL = 150
NOT_MEASURED = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Net:
    """One net.

    Attributes:
        about: what it is for.
        graph: the graph it models.
        data: its training data.
        image: options of its image node.
        steps: gradient steps, where no time is given.
        batch: rows a step.
    """

    about: str
    graph: Callable[[], Any]
    data: Callable[[], Any]
    image: dict[str, Any] = field(default_factory=dict)
    steps: int = 20_000
    batch: int = 256


def _graph(name: str, **kinds: str) -> Callable[[], Any]:
    """A graph file; ``kinds`` replaces what edges into the image compile to."""

    def made() -> Any:
        import causalflow as cf
        from causalflow.data.graphs import graph_path

        graph = cf.load(graph_path(name))
        if not kinds:
            return graph
        edges = [
            f"{edge.source} -> {edge.target}: {kinds[edge.source]}"
            if edge.target == "image" and edge.source in kinds
            else edge
            for edge in graph.edges
        ]
        shared = [f"{first} <-> {second}" for first, second in graph.bidirected]
        return cf.Graph(nodes=graph.nodes, edges=[*edges, *shared], name=graph.name)

    return made


def _bar(kind: str, **options: Any) -> Callable[[], Any]:
    def drawn() -> Any:
        from causalflow.data.bar_mnist import bar_mnist

        return bar_mnist(kind, size=28, **options)

    return drawn


def _morpho(rows: int | None = None, share: float = 1.0, only: bool = False) -> Callable[[], Any]:
    """MorphoMNIST; of the first ``rows``, labels in a ``share``, and ``only`` those rows."""

    def drawn() -> Any:
        import numpy as np

        from causalflow.data.morpho_mnist import morpho_mnist
        from causalflow.data.partial import hide_labels

        columns = morpho_mnist("train").columns
        if rows is None:
            return columns
        columns = {name: column[:rows] for name, column in columns.items()}
        hidden = hide_labels(columns, share) if share < 1 else columns
        if not only:
            return hidden
        kept = np.asarray(hidden["digit"]) >= 0
        return {name: column[kept] for name, column in columns.items()}

    return drawn


_FREE = {"null_rate": 0.1}
NETS = {
    "morpho": Net(
        about="MorphoMNIST, semantic code",
        graph=_graph("morpho_mnist"),
        data=_morpho(),
    ),
    "morpho_plain": Net(
        about="MorphoMNIST, without a code",
        graph=_graph("morpho_mnist"),
        data=_morpho(),
        image={"code": 0},
    ),
    "bar": Net(
        about="Bar-MNIST front door, semantic code kept independent of the parents",
        graph=_graph("bar_mnist_frontdoor"),
        data=_bar("frontdoor"),
        image={"code": 32, "code_independence": 10.0},
    ),
    "bar_plain": Net(
        about="Bar-MNIST front door, without a code",
        graph=_graph("bar_mnist_frontdoor"),
        data=_bar("frontdoor"),
        image={"code": 0},
    ),
    "bar_papers": Net(
        about="Bar-MNIST front door as in Diff-SCM: noise prediction, linear schedule, no code",
        graph=_graph("bar_mnist_frontdoor"),
        data=_bar("frontdoor"),
        image={"code": 0, "path": "linear-1000", "prediction": "noise", "weighting": "noise"},
    ),
    "bar_neural": Net(
        about="Bar-MNIST front door, every edge neural, nulls trained, semantic code",
        graph=_graph("bar_mnist_frontdoor", color="neural"),
        data=_bar("frontdoor"),
        image=_FREE,
    ),
    "confounded_naive": Net(
        about="99 % confounded, anti-causal colour, nothing re-weighted",
        graph=_graph("bar_mnist_backdoor"),
        data=_bar("backdoor", confounding=CONFOUNDING),
        image={"reweighted": False, "code": 0},
    ),
    "confounded_reweighted": Net(
        about="99 % confounded, anti-causal colour, re-weighted",
        graph=_graph("bar_mnist_backdoor"),
        data=_bar("backdoor", confounding=CONFOUNDING),
    ),
    "confounded_neural": Net(
        about="99 % confounded, every edge neural, nulls trained",
        graph=_graph("bar_mnist_backdoor", color="neural"),
        data=_bar("backdoor", confounding=CONFOUNDING),
        image=_FREE,
    ),
    "labels_all": Net(
        about="MorphoMNIST, 5,000 rows, all labelled",
        graph=_graph("morpho_mnist"),
        data=_morpho(PARTIAL_ROWS),
        steps=8_000,
    ),
    "labels_fifth": Net(
        about="MorphoMNIST, the same rows, labels of 1,000 of them",
        graph=_graph("morpho_mnist"),
        data=_morpho(PARTIAL_ROWS, PARTIAL_SHARE),
        steps=8_000,
    ),
    "labels_fifth_only": Net(
        about="MorphoMNIST, those 1,000 rows alone",
        graph=_graph("morpho_mnist"),
        data=_morpho(PARTIAL_ROWS, PARTIAL_SHARE, only=True),
        steps=8_000,
    ),
}


def train(name: str, out: Path, *, width: int, minutes: float | None, **options: Any) -> None:
    """Fit one net, or go on with one that was stopped, and save it."""
    import torch

    import causalflow as cf

    net = NETS[name]
    torch.set_float32_matmul_precision("high")
    graph, data = net.graph(), net.data()
    image = cf.Diffusion(**{"width": width, **net.image})
    settings = {"batch_size": net.batch, "log_every": 200, "steps": net.steps, **options}
    if minutes is not None:
        settings["steps"] = _steps(graph, image, data, 60 * minutes, settings)
    model = cf.compile(graph, image=image)
    files = {"checkpoint": out / f"{name}.resume.safetensors", "log": out / f"{name}.jsonl"}
    report = model.fit(data, **files, **settings)
    model.save(out / f"{name}.safetensors")
    click.echo(f"{name}: {report.steps} steps, {report.images} images, {report.seconds:.0f} s")


def _steps(graph: Any, image: Any, data: Any, seconds: float, settings: dict[str, Any]) -> int:
    """How many steps the time allows, by a trial that is thrown away."""
    import causalflow as cf

    begun, times = time.monotonic(), []
    for count in (NOT_MEASURED, TRIAL):
        start = time.monotonic()
        model = cf.compile(graph, image=image)
        model.fit(data, **{**settings, "steps": count, "progress": False})
        times.append(time.monotonic() - start)
    per_step = (times[1] - times[0]) / (TRIAL - NOT_MEASURED)
    left = seconds - (time.monotonic() - begun) - times[0]
    return max(TRIAL, int(left / max(per_step, 1e-3)))


@click.command(help=__doc__, context_settings={"max_content_width": 100})
@click.argument("names", nargs=-1, type=click.Choice(list(NETS)))
@click.option("--out", type=click.Path(path_type=Path), default=Path("nets"), show_default=True)
@click.option("--device", default="auto", show_default=True)
@click.option("--precision", default="auto", show_default=True)
@click.option("--width", default=32, show_default=True, help="Channels of the first level.")
@click.option("--minutes", type=float, help="Time for every net, in place of its steps.")
@click.option("--steps", type=int, help="Steps of every net.")
@click.option("--jobs", default=1, show_default=True, help="Nets trained at once.")
def main(
    names: tuple[str, ...],
    out: Path,
    device: str,
    precision: str,
    width: int,
    minutes: float | None,
    steps: int | None,
    jobs: int,
) -> None:
    """Train the nets named, or all."""
    out.mkdir(parents=True, exist_ok=True)
    chosen = list(names or NETS)
    if len(chosen) == 1:
        options: dict[str, Any] = {"device": device, "precision": precision}
        if steps is not None:
            options["steps"] = steps
        train(chosen[0], out, width=width, minutes=minutes, **options)
        return
    base = [sys.executable, "-m", "benchmarks.nets", "--out", str(out), "--device", device]
    base += ["--precision", precision, "--width", str(width)]
    base += ["--minutes", str(minutes)] if minutes is not None else []
    base += ["--steps", str(steps)] if steps is not None else []
    _together([[*base, name] for name in chosen], jobs)


def _together(commands: list[list[str]], jobs: int) -> None:
    """Run the commands, so many at once; a failure is reported when all are done."""
    waiting, running, failed = list(commands), [], []
    while waiting or running:
        while waiting and len(running) < jobs:
            running.append((waiting[0][-1], subprocess.Popen(waiting.pop(0))))
        for name, process in [*running]:
            if process.poll() is not None:
                running.remove((name, process))
                failed += [name] if process.returncode else []
        time.sleep(0.5)
    if failed:
        raise SystemExit(f"failed: {json.dumps(failed)}")


if __name__ == "__main__":
    main()
