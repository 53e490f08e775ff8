"""Files: a path that a user gives is opened as a regular file, and read no further than it was.

A directory, a socket, a device or a FIFO that nobody writes to is refused without waiting for it.
A file that grows while it is read ends where it ended when it was opened.
"""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from causalflow.errors import CausalflowError

__all__ = ["opened", "read_bytes"]

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
        CausalflowError: of class ``error``: no such file, no regular file, or a larger one.
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
        CausalflowError: of class ``error``, as `opened` does.
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
