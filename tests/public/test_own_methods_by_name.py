"""A method of one's own, declared by a decorator or an entry point, is named like the package's."""

import contextlib
import io
import os
import runpy
import subprocess
import sys
from unittest import mock

import numpy as np
import pytest
import torch
from PIL import Image

import causalflow as cf

MODULE = """
import numpy as np

import causalflow as cf

CALLS = []


@cf.register("solver", "mine")
def step(field, y, t, s):
    CALLS.append(t)
    return y + (s - t) * field(y, t)


@cf.register("graph format", "arrows")
class Arrows:
    suffixes = (".arrows",)
    begins = "ARROWS"

    @staticmethod
    def read(text, source):
        return cf.Graph(edges=text.splitlines()[1:])

    @staticmethod
    def write(graph):
        return "\\n".join(["ARROWS", *(f"{e.source} -> {e.target}" for e in graph.edges)])


@cf.register("data set", "stamps")
def stamps(split="train", n=None):
    color = np.arange(n or 16) % 2
    return {"color": color, "image": np.ones((1, 8, 8)) * color[:, None, None, None]}
"""
GRAPH = """
graph: stamps
nodes:
  color: {type: class, levels: [green, red]}
  image:
    type: image
    shape: [1, 8, 8]
    diffusion: {width: 8, multipliers: [1], steps: 2, solver: mine, guided_solver: mine}
edges: [color -> image]
"""
OWN_PACKAGE = """
import sys

import causalflow as cf

graphs = [cf.loads(open(path).read()) for path in sys.argv[1:]]
print(graphs[0].nodes["image"].diffusion.solver)
model = cf.compile(graphs[0])
rows = {"color": [0, 1], "image": [[[[0.0] * 8] * 8]] * 2}
model.fit(rows, steps=1, batch_size=2, progress=False)
print(sorted(model.counterfactual(rows, {"color": "red"})))
try:
    cf.compile(graphs[1])
except cf.CausalflowError as error:
    print(error)
"""


pytestmark = pytest.mark.usefixtures("restored")


def command(*words):
    """The command line in this process: exit code, standard output, standard error."""
    out, err = io.StringIO(), io.StringIO()
    with (
        mock.patch.object(sys, "argv", ["causalflow", *map(str, words)]),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        pytest.raises(SystemExit) as end,
    ):
        runpy.run_module("causalflow", run_name="__main__")
    return end.value.code or 0, out.getvalue(), err.getvalue()


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with a module that registers methods, and a graph file that names one."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_methods.py").write_text(MODULE)
    (tmp_path / "stamps.yaml").write_text(GRAPH)
    yield tmp_path
    sys.modules.pop("my_methods", None)


def test_a_solver_of_ones_own_named_in_yaml_runs_in_the_commands(place):
    words = "--with my_methods fit stamps.yaml --data stamps -o m.safetensors --steps 2"
    code, _, err = command(*words.split(), "--batch-size", 8, "--no-progress")
    assert code == 0, err
    Image.fromarray(np.zeros((8, 8), dtype=np.uint8)).save("a.png")
    before = len(sys.modules["my_methods"].CALLS)
    words = "counterfactual m.safetensors --image a.png --given color=green --do color=red -o r.png"
    code, out, err = command(*words.split(), "--with", "my_methods")  # after the command too
    assert code == 0, err
    assert "network calls" in out
    assert (place / "r.png").exists()
    steps = len(sys.modules["my_methods"].CALLS) - before
    assert steps >= 6, "abduction, the factual and the other world take two steps each"


def test_a_format_of_ones_own_is_read_and_written(place):
    (place / "g.arrows").write_text("ARROWS\nx -> m\nm -> y")
    code, out, err = command("--with", "my_methods", "identify", "g.arrows", "P(y | do(x))")
    assert (code, err) == (0, "")
    assert "P(y" in out
    assert cf.dumps(cf.load("g.arrows"), "arrows") == "ARROWS\nx -> m\nm -> y"
    assert cf.loads("ARROWS\nx -> y").edges == cf.Graph(edges=["x -> y"]).edges


