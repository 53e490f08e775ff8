"""Diffusers: networks of Hugging Face's diffusers as the network of an image node.

``backbone: diffusers`` in a graph file makes a new U-Net of the node's options, or takes the one
that ``save_pretrained`` has written to a folder (`causalflow.pretrained.folder`):

    diffusion: {backbone: diffusers, folder: ddpm-faces, adapter: lora, rank: 4}

One of a user's own is given in Python:

    network = DiffusersNetwork(UNet2DModel(..., class_embed_type="identity"), features=128)
    model = cf.compile(graph, networks={"image": network})

The engine calls ``network(x, tau, condition)``, the condition a vector of ``features`` numbers,
four times the ``width`` of the node's options. A linear map, the *head*, brings it to the length
that the network takes, and it is heard

    UNet2DModel              as its class embedding, added to that of time
    DiTTransformer2DModel    as the class in every block, added to the vector of no class
    UNet2DConditionModel     as tokens of its cross-attention, in place of a text's

A network of a folder stays as it is, and so do its files: the head is trained, which is zero at the
start where it is added to something, and what the ``adapter`` adds; ``full`` trains all. What it
predicts, and at which levels of noise, says its scheduler's file (`causalflow.pretrained.schedule`)
or, without one, ``path`` and ``prediction`` of the node. Pictures are padded to sizes it divides.

tau in [0, 1] becomes a time step: 1000 tau, which is what a network that is trained here wants; one
with weights of its own is told the place among its levels, by a function ``timestep``.

The package is an extra, ``pip install 'causalflow-engine[diffusers]'``. `DiffusersNetwork` uses it
for the shape of its calls only: any module with the same ``forward`` and ``config`` will do.

Source: of parents in place of a text, Tong et al. (2025), Causal-Adapter: Taming Text-to-Image
Diffusion for Faithful Counterfactual Generation.
"""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from math import gcd
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from causalflow.errors import CompileError
from causalflow.graph.node import Diffusion
from causalflow.nn.backbone import Backbone
from causalflow.nn.encoder import zeroed
from causalflow.pretrained.adapter import Branch, Held, LowRank, Site
from causalflow.pretrained.folder import Folder, imported, network_in, read_folder
from causalflow.pretrained.schedule import LEVELS, Clock, Schedule, schedule_at, schedule_of

__all__ = ["DIFFUSERS", "AdaptedNetwork", "DiffusersNetwork"]

KINDS = ("UNet2DModel", "UNet2DConditionModel", "DiTTransformer2DModel")
TOKENS = 4
"""Tokens that stand for the parents in place of a text."""
ELSE = ("class_embed_type", "num_class_embeds", "addition_embed_type", "encoder_hid_dim_type")
"""What a network with cross-attention may want beside tokens."""


def _level(tau: Tensor) -> Tensor:
    """The timestep of a network with `LEVELS` levels."""
    return LEVELS * tau


