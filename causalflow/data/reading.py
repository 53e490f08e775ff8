"""Reading: how rows of one's own are read: sizes, windows, slices, damaged pictures, memory."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any, ClassVar

from causalflow.data.medical import SLICE
from causalflow.data.pictures import Manner
from causalflow.data.resizing import RULES
from causalflow.errors import DataError, shown
from causalflow.options import Names, Number, Options, Whole, option

__all__ = ["Reading", "Window"]

_PERCENT = re.compile(r"(\d+(?:\.\d+)?)%")

Window = tuple[float, float]
"""The numbers that are black and white, or percentages of the pixels below them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading(Options):
    """How rows of one's own are read; every default lives here.

    Args:
        resize: Rule by which pictures of other sizes become the graph's: "refuse", "cover" (scaled
            and cut off), "contain" (scaled, the rest black) or "stretch".
        window: Numbers that are black and white, "-160,240", or the shares of pixels below them,
            "1%,99%", found in the rows that are read; "": each format's own.
        slice: Slice of volumes that is the picture, "z=50%" or "z=12"; "": they have only one.
        on_error: "refuse" or "skip" rows whose picture is damaged or missing.
        workers: Threads that decode pictures; 0: none beside the one that asks.
        memory: Megabytes of pictures that are kept in memory; above, they are decoded when asked
            for.
    """

    title: ClassVar[str] = "data"
    error: ClassVar[type[DataError]] = DataError

    resize: str = option("refuse", Names(RULES))
    window: str | tuple[Any, Any] = option("")
    slice: str = option("")
    on_error: str = option("refuse", Names(("refuse", "skip")))
    workers: int = option(2, Whole(0, 64))
    memory: float = option(2048.0, Number(0))

    def __post_init__(self) -> None:
        """Refuse what is no window and no slice."""
        Options.__post_init__(self)
        self.ends()
        parts = SLICE.fullmatch(self.slice) if isinstance(self.slice, str) else None
        if self.slice != "" and parts is None:
            raise DataError(f"data: slice={shown(self.slice, 40)}; expected z=50%, x=12, ...")

    def manner(self) -> Manner:
        """How one picture is read by itself; a window in percent is found in rows, not in one."""
        window, percent = self.ends()
        if percent is not None:
            raise DataError(
                f"data: window={self.window} is found in rows; give the numbers that it was"
            )
        return Manner(resize=self.resize, window=window, cut=self.slice, workers=self.workers)

    def ends(self) -> tuple[Window | None, Window | None]:
        """The window as numbers, or as percentages."""
        given = self.window
        parts = given.split(",") if isinstance(given, str) else list(given)
        if given == "":
            return None, None
        texts = [str(part).strip() for part in parts]
        shares = [_PERCENT.fullmatch(text) for text in texts]
        try:
            percent = all(shares)
            low, high = (float(t.rstrip("%")) if percent else float(t) for t in texts)
        except ValueError:
            low, high, percent = 0.0, 0.0, False
        if not (low < high and math.isfinite(high - low)) or (percent and high > 100):
            raise DataError(
                f"data: window={shown(given, 40)}; expected LOW,HIGH as in -160,240 or 1%,99%"
            )
        return (None, (low, high)) if percent else ((low, high), None)
