"""Trained: what a network that was trained elsewhere tells the engine about itself.

Any module may stand in for the U-Net of an image (`causalflow.diffusion.denoiser`). One that has
the four members of `TrainedNetwork` brings its own weights and its own condition: the options that
it was trained under are checked, the condition is made by the network itself, and the image needs
no fit.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from torch import Tensor

from causalflow.errors import CompileError
from causalflow.graph.schema import Class, Diffusion, Node, Vector

__all__ = ["TrainedNetwork", "check_trained"]


@runtime_checkable
class TrainedNetwork(Protocol):
    """A network with weights of its own, called as ``network(x, tau, condition)``.

    Attributes:
        path: that it was trained on, in `causalflow.diffusion.path.PATHS`.
        prediction: what it predicts, in `causalflow.diffusion.path.PREDICTIONS`.
    """

    path: str
    prediction: str

    def check(self, channels: int, levels: Mapping[str, int | None]) -> None:
        """Refuse images or parents that the network was not trained for.

        Args:
            channels: of the image.
            levels: by neural parent; None for one that is no class.

        Raises:
            CompileError: the reason.
        """

    def condition(self, parents: Mapping[str, Tensor], n: int) -> Tensor:
        """The condition of the neural parents' values, n rows each or one that stands for all."""


def check_trained(
    network: TrainedNetwork,
    channels: int,
    parents: Mapping[str, Node | Vector],
    options: Diffusion,
) -> None:
    """Refuse an image, neural parents or options that the network was not trained for.

    Raises:
        CompileError: what it wants.
    """
    levels = {n: len(p.levels) if isinstance(p, Class) else None for n, p in parents.items()}
    network.check(channels, levels)
    wanted = {"path": network.path, "prediction": network.prediction}
    if any(getattr(options, name) != value for name, value in wanted.items()):
        given = {name: getattr(options, name) for name in wanted}
        raise CompileError(
            f"the network of an image was trained under {_written(wanted)}; its options are "
            f"{_written(given)}: write diffusion: {{{_written(wanted)}}}"
        )
    if options.code:
        raise CompileError(
            f"the network of an image was trained without a semantic code; its options have "
            f"code={options.code}: write diffusion: {{code: 0}}"
        )


def _written(options: Mapping[str, str]) -> str:
    return ", ".join(f"{name}: {value}" for name, value in options.items())
