"""What a command or a call writes, and what it is told: whole or not at all, one line of error.

A line is under 500 letters; the exit code of a mistake is 2; what was there before stays.
"""

import hashlib
import os
import resource
import stat
import subprocess
import sys
import warnings

import numpy as np
import pytest

import causalflow as cf

GRAPH = """
graph: sizes
nodes:
  color: {type: class, levels: [green, red]}
  size: {type: continuous, unit: px, noise: additive}
  image: {type: image, shape: [3, 8, 8], diffusion: {width: 8, multipliers: [1], steps: 2}}
edges: [color -> size, size -> image]
"""
LONG = "9" * 5_000


def rows(count=24):
    random = np.random.default_rng(0)
    color = random.integers(0, 2, count)
    size = color + random.normal(size=count)
    return {
        "color": color,
        "size": size,
        "image": random.random((count, 3, 8, 8), dtype=np.float32),
    }


@pytest.fixture(scope="module")
def model():
    fitted = cf.compile(cf.loads(GRAPH))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cf.CausalflowWarning)
        fitted.fit(rows(), steps=2, batch_size=8, progress=False)
    return fitted


@pytest.fixture
def work(cli, tmp_path, model):
    """A folder with a model, a graph, rows, a pipe of each ending and a file that is no folder."""
    model.save(tmp_path / "m.safetensors")
    (tmp_path / "g.yaml").write_text(
        GRAPH.replace("size -> image", "size -> other").replace(
            "image: {type: image, shape: [3, 8, 8], diffusion: {width: 8, multipliers: [1],"
            " steps: 2}}",
            "other: {type: class, levels: 2}",
        )
    )
    table = ["color,size,other", *(f"{'green' if i % 2 else 'red'},{i},{i % 2}" for i in range(20))]
    (tmp_path / "rows.csv").write_text("\n".join(table) + "\n")
    (tmp_path / "file").write_text("kept")
    for ending in ("csv", "png", "svg", "dot", "safetensors", "jsonl"):
        os.mkfifo(tmp_path / f"pipe.{ending}")
    return cli


def refused(ran, *words):
    """A mistake in one line."""
    assert ran.code == 2, ran
    line = ran.err.strip()
    assert line
    assert "\n" not in line
    assert len(line) < 500
    for word in words:
        assert word in line


