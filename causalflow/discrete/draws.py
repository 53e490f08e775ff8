"""Draws: worlds at random, from the prior or from the joint posterior of the exogenous variables.

Given evidence, the exogenous variables are dependent, and are drawn jointly: eliminate one variable
after the other, keeping for each v the tables it was in; then, in reverse order, draw v from their
product at the values already drawn.

Source: Koller & Friedman (2009), section 12.1 (forward) and exercise 9.5 (backward sampling).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from causalflow.discrete.domain import NEVER, pixels_of
from causalflow.discrete.inference import ROW_AXIS, Inference, Key, Positions
from causalflow.discrete.structure import FiniteStructure
from causalflow.errors import EvidenceError
from causalflow.graph.schema import Image
from causalflow.query.query import Term
from causalflow.tables.array import Values
from causalflow.tables.contraction import Scaled, run_plan
from causalflow.tables.elimination import min_fill_order
from causalflow.tables.plan import make_plan

__all__ = ["posterior", "prior", "world"]

Places = np.ndarray[Any, np.dtype[np.int64]]
Bucket = list[tuple[tuple[str, ...], Values]]


def prior(structure: FiniteStructure, n: int, random: np.random.Generator) -> dict[str, Places]:
    """n draws of every exogenous variable."""
    return {
        name: _draw(np.broadcast_to(np.array(p, dtype=np.float64), (n, len(p))), random)
        for name, p in structure.laws.items()
    }


def posterior(
    inference: Inference, rows: Mapping[Term, Places], n: int, random: np.random.Generator
) -> dict[str, Places]:
    """n draws a row of every exogenous variable, jointly given the row's evidence.

    Args:
        inference: of the model.
        rows: term of the actual world -> its position in each row; possible evidence.
        n: draws a row; draw k of row i is entry k * rows + i.
        random: numpy's generator.
    """
    count = max((len(places) for places in rows.values()), default=1)
    noise = prior(inference.structure, n * count, random)
    if not rows:
        return noise
    at: dict[Key, Positions] = dict(rows.items())
    factors = inference.factors(tuple(rows), at)
    buckets = _buckets(factors, count)
    drawn: dict[str, Places] = {ROW_AXIS: np.tile(np.arange(count), n)}
    for name in reversed(buckets):
        weights = np.ones((n * count, 1))
        for axes, values in buckets[name]:
            others = [axis for axis in axes if axis != name]
            ordered = values.transpose([axes.index(axis) for axis in (*others, name)])
            weights = weights * ordered[tuple(drawn[axis] for axis in others)]
        drawn[name] = _draw(weights, random)
    known = {term.name: np.tile(places, n) for term, places in rows.items()}
    return {name: known.get(name, drawn.get(name, free)) for name, free in noise.items()}


def _buckets(factors: Bucket, rows: int) -> dict[str, Bucket]:
    """For each variable, in the order of elimination, the tables it was in when its turn came."""
    sizes = {a: s for axes, values in factors for a, s in zip(axes, values.shape, strict=True)}
    sizes[ROW_AXIS] = rows
    number = {name: place for place, name in enumerate(sizes)}
    names = list(sizes)
    scopes = [[number[axis] for axis in axes] for axes, _ in factors]
    counts = {number[name]: size for name, size in sizes.items()}
    buckets: dict[str, Bucket] = {}
    for place in min_fill_order(scopes, counts, {number[ROW_AXIS]}):
        name = names[place]
        buckets[name] = [each for each in factors if name in each[0]]
        factors = [each for each in factors if name not in each[0]]
        factors.append(_summed(buckets[name], name, sizes))
    return buckets


def _summed(bucket: Bucket, name: str, sizes: Mapping[str, int]) -> tuple[tuple[str, ...], Values]:
    scopes: Sequence[tuple[str, ...]] = [axes for axes, _ in bucket]
    left = tuple(dict.fromkeys(axis for axes in scopes for axis in axes if axis != name))
    plan = make_plan(scopes, sizes, left)
    plan.check()
    result = run_plan(plan, [Scaled(values=values) for _, values in bucket])
    return left, result.values


def _draw(weights: Values, random: np.random.Generator) -> Places:
    """One position for each row of weights, (n, levels), by inverse distribution function."""
    cumulative = np.cumsum(weights, axis=1)
    aim = random.random(len(weights)) * cumulative[:, -1]
    return np.asarray((cumulative <= aim[:, None]).sum(axis=1), dtype=np.int64)


def world(
    structure: FiniteStructure, noise: Mapping[str, Places], do: Mapping[str, Places]
) -> dict[str, np.ndarray[Any, Any]]:
    """The world that the noise makes under ``do``, in the values of the public face."""
    n = len(next(iter(noise.values()))) if noise else len(next(iter(do.values()), ()))
    places: dict[str, Places] = dict(noise)
    for name in structure.graph.topological_order():
        if name in do:
            places[name] = do[name]
            continue
        arguments = tuple(places[each] for each in structure.arguments(name))
        places[name] = np.broadcast_to(structure.function(name)[arguments], (n,))
        if (places[name] == NEVER).any():
            raise EvidenceError(f"node '{name}': the equation gives what is not a level")
    return {name: _public(structure, name, places[name]) for name in structure.graph.nodes}


def _public(structure: FiniteStructure, name: str, places: Places) -> np.ndarray[Any, Any]:
    node = structure.graph.nodes[name]
    if not isinstance(node, Image):
        return places
    assert node.levels is not None
    codes = [int(level) for level in structure.domain(name).levels]
    return np.asarray(pixels_of(node, codes)[places] / max(node.levels - 1, 1))
