"""Scene: unseen pictures of a family, the interventions asked of them, and what would have been.

A family is a data set of the catalogue that knows its true counterfactuals: those that
families.yaml names, or any other by its own name. An intervention sets one parent of the image: a
number to that of another test row, a class to any of the other levels, so that nothing is asked
beyond what a net was fitted to.

Beside its labels a family may have *traces*, which the picture shows and no label says (the middle
of a shadow), each a function of labels; and *things*, whose pixels are known: those that change
when a label of theirs alone is set to either end of its range.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ruamel.yaml import YAML
from torch import Tensor

from causalflow.data.frame import Frame
from causalflow.data.sets.catalogue import DATA_SETS, DataSet, data_set
from causalflow.data.sets.scenes.ball import shadow_of
from causalflow.data.sets.scenes.scenes import CHANGED
from causalflow.evaluation.axioms import grey_levels
from causalflow.evaluation.task import Subject, label_parents, random_actions
from causalflow.graph.graph import Graph
from causalflow.mechanisms.mechanism import to_engine

__all__ = ["FAMILIES", "TRACES", "Columns", "Scene", "Trace", "changes", "data_of", "declared"]

Columns = Mapping[str, Tensor]
"""Name -> values, (n,): class positions or numbers; ``image``: uint8, (n, channel, size, size)."""


@cache
def declared() -> dict[str, Any]:
    """What families.yaml says."""
    path = Path(__file__).with_name("families.yaml")
    found: dict[str, Any] = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    return found


FAMILIES: dict[str, dict[str, Any]] = declared()["families"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """What a picture shows and no label says.

    Attributes:
        causes: the labels that it is a function of.
        of: their values, (n,) each -> its own.
        hidden: the share of the picture's height, from the top, that is hidden from its judge, so
            that it is not read off its causes.
    """

    causes: Sequence[str]
    of: Callable[..., Tensor]
    hidden: float


def _shadow(part: int, size: Tensor, x: Tensor, lamp: Tensor) -> Tensor:
    """The middle (0) or the radius (1) of the ball's shadow across, 64ths of the picture."""
    return torch.as_tensor(shadow_of(size.numpy(), x.numpy(), lamp.numpy())[part][0])


_SHADOW = partial(Trace, causes=("size", "x", "lamp"), hidden=51 / 64)
TRACES: dict[str, dict[str, Trace]] = {
    "ball": {
        "shadow": _SHADOW(of=partial(_shadow, 0)),
        "shadow_radius": _SHADOW(causes=("size",), of=lambda size: _shadow(1, size, size, size)),
    }
}


