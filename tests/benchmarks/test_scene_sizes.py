"""Larger pictures: the commands for a GPU run small on the CPU, and tell what they did."""

import json

import pytest
from click.testing import CliRunner

from benchmarks.folders import RESULTS
from benchmarks.scenes import high_resolution, sizes
from benchmarks.scenes.command import command
from benchmarks.scenes.fits import in_pixels, steps_within
from benchmarks.scenes.judges import Judges, Reading
from benchmarks.scenes.scene import Scene
from causalflow.formats.formats import load
from causalflow.graph.node import images_of
from causalflow.shipped import graph_path


def test_pictures_of_every_size_have_no_more_than_sixteen_cells_a_side():
    graph = load(graph_path("scene_ball"))
    for size, latent in sizes.LATENTS.items():
        (image,) = images_of(sizes.sized_graph(graph, size).nodes).values()
        assert image.shape == (3, size, size)
        assert image.space.factor == latent["factor"]
        assert size // image.space.factor <= 16
    (image,) = images_of(in_pixels(graph).nodes).values()
    assert image.space is None


def test_steps_are_what_is_left_of_the_time():
    # A beginning of 4 seconds, half a second a step.
    assert steps_within(100.0, (4, 12), [6.0, 10.0]) == 192
    assert steps_within(-5.0, (4, 12), [6.0, 10.0]) == 12


def test_a_table_says_rates_and_memory_of_each_size():
    rates = dict.fromkeys(sizes.HEADS[1:-1], 12.34)
    row = {"size": 64, "latent": {"factor": 8, "channels": 8}, "peak": 1234.5, **rates}
    record = {"rows": [row], "command": "c", "device": "CPU", "machine": {"processor": "P"}}
    text = sizes.table(record)
    assert "| 64 x 64, 8 channels at 1/8 | 12.3 | 12.3 |" in text
    assert "| 1,234 |" in text
    assert "one thread of P" in text


@pytest.fixture
def narrow(monkeypatch):
    """An autoencoder of a quarter of the width at 64 pixels."""
    monkeypatch.setitem(sizes.LATENTS, 64, {"factor": 8, "channels": 8, "width": 8})


@pytest.mark.usefixtures("narrow")
def test_the_rates_of_a_size_are_numbers():
    found = sizes.measured_size("ball", 64, "cpu", seconds=1e-3)
    assert all(found[name] > 0 for name in sizes.HEADS[1:-1])
    assert found["peak"] > 100


@pytest.fixture
def judges(monkeypatch):
    scene = Scene.plain("ball", 4, "test", 64)
    readings = {n: Reading.of(scene.graph, n, scene.rows[n]) for n in scene.read}
    monkeypatch.setattr(
        high_resolution, "judges_of", lambda family, work: [Judges(readings, (3, 32))]
    )


@pytest.mark.usefixtures("narrow")
@pytest.mark.filterwarnings("ignore::causalflow.errors.CausalflowWarning")  # it learned nothing
def test_high_resolution_runs_small_on_a_cpu(judges, tmp_path):
    given = "--size 64 --device cpu --minutes 0.01 --rows 16 --batch 4 --n 3"
    folders = ["--work", str(tmp_path / "work"), "--out", str(tmp_path)]
    done = CliRunner().invoke(high_resolution.main, [*given.split(), *folders])
    assert done.exit_code == 0, done.output
    found = json.loads((tmp_path / "hires_ball_64.json").read_text())
    assert found["fit"]["steps"] == high_resolution.TRIED[1]
    assert set(found["ways"]) == {*high_resolution.MEASURED} - {"truth"}
    assert found["null"]["latent"]["largest"] < 1e-5
    assert found["null"]["latent, no residual"]["largest"] > 1e-3
    assert "null intervention" in done.output


def test_the_committed_rates_are_what_their_page_says():
    record = json.loads((RESULTS / "sizes_cpu.json").read_text(encoding="utf-8"))
    assert [row["size"] for row in record["rows"]] == list(sizes.LATENTS)
    assert sizes.table(record) == (RESULTS / "sizes_cpu.md").read_text(encoding="utf-8")


def test_a_command_is_told_without_folders():
    given = ["fit", "ball", "--nets", "here", "--method", "pixel", "--work", "there"]
    assert command(given) == "python -m benchmarks.scenes fit ball --method pixel"
