"""Attention: over the positions of an image, and as the pool that a classifier ends in.

Notation: h hidden channels at T positions, shape (batch, channels, T); each of H heads has d
channels. A head mixes the values of all positions by

    a = v softmax((q d^-1/4)^T (k d^-1/4))^T,

q and k scaled each by itself, so that half precision does not overflow, the softmax in float32.
One map gives the 3 channels H of q, k and v together. They lie in it in one of two orders:

    legacy   head 1: q k v, head 2: q k v, ...    the blocks of a U-Net and of a classifier
    new      q of all heads, k of all heads, v of all heads    the pool, always

Source: Dhariwal & Nichol (2021), Diffusion Models Beat GANs, section 3; Radford et al. (2021),
CLIP, section 2.4 (the pool).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from causalflow.nn.guided_diffusion.norm import Norm, precise

__all__ = ["AttentionPool", "SpatialAttention", "mixed"]


def mixed(qkv: Tensor, heads: int, *, legacy: bool) -> Tensor:
    """The mixed values of all heads.

    Args:
        qkv: q, k and v of all heads, shape (batch, 3 channels, T).
        heads: how many there are.
        legacy: the order of the channels.

    Returns:
        Shape (batch, channels, T), the heads one after the other.
    """
    batch, _, positions = qkv.shape
    if legacy:
        q, k, v = qkv.reshape(batch, heads, 3, -1, positions).unbind(dim=2)
    else:
        q, k, v = qkv.reshape(batch, 3, heads, -1, positions).unbind(dim=1)
    scale = q.shape[2] ** -0.25
    scores = (q * scale).transpose(2, 3) @ (k * scale)
    weights = precise(scores).softmax(dim=-1).to(v.dtype)
    return (v @ weights.transpose(2, 3)).reshape(batch, -1, positions)


class SpatialAttention(nn.Module):
    """Every position of an image attends to every other; added to what comes in.

    Args:
        channels: of h.
        heads: a divisor of them.
        legacy: the order of q, k and v.
    """

    def __init__(self, channels: int, heads: int, *, legacy: bool) -> None:
        super().__init__()
        self.heads, self.legacy = heads, legacy
        self.norm = Norm(channels)
        self.qkv = nn.Conv1d(channels, 3 * channels, 1)
        self.proj_out = nn.Conv1d(channels, channels, 1)

    def forward(self, h: Tensor) -> Tensor:
        """The next hidden state; same shape as h, (batch, channels, height, width)."""
        flat = h.flatten(2)
        change = mixed(self.qkv(self.norm(flat)), self.heads, legacy=self.legacy)
        return (flat + self.proj_out(change)).reshape(h.shape)


class AttentionPool(nn.Module):
    """What one more position, the mean of all, finds when it attends to them.

    Args:
        channels: of h.
        heads: a divisor of them.
        grid: height and width of h; each position has a learned vector.
        outputs: length of the result.
    """

    def __init__(self, channels: int, heads: int, grid: int, outputs: int) -> None:
        super().__init__()
        self.heads = heads
        self.positional_embedding = nn.Parameter(torch.zeros(channels, grid**2 + 1))
        self.qkv_proj = nn.Conv1d(channels, 3 * channels, 1)
        self.c_proj = nn.Conv1d(channels, outputs, 1)

    def forward(self, h: Tensor) -> Tensor:
        """(batch, channels, grid, grid) -> (batch, outputs)."""
        flat = h.flatten(2)
        flat = torch.cat([flat.mean(dim=-1, keepdim=True), flat], dim=-1)
        flat = flat + self.positional_embedding.to(flat.dtype)
        return self.c_proj(mixed(self.qkv_proj(flat), self.heads, legacy=False))[:, :, 0]
