"""Parents that act locally: the picture is held where the network does not answer, and who says so.

The checkpoint of Bar-MNIST ships; a bar lies on the four topmost rows of its pictures.
"""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
import torch
from PIL import Image

import causalflow as cf

CHECKPOINT = cf.data.checkpoint_path("bar_mnist_frontdoor_neural")
ROWS, TALL = 6, 4


@pytest.fixture(scope="module")
def model():
    return cf.Model.load(CHECKPOINT)


@pytest.fixture(scope="module")
def evidence(model):
    return model.sample(ROWS, generator=1)


def other_bar(evidence):
    return {"bar": 1 - evidence["bar"]}


def test_do_bar_moves_the_rows_of_the_bar_and_no_other_pixel(model, evidence):
    world = model.counterfactual(evidence, do=other_bar(evidence), local=True)
    free = model.counterfactual(evidence, do=other_bar(evidence))
    moved = (world["image"] - evidence["image"]).abs()
    assert moved[:, :, :TALL].amax(dim=(1, 2, 3)).min() > 0.3
    assert moved[:, :, TALL + 1 :].mean() < 1e-3
    assert (free["image"] - evidence["image"])[:, :, TALL + 1 :].abs().mean() > 2e-3
    share = world.info.local["image"]
    assert len(share) == ROWS
    assert min(share) >= TALL / 28 - 1e-9
    assert max(share) < 0.2
    (said,) = world.info.assumptions
    assert said.startswith("parents act locally: 'image' is held outside of the region")
    assert (free.info.local, free.info.assumptions) == ({}, ())


def test_no_intervention_holds_nothing_and_gives_the_same_bits(model, evidence):
    same = {"bar": evidence["bar"]}
    world = model.counterfactual(evidence, do=same, local=True)
    assert torch.equal(world["image"], model.counterfactual(evidence, do=same)["image"])
    assert world.info.assumptions == ()


def test_it_is_an_option_of_a_call_of_a_file_and_of_a_checkpoint(model, evidence, tmp_path):
    do = other_bar(evidence)
    wanted = model.counterfactual(evidence, do=do, local=True)["image"]
    sampled = model.counterfactual(evidence, do=do, sampling=cf.Sampling(local=True))["image"]
    assert torch.equal(sampled, wanted)
    own = cf.Model.load(CHECKPOINT).recommend(local=True, chosen="by a test")
    own.save(tmp_path / "own.safetensors")
    read = cf.Model.load(tmp_path / "own.safetensors")
    assert torch.equal(read.counterfactual(evidence, do=do)["image"], wanted)
    free = model.counterfactual(evidence, do=do)["image"]
    assert torch.equal(read.counterfactual(evidence, do=do, local=False)["image"], free)
    text = "nodes:\n  i: {type: image, shape: [1, 4, 4], diffusion: {local: %s}}\n"
    said = {word: cf.loads(text % word).nodes["i"].diffusion.local for word in ("true", "false")}
    assert said == {"true": True, "false": False}
    assert cf.loads(text % "null").nodes["i"].diffusion.local is None
    with pytest.raises(cf.CausalflowError, match="local"):
        cf.loads(text % "perhaps")


def test_the_command_line_says_what_was_assumed(evidence, tmp_path):
    picture = tmp_path / "first.png"
    pixels = (evidence["image"][0] * 255).round().byte().permute(1, 2, 0)
    Image.fromarray(pixels.numpy()).save(picture)
    command = [sys.executable, "-m", "causalflow", "counterfactual", str(CHECKPOINT)]
    command += ["--image", str(picture), "--do", f"bar={1 - int(evidence['bar'][0])}"]
    command += ["-O", "local=true", "-o", str(tmp_path / "first.csv"), "--json"]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    told = json.loads(ran.stdout)
    assert told["assumptions"][0].startswith("parents act locally: 'image' is held")
    assert 0 < told["local"]["image"][0] <= 1
