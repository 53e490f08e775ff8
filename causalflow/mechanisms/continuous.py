"""Continuous: a real node, x = g(a + w . f(pa) + sigma t(e)), e increasing in u ~ N(0, 1).

Notation: f(pa) the parents' features (continuous parents as they are, class parents one-hot
without level 0); a, w, sigma the least-squares fit of y = g^-1(x) and its residual standard
deviation, set in `calibrate`; e = e(u; pa) a map of `causalflow.mechanisms.flow`; g the map of the
real line onto the node's support:

    (-inf, inf)  g(y) = y            (low, high)  g(y) = low + (high - low) sigmoid(y)
    (low, inf)   g(y) = low + exp y  (-inf, high) g(y) = high - exp y

An end that occurs in the data is *closed*: g leaves it open to the line and stops there, so that
the end has a mass, an interval of u (`causalflow.mechanisms.line`).

t(e) = e, but in a flow whose residuals are so heavy-tailed that their standard deviation is that of
a few rows: there a, w, sigma are fitted to the middle of the data, and t straightens what is bent
(`causalflow.nn.tails`). The networks' inputs are standardised, and bent, in the same way.

Everything is float64, and u -> x is inverted in closed form.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import cast

import torch
from torch import Tensor, nn

from causalflow.errors import CompileError, DataError, EvidenceError
from causalflow.graph.node import Continuous, Node
from causalflow.mechanisms.features import columns, width
from causalflow.mechanisms.flow import NOISES, ResidualMap
from causalflow.mechanisms.line import Line, censored, drawn_below, least_squares, middle
from causalflow.mechanisms.mechanism import Noise, Values, all_labelled, draw_normal, filled
from causalflow.nn.embedding import NumberEmbedding, ParentEmbedding
from causalflow.nn.encoder import MLP
from causalflow.nn.engine import Engine, RealLine, Site
from causalflow.nn.tails import bent, is_heavy, log_slope, measured, sizes, straight
from causalflow.registry import loaded
from causalflow.values.real import RealType

__all__ = ["ENGINE", "ContinuousMechanism", "to_real", "to_support"]

IMAGE_FEATURES = 64
DEFAULT = "flow"


def to_real(x: Tensor, support: tuple[float, float]) -> tuple[Tensor, Tensor]:
    """y = g^-1(x) and log |dy/dx|; NaN where x is not inside the support."""
    low, high = support
    if math.isinf(low) and math.isinf(high):
        return x, torch.zeros_like(x)
    below, above = torch.log(x - low), torch.log(high - x)
    if math.isinf(high):
        return below, -below
    if math.isinf(low):
        return above, -above
    return below - above, math.log(high - low) - below - above


def to_support(y: Tensor, support: tuple[float, float]) -> Tensor:
    """x = g(y); what rounding would take to an end is the last number inside."""
    low, high = support
    if math.isinf(low) and math.isinf(high):
        return y
    if math.isinf(high):
        x = low + torch.exp(y)
    elif math.isinf(low):
        x = high - torch.exp(y)
    else:  # from the nearer end, so that no digits are lost where x is close to it
        above, below = torch.sigmoid(y), torch.sigmoid(-y)
        x = torch.where(y < 0, low + (high - low) * above, high - (high - low) * below)
    return x.clamp(math.nextafter(low, math.inf), math.nextafter(high, -math.inf))


class ContinuousMechanism(nn.Module):
    """A continuous node's mechanism.

    Args:
        name: the node's name.
        node: the node's declaration; ``node.noise`` is a name of
            `causalflow.mechanisms.flow.NOISES`.
        parents: the parents' declarations by name.

    Attributes:
        weights: w, shape (features,); in y's unit over the feature's unit.
        intercept: a, shape ().
        scale: sigma, shape ().
        bend: the bend of t, shape (); infinite where t(e) = e.
        bends: the bends of the features, shape (features,).
        closed: 1 where the lower, the upper end of the support has a mass, shape (2,).

    Raises:
        CompileError: an image among the parents of a "linear" node.
    """

    weights: Tensor
    intercept: Tensor
    scale: Tensor
    centre: Tensor
    spread: Tensor
    bend: Tensor
    bends: Tensor
    closed: Tensor

    def __init__(self, name: str, node: Continuous, parents: Mapping[str, Node]) -> None:
        super().__init__()
        node = replace(node, noise=node.noise or DEFAULT)
        self.name, self.node, self.parents = name, node, dict(parents)
        self.map = cast(ResidualMap, NOISES.get(str(self.node.noise)))
        embedded = {key: node for key, node in self.parents.items() if not node.type.scalar}
        self.tabular = {key: kind for key, kind in self.parents.items() if key not in embedded}
        features = sum(width(kind) for kind in self.tabular.values())
        for buffer, shape in (("weights", (features,)), ("intercept", ()), ("centre", (features,))):
            self.register_buffer(buffer, torch.zeros(shape, dtype=torch.float64))
        self.register_buffer("scale", torch.ones((), dtype=torch.float64))
        self.register_buffer("spread", torch.ones(features, dtype=torch.float64))
        self.register_buffer("bend", torch.tensor(math.inf, dtype=torch.float64))
        self.register_buffer("bends", torch.full((features,), math.inf, dtype=torch.float64))
        self.register_buffer("closed", torch.zeros(2, dtype=torch.float64))
        self._add_networks(features, embedded)

    def _add_networks(self, features: int, embedded: Mapping[str, Node]) -> None:
        if embedded and not self.map.conditional:
            first, node = next(iter(embedded.items()))
            raise CompileError(
                f"node '{self.name}': noise '{self.node.noise}' cannot have the {node.type.word} "
                f"parent '{first}'; use 'additive' or 'flow'"
            )
        if embedded:
            self.embedding = ParentEmbedding(embedded, IMAGE_FEATURES)
        inputs = features + (IMAGE_FEATURES if embedded else 0)
        if self.map.conditional:
            self.network = MLP(inputs, self.map.conditional, dtype=torch.float64, zero=True)
        if self.map.constant:
            self.constant = nn.Parameter(torch.zeros(self.map.constant, dtype=torch.float64))
        self.has_embedded = bool(embedded)

    @property
    def description(self) -> str:
        """The noise."""
        return f"{self.node.noise} noise"

    @property
    def assumption(self) -> str:
        """The assumption that the noise orders the values."""
        return "noise in which it is monotone"

    def features(self, parents: Values, n: int) -> Tensor:
        """f(pa) of the class and continuous parents: float64, shape (n, features)."""
        return columns(self.tabular, parents, n, self.scale.device)

    @property
    def _open(self) -> tuple[float, float]:
        """The support of g: a closed end is no bound of it."""
        if not any(map(math.isfinite, self.node.support)):
            return self.node.support
        low, high = (bool(end) for end in self.closed)
        start, end = self.node.support
        return (-math.inf if low else start, math.inf if high else end)

    def _ends(self, value: Tensor) -> tuple[Tensor, Tensor]:
        """Which rows are at an end that is closed: with all u below theirs, and with all above."""
        (start, end), (low, high) = self.node.support, self.closed.bool()
        ends = ((value == start) & low, (value == end) & high)
        # (-inf, high) is the one support whose g decreases.
        decreasing = math.isinf(self._open[0]) and math.isfinite(self._open[1])
        return ends[::-1] if decreasing else ends

    def _location(self, parents: Values, n: int) -> tuple[Tensor, Tensor]:
        """a + w . f(pa), shape (n,), and the parameters of the residual's map."""
        features = self.features(parents, n)
        location = self.intercept + features @ self.weights
        parameters = [location.new_empty((n, 0))]
        if self.map.conditional:
            inputs = bent((features - self.centre) / self.spread, self.bends)
            if self.has_embedded:
                inputs = torch.cat([inputs, self.embedding(parents, n).double()], dim=-1)
            parameters.append(self.network(inputs))
        if self.map.constant:
            parameters.append(self.constant.expand(n, -1))
        return location, torch.cat(parameters, dim=-1)

    def _to_noise(self, value: Tensor, parents: Values) -> tuple[Tensor, Tensor]:
        """u and log |du/dx|."""
        y, slope = to_real(value.double(), self._open)
        location, parameters = self._location(parents, len(value))
        residual = (y - location) / self.scale
        u, inner = self.map.to_noise(bent(residual, self.bend), parameters)
        return u, slope + inner + log_slope(residual, self.bend) - torch.log(self.scale)

    def log_prob(self, value: Tensor, parents: Values) -> Tensor:
        """log density of the value in the node's unit, log mass at a closed end: (batch,)."""
        u, slope = self._to_noise(value, parents)
        density = slope - u.square() / 2 - math.log(2 * math.pi) / 2
        if not self.closed.any():
            return density
        below, above = self._ends(value)
        mass = torch.special.log_ndtr(torch.where(above, -u, u))
        return torch.where(below | above, mass, density)

    @torch.no_grad()
    def calibrate(self, values: Values, generator: torch.Generator) -> None:
        """Least squares of g^-1(x) on f(pa), over the rows in which all is labelled.

        Raises:
            DataError: no such row, values outside the support, or numbers without a line.
        """
        names = [self.name, *self.tabular]  # images are not among the labels
        keep = all_labelled(values, names)
        rows = {name: values[name][keep] for name in names}
        if not keep.any():
            raise DataError(f"node '{self.name}': no row has a label of it and of its parents")
        x = rows[self.name].double().to(self.scale.device)
        ends = [(x == end).any() and math.isfinite(end) for end in self.node.support]
        self.closed.copy_(torch.tensor([float(end) for end in ends], dtype=torch.float64))
        y, _ = to_real(x, self._open)
        if not y.isfinite().all():
            raise DataError(f"node '{self.name}': values outside its support {self.node.support}")
        below, above = self._ends(x)
        if (below | above).all():
            raise DataError(
                f"node '{self.name}': every value is an end of its support {self.node.support}; "
                "declare a class"
            )
        features = self.features(rows, len(y))
        self._standardise(features)
        self._set(self._line((features - self.centre) / self.spread, y, below, above))
        self._bend_inputs(features)

    def _standardise(self, features: Tensor) -> None:
        self.centre.copy_(features.mean(0))
        if features.shape[1]:  # torch warns of the deviation of nothing
            unit = sizes(features)
            spread = (features / unit).std(0, correction=0) * unit
            self.spread.copy_(torch.where(spread > 0, spread, 1.0))

    def _line(self, design: Tensor, y: Tensor, below: Tensor, above: Tensor) -> Line:
        """Least squares, but where they are those of a few rows far out, or of closed ends."""
        plain = least_squares(design, y)
        if self.node.noise == "flow" and is_heavy(plain.residual(design, y)):
            return middle(design, y)
        return censored(design, y, below, above) if (below | above).any() else plain

    def _set(self, line: Line) -> None:
        self.weights.copy_(line.slopes / self.spread)
        self.intercept.copy_(line.middle - self.centre @ self.weights)
        self.scale.copy_(line.scale)
        self.bend.copy_(line.bend)
        fitted = torch.cat([self.weights, self.intercept[None], self.scale[None]])
        if not (fitted.isfinite().all() and self.scale > 0):
            raise DataError(
                f"node '{self.name}': numbers so large or so small, its own or its parents', that "
                "no line fits them; give them in another unit"
            )

    def _bend_inputs(self, features: Tensor) -> None:
        """Standardise heavy columns of the network's inputs by their middle, and bend them."""
        self.bends.fill_(math.inf)
        column = 0
        for kind in self.tabular.values():
            if kind.type.numeric and is_heavy(features[:, column]):
                parts = measured(features[:, column])
                for buffer, part in zip((self.centre, self.spread, self.bends), parts, strict=True):
                    buffer[column] = part
            column += width(kind)

    def loss(self, values: Values, generator: torch.Generator) -> Tensor | None:
        """-log p(x | pa), shape (batch,), 0 in rows with a label missing; None if linear."""
        if not self.map.conditional:
            return None
        names = [self.name, *self.parents]
        keep = all_labelled(values, names)
        whole = filled(values, names)
        # Any value inside the support does for the rows that do not count.
        inside = to_support(torch.zeros_like(whole[self.name]), self.node.support)
        value = torch.where(keep, whole[self.name], inside)
        return -self.log_prob(value, {key: whole[key] for key in self.parents}) * keep

    def draw_noise(self, n: int, generator: torch.Generator) -> Noise:
        """n draws of u ~ N(0, 1): {"u": (n,)}."""
        return {"u": draw_normal((n,), generator)}

    @torch.no_grad()
    def abduct(self, value: Tensor, parents: Values, generator: torch.Generator) -> Noise:
        """The u that gives ``value``: {"u": (batch,)}; at a closed end one that does, drawn.

        Raises:
            EvidenceError: a value outside the support.
        """
        u, _ = self._to_noise(value, parents)
        if not u.isfinite().all():
            row = int((~u.isfinite()).nonzero()[0])
            raise EvidenceError(
                f"node '{self.name}': row {row}: no noise gives the value {float(value[row]):g}; "
                f"the support is the open interval {self.node.support}"
            )
        below, above = self._ends(value)
        if (below | above).any():
            drawn = drawn_below(torch.where(above, -u, u), generator)
            u = torch.where(below | above, torch.where(above, -drawn, drawn), u)
        return {"u": u}

    @torch.no_grad()
    def predict(self, parents: Values, noise: Noise) -> Tensor:
        """The value under ``parents`` and ``noise``: float64, shape (batch,)."""
        return self.made(parents, noise)

    @property
    def is_smooth(self) -> bool:
        """Whether no end of the support has a mass."""
        return not bool(self.closed.any())

    @property
    def support(self) -> tuple[float, float]:
        """The declared one."""
        return self.node.support

    def made(self, parents: Values, noise: Noise) -> Tensor:
        """The same with gradients."""
        u = noise["u"].to(self.scale.device)
        location, parameters = self._location(parents, len(u))
        residual = straight(self.map.to_residual(u, parameters), self.bend)
        return to_support(location + self.scale * residual, self._open).clamp(*self.node.support)


def _embedding(kind: RealType, features: int) -> nn.Module:
    return NumberEmbedding(features)


def _mechanism(site: Site) -> nn.Module:
    node = cast(Continuous, site.node)
    place = NOISES.get(node.noise or DEFAULT).place
    made: nn.Module = loaded(place)(site.name, node, site.parents)
    return made


def _real_line(kind: RealType) -> RealLine:
    return RealLine(
        to_real=partial(_real, support=kind.extent),
        to_value=partial(to_support, support=kind.extent),
        inside=_inside(*kind.extent),
    )


def _inside(low: float, high: float) -> float:
    """A value that the support contains."""
    if math.isfinite(low) and math.isfinite(high):
        return (low + high) / 2
    return low + 1 if math.isfinite(low) else high - 1 if math.isfinite(high) else 0.0


def _real(x: Tensor, support: tuple[float, float]) -> Tensor:
    return to_real(x, support)[0]


ENGINE = Engine(embedding=_embedding, mechanism=_mechanism, line=_real_line)
