"""Habit: how the pictures that a model was fitted to were read, so that others are read alike.

A picture of the same thing becomes other numbers under another window, and another picture under
another rule of size. So a model keeps, of each image node,

    resize   the rule by which other sizes became the graph's
    window   the numbers that were black and white, as numbers also where shares had found them
    slice    the slice of volumes that was the picture
    ends     the ends of the formats that were seen: 0 and 255, 0 and 65535, 0 and 1, or none

and pictures are read by it wherever nothing else is asked for. What is asked for wins. Either a
departure, or a picture whose format has other ends than all that were seen, is warned of.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from causalflow.errors import CausalflowWarning, CheckpointError, one_line

__all__ = ["FIELDS", "Ends", "Habit", "ends_text"]

Ends = tuple[float, float] | None
FIELDS = ("resize", "window", "slice")


@dataclass(frozen=True, slots=True, kw_only=True)
class Habit:
    """How the pictures of a node were read; the fields are those of the module.

    Example:
        >>> Habit(resize="cover", window=(0.0, 4095.0)).options(["window"])
        {'resize': 'cover', 'slice': ''}
    """

    resize: str = "refuse"
    window: Ends = None
    slice: str = ""
    ends: tuple[Ends, ...] = ()

    def options(self, spelt: Iterable[str] = ()) -> dict[str, Any]:
        """Those fields of `causalflow.data.reading.Reading` that are not spelt out."""
        fields = {"resize": self.resize, "window": self.window or "", "slice": self.slice}
        return {name: value for name, value in fields.items() if name not in spelt}

    def warn_of(self, name: str, other: Habit, stacklevel: int = 1) -> None:
        """Tell how pictures of a node that were read by ``other`` depart from this."""
        if found := self._departures(other):
            text = f"node '{name}': the model was fitted to pictures of another reading: "
            warnings.warn(
                one_line(text, "; ".join(found)), CausalflowWarning, stacklevel=stacklevel + 1
            )

    def _departures(self, other: Habit) -> list[str]:
        found = [
            f"{field}={_text(then)}, now {field}={_text(now)}"
            for field in FIELDS
            if (then := getattr(self, field)) != (now := getattr(other, field))
            and not (field == "resize" and self.resize == "refuse")
        ]
        new = [each for each in other.ends if self.ends and each not in self.ends]
        if new:
            seen = " and ".join(map(ends_text, self.ends))
            found.append(f"numbers {seen}, now {' and '.join(map(ends_text, new))}")
        return found

    def record(self) -> dict[str, Any]:
        """As JSON has it; `read` is the way back."""
        return {
            **{name: value for name, value in self.options().items() if name != "window"},
            "window": self.window and list(self.window),
            "ends": [each and list(each) for each in self.ends],
        }

    @staticmethod
    def read(name: str, given: Mapping[str, Any], rules: Container[str]) -> Habit:
        """What `record` gave, for node ``name``, every field checked.

        Raises:
            CheckpointError: it is none.
        """
        resize: Any = given.get("resize")
        cut, ends = given.get("slice"), given.get("ends")
        named = isinstance(resize, str) and resize in rules
        if named and isinstance(cut, str) and isinstance(ends, list):
            try:
                window, seen = _pair(given.get("window")), tuple(map(_pair, ends))
                return Habit(resize=resize, window=window, slice=cut, ends=seen)
            except ValueError:
                pass
        raise CheckpointError(f"experience: how pictures of '{name}' were read is not readable")


def _pair(given: Any) -> Ends:
    """Two numbers, the first the less, or none."""
    if given is None:
        return None
    if not isinstance(given, list) or [type(each) for each in given] != [float, float]:
        raise ValueError
    if not -math.inf < given[0] < given[1] < math.inf:
        raise ValueError
    return given[0], given[1]


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        return ",".join(f"{end:g}" for end in value)
    return str(value or "none")


def ends_text(ends: Ends) -> str:
    """The ends of a format in words."""
    return "no ends of their own" if ends is None else f"{ends[0]:g} to {ends[1]:g}"
