"""Inversion: the u with x = f(pa, u), for one unknown u of an equation.

First by symbols: sympy solves f = x once, and each solution is evaluated on float64 tensors by
walking its tree (no code is generated). A solution counts in a row only where it is real, inside
u's support, and f gives x back. Rows without one are solved by numbers, if f is monotone in u
there: a grid over the support, then bisection.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from causalflow.errors import GraphError
from causalflow.graph.equation import evaluate, to_sympy
from causalflow.graph.term import Expression
from causalflow.limits import INVERTED_OPERATIONS, INVERTED_USES
from causalflow.mechanisms.operations import TORCH

__all__ = ["agrees", "bisect", "invert", "solutions"]

TARGET = "<value>"
"""The symbol of x; no variable can have this name."""

TOLERANCE = 1e-6
"""f(u) and x agree to this, relative to 1 + |x|: evidence may have passed through float32."""


GRID = 129


def agrees(given: Tensor, found: Tensor) -> Tensor:
    """Whether two values are the same up to float32 rounding; elementwise, False at NaN."""
    return (given - found).abs() <= TOLERANCE * (1 + given.abs())


@functools.lru_cache(maxsize=1024)
def solutions(expression: Expression, unknown: str) -> tuple[Any, ...]:
    """The sympy solutions u of ``expression = <value>``; none where sympy finds none."""
    import sympy

    try:
        form = to_sympy(expression)
    except GraphError:
        return ()
    u, x = sympy.Symbol(unknown, real=True), sympy.Symbol(TARGET, real=True)
    if not _tractable(form, u):
        return ()
    try:
        found = sympy.solve(sympy.Eq(form, x), u, check=False, simplify=False)
    except (NotImplementedError, ValueError, TypeError, AttributeError, RecursionError):
        return ()
    return tuple(root for root in found if u not in root.free_symbols and _walkable(root))


def _tractable(form: Any, u: Any) -> bool:
    """Whether sympy can be expected to answer soon: it has no time limit of its own."""
    import sympy
    from sympy.functions.elementary.trigonometric import TrigonometricFunction

    if form.count_ops() > INVERTED_OPERATIONS:
        return False
    uses = sum(part == u for part in sympy.preorder_traversal(form))
    if uses == 1 or form.is_polynomial(u):
        return True
    slow = form.atoms(sympy.Abs, sympy.Max, sympy.Min, TrigonometricFunction)
    slow |= {c for piece in form.atoms(sympy.Piecewise) for _, c in piece.args}
    return uses <= INVERTED_USES and not any(u in part.free_symbols for part in slow)


def invert(
    expression: Expression,
    unknown: str,
    target: Tensor,
    values: Mapping[str, Tensor],
    support: tuple[float, float],
) -> Tensor:
    """Every u found that gives ``target``: float64, shape (branches, batch), NaN where none.

    Args:
        expression: f.
        unknown: the name of u.
        target: x, shape (batch,).
        values: the other variables, shape (batch,).
        support: u's interval.
    """

    def f(u: Tensor) -> Tensor:
        result = evaluate(expression, {**values, unknown: u}, TORCH)
        return torch.as_tensor(result).double().expand(u.shape)

    target = target.double()
    whole = {**values, TARGET: target}
    roots = [_tensor(root, whole, target) for root in solutions(expression, unknown)]
    kept = [_verified(f, root, target, support) for root in roots]
    rest = (
        torch.stack([root.isnan() for root in kept]).all(0)
        if kept
        else target.isnan().logical_not()
    )
    if rest.any():
        rows = {name: value.expand(len(target))[rest] for name, value in values.items()}
        numeric = torch.full_like(target, torch.nan)
        numeric[rest] = bisect(
            lambda u: torch.as_tensor(evaluate(expression, {**rows, unknown: u}, TORCH)).double(),
            target[rest],
            support,
        )
        kept.append(_verified(f, numeric, target, support))
    return torch.stack(_distinct(kept))


def _verified(
    f: Callable[[Tensor], Tensor], u: Tensor, target: Tensor, support: tuple[float, float]
) -> Tensor:
    low, high = support
    return torch.where((u >= low) & (u <= high) & agrees(target, f(u)), u, torch.nan)


def _distinct(roots: list[Tensor]) -> list[Tensor]:
    """The roots with repetitions of an earlier one set to NaN, so that none counts twice."""
    for i, root in enumerate(roots):
        for earlier in roots[:i]:
            root = torch.where(agrees(earlier, root), torch.nan, root)
        roots[i] = root
    return roots


def bisect(f: Callable[[Tensor], Tensor], target: Tensor, support: tuple[float, float]) -> Tensor:
    """The u in the support with f(u) = target, shape (batch,); NaN where f is not monotone."""
    grid = _grid(support).to(target.device)
    levels = torch.stack([f(u.expand(len(target))).expand(len(target)) for u in grid], dim=-1)
    steps, rounding = levels.diff(dim=-1), 1e-12 * (1 + levels[:, 1:].abs())
    rising, falling = (~(steps < -rounding)).all(-1), (~(steps > rounding)).all(-1)
    sign = torch.where(rising, 1.0, -1.0)
    # An end where f is not finite bounds nothing: NaN counts as above, so that the bracket lies
    # before it.
    place = (sign[:, None] * (levels - target[:, None]) <= 0).sum(-1) - 1
    inside = (place >= 0) & (rising | falling)
    low = grid[place.clamp(0, len(grid) - 1)]
    high = grid[(place + 1).clamp(0, len(grid) - 1)]
    for _ in range(120):
        middle = low + (high - low) / 2
        below = sign * (f(middle) - target) <= 0
        low, high = torch.where(below, middle, low), torch.where(below, high, middle)
    return torch.where(inside, low, torch.nan)


def _grid(support: tuple[float, float]) -> Tensor:
    """Points across the support, dense near 0 or one finite end, far out at infinite ends."""
    low, high = support
    s = torch.linspace(-1, 1, GRID, dtype=torch.float64)
    if math.isinf(low) and math.isinf(high):
        return torch.sinh(25 * s)
    if math.isinf(high):
        return torch.cat([torch.tensor([low]).double(), low + torch.exp(25 * s)])
    if math.isinf(low):
        return torch.cat([high - torch.exp(-25 * s), torch.tensor([high]).double()])
    return low + (high - low) * (s + 1) / 2


def _functions() -> dict[Any, Callable[..., Tensor]]:
    """The sympy functions that a solution may contain, on float64 tensors."""
    import sympy

    names = ("exp", "log", "sin", "cos", "tan", "tanh", "asin", "acos", "atan", "atanh", "floor")
    table = {getattr(sympy, name): getattr(torch, name) for name in names}
    return table | {
        sympy.Add: lambda *parts: functools.reduce(torch.add, parts),
        sympy.Mul: lambda *parts: functools.reduce(torch.mul, parts),
        sympy.Pow: torch.pow,
        sympy.Abs: torch.abs,
        sympy.sign: torch.sign,
        sympy.Max: lambda *parts: functools.reduce(torch.maximum, parts),
        sympy.Min: lambda *parts: functools.reduce(torch.minimum, parts),
        sympy.And: lambda *parts: functools.reduce(torch.logical_and, parts),
        sympy.Or: lambda *parts: functools.reduce(torch.logical_or, parts),
        sympy.Not: torch.logical_not,
        sympy.StrictLessThan: torch.lt,
        sympy.LessThan: torch.le,
        sympy.StrictGreaterThan: torch.gt,
        sympy.GreaterThan: torch.ge,
        sympy.Equality: torch.eq,
        sympy.Unequality: torch.ne,
    }


def _walkable(root: Any) -> bool:
    """Whether `_tensor` knows every part of the solution."""
    import sympy

    if not root.args:
        known = root.is_Symbol or root.is_Boolean or root is sympy.nan
        return bool(known or (root.is_real and root.is_finite))
    known = isinstance(root, sympy.Piecewise | sympy.functions.elementary.piecewise.ExprCondPair)
    return (known or root.func in _functions()) and all(map(_walkable, root.args))


def _tensor(root: Any, values: Mapping[str, Tensor], like: Tensor) -> Tensor:
    """The value of a solution, shape of ``like``."""
    import sympy

    if root.is_Symbol:
        value = values[root.name]
        return value.double().expand(like.shape)
    if not root.args:
        return torch.full_like(like, float(bool(root)) if root.is_Boolean else float(root))
    if isinstance(root, sympy.Piecewise):
        chosen = torch.full_like(like, torch.nan)
        for branch, condition in reversed(root.args):
            holds = _tensor(condition, values, like) != 0
            chosen = torch.where(holds, _tensor(branch, values, like), chosen)
        return chosen
    return _functions()[root.func](*(_tensor(part, values, like) for part in root.args))
