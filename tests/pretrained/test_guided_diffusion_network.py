"""The published functions, each against a second writing of it in plain loops.

`reference` below walks a state dict by its names alone and shares no code with the package. The
networks have random weights, of a size that keeps hidden states near one, in float64; both sides
compute the angles of the steps in float32, where they err by 1e-7 of at most 1000.
"""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from causalflow.errors import CompileError
from causalflow.pretrained.adm_file import network_of, shapes_of
from causalflow.pretrained.adm_layers import (
    AttentionPool,
    Block,
    Configuration,
    Norm,
    doubled,
    halved,
    mixed,
    step_features,
)

UNET = Configuration(
    inputs=3,
    outputs=6,
    width=32,
    widths=(32, 64, 64),
    blocks=2,
    attention=(False, True, False),
    head_channels=16,
)
POOLED = replace(UNET, outputs=10, grid=2)
ANGLES = {"rtol": 0.0, "atol": 3e-4}  # 1000 * 2^-24 * a few roundings


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


VARIANTS = {
    "as published": UNET,
    "pooled": POOLED,
    "told the class": replace(UNET, classes=5),
    "strided": replace(UNET, block_resampling=False),
    "added embedding": replace(UNET, scale_shift=False, outputs=3),
    "new order": replace(UNET, legacy_attention=False),
    "one level": replace(UNET, widths=(64,), attention=(True,), blocks=1),
    "pooled, strided": replace(POOLED, block_resampling=False, scale_shift=False),
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_network_is_the_published_function(variant):
    sizes = VARIANTS[variant]
    network, x, t = made(sizes), draw(1, 2, 3, 8, 8), torch.tensor([3, 41])
    label = None if sizes.classes is None else torch.tensor([4, 0])
    told = () if label is None else (network.label_vectors(label),)
    expected = reference(sizes, network.state_dict(), x, t, label)
    torch.testing.assert_close(network(x, t, *told), expected, rtol=1e-5, atol=1e-5)


def test_the_same_weights_in_the_other_order_of_heads_are_another_function():
    x, t = draw(1, 2, 3, 8, 8), torch.tensor([3, 41])
    legacy, new = made(UNET), made(replace(UNET, legacy_attention=False))
    assert (legacy(x, t) - new(x, t)).abs().max() > 1e-2


@pytest.mark.parametrize("order", ["legacy", "new"])
@pytest.mark.parametrize("heads", [1, 4])
def test_heads_are_split_in_the_order_that_is_asked(order, heads):
    qkv = draw(0, 2, 3 * 16, 5)
    found = mixed(qkv, heads, legacy=order == "legacy")
    torch.testing.assert_close(found, attended(qkv, heads, order))
    other = mixed(qkv, heads, legacy=order != "legacy")
    assert torch.allclose(found, other) == (heads == 1)


def test_the_pool_splits_in_the_new_order_and_answers_for_the_mean():
    pool = AttentionPool(64, 4, 2, 10).double()
    state = weights({name: tuple(part.shape) for name, part in pool.state_dict().items()})
    pool.load_state_dict(state)
    h = draw(9, 2, 64, 2, 2)
    flat = torch.cat([h.mean(dim=(2, 3))[..., None], h.reshape(2, 64, 4)], dim=-1)
    qkv = conv(flat + state["positional_embedding"], state, "qkv_proj")
    right, wrong = (
        conv(attended(qkv, 4, order), state, "c_proj")[:, :, 0] for order in ("new", "legacy")
    )
    torch.testing.assert_close(pool(h), right)
    assert (pool(h) - wrong).abs().max() > 1e-2


def test_queries_and_keys_are_scaled_apart_so_that_half_precision_does_not_overflow():
    q = torch.full((1, 64, 2), 60.0)
    assert (q.half().transpose(1, 2) @ q.half()).isinf().all()  # 64 * 60^2 > 65504
    v = torch.stack([torch.zeros(64), torch.ones(64)], dim=-1)[None]
    found = mixed(torch.cat([q, q, v], dim=1).half(), 1, legacy=True)
    torch.testing.assert_close(found, torch.full_like(found, 0.5), rtol=0, atol=1e-3)


class Precisions(TorchFunctionMode):
    """The types that softmax and group norm are given."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: dict[str, set[torch.dtype]] = {}

    def __torch_function__(self, function, types, args=(), kwargs=None):
        if function.__name__ in ("softmax", "group_norm"):
            self.seen.setdefault(function.__name__, set()).add(args[0].dtype)
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("sizes", [UNET, POOLED], ids=["unet", "classifier"])
def test_softmax_and_group_norm_compute_in_float32_under_a_half_precision_trunk(sizes, dtype):
    exact = made(sizes)
    network = network_of(sizes)
    network.load_state_dict(exact.state_dict())
    network.requires_grad_(False).convert(dtype)
    x, t = draw(1, 2, 3, 8, 8), torch.tensor([3, 41])
    with Precisions() as precisions:
        found = network(x.float(), t)
    assert precisions.seen == {"softmax": {torch.float32}, "group_norm": {torch.float32}}
    assert found.dtype == torch.float32
    assert {network.dtype, network.time_embed[0].weight.dtype} == {dtype, torch.float32}
    # A dozen layers, each rounding by half a unit in the last place.
    error = 12 * torch.finfo(dtype).eps
    expected = exact(x, t)
    assert ((found - expected).norm() / expected.norm()).item() < error


def test_group_norm_has_32_groups_and_an_epsilon_of_1e_5():
    norm = Norm(64)
    h = 1e-3 * draw(0, 2, 64, 3, 3)  # so small that the epsilon counts
    torch.testing.assert_close(norm.double()(h), _plain(h))
    norm.float()
    large = (1000 + draw(1, 2, 64, 3, 3)).half()
    found = norm(large)
    assert found.dtype == torch.float16
    # float16 would square numbers of a thousand and overflow.
    torch.testing.assert_close(found.double(), _plain(large.double()), rtol=0, atol=2e-3)


def _plain(h: Tensor) -> Tensor:
    return normal(h, {"n.weight": torch.ones(h.shape[1]), "n.bias": torch.zeros(h.shape[1])}, "n")


def test_cosines_come_first_and_the_longest_period_is_ten_thousand():
    t = torch.tensor([0, 1, 500, 999])
    found = step_features(t, 64)
    torch.testing.assert_close(found.double(), features(t, 64), **ANGLES)
    assert found[0].tolist() == [1.0] * 32 + [0.0] * 32
    assert found[1, :2].tolist() == pytest.approx([math.cos(1), math.cos(10_000 ** (-1 / 32))])
    assert step_features(t, 33)[:, -1].tolist() == [0.0] * 4


@pytest.mark.parametrize(("way", "resample"), [("", None), ("down", halved), ("up", doubled)])
@pytest.mark.parametrize("scale_shift", [True, False])
def test_a_block_resamples_both_branches_before_its_first_convolution(way, resample, scale_shift):
    made_block = Block(32, 64, 20, scale_shift=scale_shift, resample=resample).double()
    state = weights({name: tuple(part.shape) for name, part in made_block.state_dict().items()})
    made_block.load_state_dict(state)
    h, embedding = draw(50, 2, 32, 4, 4), draw(51, 2, 20)
    named = {f"b.{name}": tensor for name, tensor in state.items()}
    torch.testing.assert_close(made_block(h, embedding), block(h, embedding, named, "b", way))


def test_a_missing_class_adds_nothing():
    network = made(replace(UNET, classes=5))
    vectors = network.label_vectors(torch.tensor([2, -1]))
    assert vectors[0].equal(network.label_emb.weight[2])
    assert vectors[1].eq(0).all()


def test_images_of_a_size_that_the_levels_do_not_divide_are_refused():
    with pytest.raises(CompileError, match="3 levels is given images of 8 x 6; expected multiples"):
        made(UNET)(draw(0, 1, 3, 8, 6), torch.tensor([0]))
    with pytest.raises(CompileError, match="of images of 8 x 8 is given 16 x 16"):
        made(POOLED)(draw(0, 1, 3, 16, 16), torch.tensor([0]))
