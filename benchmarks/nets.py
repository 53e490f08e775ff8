"""The nets that the image benchmarks judge: trained by one command, stopped and resumed at will.

    python -m benchmarks.nets --device cuda --jobs 8 --out nets/

Every net is a graph file, a data set, options and a number of steps; it becomes NAME.safetensors
beside its log NAME.jsonl. A net that is stopped (SIGINT) is saved as far as it came, and the same
command goes on with it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import click

__all__ = ["NETS", "Net"]

PARTIAL_ROWS = 5_000
PARTIAL_SHARE = 0.2
CONFOUNDING = 0.99


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
    steps: int = 3_500
    batch: int = 256


def _graph(name: str, *, color: float | None = 0.0) -> Callable[[], Any]:
    """A graph file; with a ``color``, its edge into the image is anti-causal of that scale.

    Args:
        name: of the file.
        color: the scale; None: the edge is neural; 0: as the file has it.
    """

    def made() -> Any:
        import causalflow as cf
        from causalflow.data.graphs import graph_path
        from causalflow.graph.schema import Anticausal, Neural

        graph = cf.load(graph_path(name))
        if color == 0.0:
            return graph
        kind = Neural() if color is None else Anticausal(scale=color)
        edges = [
            replace(edge, kind=kind) if (edge.source, edge.target) == ("color", "image") else edge
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


def _mnist() -> Any:
    from causalflow.data.mnist import mnist

    return mnist().columns


def _grouped(name: str) -> Callable[[], Any]:
    def drawn() -> Any:
        from causalflow.data import grouped_mnist

        return getattr(grouped_mnist, name)()

    return drawn


_NULLS = {"null_rate": 0.1}
NETS = {
    "diff_scm_mnist": Net(
        about="Diff-SCM: MNIST, the digit anti-causal, noise prediction on the linear schedule",
        graph=_graph("diff_scm_mnist"),
        data=_mnist,
    ),
    "colored_mnist": Net(
        about="Balanced latent space: coloured MNIST, digit and color anti-causal",
        graph=_graph("colored_mnist"),
        data=_grouped("colored_mnist"),
    ),
    "masked_mnist": Net(
        about="Balanced latent space: masked MNIST, digit and color anti-causal",
        graph=_graph("masked_mnist"),
        data=_grouped("masked_mnist"),
    ),
    "morpho": Net(
        about="MorphoMNIST, semantic code",
        graph=_graph("morpho_mnist"),
        data=_morpho(),
        steps=6_000,
    ),
    "morpho_plain": Net(
        about="MorphoMNIST, without a code",
        graph=_graph("morpho_mnist"),
        data=_morpho(),
        image={"code": 0},
    ),
    "bar": Net(
        about="Bar-MNIST front door, every edge neural, semantic code",
        graph=_graph("bar_mnist_frontdoor", color=None),
        data=_bar("frontdoor"),
        steps=6_000,
    ),
    "bar_anticausal": Net(
        about="Bar-MNIST front door as the file has it: anti-causal colour, no code",
        graph=_graph("bar_mnist_frontdoor", color=1.0),
        data=_bar("frontdoor"),
        image={"code": 0},
    ),
    "bar_papers": Net(
        about="The same as in Diff-SCM: noise prediction on the linear schedule",
        graph=_graph("bar_mnist_frontdoor", color=1.0),
        data=_bar("frontdoor"),
        image={"code": 0, "path": "linear-1000", "prediction": "noise", "weighting": "noise"},
    ),
    "bar_nulls": Net(
        about="Bar-MNIST front door, every edge neural, parents hidden in training, no code",
        graph=_graph("bar_mnist_frontdoor", color=None),
        data=_bar("frontdoor"),
        image={"code": 0, **_NULLS},
    ),
    "confounded_naive": Net(
        about="99 % confounded, anti-causal colour, nothing re-weighted",
        graph=_graph("bar_mnist_backdoor", color=1.0),
        data=_bar("backdoor", confounding=CONFOUNDING),
        image={"reweighted": False, "code": 0},
        steps=2_800,
    ),
    "confounded_reweighted": Net(
        about="99 % confounded, anti-causal colour, re-weighted",
        graph=_graph("bar_mnist_backdoor", color=1.0),
        data=_bar("backdoor", confounding=CONFOUNDING),
        steps=2_800,
    ),
    "confounded_neural": Net(
        about="99 % confounded, every edge neural, nulls trained",
        graph=_graph("bar_mnist_backdoor", color=None),
        data=_bar("backdoor", confounding=CONFOUNDING),
        image={"code": 0, **_NULLS},
        steps=2_800,
    ),
    "labels_all": Net(
        about="MorphoMNIST, 5,000 rows, all labelled",
        graph=_graph("morpho_mnist"),
        data=_morpho(PARTIAL_ROWS),
        steps=2_500,
    ),
    "labels_fifth": Net(
        about="MorphoMNIST, the same rows, labels of 1,000 of them",
        graph=_graph("morpho_mnist"),
        data=_morpho(PARTIAL_ROWS, PARTIAL_SHARE),
        steps=2_500,
    ),
    "labels_fifth_only": Net(
        about="MorphoMNIST, those 1,000 rows alone",
        graph=_graph("morpho_mnist"),
        data=_morpho(PARTIAL_ROWS, PARTIAL_SHARE, only=True),
        steps=2_500,
    ),
}


def train(name: str, out: Path, *, width: int, **options: Any) -> None:
    """Fit one net, or go on with one that was stopped, and save it."""
    import torch

    import causalflow as cf
    from causalflow.training.fit import FitInterrupted

    net = NETS[name]
    torch.set_float32_matmul_precision("high")
    graph, data = net.graph(), net.data()
    image = cf.Diffusion(**{"width": width, **net.image})
    settings = {"batch_size": net.batch, "log_every": 200, "steps": net.steps, **options}
    model = cf.compile(graph, image=image)
    files = {"checkpoint": out / f"{name}.resume.safetensors", "log": out / f"{name}.jsonl"}
    try:
        report = model.fit(data, **files, **settings)
        click.echo(f"{name}: {report.steps} steps, {report.images} images, {report.seconds:.0f} s")
    except FitInterrupted as stopped:
        model.fitted |= frozenset(graph.nodes)
        click.echo(f"{name}: {stopped}")
    model.save(out / f"{name}.safetensors")


@click.command(help=__doc__, context_settings={"max_content_width": 100})
@click.argument("names", nargs=-1, type=click.Choice(list(NETS)))
@click.option("--out", type=click.Path(path_type=Path), default=Path("nets"), show_default=True)
@click.option("--device", default="auto", show_default=True)
@click.option("--precision", default="auto", show_default=True)
@click.option("--width", default=32, show_default=True, help="Channels of the first level.")
@click.option("--steps", type=int, help="Steps of every net.")
@click.option("--batch", type=int, help="Rows a step of every net.")
@click.option("--jobs", default=1, show_default=True, help="Nets trained at once.")
def main(
    names: tuple[str, ...],
    out: Path,
    device: str,
    precision: str,
    width: int,
    steps: int | None,
    batch: int | None,
    jobs: int,
) -> None:
    """Train the nets named, or all."""
    out.mkdir(parents=True, exist_ok=True)
    chosen = list(names or NETS)
    given = {"steps": steps, "batch_size": batch}
    if len(chosen) == 1:
        options: dict[str, Any] = {"device": device, "precision": precision}
        options |= {name: value for name, value in given.items() if value is not None}
        train(chosen[0], out, width=width, **options)
        return
    base = [sys.executable, "-m", "benchmarks.nets", "--out", str(out), "--device", device]
    base += ["--precision", precision, "--width", str(width)]
    base += ["--steps", str(steps)] if steps is not None else []
    base += ["--batch", str(batch)] if batch is not None else []
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
