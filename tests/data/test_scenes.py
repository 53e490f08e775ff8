"""Scenes: rows that do not depend on their neighbours, shapes by points, textures by their law."""

from __future__ import annotations

import colorsys

import numpy as np
import pytest
import torch

import causalflow as cf
from causalflow.data.sets.scenes.family import SCENE_FAMILIES, SceneFamily
from causalflow.data.sets.scenes.noise import picture_noise
from causalflow.data.sets.scenes.scenes import scenes
from causalflow.data.sets.scenes.shapes import Canvas, from_hue
from causalflow.plugins import SCENE_FAMILIES as REGISTERED

FINE = 16  # samples a pixel's side
FAMILIES = ("ball", "phantom", "face")


@pytest.mark.parametrize("family", FAMILIES)
def test_a_row_is_the_same_however_many_are_drawn(family):
    """Pieces of 16 pictures and blocks of 256 labels end elsewhere."""
    many, few = scenes(family, size=32, n=300), scenes(family, size=32, n=21)
    assert torch.equal(many.images[:21], few.images)
    for drawn in ("labels", "exogenous"):
        first, again = getattr(many, drawn), getattr(few, drawn)
        assert all(np.array_equal(first[name][:21], again[name]) for name in again)
    rows = [299, 3, 17]
    world = many.true_counterfactual(rows, {})
    assert torch.equal((world["image"] * 255).round().byte(), many.images[rows])


def test_several_processes_draw_the_same():
    one, two = (scenes("phantom", size=32, n=40, workers=workers) for workers in (1, 2))
    assert torch.equal(one.images, two.images)


@pytest.mark.parametrize("family", FAMILIES)
def test_splits_and_seeds_share_no_row(family):
    drawn = [
        scenes(family, split, 32, 30, seed)
        for split in ("train", "validation", "test")
        for seed in (0, 1)
    ]
    pictures = torch.cat([data.images for data in drawn]).flatten(1)
    assert len(torch.unique(pictures, dim=0)) == len(pictures)
    name = next(
        n for n, node in drawn[0].graph.nodes.items() if n != "image" and not node.type.levels
    )
    assert len(np.unique(np.concatenate([data.labels[name] for data in drawn]))) == len(pictures)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_scene_is_the_same_at_every_size(family):
    """Pictures of twice the size, averaged over 2 x 2, but for the grain and thin lines."""
    fine, coarse = (scenes(family, "test", size, 12).images.float() for size in (128, 64))
    reduced = torch.nn.functional.avg_pool2d(fine, 2)
    assert (reduced - coarse).abs().mean() < 1.5
    assert (coarse[1:] - coarse[:-1]).abs().mean() > 10  # of two rows


def test_textures_have_mean_0_and_variance_1_at_every_size_and_share_their_waves():
    keys = [[0, row] for row in range(400)]
    fields = picture_noise(keys, 1, 32).fields
    assert abs(fields.mean()) < 5 * np.sqrt((fields.mean((1, 2, 3)) ** 2).mean() / 400)
    shares = (fields**2).mean((1, 2, 3))
    assert abs(shares.mean() - 1) < 5 * shares.std() / 20
    larger = picture_noise(keys[:3], 1, 96).fields  # whose every third pixel has the same middle
    np.testing.assert_allclose(larger[:, :, 1::3, 1::3], fields[:3], atol=1e-9)


def points(canvas: Canvas) -> tuple[np.ndarray, np.ndarray]:
    fine = Canvas(canvas.size * FINE)
    return fine.across[0], fine.down[0]


def share(where: np.ndarray, canvas: Canvas) -> np.ndarray:
    return where.reshape(canvas.size, FINE, canvas.size, FINE).mean((1, 3))


@pytest.mark.parametrize("size", [32, 64])
def test_shapes_cover_what_points_say(size):
    canvas = Canvas(size)
    across, down = points(canvas)
    bend = down - (40 - 5 * ((across - 30) / 9) ** 2)
    near = np.abs(bend) / np.sqrt(1 + (10 * (across - 30) / 81) ** 2) < 1.5
    level = np.hypot((across - 25) / 7, (down - 33) / 6)
    inner = np.hypot((across - 25) / 5, (down - 33) / 4)
    cases = {
        "bow": (canvas.bow((30, 40), 9, 5, 3), near & (np.abs(across - 30) < 9)),
        "ring": (canvas.ring((25, 33), (7, 6), 2), (level < 1) & (inner > 1)),
        "disk": (canvas.disk((25, 33), (7, 6)), level < 1),
        "below": (
            np.broadcast_to(canvas.below(20.3), (1, size, size)),
            (down > 20.3) & (across > 0),
        ),
    }
    for name, (covered, where) in cases.items():
        apart = np.abs(covered[0] - share(where, canvas))
        assert apart.max() < 0.25, name
        assert apart.sum() < 0.07 * where.mean() * size**2, name  # exact to first order in bend


def test_hues_are_those_of_the_colour_wheel():
    degrees = np.linspace(0, 350, 36)
    expected = [colorsys.hsv_to_rgb(each / 360, 0.7, 0.9) for each in degrees]
    np.testing.assert_allclose(from_hue(degrees, 0.7, 0.9), 255 * np.array(expected), atol=1e-9)


GRAPH = """
graph: boxes
nodes:
  tall: {type: continuous, support: [0, 1]}
  dark: {type: class, levels: 2}
  image: {type: image, shape: [1, 64, 64]}
edges: [tall -> dark, "tall, dark -> image: neural"]
"""
TRUTH = """
graph: boxes-scm
exogenous: {u: {type: uniform}, v: {type: uniform}}
nodes:
  tall: {type: continuous, support: [0, 1], equation: u}
  dark: {type: class, levels: 2, equation: v < tall}
"""


def boxes(labels, noise, size):
    """A box as high as it is tall, on a ground of its own texture."""
    box = Canvas(size).below(64 * (1 - labels["tall"]))[:, None]
    return 120 + 5 * noise.fields[:, :1] + box * (90 - 180 * labels["dark"])[:, None, None, None]


def test_a_family_of_ones_own_is_two_graphs_and_a_function(tmp_path, restored):
    for name, text in (("boxes.yaml", GRAPH), ("truth.yaml", TRUTH)):
        (tmp_path / name).write_text(text, encoding="utf-8")
    graph, scm = (str(tmp_path / name) for name in ("boxes.yaml", "truth.yaml"))
    cf.register("scene family", "boxes")(
        SceneFamily(name="boxes", graph=graph, scm=scm, channels=1, draw=boxes)
    )
    with pytest.raises(cf.CausalflowError, match="scene family 'noxes': expected a SceneFamily"):
        cf.register("scene family", "noxes")(boxes)
    data = cf.data.scenes("boxes", "test", 32, 20)
    raised = data.true_counterfactual(range(20), {"tall": 1.0, "dark": 0})["image"]
    lowered = data.true_counterfactual(range(20), {"tall": 0.0, "dark": 0})["image"]
    np.testing.assert_allclose((raised - lowered) * 255, 90, atol=1)
    assert REGISTERED is SCENE_FAMILIES
    assert "boxes" in SCENE_FAMILIES
    assert data.frame is not None
