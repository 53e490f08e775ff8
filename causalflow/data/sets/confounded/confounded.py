"""Confounded pictures: rows, true counterfactual pictures, and true laws by enumeration.

    ascm         the four-pixel picture of the papers: u_x decides x and the first pixel
    mediated     the same with m between x and the picture: a front door
    bar_mnist    Bar-MNIST whose strokes lean as the colour's hidden cause has it
    frontdoor    a hidden place decides who is exposed and the ground; the marker is in the picture
    severity     a hidden severity, a number, drives the dose and darkens the picture
    instrument   a letter by lot, a treatment, and a picture that may show a spot

A learner is told the labels and the picture; the attributes stand beside them for those who would
tell more. With u all exogenous variables and w(u) the world that they make, the law of attributes
under do() among the rows that look like e is

    P(a | do, e) = sum_u P(u) [w(u) = e] [a of w_do(u) = a] / sum_u P(u) [w(u) = e],

summed over every u where all are finite, and over a million draws of them else (severity: standard
errors below .0005 without e).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from causalflow.data.sets.bar_mnist import chosen_digits
from causalflow.data.sets.confounded.worlds import WORLDS, Noise, World, straightened
from causalflow.data.sets.dataset import SPLITS, LabelledRows, check_split, draw_exogenous, solve
from causalflow.data.sets.digits import digits
from causalflow.errors import DataError, one_of
from causalflow.factors.table import Table
from causalflow.formats.formats import load
from causalflow.graph.graph import Graph
from causalflow.graph.node import Finite
from causalflow.mechanisms.mechanism import to_engine
from causalflow.shipped import at_size, graph_path

__all__ = ["Confounded", "confounded"]

_ROWS = {"train": 20_000, "test": 2_000, "validation": 2_000}
_DRAWS = 1_000_000
_SHADES = 4
_SMALLEST = 8


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Confounded(LabelledRows):
    """Rows of a world whose hidden cause reaches the picture, and what each was made of.

    Attributes:
        world: how pictures are drawn and read.
        graph: the modelling graph: what a learner is told.
        scm: the explicit graph of labels and attributes: the truth.
        exogenous: its exogenous variables, the hidden ones too, each of shape (n,).
        labels: the nodes of the truth, attributes among them, each of shape (n,).
        noise: what else the pictures are made of.
        images: uint8, shape (n, channels, size, size).
    """

    world: World
    graph: Graph
    scm: Graph
    exogenous: Mapping[str, NDArray[Any]]
    labels: Mapping[str, NDArray[Any]]
    noise: Noise
    images: Tensor

    def true_counterfactual(
        self, indices: Tensor | NDArray[Any] | list[int], do: Mapping[str, Any]
    ) -> dict[str, Tensor]:
        """The rows ``indices`` as they would have been under ``do``: all nodes, and ``image``.

        Args:
            indices: shape (batch,).
            do: values of nodes of the truth, classes by name or index, one for all rows or one
                per row.

        Returns:
            Labels and attributes, shape (batch,) each; ``image`` in [0, 1].

        Raises:
            DataError: an intervention on no node of the truth, or on the digit.
            EvidenceError: a value that a node cannot have.
        """
        if "digit" in do:
            raise DataError(
                "do(digit) has no true picture: how the same hand writes another digit is not known"
            )
        rows = np.asarray(indices, dtype=np.int64).reshape(-1)
        exogenous = {name: values[rows] for name, values in self.exogenous.items()}
        values = solve(self.scm, exogenous, {name: self._value(name, do[name]) for name in do})
        images = torch.from_numpy(self.world.draw(values, _rows_of(self.noise, rows)))
        found = {name: torch.from_numpy(np.asarray(each)) for name, each in values.items()}
        return {**found, "image": images.float() / 255}

    def read(self, images: Any) -> dict[str, Tensor]:
        """The attributes that pictures show.

        Args:
            images: float in [0, 1] or uint8, shape (batch, channels, size, size).

        Returns:
            By attribute, shape (batch,).
        """
        pictures = torch.as_tensor(images).cpu()
        unit = pictures.double() / (255 if pictures.dtype == torch.uint8 else 1)
        return {n: torch.from_numpy(v) for n, v in self.world.read(unit.numpy()).items()}

    def law(
        self,
        outcomes: Sequence[str],
        do: Mapping[str, Any] | None = None,
        given: Mapping[str, Any] | None = None,
    ) -> Table:
        """The true law of labels and attributes under ``do``, among rows that look like ``given``.

        Args:
            outcomes: class nodes of the truth, whose levels are the table's axes.
            do: node -> value; None: nothing is done, and the law is what is seen.
            given: class node -> its value in the world as it is.

        Raises:
            DataError: a name that is no node of the truth, outcomes that are no classes, or
                evidence that no row can have.
        """
        sizes = [self._levels(name) for name in outcomes]
        exogenous, weights = _every(self.scm)
        for name, value in (given or {}).items():
            self._levels(name)
            seen = solve(self.scm, exogenous)[name] == self._value(name, value)
            exogenous = {n: column[seen] for n, column in exogenous.items()}
            weights = weights[seen]
        if not weights.sum() > 0:
            raise DataError(f"no row looks like {dict(given or {})}")
        act = {name: self._value(name, value) for name, value in (do or {}).items()}
        values = solve(self.scm, exogenous, act)
        cells = np.ravel_multi_index([values[name] for name in outcomes], sizes)
        counted = np.bincount(cells, weights, int(np.prod(sizes))) / weights.sum()
        return Table(axes=list(outcomes), values=counted.reshape(sizes))

    def _levels(self, name: str) -> int:
        if name not in self.scm.nodes:
            raise DataError(f"no node '{name}' in the truth; {one_of(name, self.scm.nodes)}")
        levels = self.scm.nodes[name].type.levels
        if levels is None:
            raise DataError(f"node '{name}' has no levels, and a law is asked of classes")
        return len(levels)

    def _value(self, name: str, value: Any) -> NDArray[Any]:
        if name not in self.scm.nodes:
            raise DataError(f"no node '{name}' in the truth; {one_of(name, self.scm.nodes)}")
        return to_engine(name, self.scm.nodes[name].type, value).numpy()


def confounded(
    kind: str, split: str = "train", size: int | None = None, n: int | None = None, seed: int = 0
) -> Confounded:
    """Draw rows of a world whose hidden cause reaches the picture.

    Args:
        kind: "ascm", "mediated", "bar_mnist", "frontdoor", "severity" or "instrument".
        split: "train", "validation" or "test"; no two share a row, nor a handwritten digit.
        size: height and width of the pictures, even, from 8; default 8 of the four-pixel pictures,
            16 of the others.
        n: number of rows; default 20,000 / 2,000 / 2,000.
        seed: the seed of labels and pictures.

    Raises:
        DataError: an unknown kind or split, an impossible size or n.

    Example:
        >>> rows = confounded("frontdoor", n=10)
        >>> law = rows.law(["ground"], do={"exposed": "yes"})
        >>> {level: round(share, 9) for level, share in law.to_dict().items()}
        {0: 0.5, 1: 0.5}
    """
    if kind not in WORLDS:
        raise DataError(f"confounded: unknown kind {kind!r}; {one_of(kind, WORLDS)}")
    check_split(split)
    world, count = WORLDS[kind], _ROWS[split] if n is None else n
    side = world.size if size is None else size
    if count < 1:
        raise DataError(f"confounded: n is {count}; expected at least 1")
    if side < _SMALLEST or side % 2:
        raise DataError(f"confounded: size {side}; expected an even one from {_SMALLEST}")
    graph, scm = (load(graph_path(f"{world.graph}{end}")) for end in ("", "_scm"))
    generator = np.random.default_rng([seed, SPLITS.index(split), sorted(WORLDS).index(kind)])
    exogenous = draw_exogenous(scm, count, generator)
    labels = solve(scm, exogenous)
    noise = _noise(labels, split, side, count, generator)
    return Confounded(
        world=world,
        graph=graph if side == world.size else at_size(graph, side),
        scm=scm,
        exogenous=exogenous,
        labels=labels,
        noise=noise,
        images=torch.from_numpy(world.draw(labels, noise)),
    )


def _noise(
    labels: Mapping[str, NDArray[Any]],
    split: str,
    size: int,
    n: int,
    generator: np.random.Generator,
) -> Noise:
    real = digits(split, size)
    strokes = (real.images * 255).round().astype(np.uint8)
    if "digit" in labels:
        base = straightened(strokes)[chosen_digits(real.digits, labels["digit"], generator)]
    else:
        base = strokes[generator.integers(0, len(strokes), n)]
    shade = generator.uniform(-1, 1, (n, _SHADES))
    return Noise(
        base=base,
        shade=shade,
        grain=generator.standard_normal((n, size, size), dtype=np.float32),
    )


def _rows_of(noise: Noise, rows: NDArray[np.int64]) -> Noise:
    return Noise(base=noise.base[rows], shade=noise.shade[rows], grain=noise.grain[rows])


def _every(scm: Graph) -> tuple[dict[str, NDArray[Any]], NDArray[np.float64]]:
    """Values of all exogenous variables at once, and how probable they are."""
    laws = [each for each in scm.exogenous.values() if isinstance(each, Finite)]
    if len(laws) < len(scm.exogenous):
        return draw_exogenous(scm, _DRAWS, np.random.default_rng(0)), np.full(_DRAWS, 1 / _DRAWS)
    sizes = [len(law.p) for law in laws]
    cells = np.indices(sizes).reshape(len(sizes), -1)
    weights = np.ones(cells.shape[1])
    for law, column in zip(laws, cells, strict=True):
        weights = weights * np.array([float(p) for p in law.p])[column]
    return dict(zip(scm.exogenous, cells, strict=True)), weights
