from __future__ import annotations

import os

import numpy as np
import pytest
import torch
from PIL import Image as Picture

from causalflow.errors import DataError
from causalflow.plot.images import image_grid, save_figure

COLORS = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 1]])[:, :, None, None].expand(3, 3, 4, 4)
GRAYS = torch.tensor([0.2, 0.8])[:, None, None, None].expand(2, 1, 4, 4)


def pixels(figure):
    figure.set_dpi(100)
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba())[..., :3]


def shown(figure):
    """The colour at the middle of each image, in the order drawn."""
    picture = pixels(figure)
    boxes = [axes.get_window_extent() for axes in figure.axes]
    height = picture.shape[0]
    return [
        tuple(picture[round(height - (b.y0 + b.y1) / 2), round((b.x0 + b.x1) / 2)].tolist())
        for b in boxes
    ]


def test_every_image_is_shown_in_its_own_colors_row_by_row():
    figure = image_grid({"factual": COLORS, "gray": GRAYS})
    assert shown(figure) == [(255, 0, 0), (0, 255, 0), (0, 0, 255), (51, 51, 51), (204, 204, 204)]


def test_bytes_arrays_and_tensors_look_the_same():
    forms = [COLORS, COLORS.numpy(), (COLORS * 255).to(torch.uint8), COLORS.double()]
    first, *others = (pixels(image_grid({"x": form})) for form in forms)
    assert all(np.array_equal(first, other) for other in others)


def test_pixels_are_enlarged_without_smoothing():
    checks = torch.tensor([[0.0, 1.0], [1.0, 0.0]])[None, None]
    figure = image_grid({"x": checks})
    picture, box = pixels(figure), figure.axes[0].get_window_extent()
    rows = slice(round(picture.shape[0] - box.y1) + 2, round(picture.shape[0] - box.y0) - 2)
    inside = picture[rows, round(box.x0) + 2 : round(box.x1) - 2]
    assert set(np.unique(inside)) == {0, 255}


def test_labels_captions_and_title_are_written_and_nothing_overlaps():
    rows = {"factual": COLORS, "do(color = red)\nsame hand": COLORS}
    captions = {name: ["7 red, bar", "3 green", "0 red"] for name in rows}
    title = "Counterfactuals of three pictures under one intervention"
    figure = image_grid(rows, captions, title=title)
    assert {text.get_text() for text in figure.texts} == {*rows, title}
    assert [axes.get_xlabel() for axes in figure.axes] == captions["factual"] * 2
    figure.canvas.draw()
    texts = [*figure.texts, *(axes.xaxis.label for axes in figure.axes)]
    boxes = [item.get_window_extent() for item in (*figure.axes, *texts)]
    assert not any(a.overlaps(b) for k, a in enumerate(boxes) for b in boxes[:k])
    page = figure.bbox
    assert all(
        page.x0 <= b.x0 and b.x1 <= page.x1 and page.y0 <= b.y0 and b.y1 <= page.y1 for b in boxes
    )


def test_a_caption_wider_than_its_image_goes_on_below_it():
    words = ["0.889 0.022 0.0735 0.359"] * 3
    figure = image_grid({"a": COLORS, "b": COLORS}, {"a": words, "b": ["0.9"] * 3})
    figure.canvas.draw()
    assert figure.axes[0].get_xlabel() == "0.889 0.022\n0.0735 0.359"
    texts = [*figure.texts, *(axes.xaxis.label for axes in figure.axes)]
    boxes = [item.get_window_extent() for item in (*figure.axes, *texts)]
    assert not any(a.overlaps(b) for k, a in enumerate(boxes) for b in boxes[:k])
    assert all(figure.bbox.y0 <= box.y0 and box.y1 <= figure.bbox.y1 for box in boxes)


@pytest.mark.parametrize(
    ("rows", "captions", "message"),
    [
        ({}, None, "expected at least one row"),
        (
            {"x": torch.zeros(3, 4, 4)},
            None,
            r"row 'x': images of shape \(3, 4, 4\); expected \(batch, 1 or 3, height",
        ),
        ({"x": torch.zeros(2, 2, 4, 4)}, None, "row 'x': images of shape"),
        ({"x": COLORS}, {"x": ["one"]}, "row 'x': expected one caption per image"),
        ({"x": COLORS}, {"y": ["one"]}, "row 'y': expected one caption per image"),
    ],
)
def test_what_cannot_be_drawn_is_a_one_line_error(rows, captions, message):
    with pytest.raises(DataError, match=message):
        image_grid(rows, captions)


def test_a_saved_figure_is_a_picture_of_its_suffix(tmp_path):
    save_figure(image_grid({"x": COLORS}), tmp_path / "a.png")
    with Picture.open(tmp_path / "a.png") as picture:
        assert picture.format == "PNG"
    save_figure(image_grid({"x": COLORS}), tmp_path / "a.pdf")
    assert (tmp_path / "a.pdf").read_bytes()[:5] == b"%PDF-"
    assert sorted(os.listdir(tmp_path)) == ["a.pdf", "a.png"]


def test_a_figure_that_cannot_be_written_leaves_the_old_file_alone(tmp_path):
    (tmp_path / "a.xyz").write_text("old")
    for path in (tmp_path / "a.xyz", tmp_path / "a.xyz" / "a.png"):
        with pytest.raises(DataError, match=r"unknown format|cannot be written"):
            save_figure(image_grid({"x": COLORS}), path)
    assert (tmp_path / "a.xyz").read_text() == "old"
    assert os.listdir(tmp_path) == ["a.xyz"]
