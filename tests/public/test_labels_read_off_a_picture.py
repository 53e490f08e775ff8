"""What a picture shows is read off it: of the shipped ball, the numbers that made each picture."""

from pathlib import Path

import pytest
import torch

import causalflow as cf

CHECKPOINT = Path(__file__).parents[2] / "checkpoints" / "scene_ball" / "model.safetensors"
N = 24


@pytest.fixture(scope="module")
def model():
    return cf.Model.load(CHECKPOINT)


@pytest.fixture(scope="module")
def scenes():
    return cf.data.scenes("ball", "validation", size=64, n=N, seed=3)


def misses(world, scenes, name):
    """How far a number that was read is from the true one, in shares of its range."""
    low, high = {"size": (5, 15), "hue": (0, 240), "x": (14, 50), "lamp": (4, 60)}[name]
    return (world[name] - torch.as_tensor(scenes.labels[name])).abs() / (high - low)


def test_numbers_and_levels_are_read_off_the_picture_alone(model, scenes):
    abduction = model.abduct({"image": scenes.images})
    world = model.predict(abduction)
    assert set(abduction.info.inferred) == {"stripe", "sky", "size", "hue", "x", "lamp"}
    for name in ("stripe", "sky"):
        assert (world[name] == torch.as_tensor(scenes.labels[name])).double().mean() >= 0.95
    for name, mean in {"size": 0.012, "hue": 0.012, "x": 0.006, "lamp": 0.03}.items():
        miss = misses(world, scenes, name)
        assert float(miss.mean()) < mean, name
        assert float((miss <= 0.1).double().mean()) >= 0.95, name
    assert float((world["image"] - scenes.images / 255).abs().max()) < 1e-6


def test_labels_that_are_given_are_believed_and_help_to_read_the_others(model, scenes):
    known = ("stripe", "sky", "size", "hue", "x")
    given = {name: scenes.labels[name] for name in known}
    world = model.predict(model.abduct({"image": scenes.images, **given}))
    for name in known:
        true = torch.as_tensor(scenes.labels[name]).double()
        assert torch.allclose(world[name].double(), true, atol=1e-9)
    assert float(misses(world, scenes, "lamp").mean()) < 0.03
