"""Node: a variable of a graph as it is declared; edges and exogenous variables too.

Every node has a ``type``, what values it takes (`causalflow.values.variable`), and what its file
says of the mechanism: an ``equation``, a ``table``, the ``noise``, a ``representation``, options of
a ``diffusion`` model, each None where there is none. What differs between types is asked of
``node.type``; which declaration it is nobody outside of this file and of the reader has to know.

A declaration is data: nothing here parses text (`causalflow.formats.formats`) or computes
(`causalflow.admg.admg`). All are frozen; equality is equality of content, so that file -> Graph ->
file can be tested as a law.
"""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, ClassVar, TypeAlias, TypeGuard, TypeVar, cast

from causalflow.equations.equation import Equation
from causalflow.errors import CausalflowError
from causalflow.graph.image_options import Diffusion
from causalflow.graph.latent_options import Latent, latent_of
from causalflow.values.finite import FiniteType, finite
from causalflow.values.image import ImageType
from causalflow.values.real import RealType
from causalflow.values.variable import UNTYPED, Level, NodeType, Untyped

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
    "Latent",
    "Level",
    "Neural",
    "Node",
    "Rows",
    "Symbol",
    "Variable",
    "Vector",
    "anchored",
    "as_node_type",
    "diffusion_images",
    "images_of",
    "is_node",
    "levels_of",
    "stated_options",
    "with_noise",
    "without_mechanism",
    "without_own",
]

OWN = {"own": True}
"""Marks a field that only the node's own mechanism reads; nodes below it do not."""

