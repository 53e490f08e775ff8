"""Runs hostile inputs, each in a process of its own, and says how each was held.

A case is held if it ends, from Python, in a `cf.CausalflowError` and, from the command line, in exit
code 2 and one line; if that line has under 500 letters that all can be printed; if it took at most
`SECONDS` of processor time and `BYTES` of memory, interpreter and torch included; and if nothing in
its folder was written or run. Programs that image libraries start (Ghostscript and others) are
replaced by ones that leave a mark there.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["BYTES", "SECONDS", "Case", "Held", "prepare", "run_case"]

SECONDS, BYTES, LETTERS = 10.0, 1 << 30, 500
PATIENCE = 90  # seconds of the clock: a machine that does much else is slow, one that waits is hung
PROGRAMS = ("gs", "gswin32c", "gswin64c", "convert", "magick", "pdftoppm", "inkscape", "dot")


@dataclass(frozen=True)
class Case:
    """One hostile input.

    Attributes:
        line: of the list that the cases come from.
        name: what it is.
        make: writes its files, in the case's folder.
        python: uses it as a program does.
        commands: command lines that use it.
        answer: whether an answer is as right as a refusal.
    """

    line: int
    name: str
    make: Callable[[], object] = lambda: None
    python: Callable[[], object] | None = None
    commands: tuple[tuple[str, ...], ...] = ()
    answer: bool = False


@dataclass(frozen=True, kw_only=True)
class Held:
    """How one door of a case was held."""

    case: Case
    door: str
    defect: str
    seconds: float
    peak: int
    text: str


def prepare() -> None:
    """Import once what every child would import."""
    import matplotlib
    import pandas
    import sympy
    import torch
    from PIL import Image

    import causalflow as cf
    from causalflow.cli import commands

    torch.set_num_threads(1)
    matplotlib.use("agg")
    loaded = (pandas.DataFrame, sympy.Symbol, Image.init(), commands)
    assert all(getattr(cf, name) for name in cf.__all__)
    assert loaded


def run_case(case: Case) -> Iterator[Held]:
    """The case, through every door."""
    doors: list[tuple[str, Callable[[], str]]] = []
    if case.python is not None:
        doors.append(("python", lambda: _python(case)))
    doors += [(" ".join(words), lambda words=words: _command(words)) for words in case.commands]
    for name, door in doors:
        folder = Path(tempfile.mkdtemp(prefix="hostile-"))
        try:
            _inside(folder, lambda: _made(case))
            before = _listing(folder)
            text, seconds, peak = _inside(folder, door)
            defect = _defect(case, text, seconds, peak)
            changed = _listing(folder) ^ before
            if changed and not (case.answer and not defect and text.startswith("answer")):
                defect = defect or f"written: {sorted(name for name, *_ in changed)[:3]}"
            yield Held(case=case, door=name[:60], defect=defect, seconds=seconds, peak=peak, text=text)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _made(case: Case) -> str:
    bin_ = Path("bin")
    bin_.mkdir()
    for program in PROGRAMS:
        (bin_ / program).write_text(f'#!/bin/sh\ntouch "{Path.cwd()}/RAN-{program}"\n')
        (bin_ / program).chmod(0o755)
    case.make()
    return "made"


def _listing(folder: Path) -> set[tuple[str, int, int]]:
    found = set()
    for path in folder.rglob("*"):
        if path.name not in ("out", "err"):
            facts = path.lstat()
            size = 0 if path.is_dir() else facts.st_size
            found.add((str(path.relative_to(folder)), size, 0 if path.is_dir() else facts.st_mtime_ns))
    return {entry for entry in found if not entry[0].startswith("grows")}


def _inside(folder: Path, what: Callable[[], str]) -> tuple[str, float, int]:
    """What a child process said that ran in the folder, its processor time and its peak memory."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        _in_child(folder, what, writer)
    os.close(writer)
    signal.signal(signal.SIGALRM, lambda *_: os.kill(child, signal.SIGKILL))
    signal.alarm(PATIENCE)
    with os.fdopen(reader, "rb") as pipe:
        said = pipe.read().decode(errors="replace")
    _, status, used = os.wait4(child, 0)
    signal.alarm(0)
    if not said:
        said = f"killed {os.waitstatus_to_exitcode(status)}"
    return said, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024


def _in_child(folder: Path, what: Callable[[], str], writer: int) -> None:
    try:
        os.chdir(folder)
        os.environ["PATH"] = f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
        size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (size + 3 * BYTES,) * 2)
        resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
        resource.setrlimit(resource.RLIMIT_FSIZE, (BYTES, BYTES))
        os.write(writer, what().encode(errors="replace")[:60_000])
    except BaseException:
        os.write(writer, b"raw " + traceback.format_exc().encode(errors="replace")[-2000:])
    finally:
        os._exit(0)


def _python(case: Case) -> str:
    import causalflow as cf

    warnings.simplefilter("ignore")
    assert case.python is not None
    begun = time.process_time()
    try:
        found = case.python()
    except cf.CausalflowError as error:
        return f"error {type(error).__name__} {json.dumps(str(error))}"
    return f"answer {str(type(found))[:80]} {time.process_time() - begun:.1f}"


def _command(words: tuple[str, ...]) -> str:
    from causalflow.cli import run

    for name, number in (("out", 1), ("err", 2)):
        os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    sys.stdout = os.fdopen(1, "w", closefd=False)
    sys.stderr = os.fdopen(2, "w", closefd=False, errors="backslashreplace")
    code = run(list(words))
    sys.stdout.flush()
    sys.stderr.flush()
    error = Path("err").read_text(errors="replace")
    if code == 0:
        return f"answer exit 0 {Path('out').read_text(errors='replace')[:200]!r}"
    if error.count("\n") != 1 or not error.endswith("\n"):
        return f"raw exit {code}, {error.count(chr(10))} lines: {error[-600:]}"
    return f"{'error' if code == 2 else f'raw exit {code}'} stderr {json.dumps(error[:-1])}"


def _defect(case: Case, text: str, seconds: float, peak: int) -> str:
    if seconds > SECONDS:
        return f"{seconds:.1f} s"
    if peak > BYTES:
        return f"{peak / BYTES:.2f} GiB"
    if text.startswith("answer") and case.answer:
        return ""
    if not text.startswith("error"):
        return " ".join(text.split())[-220:]
    message = json.loads(text.split(" ", 2)[2])
    if len(message) >= LETTERS:
        return f"{len(message)} letters"
    if not message.isprintable():
        return f"letters that cannot be printed: {message[:100]!r}"
    return "" if message else "an empty message"
