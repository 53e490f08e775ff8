"""Trips: which files of the package a call enters, counted in a fresh process.

A file is entered when a frame of its code runs (`sys.setprofile`). Every module is imported before,
and another call has been made, so that neither imports nor what is loaded late are counted:

    counterfactual      `Model.counterfactual` of an image of the front-door bar graph, after a
                        `sample` from the same small model, fitted for one step
    exact, first        `Model.ask` of a counterfactual image of a model with equations, and the
                        table of the answer, after a question to another model
    exact, again        the same question once more
    verdict             `identify` of the front door and the printed verdict, after one of another
                        graph; `verdict, from a file`: and `load` of the file before it
    fit                 `Model.fit` of the same graph to pictures, after one of a graph of numbers
    evaluate            the command `causalflow evaluate` of the same model on pictures that stand
                        in a table, after `causalflow check`

Run with the root of a checkout and the name of a trip, this file prints the files as JSON.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from importlib import import_module
from io import StringIO
from pathlib import Path
from types import FrameType
from typing import Any

__all__ = ["TRIPS", "entered"]

BARS = """
graph: bars
nodes:
  digit: {type: class, levels: 10}
  color: {type: class, levels: [green, red]}
  bar: {type: class, levels: [absent, present]}
  image: {type: image, shape: [3, 8, 8], diffusion: {width: 8, multipliers: [1], steps: 2, DOTS}}
edges:
  - digit -> color
  - color -> bar
  - digit <-> bar
  - digit, bar -> image: neural
  - color -> image: anticausal
""".replace("DOTS", "predictor_width: 4")
EQUATIONS = """
graph: pictures-of-two-bits
exogenous:
  u_x: {p: [0.4, 0.6]}
  u_y: {p: [0.6, 0.4]}
  u_xy: {p: [0.5, 0.5]}
  u_i: {p: [0.5, 0.5]}
nodes:
  x: {type: class, levels: 2, equation: u_x ^ u_xy}
  y: {type: class, levels: 2, equation: u_y ^ u_xy}
  i: {type: image, shape: [1, 2, 2], levels: 2, equation: [u_x & x, y, x ^ u_i, x ^ y ^ u_i]}
"""
COINS = """
graph: coins
exogenous: {u: {p: [0.2, 0.3, 0.5]}}
nodes:
  a: {type: class, levels: 3, equation: u}
  b: {type: class, levels: [no, yes], equation: a > 1}
"""
SIZES = """
graph: sizes
nodes:
  color: {type: class, levels: [green, red]}
  size: {type: continuous, unit: px, noise: linear}
