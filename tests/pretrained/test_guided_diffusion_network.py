"""The published functions, each against a second writing of it in plain loops.

The networks have random weights, of a size that keeps hidden states near one, in float64; both
sides compute the angles of the steps in float32, where they err by 1e-7 of at most 1000.
"""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from adm_reference import (
    LARGE,
    LARGE_POOLED,
    attended,
    block,
    conv,
    draw,
    features,
    made,
    normal,
    reference,
    weights,
)
from torch import Tensor
from torch.overrides import TorchFunctionMode

from causalflow.errors import CompileError
from causalflow.pretrained.adm_file import network_of
from causalflow.pretrained.adm_layers import (
    AttentionPool,
    Block,
    Norm,
    doubled,
    halved,
    mixed,
    step_features,
)

ANGLES = {"rtol": 0.0, "atol": 3e-4}  # 1000 * 2^-24 * a few roundings


VARIANTS = {
    "as published": LARGE,
    "pooled": LARGE_POOLED,
    "told the class": replace(LARGE, classes=5),
    "strided": replace(LARGE, block_resampling=False),
    "added embedding": replace(LARGE, scale_shift=False, outputs=3),
    "new order": replace(LARGE, legacy_attention=False),
    "one level": replace(LARGE, widths=(64,), attention=(True,), blocks=1),
    "pooled, strided": replace(LARGE_POOLED, block_resampling=False, scale_shift=False),
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
    legacy, new = made(LARGE), made(replace(LARGE, legacy_attention=False))
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
@pytest.mark.parametrize("sizes", [LARGE, LARGE_POOLED], ids=["unet", "classifier"])
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


def test_images_of_a_size_that_the_levels_do_not_divide_are_refused():
    with pytest.raises(CompileError, match="3 levels is given images of 8 x 6; expected multiples"):
        made(LARGE)(draw(0, 1, 3, 8, 6), torch.tensor([0]))
    with pytest.raises(CompileError, match="of images of 8 x 8 is given 16 x 16"):
        made(LARGE_POOLED)(draw(0, 1, 3, 16, 16), torch.tensor([0]))
