"""Judges: what a family's pictures show, read off them by one small network.

It is fitted to real pictures: half of them rows of the training split, half the same rows with
every parent of the image set by itself to that of another row, rendered anew. So no label tells it
another one, and what it reads under an intervention is what the picture shows. They are softened by
chance, so that nothing is read off the finest grain. No judge has seen a picture that a model made,
nor a test row. A number is right within a share of its range, a class where it is equal
(families.yaml says the share); beside every score belongs the share that it reads right on the
*true* counterfactual pictures, its ceiling.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.scenes.scene import TRACES, Columns, Scene, declared
from causalflow.evaluation.networks import Steps, unit_images
from causalflow.evaluation.task import label_parents
from causalflow.files import whole_file
from causalflow.graph.graph import Graph

__all__ = ["Judges", "Reading", "judges_of"]

CHUNK, BATCH = 256, 64
RATE, GRAIN = 2e-3, 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How one label is read.

    Attributes:
        levels: how many levels a class has; 0: a number.
        centre: a number's mean over the training rows.
        spread: their standard deviation.
        span: the largest less the smallest of them.
    """

    levels: int
    centre: float = 0.0
    spread: float = 1.0
    span: float = 1.0

    @classmethod
    def of(cls, graph: Graph, name: str, values: Tensor) -> Reading:
        """As the training rows have it."""
        levels = graph.nodes[name].type.levels if name in graph.nodes else None
        if levels is not None:
            return cls(levels=len(levels))
        span = float(values.max() - values.min())
        return cls(levels=0, centre=float(values.mean()), spread=float(values.std()), span=span)

    @property
    def outputs(self) -> int:
        """Numbers of the network that it takes."""
        return self.levels or 1

    def loss(self, given: Tensor, values: Tensor) -> Tensor:
        """What its outputs, (batch, outputs), miss."""
        if self.levels:
            return functional.cross_entropy(given, values)
        return functional.mse_loss(given[:, 0], ((values - self.centre) / self.spread).float())

    def value(self, given: Tensor) -> Tensor:
        """What its outputs say, (batch,)."""
        return given.argmax(1) if self.levels else self.centre + self.spread * given[:, 0].double()

    def right(self, read: Tensor, wanted: Tensor, tolerance: float) -> Tensor:
        """Where a reading is what it should be, (batch,)."""
        return read == wanted if self.levels else (read - wanted).abs() <= tolerance * self.span


class Judges:
    """A network and what it reads.

    Args:
        readings: what is read.
        shape: channels and size of the pictures.
        hidden: rows at the top that it does not see.
    """

    def __init__(
        self, readings: Mapping[str, Reading], shape: tuple[int, int], hidden: int = 0
    ) -> None:
        self.readings, self.shape, self.hidden = dict(readings), shape, hidden
        self.network = _network(*shape, sum(each.outputs for each in readings.values()))

    @torch.no_grad()
    def read(self, images: Tensor) -> dict[str, Tensor]:
        """What pictures show, uint8 or in [0, 1], (batch, channel, size, size); larger ones too."""
        self.network.eval()
        given = torch.cat([self.network(self._seen(part)) for part in images.split(CHUNK)])
        return {name: self.readings[name].value(part) for name, part in self._parts(given)}

    def right(self, images: Tensor, wanted: Columns, tolerance: float) -> dict[str, Tensor]:
        """By what is read, where the pictures show what is wanted."""
        read = self.read(images)
        return {n: self.readings[n].right(read[n], wanted[n], tolerance) for n in self.readings}

    def _seen(self, images: Tensor) -> Tensor:
        seen, size = unit_images(images).clone(), self.shape[1]
        if images.shape[-1] != size:
            seen = functional.adaptive_avg_pool2d(seen, size)
        seen[..., : self.hidden, :] = 0
        return seen

    def fit(self, columns: Columns, *, epochs: int, seed: int = 0) -> Judges:
        """Learn from real pictures and their labels; returns the judges themselves."""
        random = torch.Generator().manual_seed(seed)
        adam = torch.optim.AdamW(self.network.parameters(), lr=RATE, weight_decay=1e-2)
        steps = Steps(len(columns["image"]), epochs, BATCH, random, "judges", progress=False)
        rate = torch.optim.lr_scheduler.OneCycleLR(adam, max_lr=RATE, total_steps=len(steps))

        def loss(rows: Tensor) -> Tensor:
            seen = self._seen(_softened(columns["image"][rows], random))
            parts = self._parts(self.network(seen))
            return torch.stack(
                [self.readings[name].loss(part, columns[name][rows]) for name, part in parts]
            ).sum()

        steps.descend(loss, adam, rate)
        return self

    def _parts(self, given: Tensor) -> list[tuple[str, Tensor]]:
        sizes = [each.outputs for each in self.readings.values()]
        return list(zip(self.readings, given.split(sizes, dim=1), strict=True))

    def save(self, path: Path) -> None:
        """Write weights and readings."""
        about = {
            "readings": {name: asdict(each) for name, each in self.readings.items()},
            "shape": self.shape,
            "hidden": self.hidden,
        }
        with whole_file(path) as part:
            save_file(self.network.state_dict(), part, metadata={"judges": json.dumps(about)})

    @classmethod
    def load(cls, path: Path) -> Judges:
        """Those that `save` wrote."""
        with safe_open(path, framework="pt") as file:
            about: dict[str, Any] = json.loads(file.metadata()["judges"])
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        readings = {n: Reading(**each) for n, each in about["readings"].items()}
        judges = cls(readings, tuple(about["shape"]), about["hidden"])
        judges.network.load_state_dict(weights)
        return judges


