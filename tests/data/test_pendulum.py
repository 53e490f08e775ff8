"""The pendulum data against its own geometry, computed another way, and against matplotlib."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch

from causalflow.data.sets.pendulum import (
    LABELS,
    PARTS,
    draw_scene,
    join_picture,
    pendulum,
    pendulum_labels,
    split_picture,
)
from causalflow.errors import DataError
from causalflow.formats.formats import load
from causalflow.shipped import graph_path

SIZE = 32
FINE = 12  # samples a pixel's side in the slow renderer
GRID = [(i, j) for i, j in product(range(-40, 44), range(60, 148)) if j != 100]


@pytest.fixture(scope="module")
def data():
    return pendulum("test", SIZE, n=60)


def shadow(angle: float, light: float) -> tuple[float, float]:
    """Length and middle of the shadow of the pendulum, its rays traced to the ground one by one."""
    theta, phi = np.deg2rad(0.9 * angle), np.deg2rad(0.9 * light)

    def ground(x: float, y: float) -> float:
        return x - (y + 0.5) * np.cos(phi) / np.sin(phi)

    ends = ground(10, 10.5), ground(10 + 9.5 * np.sin(theta), 10.5 - 9.5 * np.cos(theta))
    return max(3.0, abs(ends[0] - ends[1])), sum(ends) / 2


def supersampled(angle: float, light: float, length: float, position: float) -> np.ndarray:
    """The picture by asking at many points of each pixel what is there, topmost shape first."""
    centres = (np.arange(SIZE * FINE) + 0.5) / (SIZE * FINE)
    right, down = np.meshgrid(centres, centres)
    x, y = (right - 0.125) / 0.775 * 20, (1 - down - 0.11) / 0.77 * 22 - 1
    theta, phi = np.deg2rad(0.9 * angle), np.deg2rad(0.9 * light)
    bob = 10 + 8 * np.sin(theta), 10.5 - 8 * np.cos(theta)
    run, fall = (bob[0] - 10) * 0.775 / 20, -(bob[1] - 10.5) * 0.77 / 22
    along = ((right - 0.125 - 0.3875) * run + (down - 1 + 0.11 + 0.77 * 11.5 / 22) * fall) / (
        run**2 + fall**2
    )
    across = abs((right - 0.5125) * fall - (down - 0.4875) * run) / np.hypot(run, fall)
    picture = np.full((3, *x.shape), 255.0)
    for where, colour in (
        ((along >= 0) & (along <= 1) & (across <= 1 / 48), (0, 0, 0)),
        (np.hypot(x - bob[0], y - bob[1]) <= 1.5, (178, 34, 34)),
        (np.hypot(x - 10 - 10 / np.tan(phi), y - 20.5) <= 3, (255, 165, 0)),
        ((abs(x - position) <= length / 2) & (abs(y + 0.5) * 0.77 / 22 <= 1 / 48), (0, 0, 0)),
    ):
        picture[:, where] = np.array(colour)[:, None]
    return picture.reshape(3, SIZE, FINE, SIZE, FINE).mean((2, 4))


def by_matplotlib(angle: float, light: float, length: float, position: float) -> np.ndarray:
    """The picture as the published generator's canvas would have it, if nothing were cut."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.patches import Circle, Polygon

    figure = Figure(figsize=(1, 1), dpi=96)
    axes = figure.add_subplot()
    theta, phi = np.deg2rad(0.9 * angle), np.deg2rad(0.9 * light)
    bob = (10 + 8 * np.sin(theta), 10.5 - 8 * np.cos(theta))
    left, right = position - length / 2, position + length / 2
    line = {"color": "black", "linewidth": 3, "clip_on": False, "snap": False}
    full = {"linewidth": 0, "clip_on": False}
    axes.add_artist(Polygon([(10, 10.5), bob], **line))
    axes.add_artist(Circle(bob, 1.5, color="firebrick", **full))
    axes.add_artist(Circle((10 + 10 / np.tan(phi), 20.5), 3, color="orange", **full))
    axes.add_artist(Polygon([(left, -0.5), (right, -0.5)], **line))
    axes.set(xlim=(0, 20), ylim=(-1, 21))
    axes.axis("off")
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.moveaxis(np.asarray(canvas.buffer_rgba())[..., :3].astype(float), -1, 0)


def rows_of(split: str) -> set[tuple[float, float]]:
    labels = pendulum(split, 16).labels
    return set(zip(labels["angle"], labels["light"], strict=True))


def test_splits_are_the_published_ones():
    test, train, validation = map(rows_of, ("test", "train", "validation"))
    assert len(GRID) == 7308
    assert test == {pair for place, pair in enumerate(GRID) if place and place % 4 == 0}
    assert len(test) == 1826
    assert len(train) + len(validation) == 5482
    assert train | validation | test == set(GRID)


def test_the_shadow_is_where_the_rays_meet_the_ground(data):
    found = zip(*(data.labels[name] for name in LABELS), strict=True)
    for angle, light, *rest in found:
        assert rest == pytest.approx(shadow(angle, light), abs=1e-9)


