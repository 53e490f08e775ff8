"""Trunk: the stages of a network, in the order and under the names in which they are published.

A *stage* is a list of modules, run one after the other. On the way down the first is a convolution,
then each level has ``blocks`` stages, a residual block and, where the level attends, an attention;
one stage halves between levels. In the middle stand a block, an attention and a block. On the way
up each level has one more stage than on the way down, each of which is given the hidden state of
one stage of the way down, the last first, beside its own; the level's last stage doubles at its
end.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from causalflow.nn.guided_diffusion.attention import SpatialAttention
from causalflow.nn.guided_diffusion.block import Block, Doubling, Halving, doubled, halved
from causalflow.nn.guided_diffusion.configuration import Configuration

__all__ = ["convert", "middle", "run", "way_down", "way_up"]


def way_down(sizes: Configuration) -> tuple[nn.ModuleList, list[int]]:
    """The stages of the way down, and the channels that each leaves."""
    channels = sizes.widths[0]
    stages = [nn.ModuleList([nn.Conv2d(sizes.inputs, channels, 3, padding=1)])]
    left = [channels]
    for level, width in enumerate(sizes.widths):
        for _ in range(sizes.blocks):
            stages.append(_stage(sizes, level, channels))
            left.append(channels := width)
        if level + 1 < len(sizes.widths):
            stages.append(nn.ModuleList([_halving(sizes, channels)]))
            left.append(channels)
    return nn.ModuleList(stages), left


def middle(sizes: Configuration) -> nn.ModuleList:
    """The stage between the two ways."""
    channels = sizes.widths[-1]
    first, last = (_block(sizes, channels, channels) for _ in range(2))
    return nn.ModuleList([first, _attention(sizes, channels), last])


def way_up(sizes: Configuration, left: Iterable[int]) -> nn.ModuleList:
    """The stages of the way up, given the channels that the stages of the way down leave."""
    stages, left, channels = [], list(left), sizes.widths[-1]
    for level in reversed(range(len(sizes.widths))):
        for k in range(sizes.blocks + 1):
            stage = _stage(sizes, level, channels + left.pop())
            channels = sizes.widths[level]
            if level and k == sizes.blocks:
                stage.append(_doubling(sizes, channels))
            stages.append(stage)
    return nn.ModuleList(stages)


def run(stage: Iterable[nn.Module], h: Tensor, embedding: Tensor) -> Tensor:
    """The hidden state after a stage."""
    for part in stage:
        h = part(h, embedding) if isinstance(part, Block) else part(h)
    return h


def convert(trunk: Iterable[nn.Module], dtype: torch.dtype) -> None:
    """Give the convolutions of the trunk this precision; norms and MLPs keep theirs."""
    for part in trunk:
        for module in part.modules():
            if isinstance(module, nn.Conv1d | nn.Conv2d):
                module.to(dtype)


def _stage(sizes: Configuration, level: int, channels: int) -> nn.ModuleList:
    width = sizes.widths[level]
    attentions = [_attention(sizes, width)] if sizes.attention[level] else []
    return nn.ModuleList([_block(sizes, channels, width), *attentions])


def _block(sizes: Configuration, inputs: int, outputs: int) -> Block:
    return Block(inputs, outputs, sizes.features, scale_shift=sizes.scale_shift)


def _attention(sizes: Configuration, channels: int) -> SpatialAttention:
    return SpatialAttention(channels, sizes.heads_of(channels), legacy=sizes.legacy_attention)


def _halving(sizes: Configuration, channels: int) -> nn.Module:
    if not sizes.block_resampling:
        return Halving(channels)
    shift = sizes.scale_shift
    return Block(channels, channels, sizes.features, scale_shift=shift, resample=halved)


def _doubling(sizes: Configuration, channels: int) -> nn.Module:
    if not sizes.block_resampling:
        return Doubling(channels)
    shift = sizes.scale_shift
    return Block(channels, channels, sizes.features, scale_shift=shift, resample=doubled)
