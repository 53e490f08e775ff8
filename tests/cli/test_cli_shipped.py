import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import causalflow.evaluation.outcomes as worlds
from causalflow.cli.rows import named_model, shipped_data
from causalflow.data import supply
from causalflow.data.sets import catalogue
from causalflow.errors import MissingDataError
from causalflow.model.model import Model
from causalflow.shipped import checkpoint_path

GRAPHS = Path(__file__).resolve().parents[2] / "graphs"
NEURAL = GRAPHS / "bar_mnist_frontdoor_neural.yaml"


def strokes(split="train", n=8, **_):
    """Rows in the form of Morpho-MNIST, which has to be fetched and rendered."""
    column = {"digit": np.arange(n) % 10, "thickness": 2 + 0.1 * np.arange(n)}
    column |= {"intensity": 100.0 + np.arange(n)}
    pictures = torch.zeros(n, 1, 28, 28, dtype=torch.uint8)
    pictures[:, :, 5:20, 12:16] = 200
    return type("Rows", (), {"columns": {**column, "image": pictures}})()


@pytest.fixture
def drawn(monkeypatch):
    asked = []

    def draw(self, split="train", *, n=None, size=None):
        asked.append((self.name, split, n, size))
        return strokes(n=n)

    monkeypatch.setattr(catalogue.DataSet, "draw", draw)
    return asked


def test_a_graph_file_answers_by_the_checkpoint_made_for_it(cli, drawn, tmp_path):
    words = ["counterfactual", GRAPHS / "morpho_mnist.yaml", "--do", "thickness=5"]
    ran = cli(*words, "--rows", 3, "--steps", 1)
    assert (ran.code, ran.err) == (0, "")
    assert drawn == [("morpho_mnist", "test", 3, 28)]
    assert f"model: {checkpoint_path('morpho_mnist')}" in ran.out
    assert "evidence: morpho_mnist, test split" in ran.out
    assert "written: counterfactual.png" in ran.out
    assert np.asarray(Image.open(tmp_path / "counterfactual.png")).std() > 0
    answer = json.loads(cli(*words, "--rows", 2, "--steps", 1, "--json").out)
    assert [row["thickness"] for row in answer["rows"]] == pytest.approx([2.0, 5.0, 2.1, 5.0])
    assert answer["model"] == str(checkpoint_path("morpho_mnist"))
    assert answer["data"] == "morpho_mnist, test split"


def test_evidence_of_ones_own_is_preferred_to_the_data_set(cli, drawn, tmp_path):
    Image.fromarray(np.full((28, 28), 90, np.uint8)).save(tmp_path / "one.png")
    given = ["--image", "one.png", "--given", "digit=1", "--given", "thickness=2"]
    words = ["--given", "intensity=90", "--do", "digit=7", "--steps", 1, "--json"]
    ran = cli("counterfactual", GRAPHS / "morpho_mnist.yaml", *given, *words)
    assert (ran.code, ran.err, drawn) == (0, "", [])
    assert json.loads(ran.out)["file"] is None
    assert not (tmp_path / "counterfactual.png").exists()


def test_a_graph_file_gives_what_its_checkpoint_gives():
    """The parents stand in another order in the file than in the checkpoint's own declaration."""
    model, path = named_model(NEURAL, "cpu")
    stored = Model.load(path)
    assert model.options == stored.options
    worlds = [m.sample(2, {"color": "red"}, generator=4, steps=2) for m in (model, stored)]
    for name in model.graph.nodes:
        assert torch.equal(worlds[0][name], worlds[1][name])
    assert shipped_data(NEURAL, path).name == "bar_mnist_frontdoor"


def test_inference_that_a_file_states_is_used(tmp_path):
    text = (GRAPHS / "morpho_mnist.yaml").read_text()
    (tmp_path / "mine.yaml").write_text(
        text.replace("shape: [1, 28, 28]", "shape: [1, 28, 28], diffusion: {steps: 3}")
    )
    model, path = named_model(tmp_path / "mine.yaml", "cpu")
    assert path == checkpoint_path("morpho_mnist")
    assert model.scm.images["image"].options.steps == 3
    assert model.scm.images["image"].options.code == 32
    assert shipped_data(tmp_path / "mine.yaml", path).name == "morpho_mnist"


def test_a_graph_that_no_checkpoint_was_made_for_is_one_line(cli):
    for name in ("bar_mnist_frontdoor.yaml", "digits_demo_frontdoor.yaml"):
        ran = cli("counterfactual", GRAPHS / name, "--do", "color=red")
        assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
        assert "no fitted model ships for this graph, only for " in ran.err
        assert "causalflow fit " in ran.err


def test_an_explicit_graph_needs_no_checkpoint(cli):
    fact = ["--given", "thickness=2", "--given", "intensity=100"]
    words = [*fact, "--do", "thickness=3", "--json"]
    ran = cli("counterfactual", GRAPHS / "morphomnist_scm.yaml", *words)
    assert (ran.code, ran.err) == (0, "")
    assert [row["thickness"] for row in json.loads(ran.out)["rows"]] == [2, 3]
    ran = cli("counterfactual", GRAPHS / "morphomnist_scm.yaml", "--do", "thickness=3")
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert "no evidence; give --image, --data, --evidence or --given" in ran.err


def test_an_evaluation_on_drawn_pictures_claims_nothing_of_real_ones(cli, tmp_path, monkeypatch):
    made = catalogue.DataSet.draw

    def draw(self, *given, **named):
        if self.of_mnist:
            raise MissingDataError("no digits")
        return made(self, *given, **named)

    monkeypatch.setattr(catalogue.DataSet, "draw", draw)
    monkeypatch.setattr(supply, "MOST_DRAWN", 24)
    monkeypatch.setattr(worlds, "CYCLES", 1)
    monkeypatch.setattr(worlds, "CYCLE_ROWS", 2)
    words = ["evaluate", GRAPHS / "morpho_mnist.yaml", "--n", 4, "--steps", 1, "--judge-epochs", 1]
    ran = cli(*words, "--no-progress", "--out", "report")
    assert ran.code == 0
    assert "data: 4 pictures of the model's own drawing" in ran.out
    assert "note: drawn from the model itself, no real picture (no digits; no digits)" in ran.out
    assert "drawn images" in ran.out
    assert "real images" not in ran.out
    record = json.loads((tmp_path / "report" / "report.json").read_text())
    assert record["evidence"] == "drawn"
    assert "no number says anything of real ones" in " ".join(record["rests_on"])
    assert "Fréchet distance" not in {each["measure"] for each in record["measures"]}
    assert any("no Fréchet distance: there are no real pictures" in n for n in record["notes"])
    for judge in record["judges"]:
        assert "real_images" not in judge
        assert judge["drawn_images"]["images"] <= 4
        assert "real" not in judge["how"]
    page = (tmp_path / "report" / "report.html").read_text()
    assert "<title>morpho_mnist.safetensors on the model&#x27;s own drawing</title>" in page
    assert "the model drew every picture here itself" in page
    assert "on real images" not in page
    assert "further real ones" not in page
