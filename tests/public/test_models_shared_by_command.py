import json
import shutil
import subprocess
import sys

import pytest

import causalflow as cf

GRAPH = """
graph: coins
nodes:
  x: {type: class, levels: 2}
  y: {type: class, levels: 2}
edges: [x -> y]
"""


def share(*words, code=0):
    command = [sys.executable, "-m", "causalflow", "share", *map(str, words)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == code, ran.stderr
    return ran.stdout if code == 0 else ran.stderr


@pytest.fixture(scope="module")
def coins(tmp_path_factory):
    folder = tmp_path_factory.mktemp("coins")
    model = cf.compile(cf.loads(GRAPH))
    model.fit({"x": [0, 1] * 50, "y": [0, 1, 1, 1] * 25}, progress=False)
    model.save(folder / "coins.safetensors")
    (folder / "rows.csv").write_text("x,y\n" + "0,0\n1,1\n0,1\n1,1\n" * 20)
    return folder


def test_a_model_file_becomes_a_folder_its_weights_copied(coins, tmp_path):
    words = [coins / "coins.safetensors", tmp_path / "m", "--license", "mit", "--name", "Coins"]
    told = json.loads(share(*words, "--data", coins / "rows.csv", "--json"))
    assert len(told["written"]) == len(list((tmp_path / "m").iterdir())) == 5
    weights = (tmp_path / "m" / "model.safetensors").read_bytes()
    assert weights == (coins / "coins.safetensors").read_bytes()
    card = (tmp_path / "m" / "README.md").read_text()
    assert all(each in card for each in ("# Coins\n", "Judged by 80 rows", "\nmit\n"))
    assert float(cf.from_pretrained(tmp_path / "m").ask("P(y=1 | do(x=0))").value) == 0.5


def test_a_folder_is_copied_with_its_card_and_a_damaged_one_refused(coins, tmp_path):
    share(coins / "coins.safetensors", tmp_path / "one")
    (tmp_path / "one" / "README.md").write_text("Mine.")
    share(tmp_path / "one", tmp_path / "two")
    assert (tmp_path / "two" / "README.md").read_text() == "Mine."
    shutil.copy(coins / "rows.csv", tmp_path / "one" / "graph.yaml")
    said = share(tmp_path / "one", tmp_path / "three", code=2)
    assert "graph.yaml is altered or damaged" in said
    assert said.count("\n") == 1
    assert not (tmp_path / "three").exists()
