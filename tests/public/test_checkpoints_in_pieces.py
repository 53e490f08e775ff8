"""Checkpoints in pieces: what is too large for one file, read back, held against its digests."""

import json
import shutil

import pytest
import torch

import causalflow as cf

GRAPH = """
graph: squares
nodes:
  light: {type: class, levels: [dim, bright], table: [0.5, 0.5]}
  image: {type: image, shape: [1, 8, 8], diffusion: {width: 8, multipliers: [1], steps: 2}}
edges: ["light -> image"]
"""


@pytest.fixture(scope="module")
def model():
    random = torch.Generator().manual_seed(0)
    rows = {"light": torch.arange(16) % 2, "image": torch.rand(16, 1, 8, 8, generator=random)}
    fitted = cf.compile(cf.loads(GRAPH))
    fitted.fit(rows, steps=2, batch_size=8, progress=False, device="cpu")
    return fitted


@pytest.fixture
def index(model, tmp_path):
    model.save(tmp_path / "squares.safetensors", piece="20KB")
    return tmp_path / "squares.safetensors"


def pieces(folder):
    return sorted(path for path in folder.iterdir() if "-of-" in path.name)


def pictures(model):
    return model.sample(3, generator=0)["image"]


def test_a_model_in_pieces_answers_as_the_model(model, index, tmp_path):
    assert torch.equal(pictures(cf.Model.load(index)), pictures(model))
    told = json.loads(index.read_text())
    assert list(told["pieces"]) == [piece.name for piece in pieces(tmp_path)]
    assert len(told["pieces"]) > 2
    assert set(told["weight_map"].values()) == set(told["pieces"])
    assert sum(piece["bytes"] for piece in told["pieces"].values()) == sum(
        piece.stat().st_size for piece in pieces(tmp_path)
    )


def test_another_state_takes_the_place_of_all_pieces(model, index, tmp_path):
    model.save(index, piece="40KB")
    told = json.loads(index.read_text())
    assert [piece.name for piece in pieces(tmp_path)] == list(told["pieces"])
    model.save(index)
    assert list(tmp_path.iterdir()) == [index]
    assert torch.equal(pictures(cf.Model.load(index)), pictures(model))


def test_a_missing_a_damaged_and_a_swapped_piece_are_named(index, tmp_path):
    first, second, *_ = pieces(tmp_path)
    content = first.read_bytes()
    for change, said in (
        (first.unlink, "is missing"),
        (lambda: first.write_bytes(content[:-1] + b"x"), "is another file, or damaged"),
        (lambda: first.write_bytes(content[:-9]), "is another file, or damaged"),
        (lambda: shutil.copy(second, first), "is another file, or damaged"),
    ):
        change()
        with pytest.raises(cf.CheckpointError, match=f"piece 1 of .*{first.name}.*{said}") as error:
            cf.Model.load(index)
        assert "\n" not in str(error.value)
    first.write_bytes(content)
    cf.Model.load(index)


def test_a_changed_index_and_a_piece_alone_are_refused(index, tmp_path):
    with pytest.raises(cf.CheckpointError, match="a piece of a larger file; give the index"):
        cf.Model.load(pieces(tmp_path)[0])
    told = index.read_text()
    index.write_text(told.replace("squares", "circles", 1))
    with pytest.raises(cf.CheckpointError, match="altered or damaged: an index of pieces"):
        cf.Model.load(index)
    index.write_text(told[: len(told) // 2])
    with pytest.raises(cf.CheckpointError, match="altered or damaged: an index of pieces"):
        cf.Model.load(index)


@pytest.mark.parametrize("piece", ["much", "0GB", 0, -3, True, "2 gigabytes", None])
def test_no_size_is_one_line(model, tmp_path, piece):
    with pytest.raises(cf.CausalflowError, match=r'expected a number of bytes, such as "2GB"'):
        model.save(tmp_path / "squares.safetensors", piece=piece)
    assert list(tmp_path.iterdir()) == []
