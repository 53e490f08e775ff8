"""Pictures of other sizes and depths become the graph's by the stated rules, checked by numbers."""

import json
import tracemalloc

import numpy as np
import pytest
import torch
from PIL import Image

import causalflow as cf


def graph(*shape):
    return cf.loads(f"nodes: {{image: {{type: image, shape: [{', '.join(map(str, shape))}]}}}}")


def folder(place, **pictures):
    """A folder of pictures (arrays, PIL images or bytes) and its labels.csv."""
    place.mkdir(exist_ok=True)
    for name, picture in pictures.items():
        file = place / f"{name}.png"
        if isinstance(picture, bytes):
            file.write_bytes(picture)
        elif isinstance(picture, np.ndarray):
            Image.fromarray(picture).save(file)
        else:
            picture.save(file)
    names = "\n".join(f"{name}.png" for name in pictures)
    (place / "labels.csv").write_text(f"path\n{names}\n")
    return place


def read(place, *shape, **given):
    return cf.data.read(place, graph(*shape), **given).columns["image"]


def mean_over(values, top, bottom, left, right):
    """The mean of a piecewise constant picture over a rectangle, parts of pixels as parts."""
    rows = np.clip(np.minimum(np.arange(1, values.shape[0] + 1), bottom), top, None)
    tall = np.clip(rows - np.maximum(np.arange(values.shape[0]), top), 0, None)
    columns = np.clip(np.minimum(np.arange(1, values.shape[1] + 1), right), left, None)
    wide = np.clip(columns - np.maximum(np.arange(values.shape[1]), left), 0, None)
    return float(tall @ values.astype(float) @ wide / tall.sum() / wide.sum())


