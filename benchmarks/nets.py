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

__all__ = ["CHECKPOINTS", "NETS", "Net", "image_size", "net_path"]

PARTIAL_ROWS = 2_000
PARTIAL_SHARE = 0.2
CONFOUNDING = 0.99
CHECKPOINTS = Path(__file__).resolve().parents[1] / "checkpoints"
SHIPPED = {
    "morpho": "morpho_mnist",
    "bar": "bar_mnist_frontdoor_neural",
    "causal_diffae_pendulum_parts": "pendulum_parts",
}
SMALL = 16
PENDULUM_SIZE = 32
CIRCUIT_SIZE = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Net:
    """One net.

    Attributes:
        about: what it is for.
        graph: the graph it models.
        data: its training data.
        image: options of its image node.
        start: the net whose weights it begins with, where names and shapes agree.
        steps: gradient steps.
        batch: rows a step.
        rate: the highest learning rate.
        labels: steps, of 256 rows, that all nodes but the image are fitted by themselves for,
            after the image; in steps of their own they are not held back by the image's gradient.
    """

    about: str
    graph: Callable[[], Any]
    data: Callable[[], Any]
    image: dict[str, Any] = field(default_factory=dict)
    start: str | None = None
    steps: int = 3_500
    batch: int = 256
    rate: float = 1e-3
    labels: int = 0


def _graph(name: str, *, color: float | None = 0.0, size: int | None = None) -> Callable[[], Any]:
    """A graph file; with a ``color``, its edge into the image is anti-causal of that scale.

    Args:
        name: of the file.
        color: the scale; None: the edge is neural; 0: as the file has it.
        size: height and width of the image; None: as the file has it.
    """

    def made() -> Any:
        import causalflow as cf
        from causalflow.data.shipped import at_size, graph_path
        from causalflow.graph.node import Anticausal, Neural

        graph = cf.load(graph_path(name))
        graph = graph if size is None else at_size(graph, size)
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


def _bar(kind: str, size: int = 28, **options: Any) -> Callable[[], Any]:
    def drawn() -> Any:
        from causalflow.data.sets.bar_mnist import bar_mnist

        return bar_mnist(kind, size=size, source="mnist", **options)

    return drawn


def _morpho() -> Any:
    from causalflow.data.sets.morpho_mnist import morpho_mnist

    return morpho_mnist("train").columns


def _partial(share: float = 1.0, only: bool = False) -> Callable[[], Any]:
    """Small Bar-MNIST with labels in a ``share`` of the rows, and ``only`` those rows."""

    def drawn() -> Any:
        import numpy as np

        from causalflow.data.frame import hide_labels
        from causalflow.data.sets.bar_mnist import bar_mnist

        data = bar_mnist("frontdoor", size=SMALL, n=PARTIAL_ROWS, source="mnist")
        hidden = hide_labels(data.columns, share)
        if not only:
            return hidden
        kept = np.asarray(hidden["digit"]) >= 0
        return {name: column[kept] for name, column in data.columns.items()}

    return drawn


def _mnist() -> Any:
    from causalflow.data.sets.digits import mnist

    return mnist().columns


def _pendulum_parts() -> Any:
    from causalflow.data.sets.pendulum import pendulum

    return pendulum("train", PENDULUM_SIZE).parts


def _pendulum() -> Any:
    from causalflow.data.sets.pendulum import pendulum

    return pendulum("train", PENDULUM_SIZE).columns


def _circuit() -> Any:
    from causalflow.data.sets.causal_circuit import causal_circuit

    return causal_circuit("train", CIRCUIT_SIZE, synthetic=True).columns


def _grouped(name: str) -> Callable[[], Any]:
    def drawn() -> Any:
        from causalflow.data.sets import grouped_mnist

        return getattr(grouped_mnist, name)()

    return drawn


