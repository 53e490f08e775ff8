"""Unlike: pictures that a model has seen nothing of, told by the noise that is found in them.

The position of an image is the noise that its diffusion model makes it of, by the fit a draw of
independent standard normal numbers: their mean square is 1, and of d numbers it strays from that by
sqrt(2 / d). A network that has learned less finds less. Far more than 1 is what neither finds in a
picture of the kind that it was fitted to; below that nothing is said, not that a picture is alike.

Source: the norm of such noise tells what is far from the data, Nalisnick et al. (2019), "Detecting
out-of-distribution inputs to deep generative models using typicality".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from causalflow.model.abduction import Abduction

__all__ = ["FAR", "unlike"]

FAR = 2.0
"""The mean square from which on a picture is named: what the models that ship draw is below 1.3, a
picture of noise or all white above 2.4 (`tests/model/test_unlike.py` has two of them)."""


def unlike(abduction: Abduction, numbers: Sequence[int] | None = None) -> list[str]:
    """A sentence for each image that is unlike those of the fit; of several rows, it names the row.

    Args:
        abduction: the noise that was found in them.
        numbers: the numbers of its rows in messages; None: counted from 0.

    Example:
        >>> from causalflow.model.abduction import Abduction, Info
        >>> unlike(Abduction(noise={}, rows=1, info=Info()))
        []
    """
    rows = abduction.rows // abduction.draws
    numbers = range(rows) if numbers is None else numbers
    said = []
    for name, parts in abduction.noise.items():
        if "position" not in parts:
            continue
        squares = parts["position"][:rows].float().flatten(1).square().mean(1).tolist()
        said += [
            f"{name}{f' of row {number}' if rows > 1 else ''}: unlike the pictures that the model "
            f"was fitted to (the mean square of its noise is {square:.2g}, of theirs about 1): "
            "what is read off it, and the answer, may be wrong"
            for number, square in zip(numbers, squares, strict=True)
            if square > FAR
        ]
    return said