class DiffusersNetwork(nn.Module):
    """A network of diffusers, called as the engine calls its networks.

    Args:
        network: a ``UNet2DModel``, ``UNet2DConditionModel`` or ``DiTTransformer2DModel``; it is
            trained with the rest.
        features: length of the condition, four times the ``width`` of the image's options.
        timestep: a function of tau, shape (batch,); default 1000 tau.
        tokens: how many tokens of a cross-attention the condition becomes.

    Raises:
        CompileError: a network that can hear no condition, or that has other outputs than inputs.
    """

    def __init__(
        self,
        network: nn.Module,
        features: int,
        *,
        timestep: Callable[[Tensor], Tensor] = _level,
        tokens: int = 1,
    ) -> None:
        super().__init__()
        self.network, self.timestep = network, timestep
        inner = network.network if isinstance(network, Held) else network
        self._attends = "encoder_hidden_states" in signature(inner.forward).parameters
        self.tokens = tokens if self._attends else 1
        config = getattr(network, "config", None)
        self._square = hasattr(config, "patch_size")
        _check_channels(type(inner).__name__, config, self._square)
        self.multiple = _multiple(config)
        self.condition = nn.Linear(features, self.tokens * self._length(config))

    def forward(self, x: Tensor, tau: Tensor, condition: Tensor) -> Tensor:
        """The output of the network, in the shape of x (batch, channel, height, width)."""
        heard = self.condition(condition)
        told = (
            {"encoder_hidden_states": heard.unflatten(1, (self.tokens, -1))}
            if self._attends
            else {"class_labels": heard}
        )
        height, width = x.shape[-2:]
        padded = self.padded(x)
        output: Tensor = self.network(padded, self.timestep(tau), return_dict=False, **told)[0]
        return output[:, : x.shape[1], :height, :width]

    def padded(self, x: Tensor) -> Tensor:
        """Pictures in a size that the network divides."""
        height, width = (-(-side // self.multiple) * self.multiple for side in x.shape[-2:])
        if self._square:
            height = width = max(height, width)
        return functional.pad(x, (0, width - x.shape[-1], 0, height - x.shape[-2]))

    def _length(self, config: Any) -> int:
        """How many numbers the network hears."""
        if self._square:
            return int(config.num_attention_heads * config.attention_head_dim)
        if not self._attends and config.class_embed_type == "identity":
            own = getattr(config, "time_embedding_dim", None)
            return int(own or 4 * config.block_out_channels[0])
        if self._attends and isinstance(config.cross_attention_dim, int):
            return int(config.cross_attention_dim)
        name = "cross_attention_dim" if self._attends else "class_embed_type"
        wanted = (
            "one whole number" if self._attends else "'identity', by which it hears the parents"
        )
        raise CompileError(f"DiffusersNetwork: {name}={getattr(config, name)!r}; expected {wanted}")


def _check_channels(kind: str, config: Any, is_dit: bool) -> None:
    """Refuse a network that gives other channels than it takes; a DiT may give a variance too."""
    taken, given = (getattr(config, f"{end}_channels", None) for end in ("in", "out"))
    if taken is None or given not in ((taken, None, 2 * taken) if is_dit else (taken,)):
        raise CompileError(
            f"DiffusersNetwork: {kind} with (in_channels, out_channels) = {(taken, given)}; "
            "expected a U-Net of diffusers with as many of both"
        )


def _multiple(config: Any) -> int:
    """What the sides of its pictures are multiples of: a DiT's patch; halvings of a U-Net."""
    levels = len(getattr(config, "block_out_channels", (0,)))
    return int(getattr(config, "patch_size", 1 << (levels - 1)))


class AdaptedNetwork(nn.Module):
    """A network of a folder, and what is trained beside it.

    Args:
        folder: where it lies.
        channels: the channels of the image.
        features: length of the condition.
        options: ``adapter``, ``rank`` and ``width``, and where the folder has no schedule ``path``
            and ``prediction``.

    Raises:
        CompileError: the folder cannot be read, or holds what does not serve this image.

    Attributes:
        schedule: what it was trained under.
        frozen: the digest of the folder, which stays as it is; None: it was a start only.
    """

    def __init__(self, folder: Folder, channels: int, features: int, options: Diffusion) -> None:
        super().__init__()
        _check_serves(folder, channels)
        network = _listening(network_in(folder), folder)
        with torch.device("cpu"):  # an outline of a model has its schedule too
            self.schedule = _schedule(folder, options)
        clock = Clock(self.schedule.alpha_bar, self.schedule.scale)
        is_held = options.adapter != "full"
        self.frozen = folder.digest() if is_held else None
        self.lora = LowRank(network, options.rank) if options.adapter == "lora" else None
        self.branch: Branch | None = None
        if options.adapter == "controlnet":
            patch = network.config.patch_size if folder.kind == KINDS[2] else 1
            self.branch = Branch(channels, options.width, features, patch, _sites(network))
        self.told = DiffusersNetwork(
            Held(network) if is_held else network, features, timestep=clock, tokens=TOKENS
        )
        if folder.kind != "UNet2DConditionModel":
            zeroed(self.told.condition)

    def forward(self, x: Tensor, tau: Tensor, condition: Tensor) -> Tensor:
        """The output of the network, in the shape of x (batch, channel, height, width)."""
        if self.branch is not None:
            self.branch.hear(self.told.padded(x), tau, condition)
        return self.told(x, tau, condition)


class _Heard(nn.Module):
    """A vector in place of a class: added to that of no class."""

    none: Tensor

    def __init__(self, none: Tensor) -> None:
        super().__init__()
        self.register_buffer("none", none.detach().clone())

    def forward(self, told: Tensor) -> Tensor:
        return self.none + told


def _listening(network: nn.Module, folder: Folder) -> Any:
    """The network, made to hear a vector where it heard a class."""
    changed = cast(Any, network)
    if folder.kind == "UNet2DModel":
        length = changed.time_embedding.linear_2.out_features
        table = getattr(changed.class_embedding, "weight", None)
        none = torch.zeros(length) if table is None else table.mean(dim=0)
        changed.class_embedding = _Heard(none)
        changed.register_to_config(class_embed_type="identity", time_embedding_dim=length)
    if folder.kind == "DiTTransformer2DModel":
        for block in changed.transformer_blocks:
            table = block.norm1.emb.class_embedder.embedding_table.weight
            block.norm1.emb.class_embedder = _Heard(table[-1])
    return changed


def _check_serves(folder: Folder, channels: int) -> None:
    """Refuse a network of other channels, or that wants to be told more than parents."""
    own = folder.config.get("in_channels")
    if own != channels:
        raise CompileError(
            f"{folder.path}: a network of {own} channels; the image, or its latent, has {channels}"
        )
    wanted = [name for name in ELSE if folder.config.get(name) is not None]
    if folder.kind == "UNet2DConditionModel" and wanted:
        raise CompileError(
            f"{folder.path}: {wanted[0]}={folder.config[wanted[0]]!r}: it wants to be told more "
            "than a text, in whose place it hears the parents"
        )


def _schedule(folder: Folder, options: Diffusion) -> Schedule:
    """What the folder says it was trained under; else what the options say."""
    if folder.scheduler is None:
        return schedule_at(options.path, options.prediction)
    config, source = folder.scheduler
    own, usual = schedule_of(config, source), Diffusion()
    said = {"path": own.path.name, "prediction": own.prediction}
    for name, value in said.items():
        if getattr(options, name) not in (getattr(usual, name), value):
            raise CompileError(
                f"{name}={getattr(options, name)!r} of an image whose network has a {name} of its "
                f"own, in {source}: leave it out"
            )
    return own


def _sites(network: Any) -> list[Site]:
    """Where a branch is added to: the blocks of a DiT; a U-Net's states across, and its middle."""
    if hasattr(network, "transformer_blocks"):
        return [(block, 0, network.inner_dim, 1) for block in network.transformer_blocks]
    widths = network.config.block_out_channels
    sites = [
        (block, level, width, len(block.resnets) + bool(getattr(block, "downsamplers", None)))
        for level, (block, width) in enumerate(zip(network.down_blocks, widths, strict=True))
    ]
    middle = (
        [] if network.mid_block is None else [(network.mid_block, len(widths) - 1, widths[-1], 1)]
    )
    return [*sites, *middle]


def _made(channels: int, features: int, options: Diffusion) -> nn.Module:
    """The network of the options' folder; without one a new U-Net, a level for each multiplier."""
    if options.folder is not None:
        return AdaptedNetwork(read_folder(options.folder, KINDS), channels, features, options)
    widths = tuple(options.width * multiplier for multiplier in options.multipliers)
    network = imported().UNet2DModel(
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


DIFFUSERS = Backbone(make=_made)