SAMPLE = ("sample", "m.safetensors", "-n", "2")
FIT = ("fit", "g.yaml", "--data", "rows.csv", "--steps", "2", "--no-progress")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([*SAMPLE, "--do", "size="], "NODE=VALUE"),
        ([*SAMPLE, "--do", "=1"], "NODE=VALUE"),
        ([*SAMPLE, "--do", ""], "NODE=VALUE"),
        ([*SAMPLE, "--do", "size"], "NODE=VALUE"),
        ([*SAMPLE, "--do", "size=1", "--do", "size=2"], "given twice"),
        ([*SAMPLE, "--do", f"size={LONG}"], "size"),
        ([*SAMPLE, "--do", f"color={LONG}"], "color"),
        ([*SAMPLE, "--do", f"{LONG}=1"], "letters)"),
        ([*SAMPLE, "--do", "size=1e999"], "no number"),
        (["ask", "m.safetensors", "E[size | do(color=red)]", "--given", "color=red"], "do(...)"),
        (["ask", "m.safetensors", "E[size | color=red]", "--given", "color=green"], "give it once"),
        (["ask", "m.safetensors", "E[size | color]", "--given", "color="], "NODE=VALUE"),
        (
            ["ask", "m.safetensors", "E[size | z]", *["--given", "color=red"] * 2],
            "given twice",
        ),
        (["ask", "m.safetensors", "E[size | do(color=red)]", "--draws", str(10**12)], "--draws"),
        (["ask", "m.safetensors", "E[size | do(color=red)]", "--draws", LONG], "--draws"),
        (["sample", "m.safetensors", "-n", str(10**12)], "-n"),
        (["sample", "m.safetensors", "-n", str(10**8)], "-n"),
        (["sample", "m.safetensors", "-n", LONG], "-n"),
        ([*SAMPLE, "--seed", LONG], "--seed"),
        ([*SAMPLE, "--seed", str(2**64)], "seed"),
        ([*SAMPLE, "--seed", "-1"], "--seed"),
        ([*SAMPLE, "--steps", str(10**9)], "steps"),
        ([*SAMPLE, "--steps", LONG], "--steps"),
        ([*FIT, "-o", "new.safetensors", "--steps", str(10**9)], "100,000,000"),
        ([*FIT, "-o", "new.safetensors", "--batch-size", str(10**12)], "whole number from 1 to"),
        ([*FIT, "-o", "new.safetensors", "--seed", LONG], "--seed"),
        ([*SAMPLE, "-o", "pipe.csv"], "pipe in its place"),
        ([*SAMPLE, "-o", "pipe.png"], "pipe in its place"),
        ([*SAMPLE, "-o", "/dev/null"], "unknown format"),
        ([*SAMPLE, "-o", "file/new.csv"], "no folder"),
        ([*SAMPLE, "-o", "/proc/new.csv"], "cannot be written"),
        ([*SAMPLE, "-o", "x" * 300 + ".csv"], "no name of a file"),
        ([*SAMPLE, "-o", "a\0.csv"], "no name of a file"),
        ([*SAMPLE, "-o", "."], "unknown format"),
        ([*SAMPLE, "-o", ""], "unknown format"),
        (["draw", "g.yaml", "-o", "pipe.svg"], "pipe in its place"),
        (["draw", "g.yaml", "-o", "pipe.dot"], "pipe in its place"),
        ([*FIT, "-o", "pipe.safetensors"], "pipe in its place"),
        ([*FIT, "-o", "/dev/null"], "device"),
        ([*FIT, "-o", "new.safetensors", "--log", "pipe.jsonl"], "pipe"),
        ([*FIT, "-o", "new.safetensors", "--checkpoint", "pipe.safetensors"], "pipe"),
        ([*FIT, "-o", "new.safetensors", "--checkpoint", "file/kept"], "file/kept"),
    ],
    ids=lambda value: " ".join(value)[:60].replace("\0", "NUL") if isinstance(value, list) else "",
)
def test_a_mistake_in_the_words_is_one_line_and_writes_nothing(work, tmp_path, words, said):
    before = sorted(os.listdir(tmp_path))
    refused(work(*words), said)
    assert sorted(os.listdir(tmp_path)) == before
    assert (tmp_path / "file").read_text() == "kept"
    assert all(stat.S_ISFIFO(path.stat().st_mode) for path in tmp_path.glob("pipe.*"))


def test_a_call_neither_replaces_nor_waits_for_a_pipe(model, tmp_path):
    pipe = tmp_path / "pipe.safetensors"
    os.mkfifo(pipe)
    picture = tmp_path / "pipe.png"
    os.mkfifo(picture)
    evidence = {name: column[:2] for name, column in rows().items()}
    for write in (
        lambda: model.save(pipe),
        lambda: model.counterfactual(evidence, do={"color": 1}, out=pipe, progress=False),
        lambda: cf.plot_graph(model.graph, picture),
        lambda: cf.compile(model.graph).fit(rows(), steps=1, log=pipe, progress=False),
        lambda: cf.compile(model.graph).fit(rows(), steps=1, checkpoint=pipe, progress=False),
    ):
        with pytest.raises(cf.CausalflowError) as caught:
            write()
        assert "\n" not in str(caught.value)
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert stat.S_ISFIFO(picture.stat().st_mode)
    assert len(os.listdir(tmp_path)) == 2


class Full:
    """A disk on which a file has at most so many bytes."""

    def __init__(self, limit):
        self.limit = limit

    def __enter__(self):
        self.before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (self.limit, self.before[1]))

    def __exit__(self, *_):
        resource.setrlimit(resource.RLIMIT_FSIZE, self.before)


