"""Shapes: which configuration has these tensors, found from their names and shapes alone.

Anchors give most of it at once: the first convolution the image's channels, the time's MLP the
width, the last layer the outputs, a pool's vectors its grid. A way down of N stages has L levels of
R blocks with N = L (R + 1), and blocks that halve are named like any other; so every L that divides
N is tried, the channels and attention of each level are read where that L puts its first block, and
the network of those sizes, built without memory, has the tensors that were given or has not.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TypeAlias

import torch

from causalflow.errors import CheckpointError, one_of
from causalflow.limits import NETWORK_STAGES
from causalflow.nn.guided_diffusion.classifier import Classifier
from causalflow.nn.guided_diffusion.configuration import Configuration
from causalflow.nn.guided_diffusion.unet import UNet

__all__ = ["Shapes", "configuration_of", "network_of", "shapes_of"]

Shapes: TypeAlias = Mapping[str, tuple[int, ...]]

STAGE = re.compile(r"input_blocks\.(\d{1,6})\.")
STRIDED = re.compile(r"input_blocks\.\d+\.0\.op\.weight")
ANCHORS = {
    "time_embed.0.weight": 2,
    "input_blocks.0.0.weight": 4,
    "input_blocks.1.0.in_layers.2.weight": 4,
    "input_blocks.1.0.emb_layers.1.weight": 2,
}
POSITIONS = "out.2.positional_embedding"
DIFF_SCM = ("class_embed", "encoder_kv")


def network_of(sizes: Configuration) -> UNet | Classifier:
    """The network of these sizes: a classifier if it has a grid, else a U-Net."""
    return UNet(sizes) if sizes.grid is None else Classifier(sizes)


def shapes_of(sizes: Configuration) -> dict[str, tuple[int, ...]]:
    """Name and shape of every tensor of the network; none is allocated."""
    with torch.device("meta"):
        tensors = network_of(sizes).state_dict()
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}


def configuration_of(shapes: Shapes, *, levels: int | None = None) -> Configuration:
    """The configuration whose network has exactly these tensors, with one head everywhere.

    Args:
        shapes: by name.
        levels: how many; only where shapes fit several.

    Raises:
        CheckpointError: no network has them, or several have.
    """
    _check_kind(shapes)
    candidates = {len(sizes.widths): sizes for sizes in _candidates(shapes)}
    if levels is not None:
        candidates = {n: sizes for n, sizes in candidates.items() if n == levels}
    if not candidates:
        asked = "" if levels is None else f" of {levels} levels"
        raise CheckpointError(
            f"its {_stages(shapes)} stages on the way down are no way{asked} that guided-diffusion "
            "builds: every level has the same number of blocks"
        )
    gaps = {n: _gap(shapes_of(sizes), shapes) for n, sizes in candidates.items()}
    fitting = [n for n, gap in gaps.items() if not gap]
    if len(fitting) > 1:
        raise CheckpointError(f"its shapes fit networks of {fitting} levels; give levels=")
    if not fitting:
        raise CheckpointError(_described(min(gaps.values(), key=len)))
    return candidates[fitting[0]]


def _check_kind(shapes: Shapes) -> None:
    """Refuse what is no guided-diffusion network at all.

    Raises:
        CheckpointError: the reason.
    """
    if found := sorted(name for name in shapes if name.split(".")[0] in DIFF_SCM or _kv(name)):
        raise CheckpointError(
            f"'{found[0]}' is of the U-Net that the Diff-SCM code modified, which is not that of "
            "guided-diffusion (the class enters its attention); train graphs/diff_scm_mnist.yaml "
            "in its place"
        )
    for name, axes in ANCHORS.items():
        if name not in shapes:
            raise CheckpointError(
                f"no tensor '{name}', so no guided-diffusion network; {one_of(name, _few(shapes))}"
            )
        if len(shapes[name]) != axes:
            raise CheckpointError(f"'{name}' has shape {shapes[name]}; expected {axes} axes")
    if not any(name.startswith("output_blocks.") for name in shapes) and POSITIONS not in shapes:
        raise CheckpointError(
            f"a classifier without '{POSITIONS}'; only classifiers that pool by attention are read"
        )
    if _stages(shapes) > NETWORK_STAGES:
        raise CheckpointError(f"{_stages(shapes)} stages on the way down; at most {NETWORK_STAGES}")


def _kv(name: str) -> bool:
    return "encoder_kv" in name.split(".")


def _few(shapes: Shapes) -> list[str]:
    """Some of the names, for a message."""
    return sorted(shapes)[:5]


def _stages(shapes: Shapes) -> int:
    return len({found[1] for found in map(STAGE.match, shapes) if found})


def _candidates(shapes: Shapes) -> Iterator[Configuration]:
    """What the anchors say, for every number of levels that they allow."""
    stages = _stages(shapes)
    common = _common(shapes)
    for levels in range(1, stages // 2 + 1):
        if stages % levels:
            continue
        period = stages // levels
        firsts = [f"input_blocks.{1 + level * period}." for level in range(levels)]
        widths = [shapes.get(f"{first}0.in_layers.2.weight", (0,))[0] for first in firsts]
        if all(widths):
            attention = tuple(f"{first}1.qkv.weight" in shapes for first in firsts)
            blocks = levels == 1 or not any(map(STRIDED.fullmatch, shapes))
            yield replace(
                common,
                widths=tuple(widths),
                blocks=period - 1,
                attention=attention,
                block_resampling=blocks,
            )


def _common(shapes: Shapes) -> Configuration:
    """What the anchors say whatever the number of levels; those of this one are of no meaning."""
    heard = shapes["input_blocks.1.0.emb_layers.1.weight"][0]
    channels = shapes["input_blocks.1.0.in_layers.2.weight"][0]
    positions = shapes.get(POSITIONS)
    last = "out.2.weight" if positions is None else "out.2.c_proj.weight"
    return Configuration(
        inputs=shapes["input_blocks.0.0.weight"][1],
        outputs=shapes.get(last, (0,))[0],
        width=shapes["time_embed.0.weight"][1],
        widths=(channels,),
        blocks=1,
        attention=(False,),
        scale_shift=heard == 2 * channels,
        classes=shapes.get("label_emb.weight", (None,))[0],
        grid=None if positions is None else math.isqrt(positions[-1] - 1),
        heads=1,
    )


def _gap(expected: Shapes, found: Shapes) -> list[str]:
    """The differences, one text each."""
    missing = [f"'{n}' {shape} is missing" for n, shape in expected.items() if n not in found]
    further = [f"'{n}' {shape} is unexpected" for n, shape in found.items() if n not in expected]
    other = [
        f"'{n}' has shape {found[n]}, expected {shape}"
        for n, shape in expected.items()
        if n in found and found[n] != shape
    ]
    return missing + other + further


def _described(gap: list[str]) -> str:
    more = f"; and {len(gap) - 3} more differences" if len(gap) > 3 else ""
    return f"tensors differ from the nearest guided-diffusion network: {'; '.join(gap[:3])}{more}"
