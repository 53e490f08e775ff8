"""Experience: what a model keeps of the rows that its mechanisms were fitted to.

    ranges      the least and largest value of every continuous column that a mechanism read
    unseen      the levels of its class parents that no row had
    distances   how far draws from a continuous mechanism are from its rows: the Kolmogorov-Smirnov
                distance sup_x |F_rows(x) - F_draws(x)|, each draw with the parents of a row
    pictures    digests by which a picture is known again
    habits      how pictures were read (`causalflow.data.habit`)
    gaps        the share of the rows that did not show a column (`causalflow.model.missing.gaps`)

Nothing here is a weight: a model answers the same without it, and is silent where it would warn.
"""

from __future__ import annotations

import base64
import hashlib
import math
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from causalflow.data.frame import Frame
from causalflow.data.habit import Habit
from causalflow.data.pictures import Pictures as PictureColumn
from causalflow.data.resizing import RULES
from causalflow.errors import CheckpointError
from causalflow.graph.graph import Graph
from causalflow.limits import KEPT_PICTURES, KEPT_PIXELS
from causalflow.mechanisms.mechanism import all_labelled, untouched
from causalflow.model.scm import StructuralModel

__all__ = ["FAR", "Experience", "Pictures", "experienced", "far"]

Range = tuple[float, float]

