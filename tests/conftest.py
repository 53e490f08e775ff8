"""Fixtures of the command line and of the registries; one thread a process: two share two cores."""

import contextlib
import io
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from causalflow.cli import run
from causalflow.plugins import REGISTRIES

os.environ.setdefault("OMP_NUM_THREADS", "1")

collect_ignore = ["conftest.py"]
"""Files of fixtures hold no examples, and two of one name cannot both be looked at for them."""

LABELS = """
graph: sizes
nodes:
  color: {type: class, levels: [green, red]}
  size: {type: continuous, unit: px, noise: linear}
edges: [color -> size]
queries:
  - {ask: "P(size | do(color=red))", identifiable: true}
"""
PICTURES = """
graph: stamps
nodes:
  color: {type: class, levels: [green, red]}
  image:
    type: image
    shape: [3, 8, 8]
    diffusion: {width: 8, multipliers: [1], predictor_width: 4, steps: 3}
edges: ["color -> image: anticausal"]
"""


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str


def call(*args):
    """The command line in this process: `run` is what the installed script calls."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run(list(map(str, args)))
    return Ran(code, out.getvalue(), err.getvalue())


@pytest.fixture
def restored():
    """What a test registers is gone after it: other tests read the lists of names."""
    kept = [(each, dict(each._entries)) for each in REGISTRIES.values()]
    yield
    for each, entries in kept:
        each._entries = entries


@pytest.fixture
def plant(tmp_path):
    """A synthetic package: file -> text."""

    def write(**files):
        for name, text in files.items():
            path = tmp_path / "causalflow" / f"{name.replace('__', '/')}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path

    return write


@pytest.fixture
def cli(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return call


def write_labels(folder: Path):
    """size = 1 + 2 color + noise of 1/10."""
    generator = np.random.default_rng(0)
    color = generator.integers(0, 2, 200)
    size = 1 + 2 * color + generator.normal(size=200) / 10
    names = np.array(["green", "red"])[color]
    pd.DataFrame({"color": names, "size": size}).to_csv(folder / "rows.csv", index=False)
    (folder / "graph.yaml").write_text(LABELS)


def write_pictures(folder: Path):
    """Twelve 8x8 pictures, all green or all red, and the table that names them."""
    (folder / "graph.yaml").write_text(PICTURES)
    rows = []
    for i in range(12):
        pixels = np.zeros((8, 8, 3), np.uint8)
        pixels[..., 1 - i % 2] = 200
        Image.fromarray(pixels).save(folder / f"{i}.png")
        rows.append({"path": f"{i}.png", "color": ["green", "red"][i % 2]})
    pd.DataFrame(rows).to_csv(folder / "labels.csv", index=False)


@pytest.fixture(scope="session")
def sizes(tmp_path_factory):
    """A folder with a fitted model of labels alone."""
    folder = tmp_path_factory.mktemp("sizes")
    write_labels(folder)
    model = folder / "model.safetensors"
    ran = call("fit", folder / "graph.yaml", "--data", folder / "rows.csv", "-o", model)
    assert ran.code == 0, ran.err
    return folder


@pytest.fixture(scope="session")
def stamps(tmp_path_factory):
    """A folder with a model of 8x8 pictures after two steps."""
    folder = tmp_path_factory.mktemp("stamps")
    write_pictures(folder)
    data = ["--data", folder / "labels.csv", "--images", folder]
    steps = ["--steps", 2, "--batch-size", 4, "--device", "cpu"]
    model = folder / "model.safetensors"
    ran = call("fit", folder / "graph.yaml", *data, *steps, "-o", model)
    assert ran.code == 0, ran.err
    return folder


class Server:
    """``causalflow app`` as a user starts it, at a port of its own."""

    def __init__(self, *args):
        command = [sys.executable, "-m", "causalflow", "app", "--port", "0", "--no-browser", *args]
        self._process = subprocess.Popen(
            [str(part) for part in command], stdout=subprocess.PIPE, stderr=None, text=True
        )
        said = self._process.stdout.readline()
        assert "http://" in said, f"causalflow app said: {said!r}"
        self.address = "http://" + said.split("http://")[1].split()[0]

    def close(self):
        self._process.terminate()
        self._process.wait(timeout=30)
        self._process.stdout.close()


@pytest.fixture(scope="session")
def serve():
    """Starts servers; all are closed at the end."""
    started = []

    def start(*args):
        started.append(Server(*args))
        return started[-1]

    yield start
    for server in started:
        server.close()
