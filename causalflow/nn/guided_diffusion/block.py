"""Block: a residual block that hears an embedding, and what joins one level to the next.

Notation: h hidden channels, e the embedding, r the resampling (none, halved by average pooling, or
doubled by nearest neighbour), a and b the two halves of a linear map of silu(e):

    h <- skip(r(h)) + conv(silu((1 + a) norm(u) + b)),     u = conv(r(silu(norm(h))))

without scale-shift the map has one half, and silu(norm(u + b)) is convolved. skip is a 1x1
convolution where the channels change, else nothing. Levels may also be joined by a convolution with
stride 2 (down) or after doubling (up).

Source: Dhariwal & Nichol (2021), Diffusion Models Beat GANs, section 3 (adaptive group norm,
BigGAN's residual blocks for resampling).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from torch import Tensor, nn
from torch.nn import functional

from causalflow.nn.guided_diffusion.norm import Norm

__all__ = ["Block", "Doubling", "Halving", "doubled", "halved"]

Resample: TypeAlias = Callable[[Tensor], Tensor]


def halved(h: Tensor) -> Tensor:
    """Half the height and width, by average pooling."""
    return functional.avg_pool2d(h, 2)


def doubled(h: Tensor) -> Tensor:
    """Twice the height and width, by nearest neighbour."""
    return functional.interpolate(h, scale_factor=2.0, mode="nearest")


class Halving(nn.Module):
    """A convolution with stride 2."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.op = nn.Conv2d(channels, channels, 3, stride=2, padding=1)

    def forward(self, h: Tensor) -> Tensor:
        """Half the height and width."""
        return self.op(h)


class Doubling(nn.Module):
    """A convolution of the doubled image."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, h: Tensor) -> Tensor:
        """Twice the height and width."""
        return self.conv(doubled(h))


class Block(nn.Module):
    """A residual block.

    Args:
        inputs: channels of h.
        outputs: channels of the next h.
        features: length of the embedding.
        scale_shift: whether the embedding scales too.
        resample: `halved`, `doubled` or None.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        features: int,
        *,
        scale_shift: bool,
        resample: Resample | None = None,
    ) -> None:
        super().__init__()
        self.resample, self.scale_shift = resample, scale_shift
        heard = 2 * outputs if scale_shift else outputs
        self.in_layers = nn.Sequential(
            Norm(inputs), nn.SiLU(), nn.Conv2d(inputs, outputs, 3, padding=1)
        )
        self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(features, heard))
        # The third place is that of the dropout, which the names count and an answer leaves out.
        self.out_layers = nn.Sequential(
            Norm(outputs), nn.SiLU(), nn.Identity(), nn.Conv2d(outputs, outputs, 3, padding=1)
        )
        self.skip_connection = nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1)

    def forward(self, h: Tensor, embedding: Tensor) -> Tensor:
        """The next hidden state, given the embedding (batch, features)."""
        change = self.in_layers[1](self.in_layers[0](h))
        if self.resample is not None:
            change, h = self.resample(change), self.resample(h)
        change = self._heard(self.in_layers[2](change), embedding)
        return self.skip_connection(h) + self.out_layers[1:](change)

    def _heard(self, change: Tensor, embedding: Tensor) -> Tensor:
        """The normalised change that has heard the embedding."""
        heard, norm = self.emb_layers(embedding).to(change.dtype)[..., None, None], self.out_layers
        if not self.scale_shift:
            return norm[0](change + heard)
        scale, shift = heard.chunk(2, dim=1)
        return norm[0](change) * (1 + scale) + shift