def judges_of(family: str, work: Path) -> list[Judges]:
    """Those of a family's labels and of its traces, fitted where the folder does not have them."""
    traces = TRACES.get(family, {})
    hidden = max((trace.hidden for trace in traces.values()), default=0.0)
    wanted = {"labels": 0.0} | ({"traces": hidden} if traces else {})
    return [_kept(family, kind, share, work) for kind, share in wanted.items()]


def _kept(family: str, kind: str, hidden: float, work: Path) -> Judges:
    path, given = work / f"{family}-judges-{kind}.safetensors", declared()
    if not path.exists():
        size, lessons = given["size"], given["lessons"]
        columns, readings = _lessons(family, lessons["n"], size)
        traces = TRACES.get(family, {})
        asked = {n: r for n, r in readings.items() if (n in traces) == (kind == "traces")}
        torch.manual_seed(0)
        judges = Judges(asked, (columns["image"].shape[1], size), round(hidden * size))
        work.mkdir(parents=True, exist_ok=True)
        judges.fit(columns, epochs=lessons["epochs"]).save(path)
    return Judges.load(path)


def _softened(images: Tensor, random: torch.Generator) -> Tensor:
    """The pictures, in [0, 1], each mixed with its own blur and given some noise."""
    seen = unit_images(images)
    blurred = functional.avg_pool2d(functional.pad(seen, (1, 1, 1, 1), mode="replicate"), 3, 1)
    share, noise = torch.rand(2, len(seen), 1, 1, 1, generator=random)
    grain = torch.randn(seen.shape, generator=random)
    return seen + share * (blurred - seen) + GRAIN * noise * grain


@lru_cache(maxsize=1)
def _lessons(family: str, n: int, size: int) -> tuple[dict[str, Tensor], dict[str, Reading]]:
    """n real pictures, in half of which every parent of the image was set by itself."""
    scene, random = Scene.plain(family, n // 2, "train", size), torch.Generator().manual_seed(0)
    labels = label_parents(scene.graph)
    orders = {name: torch.randperm(len(scene), generator=random) for name in labels}
    apart = scene.true({name: scene.rows[name][order] for name, order in orders.items()})
    readings = {name: Reading.of(scene.graph, name, scene.rows[name]) for name in scene.read}
    return {name: torch.cat([scene.rows[name], apart[name]]) for name in apart}, readings


def _network(channels: int, size: int, outputs: int) -> nn.Sequential:
    """Pictures in [0, 1], (batch, channels, size, size) -> (batch, outputs), by size / 8 maps."""
    return nn.Sequential(
        nn.PixelUnshuffle(2),
        nn.Conv2d(4 * channels, 48, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(48, 64, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(64, 96, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(96, 128, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(128, 64, 3, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(64 * (size // 8) ** 2, 128),
        nn.ReLU(),
        nn.Linear(128, outputs),
    )