FAR = 0.05
"""The distance from which a fit is warned of: shares off by five points in a hundred somewhere."""
CERTAIN = 1.95
"""Two samples of one law are further apart than CERTAIN sqrt(1/n + 1/m) once in a thousand."""
ROWS, ROWS_WITH_PICTURES = 10_000, 1_000
BATCH = 256
LARGEST = sys.float_info.max
DIGEST = 6
"""Bytes: two pictures of 10^5 and 10^4 share a digest by chance once in 10^5 times."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pictures:
    """The pictures of a column, as far as they are kept.

    Attributes:
        rows: how many there were.
        kept: how many of them, chosen at random, have a digest here; all where they are few.
        digests: theirs; equal pictures have one.
    """

    rows: int
    kept: int
    digests: frozenset[bytes]

    @property
    def whole(self) -> bool:
        """Whether all have a digest here."""
        return self.kept == self.rows

    def known(self, images: Tensor) -> int:
        """How many of some pictures, uint8 or in [0, 1], are among those kept."""
        return sum(each in self.digests for each in _digests(images))


@dataclass(frozen=True, slots=True, kw_only=True)
class Experience:
    """What a model keeps of the rows it was fitted to.

    Attributes:
        ranges: learned node -> continuous column it read, itself or a parent -> (least, largest).
        unseen: learned node -> class parent -> indices of levels that no row had; parents of
            which every level occurred are left out.
        distances: continuous node -> Kolmogorov-Smirnov distance between rows and draws, 0 to 1.
        pictures: image node -> its pictures.
        habits: image node -> how they were read, where they came from files.
        gaps: column with empty cells -> their share of the rows, 0 to 1.
    """

    ranges: Mapping[str, Mapping[str, Range]] = field(default_factory=dict)
    unseen: Mapping[str, Mapping[str, tuple[int, ...]]] = field(default_factory=dict)
    distances: Mapping[str, float] = field(default_factory=dict)
    pictures: Mapping[str, Pictures] = field(default_factory=dict)
    habits: Mapping[str, Habit] = field(default_factory=dict)
    gaps: Mapping[str, float] = field(default_factory=dict)

    def of(self, names: Iterable[str]) -> Experience:
        """What is kept of some of the nodes."""
        kept = frozenset(names)
        return Experience(
            ranges={name: each for name, each in self.ranges.items() if name in kept},
            unseen={name: each for name, each in self.unseen.items() if name in kept},
            distances={name: each for name, each in self.distances.items() if name in kept},
            pictures={name: each for name, each in self.pictures.items() if name in kept},
            habits={name: each for name, each in self.habits.items() if name in kept},
            gaps={name: each for name, each in self.gaps.items() if name in kept},
        )

    def then(self, later: Experience) -> Experience:
        """What is kept of two fits, the later where both tell; a picture once seen stays seen."""
        both = {
            name: _joined(self.pictures[name], later.pictures[name])
            for name in self.pictures.keys() & later.pictures.keys()
        }
        return Experience(
            ranges={**self.ranges, **later.ranges},
            unseen={**self.unseen, **later.unseen},
            distances={**self.distances, **later.distances},
            pictures={**self.pictures, **later.pictures, **both},
            habits={**self.habits, **later.habits},
            gaps={**self.gaps, **later.gaps},
        )

    def record(self) -> dict[str, Any]:
        """As JSON has it; `read` is the way back."""
        unseen = {
            name: {parent: list(levels) for parent, levels in sorted(parents.items())}
            for name, parents in sorted(self.unseen.items())
        }
        habits = {name: each.record() for name, each in sorted(self.habits.items())}
        return {
            "ranges": {
                name: {column: list(ends) for column, ends in sorted(columns.items())}
                for name, columns in sorted(self.ranges.items())
            },
            "distances": dict(sorted(self.distances.items())),
            "pictures": {
                name: {
                    "rows": kept.rows,
                    "kept": kept.kept,
                    "digests": base64.b64encode(b"".join(sorted(kept.digests))).decode("ascii"),
                }
                for name, kept in sorted(self.pictures.items())
            },
            **({"unseen": unseen} if unseen else {}),
            **({"habits": habits} if habits else {}),
            **({"gaps": dict(sorted(self.gaps.items()))} if self.gaps else {}),
        }

    @staticmethod
    def read(given: Any, graph: Graph) -> Experience:
        """What `record` gave, every field checked; nothing is known where ``given`` is None.

        Raises:
            CheckpointError: another type, a node that is none, a range or number that cannot be.
        """
        parts = {} if given is None else _object("experience", given)
        ranges = _object("ranges", parts.get("ranges", {}))
        unseen = _object("unseen", parts.get("unseen", {}))
        distances = _object("distances", parts.get("distances", {}))
        pictures = _object("pictures", parts.get("pictures", {}))
        habits = _object("habits", parts.get("habits", {}))
        gaps = _object("gaps", parts.get("gaps", {}))
        return Experience(
            ranges={
                _node(graph, name): {
                    _node(graph, column, numeric=True): _range(column, ends)
                    for column, ends in _object(name, columns).items()
                }
                for name, columns in ranges.items()
            },
            unseen={
                _node(graph, name): {
                    parent: _levels(graph, parent, levels)
                    for parent, levels in _object(name, parents).items()
                }
                for name, parents in unseen.items()
            },
            distances={
                _node(graph, name, numeric=True): _number(name, value, 0, 1)
                for name, value in distances.items()
            },
            pictures={
                _node(graph, name, pictured=True): _pictures(name, each)
                for name, each in pictures.items()
            },
            habits={
                _node(graph, name, pictured=True): Habit.read(name, _object(name, each), RULES)
                for name, each in habits.items()
            },
            gaps={_node(graph, name): _number(name, share, 0, 1) for name, share in gaps.items()},
        )


def experienced(
    scm: StructuralModel,
    frame: Frame,
    nodes: Iterable[str],
    seed: int = 0,
    completed: Frame | None = None,
) -> Experience:
    """What the mechanisms of ``nodes``, just fitted to the rows of ``frame``, have seen.

    Args:
        scm: the fitted model.
        frame: the rows, with the columns of the nodes and their parents.
        nodes: the names of the nodes that were fitted.
        seed: the seed by which the rows and draws to compare are chosen.
        completed: the rows with their gaps drawn, as the mechanisms were fitted to them; None: the
            same.
    """
    names = list(nodes)
    ranges = {name: _ranges(scm, frame, name) for name in names}
    unseen = {name: _unseen(scm, frame, name) for name in names}
    return Experience(
        ranges={name: found for name, found in ranges.items() if found},
        unseen={name: found for name, found in unseen.items() if found},
        distances={
            name: _distance(scm, completed or frame, name, seed)
            for name in names
            if scm.graph.nodes[name].type.numeric and name not in scm.equations
        },
        pictures={
            name: _kept(frame.columns[name], seed)
            for name in names
            if scm.graph.nodes[name].type.pictured
        },
    )


def far(distances: Mapping[str, float], frame: Frame) -> dict[str, float]:
    """The distances that neither chance nor a fair fit accounts for."""
    found = {}
    for name, distance in distances.items():
        known = int(all_labelled(untouched(frame.labels(), name), [name]).sum())
        chance = CERTAIN * math.sqrt(1 / max(min(known, ROWS), 1) + 1 / ROWS)
        if distance > max(FAR, chance):
            found[name] = distance
    return found


def _ranges(scm: StructuralModel, frame: Frame, name: str) -> dict[str, Range]:
    """The range of a node's own values, and of those of its continuous parents."""
    read = [each for each in (name, *scm.told(name)) if each in scm.graph.nodes]
    labels, found = untouched(frame.labels(), name), {}
    for column in read:
        if scm.graph.nodes[column].type.numeric:
            values = labels[column]
            known = values[~values.isnan()]
            if len(known):
                found[column] = (float(known.min()), float(known.max()))
    return found


