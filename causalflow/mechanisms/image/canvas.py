"""Canvas: where the flow of an image node runs, its pixels or the latent of an autoencoder.

Notation: x an image in [-1, 1]; E and D the halves of an autoencoder (`causalflow.nn.autoencoder`);
z = E(x); r = x - D(z), the *remainder*, which the autoencoder does not say.

    pixels   z = x, and there is no remainder
    latent   z = E(x), 1/factor of the sides; the flow, the semantic code, the predictors and all
             guidance run on z as they would on pixels

The exogenous noise of the image is (the noise of z, r). A counterfactual abducts z under the
factual parents, decodes z' under the others, and paints

    x' = D(z') + g r + (1 - g) clip(r, -a, a),      g = ramp(|D(z') - D(z)|),  a = median |r|,

where the *gate* g, a number a pixel, is 1 where the picture does not change and 0 where it does:
the texture that D misses comes back where it belongs, and of an object that is gone no more than
the grain of the whole picture, a, which a new light leaves on the ground and the sensor on all. The
change is a mean over channels, the largest in a window of `WINDOW` pixels; the ramp falls smoothly
from 1 at `SAME` to 0 at `OTHER`. A number of z' within `ROUNDING` of z is taken to be z's, so that
a null intervention gives D(z) + r = x, to the precision of a float. Without remainder (``residual:
false``) x' = D(z'). What is drawn has none.

*Fit*: for a first share of the steps E and D learn alone, by the mean over pixels of |e| + q e^2,

    e = x - D(z + s n),     n ~ N(0, I), whose noise s keeps D smooth;

then E stays as it is, z is what the flow learns, and D goes on beside it. By |e| alone a thin line
that a parent moves, a few pixels that are far off, weighs less than the grain of the ground, and z
leaves it out; e^2 makes it weigh as much as it is seen. In a share of these steps, ``shrinking``,

    e = S x - D(S z + s n),     S makes the sides smaller, to a share drawn from 1/2 to 1,

so that a smaller picture has the smaller latent: z then changes as evenly as what it shows, and the
flow has less to learn where a thing moves, which would else be a new code in every cell. In all of
them the parents are read off z (`causalflow.mechanisms.image.parent_reader`), by a loss whose
gradient reaches E too: what the graph names is to be found in z. An autoencoder that was trained
elsewhere stays as it is.

Source: this project's; two stages as in Rombach et al. (2022), High-Resolution Image Synthesis with
Latent Diffusion Models; S as in Kouzelis et al. (2025), EQ-VAE: Equivariance Regularized Latent
Space for Improved Generative Image Modeling, whose rotations are left out: things have an upside.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeAlias, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from causalflow.graph.latent_options import Latent
from causalflow.graph.node import Image
from causalflow.mechanisms.mechanism import Noise, labelled
from causalflow.nn.autoencoder import AUTOENCODERS, Autoencoder

__all__ = ["Canvas", "LatentCanvas", "Pixels", "canvas_of"]

Shape: TypeAlias = tuple[int, int, int]
Learned: TypeAlias = tuple[Tensor, dict[str, Tensor]]

WINDOW, SAME, OTHER = 5, 0.1, 0.3
ROUNDING = 1e-5
SPARED = 2
"""Beside the flow the decoder, the dearer of the two, learns from one row in so many."""
PORTION = 1 << 20
"""Pixels of a side by pixels of the other by rows that are taken at once."""


class Canvas(Protocol):
    """Both ways between an image and what its flow runs on.

    Attributes:
        shape: (channels, height, width) of what the flow runs on.
        latent: the options of a latent; None of the pixels.
        begins: the share of a fit's steps after which the flow is fitted.
        settled: whether z of an image is what it will be, so that the flow can be fitted.
    """

    shape: Shape
    latent: Latent | None
    begins: float
    settled: bool

    def encode(self, image: Tensor) -> Tensor:
        """z of images in [-1, 1], shape (batch, *shape)."""

    def decode(self, z: Tensor) -> Tensor:
        """The images of z; differentiable."""

    def kept(self, image: Tensor, z: Tensor) -> dict[str, Tensor]:
        """The part of the noise of factual images that is not the flow's."""

    def drawn(self, n: int, device: torch.device) -> dict[str, Tensor]:
        """The same of n images that are drawn."""

    def painted(self, z: Tensor, noise: Noise, *, remainder: bool) -> Tensor:
        """The images of z under a noise, with or without its remainder."""

    def missed(self, noise: Noise) -> Tensor:
        """What a factual image has beyond the one that its noise decodes to without residuals."""

    def reach(self, share: float) -> None:
        """Take note of the share of a fit's steps that is done."""

    def precomputed(self, image: Tensor) -> Tensor | None:
        """z for `learn`, which then need not compute it; None while it changes, or is the image."""

    def learn(self, image: Tensor, generator: torch.Generator, z: Tensor | None = None) -> Learned:
        """What the flow is to learn, and the canvas's own losses by name, shape (batch,) each.

        Args:
            image: a batch of training, NaN in rows without image; so is z.
            generator: draws noise.
            z: what `precomputed` gave for these images, if it did.

        Returns:
            z, whose gradient reaches the encoder until it is settled; and the losses.
        """


