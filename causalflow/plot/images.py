"""Images: pictures of counterfactuals in a grid, one labelled row per intervention.

Images are (batch, channel, height, width) with 1 (gray) or 3 (red, green, blue) channels, float in
[0, 1] or uint8; pixels are enlarged, not smoothed, so that a row can be read at a glance. Figures
are matplotlib objects made without pyplot: nothing is shown, no state is kept.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from causalflow.errors import DataError, one_of
from causalflow.files import whole_file, written

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["ASKED", "asked", "draw_to", "image_grid", "save_figure"]

_CELL = 0.92  # inches: an image with its share of the gap
_GAP = 0.07
_LABEL_INCH = 0.088  # width of a character of a row's label
_TITLE_INCH = 0.115
_CAPTION = 0.19
_CAPTION_LINE = 0.13  # every further line of a caption
_CAPTION_WIDTH = 15  # letters of a caption as wide as an image
_TITLE = 0.4
_NOTE_INCH = 0.075
_MARGIN = 0.15
_INK, _FAINT = "#1f2328", "#656d76"

ASKED = "as asked of the picture, not read off it"
"""Ends a sentence on the labels below pictures that a model drew."""


def asked(captions: Sequence[str]) -> list[str]:
    """The captions of pictures that answer an intervention, which they need not show.

    Example:
        >>> asked(["7 red"])
        ['asked: 7 red']
    """
    return [f"asked: {caption}" if caption else "" for caption in captions]


def image_grid(
    rows: Mapping[str, Any],
    captions: Mapping[str, Sequence[str]] | None = None,
    *,
    title: str | None = None,
    note: str | None = None,
) -> Figure:
    """A figure with one row of images per entry of ``rows``.

    Args:
        rows: label -> images, tensor or array (batch, channel, height, width); rows may differ in
            length.
        captions: label -> one short text per image, shown under it ("7 red, bar").
        title: shown on top.
        note: shown below all, in small letters, such as what the captions are.

    Raises:
        DataError: no rows, misshapen images, or captions that do not match them.
    """
    pictures = {label: _pixels(label, images) for label, images in rows.items()}
    if not pictures:
        raise DataError("image_grid: expected at least one row of images")
    texts = captions or {}
    for label, entries in texts.items():
        if label not in pictures or len(entries) != len(pictures[label]):
            raise DataError(f"image_grid: row '{label}': expected one caption per image of a row")
    texts = {label: [_wrapped(entry) for entry in entries] for label, entries in texts.items()}
    heights = [_CELL + _caption_height(texts.get(label, ())) for label in pictures]
    columns = max(len(images) for images in pictures.values())
    label_width = _LABEL_INCH * max(max(map(len, label.split("\n"))) for label in pictures) + 0.2
    lines = textwrap.wrap(note or "", round((label_width + columns * _CELL) / _NOTE_INCH))
    room = [*heights, _CAPTION * len(lines)]
    figure, place = _canvas(label_width, columns, room, title)
    if lines:
        foot = (_MARGIN / place.size[0], _MARGIN / place.size[1])
        figure.text(*foot, "\n".join(lines), ha="left", va="bottom", fontsize=8, color=_FAINT)
    for row, (label, images) in enumerate(pictures.items()):
        _draw_row(figure, place, row, label, images, texts.get(label, ()))
    return figure


def save_figure(figure: Figure, path: str | Path, *, dpi: int = 150) -> None:
    """Write a figure; the format is that of the suffix. The file appears whole or not at all.

    Raises:
        DataError: an unknown format, or a folder that cannot be written to.
    """
    kind = Path(path).suffix.removeprefix(".") or "png"
    allowed = figure.canvas.get_supported_filetypes()
    if kind not in allowed:
        raise DataError(f"{path}: unknown format '{kind}'; {one_of(kind, allowed)}")
    with written(path, DataError), whole_file(path) as part:
        draw_to(figure, part, kind, dpi)


def draw_to(figure: Figure, part: Path, kind: str, dpi: float) -> None:
    """Draw a figure into a file: the same figure gives the same bytes, no date, no random ids."""
    from matplotlib import rc_context

    undated = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}
    with rc_context({"svg.hashsalt": "causalflow"}):
        figure.savefig(part, format=kind, dpi=dpi, facecolor="white", metadata=undated.get(kind))


def _wrapped(caption: str) -> str:
    """A caption in lines no wider than its image, broken between words."""
    lines = textwrap.wrap(caption, _CAPTION_WIDTH, break_long_words=False, break_on_hyphens=False)
    return "\n".join(lines)


def _caption_height(captions: Sequence[str]) -> float:
    """The inches below a row of images."""
    if not captions:
        return 0.0
    return _CAPTION + _CAPTION_LINE * max(caption.count("\n") for caption in captions)


class _Place:
    """Where an image goes, in fractions of the figure."""

    def __init__(self, size: tuple[float, float], left: float, tops: Sequence[float]) -> None:
        self.size, self.left, self.tops = size, left, tops

    def image(self, row: int, column: int) -> tuple[float, float, float, float]:
        """left, bottom, width, height."""
        width, height = self.size
        side = _CELL - _GAP
        bottom = self.tops[row] - side
        return (self.left + column * _CELL) / width, bottom / height, side / width, side / height

    def label(self, row: int) -> tuple[float, float]:
        """Right end and middle of a row's label."""
        width, height = self.size
        return (self.left - 0.12) / width, (self.tops[row] - (_CELL - _GAP) / 2) / height


