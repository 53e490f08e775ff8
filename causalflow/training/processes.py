"""Processes: one, or several that a launcher started, which share one piece of work.

Under ``torchrun`` every process runs the same program and makes the same calls. Of R processes the
one of *rank* r, 0 to R - 1, does the parts of the work that are its own; what all of them must know
is gathered, in the order of the ranks. The first process, of rank 0, writes what there is one of,
and prints.

Lightning Fabric opens the group in which they talk; the group that the engine opened is closed when
the process ends. What they tell each other is small and lies in the CPU's memory, so that any
number of them may share a GPU. A process whose launcher has ended ends too, as the launcher would
have ended it, and writes nothing more: whoever is started next may be at work.
"""

from __future__ import annotations

import atexit
import hashlib
import logging
import os
import signal
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from causalflow.errors import CausalflowError

if TYPE_CHECKING:
    from lightning_fabric import Fabric

__all__ = [
    "PeerError",
    "Processes",
    "first_to_say",
    "launched",
    "numbers",
    "own_rank",
    "processes",
    "quiet",
    "working_together",
]

Value = TypeVar("Value")

PATIENCE = timedelta(days=7)
"""How long a process waits for the others, which may have most of the work left."""
EVERY = 1.0
"""Seconds after which a process that waits looks whether its launcher is there."""

QUIET = ("Grad strides do not match bucket view strides", "`broadcast_buffers` is deprecated")
"""What torch says of every fit of several processes, beginnings of its warnings."""
LOST = ("gloo", "NCCL", "Connection closed", "Connection reset", "Socket", "Broken pipe")
"""Words of the errors of a message that did not come or go."""

_started = {"by": os.getppid()}
"""The process that started this one, asked before anything can have ended it."""
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=lambda: _started.update(by=os.getppid()))


def own_rank() -> int:
    """This process's rank under torchrun or as Fabric's child, 0 elsewhere; loads no torch.

    Example:
        >>> own_rank()
        0
    """
    return int(os.environ.get("RANK" if "LOCAL_WORLD_SIZE" in os.environ else "LOCAL_RANK", 0))


def first_to_say(message: str | None = None) -> bool:
    """Whether no process of the launch has said this before; True where it cannot be known.

    Args:
        message: what is to be said; None: whether none has said anything.
    """
    if os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True":
        return True
    from torch.distributed import TCPStore

    place = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    restart = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
    said = f"causalflow {restart} said"
    try:
        store = TCPStore(*place, is_master=False, timeout=timedelta(seconds=10))
        if message is None:
            return not store.check([said])
        store.set(said, "")
        return store.add(f"{said} {hashlib.sha256(message.encode()).hexdigest()}", 1) == 1
    except (RuntimeError, ValueError):
        return True


def numbers(devices: int = 1) -> tuple[int, int]:
    """The processes on each host, ``devices`` where no launcher says another number; the hosts."""
    local = int(os.environ.get("LOCAL_WORLD_SIZE", devices))
    return local, int(os.environ.get("GROUP_WORLD_SIZE", 1))


@contextmanager
def quiet() -> Iterator[None]:
    """Fabric warns, but does not announce its precision and every process on standard error."""
    teller = logging.getLogger("lightning_fabric")
    level = teller.level
    teller.setLevel(logging.WARNING)
    try:
        yield
    finally:
        teller.setLevel(level)


def launched(fabric: Fabric) -> Fabric:
    """Launch; the group of processes that this opens is closed when the process ends."""
    import torch.distributed as dist

    open_before = dist.is_available() and dist.is_initialized()
    with quiet():
        fabric.launch()
    if dist.is_available() and dist.is_initialized() and not open_before:
        atexit.register(_close)
    return fabric


def _close() -> None:
    import torch.distributed as dist

    if dist.is_initialized():
        dist.destroy_process_group()


