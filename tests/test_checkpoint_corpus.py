"""Model files that are not: each is made here, and each gives its one-line error."""

import hashlib
import io
import json
import math
import pickle
import struct
import zipfile

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save
from torch import nn

from causalflow.checkpoint import Metadata, load_into, load_state, save_state
from causalflow.errors import CheckpointError

TENSORS = {"weight": torch.arange(6.0).reshape(2, 3), "bias": torch.zeros(2)}
GRAPH = "edges:\n- x -> y\n"


def written(folder, tensors=TENSORS, kind="model"):
    path = folder / "good.safetensors"
    save_state(path, tensors, Metadata(kind=kind, graph=GRAPH, options={"steps": 3}))
    return path.read_bytes()


def parts(data):
    (length,) = struct.unpack("<Q", data[:8])
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def joined(header, body):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


def sealed(tensors=TENSORS, **changes):
    """A file with a right digest around whatever ``changes`` make of the texts (None: left out)."""
    texts = {
        "format": "causalflow",
        "version": "1",
        "kind": "model",
        "graph": GRAPH,
        "options": "{}",
        "libraries": "{}",
        **changes,
    }
    digest = hashlib.sha256()
    for name in ("format", "version", "kind", "graph", "options", "libraries"):
        digest.update(json.dumps([name, texts[name]]).encode() + b"\n")
    for name, tensor in sorted(tensors.items()):
        line = [name, str(tensor.dtype), list(tensor.shape)]
        digest.update(json.dumps(line).encode() + b"\n")
        digest.update(bytes(tensor.flatten().view(torch.uint8).tolist()))
    texts = {name: text for name, text in texts.items() if text is not None}
    return save(tensors, {"sha256": digest.hexdigest(), **texts})


def headed(data, **changes):
    """``data`` with fields of the tensor 'weight' in the header changed."""
    header, body = parts(data)
    header["weight"] |= changes
    return joined(header, body)


def without(data, name):
    header, body = parts(data)
    del header["__metadata__"][name]
    return joined(header, body)


def renamed(data):
    header, body = parts(data)
    header["wait"] = header.pop("weight")
    return joined(header, body)


def graph_changed(data):
    header, body = parts(data)
    header["__metadata__"]["graph"] = "edges:\n- y -> x\n"
    return joined(header, body)


def flipped(data, place):
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


def torch_file():
    file = io.BytesIO()
    torch.save(TENSORS, file)
    return file.getvalue()


def zip_file():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("graph.yaml", GRAPH)
    return file.getvalue()


class Bomb:
    """Unpickling this would raise, so a reader that unpickles is found out."""

    def __reduce__(self):
        return (exec, ("raise SystemExit('unpickled')",))


