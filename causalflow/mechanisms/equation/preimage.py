"""Preimage: all that the noise u of x = f(pa, u) can have been, with its weight.

The preimage {u : f(pa, u) = x} is a union of points u_k and of intervals I_j, on which f is flat.
Within a distance e of x the evidence has the probability

    interval    P(u in I_j)                       of order 0: x is an atom
    touching    sqrt(8 e / |f''(u_k)|) p(u_k)     of order 1/2: f has a maximum or minimum there
    crossing    2 e p(u_k) / |f'(u_k)|            of order 1
    corner      e p(u_k) (1/|f'-| + 1/|f'+|)      of order 1: f turns round without being smooth

and as e goes to 0 the lowest order that occurs has all the weight; within one order the factors
before e are compared, like with like (`causalflow.mechanisms.exogenous.particles`). Within an
interval the noise keeps its own law, restricted to it.

Where f can be undone step by step the roots are exact (`causalflow.mechanisms.equation.inversion`),
else they are isolated (`causalflow.mechanisms.equation.isolation`): over all but 2e-13 of the
noise's probability, and over the rest where nothing was found there. Roots that are left out so
carry less than 1e-9 of the weight where no slope is 1e4 times flatter there than at those that
count.

Source: Federer (1969), Geometric Measure Theory, section 3.2.12 (the coarea formula, in one
dimension).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from causalflow.equations.equation import evaluate
from causalflow.equations.term import Expression, walk
from causalflow.limits import BOX_OPERATIONS
from causalflow.mechanisms.equation.enclosed_operations import ENCLOSURES
from causalflow.mechanisms.equation.enclosure import Enclosure, enclosed, running
from causalflow.mechanisms.equation.inversion import invert, is_invertible
from causalflow.mechanisms.equation.isolation import Solutions, UndecidedError, isolate
from causalflow.mechanisms.equation.operations import TORCH
from causalflow.mechanisms.exogenous.exogenous import ExogenousVariable

__all__ = ["Preimage", "log_weight", "preimage", "slope_at"]

FLAT, TOUCHING, CROSSING = 0.0, 0.5, 1.0
"""Orders."""
STEP = 1e-5
"""How far beside a point, in spreads of the noise, slopes and curvature are taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preimage:
    """The points and intervals of u that explain x, in every row.

    All tensors have the shape (branches, batch), with NaN where a row has fewer branches.

    Attributes:
        low, high: the ends of an interval; equal at a point.
        touching: the points where f only touches x.
    """

    low: Tensor
    high: Tensor
    touching: Tensor

    @property
    def is_flat(self) -> Tensor:
        """Which branches are intervals."""
        return self.high > self.low


def preimage(
    expression: Expression,
    variable: ExogenousVariable,
    target: Tensor,
    values: Mapping[str, Tensor],
    drawn: bool = False,
) -> Preimage:
    """The preimage of ``target``.

    Args:
        expression: f.
        variable: u; the expression names it.
        target: x, shape (batch,).
        values: the other variables of the expression, shape (batch,) or (1,).
        drawn: whether these are draws, by the thousand.

    Raises:
        UndecidedError: a row's preimage cannot be had by bounded work.
    """
    target, unknown = target.double(), variable.name
    low = torch.full((1, len(target)), torch.nan, dtype=torch.float64, device=target.device)
    if is_invertible(expression, unknown):
        low = invert(expression, unknown, target, values, variable.support)
        low = _used(low)
    high, touching = low, torch.zeros_like(low, dtype=torch.bool)
    rest = low.isnan().all(0) & ~target.isnan()
    if bool(rest.any()):
        rows = rest.nonzero()[:, 0]
        given = {name: value.expand(len(target))[rows] for name, value in values.items()}
        found = _isolated(expression, variable, target[rows], given, drawn)
        return _spread_out(found, rows, low)
    return Preimage(low=low, high=high, touching=touching)


def _used(branches: Tensor) -> Tensor:
    """The branches that some row has, at least one."""
    some = ~branches.isnan().all(1)
    return branches[some] if bool(some.any()) else branches[:1]


def _spread_out(found: Solutions, rows: Tensor, known: Tensor) -> Preimage:
    """Solutions as branches of their rows, beside the roots that are known."""
    order = found.row.argsort(stable=True)
    row = found.row[order]
    count = torch.bincount(row, minlength=len(rows))
    place = torch.arange(len(row), device=row.device) - (count.cumsum(0) - count)[row]
    branches = max(len(known), int(count.max()) if len(count) else 0)
    shape = (branches, known.shape[1])
    low = torch.full(shape, torch.nan, dtype=torch.float64, device=known.device)
    low[: len(known)] = known
    high, touching = low.clone(), torch.zeros(shape, dtype=torch.bool, device=known.device)
    for to, values in ((low, found.low), (high, found.high), (touching, found.touching)):
        to[place, rows[row]] = values[order]
    return Preimage(low=low, high=high, touching=touching)


