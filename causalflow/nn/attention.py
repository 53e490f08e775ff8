"""Attention: tokens look at each other, softmax(q k' / sqrt(d)) v in several heads.

Notation: h tokens, shape (batch, token, channel); q, k and v linear maps of h, cut into heads of d
channels each; every head has a softmax of its own, over the tokens that are looked at.

Source: Vaswani et al. (2017), Attention Is All You Need, section 3.2.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from causalflow.errors import CompileError
from causalflow.nn.encoder import zeroed

__all__ = ["SelfAttention"]


class SelfAttention(nn.Module):
    """What every token reads off all tokens; zero at the start, if asked.

    Args:
        channels: the channels of a token, in and out.
        heads: the number of heads, which divides the channels.
        zero: start as the constant 0.

    Raises:
        CompileError: heads that do not divide the channels.
    """

    def __init__(self, channels: int, heads: int, *, zero: bool = False) -> None:
        super().__init__()
        if channels % heads:
            raise CompileError(
                f"heads={heads} of an attention over {channels} channels; expected a number that "
                "divides them"
            )
        self.heads = heads
        self.qkv = nn.Linear(channels, 3 * channels)
        leave = nn.Linear(channels, channels)
        self.leave = zeroed(leave) if zero else leave

    def forward(self, h: Tensor) -> Tensor:
        """The value at h, shape (batch, token, channel); same shape."""
        q, k, v = self.qkv(h).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        read: Tensor = functional.scaled_dot_product_attention(q, k, v)
        return self.leave(read.transpose(1, 2).flatten(2))
