"""The types of a declaration: what a node, an edge and an exogenous variable can be.

A declaration is data: nothing here parses text (`causalflow.formats.formats`) or computes
(`causalflow.admg.admg`). All types are frozen; equality is equality of content, so that file ->
Graph -> file can be tested as a law.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TypeAlias

from causalflow.equations.equation import Equation
from causalflow.graph.diffusion import Diffusion
from causalflow.values.finite import FiniteType, Level, finite
from causalflow.values.real import RealType

__all__ = [
    "Anticausal",
    "Class",
    "Continuous",
    "Diffusion",
    "Edge",
    "EdgeKind",
    "Exogenous",
    "Family",
    "Finite",
    "Image",
    "Level",
    "Neural",
    "Node",
    "Rows",
    "Symbol",
    "Vector",
]

Rows: TypeAlias = tuple[tuple[tuple[Level, ...], tuple[Fraction, ...]], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Symbol:
    """A node of a purely symbolic graph: it has a name and no type yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Class:
    """A finite variable; which values stand for a level: `causalflow.values.finite`.

    Attributes:
        levels: the names, in order; integers 0..K-1 when the file gives a number.
        noise: how its exogenous variable enters: "gumbel", "monotone" or "response" (names of
            `causalflow.mechanisms.categorical.NOISES` and of
            `causalflow.exact.coupling.COUPLINGS`); None: the file makes no choice. A fitted
            mechanism is then "gumbel"; a counterfactual of a node with a table cannot be asked.
        equation: the explicit mechanism, if declared.
        table: P(node | parents), if declared: (levels of the parents, probabilities) for each
            combination, the last parent's fastest; the parents in the order in which the edges name
            them.
        representation: length of the vector that stands for the node in its images, aligned with
            its level (`causalflow.mechanisms.image.representation`); None: they are told the level.
    """

    levels: tuple[Level, ...]
    noise: str | None = None
    equation: Equation | None = None
    table: Rows | None = None
    representation: int | None = None

    @property
    def type(self) -> FiniteType:
        """What values it takes, and how they are read."""
        return finite(self.levels)


@dataclass(frozen=True, slots=True, kw_only=True)
class Continuous:
    """A real variable in the unit that the file declares.

    Attributes:
        support: the interval (low, high) of possible values; infinite ends are allowed, and a
            finite one may have a mass.
        unit: shown in tables and on axes.
        noise: "flow" (monotone conditional flow), "additive" (f(parents) + u) or "linear" (least
            squares + u).
        equation: the explicit mechanism, if declared.
        representation: length of the vector that stands for the node in its images, aligned with
            its value (`causalflow.mechanisms.image.representation`); None: they are told the value.
    """

    support: tuple[float, float] = (-math.inf, math.inf)
    unit: str | None = None
    noise: str = "flow"
    equation: Equation | None = None
    representation: int | None = None

    @property
    def type(self) -> RealType:
        """What values it takes, and how they are read."""
        return RealType(low=self.support[0], high=self.support[1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image variable.

    Attributes:
        shape: (channels, height, width).
        levels: number of values of a discrete pixel; None: pixels are real, in [0, 1].
        diffusion: the options of its diffusion model.
        equation: the explicit mechanism, one entry a pixel in row-major order, if declared.
        stated: the options that the declaration names, at their defaults too; no part of equality.
    """

    shape: tuple[int, int, int]
    levels: int | None = None
    diffusion: Diffusion = field(default_factory=Diffusion)
    equation: Equation | None = None
    stated: frozenset[str] = field(default=frozenset(), compare=False, repr=False)


Node: TypeAlias = Symbol | Class | Continuous | Image


@dataclass(frozen=True, slots=True, kw_only=True)
class Vector:
    """What a network is told of a node that has a representation; no file declares it."""

    length: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Neural:
    """The parent conditions the child's network."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Anticausal:
    """The gradient of a predictor p(parent | child) acts as the mechanism (image children only).

    Attributes:
        scale: strength s of the gradient. By Bayes' rule 1 is right for an exact predictor; a
            learned one is less sure than that, and 2 served every net measured better.
    """

    scale: float = 2.0


EdgeKind: TypeAlias = Neural | Anticausal


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """A directed edge and what it compiles to."""

    source: str
    target: str
    kind: EdgeKind = field(default_factory=Neural)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finite:
    """A finite exogenous variable on 0..len(p)-1; ``p`` are exact fractions that sum to one."""

    p: tuple[Fraction, ...]

    @property
    def type(self) -> FiniteType:
        """What values it takes, and how they are read."""
        return finite(range(len(self.p)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """A parametric exogenous variable.

    Attributes:
        name: a name of `causalflow.equations.law.FAMILIES` ("normal", "gamma", ...).
        parameters: (name, value) pairs in the family's own order.
    """

    name: str
    parameters: tuple[tuple[str, float], ...]

    @property
    def type(self) -> RealType:
        """What values it takes, and how they are read."""
        return RealType()


Exogenous: TypeAlias = Finite | Family
