"""A model keeps how its pictures were read: others are read so, unless one says otherwise."""

import shutil

import numpy as np
import pytest
import torch
from PIL import Image

import causalflow as cf

GRAPH = """
graph: scans
nodes:
  dose:  {type: class, levels: [low, high]}
  image: {type: image, shape: [1, 8, 8], diffusion: {width: 8, multipliers: [1], steps: 2}}
edges: [dose -> image]
"""
LOW, HIGH, ROWS = 1000, 3000, 24
STEP = 0.5 / 255 + 1e-6
"""Pictures that go to disk have 8 bits."""
FIT = ("fit", "scans.yaml", "--steps", 2, "--batch-size", 4, "--no-progress")
SHARES = ("--resize", "cover", "--window", "0%,100%")


def folder(place, **pictures):
    place.mkdir()
    for name, values in pictures.items():
        Image.fromarray(values).save(place / f"{name}.png")
    rows = [f"{name}.png,{('low', 'high')[row % 2]}" for row, name in enumerate(pictures)]
    (place / "labels.csv").write_text("\n".join(["path,dose", *rows]) + "\n")
    return place


@pytest.fixture
def scans(tmp_path, cli):
    """A model of 16-bit pictures of 12x16, in a window that shares of pixels found."""
    random = np.random.default_rng(0)
    pictures = {f"p{row}": random.integers(LOW, HIGH + 1, (12, 16)) for row in range(ROWS)}
    for values in pictures.values():
        values[0, :2] = LOW, HIGH
    folder(tmp_path / "old", **{name: each.astype(np.uint16) for name, each in pictures.items()})
    (tmp_path / "scans.yaml").write_text(GRAPH)
    ran = cli(*FIT, "--data", "old", *SHARES, "-o", "m.safetensors")
    assert (ran.code, ran.err) == (0, "")
    return tmp_path


def flat(value, size=(16, 24), kind=np.uint16):
    return np.full(size, value, kind)


def seen(cli, *words, model="m.safetensors"):
    """The picture that a null intervention gives back, which is the one that was read."""
    null = ("--given", "dose=low", "--do", "dose=low", "--out", "out", "--no-progress")
    shutil.rmtree("out", ignore_errors=True)
    ran = cli("counterfactual", model, *words, *null)
    assert ran.code == 0, ran.err
    pictures = cf.data.read("out", cf.loads(GRAPH)).columns["image"]
    return pictures[torch.arange(len(pictures))] / 255, ran.err


def test_a_model_tells_by_which_numbers_and_rule_its_pictures_were_read(scans):
    habit = cf.Model.load("m.safetensors").habits["image"]
    assert (habit.resize, habit.window, habit.slice) == ("cover", (LOW, HIGH), "")
    assert habit.ends == ((0, 65535),)


def test_a_new_picture_of_another_size_is_read_in_the_window_of_the_fit(scans, cli):
    folder(scans / "new", a=flat(1500))
    pictures, told = seen(cli, "--image", "new/a.png")
    assert told == ""
    assert torch.allclose(pictures, torch.tensor(0.25), atol=STEP)
    again, told = seen(cli, "--given", "image=new/a.png")
    assert told == ""
    assert torch.equal(again, pictures)


def test_rows_are_read_alike_too_and_a_python_call_by_like(scans, cli):
    folder(scans / "new", a=flat(1500), b=flat(2000, (20, 9)))
    model = cf.Model.load("m.safetensors")
    rows = cf.data.read("new", model.graph, like=model.habits).columns["image"]
    wanted = torch.tensor([0.25, 0.5]).view(2, 1, 1, 1).expand(2, 1, 8, 8)
    assert torch.allclose(rows, wanted, atol=1e-6)
    ran = cli("counterfactual", "m.safetensors", "--data", "new", "--rows", 2, "--do", "dose=low")
    assert (ran.code, ran.err) == (0, "")
    words = ("--data", "old", "-n", 2, "--metrics", "composition", "--judge-epochs", 1)
    assert "expected 8x8" not in cli("evaluate", "m.safetensors", *words, "--no-progress").err


def test_what_is_spelt_out_wins_and_is_told(scans, cli):
    folder(scans / "new", a=flat(1500))
    pictures, told = seen(cli, "--image", "new/a.png", "--window", "0,3000", "--resize", "stretch")
    assert torch.allclose(pictures, torch.tensor(0.5), atol=STEP)
    assert "--resize cover, now --resize stretch; " in told
    assert "--window 1000,3000, now --window 0,3000" in told
    assert told.count("\n") == 1
    _, told = seen(cli, "--image", "new/a.png", "--window", "1000,3000", "--resize", "cover")
    assert told == ""
    pictures, told = seen(cli, "--image", "new/a.png", "--window", "")
    assert torch.allclose(pictures, torch.tensor(1500 / 65535), atol=STEP)
    assert "--window 1000,3000, now --window none" in told


