"""A graph file is answered under the settings of its checkpoint where it states nothing itself."""

import inspect
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import causalflow as cf

HOME = Path(inspect.getfile(cf)).parents[1]
GRAPH = """
graph: mine
nodes:
  digit: {type: class, levels: 10}
  image:
    type: image
    shape: [1, 28, 28]
    diffusion: {path: linear-1000, prediction: noise, weighting: noiseOPTIONS}
edges:
  - digit -> image: KIND
"""
PICTURE = torch.linspace(0, 1, 784).reshape(1, 1, 28, 28)


def shipped():
    return cf.Model.load(cf.data.checkpoint_path("diff_scm_mnist"))


def run(*words, folder):
    command = [sys.executable, "-m", "causalflow", *map(str, words)]
    environment = {"PYTHONPATH": str(HOME), "PATH": "/usr/bin:/bin", "HOME": str(folder)}
    ran = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    return ran.stdout


@pytest.mark.parametrize(
    ("kind", "options", "scale", "aim"),
    [
        ("anticausal", "", "18 (checkpoint)", "hold (checkpoint)"),
        ("{kind: anticausal, scale: 0.7}", "", "0.7 (graph)", "hold (checkpoint)"),
        ("{kind: anticausal, scale: 2}", "", "2 (graph)", "hold (checkpoint)"),
        ("anticausal", ", anticausal: printed", "18 (checkpoint)", "printed (graph)"),
    ],
)
def test_check_says_what_a_file_is_drawn_with(kind, options, scale, aim, tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(GRAPH.replace("OPTIONS", options).replace("KIND", kind))
    (found,) = json.loads(run("check", path, "--json", folder=tmp_path))
    (note,) = [note for note in found["notes"] if "ships for it" in note]
    assert f"anticausal {aim}, scale of digit {scale}" in note


@pytest.mark.parametrize("scale", [None, 0.7])
def test_an_answer_is_made_and_named_by_the_same_settings(scale, tmp_path):
    kind = "anticausal" if scale is None else f"{{kind: anticausal, scale: {scale}}}"
    (tmp_path / "mine.yaml").write_text(GRAPH.replace("OPTIONS", "").replace("KIND", kind))
    given = ["--given", "digit=1", "--do", "digit=3", "--steps", 1, "--json"]
    picture = tmp_path / "one.png"
    _write(picture)
    words = ["counterfactual", "mine.yaml", "--image", picture, *given, "-o", "out.png"]
    answer = json.loads(run(*words, folder=tmp_path))
    used = answer["settings"]["image"]
    source = [18.0, "checkpoint"] if scale is None else [scale, "graph"]
    assert (used["scale of digit"], used["steps"]) == (source, [1, "call"])


def _write(path):
    from PIL import Image

    Image.fromarray((255 * PICTURE[0, 0]).byte().numpy()).save(path)


def test_the_shipped_model_answers_as_one_that_is_told_its_settings_and_saves_them(tmp_path):
    model = shipped()
    chosen = model.settings["image"]
    assert type(chosen) is cf.Settings
    evidence, do = {"image": PICTURE, "digit": [1]}, {"digit": 3}
    first = model.counterfactual(evidence, do, steps=2)["image"]
    other = cf.Model.load(cf.data.checkpoint_path("diff_scm_mnist"))
    other.recommend(scales={"digit": 0.7}, anticausal="printed", chosen="the paper's own")
    assert not torch.equal(other.counterfactual(evidence, do, steps=2)["image"], first)
    factor = chosen.scales["digit"] / 0.7
    back = other.counterfactual(evidence, do, steps=2, guidance=factor, anticausal="hold")
    assert (back["image"] - first).abs().max() < 1e-4
    other.save(tmp_path / "mine.safetensors")
    assert cf.Model.load(tmp_path / "mine.safetensors").settings["image"].scales == {"digit": 0.7}