def data_of(family: str) -> DataSet:
    """The data set of a family: that of its own name, or with ``scene_`` before it."""
    named = f"scene_{family}"
    return data_set(named if named in DATA_SETS else family)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scene:
    """What a method is asked, and the answers that are true.

    Attributes:
        family: its name.
        graph: what a learner is told.
        rows: the factual columns, traces among them.
        drawn: the data set that they are of.
        actions: intervention, such as "do(size)" -> label -> what it is set to, by row.
        truths: intervention -> the true counterfactual columns.
        things: thing -> which pixels are its own, (n, pixels).
        places: label -> its place among its row's in an order of chance, 0 to 1, (n,).
    """

    family: str
    graph: Graph
    rows: Columns
    drawn: Any
    actions: Mapping[str, Columns] = field(default_factory=dict)
    truths: Mapping[str, Columns] = field(default_factory=dict)
    things: Columns = field(default_factory=dict)
    places: Columns = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.rows["image"])

    @property
    def read(self) -> list[str]:
        """What judges read off its pictures: the parents of the image, and traces."""
        return [*label_parents(self.graph), *TRACES.get(self.family, {})]

    def after(self, label: str) -> list[str]:
        """What of that follows a label."""
        below = self.graph.descendants(label)
        traces = TRACES.get(self.family, {}).items()
        follow = [name for name, trace in traces if not below.isdisjoint(trace.causes)]
        return [name for name in self.read if name in {*below, *follow} - {label}]

    @property
    def evidence(self) -> dict[str, Tensor]:
        """The columns of the graph's nodes."""
        return {name: self.rows[name] for name in self.graph.nodes}

    def told(self, share: float) -> dict[str, Tensor]:
        """The same, of each row's labels no more than a random ``share`` of them."""
        return {
            name: torch.where(self.places[name] < share, column, missing(column))
            if name in self.places
            else column
            for name, column in self.evidence.items()
            if share or name not in self.places
        }

    def part(self, first: int, last: int) -> Scene:
        """Some of its rows."""

        def cut(columns: Columns) -> dict[str, Tensor]:
            return {name: column[first:last] for name, column in columns.items()}

        return replace(
            self,
            rows=cut(self.rows),
            actions={do: cut(values) for do, values in self.actions.items()},
            truths={do: cut(columns) for do, columns in self.truths.items()},
            things=cut(self.things),
            places=cut(self.places),
        )

    @classmethod
    def plain(cls, family: str, n: int, split: str, size: int) -> Scene:
        """The first n rows of a split, under no intervention."""
        data = data_of(family)
        drawn = data.draw(split, n=min(n, data.most or n) if split == "train" else n, size=size)
        columns = Frame.read(drawn, drawn.graph).columns
        rows = {name: torch.as_tensor(column) for name, column in columns.items()}
        scene = cls(family=family, graph=drawn.graph, rows=rows, drawn=drawn)
        return replace(scene, rows=scene._traced(rows), places=scene._places())

    @classmethod
    def draw(cls, family: str, n: int, *, split: str = "test", size: int = 64) -> Scene:
        """The same under every intervention."""
        scene = cls.plain(family, n, split, size)
        subject = Subject(name=family, split=split, rows=scene.evidence, training={}, reference={})
        asked = random_actions(scene.graph, subject, declared()["seed"])
        actions = {action.query: action.values for action in asked}
        truths = {do: scene.true(values) for do, values in actions.items()}
        return replace(scene, actions=actions, truths=truths, things=scene._things())

    def true(self, do: Mapping[str, Any]) -> dict[str, Tensor]:
        """The true counterfactual columns, pictures in bytes."""
        found = self.drawn.true_counterfactual(list(range(len(self))), dict(do))
        types = {name: node.type for name, node in self.graph.nodes.items()}
        labels = {n: to_engine(n, types[n], found[n]) for n in label_parents(self.graph)}
        pictures = grey_levels(torch.as_tensor(found["image"])).round().to(torch.uint8)
        return self._traced({**labels, "image": pictures})

    def _traced(self, columns: Columns) -> dict[str, Tensor]:
        traces = TRACES.get(self.family, {}).items()
        return {**columns, **{n: t.of(*(columns[c] for c in t.causes)) for n, t in traces}}

    def _places(self) -> dict[str, Tensor]:
        labels = [name for name, node in self.graph.nodes.items() if not node.type.pictured]
        random = np.random.default_rng(declared()["seed"])
        order = random.random((len(self), len(labels))).argsort(1).argsort(1)
        return dict(zip(labels, torch.from_numpy((order + 1) / (len(labels) + 1)).T, strict=True))

    def _things(self) -> dict[str, Tensor]:
        """By thing, the pixels that a label of its own changes, set to either end."""
        found, threshold = {}, CHANGED
        for name, about in FAMILIES.get(self.family, {}).get("things", {}).items():
            ends = [self.true({about["by"]: end})["image"] for end in about["ends"]]
            found[name] = torch.stack(
                [changes(self.rows["image"], end, threshold) for end in ends]
            ).any(0)
        return found


def missing(column: Tensor) -> Tensor:
    """What stands for no label in a column of numbers or of class positions."""
    return torch.tensor(torch.nan if column.is_floating_point() else -1, dtype=column.dtype)


def changes(factual: Tensor, true: Tensor, threshold: float) -> Tensor:
    """Where a channel differs by more than so many grey levels, (n, pixels)."""
    apart = (grey_levels(true) - grey_levels(factual)).abs()
    return (apart.amax(1) > threshold).flatten(1)