def _canvas(
    label_width: float, columns: int, heights: Sequence[float], title: str | None
) -> tuple[Figure, _Place]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    from causalflow.plot.figure import ShownFigure

    header = _TITLE if title else 0.0
    left = _MARGIN + label_width
    width = max(left + columns * _CELL, _TITLE_INCH * len(title or "")) + _MARGIN
    size = (width, 2 * _MARGIN + header + sum(heights))
    figure = ShownFigure(size, facecolor="white")
    FigureCanvasAgg(figure)
    top = size[1] - _MARGIN - header
    tops = [top - sum(heights[:row]) for row in range(len(heights))]
    if title:
        position = (_MARGIN / size[0], 1 - _MARGIN / size[1])
        figure.text(*position, title, ha="left", va="top", fontsize=12, weight="bold", color=_INK)
    return figure, _Place(size, left, tops)


def _draw_row(
    figure: Figure,
    place: _Place,
    row: int,
    label: str,
    images: NDArray[Any],
    captions: Sequence[str],
) -> None:
    figure.text(
        *place.label(row),
        label,
        ha="right",
        va="center",
        fontsize=10.5,
        color=_INK,
        linespacing=1.3,
    )
    for column, image in enumerate(images):
        axes = figure.add_axes(place.image(row, column))
        _draw_image(axes, image)
        if captions:
            axes.set_xlabel(captions[column], fontsize=7.5, color=_FAINT, labelpad=2.5)


def _draw_image(axes: Axes, image: NDArray[Any]) -> None:
    axes.imshow(image, interpolation="nearest", cmap="gray", vmin=0, vmax=1)
    axes.set(xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set_visible(False)


def _pixels(label: str, images: Any) -> NDArray[Any]:
    """Images for imshow: in [0, 1], shape (batch, height, width) or (batch, height, width, 3)."""
    array = np.asarray(images.detach().cpu() if hasattr(images, "detach") else images)
    if array.ndim != 4 or array.shape[1] not in (1, 3) or not len(array):
        expected = "(batch, 1 or 3, height, width)"
        raise DataError(
            f"image_grid: row '{label}': images of shape {array.shape}; expected {expected}"
        )
    unit = array / 255 if array.dtype == np.uint8 else array.clip(0, 1)
    return unit[:, 0] if array.shape[1] == 1 else np.moveaxis(unit, 1, -1)