def test_a_picture_of_another_depth_is_told(scans, cli):
    folder(scans / "new", a=flat(128, (8, 8), np.uint8))
    _, told = seen(cli, "--image", "new/a.png")
    assert "numbers 0 to 65535, now 0 to 255" in told
    model = cf.Model.load("m.safetensors")
    with pytest.warns(cf.CausalflowWarning, match="numbers 0 to 65535, now 0 to 255"):
        cf.data.read("new", model.graph, like=model.habits)


def test_pictures_of_several_depths_in_one_question_keep_their_shades(tmp_path, cli):
    (tmp_path / "scans.yaml").write_text(GRAPH)
    pictures = {f"p{row}": flat(128, (8, 8), np.uint8) for row in range(ROWS)}
    folder(tmp_path / "new", **pictures, deep=flat(32768, (8, 8)))
    assert cli(*FIT, "--data", "new", "-o", "m.safetensors").code == 0
    pictures, _ = seen(cli, "--image", "new/p0.png", "--image", "new/deep.png")
    wanted = torch.tensor([128 / 255, 32768 / 65535]).view(2, 1, 1, 1).expand(2, 1, 8, 8)
    assert torch.allclose(pictures, wanted, atol=STEP)


def test_a_model_that_was_fitted_to_arrays_has_no_habit_and_reads_as_before(tmp_path, cli):
    model = cf.compile(cf.loads(GRAPH))
    rows = {"dose": torch.arange(8) % 2, "image": torch.rand(8, 1, 8, 8)}
    model.fit(rows, steps=1, batch_size=4, progress=False)
    model.save("m.safetensors")
    assert not cf.Model.load("m.safetensors").habits
    folder(tmp_path / "new", a=flat(128, (9, 9), np.uint8))
    ran = cli("counterfactual", "m.safetensors", "--image", "new/a.png", "--do", "dose=low")
    assert "height x width 9x9; expected 8x8, or a rule" in ran.err


def test_a_table_of_another_name_in_a_folder_is_pointed_at(tmp_path):
    graph = cf.loads(GRAPH.replace("  image:", "  side: {type: class, levels: [l, r]}\n  image:"))
    place = folder(tmp_path / "boats", a=flat(9, (8, 8), np.uint8))
    (place / "labels.csv").rename(place / "rows.csv")
    for inner in ("", "images"):
        (place / inner).mkdir(exist_ok=True)
        with pytest.raises(cf.DataError, match=r"is rows.csv the table\? Then give --data"):
            cf.data.read(place, graph)


def test_why_nothing_can_be_read_is_said(tmp_path):
    place = folder(tmp_path / "new", a=flat(9, (9, 9), np.uint8), b=flat(9, (7, 7), np.uint8))
    with pytest.raises(cf.DataError, match=r"none of 2 pictures.*9x9; expected 8x8, or a rule"):
        cf.data.read(place, cf.loads(GRAPH), on_error="skip")
    levels = cf.loads(GRAPH.replace("[1, 8, 8]", "[8, 8, 1]"))
    with pytest.raises(cf.DataError, match=r"a shape is \[channels, height, width\], given \[8, 8"):
        cf.data.read(place, levels, resize="cover")
    (place / "a.png").write_bytes(b"none")
    with pytest.raises(cf.DataError, match=r"a\.png: not an image.*on_error=skip leaves such rows"):
        cf.data.read(place, cf.loads(GRAPH), resize="cover")
    (place / "a.png").unlink()
    with pytest.raises(cf.DataError, match=r"a\.png: no such image.*on_error=skip leaves such"):
        cf.data.read(place, cf.loads(GRAPH), resize="cover")


def test_depths_that_are_mixed_are_a_note(tmp_path, cli):
    folder(tmp_path / "new", a=flat(9, (8, 8), np.uint8), b=flat(900, (8, 8)))
    (tmp_path / "scans.yaml").write_text(GRAPH)
    told = "note: node 'image': pictures of several depths, 0 to 255 and 0 to 65535, each with"
    assert told in cli("data", "scans.yaml", "--data", "new").out
    assert told not in cli("data", "scans.yaml", "--data", "new", "--window", "0,999").out
