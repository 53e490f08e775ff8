import dataclasses
import importlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest

from causalflow.checkpoint import load_state
from causalflow.cli.fit import fit
from causalflow.training.options import Fit

ROOT = Path(__file__).resolve().parents[2]


def state(path):
    return load_state(path, kind="model").tensors


@pytest.fixture
def work(stamps, tmp_path):
    """A copy of the folder of pictures, without its model."""
    shutil.copytree(stamps, tmp_path, dirs_exist_ok=True)
    (tmp_path / "model.safetensors").unlink()
    return ["fit", "graph.yaml", "--data", "labels.csv", "--images", ".", "--batch-size", "4"]


def test_every_fit_option_has_the_name_default_and_help_of_its_field():
    options = {option.name: option for option in fit.params if isinstance(option, click.Option)}
    for field in dataclasses.fields(Fit):
        assert options[field.name].default == field.default
        assert f"{field.name}: {options[field.name].help[:14]}" in Fit.__doc__
    shown = fit.get_help(click.Context(fit, info_name="fit", max_content_width=200))
    assert f"[default: {Fit().learning_rate}]" in " ".join(shown.split())


def test_fit_of_closed_forms_says_that_there_are_no_steps(cli, sizes):
    ran = cli("fit", sizes / "graph.yaml", "--data", sizes / "rows.csv", "-o", "m.safetensors")
    assert (ran.code, ran.err) == (0, "")
    assert "every mechanism is fitted in closed form: no gradient steps" in ran.out


def test_fit_summary_has_units_and_a_loss_per_node(cli, work, tmp_path):
    ran = cli(*work, "--steps", 2, "-o", "m.safetensors", "--no-progress")
    assert (ran.code, ran.err) == (0, "")
    for text in (
        "images seen  8\n",
        " images/s\n",
        " s\n",
        " MB)\n",
        "steps        2\n",
        "\nimage ",
    ):
        assert text in ran.out
    assert not (tmp_path / "m.safetensors.resume").exists()


def test_fit_json_is_the_report(cli, work):
    ran = cli(*work, "--steps", 1, "-o", "m.safetensors", "--json", "--no-progress")
    report = json.loads(ran.out)
    assert report["model"] == "m.safetensors"
    assert (report["steps"], report["images"], list(report["losses"])) == (1, 4, ["image"])


def test_interrupted_fit_goes_on_by_the_same_command_to_the_same_weights(cli, work, tmp_path):
    words = [*work, "--steps", "60", "--device", "cpu"]
    quiet = [*words, "--no-progress", "--log", "log.jsonl", "--log-every", "1"]
    command = [sys.executable, "-m", "causalflow", *quiet]
    command += ["-o", "killed.safetensors", "--checkpoint-every", "0"]  # slows the steps
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    log, deadline = tmp_path / "log.jsonl", time.monotonic() + 60
    while not (log.exists() and log.read_text().count("\n") > 2) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said.strip().startswith("fit stopped after step ")
    assert said.strip().endswith("the same call resumes it from killed.safetensors.resume")
    assert load_state(tmp_path / "killed.safetensors", kind="model").metadata.options["fitted"]

    resumed = cli(*quiet, "-o", "killed.safetensors")
    assert resumed.code == 0
    assert "(resumed after step " in resumed.out
    whole = cli(*words, "--no-progress", "-o", "whole.safetensors")
    assert whole.code == 0
    killed, other = state(tmp_path / "killed.safetensors"), state(tmp_path / "whole.safetensors")
    assert all(tensor.equal(killed[name]) for name, tensor in other.items())


def test_seed_changes_the_weights_a_fit_begins_with(cli, work, tmp_path):
    for seed in (0, 1):
        tiny = ["--steps", 1, "--learning-rate", 1e-12, "--no-progress", "--seed", seed]
        assert cli(*work, *tiny, "-o", f"{seed}.safetensors").code == 0
    first, second = (state(tmp_path / f"{seed}.safetensors") for seed in (0, 1))
    assert any(not tensor.allclose(second[name]) for name, tensor in first.items())


def test_data_set_takes_the_size_of_the_graph(cli, tmp_path):
    text = (ROOT / "graphs" / "digits_demo_frontdoor.yaml").read_text()
    small = "shape: [3, 8, 8], diffusion: {width: 8, multipliers: [1], predictor_width: 4}"
    (tmp_path / "g.yaml").write_text(text.replace("shape: [3, 16, 16]", small))
    data = ["--data", "bar-digits", "--rows", 40, "--no-progress"]
    ran = cli("fit", "g.yaml", *data, "--steps", 1, "--batch-size", 4, "-o", "m.safetensors")
    assert (ran.code, ran.err) == (0, "")
    wrong = cli("fit", "g.yaml", *data, "--size", 9, "-o", "n.safetensors")
    assert wrong.code == 2
    assert "9" in wrong.err


def test_morpho_mnist_is_a_data_set(cli, tmp_path, monkeypatch):
    asked = []

    def drawn(**options):
        asked.append(options)
        return {"thickness": [1.0, 2.0, 4.0], "intensity": [80.0, 100.0, 240.0]}

    module = importlib.import_module(
        "causalflow.data.sets.morpho_mnist"
    )  # cf.data has the function
    monkeypatch.setattr(module, "morpho_mnist", drawn)
    thickness, intensity = "thickness: {type: continuous}", "intensity: {type: continuous}"
    text = f"nodes: {{{thickness}, {intensity}}}\nedges: [thickness -> intensity]"
    (tmp_path / "g.yaml").write_text(text)
    data = ["--data", "morpho-mnist", "--rows", 3, "--size", 8, "--steps", 1, "--batch-size", 2]
    ran = cli("fit", "g.yaml", *data, "--no-progress", "-o", "m.safetensors")
    assert (ran.code, ran.err) == (0, "")
    assert asked == [{"split": "train", "size": 8, "n": 3}]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--data", "labels.csv"], "node 'image' is an image; give --images FOLDER"),
        (["--data", "labels.csv", "--images", ".", "--path-column", "file"], "no column 'file'"),
        (["--data", "labels.csv", "--images", "no"], "Directory 'no' does not exist"),
        (["--data", "labels.csv", "--images", ".", "--log", "."], "is a folder; expected the name"),
        (["--data", "graph.yaml", "--images", "."], "graph.yaml:4: no readable CSV file"),
    ],
)
def test_mistake_in_a_fit_is_one_line(cli, work, tmp_path, words, message):
    ran = cli("fit", "graph.yaml", *words, "-o", "m.safetensors")
    assert (ran.code, ran.out) == (2, "")
    assert message in ran.err
    assert ran.err.count("\n") == 1
    assert not (tmp_path / "m.safetensors").exists()


def test_model_that_cannot_be_written_is_refused_before_the_data_are_read(cli, work):
    ran = cli("fit", "graph.yaml", "--data", "nix.csv", "-o", "labels.csv/m.safetensors")
    assert ran.code == 2
    assert "cannot be written" in ran.err
    assert "nix.csv" not in ran.err
