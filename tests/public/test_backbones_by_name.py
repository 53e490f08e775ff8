"""Networks of images by name, from folders of diffusers, and by the documented protocol."""

import pytest
import torch
from torch import nn

import causalflow as cf

NODES = (
    "nodes:\n  colour: {type: class, levels: [blue, red]}\n"
    "  image: {type: image, shape: [3, 8, 8], diffusion: {OPTIONS, steps: 3, predictor_width: 4}}\n"
    "edges: [colour -> image]\n"
)
ROWS = {
    "colour": [0, 1, 0, 1],
    "image": torch.rand(4, 3, 8, 8, generator=torch.Generator().manual_seed(0)),
}
OWN = {
    "unet": cf.UNet(width=8, attention=(2,), heads=2),
    "patch_unet": cf.PatchUNet(width=8, patch=4, multipliers=(1, 2)),
    "dit": cf.DiT(width=8, patch=4, depth=1, heads=2),
}
WRITTEN = {
    "unet": "backbone: unet, width: 8, attention: [2], heads: 2",
    "patch_unet": "backbone: patch_unet, width: 8, patch: 4, multipliers: [1, 2]",
    "dit": "backbone: dit, width: 8, patch: 4, depth: 1, heads: 2",
}


def asked(model):
    """The pictures unchanged, under another colour, and drawn."""
    same = model.counterfactual(ROWS, do={})["image"]
    other = model.counterfactual(ROWS, do={"colour": [1, 0, 1, 0]})["image"]
    return same, other, model.sample(2, do={"colour": "red"}, generator=0)["image"]


def answers_exactly(model):
    """It is fitted and asked: the null intervention is exact, another colour is none."""
    model.fit(ROWS, steps=30, batch_size=4, progress=False, learning_rate=3e-2)
    same, other, drawn = asked(model)
    assert (same - ROWS["image"]).abs().max() < 1e-6
    assert (other - same).abs().amax(dim=(1, 2, 3)).min() > 1e-5
    assert bool(drawn.isfinite().all())
    return other


@pytest.mark.parametrize("name", OWN)
def test_a_backbone_is_named_alike_in_a_file_and_in_python_and_told_by_describe(name, tmp_path):
    graph = cf.loads(NODES.replace("OPTIONS", WRITTEN[name]))
    image = graph.nodes["image"].diffusion
    assert image == cf.Diffusion(backbone=OWN[name], steps=3, predictor_width=4)
    assert cf.loads(cf.dumps(graph)) == graph
    model = cf.compile(graph)
    other = answers_exactly(model)
    told = model.describe().set_index("node").loc["image", "mechanism"]
    assert f"backbone {name} (" in told
    model.save(tmp_path / "model.safetensors")
    again = cf.Model.load(tmp_path / "model.safetensors")
    assert torch.allclose(asked(again)[1], other, atol=1e-4)  # float32, in another order


def networks(diffusers):
    """Random networks of three classes of diffusers."""
    sizes = {"in_channels": 3, "out_channels": 3, "sample_size": 8, "layers_per_block": 1}
    sizes |= {"block_out_channels": (8, 16), "norm_num_groups": 4}
    plain = {"down_block_types": ("DownBlock2D",) * 2, "up_block_types": ("UpBlock2D",) * 2}
    text = {
        "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
        "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
        "cross_attention_dim": 12,
        "attention_head_dim": 4,
    }
    blocks = {"num_attention_heads": 2, "attention_head_dim": 8, "num_layers": 2}
    return {
        "unet": diffusers.UNet2DModel(**sizes, **plain),
        "text": diffusers.UNet2DConditionModel(**sizes, **text),
        "dit": diffusers.DiTTransformer2DModel(
            in_channels=3, sample_size=8, patch_size=2, num_embeds_ada_norm=2, **blocks
        ),
    }


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A folder with the networks, and a scheduler beside each."""
    diffusers, home = pytest.importorskip("diffusers"), tmp_path_factory.mktemp("networks")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for name, network in networks(diffusers).items():
            network.save_pretrained(home / name)
            diffusers.DDIMScheduler(prediction_type="v_prediction").save_pretrained(home / name)
    return home


@pytest.mark.parametrize("adapter", ["none", "lora", "controlnet"])
@pytest.mark.parametrize("name", ["unet", "text", "dit"])
def test_a_network_of_diffusers_beside_the_graph_file_loads_and_answers(name, adapter, written):
    options = f"backbone: diffusers, folder: {name}, adapter: {adapter}, width: 8, rank: 2, code: 0"
    file = written / "graph.yaml"
    file.write_text(NODES.replace("OPTIONS", options), encoding="utf-8")
    bytes_before = {path: path.read_bytes() for path in (written / name).iterdir()}
    model = cf.compile(cf.load(file))
    other = answers_exactly(model)
    model.save(written / "model.safetensors")
    again = cf.Model.load(written / "model.safetensors")
    assert torch.allclose(asked(again)[1], other, atol=1e-3)  # the noise is divided by 1 - tau
    assert {path: path.read_bytes() for path in (written / name).iterdir()} == bytes_before
    same = cf.Diffusion(
        backbone=cf.Diffusers(folder=str(written / name), adapter=adapter, rank=2, width=8),
        code=0,
        steps=3,
        predictor_width=4,
    )
    assert cf.load(file).nodes["image"].diffusion == same


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ("backbone: diffusers, folder: nowhere", "nowhere: no such folder"),
        ("backbone: diffusers, adapter: lorra", "did you mean 'lora'"),
        ("backbone: dit, heads: 3", "heads=3 of an attention over 128 channels"),
        ("attention: [5]", "attention at level 5 of a U-Net of 3 levels"),
    ],
)
def test_what_cannot_serve_is_said_in_one_line(options, reason, tmp_path):
    pytest.importorskip("diffusers")
    file = tmp_path / "graph.yaml"
    file.write_text(NODES.replace("OPTIONS", options), encoding="utf-8")
    with pytest.raises(cf.CausalflowError) as error:
        cf.compile(cf.load(file))
    assert reason in str(error.value)
    assert "\n" not in str(error.value)


class Foreign(nn.Module):
    """A network with the signature of MONAI's DiffusionModelUNet."""

    def __init__(self):
        super().__init__()
        self.layer, self.read = nn.Conv2d(3, 3, 3, padding=1), nn.Linear(6, 3)

    def forward(self, x, timesteps, context=None):
        assert context.shape[1:] == (1, 6)
        told = self.read(context[:, 0]) + timesteps[:, None] / 1000
        return self.layer(x) + told[:, :, None, None]


class Told(nn.Module):
    """It, called as the engine calls its networks."""

    def __init__(self, network, features):
        super().__init__()
        self.network, self.token = network, nn.Linear(features, 6)

    def forward(self, x, tau, condition):
        return self.network(x, timesteps=1000 * tau, context=self.token(condition)[:, None])


def test_a_network_of_anothers_signature_serves_by_the_documented_protocol():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = Told(Foreign(), features=32)
    graph = cf.loads(NODES.replace("OPTIONS", "width: 8, code: 0"))
    answers_exactly(cf.compile(graph, networks={"image": network}))
