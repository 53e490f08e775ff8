"""What a model keeps of the rows it was fitted to, written into a file that lacks it.

    python -m benchmarks.experience checkpoints/morpho_mnist/model.safetensors

A model that was fitted before models kept the ranges of their rows (`causalflow.model.experience`)
is silent about do(thickness=50). Its rows are drawn again, as `benchmarks.nets` drew them, and what
they say is added to the file's metadata; no tensor is touched.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from benchmarks.nets import NETS, SHIPPED
from causalflow.checkpoint import load_state, save_state
from causalflow.data.frame import Frame
from causalflow.model.experience import experienced
from causalflow.model.model import Model
from causalflow.shipped import checkpoint_name


def add_experience(path: Path) -> None:
    """Write into a model file what its rows say; the file bears the name of its net."""
    nets = {shipped: net for net, shipped in SHIPPED.items()}
    net = NETS[nets.get(name := checkpoint_name(path), name)]
    model, state = Model.load(path), load_state(path, kind="model")
    frame = Frame.read(net.rows(), model.graph)
    known = experienced(model.scm, frame, model.scm.learned & model.fitted)
    options = {**state.metadata.options, "experience": known.record()}
    save_state(path, state.tensors, replace(state.metadata, options=options))
    click.echo(f"{path}: {len(frame):,} rows, {dict(known.ranges)}, {dict(known.distances)}")


@click.command(help=__doc__)
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
def main(paths: tuple[Path, ...]) -> None:
    """Add to each file."""
    for path in paths:
        add_experience(path)


if __name__ == "__main__":
    main()
