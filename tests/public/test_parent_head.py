"""A network that diffusers has trained, told of no parent, obeys do() once a head tells it.

It is trained here as diffusers' own examples do, by its scheduler, on squares of two colours, and
held; what is fitted beside it, on 500 pictures, must paint squares of the colour that do() says.
"""

import pytest
import torch
from torch.nn import functional

import causalflow as cf

GRAPH = """
nodes:
  colour: {type: class, levels: [blue, red]}
  image:
    type: image
    shape: [3, 32, 32]
    diffusion: {backbone: diffusers, folder: squares, adapter: lora, width: 16, weighting: data,
                code: 0, steps: 10, predictor_width: 4}
edges: [colour -> image]
"""
PAINT = torch.tensor([[0.1, 0.1, 0.9], [0.9, 0.1, 0.1]])
GROUND = 0.2


def squares(n, seed):
    """Colours, and a square of 16 pixels of each, somewhere."""
    generator = torch.Generator().manual_seed(seed)
    colour, image = torch.arange(n) % 2, torch.full((n, 3, 32, 32), GROUND)
    places = 8 * torch.randint(0, 3, (n, 2), generator=generator)
    for row, (down, across) in enumerate(places.tolist()):
        square = image[row, :, down : down + 16, across : across + 16]
        square[:] = PAINT[colour[row], :, None, None]
    return {"colour": colour, "image": image}


def trained_by_diffusers(images, folder, steps=300):
    """A network in a folder that predicts the picture of a noisy one, of whatever colour."""
    diffusers = pytest.importorskip("diffusers")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        sizes = {"num_attention_heads": 2, "attention_head_dim": 32, "num_layers": 2}
        network = diffusers.DiTTransformer2DModel(
            in_channels=3, sample_size=32, patch_size=8, num_embeds_ada_norm=1, **sizes
        )
        scheduler = diffusers.DDPMScheduler(
            beta_schedule="squaredcos_cap_v2", prediction_type="sample"
        )
        adam = torch.optim.AdamW(network.parameters(), lr=2e-3)
        rates = torch.optim.lr_scheduler.OneCycleLR(adam, 2e-3, total_steps=steps)
        for _ in range(steps):
            x = 2 * images[torch.randint(0, len(images), (32,))] - 1
            times, noise = torch.randint(0, 1000, (32,)), torch.randn_like(x)
            told = {"class_labels": torch.ones(32, dtype=torch.long), "return_dict": False}
            read = network(scheduler.add_noise(x, noise, times), times, **told)[0]
            adam.zero_grad()
            functional.mse_loss(read, x).backward()
            adam.step()
            rates.step()
    network.save_pretrained(folder)
    scheduler.save_pretrained(folder)


def redness(images):
    """The sum of red less blue of each picture, in squares of a full colour."""
    return (images[:, 0] - images[:, 2]).sum(dim=(1, 2)) / (16 * 16 * 0.8)


def test_squares_take_the_colour_of_do_once_a_head_is_fitted_beside_a_held_network(tmp_path):
    data = squares(500, seed=0)
    trained_by_diffusers(data["image"], tmp_path / "squares")
    (tmp_path / "graph.yaml").write_text(GRAPH, encoding="utf-8")
    model = cf.compile(cf.load(tmp_path / "graph.yaml"))
    model.fit(
        data, steps=200, batch_size=32, learning_rate=3e-3, warmup=10, ema=0.95, progress=False
    )
    for colour, sign in (("red", 1), ("blue", -1)):
        drawn = model.sample(16, do={"colour": colour}, generator=0)["image"]
        assert (sign * redness(drawn) > 0).float().mean() >= 0.9, colour
    unseen = squares(16, seed=9)
    same = model.counterfactual(unseen, do={})["image"]
    assert (same - unseen["image"]).abs().max() < 1e-6
    other = model.counterfactual(unseen, do={"colour": 1 - unseen["colour"]})["image"]
    was = 2 * unseen["colour"] - 1
    assert (was * redness(other) < 0).float().mean() >= 0.8
