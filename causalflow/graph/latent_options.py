"""Latent options: the space in which an image node's diffusion runs, where it is not the pixels.

    image: {type: image, shape: [3, 64, 64]}                                      the package's own
    image: {type: image, shape: [3, 64, 64], latent: {factor: 4, channels: 4}}    the user's
    image: {type: image, shape: [3, 64, 64], latent: none}                        the pixels

An image whose smaller side has `LATENT_FROM` pixels or more has a latent by itself, a smaller one
where its file says so. What a latent does not hold no intervention can move: where parents change
detail finer than a cell keeps, a smaller factor or the pixels are the choice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from causalflow.errors import CausalflowError, GraphError
from causalflow.options import Names, Number, Options, Text, Whole, option
from causalflow.plugins import AUTOENCODERS

__all__ = ["LATENT_FROM", "PIXELS", "Latent", "latent_of"]

LATENT_FROM = 48
"""The smaller side, in pixels, from which on an image has a latent by itself."""
PIXELS = "none"
"""The name in place of an autoencoder's that leaves an image its pixels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Latent(Options):
    """The latent of an image node: the fields of ``latent:`` in the file.

    All of them are of the fit: changing one means fitting again.

    Attributes:
        factor: how many pixels of a side one cell of the latent stands for, a power of 2; sides
            that it does not divide are padded inside.
        channels: numbers in a cell.
        autoencoder: the network between image and latent: a name, or "none" for the pixels.
        width: channels of the autoencoder's finest level; each coarser one has twice as many.
        folder: where a pretrained autoencoder's files are; None: it is trained with the rest.
        noise: deviations of the noise that the decoder is trained under, of a latent of unit scale.
        squares: weight of the squared error of a pixel, in [-1, 1], beside its absolute one: above
            0, few pixels that are far off count as they are seen, and a thin line is kept.
        shrinking: share of the steps, while the encoder learns, in which a latent made smaller is
            to give the picture made smaller, so that both change alike; 0: none.
        reading: weight, while the encoder learns, of the loss by which the parents are read off the
            latent, so that what they decide is kept in it.
        pace: by how much faster than the fit's other weights, times their learning rate, the
            autoencoder learns.
        share: the part of the fit's steps in which the autoencoder is trained alone; afterwards the
            encoder stays as it is, and the decoder goes on beside the flow.

    Raises:
        GraphError: a name that is no option, or a value out of range.

    Example:
        >>> Latent(factor=4).channels
        16
    """

    title: ClassVar[str] = "latent"
    error: ClassVar[type[CausalflowError]] = GraphError

    factor: int = option(8, Whole(1, 64), phase="network")
    channels: int = option(16, Whole(1, 1024), phase="network")
    autoencoder: str = option("convolutional", Names(AUTOENCODERS, (PIXELS,)), phase="network")
    width: int = option(32, Whole(1, 10_000), phase="network")
    folder: str | None = option(None, Text(), phase="network")
    noise: float = option(0.1, Number(0.0), phase="training")
    squares: float = option(50.0, Number(0.0), phase="training")
    shrinking: float = option(0.5, Number(0.0, 1.0), phase="training")
    reading: float = option(0.1, Number(0.0), phase="training")
    pace: float = option(2.0, Number(0.0, open="low", text="a number above 0"), phase="training")
    share: float = option(
        0.3, Number(0.0, 1.0, open="high", text="a number in [0, 1)"), phase="training"
    )

    def __post_init__(self) -> None:
        """Refuse a factor that is no power of 2 too."""
        Options.__post_init__(self)
        if self.factor & (self.factor - 1):
            raise GraphError(f"latent: factor={self.factor}; expected a power of 2, from 1 to 64")


def latent_of(declared: Latent | None, shape: tuple[int, int, int]) -> Latent | None:
    """The latent of an image of a shape; None: its diffusion runs on pixels.

    Args:
        declared: what its file says; None: nothing.
        shape: (channels, height, width).

    Example:
        >>> latent_of(None, (3, 28, 28)), latent_of(None, (3, 64, 48)) == Latent()
        (None, True)
    """
    if declared is not None:
        return None if declared.autoencoder == PIXELS else declared
    return Latent() if min(shape[1:]) >= LATENT_FROM else None