def test_a_picture_shrunk_by_a_whole_factor_is_the_mean_of_its_blocks(tmp_path):
    values = np.random.default_rng(0).integers(0, 256, (12, 8), dtype=np.uint8)
    found = read(folder(tmp_path, a=values), 1, 3, 2, resize="stretch")
    blocks = values.reshape(3, 4, 2, 4).astype(int).sum((1, 3))
    assert found[0, 0].tolist() == ((2 * blocks + 16) // 32).tolist()  # halves up


def test_a_fine_pattern_becomes_gray_not_stripes(tmp_path):
    stripes = np.tile(np.array([0, 255], np.uint8), (60, 30))
    found = read(folder(tmp_path, a=stripes), 1, 20, 12, resize="stretch")  # 3 x 5 pixels each
    assert sorted(set(found.ravel().tolist())) == [102, 153]  # two or three of five are white


@pytest.mark.parametrize("rule", ["cover", "contain", "stretch"])
def test_parts_of_pixels_count_as_parts(tmp_path, rule):
    values = np.random.default_rng(1).integers(0, 256, (17, 23), dtype=np.uint8)
    found = read(folder(tmp_path, a=values), 1, 5, 5, resize=rule)[0, 0].numpy()
    wanted = np.zeros((5, 5))
    if rule == "contain":  # 23 -> 5, 17 -> 3.7: four rows, the fifth is black
        height, (tall, wide), left = 4, (17 / 4, 23 / 5), 0.0
    else:
        height, left = 5, 3.0 if rule == "cover" else 0.0
        tall, wide = 17 / 5, (17 if rule == "cover" else 23) / 5
    for row in range(height):
        for column in range(5):
            at = (row * tall, (row + 1) * tall, left + column * wide, left + (column + 1) * wide)
            wanted[row, column] = mean_over(values, *at)
    assert np.abs(found - wanted).max() <= 0.5 + 1e-9  # rounded to whole numbers


def test_a_picture_that_grows_is_interpolated_and_warned_of(tmp_path):
    values = np.array([[0, 100], [200, 40]], np.uint8)
    place = folder(tmp_path, a=values, b=np.zeros((9, 9), np.uint8))
    with pytest.warns(cf.CausalflowWarning, match="1 pictures are smaller than the graph asks"):
        found = read(place, 1, 4, 4, resize="cover")
    across = np.array([[1, 0], [0.75, 0.25], [0.25, 0.75], [0, 1]])
    assert found[0, 0].tolist() == np.floor(across @ values @ across.T + 0.5).tolist()


def test_another_size_is_refused_without_a_rule_and_so_are_levels_with_one(tmp_path):
    place = folder(tmp_path, a=np.zeros((9, 7), np.uint8))
    with pytest.raises(cf.DataError, match="height x width 9x7; expected 4x4, or a rule"):
        read(place, 1, 4, 4)
    levels = cf.loads("nodes: {image: {type: image, shape: [1, 4, 4], levels: 2}}")
    with pytest.raises(cf.DataError, match="are levels, of which there are no means"):
        cf.data.read(place, levels, resize="cover")


def test_the_orientation_that_a_camera_notes_is_honoured(tmp_path):
    values = np.random.default_rng(2).integers(0, 256, (4, 6, 3), dtype=np.uint8)
    tag = Image.Exif()
    tag[0x0112] = 6  # to be turned a quarter to the right
    Image.fromarray(values).save(tmp_path / "a.png", exif=tag)
    (tmp_path / "labels.csv").write_text("path\na.png\n")
    found = read(tmp_path, 3, 6, 4)[0]
    assert np.array_equal(found.permute(1, 2, 0), np.rot90(values, -1))


def test_gray_colour_palette_and_transparency_become_the_graphs_channels(tmp_path):
    colour = np.random.default_rng(3).integers(0, 256, (2, 2, 3), dtype=np.uint8)
    clear = np.concatenate([colour, np.zeros((2, 2, 1), np.uint8)], axis=2)
    place = folder(
        tmp_path, a=colour, b=colour[:, :, 0], c=clear, d=Image.fromarray(colour).convert("P")
    )
    found = read(place, 3, 2, 2)
    assert np.array_equal(found[0].permute(1, 2, 0), colour)
    assert np.array_equal(found[1], np.stack([colour[:, :, 0]] * 3))
    assert np.array_equal(found[2].permute(1, 2, 0), colour)
    gray = read(place, 1, 2, 2)[0, 0].numpy().astype(float)
    assert np.abs(gray - colour @ [0.299, 0.587, 0.114]).max() <= 1


def test_sixteen_bits_keep_their_steps_and_a_window_cuts(tmp_path):
    ramp = np.arange(64, dtype=np.uint16).reshape(8, 8) * 1040
    place = folder(tmp_path, a=ramp)
    found = read(place, 1, 8, 8)
    assert found.dtype == torch.float32
    assert np.array_equal(found[0, 0], (ramp / 65535).astype(np.float32))
    windowed = read(place, 1, 8, 8, window=(1040, 11440))[0, 0]
    assert np.array_equal(windowed, ((ramp - 1040.0) / 10400).clip(0, 1).astype(np.float32))
    blocks = ramp.reshape(4, 2, 4, 2).mean((1, 3))
    halved = read(place, 1, 4, 4, resize="cover")[0, 0].numpy()
    assert np.allclose(halved, blocks / 65535, atol=1e-7, rtol=0)  # rounding to float32


def test_a_window_in_percent_is_found_in_the_rows_and_said(tmp_path):
    ramp = np.arange(10_000, dtype=np.uint16).reshape(100, 100)
    place = folder(tmp_path, a=ramp, b=ramp)
    rows = cf.data.read(place, graph(1, 100, 100), window="1%,99%")
    low, high = rows.surveys["image"].window
    assert (low, high) == pytest.approx(np.percentile(ramp, [1, 99]))
    assert rows.columns["image"].min() == 0
    assert rows.columns["image"].max() == 1


def test_eight_and_sixteen_bits_in_one_folder_are_shares_of_their_own_whites(tmp_path):
    eight = np.full((4, 4), 51, np.uint8)
    sixteen = np.full((4, 4), 13107, np.uint16)
    found = read(folder(tmp_path, a=eight, b=sixteen, c=eight), 1, 4, 4)
    assert found.unique().tolist() == pytest.approx([0.2])


def test_damaged_pictures_are_named_and_refused_or_skipped_as_told(tmp_path):
    good = np.full((4, 4), 7, np.uint8)
    place = folder(tmp_path, a=good, b=b"no picture", c=good, d=b"\x89PNG\r\n\x1a\nbroken")
    with open(place / "labels.csv", "a", encoding="utf-8") as file:
        file.write("gone.png\n")
    with pytest.raises(cf.DataError, match=r"gone\.png: no such image file"):
        read(place, 1, 4, 4)
    for memory in (2048, 0):
        rows = cf.data.read(place, graph(1, 4, 4), on_error="skip", memory=memory)
        assert [name for name, _ in rows.skipped] == ["b.png", "d.png", "gone.png"]
        assert torch.equal(rows.columns["image"][[0, 1]], torch.full((2, 1, 4, 4), 7).byte())
    for name in ("a.png", "c.png"):
        (place / name).write_bytes(b"no picture")
    with pytest.raises(cf.DataError, match="none of 5 pictures can be read"):
        cf.data.read(place, graph(1, 4, 4), on_error="skip")


def test_labels_of_skipped_rows_are_left_out(tmp_path):
    nodes = "nodes: {x: {type: continuous}, image: {type: image, shape: [1, 4, 4]}}"
    text = f"{nodes}\nedges: [x -> image]"
    place = folder(
        tmp_path, a=np.zeros((4, 4), np.uint8), b=b"no picture", c=np.ones((4, 4), np.uint8)
    )
    (place / "labels.csv").write_text("path,x\na.png,1\nb.png,2\nc.png,3\n")
    rows = cf.data.Frame.read(cf.data.read(place, cf.loads(text), on_error="skip"), cf.loads(text))
    assert rows.columns["x"].tolist() == [1, 3]
    assert rows.columns["image"].amax((1, 2, 3)).tolist() == [0, 1]


def test_two_thousand_pictures_are_read_in_bounded_memory(tmp_path):
    """All of them take 98 MB; batches of 32 are read in under 12 MB, sixteen at a time decoded."""
    values = np.random.default_rng(4).integers(0, 256, (128, 128, 3), dtype=np.uint8)
    Image.fromarray(values).save(tmp_path / "a.png", compress_level=0)
    (tmp_path / "labels.csv").write_text("path\n" + "a.png\n" * 2000)
    column = read(tmp_path, 3, 128, 128, memory=0, workers=2)
    total = 0
    tracemalloc.start()
    for rows in torch.arange(2000).split(32):
        total += len(column[rows])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert total == 2000
    assert peak < 12e6


ANIMALS = """
graph: animals
nodes:
  animal: {type: class, levels: [cat, dog, fox]}
  weight: {type: continuous, unit: kg, noise: linear}
  image: {type: image, shape: [3, 8, 8], diffusion: {width: 8, multipliers: [1], steps: 2}}
edges: [animal -> weight, "animal, weight -> image"]
"""


@pytest.fixture
def animals(tmp_path):
    rng = np.random.default_rng(5)
    (tmp_path / "g.yaml").write_text(ANIMALS)
    place, lines = tmp_path / "animals", ["path,animal,weight"]
    place.mkdir()
    for row in range(24):
        size = (16, 16) if row % 3 else (12, 24)
        Image.fromarray(rng.integers(0, 256, (*size, 3), dtype=np.uint8)).save(place / f"{row}.png")
        animal, weight = ("cat" if row < 20 else "dog") if row else "", row / 2
        lines.append(f"{row}.png,{animal},{weight}")
    (place / "labels.csv").write_text("\n".join(lines) + "\n")
    (place / "5.png").write_bytes(b"no picture")
    return place


def test_data_shows_levels_ranges_sizes_and_what_is_skipped(animals, cli):
    refused = cli("data", "g.yaml", "--data", animals, "--resize", "cover")
    assert (refused.code, refused.out) == (2, "")
    assert refused.err.startswith("5.png: not an image file")
    words = ("--resize", "cover", "--on-error", "skip")
    ran = cli("data", "g.yaml", "--data", animals, *words, "-o", "preview.png")
    assert (ran.code, ran.err) == (0, "")
    for text in (
        "23 rows, image folder animals with labels.csv\n",
        "23 pictures of height x width 16x16 (15), 12x24 (8); numbers 0 to 255; resized by 'cover'",
        "animal  cat          18  81.8 %\n",
        "animal  (missing)     1  -\n",
        "weight [kg]      0     ",
        "note: node 'animal': level 'dog' has 4 rows\n",
        "note: node 'animal': level 'fox' has 0 rows\n",
        "note: 1 row skipped: 5.png: not an image file",
        "written: preview.png",
    ):
        assert text in ran.out
    with Image.open("preview.png") as picture:
        assert picture.width > 600
    found = json.loads(cli("data", "g.yaml", "--data", animals, *words, "--json").out)
    assert found["nodes"]["animal"]["counts"] == {"cat": 18, "dog": 4, "fox": 0}
    assert found["pictures"]["image"]["sizes"][0] == {"height": 16, "width": 16, "pictures": 15}
    assert found["skipped"][0]["picture"] == "5.png"


def test_a_fit_says_once_what_it_read_and_a_counterfactual_reads_alike(animals, cli):
    words = ("--data", animals, "--resize", "cover", "--on-error", "skip")
    fit = ("fit", "g.yaml", *words, "--steps", 2, "--batch-size", 4, "--no-progress")
    ran = cli(*fit, "-o", "m.safetensors")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("data    23 rows, image folder animals with labels.csv\n")
    assert "animal  cat 81.8 %, dog 18.2 %, fox 0 %, 1 missing\n" in ran.out
    assert "note: node 'animal': level 'dog' has 4 rows\n" in ran.out
    json.loads(cli(*fit, "-o", "n.safetensors", "--json").out)
    ask = ("counterfactual", "m.safetensors", "--image", animals / "0.png", "--do", "animal=dog")
    assert "expected 8x8, or a rule" in cli(*ask, "--resize", "refuse").err
    assert cli(*ask, "--given", "animal=cat", "--given", "weight=3").code == 0
    percent = cli(*ask, "--resize", "cover", "--window", "1%,99%")
    assert "--window 1%,99% is found in rows; give the numbers that it was" in percent.err


def test_every_option_of_reading_is_one_of_the_commands(cli):
    import dataclasses

    for command in ("data", "fit", "evaluate", "counterfactual"):
        shown = " ".join(cli(command, "--help").out.split())
        for field in dataclasses.fields(cf.data.Reading):
            assert f"--{field.name.replace('_', '-')} " in shown