_NULLS = {"null_rate": 0.1}
_NARROW = {"width": 16, "code": 0}
_PARTS = {"width": 16}
_PENDULUM = {"width": 16, "multipliers": (1, 2, 4, 4), "predictor_width": 8}
NETS = {
    "diff_scm_mnist": Net(
        about="Diff-SCM: MNIST, the digit anti-causal, noise prediction on the linear schedule",
        graph=_graph("diff_scm_mnist"),
        data=_mnist,
        steps=2_000,
        batch=128,
    ),
    "diff_scm_velocity": Net(
        about="Diff-SCM in our form: the same graph, the velocity on the rectified path",
        graph=_graph("diff_scm_mnist"),
        data=_mnist,
        image={"path": "rectified", "prediction": "velocity", "weighting": "velocity"},
    ),
    "colored_mnist": Net(
        about="Balanced latent space: coloured MNIST, digit and color anti-causal",
        graph=_graph("colored_mnist"),
        data=_grouped("colored_mnist"),
        steps=1_800,
        batch=128,
    ),
    "masked_mnist": Net(
        about="Balanced latent space: masked MNIST, digit and color anti-causal",
        graph=_graph("masked_mnist"),
        data=_grouped("masked_mnist"),
        steps=1_800,
        batch=128,
    ),
    "causal_diffae_pendulum_labels": Net(
        about="Pendulum at 32 x 32, told the labels themselves",
        graph=_graph("pendulum", size=PENDULUM_SIZE),
        data=_pendulum,
        image={**_PENDULUM, "null_rate": 0.2},
        steps=2_600,
        batch=64,
        labels=3_000,
    ),
    "causal_diffae_pendulum": Net(
        about="CausalDiffAE: pendulum at 32 x 32, all labels by their representations",
        graph=_graph("causal_diffae_pendulum", size=PENDULUM_SIZE),
        data=_pendulum,
        image=_PENDULUM,
        start="causal_diffae_pendulum_labels",
        steps=1_500,
        batch=64,
        labels=3_000,
    ),
    "causal_diffae_pendulum_parts": Net(
        about="Pendulum at 32 x 32, its picture in three parts",
        graph=_graph("pendulum_parts"),
        data=_pendulum_parts,
        image=_PARTS,
        steps=2_200,
        batch=32,
        labels=3_000,
    ),
    "causal_diffae_circuit": Net(
        about="CausalDiffAE: look-alike of CausalCircuit at 32 x 32, labels by representations",
        graph=_graph("causal_diffae_circuit"),
        data=_circuit,
        steps=3_000,
        batch=32,
        labels=2_000,
    ),
    "morpho": Net(
        about="MorphoMNIST, semantic code",
        graph=_graph("morpho_mnist"),
        data=_morpho,
        steps=6_000,
    ),
    "morpho_settled": Net(
        about="The same, its learning rate brought down to 0; a code that tells less of the labels",
        graph=_graph("morpho_mnist"),
        data=_morpho,
        image={"code_independence": 1.0},
        start="morpho",
        steps=2_400,
        batch=128,
        rate=3e-4,
    ),
    "morpho_plain": Net(
        about="MorphoMNIST, without a code",
        graph=_graph("morpho_mnist"),
        data=_morpho,
        image={"code": 0},
    ),
    "causal_diffae_morpho": Net(
        about="CausalDiffAE: MorphoMNIST, thickness and intensity by their representations",
        graph=_graph("causal_diffae_morpho"),
        data=_morpho,
        start="morpho",
        steps=900,
        batch=64,
    ),
    "bar": Net(
        about="Bar-MNIST front door, every edge neural, semantic code",
        graph=_graph("bar_mnist_frontdoor", color=None),
        data=_bar("frontdoor"),
        steps=6_000,
    ),
    "bar_settled": Net(
        about="The same, gone on with under the even mixture of the data's and the mutilated law",
        graph=_graph("bar_mnist_frontdoor", color=None),
        data=_bar("frontdoor"),
        start="bar",
        steps=1_200,
        batch=128,
        rate=3e-4,
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
        graph=_graph("bar_mnist_backdoor", color=1.0, size=SMALL),
        data=_bar("backdoor", SMALL, confounding=CONFOUNDING),
        image={"reweighted": False, "code": 0},
        steps=2_000,
        batch=128,
    ),
    "confounded_reweighted": Net(
        about="99 % confounded, anti-causal colour, re-weighted",
        graph=_graph("bar_mnist_backdoor", color=1.0, size=SMALL),
        data=_bar("backdoor", SMALL, confounding=CONFOUNDING),
        steps=2_000,
        batch=128,
    ),
    "confounded_neural": Net(
        about="99 % confounded, every edge neural, nulls trained",
        graph=_graph("bar_mnist_backdoor", color=None, size=SMALL),
        data=_bar("backdoor", SMALL, confounding=CONFOUNDING),
        image={"code": 0, **_NULLS},
        steps=1_400,
        batch=128,
    ),
    "labels_all": Net(
        about="Bar-MNIST at 16 x 16, every edge neural, 2,000 rows, all labelled",
        graph=_graph("bar_mnist_frontdoor", color=None, size=SMALL),
        data=_partial(),
        image=_NARROW,
        steps=2_500,
        batch=64,
    ),
    "labels_fifth_only": Net(
        about="The 400 labelled rows alone",
        graph=_graph("bar_mnist_frontdoor", color=None, size=SMALL),
        data=_partial(PARTIAL_SHARE, only=True),
        image=_NARROW,
        steps=2_500,
        batch=64,
    ),
    "labels_fifth": Net(
        about="The 2,000 rows, labels of 400; missing ones hidden",
        graph=_graph("bar_mnist_frontdoor", color=None, size=SMALL),
        data=_partial(PARTIAL_SHARE),
        image=_NARROW,
        steps=2_500,
        batch=64,
    ),
    "labels_fifth_posterior": Net(
        about="The same; missing labels drawn from the predictor's posterior",
        graph=_graph("bar_mnist_frontdoor", color=None, size=SMALL),
        data=_partial(PARTIAL_SHARE),
        image={**_NARROW, "unlabelled": "posterior"},
        steps=2_500,
        batch=64,
    ),
}


def net_path(folder: Path, name: str) -> Path:
    """The file of a net: NAME.safetensors, or the name of its graph file where it ships."""
    shipped = folder / f"{SHIPPED.get(name, name)}.safetensors"
    return shipped if shipped.exists() else folder / f"{name}.safetensors"


