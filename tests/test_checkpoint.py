import hashlib
import json
import math
import os
import subprocess
import sys

import pytest
import torch
from safetensors import safe_open
from torch import nn

from causalflow.checkpoint import Metadata, load_into, load_state, save_state
from causalflow.errors import CheckpointError

TENSORS = {
    "weight": torch.linspace(-1, 1, 6).reshape(2, 3),
    "table": torch.tensor([0.0, -math.inf, 1e-300], dtype=torch.float64),
    "levels": torch.tensor([3, 1, 2]),
    "mask": torch.tensor([True, False]),
    "half": torch.tensor([0.5], dtype=torch.bfloat16),
    "scalar": torch.tensor(2.5),
    "empty": torch.zeros(0, 4),
}
METADATA = Metadata(kind="model", graph="graph: ä\n", options={"width": 32, "rate": 0.1})


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


def test_what_is_loaded_is_what_was_saved_bit_by_bit(path):
    save_state(path, TENSORS, METADATA)
    state = load_state(path, kind="model")
    assert state.metadata == METADATA
    assert state.tensors.keys() == TENSORS.keys()
    for name, tensor in TENSORS.items():
        assert state.tensors[name].dtype == tensor.dtype
        assert torch.equal(state.tensors[name], tensor)


def test_digest_is_the_documented_one(path):
    """An oracle for other readers of the format, written from the module's docstring."""
    save_state(path, TENSORS, METADATA)
    with safe_open(path, framework="np") as file:
        texts = file.metadata()
    digest = hashlib.sha256()
    for name in ("format", "version", "kind", "graph", "options", "libraries"):
        digest.update(json.dumps([name, texts[name]]).encode() + b"\n")
    for name, tensor in sorted(TENSORS.items()):
        line = [name, str(tensor.dtype), list(tensor.shape)]
        digest.update(json.dumps(line).encode() + b"\n")
        digest.update(bytes(tensor.flatten().view(torch.uint8).tolist()))
    assert texts["sha256"] == digest.hexdigest()


def test_tied_and_channels_last_weights_are_saved_like_any_others(path):
    image = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    lasting = image.to(memory_format=torch.channels_last)
    save_state(path, {"a": lasting, "b": lasting, "c": image[:, :1]}, METADATA)
    tensors = load_state(path).tensors
    assert torch.equal(tensors["a"], image)
    assert torch.equal(tensors["b"], image)
    assert torch.equal(tensors["c"], image[:, :1])


def test_a_module_takes_the_tensors_and_keeps_its_memory_format(path):
    source, target = nn.Conv2d(2, 3, 3), nn.Conv2d(2, 3, 3).to(memory_format=torch.channels_last)
    save_state(path, source.state_dict(), METADATA)
    load_into(target, load_state(path).tensors, path)
    assert torch.equal(source.weight, target.weight)
    assert target.weight.is_contiguous(memory_format=torch.channels_last)


def test_nan_is_not_saved_and_the_old_file_stays(path):
    save_state(path, TENSORS, METADATA)
    with pytest.raises(CheckpointError, match="tensor 'weight' holds NaN"):
        save_state(path, {"weight": torch.tensor([math.nan])}, METADATA)
    assert torch.equal(load_state(path).tensors["weight"], TENSORS["weight"])


def test_a_refused_module_is_left_as_it_was(path):
    module = nn.Linear(3, 2)
    before = module.weight.detach().clone()
    with pytest.raises(CheckpointError, match="tensor 'bias' is missing"):
        load_into(module, {"weight": torch.zeros(2, 3)}, path)
    assert torch.equal(module.weight, before)


def test_an_unwritable_place_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError, match=r"model\.safetensors: cannot be written") as error:
        save_state(tmp_path / "file" / "model.safetensors", TENSORS, METADATA)
    assert "\n" not in str(error.value)


def test_a_failed_write_leaves_the_old_file_and_no_part(path, monkeypatch):
    save_state(path, TENSORS, METADATA)

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CheckpointError, match="No space left"):
        save_state(path, {"weight": torch.zeros(1)}, METADATA)
    assert torch.equal(load_state(path).tensors["weight"], TENSORS["weight"])
    assert [file.name for file in path.parent.iterdir()] == [path.name]


KILLED_WRITER = """
import sys, torch
from causalflow.checkpoint import Metadata, save_state
print("ready", flush=True)
for number in range(1_000_000):
    value = torch.full((200_000,), float(number))
    save_state(sys.argv[1], {"a": value, "b": value}, Metadata(kind="training"))
    print(number, flush=True)
"""


@pytest.mark.parametrize("writes", [1, 3])
def test_a_writer_killed_at_any_moment_leaves_a_whole_file(path, writes):
    writer = subprocess.Popen(
        [sys.executable, "-c", KILLED_WRITER, str(path)], stdout=subprocess.PIPE, text=True
    )
    with writer:
        for _ in range(writes + 1):
            writer.stdout.readline()
        writer.kill()
    tensors = load_state(path, kind="training").tensors
    assert torch.equal(tensors["a"], tensors["b"])
    assert tensors["a"][0] >= writes - 1
