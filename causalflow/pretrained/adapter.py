"""Adapter: what is trained beside a network that stays as it is.

    Held       the network, held: moved where the rest goes, never trained, saved or counted
    LowRank    maps of rank r beside its linear maps and convolutions, W x + B A x, B zero at the
               start, so that the network is to the bit what it was
    Branch     a small network of the picture, the time and the parents, whose maps, zero at the
               start, are added to the hidden states of the one that is held

Sources: Hu et al. (2022), LoRA; Zhang, Rao & Agrawala (2023), Adding Conditional Control to
Text-to-Image Diffusion Models (the branch, here smaller than a copy of the way down).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar, cast

from torch import Tensor, nn
from torch.nn import functional

from causalflow.nn.embedding import TimeEmbedding
from causalflow.nn.encoder import zeroed
from causalflow.nn.unet import Block

__all__ = ["Branch", "Held", "LowRank", "Site"]

Moved = TypeVar("Moved", bound=nn.Module)
Site = tuple[nn.Module, int, int, int]
"""A part of a network: itself, the level of the picture it works at, its channels, its maps."""


class Held(nn.Module):
    """A network that is called and moved as a part of a module, and is none.

    Args:
        network: it stays as it is, and in evaluation mode.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self._held = (network.eval().requires_grad_(False),)  # a tuple, which torch does not enter

    @property
    def network(self) -> nn.Module:
        """The network."""
        return self._held[0]

    @property
    def config(self) -> Any:
        """Its configuration."""
        return self.network.config

    def forward(self, *given: Any, **named: Any) -> Any:
        """What the network returns."""
        return self.network(*given, **named)

    def _apply(self: Moved, function: Callable[..., Any], recurse: bool = True) -> Moved:
        cast(Held, self).network._apply(function, recurse)
        return cast(Moved, super()._apply(function, recurse))


class LowRank(nn.Module):
    """A map of low rank beside every linear map and convolution of a network.

    Args:
        network: what is added to; its own weights stay.
        rank: r.
    """

    def __init__(self, network: nn.Module, rank: int) -> None:
        super().__init__()
        self.maps = nn.ModuleList()
        for layer in network.modules():
            if (made := _pair(layer, rank)) is not None:
                self.maps.append(made)
                layer.register_forward_hook(partial(_added, made))


def _pair(layer: nn.Module, rank: int) -> nn.Module | None:
    """B A of a layer; None for one that is no map."""
    if isinstance(layer, nn.Linear):
        first = nn.Linear(layer.in_features, rank, bias=False)
        return nn.Sequential(first, zeroed(nn.Linear(rank, layer.out_features, bias=False)))
    if isinstance(layer, nn.Conv2d) and layer.groups == 1:
        convolution = nn.Conv2d(
            layer.in_channels,
            rank,
            cast(Any, layer.kernel_size),
            cast(Any, layer.stride),
            cast(Any, layer.padding),
            cast(Any, layer.dilation),
            bias=False,
        )
        return nn.Sequential(
            convolution, zeroed(nn.Conv2d(rank, layer.out_channels, 1, bias=False))
        )
    return None


def _added(made: nn.Module, layer: nn.Module, given: tuple[Tensor, ...], output: Tensor) -> Tensor:
    return output + made(given[0])


class Branch(nn.Module):
    """What is added to the hidden states at some sites of a network.

    A site gives one hidden state, or, as a level of a U-Net's way down, a tuple whose second part
    are the states that go across: these are added to, as many as the site has maps.

    Args:
        channels: the channels of the image.
        width: channels of the branch.
        features: length of the condition, from which scale and shift of its blocks are taken.
        patch: pixels of the side of a position at the first level.
        sites: where it is added.
    """

    def __init__(
        self, channels: int, width: int, features: int, patch: int, sites: Sequence[Site]
    ) -> None:
        super().__init__()
        self.patch = patch
        self.time = TimeEmbedding(features)
        self.enter = nn.Conv2d(channels * patch**2, width, 3, padding=1)
        levels = 1 + max(level for _, level, _, _ in sites)
        self.blocks = nn.ModuleList(Block(width, features) for _ in range(levels))
        self.leave = nn.ModuleList(
            nn.ModuleList(zeroed(nn.Conv2d(width, across, 1)) for _ in range(maps))
            for _, _, across, maps in sites
        )
        self._heard: list[Tensor] = []
        for place, (part, level, _, _) in enumerate(sites):
            part.register_forward_hook(partial(self._add, place, level))

    def hear(self, x: Tensor, tau: Tensor, condition: Tensor) -> None:
        """Take what the next call of the network is about, and work it out at every level."""
        embedding = functional.silu(self.time(tau) + condition)
        h = self.enter(functional.pixel_unshuffle(x, self.patch))
        self._heard = []
        for level, block in enumerate(self.blocks):
            h = block(functional.avg_pool2d(h, 2, ceil_mode=True) if level else h, embedding)
            self._heard.append(h)

    def _add(self, place: int, level: int, part: nn.Module, given: Any, output: Any) -> Any:
        """The output of a site, with what is added to it."""
        maps = cast(nn.ModuleList, self.leave[place])
        if isinstance(output, Tensor):
            return output + _as(maps[0](self._heard[level]), output)
        first, across, *rest = output
        added = tuple(
            state + _as(leave(self._heard[level]), state)
            for state, leave in zip(across, maps, strict=True)
        )
        return (first, added, *rest)


def _as(h: Tensor, state: Tensor) -> Tensor:
    """A map at the positions of a state: a picture of another size, or tokens."""
    if state.ndim == 3:
        return h.flatten(2).transpose(1, 2)
    return functional.adaptive_avg_pool2d(h, (state.shape[-2], state.shape[-1]))