DAMAGED = {
    "empty": (lambda good: b"", "truncated"),
    "one byte": (lambda good: good[:1], "truncated"),
    "only the length": (lambda good: good[:8], "truncated"),
    "half the header": (lambda good: good[:100], "truncated"),
    "only the header": (lambda good: good[: -len(parts(good)[1])], "truncated"),
    "half the tensors": (lambda good: good[:-10], "truncated"),
    "last byte cut off": (lambda good: good[:-1], "truncated"),
    "bytes appended": (lambda good: good + b"\0" * 8, "no safetensors file"),
    "absurd header length": (lambda good: b"\xff" * 8 + good[8:], "no safetensors file"),
    "huge header length": (
        lambda good: struct.pack("<Q", 2**40) + good[8:],
        "no safetensors file",
    ),
    "zero header length": (lambda good: bytes(8) + good[8:], "no safetensors file"),
    "header not UTF-8": (lambda good: joined(b'{"\xff\xfe": 1}   ', b""), "no safetensors file"),
    "header not JSON": (lambda good: joined(b"weight: float", b""), "no safetensors file"),
    "header a list": (lambda good: joined(b"[1, 2, 3]", b""), "no safetensors file"),
    "header deeply nested": (lambda good: joined(b"[" * 9999, b""), "no safetensors file"),
    "plain text": (lambda good: b"nodes:\n  x: {type: class}\n", "no safetensors file"),
    "random bytes": (lambda good: hashlib.sha512(b"1").digest() * 9, "no safetensors file"),
    "pickle": (lambda good: pickle.dumps(Bomb()), "never read"),
    "old pickle": (lambda good: pickle.dumps(Bomb(), protocol=2), "never read"),
    "torch.save": (lambda good: torch_file(), "never read"),
    "zip": (lambda good: zip_file(), "never read"),
    "foreign safetensors": (lambda good: save(TENSORS), "not one that causalflow wrote"),
    "foreign metadata": (
        lambda good: save(TENSORS, {"format": "pt"}),
        "not one that causalflow wrote",
    ),
    "newer version": (lambda good: sealed(version="2"), "format version '2'"),
    "no version": (lambda good: without(good, "version"), "format version None"),
    "no kind": (lambda good: without(good, "kind"), "lack 'kind'"),
    "no graph": (lambda good: without(good, "graph"), "lack 'graph'"),
    "no options": (lambda good: without(good, "options"), "lack 'options'"),
    "no libraries": (lambda good: without(good, "libraries"), "lack 'libraries'"),
    "no digest": (lambda good: without(good, "sha256"), "lack 'sha256'"),
    "unknown kind": (lambda good: sealed(kind="modle"), "did you mean 'model'"),
    "options not JSON": (lambda good: sealed(options="{steps: 3}"), "'options' is not JSON"),
    "options deeply nested": (
        lambda good: sealed(options="[" * 99999),
        "'options' is not JSON",
    ),
    "options a list": (lambda good: sealed(options="[1]"), "'options' is not a JSON object"),
    "libraries not JSON": (lambda good: sealed(libraries="torch"), "'libraries' is not JSON"),
    "training file": (lambda good: sealed(kind="training"), "expected a 'model' file"),
    "weight altered": (lambda good: flipped(good, len(good) - 3), "digest"),
    "graph altered": (graph_changed, "digest"),
    "tensor renamed": (renamed, "digest"),
    "shape altered": (lambda good: headed(good, shape=[3, 2]), "digest"),
    "shape too large": (lambda good: headed(good, shape=[2, 2**60]), "no safetensors file"),
    "negative shape": (lambda good: headed(good, shape=[-2, -3]), "no safetensors file"),
    "unknown type": (lambda good: headed(good, dtype="F7"), "no safetensors file"),
    "unused type": (
        lambda good: headed(good, dtype="U32"),
        "has type U32",
    ),
    "offsets out of the file": (
        lambda good: headed(good, data_offsets=[8, 1 << 40]),
        "no safetensors file",
    ),
    "overlapping tensors": (
        lambda good: headed(good, data_offsets=[0, 24]),
        "no safetensors file",
    ),
    "NaN": (
        lambda good: sealed({**TENSORS, "bias": torch.tensor([0.0, math.nan])}),
        "tensor 'bias' holds NaN",
    ),
    "tensor missing": (
        lambda good: sealed({"weight": TENSORS["weight"]}),
        "tensor 'bias' is missing",
    ),
    "tensor misspelt": (
        lambda good: sealed({**TENSORS, "wait": torch.zeros(1)}),
        "unexpected tensor 'wait'",
    ),
    "wrong shape": (
        lambda good: sealed({**TENSORS, "bias": torch.zeros(3)}),
        r"tensor 'bias' has shape \(3,\); expected \(2,\)",
    ),
    "wrong type": (
        lambda good: sealed({**TENSORS, "bias": torch.zeros(2, dtype=torch.float64)}),
        "tensor 'bias' has type torch.float64; expected torch.float32",
    ),
    "no tensors": (lambda good: sealed({}), "tensor 'weight' is missing"),
}


def opened(path):
    module = nn.Linear(3, 2)
    load_into(module, load_state(path, kind="model").tensors, path)
    return module


def refused(path, message):
    with pytest.raises(CheckpointError, match=message) as error:
        opened(path)
    text = str(error.value)
    assert text.startswith(str(path))
    assert "\n" not in text
    assert len(text) < len(str(path)) + 300


def test_the_sealed_file_itself_is_read(tmp_path):
    """Else the corpus would test the corpus's own digest."""
    path = tmp_path / "model.safetensors"
    path.write_bytes(sealed())
    assert torch.equal(opened(path).weight, TENSORS["weight"])


def test_the_corpus_is_large_enough():
    assert len(DAMAGED) >= 20


@pytest.mark.parametrize("name", DAMAGED)
def test_a_malformed_file_gives_its_one_line(name, tmp_path):
    damage, message = DAMAGED[name]
    path = tmp_path / "model.safetensors"
    path.write_bytes(damage(written(tmp_path)))
    refused(path, message)


def test_a_missing_file_gives_its_one_line(tmp_path):
    refused(tmp_path / "model.safetensors", "No such file")


def test_a_directory_gives_its_one_line(tmp_path):
    refused(tmp_path, "a directory")


def test_a_file_that_is_a_folder_on_the_way_gives_its_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    refused(tmp_path / "file" / "model.safetensors", "cannot be read")


def test_a_file_over_the_limit_is_not_read(tmp_path, monkeypatch):
    path = tmp_path / "model.safetensors"
    path.write_bytes(written(tmp_path))
    monkeypatch.setattr("causalflow.header.MODEL_BYTES", 100)
    refused(path, "at most 100 are read")


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_altered_bytes_are_noticed_or_change_nothing(tmp_path, data):
    good = bytearray(written(tmp_path))
    places = st.integers(0, len(good) - 1)
    for place in data.draw(st.lists(places, min_size=1, max_size=3, unique=True)):
        good[place] ^= data.draw(st.integers(1, 255))
    path = tmp_path / "model.safetensors"
    path.write_bytes(bytes(good))
    try:
        state = load_state(path)
    except CheckpointError as error:
        assert "\n" not in str(error)
    else:
        assert state.metadata.graph == GRAPH
        assert all(torch.equal(state.tensors[name], TENSORS[name]) for name in TENSORS)
        assert state.tensors.keys() == TENSORS.keys()
