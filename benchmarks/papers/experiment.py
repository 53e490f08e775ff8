"""Experiment: one system of the papers, its nets and its tables; one run of it; their page.

A system's folder holds experiment.yaml, which declares it (introduction, nets, the paper's numbers,
the words of each table), and experiment.py, whose ``run`` takes a `Run` and writes tables. A table
is written as soon as it is complete, and one that is there already is not made again: a run that
was stopped goes on. The page of results is written from what runs have left
(`benchmarks.papers.page`).
"""

from __future__ import annotations

import importlib
import json
import platform
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import torch
from ruamel.yaml import YAML
from safetensors.torch import load_file, save_file
from torch import Tensor

import causalflow as cf
from benchmarks.machine import machine
from benchmarks.nets import CHECKPOINTS, net_path
from causalflow.data.sets.digits import mnist
from causalflow.evaluation.score import Score
from causalflow.files import whole_file
from causalflow.plot.images import image_grid, save_figure

SYSTEMS = ("diff_scm", "balanced", "causal_diffae", "diffusion_ncm")


@cache
def declared(system: str) -> dict[str, Any]:
    """What a system's experiment.yaml says: about, nets, introduction, printed, tables, order."""
    path = Path(__file__).parent / system / "experiment.yaml"
    found: dict[str, Any] = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """What was measured; title, heads and notes are declared.

    Attributes:
        rows: cells, as they are to be printed.
        values: the numbers in full, for whoever computes with them.
        facts: what stands for {words in braces} in title, heads and notes; where a head or a note
            is nothing but such a word, a list stands for several.
    """

    rows: Sequence[Sequence[str]]
    values: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)

    def record(self, words: Mapping[str, Any]) -> dict[str, Any]:
        """As JSON has it, with its words."""
        return {
            "title": words["title"].format(**self.facts),
            "columns": [*self._said(words["columns"])],
            "rows": self.rows,
            "notes": [*self._said(words["notes"])],
            "values": self.values,
        }

    def _said(self, lines: Iterable[str]) -> Iterator[str]:
        for line in lines:
            whole = re.fullmatch(r"\{(\w+)\}", line)
            if whole and isinstance(self.facts[whole[1]], list):
                yield from self.facts[whole[1]]
            else:
                yield line.format(**self.facts)


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

    def table(self, name: str, make: Callable[[], Table]) -> None:
        """Make and write a table, unless it is there or the time is over.

        Args:
            name: of the file and of the words declared: SYSTEM_TABLE.
            make: what takes the time.
        """
        path, begun = self.out / f"{name}.json", time.monotonic()
        late = self.minutes is not None and begun - self.began >= 60 * self.minutes
        if (path.exists() and not self.again) or late:
            return
        system = next(each for each in SYSTEMS if name.startswith(f"{each}_"))
        found = make().record(declared(system)["tables"][name])
        cuda = torch.device(self.device).type == "cuda"
        device = torch.cuda.get_device_name(self.device) if cuda else platform.machine()
        about = machine() | {"torch": torch.__version__, "device": device}
        found |= {"command": self.command, "machine": about, "seconds": time.monotonic() - begun}
        self.out.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as temporary:
            temporary.write_text(json.dumps(found, indent=1), encoding="utf-8")

    def kept(
        self, name: str, make: Callable[[], Mapping[str, Tensor]], *, again: bool = False
    ) -> dict[str, Tensor]:
        """The tensors of NAME.safetensors; made and written where there is no such file."""
        path = self.out / f"{name}.safetensors"
        if again or not path.exists():
            self.out.mkdir(parents=True, exist_ok=True)
            tensors = {key: each.cpu().contiguous() for key, each in make().items()}
            with whole_file(path) as temporary:
                save_file(tensors, temporary)
        return load_file(path)

    def draw(self, name: str, rows: Mapping[str, Tensor], *captions: Any, **options: Any) -> None:
        """Write rows of pictures as NAME.png; of MNIST they do not ship."""
        self.out.mkdir(parents=True, exist_ok=True)
        save_figure(image_grid(rows, *captions, **options), self.out / f"{name}.png")


def read_tables(folder: Path, prefix: str, order: Sequence[str] = ()) -> dict[str, dict[str, Any]]:
    """The tables of a system that are in a folder: those of ``order`` first, the rest by name."""
    place = {name: index for index, name in enumerate(order)}
    found = sorted(folder.glob(f"{prefix}_*.json"))
    files = sorted(found, key=lambda path: place.get(path.stem, len(place)))
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in files}


def run_system(system: str, run: Run) -> None:
    """Write the tables of a system."""
    importlib.import_module(f"benchmarks.papers.{system}.experiment").run(run)


def real_digits(split: str) -> tuple[Tensor, Tensor]:
    """MNIST's pictures, uint8, shape (n, 1, 28, 28), and their digits, shape (n,)."""
    real = mnist(split)
    return torch.from_numpy(real.images)[:, None], torch.from_numpy(real.digits)


def cell(score: Score, digits: int, times: float = 1.0) -> str:
    """A score and its interval, so many digits after the point; times 100: in per cent."""
    value, low, high = (f"{times * part:.{digits}f}" for part in (score.value, *score.interval))
    return f"{value} ({low} to {high})"


def percent(score: Score, digits: int = 0) -> str:
    """A share and its interval, in per cent."""
    return cell(score, digits, 100)


def in_full(scores: Mapping[str, Score]) -> dict[str, Any]:
    """The numbers by name, for whoever computes with them."""
    return {
        name: {"value": s.value, "interval": s.interval, "count": s.count, "unit": s.unit}
        for name, s in scores.items()
    }
