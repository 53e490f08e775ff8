"""Coupling: the joint law of one node in several worlds, where only a table of it is known.

Notation: a table gives p(v | pa) and not the node's noise. Worlds share the noise, so the joint law
J(v_1, ..., v_m | pa_1, ..., pa_m) of the node's copies depends on how the noise is said to enter;
every choice has the table's rows as marginals, and equal parents give equal values.

    response    an independent answer to each combination of the parents: J is the product
    monotone    v = #{k : u >= p_0 + .. + p_k}, u ~ U[0, 1): the unit interval is cut at the union
                of the cumulative probabilities
    gumbel      v = argmax_k (log p_k + g_k), the same g_k everywhere

With e_k = exp(-g_k) ~ Exp(1), gumbel is a race: v = argmin_k e_k / p_k. Winners i_1..i_m in S bound
the others, e_k >= max_w e_(i_w) p_wk / p_(w i_w), which has probability exp(-that max), and one
another, e_k p_(w i_w) >= e_(i_w) p_wk for k in S. So J is the integral of exp(-L(e)) over a cone in
R^S with L piecewise linear. On a simplicial cone with generators g_s where L is linear it is
|det(g)| / prod_s L(g_s): J is rational, and exact here. With one winner it is
1 / (1 + sum_k max_w p_wk / p_wi).

Source: Oberst & Sontag (2019) for Gumbel-max; Balke & Pearl (1994) for response functions; the
volume of a cone by Barvinok (2008), *Integer Points in Polyhedra*, section 3.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations, product
from math import prod
from typing import Any, TypeAlias

import numpy as np

from causalflow import plugins
from causalflow.registry import Registry

__all__ = ["COST", "COUPLINGS", "Coupling", "Law", "coupled"]

Law: TypeAlias = tuple[Fraction, ...]
Vector: TypeAlias = tuple[Fraction, ...]
Coupling: TypeAlias = Callable[[Sequence[Law], tuple[int, ...]], Fraction]
"""The probability that copies with different laws take these values."""

COST = 2**12
"""The multiplications that one probability of a joint law takes the time of."""

COUPLINGS: Registry[Coupling] = plugins.TABLE_NOISES


def coupled(
    choice: str,
    rows: Sequence[int],
    laws: Sequence[Law],
    wanted: Sequence[Sequence[int]] | None = None,
) -> np.ndarray[Any, Any]:
    """J(v_1, ..., v_m), fractions, one axis a copy.

    Args:
        choice: a name of `COUPLINGS`.
        rows: which combination of the parents' values each copy has; copies with the same one are
            equal.
        laws: the row of the table that each copy has.
        wanted: the values that the axis of each copy is over; None: all.
    """
    axes = [range(len(law)) for law in laws] if wanted is None else wanted
    different = list(dict.fromkeys(rows))
    first = [rows.index(row) for row in different]
    place = [different.index(row) for row in rows]
    shared = [
        sorted(
            set.intersection(
                *(set(axis) for axis, own in zip(axes, rows, strict=True) if own == row)
            )
        )
        for row in different
    ]
    probability = COUPLINGS.get(choice)
    joint = np.full([len(axis) for axis in axes], Fraction(0), dtype=object)
    for values in product(*shared):
        cell = tuple(axis.index(values[k]) for axis, k in zip(axes, place, strict=True))
        joint[cell] = probability([laws[k] for k in first], values)
    return joint


def response(laws: Sequence[Law], values: tuple[int, ...]) -> Fraction:
    """The product: each combination of the parents' values has a noise of its own."""
    return prod((law[v] for law, v in zip(laws, values, strict=True)), start=Fraction(1))


def monotone(laws: Sequence[Law], values: tuple[int, ...]) -> Fraction:
    """The length of what the intervals [p_0 + .. + p_(v-1), p_0 + .. + p_v) have in common."""
    low = max(sum(law[:v], start=Fraction(0)) for law, v in zip(laws, values, strict=True))
    high = min(sum(law[: v + 1], start=Fraction(0)) for law, v in zip(laws, values, strict=True))
    return max(high - low, Fraction(0))


