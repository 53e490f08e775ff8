"""Backbone: the network of an image's diffusion model, by name.

A backbone is made by ``make(channels, features, options)``: channels of the image, length of the
condition (what the network is told of the parents), and the options of the image node, whose
``width``, ``multipliers``, ``blocks`` and others of the kind it may read. The network is called as

    network(x, tau, condition)      x (batch, channel, height, width), tau (batch,) in [0, 1],
                                    condition (batch, features); the result has the shape of x
    network(x, embedding)           where it is `embedded`: time and condition are made one vector,
                                    (batch, features), before it is called

A backbone with ``waves`` is told continuous parents by as many sines and cosines beside their
values (`causalflow.nn.embedding`): what is a place in the picture is then told sharply.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from torch import nn

from causalflow import plugins
from causalflow.errors import CompileError
from causalflow.graph.node import Diffusion
from causalflow.nn.dit import DiT
from causalflow.nn.residual import ResidualNet
from causalflow.nn.unet import PatchUNet, UNet
from causalflow.registry import Registry

__all__ = ["BACKBONES", "OWN", "Backbone", "as_backbone"]

Make: TypeAlias = Callable[[int, int, Diffusion], nn.Module]


@dataclass(frozen=True, slots=True, kw_only=True)
class Backbone:
    """How a network is made.

    Attributes:
        make: ``make(channels, features, options)``.
        embedded: it is called as ``network(x, embedding)``.
        waves: by how many frequencies continuous parents are told.
    """

    make: Make
    embedded: bool = False
    waves: int = 0


BACKBONES: Registry[Backbone] = plugins.BACKBONES


def as_backbone(name: str, given: object) -> Backbone:
    """A backbone of the user's own: a `Backbone`, or what makes the network.

    Args:
        name: the backbone's name.
        given: a function or class called as ``given(channels, features, options)``; its attribute
            ``embedded``, if True, says that time and condition come as one vector.

    Raises:
        CompileError: neither.
    """
    if isinstance(given, Backbone):
        return given
    if not callable(given):
        raise CompileError(
            f"backbone '{name}': expected a function of channels, features and options, that makes "
            "a torch.nn.Module"
        )
    return Backbone(make=given, embedded=bool(getattr(given, "embedded", False)))


def _unet(channels: int, features: int, options: Diffusion) -> nn.Module:
    return UNet(
        channels,
        options.width,
        options.multipliers,
        options.blocks,
        features,
        attention=options.attention,
        heads=options.heads,
    )


def _dit(channels: int, features: int, options: Diffusion) -> nn.Module:
    """A DiT whose tokens are as long as its embedding."""
    return DiT(channels, features, options.patch, options.depth, options.heads, features)


def _residual(channels: int, features: int, options: Diffusion) -> nn.Module:
    """As many channels as its embedding has."""
    return ResidualNet(channels, features, options.depth, features)


def _patch_unet(channels: int, features: int, options: Diffusion) -> nn.Module:
    return PatchUNet(channels, options.patch, lambda inner: _unet(inner, features, options))


UNET = Backbone(make=_unet, embedded=True)
RESIDUAL = Backbone(make=_residual, embedded=True, waves=5)
DIT = Backbone(make=_dit, embedded=True)
PATCH_UNET = Backbone(make=_patch_unet, embedded=True)

OWN = (UNet, ResidualNet, DiT, PatchUNet)
"""The networks of the package, whose gradients are right in bfloat16 too (`tests/nn`)."""
