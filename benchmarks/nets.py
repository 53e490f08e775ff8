"""The nets that the image benchmarks judge: trained by one command, stopped and resumed at will.

    python -m benchmarks.nets --device cuda --jobs 8 --out nets/

Every net is a graph file, a data set, options and a number of steps, declared in nets.yaml; it
becomes NAME.safetensors beside its log NAME.jsonl. A net that is stopped (SIGINT) is saved as far
as it came, and the same command goes on with it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import click
from ruamel.yaml import YAML

CHECKPOINTS = Path(__file__).resolve().parents[1] / "checkpoints"
SHIPPED = {
    "morpho": "morpho_mnist",
    "bar": "bar_mnist_frontdoor_neural",
    "causal_diffae_pendulum_parts": "pendulum_parts",
}
PENDULUM_SIZE = CIRCUIT_SIZE = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Net:
    """One net, as nets.yaml declares it; its head says what each entry is."""

    about: str
    graph: Any
    data: dict[str, Any]
    image: dict[str, Any] = field(default_factory=dict)
    latent: dict[str, Any] | None = None
    start: str | None = None
    steps: int = 3_500
    batch: int = 256
    rate: float = 1e-3
    labels: int = 0

    def declaration(self) -> Any:
        """The graph that it models."""
        import causalflow as cf
        from causalflow.graph.node import Anticausal, Neural
        from causalflow.shipped import at_size, graph_path

        named = isinstance(self.graph, str)
        given: dict[str, Any] = {"file": self.graph} if named else self.graph
        graph = cf.load(graph_path(given["file"]))
        graph = at_size(graph, given["size"]) if "size" in given else graph
        if (color := given.get("color")) is not None:
            graph = _colored(graph, Neural() if color == "neural" else Anticausal(scale=color))
        return graph if self.latent is None else _in_latent(graph, cf.Latent(**self.latent))

    def rows(self) -> Any:
        """Its training data."""
        import numpy as np

        import causalflow as cf

        given = dict(self.data)
        name, take, only = given.pop("set"), given.pop("take", "columns"), given.pop("only", False)
        share = given.pop("labelled", None)
        columns = getattr(getattr(cf.data, name)(**given), take)
        if share is None:
            return columns
        hidden = cf.data.hide_labels(columns, share)
        if not only:
            return hidden
        kept = np.asarray(hidden["digit"]) >= 0
        return {name: column[kept] for name, column in columns.items()}

    def options(self, graph: Any, **given: Any) -> dict[str, Any]:
        """The options of each image node: those of the graph file, but for what is given."""
        from causalflow.graph.node import Image

        nodes = {name: node for name, node in graph.nodes.items() if isinstance(node, Image)}
        own = {k: tuple(v) if isinstance(v, list) else v for k, v in self.image.items()}
        return {name: replace(node.diffusion, **{**given, **own}) for name, node in nodes.items()}


def _colored(graph: Any, kind: Any) -> Any:
    """The graph, its edge from the color into the image made something else."""
    import causalflow as cf

    edges = [
        replace(edge, kind=kind) if (edge.source, edge.target) == ("color", "image") else edge
        for edge in graph.edges
    ]
    shared = [f"{first} <-> {second}" for first, second in graph.bidirected]
    return cf.Graph(nodes=graph.nodes, edges=[*edges, *shared], name=graph.name)


def _in_latent(graph: Any, latent: Any) -> Any:
    """The graph, its images in a latent."""
    from causalflow.graph.node import images_of

    images = images_of(graph.nodes)
    return graph.with_nodes({name: replace(node, latent=latent) for name, node in images.items()})


NETS = {
    name: Net(**given)
    for name, given in YAML(typ="safe").load(Path(__file__).with_suffix(".yaml")).items()
}


def net_path(folder: Path, name: str) -> Path:
    """The file of a net: NAME.safetensors; of one that ships, in the folder of its graph's name."""
    shipped = folder / SHIPPED.get(name, name) / "model.safetensors"
    return shipped if shipped.exists() else folder / f"{name}.safetensors"


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
    return int(NETS[name].declaration().nodes["image"].shape[-1])


def train(name: str, out: Path, *, width: int | None, **options: Any) -> None:
    """Fit one net, or go on with one that was stopped, and save it."""
    import torch

    import causalflow as cf
    from causalflow.training.fit import FitInterrupted

    net = NETS[name]
    torch.set_float32_matmul_precision("high")
    graph, data = net.declaration(), net.rows()
    images = net.options(graph, **({} if width is None else {"width": width}))
    settings: dict[str, Any] = {"batch_size": net.batch, "steps": net.steps}
    settings |= {"learning_rate": net.rate, "log_every": 200, **options}
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
