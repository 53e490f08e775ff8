"""A report says whether the model was fitted to the pictures that it is measured on."""

import json

import numpy as np
import pytest

import causalflow as cf

GRAPH = """
graph: stamps
nodes:
  size: {type: continuous, noise: linear}
  image:
    type: image
    shape: [1, 8, 8]
    diffusion: {width: 8, multipliers: [1], predictor_width: 4, steps: 2}
edges: [size -> image]
"""
QUICK = ["--steps", 2, "--device", "cpu", "--no-progress"]


def write(path, seed, rows=30):
    generator = np.random.default_rng(seed)
    size = generator.uniform(1, 8, rows)
    pictures = np.zeros((rows, 1, 8, 8), np.uint8)
    pictures[..., 2:6, 2:6] = (25 * size).astype(np.uint8)[:, None, None, None]
    pictures[..., 0, :] = generator.integers(0, 256, (rows, 1, 8))
    np.savez(path, size=size, image=pictures)


@pytest.fixture
def fitted(cli, tmp_path):
    (tmp_path / "graph.yaml").write_text(GRAPH)
    write(tmp_path / "seen.npz", seed=0)
    write(tmp_path / "new.npz", seed=1)
    words = ["--data", "seen.npz", "-o", "model.safetensors", "--batch-size", 4, *QUICK]
    ran = cli("fit", "graph.yaml", *words)
    assert ran.code == 0, ran.err
    return cli


def report(cli, tmp_path, data, *more):
    words = ["--data", data, "--out", "r", "--n", 4, "--judge-epochs", 1, *QUICK, *more]
    ran = cli("evaluate", "model.safetensors", *words)
    assert ran.code == 0, ran.err
    record = json.loads((tmp_path / "r" / "report.json").read_text())
    page = (tmp_path / "r" / "report.html").read_text()
    return ran, record["rests_on"], page


def test_pictures_that_were_fitted_to_are_counted_and_warned_of(fitted, tmp_path):
    ran, rests_on, page = report(fitted, tmp_path, "seen.npz")
    said = "4 of the 4 pictures are among those the model was fitted to"
    assert ran.err.startswith(f"warning: evaluate: {said}")
    assert f"note: {said}" in ran.out
    assert rests_on[0].startswith(said)
    assert said in page


def test_new_pictures_are_called_new_without_a_warning(fitted, tmp_path):
    _, rests_on, page = report(fitted, tmp_path, "new.npz")
    said = "none of the 4 pictures is among the 30 the model was fitted to"
    assert rests_on[0] == said
    assert said in page


def test_floats_of_the_same_pictures_are_known_again(fitted, tmp_path):
    with np.load(tmp_path / "seen.npz") as file:
        np.savez("floats.npz", size=file["size"], image=file["image"].astype(np.float32) / 255)
    _, rests_on, _ = report(fitted, tmp_path, "floats.npz")
    assert rests_on[0].startswith("4 of the 4 pictures")


def test_an_intervention_outside_is_in_the_report_once(fitted, tmp_path):
    ran, rests_on, _ = report(fitted, tmp_path, "new.npz", "--do", "size=50")
    (outside,) = [line for line in ran.err.splitlines() if "size" in line]
    assert outside.startswith("warning: evaluate: ")
    assert "50" in outside
    assert any("do(size=50) is outside" in each for each in rests_on)


def test_what_is_known_of_pictures_survives_saving(fitted, tmp_path):
    model = cf.Model.load(tmp_path / "model.safetensors")
    model.save(tmp_path / "again.safetensors")
    assert cf.Model.load(tmp_path / "again.safetensors").experience == model.experience