Rows: TypeAlias = tuple[tuple[tuple[Level, ...], tuple[Fraction, ...]], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Symbol:
    """A node of a purely symbolic graph: it has a name and no type yet."""

    type: ClassVar[Untyped] = UNTYPED
    noise: ClassVar[None] = None
    equation: ClassVar[None] = None
    table: ClassVar[None] = None
    representation: ClassVar[None] = None
    diffusion: ClassVar[None] = None
    missing: ClassVar[None] = None


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
        missing: the node whose empty cells it marks (`causalflow.graph.indicator`), if any.
    """

    levels: tuple[Level, ...]
    noise: str | None = field(default=None, metadata=OWN)
    equation: Equation | None = field(default=None, metadata=OWN)
    table: Rows | None = field(default=None, metadata=OWN)
    representation: int | None = None
    missing: str | None = field(default=None, metadata=OWN)

    diffusion: ClassVar[None] = None

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
        noise: "auto" (a regression as rich as the rows ask for, fitted at once), "flow" (monotone
            conditional flow), "additive" (f(parents) + u) or "linear" (least squares + u); None: as
            `Graph.noise_of` says.
        equation: the explicit mechanism, if declared.
        representation: length of the vector that stands for the node in its images, aligned with
            its value (`causalflow.mechanisms.image.representation`); None: they are told the value.
    """

    support: tuple[float, float] = (-math.inf, math.inf)
    unit: str | None = None
    noise: str | None = field(default=None, metadata=OWN)
    equation: Equation | None = None
    representation: int | None = None

    table: ClassVar[None] = None
    diffusion: ClassVar[None] = None
    missing: ClassVar[None] = None

    @property
    def type(self) -> RealType:
        """What values it takes, and how they are read."""
        return RealType(low=self.support[0], high=self.support[1], unit=self.unit)


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image variable.

    Attributes:
        shape: (channels, height, width).
        levels: number of values of a discrete pixel; None: pixels are real, in [0, 1].
        diffusion: the options of its diffusion model.
        latent: the latent that this runs in; None: what `latent_of` gives an image of the shape,
            from 48 pixels of its smaller side on. `Latent(autoencoder="none")` keeps the pixels.
        equation: the explicit mechanism, one entry a pixel in row-major order, if declared.
        stated: the options that the declaration names, at their defaults too; no part of equality.
    """

    shape: tuple[int, int, int]
    levels: int | None = None
    diffusion: Diffusion = field(default_factory=Diffusion, metadata=OWN)
    latent: Latent | None = field(default=None, metadata=OWN)
    equation: Equation | None = None
    stated: frozenset[str] = field(default=frozenset(), compare=False, repr=False)

    noise: ClassVar[None] = None
    table: ClassVar[None] = None
    representation: ClassVar[None] = None
    missing: ClassVar[None] = None

    @property
    def type(self) -> ImageType:
        """What values it takes, and how they are read."""
        return ImageType(shape=self.shape, depth=self.levels)

    @property
    def space(self) -> Latent | None:
        """The latent that its diffusion runs in; None: its pixels."""
        return latent_of(self.latent, self.shape)


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """A node of a type that has a module of its own, here or in another package.

    Attributes:
        type: what values it takes.
        noise: how its exogenous variable enters, one of ``type.noises``.
        equation: the explicit mechanism, if declared.
    """

    type: NodeType
    noise: str | None = field(default=None, metadata=OWN)
    equation: Equation | None = field(default=None, metadata=OWN)

    table: ClassVar[None] = None
    representation: ClassVar[None] = None
    diffusion: ClassVar[None] = None
    missing: ClassVar[None] = None


Node: TypeAlias = Symbol | Class | Continuous | Image | Variable
Declared = TypeVar("Declared", bound=Node)


def is_node(thing: object) -> TypeGuard[Node]:
    """Whether it is the declaration of a node."""
    return isinstance(thing, Node)


def as_node_type(name: str, given: Any) -> type[NodeType]:
    """A type of one's own, as the registry of types takes it.

    Raises:
        CausalflowError: no dataclass that derives from `NodeType`, or its word is another name.
    """
    bases = given.__mro__ if isinstance(given, type) else ()
    is_type = NodeType in bases and dataclasses.is_dataclass(given)
    if not is_type or getattr(given, "word", "") != name:
        raise CausalflowError(
            f"type of a node '{name}': expected a dataclass that derives from "
            f"causalflow.values.variable.NodeType and has word = {name!r}"
        )
    return cast("type[NodeType]", given)


def images_of(nodes: Mapping[str, Node]) -> dict[str, Image]:
    """The image nodes among them, which have options of a diffusion model, in their order."""
    return {name: node for name, node in nodes.items() if node.diffusion is not None}


def diffusion_images(nodes: Mapping[str, Node]) -> dict[str, Image]:
    """The image nodes among them that diffusion models make."""
    return {name: node for name, node in images_of(nodes).items() if node.equation is None}


def stated_options(node: Image) -> dict[str, Any]:
    """What the declaration names, and what is not by default; a default of None says nothing."""
    default = dataclasses.asdict(Diffusion())
    return {
        name: value
        for name, value in dataclasses.asdict(node.diffusion).items()
        if value != default[name] or (name in node.stated and value is not None)
    }


def anchored(node: Image, folder: str) -> Image:
    """The image, its folders of pretrained networks those beside a file that stands in ``folder``.

    Example:
        >>> node = Image(shape=(3, 8, 8), diffusion=Diffusion(backbone="diffusers", folder="unet"))
        >>> anchored(node, "/home/me").diffusion.folder
        '/home/me/unet'
    """
    options: dict[str, Any] = {"diffusion": node.diffusion, "latent": node.latent}
    moved = {
        name: dataclasses.replace(each, folder=os.path.join(folder, each.folder))
        for name, each in options.items()
        if each is not None and each.folder is not None
    }
    return dataclasses.replace(node, **moved) if moved else node


def levels_of(nodes: Mapping[str, Node]) -> dict[str, tuple[Level, ...]]:
    """The levels of those that have finitely many, in their order."""
    found = {name: node.type.levels for name, node in nodes.items()}
    return {name: levels for name, levels in found.items() if levels is not None}


def without_mechanism(node: Declared) -> Declared:
    """The same node, of which nothing says how it is made from its parents."""
    known = {each.name for each in dataclasses.fields(node)}
    explicit: dict[str, Any] = dict.fromkeys(known & {"equation", "table"})
    return dataclasses.replace(node, **explicit)


def with_noise(node: Node, noise: str | None) -> Node:
    """The same node with another noise, of a type that has any."""
    changed: Any = node
    return cast(Node, dataclasses.replace(changed, noise=noise))


def without_own(node: Declared) -> Declared:
    """The same node with its defaults in what its own mechanism alone reads."""
    own = [each for each in dataclasses.fields(node) if each.metadata == OWN]
    defaults: dict[str, Any] = {each.name: _default(each) for each in own}
    return dataclasses.replace(node, **defaults)


def _default(each: dataclasses.Field[Any]) -> Any:
    made = each.default_factory
    return each.default if made is dataclasses.MISSING else made()


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
            learned one is less sure than that, and a fitted model keeps the scale that was chosen
            for its net (`causalflow.graph.settings`).
        stated: whether the declaration names the scale, be it the default; no part of equality.
    """

    scale: float = 2.0
    stated: bool = field(default=False, compare=False, repr=False)


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
