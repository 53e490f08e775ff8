"""Configuration: the sizes that make a guided-diffusion network, U-Net or classifier.

Level l of the ladder has ``widths[l]`` channels and 1/2^l of the image's height and width. A
network is told its time by ``width`` cosines and sines, from which an MLP makes an embedding of
``4 * width`` numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

from causalflow.errors import CheckpointError

__all__ = ["GROUPS", "Configuration"]

GROUPS = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """The sizes of a network. The last three are in no tensor's name or shape.

    Attributes:
        inputs: channels of the image.
        outputs: channels of the prediction; of a classifier the number of classes.
        width: length of the time's features.
        widths: channels of each level.
        blocks: residual blocks of each level on the way down, one more on the way up.
        attention: whether each level attends.
        block_resampling: levels are joined by residual blocks that halve or double; else by
            convolutions.
        scale_shift: the embedding scales and shifts; else it is added.
        classes: number of classes that a U-Net is told; None: none.
        grid: height and width of the last level, where a classifier pools; None: a U-Net.
        head_channels: channels of a head of attention.
        heads: heads of every attention, in place of ``head_channels``.
        legacy_attention: in U-Net blocks the heads are split first, then q, k and v.

    Raises:
        CheckpointError: channels that cannot be split into groups, or into heads.
    """

    inputs: int
    outputs: int
    width: int
    widths: tuple[int, ...]
    blocks: int
    attention: tuple[bool, ...]
    block_resampling: bool = True
    scale_shift: bool = True
    classes: int | None = None
    grid: int | None = None
    head_channels: int = 64
    heads: int | None = None
    legacy_attention: bool = True

    def __post_init__(self) -> None:
        """Refuse what no network can be built with."""
        for channels in self.widths:
            if channels < 1 or channels % GROUPS:
                raise CheckpointError(
                    f"{channels} channels at a level; group norm expects a multiple of {GROUPS}"
                )
        for channels in self._attended():
            self._check_heads(channels)

    @property
    def features(self) -> int:
        """Length of the embedding of the time."""
        return 4 * self.width

    def heads_of(self, channels: int) -> int:
        """The number of heads of an attention over so many channels."""
        return self.heads or channels // self.head_channels

    def _attended(self) -> list[int]:
        """Channels of every attention; the last level always has one, between the two ways."""
        levels = zip(self.widths, self.attention, strict=True)
        return [channels for channels, attends in levels if attends] + [self.widths[-1]]

    def _check_heads(self, channels: int) -> None:
        if self.heads is None:
            if self.head_channels < 1 or channels % self.head_channels:
                raise CheckpointError(
                    f"attention over {channels} channels cannot have heads of "
                    f"{self.head_channels}; shapes do not tell: give head_channels= or heads="
                )
        elif self.heads < 1 or channels % self.heads:
            raise CheckpointError(
                f"attention over {channels} channels cannot have {self.heads} heads; shapes do "
                "not tell: give head_channels= or heads="
            )
