"""Cures of what is learned by heart: each is an option that a fit takes; the page says numbers."""

from dataclasses import replace

import pytest

import causalflow as cf
from benchmarks.scenes.cures import CURES, cured, fitted, table
from benchmarks.scenes.scene import Scene


@pytest.fixture(scope="module")
def ball():
    return Scene.plain("ball", 12, "train", 32)


def test_a_cure_is_in_the_graph_that_is_fitted_and_none_leaves_it(ball):
    assert cured(ball.graph, CURES["none"]) == ball.graph
    assert cured(ball.graph, CURES["all"]).nodes["image"].diffusion.parent_jitter == 0.1
    for cure in CURES.values():
        assert cf.Fit(**cure.fit)


def test_a_fit_with_all_cures_is_written_and_says_what_it_took(ball, tmp_path):
    graph = ball.graph.with_nodes(
        {"image": cf.loads("nodes: {image: {type: image, shape: [3, 32, 32]}}").nodes["image"]}
    )
    scene = Scene(family="ball", graph=graph, rows=ball.rows, drawn=None)
    small = {"width": 4, "multipliers": (1,), "predictor_width": 4}
    cure = replace(CURES["all"], image={**CURES["all"].image, **small})
    took = fitted(cure, scene, tmp_path / "net.safetensors", steps=2, batch_size=4)
    assert took["steps"] == 2
    assert cf.Model.load(tmp_path / "net.safetensors").fitted


def test_drift_is_told_as_a_share_of_that_without_a_cure():
    def row(others):
        return {
            "others": [others] * 5,
            "changed": [6.0, float("nan"), 6.0, 6.0, 6.0],
            "all": [2.0] * 5,
            "floor": [1.0] * 5,
            "steps": 1000,
            "minutes": 4.0,
        }

    lines = table({"none": row(2.0), "jitter": row(1.5)})
    assert "| none | 2.00 (2.00 to 2.00) | 1.000 (1.000 to 1.000) | 6.00" in lines[2]
    assert "| jitter | 1.50 (1.50 to 1.50) | 0.750 (0.750 to 0.750)" in lines[3]