def _isolated(
    expression: Expression,
    variable: ExogenousVariable,
    target: Tensor,
    values: Mapping[str, Tensor],
    drawn: bool,
) -> Solutions:
    """The solutions of rows, those that are alike being solved once."""
    names = [name for name in values if name != variable.name]
    table = torch.stack([target, *(values[name].double() for name in names)], 1)
    if bool((table == table[:1]).all()):
        first, alike = table[:1], torch.zeros_like(target, dtype=torch.int64)
    else:
        first, alike = table.unique(dim=0, return_inverse=True)
    columns = {name: first[:, k].to(values[name].dtype) for k, name in enumerate(names, start=1)}
    try:
        solved = _searched(expression, variable, first[:, 0], columns, drawn)
    except UndecidedError as problem:
        raise UndecidedError(int((alike == problem.row).nonzero()[0])) from None
    return _repeated(solved, alike, len(first))


def _repeated(solved: Solutions, alike: Tensor, distinct: int) -> Solutions:
    """The solutions of each row, from those of the row that it is like."""
    if distinct == len(alike) and bool((alike[1:] > alike[:-1]).all()):
        return solved
    order = solved.row.argsort(stable=True)
    count = torch.bincount(solved.row, minlength=distinct)
    start = count.cumsum(0) - count
    each = count[alike]
    row = torch.arange(len(alike), device=alike.device).repeat_interleave(each)
    within = torch.arange(len(row), device=row.device) - (each.cumsum(0) - each)[row]
    chosen = order[start[alike][row] + within]
    return Solutions(
        row=row,
        low=solved.low[chosen],
        high=solved.high[chosen],
        touching=solved.touching[chosen],
    )


def _searched(
    expression: Expression,
    variable: ExogenousVariable,
    target: Tensor,
    values: Mapping[str, Tensor],
    drawn: bool,
) -> Solutions:
    """The solutions in the bulk of the noise, and in its tails for rows without any."""
    parts = []
    left = torch.arange(len(target), device=target.device)
    for edges in variable.edges:
        if not len(left):
            break
        rows = {name: value[left] for name, value in values.items()}
        found = _within(expression, variable, target[left], rows, edges.to(target.device), drawn)
        parts.append((left[found.row], found))
        empty = torch.bincount(found.row, minlength=len(left)) == 0
        left = left[empty]
    return Solutions(
        row=torch.cat([row for row, _ in parts]),
        low=torch.cat([found.low for _, found in parts]),
        high=torch.cat([found.high for _, found in parts]),
        touching=torch.cat([found.touching for _, found in parts]),
    )


def _within(
    expression: Expression,
    variable: ExogenousVariable,
    target: Tensor,
    values: Mapping[str, Tensor],
    edges: Tensor,
    drawn: bool,
) -> Solutions:
    unknown, terms, spent = variable.name, sum(1 for _ in walk(expression)), 0

    def f(row: Tensor, u: Tensor) -> Tensor:
        at = {name: value[row] for name, value in values.items()}
        found = evaluate(expression, {**at, unknown: u}, TORCH)
        return torch.as_tensor(found, dtype=torch.float64).expand(u.shape)

    def bounds(row: Tensor, low: Tensor, high: Tensor) -> Enclosure:
        nonlocal spent
        spent += terms
        if spent > BOX_OPERATIONS:
            raise UndecidedError(int(row[0]))
        at = {name: value[row] for name, value in values.items()}
        return enclosed(evaluate(expression, {**at, unknown: running(low, high)}, ENCLOSURES))

    every = torch.arange(len(target), device=target.device)
    sizes = [f(every, torch.full_like(target, u)).abs() for u in variable.quartiles]
    scale = torch.stack(sizes).nan_to_num(0.0, 0.0, 0.0).amax(0)
    return isolate(f, bounds, target, edges, variable.spread, scale, drawn)


def log_weight(
    found: Preimage,
    expression: Expression,
    variable: ExogenousVariable,
    values: Mapping[str, Tensor],
) -> tuple[Tensor, Tensor]:
    """The logarithm of each branch's weight, and its order; -inf where there is no branch.

    Args:
        found: the preimage.
        expression: f.
        variable: u.
        values: the other variables, shape (batch,) or (1,).
    """
    flat, missing = found.is_flat, found.low.isnan()
    point = found.low.nan_to_num(0.0)
    step = STEP * variable.spread
    slope, before, behind, nearer = (
        slope_at(expression, variable.name, point + shift, values)
        for shift in (0.0, -step, step, step / 4)
    )
    turns = found.touching | (slope == 0)
    curve = ((behind - before).abs() / (2 * step)).clamp_min(1e-300)
    smooth = turns & (nearer.abs() < behind.abs() / 2)
    log_p = variable.log_prob(point)
    crossing = log_p - slope.abs().log() + math.log(2)
    corner = log_p + (1 / before.abs() + 1 / behind.abs()).log()
    touching = log_p - 0.5 * (curve / 8).log()
    weight = torch.where(turns, torch.where(smooth, touching, corner), crossing)
    order = torch.where(smooth, TOUCHING, CROSSING)
    if bool(flat.any()):
        weight = torch.where(flat, variable.log_mass(found.low, found.high), weight)
        order = torch.where(flat, FLAT, order)
    return torch.where(missing, -torch.inf, weight), order


def slope_at(
    expression: Expression, unknown: str, u: Tensor, values: Mapping[str, Tensor]
) -> Tensor:
    """df/du at points; at a corner something between those of its two sides."""
    found = enclosed(evaluate(expression, {**values, unknown: running(u, u)}, ENCLOSURES))
    return ((found.down + found.up) / 2).expand(u.shape)
