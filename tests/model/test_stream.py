"""Streaming: what is written equals the answers, whatever interrupts it."""

import pytest
import torch
from PIL import Image as Picture
from safetensors.torch import load_file

import causalflow as cf
from causalflow.data.files import image_folder
from causalflow.errors import DataError, EvidenceError
from causalflow.graph.graph import Graph
from causalflow.model.stream import batches_of, stream

GRAPH = Graph(
    nodes={
        "color": {"type": "class", "levels": ["green", "red"]},
        "size": {"type": "continuous"},
        "image": {"type": "image", "shape": [3, 4, 4]},
    },
    edges=["color, size -> image"],
)
ROWS = 23
EVIDENCE = {
    "color": torch.arange(ROWS) % 2,
    "size": torch.linspace(1, 2, ROWS, dtype=torch.float64),
    "image": torch.rand(ROWS, 3, 4, 4, generator=torch.Generator().manual_seed(0)),
}


def flipped(batch, index):
    return {"color": 1 - batch["color"], "size": batch["size"], "image": 1 - batch["image"]}


def run(out, evidence=EVIDENCE, answer=flipped, size=5, **identity):
    batches, total = batches_of(evidence, size)
    identity = {"do": "color", **identity}
    return stream(answer, batches, out, graph=GRAPH, identity=identity, total=total, progress=False)


def killed_after(count):
    def answer(batch, index):
        if index == count:
            raise KeyboardInterrupt
        return flipped(batch, index)

    return answer


def test_a_tensor_file_holds_every_row_in_order(tmp_path):
    report = run(tmp_path / "worlds.safetensors")
    stored = load_file(report.path)
    expected = flipped(EVIDENCE, 0)
    assert stored.keys() == expected.keys()
    assert all(torch.equal(stored[name], expected[name]) for name in expected)
    assert (report.rows, report.batches, report.resumed_from) == (ROWS, 5, 0)


def test_a_folder_of_images_is_read_back_by_image_folder(tmp_path):
    report = run(tmp_path / "worlds")
    columns = image_folder(report.path)
    assert list(columns["color"]) == ["green" if k % 2 else "red" for k in range(ROWS)]
    assert [float(text) for text in columns["size"]] == EVIDENCE["size"].tolist()
    expected = ((1 - EVIDENCE["image"]) * 255).round().to(torch.uint8)
    assert torch.equal(columns["image"][range(ROWS)], expected)


@pytest.mark.parametrize("name", ["worlds.safetensors", "worlds"])
def test_a_killed_stream_goes_on_and_ends_with_the_same_bytes(tmp_path, name):
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / name, answer=killed_after(3))
    assert not (tmp_path / name).is_file()
    answered = []

    def counting(batch, index):
        answered.append(index)
        return flipped(batch, index)

    report = run(tmp_path / name, answer=counting)
    whole = run(tmp_path / f"whole_{name}")
    assert answered == [3, 4]
    assert report.resumed_from == 3
    assert contents(report.path) == contents(whole.path)
    assert not list(tmp_path.glob(".*"))


def contents(path):
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
    return {str(file.relative_to(path)): file.read_bytes() for file in files}


def test_another_question_or_other_evidence_does_not_resume(tmp_path):
    out = tmp_path / "worlds.safetensors"
    with pytest.raises(KeyboardInterrupt):
        run(out, answer=killed_after(2))
    with pytest.raises(DataError, match=r"begun with do='color', now do='size'; ask the same"):
        run(out, do="size")
    with pytest.raises(DataError, match="batch 0 is not the evidence"):
        run(out, evidence={**EVIDENCE, "size": EVIDENCE["size"] + 1})
    assert run(out).resumed_from == 2


@pytest.mark.parametrize("name", ["worlds.safetensors", "worlds"])
def test_what_is_there_is_not_overwritten(tmp_path, name):
    run(tmp_path / name)
    with pytest.raises(DataError, match="exists already"):
        run(tmp_path / name)


def test_loaders_are_taken_as_they_are_and_bad_batches_refused(tmp_path):
    loader = [{n: v[:7] for n, v in EVIDENCE.items()}, {n: v[7:] for n, v in EVIDENCE.items()}]
    assert run(tmp_path / "a.safetensors", evidence=loader).batches == 2
    with pytest.raises(EvidenceError, match="batch 0 is a int; expected a mapping"):
        run(tmp_path / "b.safetensors", evidence=[3])
    with pytest.raises(DataError, match="no batches"):
        run(tmp_path / "c.safetensors", evidence=[])
    with pytest.raises(EvidenceError, match="unequal lengths"):
        run(tmp_path / "d.safetensors", evidence={"size": [1.0], "color": [0, 1]})


def test_pngs_hold_what_the_images_are(tmp_path):
    run(tmp_path / "worlds")
    with Picture.open(tmp_path / "worlds" / "image" / "00000004.png") as picture:
        assert (picture.mode, picture.size) == ("RGB", (4, 4))


def test_a_model_streams_what_it_answers_in_memory_and_resumes(tmp_path):
    graph = GRAPH.to_yaml().replace(
        "shape: [3, 4, 4]", "shape: [3, 4, 4], diffusion: {width: 8, steps: 2}"
    )
    model = cf.compile(cf.loads(graph))
    model.fit(EVIDENCE, steps=1, batch_size=8, progress=False, device="cpu")
    out = tmp_path / "worlds.safetensors"
    report = model.counterfactual(
        EVIDENCE, do={"color": "red"}, out=out, batch_size=8, progress=False
    )
    world = model.counterfactual(EVIDENCE, do={"color": "red"})
    stored = load_file(report.path)
    assert report.rows == ROWS
    # float32 networks in batches of other sizes
    torch.testing.assert_close(stored["image"], world["image"], atol=1e-4, rtol=0)
    assert torch.equal(stored["color"], world["color"])
    by_row = model.counterfactual(
        EVIDENCE,
        do=lambda batch: {"color": 1 - batch["color"]},
        out=tmp_path / "flipped.safetensors",
        progress=False,
    )
    assert torch.equal(load_file(by_row.path)["color"], 1 - EVIDENCE["color"])
    with pytest.raises(EvidenceError, match="one draw a row"):
        model.counterfactual(EVIDENCE, do={"color": 1}, n=2, out=tmp_path / "two", progress=False)
