"""Drift: how grey the strokes of a drawn digit are, and how drawn pictures take an edit.

\b
    python -m benchmarks.counterfactual.drift --nets checkpoints --n 200

Notation: I the intensity that a picture should have, I^ what is read off it (the median of the
pixels at half of the range or above), u = (position, code) the noise of a picture.

\b
    grey      I^ - I of pictures under do(digit), and of pictures drawn anew under their own labels,
              whose parts of u are the picture's own or drawn: what drifts though nothing is done is
              the net's own error. *scatter*: standard deviation of the pixels that strokes surround
              (real strokes: flat). *real + noise*: what a scatter alone does to the reading
    denoised  one call on real pictures at tau: the error of E[x_0 | y] on these pixels, and the
              share of the noise that is left there (the slope of the error on the noise)
    edited    do(color) of Bar-MNIST on real pictures and on drawn ones, whose noise is abducted
              anew or known; *left at tau = .01*: as they were drawn before the last call. The true
              picture under do(color) has red and green exchanged
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import click
import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import binary_erosion
from torch import Tensor

import causalflow as cf
from benchmarks.counterfactual.tasks import bar_data, stroke_judge
from benchmarks.markdown import markdown
from benchmarks.nets import net_path
from causalflow.data.sets.morpho_mnist import morpho_mnist
from causalflow.diffusion.denoiser import CODE
from causalflow.evaluation.axioms import pixel_errors
from causalflow.evaluation.readers import read_bar, read_color, read_intensity
from causalflow.evaluation.score import mean_score, share_score
from causalflow.mechanisms.image.codec import ImageNoise
from causalflow.mechanisms.image.image_mechanism import ImageMechanism

WHITE = 255.0
LEVELS = "grey levels"
NOISES, SPECKLES = (1.27, 4.0), 3.0
TIMES = (0.01, 0.02, 0.03, 0.05, 0.08, 0.12, 0.2)
FEWEST = 8
PLAIN: dict[str, Any] = {"solver": "alf", "steps": 20, "grain": 0.0}
CALLS = {
    "alf 20": PLAIN,
    "alf 20, grain 1": {**PLAIN, "grain": 1.0},
    "difference 5, grain 1": {"solver": "difference", "steps": 5, "grain": 1.0},
}
Line = list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Labelled pictures: labels by name, images in [0, 1] of shape (n, channel, height, width)."""

    labels: Mapping[str, Tensor]
    images: Tensor

    @property
    def evidence(self) -> dict[str, Tensor]:
        """Every node of the graph."""
        return {**self.labels, "image": self.images}

    @classmethod
    def of(cls, data: Any, n: int) -> Rows:
        """The first n rows of a data set."""
        labels = {k: torch.from_numpy(np.asarray(v)[:n]) for k, v in data.labels.items()}
        return cls(labels=labels, images=data.images[:n].float() / WHITE)


def mechanism(model: cf.Model) -> ImageMechanism:
    """That of the image."""
    return cast(ImageMechanism, model.scm.module("image"))


def surrounded(images: Tensor) -> NDArray[np.bool_]:
    """The pixels of strokes whose eight neighbours are of strokes too, (n, height, width)."""
    gray = images[:, 0].double().numpy()
    strokes = gray >= gray.max(axis=(1, 2), keepdims=True) / 2
    return binary_erosion(strokes, np.ones((1, 3, 3)))


def scatter(images: Tensor) -> Tensor:
    """The standard deviation of these pixels in levels, of pictures that have enough of them."""
    pairs = zip(WHITE * images[:, 0].clamp(0, 1).double().numpy(), surrounded(images), strict=True)
    return torch.tensor([gray[on].std() for gray, on in pairs if on.sum() >= FEWEST])


def pictures(model: cf.Model, real: Rows) -> Iterator[tuple[str, Tensor]]:
    """What is read, by its name."""
    random = torch.Generator().manual_seed(0)
    yield "real", real.images
    for levels in NOISES:
        draw = torch.randn(real.images.shape, generator=random)
        yield f"real + noise of {levels:g} levels", real.images + levels / WHITE * draw
    n = len(real.images)
    digit = (real.labels["digit"] + torch.randint(1, 10, (n,), generator=random)) % 10
    for name, options in CALLS.items():
        noise = model.abduct(real.evidence, **options)
        yield f"do(digit), {name}", model.predict(noise, {"digit": digit}, **options)["image"]
    yield from drawn(mechanism(model).configured(**PLAIN), real)


def drawn(image: ImageMechanism, real: Rows) -> Iterator[tuple[str, Tensor]]:
    """Pictures under their own labels, their noise in part their own and in part drawn."""
    random = torch.Generator().manual_seed(1)
    own = image.abduct(2 * real.images - 1, real.labels, random)
    fresh = image.draw_noise(len(real.images), random)
    for position, code in (("own", "drawn"), ("drawn", "own"), ("drawn", "drawn")):
        parts = {"own": own, "drawn": fresh}
        mixed = {**fresh, "position": parts[position]["position"], CODE: parts[code][CODE]}
        yield f"nothing done, position {position}, code {code}", _seen(image, real.labels, mixed)


