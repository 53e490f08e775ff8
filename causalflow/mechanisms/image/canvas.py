"""Canvas: where the flow of an image node runs, the pixels themselves or an autoencoder's latent.

Notation: x an image in [-1, 1]; E and D the two halves of an autoencoder (`causalflow.nn
.autoencoder`); z = E(x); r = x - D(z), the *remainder*, what the autoencoder does not say.

    pixels   z = x, and there is no remainder
    latent   z = E(x), 1/factor of the sides; the flow, the semantic code, the predictors and all
             guidance run on z as they would on pixels

The exogenous noise of the image is (the noise of z, r). A counterfactual abducts z under the
parents' factual values, decodes z' under the others', and paints

    x' = D(z') + g r,      g = ramp(|D(z') - D(z)|),

where the *gate* g, a number a pixel, is 1 where the picture does not change and 0 where it does:
the texture that D misses comes back where it belongs, and none of an object that is gone. The
change is the mean over channels, the largest of a window of `WINDOW` pixels; the ramp falls from 1
at `SAME` to 0 at `OTHER`. A cell that came back within `ROUNDING` is taken to be what it was, so
that z' = z, D(z') + r = x and a null intervention is exact to the precision of a float. Without
remainder (``residual: false``) x' = D(z'). What is drawn has none.

*Fit*: for a first share of the steps E and D learn alone, by the mean of |x - D(z + s n)|, n ~
N(0, I), of which the noise s keeps z smooth; then E stays as it is, z is what the flow learns, and
D goes on beside it. An autoencoder that was trained elsewhere is left as it is throughout.

Source: this project's; Rombach et al. (2022), the two stages.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from causalflow.errors import CompileError
from causalflow.graph.latent_options import Latent
from causalflow.graph.node import Image
from causalflow.mechanisms.mechanism import Noise, chunks, labelled
from causalflow.nn.autoencoder import AUTOENCODERS, Autoencoder

__all__ = ["Canvas", "LatentCanvas", "Pixels", "canvas_of"]

Shape = tuple[int, int, int]

WINDOW, SAME, OTHER = 5, 0.02, 0.1
ROUNDING = 1e-5


class Canvas(Protocol):
    """Both ways between an image and what its flow runs on.

    Attributes:
        shape: of what the flow runs on, (channels, height, width).
        description: in a table of nodes; "" of the pixels.
        begins: the share of a fit's steps after which the flow is fitted.
    """

    shape: Shape
    description: str
    begins: float

    def encode(self, image: Tensor) -> Tensor:
        """z of images in [-1, 1], shape (batch, *self.shape); NaN of rows without image."""

    def decode(self, z: Tensor) -> Tensor:
        """The image of z, differentiable."""

    def kept(self, image: Tensor, z: Tensor) -> dict[str, Tensor]:
        """The part of the noise of factual images that is not the flow's."""

    def drawn(self, n: int, device: torch.device) -> dict[str, Tensor]:
        """The same of n images that are drawn."""

    def painted(self, z: Tensor, noise: Noise, *, remainder: bool) -> Tensor:
        """The images of decoded z, their noise's remainder laid over them, if wanted."""

    def reach(self, share: float) -> None:
        """Be told which share of a fit's steps is done."""

    def learn(self, image: Tensor, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """z of a batch of training, and the canvas's own losses by name, shape (batch,) each."""


class Pixels:
    """The pixels themselves.

    Args:
        shape: of the images.
    """

    description = ""
    begins = 0.0

    def __init__(self, shape: Shape) -> None:
        self.shape = shape

    def encode(self, image: Tensor) -> Tensor:
        """The image."""
        return image

    def decode(self, z: Tensor) -> Tensor:
        """The image."""
        return z

    def kept(self, image: Tensor, z: Tensor) -> dict[str, Tensor]:
        """Nothing."""
        return {}

    def drawn(self, n: int, device: torch.device) -> dict[str, Tensor]:
        """Nothing."""
        return {}

    def painted(self, z: Tensor, noise: Noise, *, remainder: bool) -> Tensor:
        """The image."""
        return z

    def reach(self, share: float) -> None:
        """Nothing depends on it."""

    def learn(self, image: Tensor, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """The images, which have no loss of their own."""
        return image, {}


class LatentCanvas(nn.Module):
    """The latent of an autoencoder.

    Args:
        shape: of the images.
        latent: the options of the node.

    Attributes:
        settled: whether the encoder stays as it is; else the autoencoder is being trained alone.
    """

    def __init__(self, shape: Shape, latent: Latent) -> None:
        super().__init__()
        module = AUTOENCODERS.get(latent.autoencoder)(shape[0], latent)
        self.autoencoder = module
        self.noise = latent.noise
        made = cast(Autoencoder, module)
        self.factor = made.factor
        height, width = (-(-side // self.factor) for side in shape[1:])
        self.shape: Shape = (made.channels, height, width)
        self.size = shape[1:]
        self.begins = 0.0 if made.trained else latent.share
        self.trained = made.trained
        self.settled = True
        if made.trained:
            module.requires_grad_(False)

    @property
    def description(self) -> str:
        """Where the diffusion runs."""
        return f"in a latent of {'x'.join(map(str, self.shape))}"

    def encode(self, image: Tensor) -> Tensor:
        """z of images in [-1, 1], portion by portion; NaN of rows without image."""
        parts = [self._encoded(image[rows]) for rows in _portions(image)]
        return torch.cat(parts) if parts else image.new_zeros(0, *self.shape)

    def decode(self, z: Tensor) -> Tensor:
        """The images of z, in float32."""
        picture = cast(Autoencoder, self.autoencoder).decode(z.float())
        return picture[..., : self.size[0], : self.size[1]]

    def kept(self, image: Tensor, z: Tensor) -> dict[str, Tensor]:
        """z itself, and the remainder."""
        pictures = [self.decode(z[rows]) for rows in _portions(z)]
        return {"latent": z, "remainder": image - torch.cat(pictures)}

    def drawn(self, n: int, device: torch.device) -> dict[str, Tensor]:
        """No remainder."""
        picture = (cast(Autoencoder, self.autoencoder), n)
        return {
            "latent": torch.full((n, *self.shape), torch.nan, device=device),
            "remainder": torch.zeros(n, self._channels, *self.size, device=device),
        }

    def painted(self, z: Tensor, noise: Noise, *, remainder: bool) -> Tensor:
        """D(z'), and g r where an image was abducted."""
        pictures = []
        for rows in _portions(z):
            pictures.append(self._painted(z[rows], noise["latent"][rows], noise["remainder"][rows]))
        return torch.cat(pictures)

    def reach(self, share: float) -> None:
        """From its own share on the encoder stays as it is."""
        self.settled = share >= self.begins

    def learn(self, image: Tensor, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """z, and the mean over pixels of |x - D(z + s n)|; of rows without image 0."""
