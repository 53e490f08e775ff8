"""A packed file is a half or a quarter as large, and its weights are as near as its module says."""

import pytest
import torch

from causalflow.checkpoint import load_state, save_state
from causalflow.errors import CheckpointError
from causalflow.graph.graph import Graph
from causalflow.model.model import Model, compile
from causalflow.model.packing import LEAST, SCALE, packed, unpacked


def model():
    image = {"type": "image", "shape": [1, 8, 8], "diffusion": {"width": 16}}
    graph = Graph(nodes={"digit": {"type": "class", "levels": 4}, "x": image}, edges=["digit -> x"])
    made = compile(graph)
    random = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in made.scm.parameters():
            weight.copy_(torch.randn(weight.shape, generator=random) / 20)
    made.fitted = frozenset(graph.nodes)
    return made


def weights():
    random = torch.Generator().manual_seed(0)
    return {"w": torch.randn(64, 16, 3, 3, generator=random), "b": torch.randn(64)}


def test_no_weight_is_off_by_more_than_its_bits_allow():
    given = weights()
    half, eighth = (unpacked(packed(given, bits)) for bits in (16, 8))
    assert ((half["w"] - given["w"]).abs() <= 2**-11 * given["w"].abs() + 1e-7).all()
    step = given["w"].flatten(1).abs().amax(1) / 127
    assert ((eighth["w"] - given["w"]).abs().flatten(1) <= 0.5001 * step[:, None]).all()
    for found in (half, eighth):
        assert found["w"].dtype == torch.float32
        assert torch.equal(found["b"], given["b"])


def test_a_row_of_zeros_stays_and_small_or_other_tensors_are_untouched():
    given = {"zero": torch.zeros(8, LEAST), "small": torch.randn(2, 8), "whole": torch.arange(9)}
    found = packed(given, 8)
    assert torch.equal(unpacked(found)["zero"], given["zero"])
    assert set(found) == {"zero", "zero" + SCALE, "small", "whole"}
    assert found["small"] is given["small"]


def test_what_does_not_fit_is_refused():
    with pytest.raises(CheckpointError, match=r"bits=4; expected one of \[8, 16, 32\]"):
        packed(weights(), 4)
    with pytest.raises(CheckpointError, match="'w' does not fit in 16 bits"):
        packed({"w": torch.full((2, LEAST), 1e6)}, 16)


def test_a_packed_model_answers_nearly_as_the_whole_one(tmp_path):
    whole = model()
    image, files = torch.rand(2, 1, 8, 8), {}
    rows = {"digit": torch.tensor([0, 1]), "x": image}
    expected = whole.counterfactual(rows, {"digit": 3})["x"]
    for bits in (32, 16, 8):
        files[bits] = tmp_path / f"{bits}.safetensors"
        whole.save(files[bits], bits=bits)
        found = Model.load(files[bits]).counterfactual(rows, {"digit": 3})["x"]
        assert float((found - expected).abs().mean()) < {32: 1e-9, 16: 1e-3, 8: 2e-2}[bits]
    sizes = {bits: path.stat().st_size for bits, path in files.items()}
    assert sizes[16] < 0.6 * sizes[32]
    assert sizes[8] < 0.35 * sizes[32]


def test_the_null_intervention_of_a_packed_model_is_exact(tmp_path):
    model().save(tmp_path / "m.safetensors", bits=8)
    rows = {"digit": torch.tensor([0, 1]), "x": torch.rand(2, 1, 8, 8)}
    back = Model.load(tmp_path / "m.safetensors").reconstruct(rows)["x"]
    assert float((back - rows["x"]).abs().max()) < 1e-6


def test_a_file_that_does_not_say_so_is_not_read_as_packed(tmp_path):
    path = tmp_path / "m.safetensors"
    model().save(path)
    state = load_state(path)
    save_state(path, packed(state.tensors, 16), state.metadata)
    with pytest.raises(CheckpointError, match=r"has type torch\.float16; expected torch\.float32"):
        Model.load(path)