def _seen(image: ImageMechanism, labels: Mapping[str, Tensor], noise: Any) -> Tensor:
    return (image.predict(labels, noise) + 1) / 2


def grey(model: cf.Model, real: Rows) -> Iterator[Line]:
    """The table of readings."""
    wanted = real.labels["intensity"]
    for name, images in pictures(model, real):
        error = read_intensity(images.clamp(0, 1)) - wanted
        signed, far = mean_score(error, LEVELS), mean_score(error.abs(), LEVELS)
        yield [name, _with(signed), _with(far), f"{float(scatter(images).mean()):.2f}"]


@torch.no_grad()
def denoised(model: cf.Model, real: Rows) -> Iterator[Line]:
    """The table of one call, by tau."""
    image, random = mechanism(model), torch.Generator().manual_seed(2)
    x, on = 2 * real.images - 1, torch.from_numpy(surrounded(real.images))[:, None]
    assert image.code is not None
    told = {**real.labels, CODE: image.code.mean(x, real.labels)}
    for tau in TIMES:
        noise = torch.randn(x.shape, generator=random)
        y = ((1 - tau) * x + tau * noise).double()
        missed = (y - tau * image.denoiser.conditional_velocity(y, tau, told) - x)[on]
        left = float((missed * noise[on]).mean()) / tau
        root = float(missed.square().mean().sqrt()) * WHITE / 2
        yield [f"{tau:g}", f"{root:.2f}", f"{left:.0%}"]


@torch.no_grad()
def edited(model: cf.Model, n: int, split: str) -> Iterator[Line]:
    """The table of do(color): real pictures, and drawn ones under the same labels."""
    judge, real = stroke_judge(28), Rows.of(bar_data(split, "frontdoor"), n)
    do = {**real.labels, "color": 1 - real.labels["color"]}
    made, random = mechanism(model).configured(**PLAIN), torch.Generator().manual_seed(3)
    speckled = real.images + SPECKLES / WHITE * torch.randn(real.images.shape, generator=random)
    noise = made.draw_noise(n, random)
    way, told = made.trajectory, {**real.labels, CODE: noise[CODE]}
    left = way.down(told, noise["position"], ImageNoise.of(noise).offset).float()
    fresh = _seen(made, real.labels, noise)
    for name, images, after in (
        ("real", real.images, None),
        (f"real + noise of {SPECKLES:g} levels", speckled, None),
        ("drawn, left at tau = .01", (left + 1) / 2, None),
        ("drawn", fresh, None),
        ("drawn, its noise known", fresh, _seen(made, do, noise)),
    ):
        before = Rows(labels=real.labels, images=images.clamp(0, 1))
        after = (
            model.counterfactual(before.evidence, do, **PLAIN)["image"] if after is None else after
        )
        yield [name, *_edit(before, after.clamp(0, 1), do, judge)]


def _edit(rows: Rows, images: Tensor, do: Mapping[str, Tensor], judge: Any) -> Line:
    before, after = judge.read(rows.images), judge.read(images)
    shares = [
        read_color(images) == do["color"],
        read_bar(images) == do["bar"],
        before == rows.labels["digit"],
        after == rows.labels["digit"],
        after == before,
    ]
    error = pixel_errors(images, rows.images[:, [1, 0, 2]]).mean(1)
    return [*(str(share_score(share)) for share in shares), _with(mean_score(error, LEVELS))]


def _with(score: Any) -> str:
    low, high = score.interval
    return f"{score.value:.2f} ({low:.2f} to {high:.2f})"


@click.command(help=__doc__, context_settings={"max_content_width": 100})
@click.option("--nets", type=click.Path(path_type=Path), default=Path("checkpoints"))
@click.option("--n", default=200, show_default=True, help="Pictures.")
@click.option("--split", type=click.Choice(["test", "validation"]), default="validation")
@click.option("--part", type=click.Choice(["grey", "denoised", "edited"]), multiple=True)
def main(nets: Path, n: int, split: str, part: tuple[str, ...]) -> None:
    """Print the tables asked for, by default all."""
    if not part or {"grey", "denoised"} & set(part):
        model, real = cf.Model.load(net_path(nets, "morpho")), Rows.of(morpho_mnist(split, n=n), n)
    if not part or "grey" in part:
        _print("picture, I^ - I, |I^ - I|, scatter", grey(model, real))
    if not part or "denoised" in part:
        _print("tau, error of x_0, noise left", denoised(model, real))
    if not part or "edited" in part:
        head = "picture, colour as set, bar kept, digit at first, digit after, same digit, error"
        _print(head, edited(cf.Model.load(net_path(nets, "bar")), n, split))


def _print(head: str, lines: Iterator[Line]) -> None:
    click.echo("\n".join(markdown(head.split(", "), lines)) + "\n")


if __name__ == "__main__":
    main()
