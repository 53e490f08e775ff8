"""Lock: a place on disk that one writer at a time may hold.

The lock is the kernel's on a hidden file beside the place, so that it goes with the process that
holds it, however that ends: a killed writer leaves no lock, and what it has begun can be gone on
with. On a file system without locks nothing is locked.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from causalflow.errors import CausalflowError

try:
    import fcntl
except ImportError:  # pragma: no cover: Windows
    fcntl = None  # type: ignore[assignment]

__all__ = ["alone"]


@contextmanager
def alone(path: str | Path, error: type[CausalflowError] = CausalflowError) -> Iterator[None]:
    """Hold ``path``, a file or folder that need not exist, while the block runs.

    Raises:
        CausalflowError: ``error``: another writer holds it, or its folder cannot be written.
    """
    try:
        place = Path(os.path.realpath(path))
        special = _is_special(place)
    except (OSError, ValueError) as problem:
        raise error(f"{str(path)[:60]!r} is no name of a file: {problem.args[-1]}") from None
    if fcntl is None or special:  # pragma: no cover: nothing to be held
        yield
        return
    lock = place.with_name(f".{place.name}.lock")
    held = _locked(path, lock, error)
    try:
        os.ftruncate(held, 0)
        os.write(held, str(os.getpid()).encode())
    except OSError:  # a full disk: the number is for the message alone
        pass
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)
        os.close(held)


def _is_special(place: Path) -> bool:
    return place.exists() and not (place.is_file() or place.is_dir())


def _locked(path: str | Path, lock: Path, error: type[CausalflowError]) -> int:
    """The descriptor of the lock file, locked; one that its holder has just removed is made anew.

    Raises:
        CausalflowError: ``error``.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    while True:
        try:
            lock.parent.mkdir(parents=True, exist_ok=True)
            held = os.open(lock, flags, 0o666)
        except OSError as problem:
            reason = problem.strerror or problem
            raise error(f"{path}: cannot be written: {reason}") from None
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise error(f"{path}: {_holder(held)} writes here; let it end first") from None
        except OSError:  # a file system without locks
            return held
        if _is_at(held, lock):
            return held
        os.close(held)


def _holder(held: int) -> str:
    """Who holds a lock, as its file says; the descriptor is closed."""
    try:
        number = os.read(held, 20).decode("ascii", "replace")
    finally:
        os.close(held)
    return f"another run (process {number})" if number.isdecimal() else "another run"


def _is_at(held: int, lock: Path) -> bool:
    """Whether the open file is still the one at the path."""
    try:
        there = lock.stat(follow_symlinks=False)
    except FileNotFoundError:
        return False
    mine = os.fstat(held)
    return stat.S_ISREG(mine.st_mode) and (mine.st_dev, mine.st_ino) == (there.st_dev, there.st_ino)
