"""Files: a path that a user gives is opened as a regular file, and read no further than it was.

A directory, a socket, a device or a FIFO that nobody writes to is refused without waiting for it.
A file that grows while it is read ends where it ended when it was opened.

Atomic: a file, or a folder of files, is written wholly or not at all.

The new content goes to a hidden part beside the file, is flushed to the disk, and takes the file's
place in one step, with the permissions of any new file. A writer that is killed leaves the old
file, and its part for `remove_leftovers`. A device or pipe in a file's place is never replaced, nor
written to.

Lock: a place on disk that one writer at a time may hold.

The lock is the kernel's on a hidden file beside the place, so that it goes with the process that
holds it, however that ends: a killed writer leaves no lock, and what it has begun can be gone on
with. On a file system without locks nothing is locked.
"""

from __future__ import annotations

import errno
import glob
import io
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from causalflow.errors import CausalflowError

__all__ = [
    "alone",
    "flushed",
    "opened",
    "place_of",
    "read_bytes",
    "remove_leftovers",
    "whole_file",
    "whole_folder",
    "written",
]

_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
_FLAGS |= getattr(os, "O_BINARY", 0) | getattr(os, "O_NOCTTY", 0)
_KINDS = {
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


@contextmanager
def opened(path: Any, error: type[CausalflowError], *, limit: int) -> Iterator[io.BufferedReader]:
    """The content of a regular file, open for reading; it can be sought in.

    Args:
        path: a text or a path; links are followed.
        error: the class of the exceptions raised.
        limit: the most bytes that the file may have.

    Raises:
        CausalflowError: an error of class ``error``, for no such file, no regular file, or a larger
            one.
    """
    try:
        source = os.fsdecode(path)
        _check_kind(source, os.stat(source), error)
        descriptor = os.open(source, _FLAGS)
    except CausalflowError:
        raise
    except (OSError, ValueError, TypeError) as mistake:
        reason = getattr(mistake, "strerror", None) or mistake
        raise error(f"{path}: cannot be read: {reason}") from None
    with open(descriptor, "rb", buffering=0) as raw:
        found = os.fstat(descriptor)
        _check_kind(source, found, error)
        if found.st_size > limit:
            raise error(f"{source}: {found.st_size:,} bytes; at most {limit:,} are read")
        yield io.BufferedReader(_Whole(raw, found.st_size))


def _check_kind(source: str, found: os.stat_result, error: type[CausalflowError]) -> None:
    if not stat.S_ISREG(found.st_mode):
        kind = _KINDS.get(stat.S_IFMT(found.st_mode), "no regular file")
        raise error(f"{source}: cannot be read: {kind}; expected a file")


def read_bytes(path: Any, error: type[CausalflowError], *, limit: int) -> bytes:
    """The bytes of a regular file of at most ``limit`` bytes.

    Raises:
        CausalflowError: an error of class ``error``, where `opened` raises one.
    """
    with opened(path, error, limit=limit) as file:
        try:
            return file.read()
        except OSError as mistake:
            raise error(f"{path}: cannot be read: {mistake.strerror}") from None


class _Whole(io.RawIOBase):
    """A file that ends where it ended when it was opened."""

    def __init__(self, raw: io.FileIO, size: int) -> None:
        self._raw, self._size = raw, size

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: Any) -> int | None:
        """Fill the buffer, up to the end."""
        left = max(0, self._size - self._raw.tell())
        return self._raw.readinto(memoryview(buffer)[:left])

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place, counted from the start, from here or from the end."""
        if whence == os.SEEK_END:
            return self._raw.seek(self._size + offset)
        return self._raw.seek(offset, whence)


@contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """A path to write to that takes the place of ``path`` when the block ends without an error.

    Raises:
        OSError: the file cannot be written, or there is a device, pipe or folder in its place.
    """
    target = place_of(path)
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with flushed(part):
            yield part
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def flushed(part: Path) -> Iterator[None]:
    """A block that writes a new file, which is then on the disk, with a new file's permissions."""
    part.parent.mkdir(parents=True, exist_ok=True)
    part.touch()
    mode = part.stat().st_mode
    yield
    part.chmod(mode)
    with part.open("rb+") as file:
        os.fsync(file.fileno())


def place_of(path: str | Path) -> Path:
    """Where the path leads: to a file, or to where one can be made.

    Raises:
        OSError: no name of a file, or there is a device, pipe or folder in its place.
    """
    try:
        target = Path(os.path.realpath(path))
    except ValueError as problem:  # a null character
        raise OSError(errno.EINVAL, str(problem)) from None
    if target.exists() and not target.is_file():
        raise OSError(errno.EINVAL, f"there is {_kind(target)} in its place, which is kept")
    return target


def _kind(target: Path) -> str:
    """What a path that is no file is."""
    if target.is_dir():
        return "a folder"
    return "a pipe" if target.is_fifo() else "a device or socket"


@contextmanager
def written(path: str | Path, error: type[CausalflowError] = CausalflowError) -> Iterator[None]:
    """A block that writes ``path``; what the system refuses in it becomes one line of error.

    Raises:
        CausalflowError: ``error``, with the path and the reason.
    """
    try:
        yield
    except OSError as problem:
        raise error(f"{path}: cannot be written: {problem.strerror or problem}") from None


@contextmanager
def whole_folder(path: str | Path) -> Iterator[Path]:
    """A folder to write to that takes the place of ``path`` when the block ends without an error.

    A folder that is there already, with all that it holds, gives way in that moment.
    """
    target = Path(os.path.realpath(path))
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    old = target.with_name(f".{target.name}.{os.getpid()}.old.part")
    try:
        part.mkdir(parents=True)
        yield part
        if target.exists():
            os.replace(target, old)
        os.replace(part, target)
    finally:
        for folder in (part, old):
            shutil.rmtree(folder, ignore_errors=True)


def remove_leftovers(path: str | Path) -> None:
    """Delete the parts that killed writers of ``path`` left beside it."""
    target = Path(os.path.realpath(path))
    for part in target.parent.glob(f".{glob.escape(target.name)}.*.part"):
        if part.is_dir():
            shutil.rmtree(part, ignore_errors=True)
        else:
            part.unlink(missing_ok=True)


try:
    import fcntl
except ImportError:  # pragma: no cover: Windows
    fcntl = None  # type: ignore[assignment]


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
