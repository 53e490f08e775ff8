"""Folders of diffusers: what is read and refused, what is trained, what a schedule says."""

import copy
import json
import pickle

import pytest
import torch
from torch import nn

import causalflow as cf
from causalflow.diffusion.path import tau_of
from causalflow.errors import CheckpointError, CompileError
from causalflow.graph.image_options import Diffusion
from causalflow.graph.latent_options import Latent
from causalflow.nn.autoencoder import AUTOENCODERS, Autoencoder
from causalflow.nn.backbone import BACKBONES
from causalflow.pretrained.adapter import Branch, Held, LowRank
from causalflow.pretrained.folder import network_in, read_folder
from causalflow.pretrained.schedule import Clock, schedule_of

diffusers = pytest.importorskip("diffusers")

SIZES = {"block_out_channels": (8, 16), "layers_per_block": 1, "norm_num_groups": 4}
FEATURES = 32
KINDS = ["unet", "classes", "text", "dit"]


def made(kind):
    """A network of that kind, tiny, with random weights."""
    match kind:
        case "unet" | "classes":
            return diffusers.UNet2DModel(
                in_channels=2,
                out_channels=2,
                down_block_types=("DownBlock2D", "AttnDownBlock2D"),
                up_block_types=("AttnUpBlock2D", "UpBlock2D"),
                attention_head_dim=8,
                num_class_embeds=3 if kind == "classes" else None,
                **SIZES,
            )
        case "text":
            return diffusers.UNet2DConditionModel(
                in_channels=2,
                out_channels=2,
                down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
                up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
                cross_attention_dim=12,
                attention_head_dim=4,
                **SIZES,
            )
    return diffusers.DiTTransformer2DModel(
        in_channels=2,
        out_channels=4,
        num_attention_heads=2,
        attention_head_dim=8,
        num_layers=2,
        sample_size=8,
        patch_size=2,
        num_embeds_ada_norm=3,
    )


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A folder of each kind, and the network that was written there."""
    home, written = tmp_path_factory.mktemp("folders"), {}
    for kind in KINDS:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            network = made(kind).eval()
        network.save_pretrained(home / kind)
        written[kind] = (home / kind, network)
    return written


def adapted(folder, adapter="none", channels=2, **options):
    given = Diffusion(
        backbone="diffusers", folder=str(folder), adapter=adapter, width=8, rank=2, **options
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return BACKBONES.get("diffusers").make(channels, FEATURES, given)


def drawn(*shape, seed=2):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def told(kind, network, x, time):
    """What diffusers itself says of no class, the mean of the classes, or the tokens 0."""
    match kind:
        case "unet":
            return network(x, time).sample
        case "classes":
            mean = copy.deepcopy(network)
            mean.class_embedding.weight.data[:] = network.class_embedding.weight.mean(dim=0)
            return mean(x, time, class_labels=torch.zeros(len(x), dtype=torch.long)).sample
        case "text":
            return network(x, time, torch.zeros(len(x), 4, 12)).sample
    return network(x, time, class_labels=torch.full((len(x),), 3)).sample[:, :2]


@pytest.mark.parametrize("adapter", ["none", "lora", "controlnet", "full"])
@pytest.mark.parametrize("kind", KINDS)
def test_at_the_start_it_is_to_the_bit_the_network_that_was_written(kind, adapter, folders):
    folder, network = folders[kind]
    here = adapted(folder, adapter)
    if kind == "text":
        nn.init.zeros_(here.told.condition.weight)
        nn.init.zeros_(here.told.condition.bias)
    x, tau = drawn(3, 2, 8, 8), torch.tensor([0.1, 0.5, 0.9])
    with torch.no_grad():
        assert torch.equal(here(x, tau, drawn(3, FEATURES)), told(kind, network, x, 1000 * tau))


@pytest.mark.parametrize("adapter", ["none", "lora", "controlnet"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_step_moves_what_is_added_and_nothing_that_is_held(kind, adapter, folders):
    folder, network = folders[kind]
    here = adapted(folder, adapter)
    held = here.told.network
    assert isinstance(held, Held)
    before = {name: weight.clone() for name, weight in held.network.state_dict().items()}
    assert not set(map(id, here.parameters())) & set(map(id, held.network.parameters()))
    adam = torch.optim.Adam(here.parameters(), lr=0.05)
    x, tau, condition = drawn(4, 2, 8, 8), torch.full((4,), 0.4), drawn(4, FEATURES)
    for _ in range(3):
        adam.zero_grad()
        (here(x, tau, condition) - x).square().mean().backward()
        assert all(w.grad is not None and bool(w.grad.isfinite().all()) for w in here.parameters())
        adam.step()
    assert all(torch.equal(before[n], w) for n, w in held.network.state_dict().items())
    assert all(weight.grad is None for weight in held.network.parameters())
    with torch.no_grad():
        start = told(kind, network, x, 1000 * tau)
        assert (here(x, tau, condition) - start).abs().max() > 1e-3
        heard = here(x, tau, drawn(4, FEATURES, seed=5))
        assert (here(x, tau, condition) - heard).abs().max() > 1e-4
    assert held.train() is held
    assert not held.network.training


def test_what_is_added_is_a_map_of_low_rank():
    layers = nn.ModuleDict({"a": nn.Linear(6, 5), "b": nn.Conv2d(3, 4, 3, padding=1, stride=2)})
    network = Held(layers).network
    added = LowRank(network, 2)
    nn.init.normal_(added.maps[0][1].weight)
    nn.init.normal_(added.maps[1][1].weight)
    x = torch.eye(6)
    difference = (layers["a"](x) - x @ layers["a"].weight.T - layers["a"].bias).T
    expected = added.maps[0][1].weight @ added.maps[0][0].weight
    assert torch.allclose(difference, expected, atol=1e-6)
    assert torch.linalg.matrix_rank(difference, atol=1e-5) == 2
    picture = drawn(1, 3, 8, 8)
    plain = nn.functional.conv2d(picture, layers["b"].weight, layers["b"].bias, 2, 1)
    maps = (layers["b"](picture) - plain).flatten(2)[0]
    assert torch.linalg.matrix_rank(maps, atol=1e-4) == 2


def test_a_branch_adds_to_states_across_and_to_tokens():
    site, tokens = nn.Identity(), nn.Identity()
    branch = Branch(1, 4, FEATURES, 2, [(site, 1, 3, 1), (tokens, 0, 5, 1)])
    nn.init.ones_(branch.leave[0][0].bias)
    nn.init.ones_(branch.leave[1][0].bias)
    branch.hear(drawn(2, 1, 8, 8), torch.tensor([0.1, 0.9]), drawn(2, FEATURES))
    assert torch.equal(site(torch.zeros(2, 3, 2, 2)), torch.ones(2, 3, 2, 2))
    assert torch.equal(tokens(torch.zeros(2, 16, 5)), torch.ones(2, 16, 5))


@pytest.mark.parametrize("adapter", ["lora", "controlnet"])
def test_a_copy_and_a_pickle_hear_what_is_added_to_themselves(adapter, folders):
    here = adapted(folders["unet"][0], adapter)
    given = drawn(2, 2, 8, 8), torch.tensor([0.2, 0.6]), drawn(2, FEATURES)
    for other in (copy.deepcopy(here), pickle.loads(pickle.dumps(here))):
        with torch.no_grad():
            before = here(*given)
            assert torch.equal(other(*given), before)
            for weight in other.parameters():
                weight.add_(0.1)
            assert torch.equal(here(*given), before)
            assert (other(*given) - before).abs().max() > 1e-3


@pytest.mark.parametrize("kind", ["unet", "dit"])
def test_pictures_of_any_size_are_padded_with_zeros(kind, folders):
    here = adapted(folders[kind][0])
    x, tau, condition = drawn(2, 2, 7, 5), torch.tensor([0.2, 0.6]), drawn(2, FEATURES)
    padded = torch.zeros(2, 2, 8, 8 if kind == "dit" else 6)
    padded[..., :7, :5] = x
    with torch.no_grad():
        assert torch.equal(here(x, tau, condition), here(padded, tau, condition)[..., :7, :5])


SCHEDULES = [
    {},
    {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012},
    {"beta_schedule": "squaredcos_cap_v2", "num_train_timesteps": 100},
    {"beta_schedule": "sigmoid", "prediction_type": "sample"},
    {"trained_betas": [0.1, 0.2, 0.3]},
    {"rescale_betas_zero_snr": True, "prediction_type": "v_prediction"},
]


@pytest.mark.parametrize("given", SCHEDULES)
def test_the_levels_of_a_scheduler_are_those_that_diffusers_computes(given, tmp_path):
    scheduler = diffusers.DDPMScheduler(**given)
    scheduler.save_pretrained(tmp_path)
    file = tmp_path / "scheduler_config.json"
    schedule = schedule_of(json.loads(file.read_text()), file)
    levels = torch.tensor(schedule.alpha_bar, dtype=torch.float64)
    # diffusers computes its products in float32.
    assert torch.allclose(levels, scheduler.alphas_cumprod.double(), atol=1e-5)
    names = {"epsilon": "noise", "v_prediction": "v", "sample": "data"}
    assert schedule.prediction == names[scheduler.config.prediction_type]
    clock, taus = Clock(schedule.alpha_bar), tau_of(levels)
    places = torch.arange(len(levels)).float()
    assert torch.allclose(clock(taus), places, atol=2e-2)
    assert clock(torch.tensor([1e-6, 0.99999])).tolist() == pytest.approx([0, len(levels) - 1])
    between = clock((taus[1:] + taus[:-1]) / 2) - places[:-1]
    assert bool(((between > 0) & (between < 1)).all())


def test_a_network_that_matches_flows_is_told_tau_and_predicts_the_velocity(tmp_path):
    diffusers.FlowMatchEulerDiscreteScheduler().save_pretrained(tmp_path)
    file = tmp_path / "scheduler_config.json"
    schedule = schedule_of(json.loads(file.read_text()), file)
    assert (schedule.path.name, schedule.prediction) == ("rectified", "velocity")
    clock = Clock(schedule.alpha_bar, schedule.scale)
    assert clock(torch.tensor([0.25])).tolist() == [250.0]


WRONG_SCHEDULES = [
    ({"prediction_type": "score"}, "prediction_type='score'; expected one of"),
    ({"beta_schedule": "cubic"}, "beta_schedule='cubic'; expected one of"),
    ({"num_train_timesteps": 10**9}, "1000000000 levels; expected 2 to"),
    ({"beta_start": "low"}, "beta_start='low'; expected a number"),
    ({"trained_betas": [-0.1, 0.2]}, "the noise of its levels does not rise"),
]


@pytest.mark.parametrize(("config", "reason"), WRONG_SCHEDULES)
def test_a_schedule_that_is_not_known_is_refused(config, reason, tmp_path):
    with pytest.raises(CompileError, match=reason):
        schedule_of(config, tmp_path / "scheduler_config.json")


def test_a_pipeline_of_several_weight_files_is_read_as_one_network(folders, tmp_path):
    folder, network = folders["text"]
    (tmp_path / "unet").mkdir()
    network.save_pretrained(tmp_path / "unet", max_shard_size="50KB")
    assert len(list((tmp_path / "unet").glob("*.safetensors"))) > 1
    kinds = ("UNet2DConditionModel",)
    read = network_in(read_folder(tmp_path, kinds))
    for name, weight in network_in(read_folder(folder, kinds)).state_dict().items():
        assert torch.equal(weight, read.state_dict()[name])


def broken(name, folder, network):
    """The folder, with one thing wrong."""
    config, weights = folder / "config.json", folder / "diffusion_pytorch_model.safetensors"
    sizes = json.loads(config.read_text())
    match name:
        case "other sizes":
            config.write_text(json.dumps({**sizes, "block_out_channels": [8, 24]}))
        case "huge":
            config.write_text(json.dumps({**sizes, "layers_per_block": 10**9}))
        case "nonsense":
            config.write_text(json.dumps({**sizes, "down_block_types": ["Up", "Up"]}))
        case "class":
            config.write_text(json.dumps({**sizes, "_class_name": "os.system"}))
        case "json":
            config.write_text("{")
        case "pickle":
            weights.unlink()
            torch.save(network.state_dict(), folder / "diffusion_pytorch_model.bin")
        case "weights":
            weights.unlink()
        case "cut":
            weights.write_bytes(weights.read_bytes()[:-100])
        case "outside":
            weights.rename(folder.parent / "away.safetensors")
            index = {"weight_map": {"conv_in.weight": "../away.safetensors"}}
            file = folder / "diffusion_pytorch_model.safetensors.index.json"
            file.write_text(json.dumps(index))


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("other sizes", r"its tensors are not those of the UNet2DModel .* expected \(24"),
        ("huge", "layers_per_block=1000000000, which no network has"),
        ("nonsense", "no UNet2DModel can be made of it"),
        ("class", r"class 'os.system'; expected one of"),
        ("json", "config.json: no JSON"),
        ("pickle", r"a pickle, .* save_pretrained\(folder, safe_serialization=True\)"),
        ("weights", "no file diffusion_pytorch_model.safetensors"),
        ("cut", "diffusion_pytorch_model.safetensors: "),
        ("outside", "its weight_map names no files of the folder"),
    ],
)
def test_a_folder_that_is_not_as_it_was_written_is_refused(name, reason, folders, tmp_path):
    network = folders["unet"][1]
    network.save_pretrained(tmp_path / "net")
    broken(name, tmp_path / "net", network)
    with pytest.raises((CompileError, CheckpointError), match=reason) as error:
        adapted(tmp_path / "net")
    assert "\n" not in str(error.value)


def test_a_network_of_other_images_or_wants_is_refused(folders, tmp_path):
    with pytest.raises(
        CompileError, match="a network of 2 channels; the image, or its latent, has 3"
    ):
        adapted(folders["unet"][0], channels=3)
    with pytest.raises(CompileError, match="no such folder"):
        adapted(tmp_path / "nowhere")
    diffusers.DDPMScheduler().save_pretrained(tmp_path)
    made("unet").save_pretrained(tmp_path)
    with pytest.raises(CompileError, match="path='cosine' of an image whose network has a path"):
        adapted(tmp_path, path="cosine")
    assert adapted(tmp_path, prediction="noise").schedule.prediction == "noise"


def autoencoders():
    tiny = {
        "encoder_block_out_channels": (8, 8),
        "decoder_block_out_channels": (8, 8),
        "num_encoder_blocks": (1, 1),
        "num_decoder_blocks": (1, 1),
    }
    levels = {
        "block_out_channels": (8, 8, 8),
        "down_block_types": ("DownEncoderBlock2D",) * 3,
        "up_block_types": ("UpDecoderBlock2D",) * 3,
    }
    kl = diffusers.AutoencoderKL(norm_num_groups=4, scaling_factor=0.5, shift_factor=0.1, **levels)
    return {"kl": (kl.eval(), 4), "tiny": (diffusers.AutoencoderTiny(**tiny).eval(), 2)}


@pytest.mark.parametrize("kind", ["kl", "tiny"])
def test_an_autoencoder_of_a_folder_is_the_one_that_was_written_in_its_own_scale(kind, tmp_path):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network, factor = autoencoders()[kind]
    network.save_pretrained(tmp_path)
    here = AUTOENCODERS.get("diffusers")(3, Latent(autoencoder="diffusers", folder=str(tmp_path)))
    assert isinstance(here, Autoencoder)
    assert (here.factor, here.channels, here.trained) == (factor, 4, True)
    x = drawn(2, 3, 16, 16)
    with torch.no_grad():
        z = here.encode(x)
        said = network.encode(x)
        own = said.latents if kind == "tiny" else (said.latent_dist.mean - 0.1) * 0.5
        assert torch.allclose(z, own, atol=1e-6)  # float32, of order 1
        back = z if kind == "tiny" else own / 0.5 + 0.1
        assert torch.allclose(here.decode(z), network.decode(back).sample, atol=1e-6)
    assert not list(here.parameters())
    with pytest.raises(
        CompileError, match="an autoencoder of 3 channels in and 3 out; the image has 1"
    ):
        AUTOENCODERS.get("diffusers")(1, Latent(autoencoder="diffusers", folder=str(tmp_path)))


def test_a_checkpoint_refuses_another_network_and_finds_one_that_moved(folders, tmp_path):
    first, other = tmp_path / "a" / "net", tmp_path / "other"
    folders["unet"][1].save_pretrained(first)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(9)
        made("unet").save_pretrained(other)
    (tmp_path / "a" / "graph.yaml").write_text(
        "nodes:\n  c: {type: class, levels: 2}\n  image: {type: image, shape: [2, 8, 8], "
        "diffusion: {backbone: diffusers, folder: net, width: 8, steps: 3, predictor_width: 4}}\n"
        "edges: [c -> image]\n"
    )
    graph = cf.load(tmp_path / "a" / "graph.yaml")
    assert graph.nodes["image"].diffusion.folder == str(first)
    model = cf.compile(graph)
    file = tmp_path / "b" / "model.safetensors"
    evidence = {"c": [0, 1], "image": torch.rand(2, 2, 8, 8)}
    model.fit(evidence, steps=1, batch_size=2, progress=False)
    model.save(file)
    expected = model.counterfactual(evidence, {"c": 1}, generator=0)["image"]
    first.rename(tmp_path / "b" / "net")
    again = cf.Model.load(file)
    assert torch.equal(again.counterfactual(evidence, {"c": 1}, generator=0)["image"], expected)
    names = again.scm.images["image"].denoiser.network.state_dict()
    assert sum(weight.numel() for weight in names.values()) == (FEATURES + 1) * 32
    (tmp_path / "b" / "net").rename(tmp_path / "kept")
    other.rename(tmp_path / "b" / "net")
    with pytest.raises(cf.CheckpointError, match="fitted beside networks of other digests"):
        cf.Model.load(file)
    (tmp_path / "b" / "net").rename(tmp_path / "gone")
    with pytest.raises(cf.CheckpointError, match="no such folder"):
        cf.Model.load(file)
