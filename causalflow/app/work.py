"""Work: processes that run handlers, and that can be ended in the middle of one.

A job goes to the process that is free and was started first, so that what it has in its cache is
met again; another is started only where none was free for a while. A job whose asker has gone, or
that takes longer than its limit, ends with its process. An event is a line of `worker`.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from causalflow.app.problem import problem
from causalflow.app.worker import line

__all__ = ["Crew", "Event", "Limits"]

Event = Mapping[str, Any]
_LINE_BYTES = 1 << 26
_LOST = problem("the work was ended: it took more memory than there is, or was killed")
_BUSY = problem("busy: too many questions at once; ask again in a moment")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the processes of one kind may take.

    Attributes:
        processes: how many there are at most.
        waiting: how many jobs may wait for one; more are refused.
        patience: seconds that a job waits for a process before another is started.
        seconds: that one job may take, once its process has started.
        grace: seconds that a job whose asker has gone may still take.
        memory: bytes of a process; None: as many as the system gives.
    """

    processes: int = 2
    waiting: int = 128
    patience: float = 1.0
    seconds: float = 20.0
    grace: float = 1.0
    memory: int | None = None


class _Member:
    """One process, started when it is first asked."""

    def __init__(self, opening: bytes) -> None:
        self._opening = opening
        self._process: asyncio.subprocess.Process | None = None
        self._beginning: asyncio.Task[Mapping[str, bool]] | None = None

    async def begin(self) -> Mapping[str, bool]:
        """Start the process, if that has not been done; the handlers that it has.

        An asker who goes does not end the start: the next one finds it under way.
        """
        if self._beginning is None:
            self._beginning = asyncio.get_running_loop().create_task(self._begun())
        return await asyncio.shield(self._beginning)

    async def _begun(self) -> Mapping[str, bool]:
        try:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "causalflow.app.worker"),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                limit=_LINE_BYTES,
            )
        except OSError:
            self._beginning = None
            raise
        self._write(self._opening)
        return (await self.event()).get("handlers", {})

    def ask(self, name: str, body: Event) -> None:
        """Start a job in the process, which has begun."""
        self._write(line({"name": name, "body": body}))

    def _write(self, text: bytes) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(text)

    async def event(self) -> Event:
        """The next event of the job."""
        assert self._process is not None
        assert self._process.stdout is not None
        told = await self._process.stdout.readline()
        return json.loads(told) if told else {"lost": True}

    async def end(self) -> None:
        """End the process, whatever it does."""
        if self._beginning is not None and self._process is None:
            await asyncio.wait({self._beginning})
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()


class Crew:
    """The processes of one kind, and the jobs that wait for them."""

    def __init__(self, start: Mapping[str, Any], limits: Limits) -> None:
        self.limits = limits
        self._opening = line({**start, "memory": limits.memory})
        self._members: list[_Member] = []
        self._free: set[_Member] = set()
        self._changed = asyncio.Condition()
        self._waiting = 0
        self._returns: set[asyncio.Task[None]] = set()

    async def run(self, name: str, body: Event, tell: Callable[[Event], None]) -> Event:
        """The end of a job; a task that is cancelled ends the job too.

        Args:
            name: the handler's.
            body: the request's JSON.
            tell: called with each event of progress.
        """
        if self._waiting >= self.limits.waiting:
            return {"mistake": _BUSY, "busy": True}
        member = await self._taken()
        over = True
        try:
            await member.begin()
            over = False
            member.ask(name, body)
            async with asyncio.timeout(self.limits.seconds):
                while "progress" in (event := await member.event()):
                    tell(event)
            over = "lost" not in event
            return event if over else {"mistake": _LOST}
        except TimeoutError:
            return {"mistake": problem(f"given up after {self.limits.seconds:g} s; ask for less")}
        finally:
            gone = asyncio.current_task().cancelling() > 0  # type: ignore[union-attr]
            self._give_back(member, over=over, grace=self.limits.grace if gone else 0.0)

    async def _taken(self) -> _Member:
        """The process that was started first of those that are free, or one more."""
        self._waiting += 1
        try:
            async with self._changed:
                if not self._members:
                    self._join()
                with suppress(TimeoutError):
                    async with asyncio.timeout(self.limits.patience):
                        await self._changed.wait_for(lambda: self._free)
                if not self._free and len(self._members) < self.limits.processes:
                    self._join()
                await self._changed.wait_for(lambda: self._free)
                member = next(each for each in self._members if each in self._free)
                self._free.remove(member)
                return member
        finally:
            self._waiting -= 1

    def _join(self) -> None:
        member = _Member(self._opening)
        self._members.append(member)
        self._free.add(member)

    def _give_back(self, member: _Member, *, over: bool, grace: float) -> None:
        """Free a process in a task of its own: this one may be cancelled."""
        task = asyncio.get_running_loop().create_task(self._freed(member, over, grace))
        self._returns.add(task)
        task.add_done_callback(self._returns.discard)

    async def _freed(self, member: _Member, over: bool, grace: float) -> None:
        """Free a process whose job is over, or is within the grace; end any other."""
        if not over and grace:
            with suppress(TimeoutError):
                async with asyncio.timeout(grace):
                    while "progress" in (event := await member.event()):
                        pass
                    over = "lost" not in event
        if not over:
            await member.end()
        async with self._changed:
            if over:
                self._free.add(member)
            else:
                self._members.remove(member)
            self._changed.notify_all()

    async def handlers(self) -> Mapping[str, bool]:
        """The handlers by name, and whether each is slow, as a process tells that is started."""
        member = await self._taken()
        try:
            return await member.begin()
        finally:
            self._give_back(member, over=True, grace=0.0)

    async def close(self) -> None:
        """End every process."""
        await asyncio.gather(*(member.end() for member in self._members))
