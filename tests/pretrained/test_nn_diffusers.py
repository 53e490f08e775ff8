"""The adapter of diffusers' U-Nets, on stand-ins that are called in the same way, and on them."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

import causalflow as cf
from causalflow.errors import CompileError
from causalflow.pretrained.diffusers import DiffusersNetwork

FEATURES = 32
GRAPH = """
graph: tinted
nodes:
  tint: {type: class, levels: [dark, bright]}
  image: {type: image, shape: [1, 8, 8]}
edges:
  - tint -> image: neural
"""


class Adding(nn.Module):
    """Called as UNet2DModel is: a convolution, shifted by time and class embedding."""

    def __init__(self, **options: object) -> None:
        super().__init__()
        given = {"in_channels": 1, "out_channels": 1, "class_embed_type": "identity"}
        self.config = SimpleNamespace(**{**given, "block_out_channels": (8, 8), **options})
        self.layer, self.shift = nn.Conv2d(1, 1, 3, padding=1), nn.Linear(32, 1)

    def forward(
        self,
        sample: Tensor,
        timestep: Tensor,
        class_labels: Tensor | None = None,
        return_dict: bool = True,
    ) -> tuple[Tensor]:
        assert class_labels is not None
        assert not return_dict
        shift = self.shift(class_labels) + timestep[:, None] / 1000
        return (self.layer(sample) + shift[:, :, None, None],)


class Attending(nn.Module):
    """Called as UNet2DConditionModel is: its one token is averaged over tokens and added."""

    def __init__(self, cross_attention_dim: int | tuple[int, ...] = 12) -> None:
        super().__init__()
        self.config = SimpleNamespace(
            in_channels=1, out_channels=1, cross_attention_dim=cross_attention_dim
        )
        self.layer, self.read = nn.Conv2d(1, 1, 3, padding=1), nn.Linear(12, 1)

    def forward(
        self,
        sample: Tensor,
        timestep: Tensor,
        encoder_hidden_states: Tensor,
        return_dict: bool = True,
    ) -> tuple[Tensor]:
        assert encoder_hidden_states.ndim == 3
        assert not return_dict
        shift = self.read(encoder_hidden_states.mean(dim=1)) + timestep[:, None] / 1000
        return (self.layer(sample) + shift[:, :, None, None],)


def real_adding() -> nn.Module:
    diffusers = pytest.importorskip("diffusers")
    shape = {"block_out_channels": (8, 8), "layers_per_block": 1, "norm_num_groups": 4}
    return diffusers.UNet2DModel(  # type: ignore[no-any-return]
        sample_size=8,
        in_channels=1,
        out_channels=1,
        down_block_types=("DownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "UpBlock2D"),
        class_embed_type="identity",
        **shape,
    )


def real_attending() -> nn.Module:
    diffusers = pytest.importorskip("diffusers")
    shape = {"block_out_channels": (8, 8), "layers_per_block": 1, "norm_num_groups": 4}
    return diffusers.UNet2DConditionModel(  # type: ignore[no-any-return]
        sample_size=8,
        in_channels=1,
        out_channels=1,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=12,
        attention_head_dim=4,
        **shape,
    )


KINDS = [Adding, Attending, real_adding, real_attending]


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_with_such_a_network_hears_its_parents_and_returns_the_evidence(kind) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = DiffusersNetwork(kind(), FEATURES)
    tint = torch.arange(40) % 2
    image = torch.randint(0, 40, (40, 1, 8, 8), generator=torch.Generator().manual_seed(1))
    data = {"tint": tint, "image": (image + 200 * tint[:, None, None, None]).to(torch.uint8)}
    model = cf.compile(
        cf.loads(GRAPH), networks={"image": network}, image=cf.Diffusion(width=8, steps=3, code=0)
    )
    before = [weight.clone() for weight in network.parameters()]
    model.fit(data, steps=5, batch_size=20, progress=False)
    assert any(not a.equal(b) for a, b in zip(before, network.parameters(), strict=True))
    evidence = {"tint": tint[:4], "image": data["image"][:4]}
    same = model.counterfactual(evidence, do={})["image"]
    other = model.counterfactual(evidence, do={"tint": 1 - tint[:4]})["image"]
    assert (same - data["image"][:4] / 255).abs().max() < 1e-5
    assert (other - same).abs().amax(dim=(1, 2, 3)).min() > 1e-4


def test_time_is_told_in_a_thousand_steps_or_as_asked() -> None:
    x, condition, tau = torch.zeros(2, 1, 8, 8), torch.zeros(2, FEATURES), torch.tensor([0.2, 0.7])
    stub = Adding()
    usual = DiffusersNetwork(stub, FEATURES)(x, tau, condition)
    halved = DiffusersNetwork(stub, FEATURES, timestep=lambda tau: 500 * tau)
    halved.condition = DiffusersNetwork(stub, FEATURES).condition
    assert torch.allclose((usual[1] - usual[0]).mean(), torch.tensor(0.5), atol=1e-6)
    moved = halved(x, tau, condition)
    assert torch.allclose((moved[1] - moved[0]).mean(), torch.tensor(0.25), atol=1e-6)


@pytest.mark.parametrize(
    ("network", "reason"),
    [
        (Adding(class_embed_type=None), "class_embed_type=None; expected 'identity'"),
        (Adding(out_channels=2), r"\(in_channels, out_channels\) = \(1, 2\)"),
        (nn.Conv2d(1, 1, 3), r"\(in_channels, out_channels\) = \(None, None\)"),
        (Attending((12, 12)), r"cross_attention_dim=\(12, 12\); expected one whole number"),
    ],
)
def test_a_network_that_cannot_serve_is_refused(network: nn.Module, reason: str) -> None:
    with pytest.raises(CompileError, match=reason):
        DiffusersNetwork(network, FEATURES)
