"""Fits of several processes: the steps of one, in replicas or in shards, killed and resumed."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from fits_of_processes import run
from launched import ended, environments, started
from safetensors.torch import load_file

from causalflow.checkpoint import load_state

pytestmark = pytest.mark.skipif(
    not (torch.distributed.is_available() and torch.distributed.is_gloo_available()),
    reason="this torch has no gloo",
)
SCRIPT = Path(__file__).with_name("fits_of_processes.py")
ROUNDING = {"atol": 2e-6, "rtol": 1e-5}
"""Of float32 sums in another order, over eight steps of AdamW."""
JOBS = [
    {"name": "ddp", "options": {"strategy": "ddp"}},
    {"name": "fsdp", "options": {"strategy": "fsdp"}},
    {"name": "held", "options": {"strategy": "fsdp", "held_out": 0.2, "held_every": 2}},
    {
        "name": "small",
        "options": {"strategy": "fsdp", "accumulate": 2, "recompute": True, "piece": "20KB"},
    },
]


def weights(folder, name, rank=0):
    return load_file(folder / f"{name}.{rank}.safetensors")


def said(folder, name, rank=0):
    return json.loads((folder / f"{name}.{rank}.json").read_text())


def alike(one, other):
    assert one.keys() == other.keys()
    for name in one:
        torch.testing.assert_close(one[name], other[name], **ROUNDING, msg=name)


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[n], other[n]) for n in one)


def both(folder, jobs):
    """Run the jobs in two processes; none may say anything."""
    folder.mkdir(exist_ok=True)
    with started(SCRIPT, folder, json.dumps(jobs)) as crew:
        assert ended(crew) == [("", 0), ("", 0)]


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    folder = tmp_path_factory.mktemp("two")
    both(folder, JOBS)
    return folder


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    """One process that takes the rows of a step in as many parts."""
    folder = tmp_path_factory.mktemp("one")
    for parts in (1, 2, 4):
        run(folder, {"name": str(parts), "options": {"accumulate": parts}})
    run(folder, {"name": "again", "options": {"recompute": True}})
    held = {"accumulate": 2, "held_out": 0.2, "held_every": 2}
    run(folder, {"name": "held", "options": held})
    return folder


@pytest.mark.parametrize(("name", "parts"), [("ddp", 2), ("fsdp", 2), ("small", 4)])
def test_processes_take_the_steps_of_one_that_accumulates_as_many_parts(one, two, name, parts):
    alone = weights(one, str(parts))
    alike(weights(two, name), alone)
    assert same(weights(two, name), weights(two, name, rank=1))
    for rank in range(2):
        found = said(two, name, rank)
        assert (found["processes"], found["ordinary"]) == (2, True)
        assert found["losses"] == pytest.approx(said(one, str(parts))["losses"], rel=1e-5)
    other = weights(one, "1" if parts == 4 else "4")
    assert (other["network.enter.weight"] - alone["network.enter.weight"]).abs().max() > 1e-4


def test_weights_that_a_stage_leaves_out_rest_in_it(one, two):
    """AdamW moves what has no gradient by nothing: not even by its moments."""
    for name in ("ddp", "fsdp"):
        moments = load_state(two / f"{name}.resume").tensors
        assert moments["moments/step/early.weight"] == 3
        assert moments["moments/step/late.weight"] == 5
        assert moments["moments/step/slope"] == 8


def test_each_process_holds_its_shard_of_the_blocks_and_all_of_the_rest(two):
    block = 3 * (25 * 25 * 9 + 25 + 25 + 25)
    rest = said(two, "ddp")["all"] - block
    held = [said(two, "fsdp", rank)["held"] for rank in range(2)]
    assert held == [rest + block * 13 // 25, rest + block * 12 // 25]
    assert said(two, "ddp")["held"] == block + rest


def test_a_state_of_shards_is_whole_and_the_same_in_pieces(two):
    replicas, shards = (load_state(two / f"{name}.resume") for name in ("ddp", "fsdp"))
    assert replicas.metadata.options.keys() == shards.metadata.options.keys()
    alike(dict(shards.tensors), dict(replicas.tensors))
    small = load_state(two / "small.resume").tensors
    assert len(list(two.glob("small.resume.*-of-*.safetensors"))) > 5
    assert {name: value.shape for name, value in small.items()} == {
        name: value.shape for name, value in shards.tensors.items()
    }


def test_held_out_rows_choose_the_weights_of_shards(one, two):
    alike(weights(two, "held"), weights(one, "held"))
    kept, alone = (load_state(folder / "held.resume") for folder in (two, one))
    best, other = (state.metadata.options["best"] for state in (kept, alone))
    assert best["step"] == other["step"]
    assert best["loss"] == pytest.approx(other["loss"], rel=1e-5)
    alike(dict(kept.tensors), dict(alone.tensors))


def test_blocks_that_are_computed_again_give_the_same_bits(one):
    assert same(weights(one, "again"), weights(one, "1"))
    assert said(one, "again")["ordinary"]


@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
def test_killed_processes_go_on_to_the_same_weights_in_whatever_number(
    tmp_path, one, two, strategy
):
    """SIGKILL at a moment no one chose, among steps and pieces that are being written."""
    options = {"strategy": strategy, "checkpoint_every": 0, "piece": "20KB"}
    job = {"name": "fit", "nap": 0.02, "options": options}
    with started(SCRIPT, tmp_path, json.dumps([job])) as crew:
        state = tmp_path / "fit.resume"
        while not state.exists() and all(process.poll() is None for process in crew):
            time.sleep(0.01)
        time.sleep(random.Random().uniform(0, 0.3))
        for process in crew:
            process.send_signal(signal.SIGKILL)
        ended(crew)
    begun = load_state(state).metadata.options["step"]
    assert begun >= 1
    shutil.copytree(tmp_path, tmp_path / "alone")
    both(tmp_path, [job])
    resumed = said(tmp_path, "fit")["resumed_from"]
    assert resumed == begun or begun == 8
    assert same(weights(tmp_path, "fit"), weights(two, strategy))
    assert {file.name for file in tmp_path.glob("fit.resume*")} == pieces(tmp_path / "fit.resume")
    run(tmp_path / "alone", {"name": "fit", "options": {"accumulate": 2}})
    alike(weights(tmp_path / "alone", "fit"), weights(one, "2"))


def pieces(index):
    return {index.name, *json.loads(index.read_text())["pieces"]}


def test_when_one_process_is_killed_the_other_ends_with_one_line(tmp_path):
    job = {"name": "fit", "nap": 0.05, "options": {"checkpoint_every": 0, "steps": 2000}}
    with started(SCRIPT, tmp_path, json.dumps([job])) as crew:
        while not (tmp_path / "fit.resume").exists() and crew[1].poll() is None:
            time.sleep(0.01)
        crew[1].kill()
        errors, code = ended(crew)[0]
    assert code != 0
    assert errors.splitlines()[-1].endswith("fit: another of the 2 processes has ended")
    assert 1 <= load_state(tmp_path / "fit.resume").metadata.options["step"] < 2000


def test_processes_end_with_their_launcher(tmp_path):
    """A launcher that is killed can end nobody: its processes look after themselves."""
    job = {"name": "fit", "nap": 0.05, "options": {"checkpoint_every": 0, "steps": 5000}}
    words = [sys.executable, str(SCRIPT), str(tmp_path), json.dumps([job])]
    lines = [
        "import subprocess, time",
        f"crew = [subprocess.Popen({words!r}, env=e) for e in {list(environments(2))!r}]",
        "print(*[process.pid for process in crew], flush=True)",
        "time.sleep(240)",
    ]
    launcher = subprocess.Popen(
        [sys.executable, "-c", "\n".join(lines)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    crew = [int(number) for number in launcher.stdout.readline().split()]
    try:
        limit = time.monotonic() + 120
        while not (tmp_path / "fit.resume").exists() and all(map(alive, crew)):
            time.sleep(0.05)
        launcher.kill()
        while any(map(alive, crew)) and time.monotonic() < limit:
            time.sleep(0.1)
        assert [number for number in crew if alive(number)] == []
    finally:
        launcher.kill()
        launcher.communicate()
        for number in filter(alive, crew):
            os.kill(number, signal.SIGKILL)
    step = load_state(tmp_path / "fit.resume").metadata.options["step"]
    assert 1 <= step < 5000


def alive(number):
    """Whether a process runs; one that nobody waited for counts as ended."""
    try:
        state = Path(f"/proc/{number}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state not in ("Z", "X")
