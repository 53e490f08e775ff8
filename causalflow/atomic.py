"""Atomic: a file, or a folder of files, is written wholly or not at all.

The new content goes to a hidden part beside the file, is flushed to the disk, and takes the file's
place in one step, with the permissions of any new file. A writer that is killed leaves the old
file, and its part for `remove_leftovers`. A device or pipe in a file's place is never replaced, nor
written to.
"""

from __future__ import annotations

import errno
import glob
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from causalflow.errors import CausalflowError

__all__ = ["place_of", "remove_leftovers", "whole_file", "whole_folder", "written"]


@contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """A path to write to that takes the place of ``path`` when the block ends without an error.

    Raises:
        OSError: the file cannot be written, or there is a device, pipe or folder in its place.
    """
    target = place_of(path)
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        part.touch()
        mode = part.stat().st_mode
        yield part
        part.chmod(mode)
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)


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