def _options(graph: Any, given: dict[str, Any]) -> dict[str, Any]:
    """The options of each image node: those of the graph file, but for what is given."""
    from causalflow.graph.node import Image

    nodes = {name: node for name, node in graph.nodes.items() if isinstance(node, Image)}
    return {name: replace(node.diffusion, **given) for name, node in nodes.items()}


def _begin(model: Any, start: str, out: Path) -> None:
    """Take over the weights of another net, of this run or a shipped one, where they fit."""
    import causalflow as cf

    paths = [net_path(folder, start) for folder in (out, CHECKPOINTS)]
    path = next((path for path in paths if path.exists()), None)
    if path is None:
        click.echo(f"no net '{start}' to begin with in {out}; beginning anew")
        return
    weights, given = model.scm.state_dict(), cf.Model.load(path).scm.state_dict()
    fitting = {n: w for n, w in given.items() if n in weights and weights[n].shape == w.shape}
    model.scm.load_state_dict(weights | fitting)


def _fit_labels(model: Any, data: Any, steps: int, device: str) -> None:
    """Go on fitting all nodes but the images."""
    from causalflow.graph.node import Image

    labels = [name for name, node in model.graph.nodes.items() if not isinstance(node, Image)]
    model.fit(data, nodes=labels, steps=steps, device=device)


def image_size(name: str) -> int:
    """Height and width of the net's image."""
    return int(NETS[name].graph().nodes["image"].shape[-1])


def train(name: str, out: Path, *, width: int | None, **options: Any) -> None:
    """Fit one net, or go on with one that was stopped, and save it."""
    import torch

    import causalflow as cf
    from causalflow.training.fit import FitInterrupted

    net = NETS[name]
    torch.set_float32_matmul_precision("high")
    graph, data = net.graph(), net.data()
    given = {} if width is None else {"width": width}
    images = _options(graph, {**given, **net.image})
    settings: dict[str, Any] = {
        "batch_size": net.batch,
        "steps": net.steps,
        "learning_rate": net.rate,
    }
    settings |= {"log_every": 200, **options}
    model = cf.compile(graph, **images)
    if net.start is not None:
        _begin(model, net.start, out)
    files: dict[str, Any] = {
        "checkpoint": out / f"{name}.resume.safetensors",
        "log": out / f"{name}.jsonl",
    }
    try:
        report = model.fit(data, **files, **settings)
        click.echo(f"{name}: {report.steps} steps, {report.images} images, {report.seconds:.0f} s")
        if net.labels:
            _fit_labels(model, data, net.labels, settings.get("device", "auto"))
    except FitInterrupted as stopped:
        model.fitted |= frozenset(graph.nodes)
        click.echo(f"{name}: {stopped}")
    model.save(out / f"{name}.safetensors")


def _help() -> str:
    """What `--help` says: the head of this file, and what there is to train."""
    width = max(map(len, NETS))
    nets = "\n".join(f"    {name:{width}}  {net.about}" for name, net in NETS.items())
    return f"{__doc__}\n\b\nNets, by default all:\n{nets}"


@click.command(help=_help(), context_settings={"max_content_width": 120})
@click.argument("names", nargs=-1, type=click.Choice(list(NETS)), metavar="[NET]...")
@click.option("--out", type=click.Path(path_type=Path), default=Path("nets"), show_default=True)
@click.option("--device", default="auto", show_default=True)
@click.option("--precision", default="auto", show_default=True)
@click.option("--width", type=int, help="Channels of the first level; else the graph file's.")
@click.option("--steps", type=int, help="Steps of every net.")
@click.option("--batch", type=int, help="Rows a step of every net.")
@click.option("--jobs", default=1, show_default=True, help="Nets trained at once.")
def main(
    names: tuple[str, ...],
    out: Path,
    device: str,
    precision: str,
    width: int | None,
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
    base += ["--precision", precision]
    base += ["--width", str(width)] if width is not None else []
    base += ["--steps", str(steps)] if steps is not None else []
    base += ["--batch", str(batch)] if batch is not None else []
    _together([[*base, name] for name in chosen], jobs)


def _together(commands: list[list[str]], jobs: int) -> None:
    """Run the commands, so many at once; a failure is reported when all are done.

    A net that begins with another one waits for it.
    """
    running: list[tuple[str, subprocess.Popen[bytes]]] = []
    waiting, failed = list(commands), []
    while waiting or running:
        unfinished = {command[-1] for command in waiting} | {name for name, _ in running}
        ready = [command for command in waiting if NETS[command[-1]].start not in unfinished]
        for command in ready[: jobs - len(running)]:
            waiting.remove(command)
            running.append((command[-1], subprocess.Popen(command)))
        for name, process in [*running]:
            if process.poll() is not None:
                running.remove((name, process))
                failed += [name] if process.returncode else []
        time.sleep(0.5)
    if failed:
        raise SystemExit(f"failed: {json.dumps(failed)}")


if __name__ == "__main__":
    main()