def test_names_are_those_at_the_moment_of_reading():
    text = GRAPH.replace("mine", "late-solver")
    with pytest.raises(
        cf.GraphError, match=r"unknown name 'late-solver'; expected one of \['ddim'"
    ):
        cf.loads(text)
    cf.register("solver", "late-solver")(lambda field, y, t, s: y)
    assert cf.loads(text).nodes["image"].diffusion.solver == "late-solver"
    assert cf.Diffusion(solver="late-solver").solver == "late-solver"
    with pytest.raises(cf.GraphError, match="'late-solver'"):
        cf.Diffusion(solver="nope")


@pytest.mark.parametrize(
    ("kind", "name", "entry", "message"),
    [
        ("solvr", "x", len, "unknown kind 'solvr'.*did you mean 'solver'"),
        ("solver", "heun", len, "solver 'heun' is registered already"),
        ("solver", "x", 3, "solver 'x': expected a Solver, or a function step"),
        ("graph format", "x", 3, "graph format 'x': expected read"),
        ("data set", "x", 3, "data set 'x': expected a function of split and n"),
        ("backbone", "x", 3, "backbone 'x': expected a function of channels"),
        ("solver", " ", len, "is no name"),
    ],
)
def test_what_cannot_be_registered_is_one_line(kind, name, entry, message):
    with pytest.raises(cf.CausalflowError, match=message):
        cf.register(kind, name)(entry)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "module 'absent' cannot be imported: ModuleNotFoundError"),
        ("1 / 0", "module 'broken_methods' cannot be imported: ZeroDivisionError"),
    ],
)
def test_a_module_that_cannot_be_imported_is_one_line(tmp_path, monkeypatch, text, message):
    monkeypatch.chdir(tmp_path)
    name = "broken_methods" if text else "absent"
    (tmp_path / "broken_methods.py").write_text(text)
    code, out, err = command("--with", name, "check")
    assert (code, out) == (2, "")
    assert message in err
    assert len(err.splitlines()) == 1


def test_an_entry_point_is_a_name_and_a_broken_one_names_its_package(tmp_path):
    info = tmp_path / "my_package-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my_package\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[causalflow.solvers]\nmine = own_solver:step\n\n"
        "[causalflow.backbones]\nbroken = own_absent:net\n"
    )
    (tmp_path / "own_solver.py").write_text("def step(field, y, t, s):\n    return y\n")
    (tmp_path / "script.py").write_text(OWN_PACKAGE)
    (tmp_path / "good.yaml").write_text(GRAPH)
    (tmp_path / "broken.yaml").write_text(
        GRAPH.replace("solver: mine, guided_solver: mine", "backbone: broken")
    )
    paths = os.pathsep.join([str(tmp_path), *sys.path])
    ran = subprocess.run(
        [sys.executable, "script.py", "good.yaml", "broken.yaml"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": paths},
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    solver, world, error = ran.stdout.splitlines()
    assert solver == "mine"
    assert world == "['color', 'image']"
    assert error.startswith("backbone 'broken' of the package 'my_package' cannot be loaded")


def test_an_own_metric_is_named_in_an_evaluation_by_a_solver_that_is_chosen_for_it():
    @cf.register("metric", "light")
    def light(bench, outcome):
        """The mean of all pixels."""
        return outcome.world[bench.image].mean((1, 2, 3))

    model = cf.compile(cf.loads(GRAPH.replace("mine", "ddim")))
    color = np.arange(40) % 2
    image = np.ones((1, 8, 8), dtype=np.float32) * color[:, None, None, None]
    rows = {"color": color, "image": torch.from_numpy(image)}
    others = {"color": color, "image": 0.25 + 0.5 * rows["image"]}
    model.fit(others, steps=1, batch_size=8, progress=False, device="cpu")
    calls = []
    for steps in (2, 4):
        found = cf.evaluate(
            model,
            rows,
            metrics=["light", "network calls"],
            sampling=cf.Sampling(solver=cf.Ddim(steps=steps), residual=False),
            n=4,
            judge_epochs=1,
            progress=False,
        )
        first, second = found.measures
        assert (first.name, first.score.count) == ("light", 4)
        calls.append(second.score.value)
    assert calls[1] == 2 * calls[0] > 0
