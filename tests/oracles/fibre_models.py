"""Two models of a graph that agree on all data named and differ in the answer, found by descent.

A model is a population of units: a level of each latent and a response function of each node, with
P(latent) and P(function | the node's latents) as its parameters. Data and answer are functions of
the parameters. Where the answer's gradient is no combination of the data's gradients, a step along
what is left of it changes the answer; Newton steps then bring the data back, to rounding errors.
Nothing here is shared with identification.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
from world_oracle import Pair, UnitModel, parents_first

from causalflow.query.query import Query

SAME = 1e-11  # Newton's steps converge quadratically to float64 rounding
APART = 1e-4


@dataclass(frozen=True)
class Population:
    """The units, and for each block of parameters the cell that a unit takes in it."""

    model: UnitModel
    blocks: tuple[tuple[np.ndarray, np.ndarray, tuple[int, int]], ...]  # row, column, shape

    def weights(self, logits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The units' probabilities, and their derivatives by every logit."""
        weights = np.ones(len(self.model.weights))
        slopes = []
        ends = np.cumsum([a * b for _, _, (a, b) in self.blocks])[:-1]
        for (row, column, shape), part in zip(self.blocks, np.split(logits, ends), strict=True):
            logit = part.reshape(shape)
            law = np.exp(logit - logit.max(axis=1, keepdims=True))
            law /= law.sum(axis=1, keepdims=True)
            weights = weights * law[row, column]
            slope = np.zeros((len(row), *shape))
            units = np.arange(len(row))
            slope[units, row] = -law[row]
            slope[units, row, column] += 1
            slopes.append(slope.reshape(len(row), -1))
        return weights, np.concatenate(slopes, axis=1) * weights[:, None]


def population(
    generator: np.random.Generator,
    names: Sequence[str],
    directed: Iterable[Pair],
    bidirected: Iterable[Iterable[str]],
    levels: Mapping[str, int],
    latent_levels: int = 2,
    functions: int = 6,
) -> Population:
    directed = sorted(directed)
    arcs = sorted(tuple(sorted(pair)) for pair in bidirected)
    order = parents_first(names, directed)
    parents = {n: tuple(s for s, t in directed if t == n) for n in order}
    maps = {
        n: _functions(generator, [levels[p] for p in parents[n]], levels[n], functions)
        for n in order
    }
    counts = [latent_levels] * len(arcs) + [len(maps[n]) for n in order]
    grid = np.indices(counts).reshape(len(counts), -1)
    blocks = [(np.zeros_like(g), g, (1, latent_levels)) for g in grid[: len(arcs)]]
    tables = {}
    for place, name in enumerate(order):
        hidden = [i for i, arc in enumerate(arcs) if name in arc]
        row = np.zeros_like(grid[0])
        for i in hidden:
            row = row * latent_levels + grid[i]
        chosen = grid[len(arcs) + place]
        blocks.append((row, chosen, (latent_levels ** len(hidden), len(maps[name]))))
        tables[name] = np.moveaxis(maps[name], 0, -1)[..., chosen]
    shape = np.full(grid.shape[1], 1.0)
    return Population(UnitModel(tuple(order), dict(levels), parents, tables, shape), tuple(blocks))


def _functions(generator: Any, outer: Sequence[int], levels: int, most: int) -> np.ndarray:
    """Different random functions, the constants among them, so that every level is possible."""
    found = {np.full(outer, level).tobytes(): np.full(outer, level) for level in range(levels)}
    for _ in range(20 * most):
        if len(found) < most:
            made = generator.integers(0, levels, outer)
            found.setdefault(made.tobytes(), made)
    return np.stack([*found.values()])


def two_models(
    generator: np.random.Generator,
    people: Population,
    query: Query,
    experiments: Sequence[Sequence[str]],
) -> tuple[UnitModel, UnitModel] | None:
    """Models with the same P(v | do(z)) for each z of ``experiments`` and different answers."""
    cells = _cells(people.model, experiments)
    start = np.concatenate([generator.normal(size=a * b) for _, _, (a, b) in people.blocks])
    first, slope = people.weights(start)
    data = _totals(cells, first)
    jacobian = _totals(cells, slope)
    _, sizes, rows = np.linalg.svd(jacobian, full_matrices=False)
    known = rows[sizes > 1e-9 * sizes[0]]
    left = [g - known.T @ (known @ g) for g in _gradients(people.model, query, first, slope)]
    away = max(left, key=np.linalg.norm)
    if np.linalg.norm(away) < 1e-6:
        return None
    for size in (1.0, 0.3, 0.1):
        moved = start + size * away / np.linalg.norm(away)
        for _ in range(15):
            second, slope = people.weights(moved)
            gap = _totals(cells, second) - data
            if np.abs(gap).max() < SAME:
                break
            moved = moved - np.linalg.pinv(_totals(cells, slope), rcond=1e-9) @ gap
        pair = (replace(people.model, weights=first), replace(people.model, weights=second))
        if np.abs(gap).max() < SAME and differ(*pair, query):
            return pair
    return None


def differ(one: UnitModel, other: UnitModel, query: Query) -> bool:
    gap = np.abs(one.truth(query) - other.truth(query))
    return bool(np.nanmax(gap) > APART)


def _cells(model: UnitModel, experiments: Sequence[Sequence[str]]) -> list[np.ndarray]:
    """For every setting of every experiment, the cell of V that each unit falls into."""
    found = []
    for do in experiments:
        for setting in product(*(range(model.levels[name]) for name in do)):
            world = dict(zip(do, setting, strict=True))
            columns = [model.solve(name, world) for name in model.names]
            found.append(np.ravel_multi_index(columns, [model.levels[n] for n in model.names]))
    return found


def _totals(cells: Sequence[np.ndarray], weights: np.ndarray) -> np.ndarray:
    """The weight of every cell; of a column of weights, a column."""
    if weights.ndim == 1:
        return np.concatenate([np.bincount(each, weights) for each in cells])
    return np.stack([_totals(cells, column) for column in weights.T], axis=1)


def _gradients(
    model: UnitModel, query: Query, weights: np.ndarray, slope: np.ndarray
) -> list[np.ndarray]:
    """Of every cell of the answer; each is a ratio of linear forms of the units' weights."""
    found = []
    for above, below in model.ratios(query.counterfactual_form()):
        n, d = weights @ above, weights @ below
        if d > 0:
            found.append((slope.T @ above) / d - (slope.T @ below) * n / d**2)
    return found