def test_a_full_disk_is_one_line_and_the_old_file_stays(work, model, tmp_path):
    evidence = {name: column[:4] for name, column in rows().items()}
    for name, words in {
        "old.csv": [*SAMPLE, "-n", "500", "-o", "old.csv"],
        "old.png": [*SAMPLE, "-o", "old.png"],
        "old.svg": ["draw", "g.yaml", "-o", "old.svg"],
        "old.safetensors": [*FIT, "-o", "old.safetensors"],
    }.items():
        (tmp_path / name).write_text("old")
        with Full(300):
            ran = work(*words)
        refused(ran, "cannot be written")
        assert (tmp_path / name).read_text() == "old"
    for out in ("new.safetensors", "new"):
        with Full(300), pytest.raises(cf.CausalflowError, match="cannot be written") as caught:
            model.counterfactual(evidence, do={"color": 1}, out=tmp_path / out, progress=False)
        assert "\n" not in str(caught.value)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", cf.CausalflowWarning)
            report = model.counterfactual(
                evidence, do={"color": 1}, out=tmp_path / out, progress=False
            )
        assert report.rows == 4  # the same call, once there is room
    assert not list(tmp_path.glob(".*.part"))


def test_a_full_disk_under_a_log_ends_the_log_and_not_the_fit(tmp_path):
    graph = cf.loads(GRAPH).subgraph(["color", "size"])
    fits = {}
    for name, log in {"none": None, "full": "/dev/full", "short": tmp_path / "log"}.items():
        fits[name] = cf.compile(graph)
        limit = 700 if name == "short" else resource.RLIM_INFINITY
        with Full(limit), warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            report = fits[name].fit(rows(), steps=30, log=log, log_every=1, progress=False)
        assert report.steps == 30
        said = [str(each.message) for each in told if "the log ends here" in str(each.message)]
        assert len(said) == (log is not None)
    worlds = [each.sample(5)["size"] for each in fits.values()]
    assert all((world == worlds[0]).all() for world in worlds)


SCRIPT = f"""
import sys, os, warnings
warnings.simplefilter("ignore")
os.chdir(sys.argv[1])
sys.path.insert(0, {os.path.dirname(__file__)!r})
import test_outputs_and_arguments as outputs
import causalflow as cf
model = cf.compile(cf.loads(outputs.GRAPH), seed=0)
model.fit(outputs.rows(), steps=2, batch_size=8, progress=False)
model.save("m.safetensors")
evidence = {{name: column[:4] for name, column in outputs.rows().items()}}
for out in ("stream.safetensors", "folder"):
    model.counterfactual(evidence, do={{"color": 1}}, out=out, batch_size=2, progress=False)
world = model.sample(3)
cf.image_grid({{"a": world["image"]}}).savefig("grid.png")
for kind in ("png", "svg", "pdf", "dot"):
    cf.plot_graph(model.graph, f"graph.{{kind}}")
open("graph.yaml", "w").write(model.graph.to_yaml())
napkin = cf.Graph(edges=["w -> z", "z -> x", "x -> y", "w <-> x", "w <-> y", "a -> y", "a -> w"])
queries = ("P(y | do(x))", "ATT(x -> y)", "P(w | do(z))", "RR(x -> y)")
with open("verdicts.txt", "w") as file:
    for query in queries:
        verdict = cf.identify(napkin, query)
        file.write(verdict.text(explain=True, proof=True) + verdict.latex() + repr(napkin.admg))
import runpy
for name in ("s.csv", "s.png", "s.svg", "s.pdf"):
    sys.argv = ["causalflow", "sample", "m.safetensors", "-n", "3", "-o", name]
    try:
        runpy.run_module("causalflow", run_name="__main__")
    except SystemExit as ended:
        assert ended.code == 0
"""


def written(folder):
    """The digest of every file, by name."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_the_same_run_writes_the_same_bytes_in_another_process(tmp_path):
    found = []
    for seed in ("1", "2"):
        folder = tmp_path / seed
        folder.mkdir()
        subprocess.run(
            [sys.executable, "-c", SCRIPT, str(folder)],
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
        )
        found.append(written(folder))
    assert len(found[0]) > 15
    assert found[0] == found[1]
