"""DiT: a transformer over the patches of an image, conditioned on a vector.

Notation: p the side of a patch, h its tokens, shape (batch, token, channel), e the embedding, shape
(batch, features). An image, padded to a multiple of p, is cut into patches of p x p pixels, each
mapped to a token; to every token the position of its patch is added, and the blocks are

    h <- h + g_1(e) attention(ada_1(h, e)),   h <- h + g_2(e) mlp(ada_2(h, e)),
    ada(h, e) = (1 + a(e)) norm(h) + b(e),

with layer norms, and a, b and the gates g linear in e and zero at the start (*adaLN-zero*): every
block starts as the identity. A last ada and a linear map, zero too, give each token's patch, so the
net starts as the constant 0.

The position (i, j) of a patch is told by sines and cosines of the angles i omega_k and j omega_k, a
half of the channels each, omega_k geometric from 1 to 1 / 10,000: any height and width will do.

Source: Peebles & Xie (2023), Scalable Diffusion Models with Transformers.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from causalflow.errors import CompileError
from causalflow.nn.attention import SelfAttention
from causalflow.nn.encoder import zeroed

__all__ = ["DiT", "DiTBlock", "positions"]

LONGEST = 10_000.0


def positions(rows: int, columns: int, channels: int, like: Tensor) -> Tensor:
    """The places of a grid's patches, shape (rows * columns, channels); channels divisible by 4."""
    exponents = torch.arange(channels // 4, dtype=torch.float32, device=like.device)
    omega = LONGEST ** (-exponents / (channels // 4))
    down, across = (
        torch.arange(n, dtype=torch.float32, device=like.device)[:, None] * omega
        for n in (rows, columns)
    )
    parts = [
        torch.cat([angles.sin(), angles.cos()], dim=-1).expand(rows, columns, -1)
        for angles in (down[:, None], across[None])
    ]
    return torch.cat(parts, dim=-1).flatten(0, 1).to(like.dtype)


class DiTBlock(nn.Module):
    """A block of ``channels`` channels in ``heads`` heads, given ``features`` numbers."""

    def __init__(self, channels: int, heads: int, features: int) -> None:
        super().__init__()
        self.attention = SelfAttention(channels, heads)
        self.mlp = nn.Sequential(
            nn.Linear(channels, 4 * channels),
            nn.GELU(approximate="tanh"),
            nn.Linear(4 * channels, channels),
        )
        self.modulation = zeroed(nn.Linear(features, 6 * channels))

    def forward(self, h: Tensor, embedding: Tensor) -> Tensor:
        """The next tokens; same shape as h."""
        told = self.modulation(embedding)[:, None].chunk(6, dim=-1)
        scale, shift, gate, scale_mlp, shift_mlp, gate_mlp = told
        h = h + gate * self.attention(_modulated(h, scale, shift))
        return h + gate_mlp * self.mlp(_modulated(h, scale_mlp, shift_mlp))


class DiT(nn.Module):
    """The network; any height and width, padded inside to a multiple of the patch.

    Args:
        channels: the channels of the image, both in and out.
        width: the channels of a token.
        patch: p, pixels of a patch's side.
        depth: the number of blocks.
        heads: the heads of an attention, which divide the width.
        features: length of the embedding.

    Raises:
        CompileError: a width that the heads, or 4, do not divide.
    """

    def __init__(
        self, channels: int, width: int, patch: int, depth: int, heads: int, features: int
    ) -> None:
        super().__init__()
        if width % 4:
            raise CompileError(f"a DiT with tokens of {width} channels; expected a multiple of 4")
        self.patch, self.width = patch, width
        self.enter = nn.Linear(channels * patch**2, width)
        self.blocks = nn.ModuleList(DiTBlock(width, heads, features) for _ in range(depth))
        self.modulation = zeroed(nn.Linear(features, 2 * width))
        self.leave = zeroed(nn.Linear(width, channels * patch**2))

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        """The value at x (batch, channels, height, width) and embedding (batch, features)."""
        height, width = x.shape[-2:]
        x = functional.pad(x, (0, -width % self.patch, 0, -height % self.patch))
        rows, columns = (side // self.patch for side in x.shape[-2:])
        h = self.enter(functional.pixel_unshuffle(x, self.patch).flatten(2).transpose(1, 2))
        h = h + positions(rows, columns, self.width, h)
        for block in self.blocks:
            h = block(h, embedding)
        scale, shift = self.modulation(embedding)[:, None].chunk(2, dim=-1)
        h = self.leave(_modulated(h, scale, shift)).transpose(1, 2).unflatten(2, (rows, columns))
        return functional.pixel_shuffle(h, self.patch)[..., :height, :width]


def _modulated(h: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    return torch.addcmul(shift, functional.layer_norm(h, h.shape[-1:], eps=1e-6), 1 + scale)
