"""CausalCircuit: a robot arm presses buttons that light lamps, and two lamps light a third.

    arm                of the arm's tip along its track, 0 to 1
    blue, green, red   brightness of the lamps, 0 to 1; blue and green light red

What the published pictures would show under an intervention is not known. With ``synthetic=True`` a
look-alike is drawn: labels from ``graphs/causal_circuit_scm.yaml``, pictures as flat shapes. It
shares the graph and the kinds of effect with the published data, not their numbers, and results on
it are not results on CausalCircuit; but its counterfactuals are known.

The published files, NumPy archives of pairs of pictures and their latents, must be had by hand:
their page asks for a name and a licence. They lie in ``$CAUSALFLOW_DATA/causal_circuit`` as
``train-0.npz``, ``train-1.npz``, ..., ``val.npz`` and ``test.npz`` (or with numbers too):

    original_latents  float, (N, 2, 4): red, green, blue, arm, before and after an intervention
    imgs              (N, 2): JPEG bytes of 512 x 512 pictures

Only the first of each pair is read, the picture before the intervention. Nothing is unpickled:
pickle runs whatever a file says. ``imgs`` as an array of Python objects is therefore refused; as
byte strings of fixed width, bytes padded with zeros (N, 2, length), or pixels (N, 2, height, width,
3), it is read.

Source: Brehmer et al. (2022), Weakly supervised causal representation learning, with its appendix;
the order of the labels as in Komanduri et al. (2024), CausalDiffAE.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image as Picture
from torch import Tensor

from causalflow.data.arrays import read_arrays
from causalflow.data.decoding import opened_picture
from causalflow.data.sets.dataset import SPLITS, LabelledRows, check_split, draw_exogenous, solve
from causalflow.data.sets.digits import data_folder
from causalflow.data.sets.rendering import by_pieces, disk, paint, stripe
from causalflow.errors import DataError, one_of
from causalflow.formats.formats import load
from causalflow.graph.graph import Graph
from causalflow.limits import CIRCUIT_SIDE
from causalflow.mechanisms.mechanism import to_engine
from causalflow.shipped import at_size, graph_path

__all__ = [
    "DARK",
    "GROUND",
    "LABELS",
    "LAMPS",
    "METAL",
    "TRACK",
    "CausalCircuit",
    "causal_circuit",
    "circuit_files",
    "draw_circuit",
    "lamp_cover",
    "read_circuit",
]

_PARTS = {"train": "train", "validation": "val", "test": "test"}
_LATENTS, _IMAGES = "original_latents", "imgs"
_ORDER = (3, 2, 1, 0)  # of red, green, blue, arm: arm, blue, green, red
_PIECE = 64

LABELS = ("arm", "blue", "green", "red")
_SIZE, _SMALLEST, _LARGEST = 128, 16, 512
_ROWS = {"train": 5_000, "validation": 1_000, "test": 1_000}
# Places and lengths as shares of the picture, colours as red, green, blue of 0..255.
_TRACK_HEIGHT, _ARM_TOP, _THIN, _THICK = 0.85, 0.55, 0.02, 0.06
TRACK = (0.1, 0.9)
_LAMP_HEIGHT, _LAMP_RADIUS = 0.25, 0.09
LAMPS = {"blue": (0.2, (40, 80, 255)), "green": (0.5, (40, 255, 80)), "red": (0.8, (255, 60, 40))}
GROUND, _RAIL, METAL, DARK = (40, 40, 48), (110, 110, 110), (220, 220, 220), 0.15


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CausalCircuit(LabelledRows):
    """Rows of CausalCircuit, published or synthetic.

    Attributes:
        graph: the modelling graph.
        labels: arm, blue, green and red, each of shape (n,).
        images: uint8, shape (n, 3, size, size).
        scm: the explicit graph of the labels; None of published rows.
        exogenous: its exogenous variables, each of shape (n,); none of published rows.
    """

    graph: Graph
    labels: Mapping[str, NDArray[np.float64]]
    images: Tensor
    scm: Graph | None
    exogenous: Mapping[str, NDArray[np.float64]]

    @property
    def synthetic(self) -> bool:
        """Whether the rows are those of the look-alike."""
        return self.scm is not None

    def true_counterfactual(
        self, indices: Tensor | NDArray[Any] | list[int], do: Mapping[str, Any]
    ) -> dict[str, Tensor]:
        """The rows ``indices`` as they would have been under ``do``: labels, ``image`` in [0, 1].

        Args:
            indices: shape (batch,).
            do: values of any of the labels, one for all rows or one per row.

        Raises:
            DataError: published rows, or an intervention on what is no label.
            EvidenceError: a value outside of 0 to 1.
        """
        if self.scm is None:
            raise DataError(
                "causal_circuit: no true counterfactual of published pictures; "
                "only those of synthetic=True are known"
            )
        rows = np.asarray(indices, dtype=np.int64).reshape(-1)
        exogenous = {name: values[rows] for name, values in self.exogenous.items()}
        values = solve(self.scm, exogenous, {name: self._value(name, do[name]) for name in do})
        images = torch.from_numpy(_drawn(values, self.images.shape[-1]))
        labels = {name: torch.from_numpy(values[name]) for name in LABELS}
        return {**labels, "image": images.float() / 255}

    def _value(self, name: str, value: Any) -> NDArray[np.float64]:
        if name not in LABELS:
            raise DataError(f"no true counterfactual under do({name}); {one_of(name, LABELS)}")
        return to_engine(name, self.graph.nodes[name].type, value).numpy()


def causal_circuit(
    split: str = "train",
    size: int = _SIZE,
    *,
    n: int | None = None,
    synthetic: bool = False,
    folder: str | Path | None = None,
    seed: int = 0,
    workers: int | None = None,
) -> CausalCircuit:
    """Read the published CausalCircuit, or draw its synthetic look-alike.

    Args:
        split: "train", "validation" or "test".
        size: height and width, 16 to 512; 128 as in CausalDiffAE.
        n: number of rows; default all there are in the files, or 5,000 / 1,000 / 1,000 synthetic
            ones. CausalDiffAE trains on the first 50,000.
        synthetic: draw the look-alike.
        folder: the folder of the published files; default ``$CAUSALFLOW_DATA/causal_circuit``.
        seed: the seed of the synthetic labels; the splits draw different ones.
        workers: processes that decode the published pictures; default one a core.

    Raises:
        DataError: an unknown split, an impossible size or n, files that are missing or that only
            pickle could read.
    """
    check_split(split)
    if not _SMALLEST <= size <= _LARGEST:
        raise DataError(f"causal_circuit: size is {size}; expected {_SMALLEST} to {_LARGEST}")
    if n is not None and n < 1:
        raise DataError(f"causal_circuit: n is {n}; expected at least 1")
    graph = at_size(load(graph_path("causal_circuit")), size)
    if synthetic:
        return _synthetic(graph, split, size, _ROWS[split] if n is None else n, seed)
    files = circuit_files(split, None if folder is None else Path(folder))
    latents, images = read_circuit(files, size, n, workers)
    labels = {name: latents[:, k].copy() for k, name in enumerate(LABELS)}
    pictures = torch.from_numpy(images)
    return CausalCircuit(graph=graph, labels=labels, images=pictures, scm=None, exogenous={})


def circuit_files(split: str, folder: Path | None = None) -> list[Path]:
    """The files of a split, in the order of their numbers.

    Raises:
        DataError: there are none.
    """
    place = data_folder() / "causal_circuit" if folder is None else Path(folder)
    pattern = re.compile(rf"{_PARTS[split]}(?:-(\d+))?\.npz")
    found = {path: match for path in place.glob("*.npz") if (match := pattern.fullmatch(path.name))}
    if not found:
        raise DataError(
            f"{place}: no file {_PARTS[split]}.npz or {_PARTS[split]}-0.npz; set $CAUSALFLOW_DATA, "
            "or use synthetic=True"
        )
    return sorted(found, key=lambda path: int(found[path][1] or 0))


def read_circuit(
    files: list[Path], size: int, n: int | None = None, workers: int | None = None
) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    """The first n rows of files: arm, blue, green, red (n, 4), and pictures (n, 3, size, size).

    Args:
        files: read one after the other, no more than are needed.
        size: height and width; pillow reduces the pictures to it, which takes 3 ms each.
        n: number of rows; default all.
        workers: processes that decode; default one a core.

    Raises:
        DataError: a file that is none of these, pictures among Python objects, or too few rows.
    """
    latents: list[NDArray[np.float64]] = []
    pictures: list[NDArray[np.uint8]] = []
    wanted = n
    for path in files:
        if wanted == 0:
            break
        values, images = _read(path, wanted)
        latents.append(values)
        decode = partial(_decoded, size=size, name=str(path))
        pictures.append(
            by_pieces(decode, (images,), piece=_PIECE, workers=workers, label=path.name)
        )
        wanted = None if wanted is None else wanted - len(values)
    if wanted:
        raise DataError(f"{files[0].parent}: {(n or 0) - wanted:,} rows; {n:,} asked for")
    return np.concatenate(latents), np.concatenate(pictures)


def _read(path: Path, n: int | None) -> tuple[NDArray[np.float64], NDArray[Any]]:
    """Latents (rows, 4) and encoded pictures of the first of each pair."""
    fields = read_arrays(path, (_LATENTS, _IMAGES))
    latents, images = fields[_LATENTS], fields[_IMAGES]
    if latents.ndim != 3 or latents.shape[1:] != (2, 4) or latents.dtype.kind != "f":
        shown = f"{latents.dtype} of shape {latents.shape}"
        raise DataError(f"{path}: '{_LATENTS}' is {shown}; expected floats of shape (N, 2, 4)")
    if images.shape[:2] != latents.shape[:2] or not _is_encoded(images):
        shown = f"{images.dtype} of shape {images.shape}"
        raise DataError(
            f"{path}: '{_IMAGES}' is {shown}; expected {len(latents)} pairs, as bytes (N, 2), "
            "padded bytes (N, 2, length) or pixels (N, 2, height, width, 3)"
        )
    return latents[:n, 0][:, _ORDER].astype(np.float64), images[:n, 0]


def _is_encoded(images: NDArray[Any]) -> bool:
    if images.dtype.kind == "S":
        return images.ndim == 2
    pixels = images.ndim == 5 and images.shape[-1] == 3
    return images.dtype == np.uint8 and (images.ndim == 3 or pixels)


def _decoded(images: NDArray[Any], *, size: int, name: str) -> NDArray[np.uint8]:
    """Pictures, uint8, shape (rows, 3, size, size)."""
    return np.stack([_one(image, size, name) for image in images])


def _one(image: Any, size: int, name: str) -> NDArray[np.uint8]:
    if np.ndim(image) == 3:
        return _reduced(Picture.fromarray(image), size, name)
    with opened_picture(bytes(image), f"{name}: a picture that cannot be decoded") as picture:
        return _reduced(picture, size, name)


def _reduced(picture: Picture.Image, size: int, name: str) -> NDArray[np.uint8]:
    if max(picture.size) > CIRCUIT_SIDE:
        raise DataError(f"{name}: a picture of {picture.size[0]} x {picture.size[1]} pixels")
    small = picture.convert("RGB").resize((size, size), Picture.Resampling.BILINEAR)
    return np.moveaxis(np.asarray(small, dtype=np.uint8), -1, 0)


def draw_circuit(
    arm: NDArray[np.float64],
    blue: NDArray[np.float64],
    green: NDArray[np.float64],
    red: NDArray[np.float64],
    *,
    size: int,
) -> NDArray[np.uint8]:
    """Pictures of the look-alike, uint8, shape (n, 3, size, size); the labels (n,), in 0 to 1.

    The arm is an upright bar whose foot runs along the track below; a lamp is a disk of its colour,
    15 % as bright when off as when fully lit.
    """
    picture = np.empty((len(arm), 3, size, size))
    picture[:] = np.asarray(GROUND, dtype=np.float64)[:, None, None]
    left, right = TRACK
    place, one = size * (left + (right - left) * np.asarray(arm)), np.ones(len(arm))
    height = size * _TRACK_HEIGHT * one
    rail = (size * left * one, height), (size * right * one, height)
    paint(picture, _RAIL, stripe(*rail, size * _THIN, size))
    top = size * _ARM_TOP * one
    paint(picture, METAL, stripe((place, top), (place, height), size * _THICK, size))
    for light, (lamp, (_, colour)) in zip((blue, green, red), LAMPS.items(), strict=True):
        brightness = DARK + (1 - DARK) * np.asarray(light)
        paint(picture, brightness[:, None] * np.asarray(colour), lamp_cover(lamp, size))
    return np.rint(picture).astype(np.uint8)


def lamp_cover(lamp: str, size: int) -> NDArray[np.float64]:
    """The share of each pixel that a lamp covers, shape (1, size, size)."""
    centre = (size * LAMPS[lamp][0] * np.ones(1), size * _LAMP_HEIGHT * np.ones(1))
    radius = size * _LAMP_RADIUS
    return disk(centre, (radius, radius), size)


def _synthetic(graph: Graph, split: str, size: int, n: int, seed: int) -> CausalCircuit:
    scm = load(graph_path("causal_circuit_scm"))
    generator = np.random.default_rng([seed, SPLITS.index(split)])
    exogenous = draw_exogenous(scm, n, generator)
    labels = solve(scm, exogenous)
    images = torch.from_numpy(_drawn(labels, size))
    return CausalCircuit(graph=graph, labels=labels, images=images, scm=scm, exogenous=exogenous)


def _drawn(labels: Mapping[str, NDArray[np.float64]], size: int) -> NDArray[np.uint8]:
    arrays = tuple(labels[name] for name in LABELS)
    draw = partial(draw_circuit, size=size)
    return by_pieces(draw, arrays, piece=_PIECE, workers=1, label="pictures")
