"""A second writing of guided diffusion's networks, in plain loops, and small networks of it.

`reference` walks a state dict by its names alone and shares no code with the package.
"""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from causalflow.pretrained.adm_file import network_of, shapes_of
from causalflow.pretrained.adm_layers import Configuration

SMALL = Configuration(
    inputs=3,
    outputs=6,
    width=32,
    widths=(32, 32),
    blocks=1,
    attention=(False, True),
    head_channels=16,
)
SMALL_POOLED = replace(SMALL, outputs=5, grid=4)
LARGE = replace(SMALL, widths=(32, 64, 64), blocks=2, attention=(False, True, False))
LARGE_POOLED = replace(LARGE, outputs=10, grid=2)


def draw(seed: int, *shape: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def weights(shapes: dict[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """Random weights: of unit gain, norms near the identity."""
    state = {}
    for seed, (name, shape) in enumerate(shapes.items()):
        fan_in = math.prod(shape[1:]) if len(shape) > 1 else 10
        state[name] = draw(seed, *shape) / math.sqrt(fan_in)
        if len(shape) == 1 and name.endswith("weight"):
            state[name] += 1
    return state


def made(sizes: Configuration) -> torch.nn.Module:
    network = network_of(sizes).double()
    network.load_state_dict(weights(shapes_of(sizes)))
    return network.requires_grad_(False)


def file(folder: Path, name: str, sizes: Configuration) -> Path:
    torch.save(weights(shapes_of(sizes)), folder / name)
    return folder / name


def normal(h: Tensor, state: dict[str, Tensor], name: str) -> Tensor:
    rows = h.reshape(len(h), 32, -1)
    rows = rows - rows.mean(dim=-1, keepdim=True)
    rows = rows / (rows.square().mean(dim=-1, keepdim=True) + 1e-5).sqrt()
    shape = (1, -1, *[1] * (h.ndim - 2))
    weight, bias = (state[f"{name}.{part}"].reshape(shape) for part in ("weight", "bias"))
    return rows.reshape(h.shape) * weight + bias


def silu(h: Tensor) -> Tensor:
    return h / (1 + torch.exp(-h))


def conv(h: Tensor, state: dict[str, Tensor], name: str, stride: int = 1) -> Tensor:
    weight, bias = state[f"{name}.weight"], state[f"{name}.bias"]
    if weight.ndim == 3:
        return functional.conv1d(h, weight, bias)
    return functional.conv2d(h, weight, bias, stride=stride, padding=weight.shape[-1] // 2)


def affine(h: Tensor, state: dict[str, Tensor], name: str) -> Tensor:
    return h @ state[f"{name}.weight"].T + state[f"{name}.bias"]


def head(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """One head of one row, (d, T) each."""
    scale = 1 / math.sqrt(math.sqrt(len(q)))
    scores = torch.exp((q * scale).T @ (k * scale))
    return v @ (scores / scores.sum(dim=1, keepdim=True)).T


def attended(qkv: Tensor, heads: int, order: str) -> Tensor:
    """All heads, one by one: "legacy" q1 k1 v1 q2 k2 v2 ..., "new" q1 q2 .. k1 k2 .. v1 v2 .."""
    channels = qkv.shape[1] // 3
    d, rows = channels // heads, []
    for row in qkv:
        parts = []
        for i in range(heads):
            starts = [(3 * i + j) * d for j in range(3)]
            if order == "new":
                starts = [j * channels + i * d for j in range(3)]
            parts.append(head(*(row[start : start + d] for start in starts)))
        rows.append(torch.cat(parts))
    return torch.stack(rows)


def attention(h: Tensor, state: dict[str, Tensor], name: str, d: int, order: str) -> Tensor:
    flat = h.reshape(*h.shape[:2], -1)
    qkv = conv(normal(flat, state, f"{name}.norm"), state, f"{name}.qkv")
    change = conv(attended(qkv, h.shape[1] // d, order), state, f"{name}.proj_out")
    return h + change.reshape(h.shape)


def resampled(h: Tensor, way: str) -> Tensor:
    if way == "down":
        return sum(h[..., i::2, j::2] for i in (0, 1) for j in (0, 1)) / 4
    return h.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3) if way == "up" else h


def block(
    h: Tensor, embedding: Tensor, state: dict[str, Tensor], name: str, way: str = ""
) -> Tensor:
    change = resampled(silu(normal(h, state, f"{name}.in_layers.0")), way)
    change = conv(change, state, f"{name}.in_layers.2")
    heard = affine(silu(embedding), state, f"{name}.emb_layers.1")[:, :, None, None]
    channels = change.shape[1]
    if heard.shape[1] == 2 * channels:
        change = normal(change, state, f"{name}.out_layers.0")
        change = change * (1 + heard[:, :channels]) + heard[:, channels:]
    else:
        change = normal(change + heard, state, f"{name}.out_layers.0")
    change = conv(silu(change), state, f"{name}.out_layers.3")
    h = resampled(h, way)
    if f"{name}.skip_connection.weight" in state:
        h = conv(h, state, f"{name}.skip_connection")
    return h + change


def features(t: Tensor, width: int) -> Tensor:
    rows = []
    for step in t.tolist():
        angles = [step * 10_000 ** (-2 * k / width) for k in range(width // 2)]
        rows.append([math.cos(a) for a in angles] + [math.sin(a) for a in angles])
    return torch.tensor(rows, dtype=torch.float64)


def reference(
    sizes: Configuration,
    state: dict[str, Tensor],
    x: Tensor,
    t: Tensor,
    label: Tensor | None = None,
) -> Tensor:
    """The network of a state dict; ``sizes`` tells the heads' channels and where levels end."""
    embedding = affine(features(t, sizes.width), state, "time_embed.0")
    embedding = affine(silu(embedding), state, "time_embed.2")
    if label is not None:
        embedding = embedding + state["label_emb.weight"][label]
    order = "legacy" if sizes.legacy_attention else "new"

    def stage(h: Tensor, name: str, way: str) -> Tensor:
        for part in range(3):
            place = f"{name}.{part}"
            if f"{place}.in_layers.0.weight" in state:
                up = way == "up" and part > 0
                h = block(h, embedding, state, place, way if way == "down" or up else "")
            elif f"{place}.qkv.weight" in state:
                h = attention(h, state, place, sizes.head_channels, order)
            elif f"{place}.op.weight" in state:
                h = conv(h, state, f"{place}.op", stride=2)
            elif f"{place}.conv.weight" in state:
                h = conv(resampled(h, "up"), state, f"{place}.conv")
            elif f"{place}.weight" in state:
                h = conv(h, state, place)
        return h

    h, kept, period = x, [], sizes.blocks + 1
    for k in range(len(sizes.widths) * period):
        h = stage(h, f"input_blocks.{k}", "down" if k and k % period == 0 else "")
        kept.append(h)
    h = stage(h, "middle_block", "")
    if "out.2.weight" in state:
        for k in range(len(kept)):
            h = stage(torch.cat([h, kept.pop()], dim=1), f"output_blocks.{k}", "up")
        return conv(silu(normal(h, state, "out.0")), state, "out.2")
    h = silu(normal(h, state, "out.0")).reshape(*h.shape[:2], -1)
    h = torch.cat([h.mean(dim=-1, keepdim=True), h], dim=-1) + state["out.2.positional_embedding"]
    qkv = conv(h, state, "out.2.qkv_proj")
    pooled = attended(qkv, h.shape[1] // sizes.head_channels, "new")
    return conv(pooled, state, "out.2.c_proj")[:, :, 0]
