"""Crews: processes that share a stream, played by threads of one, for tests of inner laws."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from causalflow.training.processes import Processes


@dataclass(frozen=True, slots=True, kw_only=True)
class Played(Processes):
    """One of several threads; ``group`` is their meeting place."""

    def gathered(self, value):
        barrier, found = self.group
        found[self.rank] = value
        barrier.wait(60)
        together = list(found)
        barrier.wait(60)
        return together

    def check(self):
        """No launcher."""


def played(count, work):
    """What ``work(crew)`` gives for every member of a crew, or the first error that is no echo."""
    group = threading.Barrier(count), [None] * count

    def member(rank):
        try:
            return work(Played(rank=rank, count=count, group=group))
        except BaseException:
            group[0].abort()
            raise

    with ThreadPoolExecutor(count) as pool:
        futures = [pool.submit(member, rank) for rank in range(count)]
    errors = [future.exception() for future in futures]
    raised = [e for e in errors if e and not isinstance(e, threading.BrokenBarrierError)]
    if raised:
        raise raised[0]
    return [future.result() for future in futures]
