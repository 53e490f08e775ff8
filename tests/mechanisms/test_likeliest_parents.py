"""Levels that the predictor cannot tell are read off a picture by the flow of the same network."""

from pathlib import Path

import pytest
import torch

import causalflow as cf
from causalflow.diffusion.likeliest import ITERATIONS, SWEEPS, TIMES
from causalflow.mechanisms.mechanism import module_key

CHECKPOINT = Path(__file__).parents[2] / "checkpoints" / "scene_ball" / "model.safetensors"
N = 12


@pytest.fixture(scope="module")
def scenes():
    return cf.data.scenes("ball", "validation", size=64, n=N, seed=4)


@pytest.fixture(scope="module")
def blind():
    """The shipped ball, its predictor blind to both classes: it holds level 1 likelier."""
    model = cf.Model.load(CHECKPOINT)
    with torch.no_grad():
        for name in ("stripe", "sky"):
            head = model.scm.images["image"].predictor.heads[module_key(name)]
            head.weight.zero_()
            head.bias.copy_(torch.tensor([0.0, 2.3]))
    return model


def test_the_flow_has_the_last_word_on_levels_and_numbers(blind, scenes):
    abduction = blind.abduct({"image": scenes.images})
    world = blind.predict(abduction)
    for name in ("stripe", "sky"):
        true = torch.as_tensor(scenes.labels[name])
        assert (true == 0).any(), "so that the predictor is wrong"
        assert torch.equal(world[name], true.to(world[name]))
    lamp = torch.as_tensor(scenes.labels["lamp"])
    assert float((world["lamp"] - lamp).abs().mean()) < 0.03 * 56
    assert float((world["image"] - scenes.images / 255).abs().max()) < 1e-6
    once = blind.abduct({"image": scenes.images, **scenes.labels}).info.network_calls
    reading = abduction.info.network_calls - once
    levels, numbers = len(TIMES) * (1 + 2 + 2), len(TIMES) * ITERATIONS * (1 + 4)
    assert 0 < reading <= SWEEPS * levels + numbers


def test_levels_that_are_told_are_believed(blind, scenes):
    wrong = 1 - torch.as_tensor(scenes.labels["sky"]).long()
    world = blind.predict(blind.abduct({"image": scenes.images, "sky": wrong}))
    assert torch.equal(world["sky"], wrong.to(world["sky"]))
