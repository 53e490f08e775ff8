"""Hostile commands and paths: lines 28 and 29 of the list."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import causalflow as cf
from tests.hostile.hostile_pictures import GRAPH as STAMPS
from tests.hostile.hostile_runner import Case
from tests.hostile.hostile_tables import GRAPH, model_bytes

__all__ = ["CASES"]

ROWS = "color,size\nred,1\ngreen,2\nred,3\n"
DIGITS = "9" * 5000


def _files() -> None:
    Path("g.yaml").write_text(GRAPH)
    Path("rows.csv").write_text(ROWS)
    Path("m.safetensors").write_bytes(model_bytes())
    Path("i.safetensors").write_bytes(model_bytes(STAMPS))
    Path("read-only").mkdir()
    Path("read-only").chmod(0o555)
    os.mkfifo("fifo")
    _device("device", 1, 3)


CF = ("counterfactual", "m.safetensors", "--given", "color=red", "--given", "size=1")
FIT = ("fit", "g.yaml", "--data", "rows.csv", "--no-progress", "-o")
WORDS: dict[str, tuple[str, ...]] = {
    "--do x=": (*CF, "--do", "color="),
    "--do =1": (*CF, "--do", "=1"),
    "--do =": (*CF, "--do", "="),
    "--do of nothing": (*CF, "--do", ""),
    "--do x=1 --do x=2": (*CF, "--do", "color=red", "--do", "color=green"),
    "--do of 100 kB": (*CF, "--do", "color=" + "x" * 100_000),
    "--do of a newline": (*CF, "--do", "color=a\nb"),
    "--do of no UTF-8": (*CF, "--do", "color=\udcff"),
    "--given twice": (*CF, "--given", "size=2", "--do", "color=red"),
    "-n 10**12": ("sample", "m.safetensors", "-n", "1000000000000"),
    "-n 10**9": ("sample", "m.safetensors", "-n", "1000000000"),
    "-n 10**9 of a counterfactual": (*CF, "--do", "color=red", "-n", "1000000000"),
    "-n of 5,000 digits": ("sample", "m.safetensors", "-n", DIGITS),
    "-n -1": ("sample", "m.safetensors", "-n", "-1"),
    "-n 1e3": ("sample", "m.safetensors", "-n", "1e3"),
    "-n of images": ("sample", "i.safetensors", "-n", "100000000", "-o", "a.png"),
    "--draws 10**12": ("ask", "m.safetensors", "E[size | do(color=red)]", "--draws", "1000000000000"),
    "--draws of 5,000 digits": ("ask", "m.safetensors", "E[size]", "--draws", DIGITS),
    "--seed of 5,000 digits": ("sample", "m.safetensors", "--seed", DIGITS),
    "--seed 2**64": ("sample", "m.safetensors", "--seed", str(2**64)),
    "--seed of a fit, 2**64": (*FIT, "n.safetensors", "--seed", str(2**64)),
    "--seed of a fit, of 5,000 digits": (*FIT, "n.safetensors", "--seed", DIGITS),
    "--seed -1": ("sample", "m.safetensors", "--seed", "-1"),
    "--steps 10**9": ("sample", "i.safetensors", "-n", "1", "--steps", "1000000000", "-o", "a.png"),
    "--steps of a fit, of 5,000 digits": (*FIT, "n.safetensors", "--steps", DIGITS),
    "--steps of a fit, -1": (*FIT, "n.safetensors", "--steps", "-1"),
    "--batch-size 10**12": ("fit", "i.yaml", "--data", "rows.csv", "--batch-size", "1000000000000", "-o", "n.safetensors"),
    "--batch-size 0": (*FIT, "n.safetensors", "--batch-size", "0"),
    "--learning-rate nan": (*FIT, "n.safetensors", "--learning-rate", "nan"),
    "--devices 10**9": (*FIT, "n.safetensors", "--devices", "1000000000"),
    "--strategy of another": (*FIT, "n.safetensors", "--strategy", "x\ny"),
    "--precision of another": (*FIT, "n.safetensors", "--precision", "8-true"),
    "--guidance inf": ("sample", "i.safetensors", "-n", "1", "--guidance", "inf", "-o", "a.png"),
    "--guidance nan": ("sample", "i.safetensors", "-n", "1", "--guidance", "nan", "-o", "a.png"),
    "--device of another": ("sample", "m.safetensors", "--device", "x\ny"),
    "--device cuda:99": ("sample", "m.safetensors", "--device", "cuda:99"),
    "--device meta": ("sample", "m.safetensors", "--device", "meta"),
    "--node of nothing": ("sample", "m.safetensors", "--node", ""),
    "-o a FIFO": (*FIT, "fifo"),
    "-o a device": (*FIT, "device"),
    "-o a folder": (*FIT, "read-only"),
    "-o a file as a folder": ("sample", "m.safetensors", "-n", "3", "-o", "g.yaml/a.csv"),
    "-o of 5,000 letters": ("sample", "m.safetensors", "-n", "3", "-o", "a" * 5000 + ".csv"),
    "-o of a null character": ("sample", "m.safetensors", "-n", "3", "-o", "a\0.csv"),
    "-o of another ending": ("sample", "m.safetensors", "-n", "3", "-o", "a.exe"),
    "--log a FIFO": (*FIT, "n.safetensors", "--log", "fifo"),
    "--checkpoint a FIFO": (*FIT, "n.safetensors", "--checkpoint", "fifo"),
    "--rows 10**12": ("fit", "g.yaml", "--data", "pendulum", "--rows", "1000000000000", "-o", "n.safetensors"),
    "--size 10**9": ("fit", "i.yaml", "--data", "pendulum", "--size", "1000000000", "-o", "n.safetensors"),
    "a command of another name": ("x" * 10_000,),
    "an option of another name": ("sample", "--" + "x" * 10_000),
    "no arguments": ("sample",),
    "1,000 files": ("identify", *["g.yaml"] * 1000),
}


def _path(name: str, put: Callable[[str], object]) -> Iterator[Case]:
    """Something that is no file, where each command reads one."""

    def make() -> None:
        _files()
        for path in ("x.yaml", "x.csv", "x.npz", "x.png", "x.safetensors", "x.bif", "x.bif.gz"):
            put(path)

    yield Case(
        29,
        f"{name}, in Python",
        make=make,
        python=lambda: _each(
            lambda: cf.load("x.yaml"),
            lambda: cf.load("x.bif"),
            lambda: cf.load("x.bif.gz"),
            lambda: cf.Model.load("x.safetensors"),
            lambda: _table("x.csv"),
            lambda: _arrays("x.npz"),
            lambda: cf.guided_diffusion("x.safetensors"),
        ),
    )
    yield Case(
        29,
        name,
        make=make,
        commands=(
            ("check", "x.yaml"),
            ("identify", "x.bif", "P(x)"),
            ("ask", "x.bif.gz", "P(x)"),
            ("describe", "x.safetensors"),
            ("draw", "x.yaml", "-o", "a.png"),
            ("enumerate", "x.yaml"),
            ("fit", "g.yaml", "--data", "x.csv", "--no-progress", "-o", "n.safetensors"),
            ("fit", "g.yaml", "--data", "x.npz", "--no-progress", "-o", "n.safetensors"),
            ("counterfactual", "m.safetensors", "--evidence", "x.csv", "--do", "color=red"),
            ("counterfactual", "i.safetensors", "--image", "x.png", "--do", "color=red"),
            ("sample", "x.safetensors"),
            ("evaluate", "x.safetensors"),
            ("sample", "i.safetensors", "--do", "image=x.png"),
        ),
    )


def _each(*calls: Callable[[], object]) -> object:
    """Every call must be refused; the last refusal is shown."""
    last: cf.CausalflowError | None = None
    for call in calls:
        try:
            return call()
        except cf.CausalflowError as error:
            last = error
    assert last is not None
    raise last


def _table(path: str) -> object:
    from causalflow.data.files import read_table

    return read_table(path)


def _arrays(path: str) -> object:
    from causalflow.data.arrays import read_arrays

    return read_arrays(path)


def _device(path: str, major: int, minor: int) -> None:
    """A device of the case's own folder: what replaces it harms nothing. Without the right, a socket."""
    try:
        os.mknod(path, 0o666 | stat.S_IFCHR, os.makedev(major, minor))
    except PermissionError:
        _socket(path)


