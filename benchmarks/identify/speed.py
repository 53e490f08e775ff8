"""Speed: CPU time of a question, contestants in turns, each trial first in a process of its own."""

from __future__ import annotations

import gc
import multiprocessing
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import cycle
from time import process_time
from typing import Any

from benchmarks.identify.cases import thousand_nodes
from benchmarks.identify.peers import CONTESTANTS, Case, Contestant
from benchmarks.timing import interleaved

PRINTED = "causalflow, printed"
FIRST = "causalflow, first"
BUDGET = 60.0
"""Seconds after which no further round begins on a graph."""
TURN = 10
"""Calls in a row when it is a contestant's turn."""


def speed(case: Case, repeats: int, limit: float) -> dict[str, Any]:
    """Median milliseconds by contestant, or why there are none; and how many times ours."""
    trials = {name: _trial(name, case, limit) for name in CONTESTANTS}
    well = [name for name, why in trials.items() if not why]
    calls = {name: _calls(CONTESTANTS[name], case, repeats) for name in well}
    calls[PRINTED] = _calls(CONTESTANTS["causalflow"], case, repeats, printed=True)
    calls[FIRST] = _calls(CONTESTANTS["causalflow"], case, repeats, first=True)
    found = _interleaved(calls, repeats)
    seconds = {name: each / TURN for name, each in found.items()}
    ours = seconds["causalflow"]
    return {
        "graph": case.name,
        "nodes": len(case.nodes),
        "query": case.query,
        "ms": {name: round(1e3 * each, 3) for name, each in seconds.items()},
        "times ours": {name: round(each / ours, 1) for name, each in seconds.items()},
        "failed": {name: why for name, why in trials.items() if why},
    }


def _interleaved(calls: Mapping[str, Callable[[], None]], repeats: int) -> dict[str, float]:
    """Median CPU seconds of a turn; the garbage collector leaves what has been prepared alone."""
    gc.collect()
    gc.freeze()
    try:
        return interleaved(calls, repeats, budget=BUDGET, clock=process_time)
    finally:
        gc.unfreeze()


def _calls(
    contestant: Contestant,
    case: Case,
    repeats: int,
    *,
    printed: bool = False,
    first: bool = False,
) -> Callable[[], None]:
    """A turn: calls in a row on one graph, or each on a fresh graph that nobody has seen."""
    count = repeats * TURN
    cases = [_renamed(case, number) for number in range(count)] if first else [case]
    turns = cycle([(contestant.prepare(each), each) for each in cases])

    def answer() -> None:
        for _ in range(TURN):
            graph, each = next(turns)
            found = contestant.answer(graph, each)
            if printed:
                str(found.estimand)

    return answer


def _renamed(case: Case, number: int) -> Case:
    """The same graph with an idle node of another name, so that nothing kept can serve it."""
    return replace(case, nodes=(*case.nodes, f"idle{number}"))


def _trial(name: str, case: Case, limit: float) -> str:
    """One call in a process of its own: empty if it ends well, else what is wrong."""
    contestant = CONTESTANTS[name]
    child = multiprocessing.get_context("fork").Process(
        target=lambda: contestant.answer(contestant.prepare(case), case), daemon=True
    )
    child.start()
    child.join(limit)
    if child.is_alive():
        child.terminate()
        child.join()
        return f"over {limit:g} s"
    return "" if child.exitcode == 0 else "crashes"


def thousand(repeats: int) -> dict[str, Any]:
    """Median milliseconds of causalflow on a graph of a thousand nodes."""
    case = thousand_nodes()
    call = _calls(CONTESTANTS["causalflow"], case, repeats)
    seconds = _interleaved({"causalflow": call}, repeats)["causalflow"] / TURN
    return {
        "nodes": len(case.nodes),
        "directed": len(case.directed),
        "bidirected": len(case.bidirected),
        "query": case.query,
        "ms": round(1e3 * seconds, 1),
    }