class Pixels:
    """The pixels themselves.

    Args:
        shape: (channels, height, width) of the images.
    """

    latent: Latent | None = None
    begins = 0.0
    settled = True

    def __init__(self, shape: Shape) -> None:
        self.shape = shape

    def encode(self, image: Tensor) -> Tensor:
        """The images."""
        return image

    def decode(self, z: Tensor) -> Tensor:
        """The images."""
        return z

    def kept(self, image: Tensor, z: Tensor) -> dict[str, Tensor]:
        """Nothing."""
        return {}

    def drawn(self, n: int, device: torch.device) -> dict[str, Tensor]:
        """Nothing."""
        return {}

    def painted(self, z: Tensor, noise: Noise, *, remainder: bool) -> Tensor:
        """The images."""
        return z

    def missed(self, noise: Noise) -> Tensor:
        """The residual of the flow."""
        return noise["residual"]

    def reach(self, share: float) -> None:
        """Nothing depends on it."""

    def precomputed(self, image: Tensor) -> Tensor | None:
        """Nothing."""
        return None

    def learn(self, image: Tensor, generator: torch.Generator, z: Tensor | None = None) -> Learned:
        """The images; there is nothing else to learn."""
        return image, {}


class LatentCanvas(nn.Module):
    """The latent of an autoencoder.

    Args:
        shape: (channels, height, width) of the images.
        latent: the options.

    Attributes:
        settled: whether the encoder stays as it is.
    """

    def __init__(self, shape: Shape, latent: Latent) -> None:
        super().__init__()
        self.latent: Latent | None = latent
        self.noise, self.squares, self.picture = latent.noise, latent.squares, shape
        self.shrinking = latent.shrinking
        made: Any = AUTOENCODERS.get(latent.autoencoder)(shape[0], latent)
        self.autoencoder = made
        self.factor: int = made.factor
        self.trained: bool = made.trained
        height, width = (-(-side // self.factor) for side in shape[1:])
        self.shape: Shape = (made.channels, height, width)
        self.begins = 0.0 if self.trained else latent.share
        self.settled = True
        if self.trained:
            self.autoencoder.requires_grad_(False)

    def encode(self, image: Tensor) -> Tensor:
        """z, float32; sides that the factor does not divide are continued by their last pixels."""
        return self._joined(self._encoded, image)

    def decode(self, z: Tensor) -> Tensor:
        """The images, float32."""
        picture = cast(Autoencoder, self.autoencoder).decode(z.float())
        return picture[..., : self.picture[1], : self.picture[2]]

    def kept(self, image: Tensor, z: Tensor) -> dict[str, Tensor]:
        """z, and the remainder."""
        return {"canvas": z, "remainder": image - self._joined(self.decode, z)}

    def drawn(self, n: int, device: torch.device) -> dict[str, Tensor]:
        """No z, and no remainder."""
        return {
            "canvas": torch.full((n, *self.shape), torch.nan, device=device),
            "remainder": torch.zeros(n, *self.picture, device=device),
        }

    def painted(self, z: Tensor, noise: Noise, *, remainder: bool) -> Tensor:
        """D(z'), and what stays of r in images that were not drawn."""
        if not remainder or noise["drawn"].all():
            return self._joined(self.decode, z)
        return self._joined(self._completed, z, noise["canvas"], noise["remainder"])

    @torch.no_grad()
    def missed(self, noise: Noise) -> Tensor:
        """The remainder, and what D makes of the residual of the flow, where there is one."""
        z, residual = noise["canvas"], noise["residual"]
        if not residual.any():
            return noise["remainder"]
        without = self._joined(self.decode, z.double() - residual)
        return noise["remainder"] + self._joined(self.decode, z) - without

    def reach(self, share: float) -> None:
        """The encoder is settled from its own share on."""
        self.settled = share >= self.begins

    def precomputed(self, image: Tensor) -> Tensor | None:
        """z, once the encoder is settled."""
        return self._settled_by(self.encode, image) if self.settled else None

    def learn(self, image: Tensor, generator: torch.Generator, z: Tensor | None = None) -> Learned:
        """z; "reconstruction", the mean of |e| + q e^2."""
        rows = labelled(image).nonzero()[:, 0]
        if z is not None:
            z = z[rows]
        elif self.settled:
            z = self._settled_by(self._encoded, image[rows])
        else:
            z = self._encoded(image[rows])
        found = torch.full((len(image), *self.shape), torch.nan, dtype=z.dtype, device=z.device)
        found = found.index_put((rows,), z)
        if self.trained:
            return found, {}
        part = slice(None, None, SPARED if self.settled else 1)
        error = self._error(image[rows[part]], z[part], generator)
        loss = image.new_zeros(len(image)).index_put((rows[part],), error * (part.step or 1))
        return found, {"reconstruction": loss}

    def _error(self, image: Tensor, z: Tensor, generator: torch.Generator) -> Tensor:
        """The mean over pixels of |e| + q e^2, shape (batch,)."""
        if not self.settled:
            image, z = self._shrunk(image, z, generator)
        noise = torch.randn(z.shape, generator=generator, device=generator.device).to(z)
        found = cast(Autoencoder, self.autoencoder).decode((z + self.noise * noise).float())
        error = (found[..., : image.shape[-2], : image.shape[-1]] - image).abs()
        error = error * (1 + self.squares * error) if self.squares else error
        return error.flatten(1).mean(dim=1)

    def _shrunk(
        self, image: Tensor, z: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Images and their latents as they are, or, in a share of the calls, made smaller alike."""
        drawn = torch.rand(2, generator=generator, device=generator.device).tolist()
        share = 1 - drawn[1] / 2
        cells = [max(1, round(share * side)) for side in z.shape[-2:]]
        if drawn[0] >= self.shrinking or not len(z):
            return image, z
        pixels = [self.factor * side for side in cells]
        return _resized(self._whole(image), pixels), _resized(z, cells)

    @torch.no_grad()
    def _settled_by(self, of: Callable[[Tensor], Tensor], image: Tensor) -> Tensor:
        """z of an encoder that stays as it is, each image's by itself: in evaluation mode."""
        training = self.autoencoder.training
        self.autoencoder.eval()
        try:
            return of(image)
        finally:
            self.autoencoder.train(training)

    def _encoded(self, image: Tensor) -> Tensor:
        return cast(Autoencoder, self.autoencoder).encode(self._whole(image))

    def _whole(self, image: Tensor) -> Tensor:
        """The images with sides that the factor divides, float32."""
        height, width = image.shape[-2:]
        margin = (0, -width % self.factor, 0, -height % self.factor)
        image = image.float()
        return functional.pad(image, margin, mode="replicate") if any(margin) else image

    def _completed(self, z: Tensor, factual: Tensor, remainder: Tensor) -> Tensor:
        """D(z') and what stays of r; of rows without factual z, whose r is zero, D(z')."""
        factual = factual.to(z)
        factual = torch.where(factual.isnan(), z, factual)
        same = (z - factual).abs() <= ROUNDING
        image = self.decode(torch.where(same, factual, z))
        grain = remainder.abs().flatten(1).median(dim=1).values[:, None, None, None]
        kept = torch.clamp(remainder, -grain, grain)
        return image + torch.lerp(kept, remainder, _gate(image - self.decode(factual)))

    def _joined(self, of: Callable[..., Tensor], *values: Tensor) -> Tensor:
        """What a function gives of all rows, taken by portions."""
        n, (_, height, width) = len(values[0]), self.picture
        portions = torch.arange(n).split(max(1, PORTION // (height * width)))
        if len(portions) < 2:
            return of(*values)
        return torch.cat([of(*(value[rows] for value in values)) for rows in portions])


def _resized(picture: Tensor, sides: list[int]) -> Tensor:
    """Of these sides, no larger than its own."""
    return functional.interpolate(picture.float(), sides, mode="bilinear", antialias=True)


def _gate(change: Tensor) -> Tensor:
    """g of the change of a picture, shape (batch, 1, height, width)."""
    size = change.abs().mean(dim=1, keepdim=True)
    size = functional.max_pool2d(size, WINDOW, stride=1, padding=WINDOW // 2)
    t = ((size - SAME) / (OTHER - SAME)).clamp(0, 1)
    return 1 - t.square() * (3 - 2 * t)


def canvas_of(node: Image, network: nn.Module | None) -> Canvas:
    """The canvas of an image node.

    Args:
        node: the declaration.
        network: the user's own; without a declared latent, it is one of pixels.
    """
    own = network is not None and node.latent is None
    latent = None if own else node.space
    return Pixels(node.shape) if latent is None else LatentCanvas(node.shape, latent)