def gumbel(laws: Sequence[Law], values: tuple[int, ...]) -> Fraction:
    """By the cones of Gumbel noises in which every copy takes its value."""
    if any(law[v] == 0 for law, v in zip(laws, values, strict=True)):
        return Fraction(0)
    winners = list(dict.fromkeys(values))
    bounds = [_multiples(law, winners, v) for law, v in zip(laws, values, strict=True)]
    cones = [_Cone.orthant(len(winners))]
    for bound in bounds:
        for place, winner in enumerate(winners):
            ahead = _minus(_unit(place, len(winners)), bound[winner])
            cones = [part for cone in cones for part in cone.split(ahead) if part.sign(ahead) >= 0]
    others = [k for k in range(len(laws[0])) if k not in winners]
    loads = [tuple(dict.fromkeys(bound[k] for bound in bounds)) for k in others]
    for candidates in loads:
        for pair in combinations(candidates, 2):
            cones = [part for cone in cones for part in cone.split(_minus(*pair))]
    return sum((cone.integral(loads) for cone in cones), start=Fraction(0))


def _multiples(law: Law, winners: Sequence[int], winner: int) -> list[Vector]:
    """For each level k the linear function of e that e_k exceeds: e_winner p_k / p_winner."""
    place = winners.index(winner)
    shares = [p / law[winner] for p in law]
    return [
        tuple(share if k == place else Fraction(0) for k in range(len(winners))) for share in shares
    ]


@dataclass(frozen=True, slots=True)
class _Cone:
    """A simplicial cone: its generators and the absolute value of their determinant."""

    generators: tuple[Vector, ...]
    volume: Fraction

    @classmethod
    def orthant(cls, dimension: int) -> _Cone:
        return cls(tuple(_unit(k, dimension) for k in range(dimension)), Fraction(1))

    def sign(self, normal: Vector) -> int:
        """On which side of the hyperplane the cone lies, if it lies on one."""
        heights = [_dot(normal, g) for g in self.generators]
        return 1 if any(h > 0 for h in heights) else -1 if any(h < 0 for h in heights) else 0

    def split(self, normal: Vector) -> Iterator[_Cone]:
        """Cones that the hyperplane does not cut, and whose union is this one."""
        waiting = [self]
        while waiting:
            cone = waiting.pop()
            heights = [_dot(normal, g) for g in cone.generators]
            above = next((k for k, h in enumerate(heights) if h > 0), None)
            below = next((k for k, h in enumerate(heights) if h < 0), None)
            if above is None or below is None:
                yield cone
                continue
            up, down = heights[above], -heights[below]
            pairs = zip(cone.generators[above], cone.generators[below], strict=True)
            between = tuple(down * a + up * b for a, b in pairs)
            waiting.append(cone._with(above, between, down))
            waiting.append(cone._with(below, between, up))

    def _with(self, place: int, generator: Vector, scale: Fraction) -> _Cone:
        changed = (*self.generators[:place], generator, *self.generators[place + 1 :])
        return _Cone(changed, self.volume * scale)

    def integral(self, loads: Sequence[Sequence[Vector]]) -> Fraction:
        """The integral of exp(-sum e - sum_loads max) where each max is linear on the cone."""
        length = prod(
            (sum(g) + sum(max(_dot(each, g) for each in load) for load in loads))
            for g in self.generators
        )
        return self.volume / length


def _unit(place: int, dimension: int) -> Vector:
    return tuple(Fraction(int(k == place)) for k in range(dimension))


def _minus(a: Vector, b: Vector) -> Vector:
    return tuple(x - y for x, y in zip(a, b, strict=True))


def _dot(a: Vector, b: Vector) -> Fraction:
    return sum((x * y for x, y in zip(a, b, strict=True)), start=Fraction(0))
