"""Ways: how a counterfactual is made, by one net and one kind of predictor.

A way goes up once, and comes down once for every scale. Which latent space it comes down from is
its option ``balance``; which predictor guides it, ``guide``:

    learned   the net's own, fitted with it to the training law
    readers   `benchmarks.papers.balanced.readers`, which assume what the data do not say

All spaces are given the same net, predictor and scales; which scales, and which constants of the
balanced ones were searched, is declared in experiment.yaml.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from operator import itemgetter
from typing import Any

import torch
from torch import Tensor

import causalflow as cf
from benchmarks.papers.balanced.readers import Readers
from benchmarks.papers.balanced.tasks import Rows
from benchmarks.papers.experiment import declared
from causalflow.diffusion.guidance.balance import draw_tape
from causalflow.graph.image_options import CALL_OPTIONS
from causalflow.mechanisms.image.image_mechanism import ImageMechanism

CHUNK = 100
GUIDES = ("learned", "readers")
ORIGINAL = "original (DDIM)"
PRINTED, PRESERVING = "balanced, printed", "balanced, preserving"
ODDS = "balanced, odds (ours)"
FORMS = {PRINTED: "printed", PRESERVING: "preserving", ODDS: "odds"}
EDGE = {"coloured": "digit", "masked": "color"}
"""By task, the edge that the paper's classifier stands for."""
BY_DEFAULT = {name: getattr(cf.Diffusion(), name) for name in CALL_OPTIONS}
"""What a net was given of its own (`benchmarks.settings`) is no part of a way."""
DDIM = {"solver": "ddim", "guided_solver": "ddim", "anticausal": "printed"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Gammas:
    """The constants of a balanced way up, which the paper does not print.

    Attributes:
        end: tau at which the way up ends.
        push: gamma_1.
        noise: gamma_2, of the whole way.
    """

    end: float
    push: float
    noise: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A way to a counterfactual.

    Attributes:
        name: shown.
        guide: "learned" or "readers".
        scales: s, one after the other.
        ratio: the scale of each edge, as a multiple of s.
        options: of inference.
    """

    name: str
    guide: str
    scales: tuple[float, ...]
    ratio: Mapping[str, float]
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """Guide and name."""
        return f"{self.guide}: {self.name}"


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


def recommended(task: str) -> Way:
    """Ours, with scales of its own."""
    given = declared("balanced")["recommended"][task]
    return Way(
        name="recommended",
        guide="readers",
        scales=tuple(given["scales"]),
        ratio=given["ratio"],
        options=given["options"],
    )


def balanced_way(task: str, guide: str, name: str, gammas: Gammas, levels: int) -> Way:
    """The balanced space ``name`` of `FORMS`, with these constants and steps each way."""
    constants = {
        "balance_end": gammas.end,
        "balance_push": gammas.push,
        "balance_noise": gammas.noise,
    }
    options = {**_ddim(levels), **constants, "balance": FORMS[name]}
    return _way(task, guide, name, options)


def unbalanced_ways(task: str, guide: str, levels: int) -> list[Way]:
    """The original space in the paper's steps; stopping and our default have steps of their own."""
    stopping = {"balance": "stopping", "anticausal": "printed"}
    return [
        _way(task, guide, ORIGINAL, _ddim(levels)),
        _way(task, guide, "balanced stopping", stopping),
        replace(_way(task, guide, "default", {}), ratio={"digit": 1.0, "color": 1.0}),
    ]


def _way(task: str, guide: str, name: str, options: Mapping[str, Any]) -> Way:
    """A way by the edge that the paper's classifier stands for, and no other."""
    scales = tuple(declared("balanced")["scales"][task])
    ratio = {"digit": 0.0, "color": 0.0, EDGE[task]: 1.0}
    return Way(name=name, guide=guide, scales=scales, ratio=ratio, options=options)


def _ddim(levels: int) -> dict[str, Any]:
    return {**DDIM, "steps": levels, "guided_steps": levels}


def guided_by(model: cf.Model, readers: Readers | None) -> ImageMechanism:
    """The image mechanism of a net at the package's defaults, with its predictor or readers."""
    own = model.scm.images["image"].configured(**BY_DEFAULT)
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
        chosen = rows.each(itemgetter(slice(start, start + CHUNK)))
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


def as_tensors(found: list[Made]) -> dict[str, Tensor]:
    """Pictures as a file keeps them."""
    kept = {f"images.{each.scale:g}": each.images for each in found}
    return kept | {f"calls.{each.scale:g}": torch.tensor(each.calls) for each in found}


def from_tensors(kept: Mapping[str, Tensor]) -> list[Made]:
    """Pictures that were kept, by scale."""
    scales = sorted(float(key.removeprefix("images.")) for key in kept if key.startswith("images"))
    return [
        Made(scale=s, images=kept[f"images.{s:g}"], calls=float(kept[f"calls.{s:g}"]))
        for s in scales
    ]


def _decoded(
    image: ImageMechanism, way: Way, rows: Rows, random: torch.Generator
) -> Iterator[tuple[float, Tensor, float]]:
    """Scale, pictures in [-1, 1] and images seen by the network, both ways."""
    trajectory, x = image.trajectory, 2 * rows.images - 1
    ends = (rows.target, rows.factual)
    seen = image.denoiser.images_seen
    if image.options.balance == "none":
        height: Any = trajectory.up(x, rows.factual, random)[:1]
    else:
        tape = draw_tape(x, image.options.steps, random)
        height = trajectory.raised(*ends, x, tape, rows.factual)
    up = image.denoiser.images_seen - seen
    for scale in way.scales:
        seen = image.denoiser.images_seen
        scales = {name: scale * part for name, part in way.ratio.items()}
        down = replace(trajectory, scales=scales)
        images = (down.guided if len(height) == 1 else down.lowered)(*ends, *height)
        yield scale, images, up + image.denoiser.images_seen - seen