def _socket(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(path)


def _growing() -> Iterator[Case]:
    """A file to which a program goes on writing, as fast as it is read, longer than is allowed."""
    writer = (
        "import sys, time\nfile = open(sys.argv[1], 'ab', buffering=0)\nend = time.time() + 15\n"
        "while time.time() < end:\n file.write(b'red,1.5\\n' * 100_000)\n time.sleep(0.02)\n"
    )

    def make() -> None:
        _files()
        Path("grows.csv").write_text(ROWS)
        subprocess.Popen([sys.executable, "-c", writer, "grows.csv"], start_new_session=True)

    yield Case(29, "a file that grows", make=make, python=lambda: _table("grows.csv"), answer=True)


def _all() -> Iterator[Case]:
    for name, words in WORDS.items():
        yield Case(28, name, make=_files, commands=(words,))
    yield from _path("a directory", os.mkdir)
    yield from _path("a FIFO", os.mkfifo)
    yield from _path("a socket", _socket)
    yield from _path("a device that never ends", lambda path: _device(path, 1, 5))
    yield from _path("a device of nothing", lambda path: _device(path, 1, 3))
    yield from _path("the terminal", lambda path: _device(path, 5, 0))
    yield from _path("a link to itself", lambda path: os.symlink(path, path))
    yield from _path("no file", lambda path: None)
    yield from _path("a file of no bytes", lambda path: Path(path).touch())
    yield from _growing()


CASES = list(_all())
