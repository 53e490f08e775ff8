"""Many processes: under torchrun the commands share the work, and one of them speaks."""

import json
import os
import socket
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
import torch

import causalflow as cf

ROOT = Path(__file__).resolve().parents[2]
GRAPH = """
graph: chain
nodes:
  color: {type: class, levels: [green, red], table: [0.3, 0.7]}
  size: {type: continuous, unit: px, equation: 2 * color + n}
exogenous: {n: {type: normal, mean: 0, std: 1}}
"""


@pytest.fixture
def graph(tmp_path):
    (tmp_path / "chain.yaml").write_text(GRAPH)
    return tmp_path / "chain.yaml"


def command(*words, processes=1):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    launcher = ["-m", "torch.distributed.run", f"--nproc_per_node={processes}"]
    launcher += ["--master_addr=127.0.0.1", f"--master_port={port}"]
    return subprocess.run(
        [
            sys.executable,
            *(launcher if processes > 1 else []),
            "-m",
            "causalflow",
            *map(str, words),
        ],
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.skipif(
    not (torch.distributed.is_available() and torch.distributed.is_gloo_available()),
    reason="this torch has no gloo",
)
def test_two_processes_draw_the_bytes_of_one_and_the_first_speaks(graph, tmp_path):
    options = ["-n", 70, "--do", "color=red", "--shards", "tar", "--batch-size", 8]
    options += ["--shard-batches", 2, "--no-progress", "--json"]
    one = command("sample", graph, *options, "--out", tmp_path / "one")
    two = command("sample", graph, *options, "--out", tmp_path / "two", processes=2)
    assert (one.returncode, two.returncode) == (0, 0), one.stderr + two.stderr
    told = [json.loads(done.stdout) for done in (one, two)]
    assert [each["processes"] for each in told] == [1, 2]
    assert [each["rows"] for each in told] == [70, 70]
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    assert "terminate called" not in two.stderr


def test_rows_of_a_folder_are_read_and_gone_on_with(graph, tmp_path):
    model = cf.compile(cf.load(graph))
    drawn = model.sample(
        50, out=tmp_path / "drawn", shards="tar", batch_size=9, shard_batches=2, progress=False
    )
    rows = cf.data.shards(drawn.path)
    assert len(rows) == drawn.rows == 50
    assert [len(batch["size"]) for batch in rows.batches()] == [9, 9, 9, 9, 9, 5]
    answered = model.counterfactual(
        rows.batches(), {"color": "red"}, out=tmp_path / "red", shards="safetensors", progress=False
    )
    before, after = rows.columns, cf.data.shards(answered.path).columns
    red = torch.tensor([color == "red" for color in before["color"]])
    # u = size - 2 * color is kept, so that a green row grows by 2 and a red one stays
    torch.testing.assert_close(after["size"], before["size"] + 2 * (~red), atol=1e-9, rtol=0)
    with tarfile.open(drawn.path / "000000.tar") as file:
        labels = json.load(file.extractfile("00000003.json"))
    assert labels == {"color": before["color"][3], "size": float(before["size"][3])}


def test_what_does_not_go_together_is_refused_in_one_line(graph, tmp_path):
    for words, said in (
        (["--shards", "tar"], "give --out FOLDER"),
        (["--out", tmp_path / "a", "-o", tmp_path / "b.csv"], "give one of them"),
        (["--out", tmp_path / "a.png"], "a picture or a .csv is -o"),
    ):
        done = command("sample", graph, "-n", 3, *words)
        assert (done.returncode, done.stdout) == (2, "")
        assert said in done.stderr
        assert done.stderr.count("\n") == 1
    model = cf.compile(cf.load(graph))
    with pytest.raises(cf.CausalflowError, match=r"shards='zip'; expected one of"):
        model.sample(3, out=tmp_path / "c", shards="zip", progress=False)
    with pytest.raises(cf.CausalflowError, match=r"shards='tar' without out="):
        model.sample(3, shards="tar")


def test_evidence_of_a_command_is_answered_to_a_folder(graph, tmp_path):
    (tmp_path / "rows.csv").write_text("color,size\nred,3\ngreen,0.5\ngreen,-1\n")
    options = ["--evidence", tmp_path / "rows.csv", "--do", "color=red", "--no-progress"]
    options += ["--shards", "safetensors", "--out", tmp_path / "red"]
    first = command("counterfactual", graph, *options)
    assert first.returncode == 0, first.stderr
    assert "3 rows in 1 batch (" in first.stdout
    assert cf.data.shards(tmp_path / "red").columns["size"].tolist() == [3, 2.5, 1]
    again = command("counterfactual", graph, *options)
    assert "3 rows in 1 batch, 1 of them before" in again.stdout
    other = command("counterfactual", graph, *options, "--seed", 4)
    assert (other.returncode, other.stderr.count("\n")) == (2, 1)
    assert "begun with --seed 0, now --seed 4" in other.stderr
