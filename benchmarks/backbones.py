"""Backbones side by side: their weights, and the pictures that a second of one thread takes.

    python -m benchmarks.backbones               the numbers and the page
    python -m benchmarks.backbones --report      the page anew, from the numbers

Every network is that of the defaults, with ``width: 32`` (a DiT's tokens have 128 channels), for
pictures of 3 channels and two sizes. Those of diffusers are a new U-Net of the same options, and
the same from a folder: with a head, with maps of low rank, with a branch. *Asked*: the velocity of
the pictures, without gradients, in the portions in which a model answers. *Trained*: the loss and
its gradients. Seconds are the processor's, by `time.process_time`, of one thread: other work on the
machine is left out, but for what it takes of the caches. The median of rounds taken in turn.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from time import process_time
from typing import Any, cast

import click

from benchmarks.folders import RESULTS
from benchmarks.machine import machine
from benchmarks.markdown import markdown
from benchmarks.timing import interleaved
from causalflow.files import whole_file
from causalflow.pretrained.adapter import Held

SIDES = (28, 64)
ASKED, TRAINED = 8, 4
BACKBONES: Mapping[str, Mapping[str, Any]] = {
    "unet": {},
    "unet, attention at level 3": {"attention": (3,)},
    "patch_unet, patches of 2": {"backbone": "patch_unet"},
    "patch_unet, patches of 4": {"backbone": "patch_unet", "patch": 4},
    "dit, patches of 2": {"backbone": "dit"},
    "dit, patches of 4": {"backbone": "dit", "patch": 4},
    "diffusers, new": {"backbone": "diffusers"},
    "diffusers, head": {"backbone": "diffusers", "folder": ""},
    "diffusers, lora": {"backbone": "diffusers", "folder": "", "adapter": "lora"},
    "diffusers, controlnet": {"backbone": "diffusers", "folder": "", "adapter": "controlnet"},
}


@click.command()
@click.option("--out", type=click.Path(path_type=Path), default=RESULTS, help="Results' folder.")
@click.option("--report", is_flag=True, help="Write the page from the numbers that are there.")
@click.option("--rounds", default=5, help="Rounds taken in turn.")
def main(out: Path, report: bool, rounds: int) -> None:
    """Weights and rates of each backbone."""
    path = out / "backbones.json"
    if not report:
        with whole_file(path) as part:
            part.write_text(json.dumps(measured(rounds), indent=1) + "\n", encoding="utf-8")
    found = json.loads(path.read_text(encoding="utf-8"))
    with whole_file(out / "backbones.md") as part:
        part.write_text(page(found), encoding="utf-8")


def measured(rounds: int) -> dict[str, Any]:
    """The weights, and the seconds of a picture, of every backbone and size."""
    import torch

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        nets = {name: _denoiser(options, folder) for name, options in BACKBONES.items()}
        calls = {
            (name, side, what): call
            for name, net in nets.items()
            for side in SIDES
            for what, call in _calls(net, side)
        }
        named = {json.dumps(key): call for key, call in calls.items()}
        seconds = interleaved(named, rounds, clock=process_time)
    rows = [
        {"backbone": name, **_weights(net), **_rates(name, seconds)} for name, net in nets.items()
    ]
    return {"machine": machine(), "torch": torch.__version__, "rounds": rounds, "rows": rows}


def _weights(net: Any) -> dict[str, int]:
    """How many weights are trained, and how many of the network stay as they are."""
    parts = [part.network for part in net.modules() if isinstance(part, Held)]
    held = sum(weight.numel() for part in parts for weight in part.parameters())
    return {"trained": sum(weight.numel() for weight in net.parameters()), "held": held}


def _rates(name: str, seconds: Mapping[str, float]) -> dict[str, float]:
    """Pictures a second of a backbone."""
    return {
        f"{what} {side}": count / seconds[json.dumps((name, side, what))]
        for side in SIDES
        for what, count in (("asked", ASKED), ("trained", TRAINED))
    }


def _denoiser(options: Mapping[str, Any], folder: str) -> Any:
    """The denoiser of a node with one class parent; its folder is written first."""
    from causalflow.diffusion.denoiser import Denoiser
    from causalflow.graph.node import Class, Diffusion

    parents = {"label": Class(levels=(0, 1))}
    if "folder" in options:
        new = Denoiser(3, parents, Diffusion(backbone="diffusers"))
        cast(Any, new.network).network.save_pretrained(folder)
        options = {**options, "folder": folder}
    return Denoiser(3, parents, Diffusion(**options))


def _calls(net: Any, side: int) -> Iterator[tuple[str, Callable[[], Any]]]:
    import torch

    generator = torch.Generator().manual_seed(0)

    def asked() -> None:
        with torch.no_grad():
            net.velocity(torch.zeros(ASKED, 3, side, side), 0.5, _labels(ASKED))

    def trained() -> None:
        loss = net.loss(torch.zeros(TRAINED, 3, side, side), _labels(TRAINED), generator)
        loss.mean().backward()

    yield from (("asked", asked), ("trained", trained))


def _labels(count: int) -> dict[str, Any]:
    import torch

    return {"label": torch.arange(count) % 2}


def page(found: Mapping[str, Any]) -> str:
    """The page of the numbers."""
    head = ["backbone", "weights trained", "held"]
    head += [f"{what}, {side} px" for side in SIDES for what in ("asked", "trained")]
    lines = [
        [row["backbone"], f"{row['trained']:,}", f"{row['held']:,}"]
        + [f"{row[f'{what} {side}']:.0f}" for side in SIDES for what in ("asked", "trained")]
        for row in found["rows"]
    ]
    about = found["machine"]
    return "\n".join(
        [
            "# Backbones: pictures a second of one thread",
            "",
            f"`python -m benchmarks.backbones`: {about['processor']}, one thread, float32, torch "
            f"{found['torch']};",
            f"3 channels, `width: 32`, {ASKED} pictures asked and {TRAINED} trained a call, median "
            f"of {found['rounds']}",
            "rounds in turn, seconds of the processor.",
            "",
            *markdown(head, lines),
            "",
            "Asked: the velocity, without gradients. Trained: the loss and its gradients. Held: "
            "weights of a network in a folder,",
            "which stay as they are. A DiT looks from every patch at every other: its cost grows "
            "faster than their number.",
            "",
        ]
    )


if __name__ == "__main__":
    main()
