"""Experiment: one system of the papers, its nets and its tables; and one run of it.

An experiment is a function that takes a `Run` and writes tables. A table is written as soon as it
is complete, and one that is there already is not made again: a run that was stopped goes on.
"""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

import causalflow as cf
from benchmarks.machine import machine
from benchmarks.nets import CHECKPOINTS, net_path
from causalflow.files import whole_file

__all__ = ["Experiment", "Run", "Table", "read_tables"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """What a page shows: rows of numbers with their units, and what has to be said of them.

    Attributes:
        title: one line.
        columns: heads; a unit stands in each that has one: "thickness error, px".
        rows: cells, as they are to be printed.
        notes: sentences below: how it differs from the paper's, what limits it.
        values: the numbers in full, for whoever computes with them.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()
    values: Mapping[str, Any] = field(default_factory=dict)

    def markdown(self) -> str:
        """The table as a page has it."""
        lines = [f"**{self.title}**", "", _row(self.columns), _row(["---"] * len(self.columns))]
        lines += [_row(row) for row in self.rows]
        return "\n".join([*lines, "", *(f"{note}\n" for note in self.notes)])


@dataclass(slots=True, kw_only=True)
class Run:
    """One run of the papers' experiments.

    Attributes:
        out: folder of the tables, JSON files named SYSTEM_TABLE.json, and of pictures.
        nets: folder of the nets, NAME.safetensors; what is not there may ship.
        device: where networks run.
        n: images to be judged.
        few: images of what takes many network calls, such as the papers' 1000 steps.
        levels: steps each way where the balanced paper has 1000; fewer are for a first look.
        minutes: when to begin nothing new; None: never.
        again: make tables that are there already.
        command: that made it, for the record.
    """

    out: Path
    nets: Path
    device: str = "cpu"
    n: int = 1000
    few: int = 100
    levels: int = 1000
    minutes: float | None = None
    again: bool = False
    command: str = "python -m benchmarks.papers"
    began: float = field(default_factory=time.monotonic)

    def has_net(self, name: str) -> bool:
        """Whether the net is there, or ships."""
        return self._path(name).exists()

    def net(self, name: str) -> cf.Model:
        """A net, on the device."""
        return cf.Model.load(self._path(name)).to(self.device)

    def _path(self, name: str) -> Path:
        """The file of a net: in the folder of this run, else among those that ship."""
        own = net_path(self.nets, name)
        return own if own.exists() else net_path(CHECKPOINTS, name)

    def has_time(self) -> bool:
        """Whether something new may begin."""
        return self.minutes is None or time.monotonic() - self.began < 60 * self.minutes

    def table(self, name: str, make: Callable[[], Table]) -> None:
        """Make and write a table, unless it is there or the time is over.

        Args:
            name: of the file: SYSTEM_TABLE.
            make: what takes the time.
        """
        path = self.out / f"{name}.json"
        if (path.exists() and not self.again) or not self.has_time():
            return
        begun = time.monotonic()
        found = asdict(make())
        about = machine() | {"torch": torch.__version__, "device": self._device_name()}
        found |= {"command": self.command, "machine": about, "seconds": time.monotonic() - begun}
        self.out.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as temporary:
            temporary.write_text(json.dumps(found, indent=1), encoding="utf-8")

    def _device_name(self) -> str:
        if torch.device(self.device).type == "cuda":
            return torch.cuda.get_device_name(self.device)
        return platform.machine()


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """One system of the papers.

    Attributes:
        name: of the system; its tables' names begin with it.
        about: the head of its section.
        nets: those it needs, of `benchmarks.nets`.
        run: what it does.
        tables: their order on the page; what is not named comes last.
    """

    name: str
    about: str
    nets: tuple[str, ...]
    run: Callable[[Run], None]
    tables: tuple[str, ...] = ()


def read_tables(folder: Path, prefix: str, order: Sequence[str] = ()) -> dict[str, dict[str, Any]]:
    """The tables of a system that are in a folder: those of ``order`` first, the rest by name."""
    place = {name: index for index, name in enumerate(order)}
    found = sorted(folder.glob(f"{prefix}_*.json"))
    files = sorted(found, key=lambda path: place.get(path.stem, len(place)))
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in files}


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(str(cell).replace('|', chr(92) + '|') for cell in cells)} |"
