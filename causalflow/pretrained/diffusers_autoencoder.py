"""Diffusers' autoencoders: those of a folder as the autoencoder of an image node's latent.

    latent: {autoencoder: diffusers, folder: sd-vae}

An ``AutoencoderKL`` or ``AutoencoderTiny`` as ``save_pretrained`` writes it
(`causalflow.pretrained.folder`). It stays as it is, and so do its files: a checkpoint keeps their
digest. A latent is z = (e - shift_factor) scaling_factor, e the mean of what the encoder says, so
that networks which were trained in that latent by diffusers find what they know. Sizes of the
latent are those of the folder, whatever the options say.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn

from causalflow.errors import CompileError
from causalflow.graph.latent_options import Latent
from causalflow.pretrained.adapter import Held
from causalflow.pretrained.folder import Folder, network_in, read_folder

__all__ = ["DiffusersAutoencoder", "diffusers_autoencoder"]

KINDS = ("AutoencoderKL", "AutoencoderTiny")


class DiffusersAutoencoder(nn.Module):
    """An autoencoder of a folder (`causalflow.nn.autoencoder`).

    Args:
        folder: where it lies.
        channels: the channels of the image.

    Raises:
        CompileError: the folder cannot be read, or its autoencoder is of other images.

    Attributes:
        frozen: the digest of the folder, which stays as it is.
    """

    trained = True

    def __init__(self, folder: Folder, channels: int) -> None:
        super().__init__()
        config = folder.config
        ends = (config.get("in_channels", 3), config.get("out_channels", 3))
        if ends != (channels, channels):
            raise CompileError(
                f"{folder.path}: an autoencoder of {ends[0]} channels in and {ends[1]} out; the "
                f"image has {channels}"
            )
        network = cast(Any, network_in(folder))
        if getattr(network.config, "latents_mean", None) is not None:
            raise CompileError(f"{folder.path}: latents_mean, a scale by channel, is not read")
        self.channels = int(network.config.latent_channels)
        self.scale = float(network.config.scaling_factor)
        self.shift = float(getattr(network.config, "shift_factor", None) or 0.0)
        self.frozen = folder.digest()
        self.held = Held(network)
        self.factor = self._factor(channels)

    def encode(self, x: Tensor) -> Tensor:
        """The latents of images in [-1, 1], shape (batch, channel, height, width)."""
        said = cast(Any, self.held.network).encode(x)
        mean = said.latents if hasattr(said, "latents") else said.latent_dist.mode()
        return (mean - self.shift) * self.scale

    def decode(self, z: Tensor) -> Tensor:
        """The images of latents."""
        decoded = cast(Any, self.held.network).decode(z / self.scale + self.shift)
        return cast(Tensor, decoded.sample)

    def _factor(self, channels: int) -> int:
        """How many pixels of a side a cell stands for, as a picture shows."""
        some = next(self.held.network.parameters())
        with torch.no_grad():
            picture = torch.zeros(1, channels, 64, 64, dtype=some.dtype, device=some.device)
            return 64 // int(self.encode(picture).shape[-1])


def diffusers_autoencoder(channels: int, options: Latent) -> nn.Module:
    """The autoencoder in the options' folder.

    Raises:
        CompileError: the options name none, or it cannot serve.
    """
    if options.folder is None:
        raise CompileError("latent: the autoencoder 'diffusers' needs folder=, where it lies")
    return DiffusersAutoencoder(read_folder(options.folder, KINDS), channels)