edges: [color -> size]
"""
FRONT_DOOR = "graph: front-door\nedges:\n  - x -> m\n  - m -> y\n  - x <-> y\n"
EFFECT = "P(y | do(x))"


def _pictures(n: int) -> dict[str, Any]:
    """Rows for `BARS`: pictures of noise, and labels that go round."""
    import torch

    torch.manual_seed(0)
    digit = torch.arange(n) % 10
    return {
        "digit": digit,
        "color": digit % 2,
        "bar": digit // 2 % 2,
        "image": torch.rand(n, 3, 8, 8),
    }


def _bars() -> Any:
    """The model of `BARS`, fitted for one step."""
    import causalflow as cf

    model = cf.compile(cf.loads(BARS))
    model.fit(_pictures(20), steps=1, batch_size=10, progress=False, device="cpu")
    return model


def _counterfactual() -> Callable[[], Any]:
    model, images = _bars(), _pictures(2)["image"]
    model.sample(2)
    return lambda: model.counterfactual(images, do={"color": "red"})


def _exact() -> Callable[[], Any]:
    import causalflow as cf

    cf.compile(cf.loads(COINS)).ask("P(a | b=yes)").table  # noqa: B018
    model = cf.compile(cf.loads(EQUATIONS))
    return lambda: model.ask("P(i[x=1] | i=5)").table


def _exact_again() -> Callable[[], Any]:
    call = _exact()
    call()
    return call


def _verdict() -> Callable[[], Any]:
    import causalflow as cf

    str(cf.identify(cf.Graph(edges=["c -> a -> b", "c -> b"]), "P(b | do(a))"))
    graph, identify = cf.loads(FRONT_DOOR), cf.identify
    return lambda: str(identify(graph, EFFECT))


def _verdict_from_file() -> Callable[[], Any]:
    import causalflow as cf

    _verdict()
    Path("other.yaml").write_text("edges: [c -> a]\n", encoding="utf-8")
    Path("front_door.yaml").write_text(FRONT_DOOR, encoding="utf-8")
    cf.load("other.yaml")
    load, identify = cf.load, cf.identify
    return lambda: str(identify(load("front_door.yaml"), EFFECT))


def _fit() -> Callable[[], Any]:
    import causalflow as cf

    steps: dict[str, Any] = {"steps": 1, "batch_size": 10, "progress": False, "device": "cpu"}
    numbers = cf.compile(cf.loads(SIZES))
    numbers.fit({"color": [0, 1] * 10, "size": [1.0, 2.5, 1.5, 3.0] * 5}, **steps)
    model, rows = cf.compile(cf.loads(BARS)), _pictures(20)
    return lambda: model.fit(rows, **steps)


def _evaluate() -> Callable[[], Any]:
    import numpy as np

    rows = _pictures(40)
    _bars().save("bars.safetensors")
    np.savez("rows.npz", **{name: column.numpy() for name, column in rows.items()})
    Path("coins.yaml").write_text(COINS, encoding="utf-8")
    _command("check", "coins.yaml")
    options = "--data rows.npz --n 8 --judge-epochs 1 --device cpu --out report"
    return lambda: _command("evaluate", "bars.safetensors", *options.split())


def _command(*words: str) -> None:
    """A command of the command line, in this process.

    Raises:
        RuntimeError: it exits with another code than 0.
    """
    from causalflow.cli import run

    if code := run(list(words)):
        raise RuntimeError(f"causalflow {' '.join(words)}: exit code {code}")


TRIPS: dict[str, Callable[[], Callable[[], Any]]] = {
    "counterfactual": _counterfactual,
    "exact, first": _exact,
    "exact, again": _exact_again,
    "verdict": _verdict,
    "verdict, from a file": _verdict_from_file,
    "fit": _fit,
    "evaluate": _evaluate,
}


def entered(root: Path, trip: str) -> list[str]:
    """The files that the trip enters, in the order in which it does, relative to the package.

    Args:
        root: of the checkout whose package is measured.
        trip: a name of `TRIPS`.

    Raises:
        RuntimeError: the trip ends in an error.
    """
    here = str(root.resolve())
    environment = {**os.environ, "PYTHONPATH": here, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-P", "-W", "ignore", str(Path(__file__).resolve()), here, trip]
    with tempfile.TemporaryDirectory() as folder:
        ran = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
    if ran.returncode:
        raise RuntimeError(f"trip '{trip}': {ran.stderr.strip()[-2000:]}")
    files: list[str] = json.loads(ran.stdout.splitlines()[-1])
    return files


def _import_all(package: Path) -> None:
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package.parent).with_suffix("").parts
        if parts[-1] != "__main__":
            import_module(".".join(part for part in parts if part != "__init__"))


def _record(call: Callable[[], Any], package: Path) -> list[str]:
    """The files of the package in which a frame begins, in order."""
    found: dict[str, None] = {}

    def note(frame: FrameType, event: str, _: Any) -> None:
        if event == "call":
            found.setdefault(frame.f_code.co_filename)

    sys.setprofile(note)
    try:
        call()
    finally:
        sys.setprofile(None)
    inside = [Path(name) for name in found if name.startswith(f"{package}{os.sep}")]
    return [path.relative_to(package).as_posix() for path in inside]


def _main(root: str, trip: str) -> None:
    package = Path(root) / "causalflow"
    _import_all(package)
    with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
        files = _record(TRIPS[trip](), package)
    print(json.dumps(files))


if __name__ == "__main__":
    _main(*sys.argv[1:])
