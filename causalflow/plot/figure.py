"""Figure: matplotlib's, which a notebook shows as a picture, though no pyplot made it."""

from __future__ import annotations

from io import BytesIO

from matplotlib.figure import Figure

__all__ = ["ShownFigure"]

WIDEST, TALLEST, DPI = 1000, 700, 110


class ShownFigure(Figure):
    """A figure that is at most 1000 by 700 pixels large in a notebook."""

    def _repr_png_(self) -> bytes:
        width, height = self.get_size_inches()
        file = BytesIO()
        dpi = min(DPI, WIDEST / width, TALLEST / height)
        self.savefig(file, format="png", dpi=dpi, facecolor="white")
        return file.getvalue()
