"""Speed: median milliseconds of public calls, in a fresh process of one thread.

    ask again, n nodes          `Model.ask` of a chain of n coins, each the one before or its
                                opposite, and its value: P(last=1 | do(first=1), middle=0)
    ask of new rows, n nodes    the same of 64 rows of the middle, other rows at each call
    identify, first: ...        `identify` of a graph that nobody has asked about, without printing
    identify, again: ...        the same of one graph

Time is that of the processor, so that other work on the machine does not count, and a call is one
of a turn of `TURN` calls; the median is that of `TURNS` turns.

Run as a script, this file prints the medians as JSON.
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
from collections.abc import Callable
from itertools import cycle, pairwise
from pathlib import Path
from statistics import median
from time import process_time
from typing import Any

__all__ = ["milliseconds"]

SIZES = (3, 10, 400)
TURN, TURNS = 10, 40


def milliseconds(root: Path) -> dict[str, float]:
    """Median milliseconds of a call, by name of the call, of the package at `root`.

    Raises:
        RuntimeError: a call ends in an error.
    """
    environment = {**os.environ, "PYTHONPATH": str(root.resolve()), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-P", "-W", "ignore", str(Path(__file__).resolve())]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if ran.returncode:
        raise RuntimeError(f"speed: {ran.stderr.strip()[-2000:]}")
    found: dict[str, float] = json.loads(ran.stdout.splitlines()[-1])
    return found


def _chain(size: int) -> str:
    """A graph file: ``v0 = u0``, ``v1 = v0 ^ u1``, and so on; the coins u are not fair."""
    noise = "".join(f"  u{i}: {{p: [0.75, 0.25]}}\n" for i in range(size))
    node = "  v{}: {{type: class, levels: 2, equation: {}}}\n"
    nodes = [node.format(i, f"v{i - 1} ^ u{i}" if i else "u0") for i in range(size)]
    return f"graph: chain\nexogenous:\n{noise}nodes:\n{''.join(nodes)}"


def _ask(size: int) -> Callable[[], Any]:
    import causalflow as cf

    model = cf.compile(cf.loads(_chain(size)))
    query = f"P(v{size - 1}=1 | do(v0=1), v{size // 2}=0)"
    return lambda: model.ask(query).value


def _ask_of_rows(size: int) -> Callable[[], Any]:
    import numpy as np

    import causalflow as cf

    model = cf.compile(cf.loads(_chain(size)))
    middle = f"v{size // 2}"
    query = f"P(v{size - 1}=1 | do(v0=1), {middle})"
    columns = iter(np.random.default_rng(0).integers(0, 2, (TURN * TURNS + 1, 64)))
    return lambda: model.ask(query, **{middle: next(columns)}).table


def _identify(edges: list[str], query: str, *, first: bool) -> Callable[[], Any]:
    """A call on one graph; or each on a graph of its own, with idle nodes of other names."""
    import causalflow as cf

    idle = [[f"idle{i} -> lazy{i}"] for i in range(TURN * TURNS + 1)] if first else [[]]
    graphs, identify = cycle([cf.Graph(edges=edges + more) for more in idle]), cf.identify
    return lambda: identify(next(graphs), query)


def _graphs() -> dict[str, tuple[list[str], str]]:
    """The edges and the question of each graph that is identified."""
    names = [f"v{i}" for i in range(100)]
    chain = [f"{a} -> {b}" for a, b in pairwise(names)]
    skips = [f"{a} <-> {b}" for a, b in zip(names, names[2:], strict=False)]
    return {
        "front door": (["x -> m -> y", "x <-> y"], "P(y | do(x))"),
        "napkin": (["w -> z -> x -> y", "w <-> x", "w <-> y"], "P(y | do(x))"),
        "chain of 100 with skips": (chain + skips, "P(v99 | do(v0))"),
    }


def _calls() -> dict[str, Callable[[], Any]]:
    return {
        **{f"ask again, {size} nodes": _ask(size) for size in SIZES},
        **{f"ask of new rows, {size} nodes": _ask_of_rows(size) for size in SIZES},
        **{
            f"identify, {when}: {name}": _identify(*asked, first=when == "first")
            for when in ("first", "again")
            for name, asked in _graphs().items()
        },
    }


def _median(call: Callable[[], Any]) -> float:
    """Milliseconds of a call; the garbage collector leaves what stands alone."""
    call()
    gc.collect()
    gc.freeze()
    turns = []
    for _ in range(TURNS):
        begun = process_time()
        for _ in range(TURN):
            call()
        turns.append(process_time() - begun)
    gc.unfreeze()
    return 1e3 * median(turns) / TURN


if __name__ == "__main__":
    print(json.dumps({name: _median(call) for name, call in _calls().items()}))
