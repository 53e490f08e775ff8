"""TrainingLog: what a fit tells while it runs, by a bar on standard error and by JSON lines.

The first line of the file holds the options and the machine; each other line the losses averaged
since the line before:

    {"step": 50, "images": 12800, "seconds": 3.1, "loss": 0.41, "losses": {"image": 0.41}}

Where rows are held out, a line after a look at them has their loss, {..., "held_out": 0.43}.

A resumed fit drops the lines past its checkpoint and goes on below them.
"""

from __future__ import annotations

import contextlib
import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from causalflow.bar import tqdm
from causalflow.errors import CausalflowError, CausalflowWarning
from causalflow.training.logger import Teller
from causalflow.training.progress import told

__all__ = ["MEMORY", "TrainingLog", "read_log"]

MEMORY = 50
THOUSANDS = 100_000
"""Pictures or rows of a run from which on its bar counts them in thousands."""


class TrainingLog:
    """The bar and the file of one fit; use it as a context manager.

    Attributes:
        history: step -> each node's loss, averaged since the entry before.

    Args:
        steps: How many steps the fit has in all.
        start: How many are done already.
        batch_size: Rows a step.
        path: The JSON lines file, or None.
        every: Steps between two lines.
        progress: Whether to show the bar.
        header: What the first line holds.
        unit: What a row is called in the bar.
        teller: Who is told the same numbers, if anybody.
    """

    def __init__(
        self,
        *,
        steps: int,
        start: int,
        batch_size: int,
        path: Path | None,
        every: int,
        progress: bool,
        header: Mapping[str, Any],
        unit: str,
        teller: Teller | None = None,
    ) -> None:
        self._teller = teller
        self._path = path
        self.steps, self.start, self.batch_size, self.every = steps, start, batch_size, every
        self._file = None if path is None else _open(path, start, header)
        self._bar = tqdm(
            total=steps * batch_size,
            initial=start * batch_size,
            unit=f" {unit}s",
            unit_scale=steps * batch_size >= THOUSANDS,
            desc="fit",
            disable=not progress,
            mininterval=0.5,
            leave=True,
        )
        self._seen = 0
        self._recent: dict[str, float] = {}
        self._sums: dict[str, float] = {}
        self._lines = 0
        self._held: float | None = None
        self.history: list[tuple[int, Mapping[str, float]]] = []

    def __enter__(self) -> TrainingLog:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._bar.close()
        try:
            self._close()
        except OSError as problem:
            self._told(problem)

    @property
    def losses(self) -> dict[str, float]:
        """Each node's loss, averaged over about the last `MEMORY` steps."""
        return dict(self._recent)

    def look(self, loss: float) -> None:
        """Take note of the loss of the held-out rows, before the step that it belongs to."""
        self._held = loss

    def add(
        self, step: int, losses: Mapping[str, float], seconds: float, *, ends: bool = False
    ) -> None:
        """Take note that ``step`` steps are done, and whether these are all.

        ``losses`` are the last one's, by node.
        """
        self._seen += 1
        share = max(1 / self._seen, 1 / MEMORY)
        for name, loss in losses.items():
            last = self._recent.get(name, loss)
            self._recent[name] = last + share * (loss - last)
            self._sums[name] = self._sums.get(name, 0.0) + loss
        self._lines += 1
        self._show()
        if step % self.every == 0 or ends or step == self.steps:
            self._write(step, seconds)

    def _show(self) -> None:
        if self._bar.disable:
            return
        shown = {"loss": f"{sum(self._recent.values()):.4g}"}
        if len(self._recent) > 1:
            shown |= {name: f"{loss:.4g}" for name, loss in self._recent.items()}
        if self._held is not None:
            shown |= {"held out": f"{self._held:.4g}"}
        self._bar.set_postfix(shown, refresh=False)
        self._bar.update(self.batch_size)

    def _write(self, step: int, seconds: float) -> None:
        losses = {name: round(total / self._lines, 6) for name, total in self._sums.items()}
        self.history.append((step, losses))
        told(step, self.steps, "fitting, step")
        self._sums, self._lines = {}, 0
        means = {"loss": sum(losses.values())} | {f"loss/{n}": each for n, each in losses.items()}
        held = {} if self._held is None else {"held_out": self._held}
        self._tell(step, {**means, **held, "seconds": float(seconds)})
        if self._file is None:
            return
        line = {
            "step": step,
            "images": step * self.batch_size,
            "seconds": round(seconds, 2),
            "loss": round(sum(losses.values()), 6),
            "losses": losses,
        }
        if self._held is not None:
            line["held_out"] = round(self._held, 6)
        try:
            self._file.write(json.dumps(line) + "\n")
            self._file.flush()
        except OSError as error:
            self._stop(error)

    def picture(self, step: int, pictures: Mapping[str, Any]) -> None:
        """Take note of what image nodes look like after ``step`` steps."""
        for name, picture in pictures.items():
            self._tell(step, {f"pictures/{name}": picture})

    def kept(self) -> None:
        """Take note that a checkpoint has all steps so far."""
        if self._teller is not None:
            self._teller.kept()

    def _tell(self, step: int, values: dict[str, Any]) -> None:
        if self._teller is not None:
            self._teller.add(step, values)

    def _stop(self, error: OSError) -> None:
        """Go on without the file: what is learned is worth more than what is told of it."""
        with contextlib.suppress(OSError):  # what is in the buffer has no place either
            self._close()
        self._told(error)

    def _close(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            file.close()

    def _told(self, error: OSError) -> None:
        reason = error.strerror or error
        warnings.warn(
            f"{self._path}: the log ends here ({reason}); the fit goes on",
            CausalflowWarning,
            stacklevel=2,
        )


def read_log(path: str | Path) -> list[dict[str, Any]]:
    """The lines of a log file; one that a killed writer left unfinished is left out."""
    lines = []
    for line in Path(path).read_text(encoding="utf-8").splitlines():
        try:
            lines.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return lines


def _open(path: Path, start: int, header: Mapping[str, Any]) -> Any:
    """The file, holding the header and the lines up to the step from which the fit goes on."""
    try:
        if path.is_fifo():
            raise CausalflowError(f"{path}: the log cannot be written to a pipe")
        old = read_log(path) if start and path.is_file() else []
        kept = [line for line in old if line.get("step", 0) <= start]
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("w", encoding="utf-8")
    except (OSError, UnicodeError) as error:
        raise CausalflowError(f"{path}: the log cannot be written ({error})") from None
    file.writelines(json.dumps(line) + "\n" for line in kept or [dict(header)])
    return file
