"""Two runs that would write to one place: the second is refused, neither loses anything.

``CAUSALFLOW_TRIALS`` says how often two processes race (default 2; 20 take a minute).
"""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import warnings
from pathlib import Path

import numpy as np
import pytest

import causalflow as cf

TRIALS = int(os.environ.get("CAUSALFLOW_TRIALS", "2"))
GRAPH = """
graph: two
nodes:
  color: {type: class, levels: [green, red]}
  size: {type: continuous, noise: additive}
edges: [color -> size]
"""
ROWS, STEPS = 40, 12


def model():
    return cf.compile(cf.loads(GRAPH), seed=0)


def data():
    random = np.random.default_rng(0)
    color = random.integers(0, 2, ROWS)
    return {"color": color, "size": color + random.normal(size=ROWS)}


def fit(folder, number):
    """A fit with a checkpoint after every step and a log of every step."""
    fitted = model()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cf.CausalflowWarning)
        report = fitted.fit(
            data(),
            steps=STEPS,
            batch_size=8,
            checkpoint=folder / f"{number}.resume",
            checkpoint_every=0,
            log=folder / f"{number}.jsonl",
            log_every=1,
            progress=False,
        )
    return fitted, report


def streamed(fitted, out, evidence=None):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cf.CausalflowWarning)
        return fitted.counterfactual(
            evidence or data(), do={"color": "red"}, out=out, batch_size=4, progress=False
        )


def race(folder, barrier, results):
    """Both processes do the same, at the same time."""
    fitted, _ = fit(folder, f"own{os.getpid()}")
    for number in range(TRIALS):
        for kind, work in (
            ("fit", lambda n: fit(folder, n)[1].steps),
            ("stream", lambda n: streamed(fitted, folder / f"{n}.safetensors").rows),
            ("folder", lambda n: streamed(fitted, folder / f"{n}").rows),
        ):
            barrier.wait(timeout=300)
            try:
                results.put((kind, number, work(number)))
            except cf.CausalflowError as error:
                results.put((kind, number, str(error)))


def test_of_two_processes_one_writes_and_the_other_is_told(tmp_path):
    alone = tmp_path / "alone"
    fitted, _ = fit(alone, "a")
    streamed(fitted, alone / "a.safetensors")
    streamed(fitted, alone / "a")
    context = multiprocessing.get_context("spawn")
    barrier, results = context.Barrier(2), context.Queue()
    pair = [context.Process(target=race, args=(tmp_path, barrier, results)) for _ in range(2)]
    for process in pair:
        process.start()
    found = [results.get(timeout=300) for _ in range(2 * 3 * TRIALS)]
    for process in pair:
        process.join(timeout=60)
        assert process.exitcode == 0
    for kind, whole in (("fit", STEPS), ("stream", ROWS), ("folder", ROWS)):
        for number in range(TRIALS):
            ends = [end for *at, end in found if at == [kind, number]]
            assert whole in ends, ends
            for end in ends:
                assert end == whole or "writes here" in end or "exists already" in end, end
    lines = [(alone / "a.jsonl").read_text().count("\n")]
    for number in range(TRIALS):
        lines.append((tmp_path / f"{number}.jsonl").read_text().count("\n"))
        stream = (tmp_path / f"{number}.safetensors").read_bytes()
        assert stream == (alone / "a.safetensors").read_bytes()
        table = (tmp_path / f"{number}" / "labels.csv").read_bytes()
        assert table == (alone / "a" / "labels.csv").read_bytes()
    assert set(lines) == {STEPS + 1}
    assert not [name for name in os.listdir(tmp_path) if name.startswith(".")]


SCRIPT = f"""
import sys, time, pathlib, warnings
warnings.simplefilter("ignore")
sys.path.insert(0, {str(Path(__file__).parent)!r})
import test_two_runs_in_one_place as run
folder = pathlib.Path(sys.argv[1])
fitted, _ = run.fit(folder, "kept")

def batches():
    columns = run.data()
    for start in range(0, run.ROWS, 4):
        if start == 8:
            print("begun", flush=True)
            time.sleep(600)
        yield {{name: column[start : start + 4] for name, column in columns.items()}}

run.streamed(fitted, folder / "stream.safetensors", batches())
"""


def batches():
    columns = data()
    for start in range(0, ROWS, 4):
        yield {name: column[start : start + 4] for name, column in columns.items()}


def test_a_killed_stream_goes_on_without_anyone_cleaning_up(tmp_path):
    words = [sys.executable, "-c", SCRIPT, str(tmp_path)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as begun:
        assert begun.stdout.readline() == "begun\n"
        fitted, report = fit(tmp_path, "kept")
        assert report.resumed_from == STEPS
        with pytest.raises(cf.CausalflowError, match=rf"\(process {begun.pid}\) writes here"):
            streamed(fitted, tmp_path / "stream.safetensors", batches())
        begun.send_signal(signal.SIGKILL)
        begun.wait(timeout=60)
    report = streamed(fitted, tmp_path / "stream.safetensors", batches())
    assert (report.resumed_from, report.rows) == (2, ROWS)
    streamed(fitted, tmp_path / "alone.safetensors")
    stream = (tmp_path / "stream.safetensors").read_bytes()
    assert stream == (tmp_path / "alone.safetensors").read_bytes()
    assert not [name for name in os.listdir(tmp_path) if name.startswith(".")]


def test_a_fit_holds_its_checkpoint_and_its_log_while_it_runs(tmp_path):
    paths = {"checkpoint": tmp_path / "kept", "log": tmp_path / "log"}
    reports = []

    def first():
        reports.append(model().fit(data(), steps=200, checkpoint_every=0, progress=False, **paths))

    thread = threading.Thread(target=first)
    thread.start()
    while not paths["checkpoint"].exists():
        thread.join(timeout=0.01)
        assert thread.is_alive()
    for option, path in paths.items():
        with pytest.raises(cf.CausalflowError, match="writes here") as caught:
            model().fit(data(), steps=2, progress=False, **{option: path})
        assert "\n" not in str(caught.value)
    assert thread.is_alive()  # the two were refused while the first was at work
    thread.join(timeout=300)
    assert reports[0].steps == 200


@pytest.mark.parametrize("place", ["/proc/nowhere/m", "file/m", "a\0b"])
def test_a_place_that_cannot_be_written_is_one_line(tmp_path, place):
    (tmp_path / "file").write_text("kept")
    fitted, _ = fit(tmp_path, "a")
    out = str(tmp_path / place) if place[0] != "/" else place
    for work in (
        lambda: model().fit(data(), steps=2, progress=False, checkpoint=out),
        lambda: model().fit(data(), steps=2, progress=False, log=out),
        lambda: streamed(fitted, f"{out}.safetensors"),
        lambda: streamed(fitted, out),
        lambda: fitted.save(out),
    ):
        with pytest.raises(cf.CausalflowError) as caught:
            work()
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 500
    assert (tmp_path / "file").read_text() == "kept"
