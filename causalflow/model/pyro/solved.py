"""Solved equations: x = f(pa, u) as a law of x, u an exogenous variable that no other node reads.

Notation: u has the density p and the distribution function F.

    number   f increases or decreases in u and is undone step by step
             (`causalflow.mechanisms.equation.inversion`):  u = f^-1(x; pa) and
             log p(x | pa) = log p(u) + log |du/dx|
    class    f is one comparison, a(pa, u) < b(pa), a undone likewise, u* the root of a = b:
             P(x = 1 | pa) = F(u*) where a increases in u, else 1 - F(u*)

Where nothing of this holds, u stays a variable of its own and x is certain given it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyro.distributions as dist
import torch
from torch import Tensor

from causalflow.equations.equation import evaluate
from causalflow.equations.term import Comparison, Expression
from causalflow.gaussian.linear_model import line_of
from causalflow.mechanisms.equation.equation_mechanism import EquationMechanism
from causalflow.mechanisms.equation.inversion import branches, invert, names_of
from causalflow.mechanisms.equation.operations import TORCH
from causalflow.mechanisms.exogenous.exogenous import ExogenousVariable
from causalflow.model.pyro.laws import Batch, RowLaw, Rows, exogenous_law, interval

__all__ = ["Solved", "solved"]

BESIDE = 1e-6
"""Of the spread of u and of its place: how far from a root the two sides are tried."""
ORDERS = {"<", "<=", ">", ">="}
TOLD = (
    dist.Exponential,
    dist.Gamma,
    dist.Laplace,
    dist.Logistic,
    dist.LogNormal,
    dist.Normal,
    dist.Uniform,
)
"""The laws whose distribution function Pyro has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Solved:
    """An equation that is a law of its node.

    Attributes:
        mechanism: the node's equation.
        noise: u.
        threshold: a and b of a class; None of a number.
    """

    mechanism: EquationMechanism
    noise: ExogenousVariable
    threshold: tuple[Expression, Expression] | None

    @property
    def is_number(self) -> bool:
        """Whether the value determines u."""
        return self.threshold is None

    def law(self, given: Batch) -> Any:
        """The law of the node's value; a line with normal noise is a normal law."""
        own = exogenous_law(self.noise.name, self.noise.law)
        if self.threshold is not None:
            share = self._share(given.rows(given.shape), own).view(given.shape)
            return dist.Categorical(probs=torch.stack([1 - share, share], dim=-1))
        line = line_of(self.mechanism.equation)
        if line is not None and isinstance(own, dist.Normal):
            rows = {name: given.values[name].double() for name in given.values}
            weighted = [w * rows[name] for name, w in line.weights.items() if name in rows]
            slope = line.weights[self.noise.name]
            middle = sum(weighted, torch.tensor(line.intercept).double() + slope * own.loc)
            return dist.Normal(middle, abs(slope) * own.scale)
        low, high = self.mechanism.node.type.extent
        return RowLaw(given, self._drawn, self._told, support=interval(low, high))

    def noise_of(self, value: Tensor, given: Batch) -> Tensor:
        """u of a number, shape batch."""
        shape = torch.broadcast_shapes(value.shape, given.shape)
        root = self._root(value.expand(shape).reshape(-1), given.rows(shape))
        return root.view(shape)

    def _drawn(self, rows: Rows, n: int) -> Tensor:
        u = exogenous_law(self.noise.name, self.noise.law).sample((n,))
        return self.mechanism.predict({**rows, self.noise.name: u}).expand(n)

    def _told(self, value: Tensor, rows: Rows) -> Tensor:
        followed = any(each.requires_grad for each in (value, *rows.values()))
        with torch.enable_grad():
            x = value if value.requires_grad else value.clone().requires_grad_()
            u = self._root(x, rows)
            (slope,) = torch.autograd.grad(u.sum(), x, create_graph=True)
        own = exogenous_law(self.noise.name, self.noise.law)
        inside = u.isfinite() & (slope != 0)
        told = own.log_prob(torch.where(inside, u, own.sample())) + slope.abs().log()
        told = torch.where(inside, told, -torch.inf)
        return told if followed else told.detach()

    def _root(self, x: Tensor, rows: Rows) -> Tensor:
        (expression,) = self.mechanism.equation.components
        return invert(expression, self.noise.name, x, rows, self.noise.support)[0]

    def _share(self, rows: Rows, own: Any) -> Tensor:
        """P(x = 1), by row."""
        assert self.threshold is not None
        (comparison,) = self.mechanism.equation.components
        assert isinstance(comparison, Comparison)
        inner, outer = self.threshold
        target = torch.as_tensor(evaluate(outer, rows, TORCH)).double()
        n = max((len(value) for value in rows.values()), default=1)
        with torch.enable_grad():
            root = invert(inner, self.noise.name, target.expand(n), rows, self.noise.support)[0]
            below = own.cdf(torch.where(root.isfinite(), root, self.noise.quartiles[1]))
        sides = [
            torch.as_tensor(evaluate(comparison, {**rows, self.noise.name: at}, TORCH)).double()
            for at in self._beside(root)
        ]
        return sides[0] * below + sides[1] * (1 - below)

    def _beside(self, root: Tensor) -> tuple[Tensor, Tensor]:
        """Places of u below and above the root; the middle of its law where there is none."""
        middle = torch.full_like(root, self.noise.quartiles[1])
        at = torch.where(root.isfinite(), root, middle).detach()
        step = torch.where(root.isfinite(), BESIDE * (self.noise.spread + at.abs()), 0.0)
        return at - step, at + step


def solved(mechanism: EquationMechanism, own: Mapping[str, ExogenousVariable]) -> Solved | None:
    """The equation as a law; None where it is none.

    Args:
        mechanism: the node's equation.
        own: the exogenous variables that this equation alone reads.
    """
    continuous = [u for u in own.values() if not u.is_discrete]
    kind, (expression, *rest) = mechanism.node.type, mechanism.equation.components
    if rest or not kind.scalar:
        return None
    for noise in continuous:
        if kind.numeric and not kind.integral and branches(expression, noise.name) == 1:
            return Solved(mechanism=mechanism, noise=noise, threshold=None)
        threshold = _threshold(expression, noise)
        if threshold is not None and kind.levels is not None:
            return Solved(mechanism=mechanism, noise=noise, threshold=threshold)
    return None


def _threshold(
    expression: Expression, noise: ExogenousVariable
) -> tuple[Expression, Expression] | None:
    """The sides of a comparison, the one with u first; None where it is no threshold of u."""
    if not isinstance(expression, Comparison) or len(expression.operands) != 2:
        return None
    inner, outer = sorted(expression.operands, key=lambda side: noise.name not in names_of(side))
    is_order = expression.operators[0] in ORDERS
    alone = noise.name not in names_of(outer) and branches(inner, noise.name) == 1
    law = exogenous_law(noise.name, noise.law)
    return (inner, outer) if is_order and alone and type(law) in TOLD else None
