"""Files: what `torch.save` and safetensors write is read back, and anything else is refused."""

from __future__ import annotations

import hashlib
import pickle
import zipfile
from pathlib import Path

import pytest
import torch
from adm_reference import SMALL, SMALL_POOLED, weights
from safetensors.torch import save_file
from torch import Tensor

from causalflow.errors import CheckpointError
from causalflow.pretrained.adm_file import load, shapes_of
from causalflow.pretrained.adm_layers import Configuration
from causalflow.pretrained.adm_networks import Classifier, UNet


def state_of(sizes: Configuration) -> dict[str, Tensor]:
    return {name: tensor.float() for name, tensor in weights(shapes_of(sizes)).items()}


def saved(path: Path, content: object, **options: object) -> Path:
    torch.save(content, path, **options)
    return path


def answers(network: torch.nn.Module) -> Tensor:
    generator = torch.Generator().manual_seed(9)
    return network(torch.randn(2, 3, 8, 8, generator=generator), torch.tensor([0, 999]))


def refused(path: Path, reason: str, **options: object) -> None:
    with pytest.raises(CheckpointError, match=reason) as caught:
        load(path, head_channels=16, **options)
    assert str(caught.value).startswith(f"{path}: ")
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(("sizes", "kind"), [(SMALL, UNet), (SMALL_POOLED, Classifier)])
def test_a_file_is_the_network_of_its_tensors(tmp_path, sizes, kind):
    state = state_of(sizes)
    network = load(saved(tmp_path / "net.pt", state), head_channels=16)
    assert isinstance(network, kind)
    assert network.sizes == sizes
    assert not network.training
    assert all(not weight.requires_grad for weight in network.parameters())
    found = network.state_dict()
    assert list(found) == list(state)
    assert all(found[name].equal(tensor) for name, tensor in state.items())


def test_every_format_gives_the_same_network(tmp_path):
    state = state_of(SMALL)
    paths = [
        saved(tmp_path / "new.pt", state),
        saved(tmp_path / "old.pt", state, _use_new_zipfile_serialization=False),
        saved(tmp_path / "half.pt", {name: tensor.half() for name, tensor in state.items()}),
        tmp_path / "net.safetensors",
    ]
    save_file(state, paths[-1])
    expected, old, half, safe = (answers(load(path, head_channels=16)) for path in paths)
    assert expected.equal(old)
    assert expected.equal(safe)
    # Weights rounded to eleven bits.
    assert ((half - expected).norm() / expected.norm()).item() < 1e-2


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_the_convolutions_of_the_trunk_have_the_precision_that_is_asked(tmp_path, dtype):
    network = load(saved(tmp_path / "net.pt", state_of(SMALL)), head_channels=16, dtype=dtype)
    trunk = (network.input_blocks, network.middle_block, network.output_blocks)
    convolutions = {m for part in trunk for m in part.modules() if "Conv" in type(m).__name__}
    assert {m.weight.dtype for m in convolutions} == {dtype}
    others = set(network.parameters()) - {p for m in convolutions for p in m.parameters()}
    rest = torch.float64 if dtype == torch.float64 else torch.float32
    assert {weight.dtype for weight in others} == {rest}


def test_a_digest_is_verified_where_it_is_given(tmp_path):
    path = saved(tmp_path / "net.pt", state_of(SMALL))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    load(path, head_channels=16, sha256=digest.upper())
    refused(path, f"its sha256 is {digest}; expected {'0' * 64}", sha256="0" * 64)
    refused(path, "sha256='abc'; expected 64 hexadecimal digits", sha256="abc")


class _Mine:
    """What a pickle would run: a witness that it was."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (Path(self.path),)


@pytest.mark.parametrize("new", [True, False])
def test_a_pickle_with_code_is_refused_and_not_run(tmp_path, new):
    witness = tmp_path / "ran"
    content = {**state_of(SMALL), "x": _Mine(str(witness))}
    path = saved(tmp_path / "net.pt", content, _use_new_zipfile_serialization=new)
    refused(path, "holds more than tensors, which could run code; it is refused, nothing was run")
    plain = tmp_path / "plain.pt"
    plain.write_bytes(pickle.dumps(_Mine(str(witness))))
    refused(plain, "could run code|damaged")
    assert not witness.exists()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ([torch.zeros(2)], "holds a list; expected a state dict, tensors by name"),
        ({"model": {"a": torch.zeros(2)}}, "its 'model' is a dict; expected a flat state dict"),
        ({0: torch.zeros(2)}, "its 0 is a Tensor; expected a flat state dict"),
        ({"a": torch.zeros(2, dtype=torch.int64)}, "tensor 'a' is of torch.int64; expected one of"),
        ({}, "no tensor 'time_embed.0.weight', so no guided-diffusion network"),
        ({"module.a": torch.zeros(2)}, r"no guided-diffusion network; .*\['module.a'\]"),
        ({"a": torch.zeros(1).expand(10**6)}, "tensors of 4,000,000 bytes in a file of"),
    ],
)
def test_what_is_no_state_dict_of_guided_diffusion_is_refused(tmp_path, content, reason):
    refused(saved(tmp_path / "net.pt", content), reason)


def test_the_file_is_named_with_what_is_missing_and_what_is_expected(tmp_path):
    state = state_of(SMALL)
    del state["out.0.bias"]
    refused(saved(tmp_path / "net.pt", state), r"'out.0.bias' \(32,\) is missing$")
    with pytest.raises(
        CheckpointError, match=r"net.pt: attention over 32 channels cannot have hea"
    ):
        load(saved(tmp_path / "net.pt", state_of(SMALL)))
    refused(tmp_path / "net.pt", "dtype=torch.int8 of a network", dtype=torch.int8)


@pytest.mark.parametrize("new", [True, False])
def test_a_damaged_file_is_one_line(tmp_path, new):
    whole = saved(tmp_path / "net.pt", state_of(SMALL), _use_new_zipfile_serialization=new)
    content = whole.read_bytes()
    path = tmp_path / "part.pt"
    for length in (0, 1, 4, 100, len(content) // 2, len(content) - 30):
        path.write_bytes(content[:length])
        refused(path, "damaged, or no file of torch.save|holds more than tensors")
    refused(tmp_path / "none.pt", "No such file")
    refused(tmp_path, "cannot be read")


def test_an_archive_that_grows_is_refused_unread(tmp_path):
    path = tmp_path / "bomb.pt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data/0", bytes(10**7))
    refused(path, r"an archive of [\d,]+ bytes holds 10,000,000; torch.save stores plain")
