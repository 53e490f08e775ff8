"""ADM networks: the published U-Net, and the published classifier of noisy images.

A network is a list of *stages*, in the order and under the names in which they are published; a
stage is a list of modules, run one after the other. On the way down the first is a convolution,
then each level has ``blocks`` stages, a residual block and, where the level attends, an attention;
one stage halves between levels. In the middle stand a block, an attention and a block. On the way
up each level has one more stage than on the way down, each of which is given the hidden state of
one stage of the way down, the last first, beside its own, channels after channels; the level's last
stage doubles at its end. The classifier is the way down and the middle, and a pool.

The embedding is that of the step, plus a learned vector of the class where the network is told one.

Source: Dhariwal & Nichol (2021), Diffusion Models Beat GANs on Image Synthesis.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import torch
from torch import Tensor, nn

from causalflow.errors import CompileError
from causalflow.pretrained.adm_layers import (
    AttentionPool,
    Block,
    Configuration,
    Doubling,
    Halving,
    Norm,
    SpatialAttention,
    doubled,
    embedded,
    halved,
    step_mlp,
)

__all__ = ["Classifier", "UNet", "convert", "middle", "run", "way_down", "way_up"]


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


class UNet(nn.Module):
    """The network of a configuration."""

    def __init__(self, sizes: Configuration) -> None:
        super().__init__()
        self.sizes = sizes
        self.time_embed = step_mlp(sizes.width, sizes.features)
        self.label_emb = _vectors(sizes)
        self.input_blocks, left = way_down(sizes)
        self.middle_block = middle(sizes)
        self.output_blocks = way_up(sizes, left)
        end = sizes.widths[0]
        self.out = nn.Sequential(Norm(end), nn.SiLU(), nn.Conv2d(end, sizes.outputs, 3, padding=1))

    def forward(self, x: Tensor, t: Tensor, condition: Tensor | None = None) -> Tensor:
        """The prediction at x.

        Args:
            x: shape (batch, inputs, height, width), both multiples of 2^(levels - 1).
            t: steps, shape (batch,).
            condition: what `label_vectors` makes of the classes; None: nothing is added.

        Returns:
            Shape (batch, outputs, height, width), in the precision of x.

        Raises:
            CompileError: a height or width that the levels do not divide.
        """
        self._check_size(x)
        embedding = embedded(t, self.time_embed, self.sizes.width)
        embedding = embedding if condition is None else embedding + condition
        h, states = x.to(self.dtype), []
        for stage in self.input_blocks:
            h = run(cast(nn.ModuleList, stage), h, embedding)
            states.append(h)
        h = run(self.middle_block, h, embedding)
        for stage in self.output_blocks:
            h = run(cast(nn.ModuleList, stage), torch.cat([h, states.pop()], dim=1), embedding)
        return self.out(h.to(x.dtype))

    def label_vectors(self, labels: Tensor) -> Tensor:
        """The vectors of the classes, shape (batch,), as (batch, features); 0 for a missing one."""
        assert self.label_emb is not None, "a class is given to a network that is told none"
        return torch.where((labels >= 0)[:, None], self.label_emb(labels.long().clamp_min(0)), 0.0)

    @property
    def dtype(self) -> torch.dtype:
        """The precision of the convolutions."""
        return cast(nn.Conv2d, cast(nn.ModuleList, self.input_blocks[0])[0]).weight.dtype

    def convert(self, dtype: torch.dtype) -> UNet:
        """Give the convolutions of the trunk this precision; returns the network itself."""
        convert((self.input_blocks, self.middle_block, self.output_blocks), dtype)
        return self

    def _check_size(self, x: Tensor) -> None:
        multiple = 2 ** (len(self.sizes.widths) - 1)
        height, width = x.shape[-2:]
        if height % multiple or width % multiple:
            raise CompileError(
                f"a network of {len(self.sizes.widths)} levels is given images of {height} x "
                f"{width}; expected multiples of {multiple}"
            )


def _vectors(sizes: Configuration) -> nn.Embedding | None:
    """A vector for each class, not drawn: a file has them."""
    if sizes.classes is None:
        return None
    return nn.Embedding.from_pretrained(torch.zeros(sizes.classes, sizes.features), freeze=False)


class Classifier(nn.Module):
    """The classifier of a configuration, whose grid is given."""

    def __init__(self, sizes: Configuration) -> None:
        super().__init__()
        assert sizes.grid is not None, "a classifier pools over a grid"
        self.sizes = sizes
        self.side = sizes.grid * 2 ** (len(sizes.widths) - 1)
        self.time_embed = step_mlp(sizes.width, sizes.features)
        self.input_blocks, _ = way_down(sizes)
        self.middle_block = middle(sizes)
        end = sizes.widths[-1]
        pool = AttentionPool(end, sizes.heads_of(end), sizes.grid, sizes.outputs)
        self.out = nn.Sequential(Norm(end), nn.SiLU(), pool)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        """The logits at x.

        Args:
            x: shape (batch, inputs, side, side).
            t: steps, shape (batch,).

        Returns:
            Shape (batch, outputs), in the precision of x.

        Raises:
            CompileError: an image of another size.
        """
        if x.shape[-2:] != (self.side, self.side):
            height, width = x.shape[-2:]
            raise CompileError(
                f"a classifier of images of {self.side} x {self.side} is given {height} x {width}"
            )
        embedding = embedded(t, self.time_embed, self.sizes.width)
        h = x.to(self.dtype)
        for stage in self.input_blocks:
            h = run(cast(nn.ModuleList, stage), h, embedding)
        return self.out(run(self.middle_block, h, embedding).to(x.dtype))

    @property
    def dtype(self) -> torch.dtype:
        """The precision of the convolutions."""
        return cast(nn.Conv2d, cast(nn.ModuleList, self.input_blocks[0])[0]).weight.dtype

    def convert(self, dtype: torch.dtype) -> Classifier:
        """Give the convolutions of the trunk this precision; returns the network itself."""
        convert((self.input_blocks, self.middle_block), dtype)
        return self
