from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image as Picture

from causalflow.data.files import image_folder
from causalflow.data.frame import Frame
from causalflow.errors import DataError
from causalflow.graph.graph import Graph

GRAPH = Graph(
    nodes={
        "color": {"type": "class", "levels": ["green", "red"]},
        "image": {"type": "image", "shape": [3, 4, 6]},
    },
    edges=["color -> image"],
)
PIXELS = np.random.default_rng(1).integers(0, 256, (3, 4, 6, 3), dtype=np.uint8)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "images" / "sub").mkdir(parents=True)
    for name, pixels in zip(("a.png", "sub/b.png", "c.png"), PIXELS, strict=True):
        Picture.fromarray(pixels).save(tmp_path / "images" / name)
    return tmp_path / "images"


def table(folder, *rows, header="path,color"):
    (folder / "labels.csv").write_text("\n".join([header, *rows]) + "\n")
    return folder


def test_rows_of_a_folder_are_the_pixels_of_its_files(folder):
    columns = image_folder(table(folder, "a.png,red", "sub/b.png,green", "c.png,"))
    rows = Frame.read(columns, GRAPH).rows(torch.tensor([2, 1, 1]))
    assert rows["color"].tolist() == [-1, 0, 0]
    pixels = ((rows["image"] + 1) * 127.5).round().to(torch.uint8)
    assert torch.equal(pixels, torch.from_numpy(PIXELS[[2, 1, 1]]).permute(0, 3, 1, 2))


def test_gray_files_fill_the_channels_that_the_graph_asks_for(folder):
    Picture.fromarray(PIXELS[0, :, :, 0]).save(folder / "a.png")
    rows = Frame.read(image_folder(table(folder, "a.png,red")), GRAPH).rows(torch.tensor([0]))
    assert torch.equal(rows["image"][:, 0], rows["image"][:, 2])


def test_the_table_may_lie_elsewhere_and_the_node_be_called_otherwise(folder, tmp_path):
    (tmp_path / "x.csv").write_text("file\na.png\n")
    columns = image_folder(folder, tmp_path / "x.csv", path="file", image="picture")
    assert columns["picture"][[0]].shape == (1, 3, 4, 6)


def _link_outside(folder):
    (folder / "link.png").symlink_to(folder.parent / "outside.png")
    Picture.fromarray(PIXELS[0]).save(folder.parent / "outside.png")
    return table(folder, "link.png,red")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda f: f, "labels.csv: cannot be read: No such file or directory"),
        (
            lambda f: table(f, "a.png,red", header="file,color"),
            r"no column 'path'; expected one of \['file', 'color'\]",
        ),
        (lambda f: table(f, "a.png,red", ",red"), "labels.csv: row 1: column 'path' is empty"),
        (lambda f: table(f, "z.png,red"), "^z.png: no such image file in"),
        (
            lambda f: table(f, "../labels.csv,red"),
            "^../labels.csv: the file lies outside the folder",
        ),
        (
            lambda f: table(f, "/etc/hostname,red"),
            "^/etc/hostname: the file lies outside the folder",
        ),
        (_link_outside, "^link.png: the file lies outside the folder"),
    ],
)
def test_a_folder_that_cannot_be_read_is_refused_at_once(folder, spoil, message):
    with pytest.raises(DataError, match=message):
        image_folder(spoil(folder))


def test_a_table_that_is_no_text_is_refused(folder):
    (folder / "labels.csv").write_bytes(b"\xff\xfe\x00path")
    with pytest.raises(DataError, match="the file is UTF-16; save it as UTF-8"):
        image_folder(folder)


def test_files_of_16_bits_are_shares_of_65535(folder):
    values = np.arange(24, dtype=np.uint16).reshape(4, 6) * 2849
    Picture.fromarray(values).save(folder / "a.png")
    column = Frame.read(image_folder(table(folder, "a.png,red")), GRAPH).columns["image"]
    assert torch.equal(column[[0]][0, 0], torch.from_numpy((values / 65535).astype(np.float32)))


def _truncated(folder):
    large = np.random.default_rng(0).integers(0, 256, (4, 6, 3), dtype=np.uint8)
    Picture.fromarray(large).save(folder / "a.png")
    content = (folder / "a.png").read_bytes()
    (folder / "a.png").write_bytes(content[: len(content) // 2])


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            lambda f: (f / "a.png").write_text("no image"),
            "^a.png: not an image file that can be read",
        ),
        (lambda f: (f / "a.png").unlink(), "^a.png: no such image file in"),
        (
            lambda f: Picture.new("RGB", (4, 6)).save(f / "a.png"),
            "^a.png: image of height x width 6x4; expected 4x6, or a rule by which it is resized: "
            "resize=cover, contain or stretch$",
        ),
        (
            lambda f: Picture.new("I", (6, 4), 70_000).save(f / "a.png", "TIFF"),
            "^a.png: pixels from 70000 to 70000; say which numbers are black and white",
        ),
        (_truncated, "^a.png: damaged image file"),
    ],
)
def test_a_file_that_is_no_such_image_is_named_when_its_row_is_asked_for(folder, spoil, message):
    frame = Frame.read(image_folder(table(folder, "a.png,red", "c.png,red")), GRAPH)
    spoil(folder)
    assert frame.rows(torch.tensor([1]))["image"].shape == (1, 3, 4, 6)
    with pytest.raises(DataError, match=message):
        frame.rows(torch.tensor([1, 0]))
