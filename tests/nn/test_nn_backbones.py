"""The laws of the package's own backbones."""

import math

import pytest
import torch

from causalflow.errors import CompileError
from causalflow.graph.image_options import Diffusion
from causalflow.nn import dit
from causalflow.nn.attention import SelfAttention
from causalflow.nn.backbone import BACKBONES
from causalflow.nn.dit import DiTBlock
from causalflow.nn.unet import AttentiveBlock, Block, PatchUNet, UNet

OWN = ["unet", "patch_unet", "dit"]
FEATURES = 32


def network(name, channels=2, **options):
    given = {"width": 8, "depth": 2, "attention": (2, 3), "heads": 2, "backbone": name, **options}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return BACKBONES.get(name).make(channels, FEATURES, Diffusion(**given))


def stirred(module, scale=0.2):
    """The same module with random weights, where they were zero too."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in module.parameters():
            weight.copy_(scale * torch.randn(weight.shape, generator=generator))
    return module


def drawn(*shape, seed=2):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("name", OWN)
def test_every_backbone_starts_as_the_constant_0_and_learns_from_there(name):
    net = network(name)
    x, embedding = drawn(3, 2, 12, 12), drawn(3, FEATURES)
    output = net(x, embedding)
    assert output.shape == x.shape
    assert output.abs().max() == 0
    (output - x).square().mean().backward()
    assert sum(w.grad is not None and bool(w.grad.any()) for w in net.parameters()) > 0
    stirred(net)
    moved = net(x, embedding)
    assert (moved - net(x, drawn(3, FEATURES, seed=5))).abs().min() > 0


@pytest.mark.parametrize("name", OWN)
@pytest.mark.parametrize("size", [(9, 9), (7, 14), (16, 5)])
def test_any_height_and_width_is_that_of_the_picture_padded_with_zeros(name, size):
    net = stirred(network(name, patch=2))
    x, embedding = drawn(2, 2, *size), drawn(2, FEATURES)
    multiple = {"unet": 4, "patch_unet": 8, "dit": 2}[name]
    height, width = (-(-side // multiple) * multiple for side in size)
    padded = torch.zeros(2, 2, height, width)
    padded[..., : size[0], : size[1]] = x
    expected = net(padded, embedding)[..., : size[0], : size[1]]
    assert torch.allclose(net(x, embedding), expected, atol=1e-6)


def test_attention_is_the_softmax_written_by_hand():
    attention = stirred(SelfAttention(6, 3))
    h = drawn(2, 5, 6)
    q, k, v = (part.reshape(2, 5, 3, 2) for part in attention.qkv(h).chunk(3, dim=-1))
    expected = torch.zeros(2, 5, 3, 2)
    for row in range(2):
        for head in range(3):
            for token in range(5):
                scores = k[row, :, head] @ q[row, token, head] / math.sqrt(2)
                weights = scores.exp() / scores.exp().sum()
                expected[row, token, head] = weights @ v[row, :, head]
    assert torch.allclose(attention(h), attention.leave(expected.flatten(2)), atol=1e-6)


def test_attention_does_not_know_the_order_of_its_tokens():
    attention, order = stirred(SelfAttention(8, 2)), torch.tensor([3, 0, 2, 1])
    h = drawn(2, 4, 8)
    assert torch.allclose(attention(h)[:, order], attention(h[:, order]), atol=1e-6)


def test_blocks_start_as_the_identity_whatever_they_are_told():
    h = drawn(2, 9, 16)
    assert torch.equal(DiTBlock(16, 4, FEATURES)(h, drawn(2, FEATURES)), h)
    picture = drawn(2, 8, 6, 6)
    assert torch.equal(AttentiveBlock(8, FEATURES, 2)(picture, drawn(2, FEATURES)), picture)


def test_a_dit_is_told_places_by_its_positions_alone(monkeypatch):
    net = stirred(network("dit", patch=2))
    x, embedding = drawn(1, 2, 8, 8), drawn(1, FEATURES)
    moved = net(x, embedding).roll(4, dims=-1)
    assert (net(x.roll(4, dims=-1), embedding) - moved).abs().max() > 1e-2
    monkeypatch.setattr(dit, "positions", lambda rows, columns, channels, like: 0.0)
    moved = net(x, embedding).roll(4, dims=-1)
    assert torch.allclose(net(x.roll(4, dims=-1), embedding), moved, atol=1e-5)


def test_positions_are_sines_and_cosines_of_rows_and_columns():
    place = dit.positions(3, 5, 8, torch.zeros(1)).reshape(3, 5, 8)
    down, across = torch.tensor([2.0, 0.02]), torch.tensor([3.0, 0.03])
    expected = torch.cat([down.sin(), down.cos(), across.sin(), across.cos()])
    assert torch.allclose(place[2, 3], expected, atol=1e-6)


def test_a_patch_unet_is_a_unet_of_the_patches():
    net = PatchUNet(1, 2, lambda channels: stirred(UNet(channels, 8, (1, 2), 1, FEATURES)))
    x, embedding = drawn(2, 1, 8, 8), drawn(2, FEATURES)
    patches = torch.stack([x[:, 0, i::2, j::2] for i in (0, 1) for j in (0, 1)], dim=1)
    inner = net.unet(patches, embedding)
    output = net(x, embedding)
    for place, (i, j) in enumerate([(0, 0), (0, 1), (1, 0), (1, 1)]):
        assert torch.equal(output[:, 0, i::2, j::2], inner[:, place])


def test_a_unet_without_attention_has_the_weights_it_always_had():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        plain = UNet(1, 8, (1, 2), 1, FEATURES)
    names = set(plain.state_dict())
    attended = set(network("unet", 1, multipliers=(1, 2), attention=(2,)).state_dict())
    assert all(isinstance(level[0], Block) for level in [*plain.down, *plain.up])
    assert {name for name in names if ".1.0." not in name} <= attended
    assert {name for name in attended if "attention" in name}
    assert not {name for name in names if "attention" in name}


@pytest.mark.parametrize(
    ("name", "options", "reason"),
    [
        ("unet", {"attention": (4,)}, "attention at level 4 of a U-Net of 3 levels"),
        ("unet", {"heads": 3}, "heads=3 of an attention over 16 channels"),
        ("dit", {"heads": 5}, "heads=5 of an attention over 32 channels"),
    ],
)
def test_what_no_network_can_be_made_of_is_refused(name, options, reason):
    with pytest.raises(CompileError, match=reason):
        network(name, **options)


def test_a_unet_passes_gradients_to_all_weights_once_it_is_no_constant():
    for name in OWN:
        net = stirred(network(name))
        net(drawn(2, 2, 8, 8), drawn(2, FEATURES)).square().mean().backward()
        silent = [n for n, w in net.named_parameters() if w.grad is None or not w.grad.any()]
        assert not silent, (name, silent)
