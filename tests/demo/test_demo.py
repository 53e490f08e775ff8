"""The shipped model keeps what docs/models.md says of it, on held-out real digits."""

import json
from pathlib import Path

import pytest

from causalflow.checkpoint import load_state
from causalflow.demo.demo import (
    CHECKPOINT,
    LOG,
    TRAINING,
    Demonstration,
    demonstrate,
    load_model,
    train,
)
from causalflow.model.model import Model


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Demonstration:
    return demonstrate(load_model(), 200, tmp_path_factory.mktemp("demo") / "demo.png")


@pytest.fixture(scope="module")
def scores(shown: Demonstration) -> dict[tuple[str, str], float]:
    return {(score.query, score.measure): score.value for score in shown.scores}


def test_another_colour_changes_the_colour_and_keeps_the_digit(scores):
    assert scores["do(color)", "color as set"] >= 0.97
    assert scores["do(color)", "digit as in the world"] >= 0.93
    assert scores["do(color)", "bar as in the world"] >= 0.97


def test_another_digit_is_read_as_that_digit_and_the_rest_obeys_the_graph(scores):
    assert scores["do(digit)", "digit as set"] >= 0.85
    assert scores["do(digit)", "color as in the world"] >= 0.97
    assert scores["do(digit)", "bar as in the world"] >= 0.97


def test_another_bar_changes_nothing_else(scores):
    assert scores["do(bar)", "bar as set"] >= 0.97
    assert (
        scores["do(bar)", "digit as in the world"]
        >= scores["real images", "digit read right"] - 0.02
    )
    assert scores["do(bar)", "color as in the world"] >= 0.97
    assert scores["do(bar)", "distance to the true picture"] <= 3  # of 255; unchanged: 10.6


def test_the_null_intervention_returns_the_image(scores):
    assert scores["do() with residual", "largest error of a pixel"] <= 1e-6
    assert scores["do() without", "mean absolute error"] <= 1e-5


def test_label_effects_are_the_true_ones_and_not_the_observational(scores):
    # The standard error of 200,000 rows is below .004; observational: .676 and .416.
    assert scores["P(bar | do(color=green))", "probability"] == pytest.approx(0.6524, abs=0.02)
    assert scores["P(bar | do(color=red))", "probability"] == pytest.approx(0.5096, abs=0.02)


def test_the_picture_is_a_png(shown):
    assert shown.picture.read_bytes().startswith(b"\x89PNG")


def test_the_checkpoint_is_small_and_the_log_is_that_of_its_run():
    assert CHECKPOINT.stat().st_size <= 4 * 2**20
    header, *lines = [json.loads(line) for line in LOG.read_text().splitlines()]
    assert {name: header["options"][name] for name in TRAINING} == TRAINING
    assert lines[-1]["images"] == TRAINING["steps"] * TRAINING["batch_size"]
    weights = [t for n, t in load_state(CHECKPOINT).tensors.items() if "image" in n]
    assert sum(t.numel() for t in weights) >= header["parameters"]


def test_training_the_demo_writes_a_model_that_loads(tmp_path: Path):
    train(tmp_path, steps=2, batch_size=16, progress=False)
    assert Model.load(tmp_path / CHECKPOINT.name).fitted == {"digit", "color", "bar", "image"}
    assert len((tmp_path / LOG.name).read_text().splitlines()) >= 2
