"""Variable: the values that it can take, by its type; the one place where types of nodes differ.

A type (`NodeType`) says how many values there are, what shape one has, and how it is read and
shown. Whatever works on a node asks these members, never which type it is; what needs torch (how a
network is told a value, the mechanism that makes it) stands in the type's engine
(`causalflow.nn.engine`).

    type        a value                                     stored as
    class       a level                                     int64, its position; -1: none
    continuous  a number                                    float64; NaN: none
    count       a whole number from 0                       float64; NaN: none
    image       numbers, channel x height x width           uint8 or float32
    (none)      of a node that has a name alone: `UNTYPED`

A further type is a module of `causalflow.values`, one of `causalflow.mechanisms`, and a line in
`causalflow.plugins.NODE_TYPES`. Its dataclass's fields, each with its rule (`causalflow.options`),
are the fields of its nodes in a graph file, beside ``noise`` and ``equation``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, TypeAlias

import numpy as np

from causalflow.errors import CausalflowError, EvidenceError, one_of
from causalflow.plugins import NODE_TYPES
from causalflow.values.column import Array

__all__ = ["UNTYPED", "Level", "Look", "NodeType", "Untyped"]

Level: TypeAlias = str | int


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How a node is drawn.

    Attributes:
        shape: "ellipse", "rounded" (a box with round corners) or "card" (a stack of pictures).
        fill: colour of the inside.
        line: colour of the outline.
    """

    shape: str
    fill: str
    line: str


class NodeType(Protocol):
    """What values a variable can take; types are frozen dataclasses that derive from it.

    Attributes:
        word: what a graph file calls it.
        engine: where the networks' side of it is, ``module:name``; imported when first needed.
        look: how a node of it is drawn.
        noises: how the noise of a node can enter, as its file names it; the first by default, the
            last the one that fits most.
        unsaid: how it enters where a file says nothing of it, in a table and beside pictures;
            None: it is for the engine to say.
        pictured: whether values are pictures: pixels in [0, 1] or of some levels, on the public
            face and in PNG files, rescaled for networks, and made by a diffusion model.
    """

    word: ClassVar[str]
    engine: ClassVar[str]
    look: ClassVar[Look]
    noises: ClassVar[tuple[str, ...]] = ()
    unsaid: ClassVar[tuple[str, str] | None] = None
    pictured: ClassVar[bool] = False

    @property
    def levels(self) -> tuple[Level, ...] | None:
        """The values, in order; None: no list has them all."""
        return None

    @property
    def depth(self) -> int | None:
        """How many values a pixel of a discrete image has; None for all others."""
        return None

    @property
    def shape(self) -> tuple[int, ...]:
        """The axes of one value: () of a level or a number."""
        return ()

    @property
    def scalar(self) -> bool:
        """Whether a value is one entry, a level or a number: it has no axes."""
        return not self.shape

    @property
    def numeric(self) -> bool:
        """Whether a value is one number, of which there is no list."""
        return False

    @property
    def missing(self) -> float:
        """What is stored where there is no value."""
        return math.nan

    @property
    def extent(self) -> tuple[float, float]:
        """The least and the largest number that is stored, of an image in a pixel."""
        return -math.inf, math.inf

    @property
    def integral(self) -> bool:
        """Whether all that is stored are whole numbers."""
        return False

    @property
    def in_equations(self) -> Sequence[int] | None:
        """The number that each stored position is in an equation; None: what is stored itself."""
        return None

    @property
    def stored_differs(self) -> bool:
        """Whether a tensor of values holds other numbers than those that are stored."""
        return False

    @property
    def unit(self) -> str | None:
        """The unit of the numbers, if they have one."""
        return None

    @property
    def caption(self) -> str:
        """The small line under a node's name in a drawing."""
        return ""

    @property
    def words(self) -> str:
        """The type, as a table of nodes names it."""
        return self.word

    @property
    def predicate(self) -> str:
        """What a message says that a node is, as in "'x' is continuous"."""
        return self.word

    @property
    def note(self) -> str:
        """What a user should know of how values are read; mostly nothing."""
        return ""

    @property
    def counting(self) -> str:
        """What values that are no numbers count as in a mean; nothing where they are numbers."""
        return ""

    def read(
        self, given: Any, *, where: str = "value", error: type[CausalflowError] = EvidenceError
    ) -> Array:
        """The stored values of a value or of a column, `missing` where there is none.

        Args:
            given: what a user gives: one value, or one a row in any container.
            where: says in an error whose value it is, such as ``node 'x'``.
            error: the class of what is raised.

        Raises:
            CausalflowError: an error of class ``error``, for an entry that is no value; it names
                the row.
        """
        raise NotImplementedError

    def show(self, stored: Any) -> Array:
        """The values as the public face has them; `read` reads them back to the same."""
        raise NotImplementedError

    def names(self, stored: Any) -> Array:
        """The values as a table of rows has them: levels by name, numbers as they are."""
        return self.show(stored)

    def counted(self, stored: Any) -> Array:
        """The number that each value counts as in a mean: float64."""
        return np.asarray(stored, dtype=np.float64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Untyped(NodeType):
    """The type of a node that has a name and no type yet."""

    word: ClassVar[str] = ""
    engine: ClassVar[str] = ""
    look: ClassVar[Look] = Look(shape="ellipse", fill="#f4f5f7", line="#57606c")

    @property
    def words(self) -> str:
        """The words that say that a node has no type."""
        return "untyped"

    def read(
        self, given: Any, *, where: str = "value", error: type[CausalflowError] = EvidenceError
    ) -> Array:
        """Nothing can be read.

        Raises:
            CausalflowError: an error of class ``error``, for what is no value of the type.
        """
        raise error(f"{where} has no type; declare it under nodes: {one_of('', NODE_TYPES)}")

    def show(self, stored: Any) -> Array:
        """What is given."""
        return np.asarray(stored)


UNTYPED = Untyped()