def test_the_grid_has_the_published_ranges():
    angle, light = np.array(GRID, dtype=float).T
    found = pendulum_labels(angle, light)
    length, position = found["shadow_length"], found["shadow_position"]
    assert (length == 3).sum() == 2894
    ends = [length.min(), length.max(), position.min(), position.max()]
    assert ends == pytest.approx([3, 12.577, 2.008, 19.606], abs=5e-4)


def test_published_labels_are_cut_and_the_pictures_are_not(data):
    cut = pendulum("test", SIZE, n=60, labels="published")
    assert torch.equal(cut.images, data.images)
    for name in LABELS:
        assert np.array_equal(cut.labels[name], np.trunc(data.labels[name]))
    assert not np.array_equal(cut.labels["shadow_length"], data.labels["shadow_length"])
    same = cut.true_counterfactual([3], {})
    assert float(same["shadow_position"][0]) == data.labels["shadow_position"][3]


@pytest.mark.parametrize("row", [0, 17, 41, 59])
def test_a_picture_is_what_many_points_a_pixel_see(data, row):
    wanted = supersampled(*(data.labels[name][row] for name in LABELS))
    error = abs(data.images[row].numpy() - wanted)
    # a point counts 255 / 144, a clamp errs by a few percent of a pixel at slanted and round edges
    assert error.max() < 30
    assert error.mean() < 0.3


@pytest.mark.parametrize("row", [5, 30, 55])
def test_a_picture_is_that_of_matplotlib_with_nothing_cut(data, row):
    labels = [data.labels[name][row] for name in LABELS]
    drawn = draw_scene(*np.array(labels)[:, None], size=96)[0]
    error = abs(drawn - by_matplotlib(*labels))
    assert error.max() < 45  # the corners of the slanted rod, where a clamp is coarsest
    assert error.mean() < 0.2


@pytest.mark.parametrize(("cause", "value"), [("angle", 21.5), ("light", 90.0)])
def test_a_cause_moves_the_shadow_and_not_the_other_cause(data, cause, value):
    world = data.true_counterfactual([7], {cause: value})
    factual = {name: float(data.labels[name][7]) for name in ("angle", "light")}
    pair = {**factual, cause: value}
    assert {name: float(world[name][0]) for name in pair} == pair
    found = [float(world[name][0]) for name in ("shadow_length", "shadow_position")]
    assert found == pytest.approx(shadow(**pair), abs=1e-9)
    wanted = supersampled(*pair.values(), *found)
    assert abs(255 * world["image"][0].numpy() - wanted).mean() < 0.3


def test_a_shadow_that_is_set_moves_nothing_else(data):
    rows = range(len(data))
    world = data.true_counterfactual(rows, {"shadow_length": 4.0, "shadow_position": 8.0})
    for name in ("angle", "light"):
        assert np.array_equal(world[name], data.labels[name])
    above = slice(
        0, round(0.85 * SIZE)
    )  # the bob ends at .82 of the height, the shadow begins at .85
    images = (world["image"] * 255).round().byte()
    assert torch.equal(images[:, :, above], data.images[:, :, above])
    below = images[:, :, above.stop :]
    assert (below == below[:1]).all()


def test_any_size_shows_the_same_scene():
    small, large = (pendulum("validation", size, n=3) for size in (24, 96))
    reduced = large.images.double().reshape(3, 3, 24, 4, 24, 4).mean((3, 5))
    assert (small.images - reduced).abs().mean() < 1  # grey levels: rounding, and first order
    assert small.graph.nodes["image"].shape == (3, 24, 24)
    assert len(large.frame) == 3


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"split": "dev"}, "unknown split 'dev'"),
        ({"size": 8}, "size is 8; expected 16 to 1024"),
        ({"n": 0}, "n is 0; expected 1 to 1,826 in split 'test'"),
        ({"n": 1827}, "n is 1827"),
        ({"labels": "integer"}, "unknown labels 'integer'; expected one of"),
    ],
)
def test_an_impossible_request_is_refused(given, message):
    with pytest.raises(DataError, match=message):
        pendulum(**{"split": "test", "size": 16, **given})


def test_the_parts_of_the_picture_are_what_their_graph_says(data):
    parts, graph = data.parts, load(graph_path("pendulum_parts"))
    assert torch.equal(join_picture(split_picture(data.images)), data.images)
    shapes = {name: tuple(parts[name].shape[1:]) for name in PARTS}
    assert shapes == {name: graph.nodes[name].shape for name in PARTS}
    assert graph.subgraph(LABELS).admg == load(graph_path("pendulum_scm")).admg
    # a cause that has no edge into a part leaves every pixel of it alone, and one that has does not
    for cause in LABELS:
        other = {name: np.array([3.0, 3.0]) + 80 * (name == "light") for name in LABELS}
        other[cause][1] += 4
        drawn = draw_scene(*(other[name] for name in LABELS), size=SIZE)
        for name, part in split_picture(torch.from_numpy(drawn)).items():
            has_edge = any(edge.source == cause and edge.target == name for edge in graph.edges)
            assert bool((part[0] != part[1]).any()) == has_edge
