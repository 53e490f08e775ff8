"""Diffusers: U-Nets of Hugging Face's diffusers as the network of an image node.

``backbone: diffusers`` in a graph file makes one of the node's options; one of your own is given:

    network = DiffusersNetwork(UNet2DModel(..., class_embed_type="identity"), features=128)
    model = cf.compile(graph, networks={"image": network})

The engine calls ``network(x, tau, condition)``, the condition a vector of ``features`` numbers,
four times the ``width`` of the node's options. A linear map brings it to the length that the U-Net
takes, and it is heard

    UNet2DModel, with class_embed_type="identity"   as its class embedding, added to that of time
    UNet2DConditionModel                            as the only token of its cross-attention

tau in [0, 1] becomes a time step: 1000 tau, which is what a U-Net that is trained here wants; one
with weights of its own wants the level that they were trained at, as a function ``timestep``.

The package is an extra, ``pip install 'causalflow-engine[diffusers]'``. `DiffusersNetwork` uses it
for the shape of its calls only: any module with the same ``forward`` and ``config`` will do.
"""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from math import gcd
from typing import Any

from torch import Tensor, nn

from causalflow.errors import CompileError
from causalflow.graph.node import Diffusion
from causalflow.nn.backbone import Backbone

__all__ = ["UNET_2D", "DiffusersNetwork"]

LEVELS = 1000


def _level(tau: Tensor) -> Tensor:
    """The timestep of a network with `LEVELS` levels."""
    return LEVELS * tau


class DiffusersNetwork(nn.Module):
    """A U-Net of diffusers, called as the engine calls its networks.

    Args:
        network: a ``UNet2DModel`` or ``UNet2DConditionModel``; it is trained with the rest.
        features: length of the condition, four times the ``width`` of the image's options.
        timestep: a function of tau, shape (batch,); default 1000 tau.

    Raises:
        CompileError: a U-Net that can hear no condition, or that has other outputs than inputs.
    """

    def __init__(
        self,
        network: nn.Module,
        features: int,
        *,
        timestep: Callable[[Tensor], Tensor] = _level,
    ) -> None:
        super().__init__()
        self.network, self.timestep = network, timestep
        self._attends = "encoder_hidden_states" in signature(network.forward).parameters
        config = getattr(network, "config", None)
        channels = [getattr(config, f"{end}_channels", None) for end in ("in", "out")]
        if None in channels or channels[0] != channels[1]:
            raise CompileError(
                f"DiffusersNetwork: {type(network).__name__} with (in_channels, out_channels) = "
                f"{tuple(channels)}; expected a U-Net of diffusers with as many of both"
            )
        self.condition = nn.Linear(features, self._length(config))

    def forward(self, x: Tensor, tau: Tensor, condition: Tensor) -> Tensor:
        """The output of the U-Net, in the shape of x (batch, channel, height, width)."""
        heard = self.condition(condition)
        told = (
            {"encoder_hidden_states": heard[:, None]} if self._attends else {"class_labels": heard}
        )
        output: Tensor = self.network(x, self.timestep(tau), return_dict=False, **told)[0]
        return output

    def _length(self, config: Any) -> int:
        """How many numbers the U-Net hears."""
        if not self._attends and config.class_embed_type == "identity":
            return 4 * int(config.block_out_channels[0])
        if self._attends and isinstance(config.cross_attention_dim, int):
            return int(config.cross_attention_dim)
        name = "cross_attention_dim" if self._attends else "class_embed_type"
        wanted = (
            "one whole number" if self._attends else "'identity', by which it hears the parents"
        )
        raise CompileError(f"DiffusersNetwork: {name}={getattr(config, name)!r}; expected {wanted}")


def _unet_2d(channels: int, features: int, options: Diffusion) -> nn.Module:
    """A ``UNet2DModel`` with one level for each of the options' multipliers."""
    try:
        from diffusers import UNet2DModel
    except ImportError:
        raise CompileError(
            "backbone 'diffusers' needs that package: pip install 'causalflow-engine[diffusers]'"
        ) from None
    widths = tuple(options.width * multiplier for multiplier in options.multipliers)
    network = UNet2DModel(
        in_channels=channels,
        out_channels=channels,
        block_out_channels=widths,
        down_block_types=("DownBlock2D",) * len(widths),
        up_block_types=("UpBlock2D",) * len(widths),
        layers_per_block=options.blocks,
        norm_num_groups=gcd(32, *widths),
        class_embed_type="identity",
    )
    return DiffusersNetwork(network, features)


UNET_2D = Backbone(make=_unet_2d)
