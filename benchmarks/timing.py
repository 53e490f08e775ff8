"""Timing: medians of runs that take turns.

A machine's speed drifts (other work, clock, caches). Contestants measured one after the other see
different machines; contestants that take turns, one call each a round, see the same. The median
over rounds forgets the rounds that something disturbed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from statistics import median
from time import perf_counter
from typing import Any


def interleaved(
    contestants: Mapping[str, Callable[[], Any]],
    rounds: int,
    *,
    budget: float = float("inf"),
    clock: Callable[[], float] = perf_counter,
) -> dict[str, float]:
    """The median seconds of a call, by contestant.

    Args:
        contestants: name -> a call without arguments; what it returns is dropped.
        rounds: how often each is called, at least once.
        budget: seconds after which no further round begins.
        clock: `time.perf_counter` (wall) or `time.process_time` (CPU of all threads).

    Example:
        >>> sorted(interleaved({"sum": lambda: sum(range(9)), "nothing": lambda: None}, rounds=3))
        ['nothing', 'sum']
    """
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    deadline = perf_counter() + budget
    for round_ in range(max(rounds, 1)):
        if round_ and perf_counter() > deadline:
            break
        for name, call in contestants.items():
            start = clock()
            call()
            seconds[name].append(clock() - start)
    return {name: median(each) for name, each in seconds.items()}