def _unseen(scm: StructuralModel, frame: Frame, name: str) -> dict[str, tuple[int, ...]]:
    """The levels of a node's class parents that no row had."""
    labels, found = untouched(frame.labels(), name), {}
    for parent in scm.told(name):
        levels = scm.graph.nodes[parent].type.levels if parent in labels else None
        if levels is not None:
            missing = set(range(len(levels))) - set(labels[parent].unique().tolist())
            if missing:
                found[parent] = tuple(sorted(missing))
    return found


@torch.no_grad()
def _distance(scm: StructuralModel, frame: Frame, name: str, seed: int) -> float:
    """The Kolmogorov-Smirnov distance between a node's rows and draws with the rows' parents."""
    parents = scm.parents(name)
    pictured = any(
        scm.graph.nodes[each].type.pictured for each in parents if each in scm.graph.nodes
    )
    most = ROWS_WITH_PICTURES if pictured else ROWS
    labels = untouched(frame.labels(), name)
    rows = all_labelled(labels, [n for n in (name, *parents) if n in labels]).nonzero()[:, 0]
    chosen = rows[torch.randperm(len(rows), generator=_generator(seed))[:most]]
    part = Frame(
        nodes={n: frame.nodes[n] for n in (name, *parents)},
        columns={n: frame.columns[n] for n in (name, *parents)},
    )
    generator = torch.Generator(scm.device).manual_seed(seed)
    mechanism, seen, drawn = scm.mechanism(name), [], []
    for batch in chosen.split(BATCH if pictured else most):
        values = {n: value.to(scm.device) for n, value in part.rows(batch).items()}
        seen.append(values[name])
        told = scm.arguments(name, values)
        for _ in range(-(-ROWS // len(chosen))):
            drawn.append(mechanism.predict(told, mechanism.draw_noise(len(batch), generator)))
    return _apart(torch.cat(seen).cpu().numpy(), torch.cat(drawn).cpu().numpy())


def _apart(first: np.ndarray[Any, Any], second: np.ndarray[Any, Any]) -> float:
    """sup |F - G| of two samples, ties and all."""
    points = np.unique(np.concatenate([first, second]))
    shares = [
        np.searchsorted(np.sort(each), points, side="right") / len(each) for each in (first, second)
    ]
    return float(np.abs(shares[0] - shares[1]).max())


def _kept(column: Tensor | PictureColumn, seed: int) -> Pictures:
    """The digests of pictures chosen at random, as many as may be kept."""
    pixels = max(1, column[torch.arange(1)].numel())
    most = min(KEPT_PICTURES, max(1, KEPT_PIXELS // pixels))
    chosen = torch.randperm(len(column), generator=_generator(seed))[:most]
    found = (digest for rows in chosen.split(BATCH) for digest in _digests(column[rows]))
    return Pictures(rows=len(column), kept=len(chosen), digests=frozenset(found))


def _digests(images: Tensor) -> list[bytes]:
    """One for each picture: of its pixels as 0..255, whichever way they are kept."""
    bits = images if images.dtype == torch.uint8 else (images * 255).round().clamp(0, 255).byte()
    return [
        hashlib.blake2b(image.numpy().tobytes(), digest_size=DIGEST).digest()
        for image in bits.cpu().contiguous()
    ]


def _joined(first: Pictures, second: Pictures) -> Pictures:
    both = first.digests | second.digests
    digests = frozenset(sorted(both)[:KEPT_PICTURES])
    kept = first.kept + second.kept if len(both) <= KEPT_PICTURES else len(digests)
    return Pictures(rows=first.rows + second.rows, kept=kept, digests=digests)


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _object(what: str, given: Any) -> Mapping[str, Any]:
    if not isinstance(given, dict):
        raise CheckpointError(f"experience: '{what}' is no object")
    return given


def _node(graph: Graph, name: str, *, numeric: bool = False, pictured: bool = False) -> str:
    if name not in graph.nodes:
        raise CheckpointError(f"experience: '{name}' is no node")
    kind = graph.nodes[name].type
    if (numeric and not kind.numeric) or (pictured and not kind.pictured):
        wanted = "images" if pictured else "numbers"
        raise CheckpointError(f"experience: '{name}' is no node of {wanted}")
    return name


def _number(name: str, given: Any, low: float, high: float) -> float:
    if isinstance(given, bool) or not isinstance(given, int | float) or not low <= given <= high:
        raise CheckpointError(f"experience: '{name}' has {given!r}; expected {low:g} to {high:g}")
    return float(given)


def _range(name: str, ends: Any) -> Range:
    if not isinstance(ends, list) or len(ends) != 2:
        raise CheckpointError(f"experience: the range of '{name}' is {ends!r}; expected two ends")
    low, high = (_number(name, end, -LARGEST, LARGEST) for end in ends)
    if low > high:
        raise CheckpointError(f"experience: the range of '{name}' ends before it begins")
    return low, high


def _levels(graph: Graph, name: str, given: Any) -> tuple[int, ...]:
    levels = graph.nodes[name].type.levels if name in graph.nodes else None
    allowed = range(len(levels)) if levels is not None else range(0)
    if not isinstance(given, list) or not all(type(k) is int and k in allowed for k in given):
        raise CheckpointError(f"experience: '{name}' has levels {given!r}; expected their indices")
    return tuple(given)


def _pictures(name: str, given: Any) -> Pictures:
    parts = _object(name, given)
    rows, kept, text = parts.get("rows"), parts.get("kept"), parts.get("digests")
    rows, kept = (_number(name, count, 0, sys.maxsize) for count in (rows, kept))
    if not (isinstance(text, str) and kept <= rows):
        raise CheckpointError(f"experience: the pictures of '{name}' are not readable")
    try:
        joined = base64.b64decode(text, validate=True)
    except ValueError:
        raise CheckpointError(f"experience: the digests of '{name}' are no base64") from None
    if len(joined) % DIGEST or len(joined) > DIGEST * KEPT_PICTURES:
        raise CheckpointError(f"experience: the digests of '{name}' have {len(joined)} bytes")
    cuts = range(0, len(joined), DIGEST)
    digests = frozenset(joined[at : at + DIGEST] for at in cuts)
    return Pictures(rows=int(rows), kept=int(kept), digests=digests)
