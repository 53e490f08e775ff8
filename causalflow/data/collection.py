"""Collection: rows of one's own, from whichever source, as columns for a graph.

Pictures that fit in memory are decoded at once and kept as 8 bits a number (deeper ones as
float32); otherwise they stay where they are, and each batch is decoded when it is asked for, while
the one before is used. Either way a row is the same bytes, whatever the number of workers.

What is looked at before anything is used: of pictures in memory all, of others every one if damaged
ones are to be skipped, else `LOOKED` spread over the rows. What is skipped is named and counted.
"""

from __future__ import annotations

import dataclasses
import math
import os
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from causalflow.data.files import Files
from causalflow.data.habit import Ends, Habit
from causalflow.data.pictures import Chosen, Pictures, PictureSource, ordered
from causalflow.data.reading import Reading, Window
from causalflow.data.resizing import enlarged
from causalflow.data.sources.source import SKIPPED, Opened, Place, opened_source
from causalflow.errors import CausalflowWarning, DataError
from causalflow.graph.graph import Graph
from causalflow.graph.node import Node

__all__ = ["Collection", "Survey", "read", "read_picture"]

LOOKED = 200
"""Pictures that are looked at of a column that stays on disk."""
WINDOWED = 256
"""Pictures whose numbers give the ends of a window in percent."""
_NUMBERS = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What was seen of the pictures of a node.

    Attributes:
        rows: how many there are.
        looked: how many were looked at.
        sizes: (height, width) -> how many of them.
        range: the least and the largest number in them.
        small: how many are smaller than the graph's size, and are enlarged.
        resize: the rule by which others become that size.
        window: the numbers that are black and white, where they are not the format's own.
        bytes: what they take in memory; None: they stay where they are.
        slice: the slice of volumes that is the picture; "": they have only one.
        ends: the ends of the formats that were seen.
    """

    rows: int
    looked: int
    sizes: Mapping[tuple[int, int], int]
    range: tuple[float, float]
    small: int
    resize: str
    window: Window | None
    bytes: int | None
    slice: str = ""
    ends: tuple[Ends, ...] = ()

    @property
    def habit(self) -> Habit:
        """How they were read."""
        return Habit(resize=self.resize, window=self.window, slice=self.slice, ends=self.ends)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Collection:
    """Rows that were read, as `Model.fit`, `cf.evaluate` and `Model.counterfactual` take them.

    Attributes:
        about: the source, in a few words.
        columns: name -> labels or pictures.
        surveys: image node -> what was seen of its pictures.
        skipped: the rows left out: the picture, and the reason.
    """

    about: str
    columns: Mapping[str, Any]
    surveys: Mapping[str, Survey]
    skipped: tuple[tuple[str, str], ...] = ()

    def __repr__(self) -> str:
        rows = max(map(len, self.columns.values()), default=0)
        left = f", {len(self.skipped):,} left out" if self.skipped else ""
        return f"Collection({self.about}: {rows:,} rows of {', '.join(self.columns)}{left})"


def read(
    source: str | Path,
    graph: Graph,
    *,
    images: str | Path | None = None,
    path: str = "path",
    like: Mapping[str, Habit] | None = None,
    options: Reading | None = None,
    **further: Any,
) -> Collection:
    """The rows of a folder, a table, tar archives or a file of arrays, for the nodes of a graph.

    Args:
        source: a folder with labels.csv, or with a folder a level; a .csv, .parquet, .npz, .h5 or
            .tar file; name-{000..009}.tar; a saved Hugging Face data set; a folder of shards
            (`causalflow.data.sources.source`).
        graph: gives the columns' names and types, and the images' shapes.
        images: the folder of the image files that a table names.
        path: the table's column of them.
        like: image node -> how the pictures of a model were read (`Model.habits`): what no option
            spells out is read so, and what departs from it is warned of.
        options: all of `Reading`.
        further: others of them, as keywords (resize, window, on_error, ...).

    Raises:
        DataError: the source cannot be read, or a picture, unless those are to be skipped.

    Example:
        rows = cf.data.read("pets", graph, resize="cover", on_error="skip")
        model.fit(rows)
    """
    slots = dataclasses.fields(Reading)
    base = {} if options is None else {slot.name: getattr(options, slot.name) for slot in slots}
    chosen = Reading(**{**base, **further})
    place = Place(
        text=str(source),
        graph=graph,
        images=None if images is None else Path(images),
        column=path,
        strict=chosen.on_error == "refuse",
    )
    opened = opened_source(place)
    _check_rows(opened, place)
    spelt = frozenset(further if options is None else base)
    return _Reader(opened, graph, chosen, like or {}, spelt).collection()


def read_picture(
    file: str | Path,
    shape: tuple[int, int, int],
    name: str,
    habit: Habit | None = None,
    **spelt: Any,
) -> Tensor:
    """One picture, shape (1, channels, height, width): uint8, or float32 if it is deeper.

    Args:
        file: its file.
        shape: that of the image node, (channels, height, width).
        name: the node's name.
        habit: how the pictures of the model were read; what departs from it is warned of.
        spelt: fields of `Reading` that are read by instead.

    Raises:
        DataError: no image file, or one of another size than the node's and no rule for it.
    """
    options = Reading(**(habit.options(spelt) if habit else {}), **spelt)
    path, manner = Path(os.path.realpath(file)), options.manner()
    files = Files(folder=path.parent, files=(path.name,))
    pictures = Pictures(source=files, manner=manner).of_shape(shape)
    raw = pictures.raw(0)
    if habit is not None:
        seen = Habit(resize=manner.resize, window=manner.window, slice=manner.cut, ends=(raw.ends,))
        habit.warn_of(name, seen, stacklevel=2)
    return torch.from_numpy(np.array(pictures.fitted(0, raw, shape)[None]))


def _check_rows(opened: Opened, place: Place) -> None:
    lengths = {name: len(column) for name, column in {**opened.columns, **opened.pictures}.items()}
    if not lengths or 0 in lengths.values():
        raise DataError(f"{place.text}: the data have no rows")
    if opened.pictures and len(set(lengths.values())) > 1:
        listed = ", ".join(f"'{name}' {length:,}" for name, length in lengths.items())
        raise DataError(f"{place.text}: columns of unequal lengths: {listed}")


@dataclass(frozen=True, slots=True)
class _Reader:
    opened: Opened
    graph: Graph
    options: Reading
    like: Mapping[str, Habit]
    spelt: frozenset[str]

    def collection(self) -> Collection:
        """The rows, once their pictures were looked at."""
        found = {name: self._seen(name, source) for name, source in self.opened.pictures.items()}
        bad: dict[int, tuple[str, str]] = {}
        for seen in found.values():
            bad |= seen.bad
        rows = next((len(source) for source in self.opened.pictures.values()), 0)
        kept = tuple(row for row in range(rows) if row not in bad)
        if bad and not kept:
            raise DataError(
                f"{self.opened.about}: none of {rows:,} pictures can be read: {bad[min(bad)][1]}"
            )
        columns = {n: _taken(c, kept) if bad else c for n, c in self.opened.columns.items()}
        columns |= {name: seen.column(kept) for name, seen in found.items()}
        if any(small := [seen.survey.small for seen in found.values()]):
            warnings.warn(
                f"{self.opened.about}: {sum(small):,} pictures are smaller than the graph asks "
                "for, and are enlarged",
                CausalflowWarning,
                stacklevel=4,
            )
        skipped = tuple(bad[row] for row in sorted(bad))
        surveys = {name: seen.survey for name, seen in found.items()}
        for name in surveys.keys() & self.like.keys():
            self.like[name].warn_of(name, surveys[name].habit, stacklevel=3)
        return Collection(
            about=self.opened.about, columns=columns, surveys=surveys, skipped=skipped
        )

    def _seen(self, name: str, source: PictureSource) -> _Seen:
        """The pictures of a node, looked at."""
        node, options = self.graph.nodes[name], self._options(name)
        skip, percent, shape = options.on_error == "skip", options.ends()[1], _shape_of(node)
        _check_levels(name, node, options)
        numbers = replace(options, window="") if percent is not None else options
        manner = numbers.manner()
        pictures = Pictures(source=source, manner=manner).of_shape(shape)
        if percent is not None:
            manner = replace(manner, window=_percentiles(pictures, percent, skip, name))
            pictures = replace(pictures, manner=manner)
        size = math.prod(shape) * _bytes_of_a_number(pictures)
        whole = len(source) * size <= options.memory * 1e6
        rows = range(len(source)) if whole or skip else _spread(len(source), LOOKED)
        return _look(pictures, rows, keep=whole, skip=skip)

    def _options(self, name: str) -> Reading:
        """Those of a node: what is spelt out, then what its model was fitted to."""
        known = self.like.get(name)
        return self.options if known is None else replace(self.options, **known.options(self.spelt))


def _check_levels(name: str, node: Node, options: Reading) -> None:
    """Levels are not resized: there are no means of them."""
    if node.type.depth is not None and options.resize != "refuse":
        raise DataError(
            f"data: resize={options.resize}, but the pixels of node '{name}' are levels, "
            "of which there are no means; give pictures of its size"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """The pictures of a node, with what was seen of them, and which cannot be read."""

    pictures: Pictures
    survey: Survey
    kept: NDArray[Any] | None
    bad: Mapping[int, tuple[str, str]]

    def column(self, rows: tuple[int, ...]) -> Any:
        """Those of some rows."""
        whole = len(rows) == len(self.pictures)
        if self.kept is not None:
            return torch.from_numpy(self.kept if whole else self.kept[list(rows)])
        if whole:
            return self.pictures
        return replace(self.pictures, source=Chosen(source=self.pictures.source, rows=rows))


def _look(pictures: Pictures, rows: Sequence[int], *, keep: bool, skip: bool) -> _Seen:
    """Decode some rows once, and keep them where ``keep``."""
    assert pictures.shape is not None
    sizes: Counter[tuple[int, int]] = Counter()
    bad: dict[int, tuple[str, str]] = {}
    kept: NDArray[Any] | None = None
    ends = [math.inf, -math.inf]
    formats: set[Ends] = set()
    results = ordered(partial(_one, pictures, skip), rows, pictures.manner.workers)
    for row, found in zip(rows, results, strict=True):
        if isinstance(found, DataError):
            bad[row] = (pictures.source.name(row), str(found))
            continue
        image, size, low, high, limits = found
        sizes[size] += 1
        ends = [min(ends[0], low), max(ends[1], high)]
        formats.add(limits)
        if keep:
            kept = _put(kept, len(pictures), row, image)
    height, width = pictures.shape[1:]
    survey = Survey(
        rows=len(pictures) - len(bad),
        looked=len(rows) - len(bad),
        sizes=dict(sizes.most_common()),
        range=(ends[0], ends[1]),
        small=sum(
            count
            for size, count in sizes.items()
            if enlarged(pictures.manner.resize, size, (height, width))
        ),
        resize=pictures.manner.resize,
        window=pictures.manner.window,
        bytes=None if kept is None else kept.nbytes,
        slice=pictures.manner.cut,
        ends=tuple(sorted(formats, key=str)),
    )
    return _Seen(pictures=pictures, survey=survey, kept=kept, bad=bad)


def _one(
    pictures: Pictures, skip: bool, row: int
) -> tuple[NDArray[Any], tuple[int, int], float, float, Ends] | DataError:
    """A picture in the shape; size, least and largest number, ends before; or its error."""
    assert pictures.shape is not None
    try:
        raw = pictures.raw(row)
        image = pictures.fitted(row, raw, pictures.shape)
    except DataError as mistake:
        if not skip:
            raise DataError(f"{mistake}{SKIPPED}") from None
        return mistake
    size = (raw.values.shape[0], raw.values.shape[1])
    return image, size, float(raw.values.min()), float(raw.values.max()), raw.ends


def _put(kept: NDArray[Any] | None, rows: int, row: int, image: NDArray[Any]) -> NDArray[Any]:
    """Put a picture in its place; all become float32 when the first deep one comes."""
    if kept is None:
        kept = np.zeros((rows, *image.shape), image.dtype)
    if kept.dtype == image.dtype:
        kept[row] = image
    elif kept.dtype == np.uint8:
        kept = kept.astype(np.float32) / 255
        kept[row] = image
    else:
        kept[row] = image.astype(np.float32) / 255
    return kept


def _percentiles(pictures: Pictures, percent: Window, skip: bool, name: str) -> Window:
    """The numbers below which such shares of the pixels lie, in rows spread over all."""
    parts = []
    for row in _spread(len(pictures), WINDOWED):
        try:
            values = pictures.raw(row).values.ravel()
        except DataError:
            if not skip:
                raise
            continue
        parts.append(values[:: max(1, len(values) // _NUMBERS)].astype(np.float64))
    every = np.concatenate(parts) if parts else np.zeros(1)
    low, high = (float(end) for end in np.percentile(every, percent))
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise DataError(f"node '{name}': the window {percent} % is {low:g} to {high:g}, no range")
    return low, high


def _bytes_of_a_number(pictures: Pictures) -> int:
    """1 where the first picture that can be read has 8 bits, else 4."""
    for row in range(len(pictures)):
        try:
            eight = pictures.raw(row).values.dtype == np.uint8
        except DataError:
            continue
        return 1 if eight and pictures.manner.window is None else 4
    return 1


def _spread(rows: int, most: int) -> list[int]:
    """So many rows at equal distances."""
    return [int(at) for at in np.linspace(0, rows - 1, min(rows, most)).round()]


def _taken(column: Any, rows: tuple[int, ...]) -> Any:
    """Some rows of a column of labels."""
    if hasattr(column, "iloc"):
        return column.iloc[list(rows)]
    if isinstance(column, list):
        return [column[row] for row in rows]
    return column[list(rows)]


def _shape_of(node: Node) -> tuple[int, int, int]:
    channels, height, width = node.type.shape
    return channels, height, width
