"""Ways: how a counterfactual is made, by one net and one kind of predictor.

A way goes up once, and comes down once for every scale. Which latent space it comes down from is
its option ``balance``; which predictor guides it, ``guide``:

    learned   the net's own, fitted with it to the training law
    readers   `benchmarks.papers.balanced.readers`, which assume what the data do not say
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

import causalflow as cf
from benchmarks.papers.balanced.readers import Readers
from benchmarks.papers.balanced.tasks import Rows
from benchmarks.papers.kept import write_tensors
from causalflow.diffusion.guidance.balance import draw_tape
from causalflow.diffusion.trajectory import Decoder
from causalflow.mechanisms.image.mechanism import ImageMechanism

__all__ = ["Made", "Way", "guided_by", "kept_name", "made", "read_made", "write_made"]

CHUNK = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A way to a counterfactual.

    Attributes:
        name: shown.
        guide: "learned" or "readers".
        scales: s, one after the other.
        ratio: the scale of each edge, as a multiple of s.
        options: of inference.
        few: whether it is too slow for all pictures.
    """

    name: str
    guide: str
    scales: tuple[float, ...]
    ratio: Mapping[str, float]
    options: Mapping[str, Any] = field(default_factory=dict)
    few: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Made:
    """Pictures of a way at one scale.

    Attributes:
        scale: s.
        images: in [0, 1].
        calls: of the network, a picture, both ways.
    """

    scale: float
    images: Tensor
    calls: float


def guided_by(model: cf.Model, readers: Readers | None) -> ImageMechanism:
    """The image mechanism of a net, guided by its own predictor or by readers."""
    own = model.scm.images["image"]
    if readers is None:
        return own
    other = cf.compile(model.graph, image=own.options, predictors={"image": readers.networks})
    mechanism = other.to(model.device).scm.images["image"]
    mechanism.denoiser.load_state_dict(own.denoiser.state_dict())
    return mechanism


@torch.no_grad()
def made(mechanism: ImageMechanism, way: Way, rows: Rows, seed: int = 0) -> list[Made]:
    """The pictures of ``rows`` at every scale of a way."""
    image = mechanism.configured(residual=False, **way.options)
    random = torch.Generator().manual_seed(seed)
    parts: dict[float, list[Tensor]] = {scale: [] for scale in way.scales}
    calls = dict.fromkeys(way.scales, 0.0)
    for start in range(0, len(rows), CHUNK):
        chosen = _part(rows, slice(start, start + CHUNK))
        for scale, images, seen in _decoded(image, way, chosen, random):
            parts[scale].append((images.float() + 1) / 2)
            calls[scale] += seen
    return [
        Made(scale=s, images=torch.cat(parts[s]), calls=calls[s] / len(rows)) for s in way.scales
    ]


def kept_name(task: str, way: Way, split: str, rows: Rows) -> str:
    """A file's name for the pictures of a way, by all that decides them."""
    asked = [way.guide, way.scales, sorted(way.ratio.items()), sorted(way.options.items())]
    digest = hashlib.sha256(repr(asked).encode()).hexdigest()[:8]
    return f"{task}_{split}_{len(rows)}_{digest}"


def write_made(path: Path, found: list[Made]) -> None:
    """Keep pictures in a file."""
    kept = {f"images.{each.scale:g}": each.images for each in found}
    kept |= {f"calls.{each.scale:g}": torch.tensor(each.calls) for each in found}
    write_tensors(path, kept)


def read_made(path: Path) -> list[Made]:
    """Pictures that were kept, by scale."""
    kept = load_file(path)
    scales = sorted(float(key.removeprefix("images.")) for key in kept if key.startswith("images"))
    return [
        Made(scale=s, images=kept[f"images.{s:g}"], calls=float(kept[f"calls.{s:g}"]))
        for s in scales
    ]


def _decoded(
    image: ImageMechanism, way: Way, rows: Rows, random: torch.Generator
) -> Iterator[tuple[float, Tensor, float]]:
    """Scale, pictures in [-1, 1] and images seen by the network, both ways."""
    decoder, x = image.decoder, 2 * rows.images - 1
    ends = (rows.target, rows.factual)
    seen = image.denoiser.images_seen
    if image.options.balance == "none":
        height: Any = decoder.up(x, rows.factual, random)[:1]
    else:
        tape = draw_tape(x, image.options.steps, random)
        height = decoder.raised(*ends, x, tape, rows.factual)
    up = image.denoiser.images_seen - seen
    for scale in way.scales:
        seen = image.denoiser.images_seen
        images = _down(replace(decoder, scales=_times(scale, way.ratio)), ends, height)
        yield scale, images, up + image.denoiser.images_seen - seen


def _down(decoder: Decoder, ends: tuple[Any, Any], height: Any) -> Tensor:
    if len(height) == 1:
        return decoder.guided(*ends, *height)
    return decoder.lowered(*ends, *height)


def _times(scale: float, ratio: Mapping[str, float]) -> dict[str, float]:
    return {name: scale * part for name, part in ratio.items()}


def _part(rows: Rows, where: slice) -> Rows:
    return Rows(
        images=rows.images[where],
        factual={name: value[where] for name, value in rows.factual.items()},
        target={name: value[where] for name, value in rows.target.items()},
        truth=None,
    )