@dataclass(frozen=True, slots=True, kw_only=True)
class Processes:
    """The processes that make one call together, seen from one of them; by default it is alone.

    Attributes:
        rank: this one's number, from 0.
        count: how many they are.
        group: the group in which they talk; None where there is but one.
        launcher: the process that started this one; 0 where there is but one.
    """

    rank: int = 0
    count: int = 1
    group: Any = None
    launcher: int = 0

    @property
    def first(self) -> bool:
        """Whether this is the process that writes what there is one of."""
        return self.rank == 0

    def gathered(self, value: Value) -> list[Value]:
        """What every process gives, in the order of the ranks; all of them must make this call."""
        if self.group is None:
            return [value]
        import torch.distributed as dist

        found: list[Any] = [None] * self.count
        dist.all_gather_object(found, value, group=self.group)
        return found

    def once(self, act: Callable[[], Value]) -> Value:
        """What ``act`` gives on the first process, and on it alone; all of them get it.

        Raises:
            CausalflowError: what ``act`` raised, in every process.
        """
        if self.group is None:
            return act()
        given: Value | None = None
        mistake: CausalflowError | None = None
        if self.first:
            try:
                given = act()
            except CausalflowError as raised:
                mistake = raised
        given, mistake = self.gathered((given, mistake))[0]
        if mistake is not None:
            raise mistake
        return given  # type: ignore[return-value]

    def check(self) -> None:
        """Refuse to go on after the launcher has ended.

        Raises:
            CausalflowError: it has.
        """
        if self.group is not None and os.getppid() != self.launcher:
            raise CausalflowError(
                f"process {self.rank} of {self.count}: its launcher has ended, and so does it"
            )


@contextmanager
def processes(about: object) -> Iterator[Processes]:
    """The processes that make this call; under a launcher all of them must make it.

    Args:
        about: what the call is about. Processes that name different things work each alone.
    """
    if _count() == 1:
        yield Processes()
        return
    import torch.distributed as dist

    with _ending_with(_started["by"]) as launcher:
        if not dist.is_initialized():
            launched(_fabric())
        group = dist.new_group(backend="gloo", timeout=PATIENCE)
        rank, count = dist.get_rank(), dist.get_world_size()
        crew = Processes(rank=rank, count=count, group=group, launcher=launcher)
        try:
            yield crew if len(set(crew.gathered(str(about)))) == 1 else Processes()
        finally:
            dist.destroy_process_group(group)


class PeerError(CausalflowError):
    """Another process of the work has ended, or cannot be reached."""


@contextmanager
def working_together(about: str, count: int) -> Iterator[None]:
    """A block in which ``count`` processes talk: with the launcher, or one of them, all end.

    Args:
        about: begins the message.
        count: how many they are; of one nothing is watched.

    Raises:
        PeerError: a message to the others failed.
    """
    if count == 1:
        yield
        return
    with ExitStack() as watched, warnings.catch_warnings():
        for message in QUIET:
            warnings.filterwarnings("ignore", message=message)
        if "LOCAL_WORLD_SIZE" in os.environ or own_rank():
            watched.enter_context(_ending_with(_started["by"]))
        try:
            yield
        except RuntimeError as error:
            if not any(word in str(error) for word in LOST):
                raise
            raise PeerError(f"{about}: another of the {count} processes has ended") from None


@contextmanager
def _ending_with(launcher: int) -> Iterator[int]:
    """While the block runs, even where it waits for others, the process ends with its launcher."""
    done = threading.Event()

    def watch() -> None:
        while not done.wait(EVERY):
            if os.getppid() != launcher:
                os.kill(os.getpid(), signal.SIGTERM)
                return

    threading.Thread(target=watch, daemon=True).start()
    try:
        yield launcher
    finally:
        done.set()


def _count() -> int:
    import torch.distributed as dist

    if dist.is_available() and dist.is_initialized():
        return dist.get_world_size()
    local, hosts = numbers()
    return local * hosts


def _fabric() -> Fabric:
    import torch
    from lightning_fabric import Fabric
    from lightning_fabric.strategies import DDPStrategy

    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    local, hosts = numbers()
    return Fabric(
        accelerator="cpu",
        devices=local,
        num_nodes=hosts,
        strategy=DDPStrategy(process_group_backend=backend),
    )
