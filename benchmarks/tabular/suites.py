"""Suites: seventeen models with known equations, whose counterfactuals are known.

    dcm-...   the simulated models of "Modeling causal mechanisms with diffusion models for
              interventional and counterfactual queries"; additive: every equation is linear in its
              noise; nonadditive: some cannot be inverted in it
    cnf-...   those of "Causal normalizing flows: from theory to practice"; all can be inverted

Every noise u is N(0, 1). A question sets one node to a quartile of its column; its error is the
root mean square over rows of (answer - truth) / sd of the node, and the score of a suite the root
mean square of that over questions and the nodes below. The equations are facts of the papers.

Where an equation cannot be inverted, rows do not tell their noise, and no method comes to 0: the
*floor* is the score of the expectation given the row, found on a fine grid of noises. A mechanism
that increases in its noise gives up more: *ranked* is the score of the one that has every law right
and keeps each row's rank, found on quantiles of the noise.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from scipy.special import ndtri

__all__ = ["EQUATIONS", "draw", "floor", "parents", "ranked", "score"]

Column = np.ndarray[Any, np.dtype[np.float64]]
Columns = dict[str, Column]
Answer = Callable[[Columns, Mapping[str, float]], Mapping[str, Any]]

ROWS, SCALE_ROWS, SCALE_SEED, SCORE_SEED = 1000, 20_000, 12345, 1
QUARTILES = (0.25, 0.75)
GRID, WIDEST = 6001, 9.0
DRAWS = 200
QUANTILES = 4000


def own(u: Column) -> Column:
    """The noise itself."""
    return u


def logistic(t: Column) -> Column:
    """1 / (1 + exp(-t))."""
    return 1 / (1 + np.exp(-t))


def softplus(t: Column) -> Column:
    """log(1 + exp t)."""
    return np.logaddexp(0.0, t)


EQUATIONS: dict[str, dict[str, Callable[..., Column]]] = {
    "dcm-chain-additive": {
        "x1": own,
        "x2": lambda u, x1: (np.exp(x1 / 2) + u / 4) / 0.65,
        "x3": lambda u, x2: ((x2 - 5) ** 3 / 15 + u) / 2.13,
    },
    "dcm-chain-nonadditive": {
        "x1": own,
        "x2": lambda u, x1: 1 / (0.63 * ((x1 + u) ** 2 + 0.5)),
        "x3": lambda u, x2: np.sqrt(x2 + abs(u)) / (x2 + 0.1),
    },
    "dcm-triangle-additive": {
        "x1": own,
        "x2": lambda u, x1: (2 * x1**2 + u) / 3,
        "x3": lambda u, x1, x2: (20 * logistic(x2**2 - x1) + u) / 2.41,
    },
    "dcm-triangle-nonadditive": {
        "x1": own,
        "x2": lambda u, x1: (u / 4 + x1 / (1 + (x1 + u) ** 2)) / 0.47,
        "x3": lambda u, x1, x2: (0.3 + abs(u)) * (x2 / 2 - x1 + abs(u) / 5) ** 2 / 0.93,
    },
    "dcm-y-additive": {
        "x1": own,
        "x2": own,
        "x3": lambda u, x1, x2: (4 * logistic(x1 + x2) - x2**2 + u / 2) / 1.83,
        "x4": lambda u, x3: (20 * logistic(x3 - x3**2 / 2) + u) / 3.26,
    },
    "dcm-y-nonadditive": {
        "x1": own,
        "x2": own,
        "x3": lambda u, x1, x2: (x1 - 2 * x2 - 2) * (0.2 + abs(u)) / 2.87,
        "x4": lambda u, x3: 1 / (0.43 * (0.5 + abs(2 * x3 + u))),
    },
    "cnf-chain-linear": {
        "x1": own,
        "x2": lambda u, x1: 10 * x1 - u,
        "x3": lambda u, x2: x2 / 4 + 2 * u,
    },
    "cnf-chain-nonlinear": {
        "x1": own,
        "x2": lambda u, x1: np.exp(x1 / 2) + u / 4,
        "x3": lambda u, x2: u + (x2 - 5) ** 3 / 15,
    },
    "cnf-chain-nonlinear-2": {
        "x1": logistic,
        "x2": lambda u, x1: 10 * np.sqrt(x1) - u,
        "x3": lambda u, x2: x2 / 4 + 2 * u,
    },
    "cnf-chain-nonlinear-3": {
        "x1": own,
        "x2": lambda u, x1: x1**2 - u,
        "x3": lambda u, x2: x2 / 4 + 2 * u,
    },
    "cnf-chain4-linear": {
        "x1": own,
        "x2": lambda u, x1: 5 * x1 - u,
        "x3": lambda u, x2: -x2 / 2 - 1.5 * u,
        "x4": lambda u, x3: x3 + u,
    },
    "cnf-chain5-linear": {
        "x1": own,
        "x2": lambda u, x1: 10 * x1 - u,
        "x3": lambda u, x2: x2 / 4 + 2 * u,
        "x4": lambda u, x3: x3 + u,
        "x5": lambda u, x4: u - x4,
    },
    "cnf-triangle-linear": {
        "x1": lambda u: 1 + u,
        "x2": lambda u, x1: 10 * x1 - u,
        "x3": lambda u, x1, x2: x1 + x2 / 2 + u,
    },
    "cnf-triangle-nonlinear": {
        "x1": own,
        "x2": lambda u, x1: u + 2 * x1**2,
        "x3": lambda u, x1, x2: u + 20 * logistic(x2**2 - x1),
    },
    "cnf-triangle-nonlinear-2": {
        "x1": logistic,
        "x2": lambda u, x1: 10 * np.sqrt(x1) - u,
        "x3": lambda u, x1, x2: x2 / 2 + 1 / (1 + x1) + u,
    },
    "cnf-simpson-nonlinear": {
        "x1": own,
        "x2": lambda u, x1: softplus(1 - x1) + np.sqrt(0.15) * u,
        "x3": lambda u, x1, x2: np.tanh(2 * x2) + 1.5 * x1 - 1 + np.tanh(u),
        "x4": lambda u, x3: (x3 - 4) / 5 + 3 + np.sqrt(0.1) * u,
    },
    "cnf-simpson-symprod": {
        "x1": own,
        "x2": lambda u, x1: 2 * np.tanh(2 * x1) + np.sqrt(0.1) * u,
        "x3": lambda u, x1, x2: x1 * x2 / 2 + np.sqrt(0.5) * u,
        "x4": lambda u, x1: np.tanh(1.5 * x1) + np.sqrt(0.3) * u,
    },
}
"""Suite -> node -> its value from its noise and its parents, in topological order."""


def parents(name: str) -> dict[str, list[str]]:
    """The parents of every node, in the order of the equations."""
    return {
        node: [p for p in inspect.signature(equation).parameters if p.startswith("x")]
        for node, equation in EQUATIONS[name].items()
    }


def below(name: str, node: str) -> list[str]:
    """The descendants of a node."""
    found = {node}
    for other, above in parents(name).items():
        if found.intersection(above):
            found.add(other)
    return [other for other in EQUATIONS[name] if other in found and other != node]


def solve(name: str, noise: Mapping[str, Column], do: Mapping[str, float]) -> Columns:
    """The columns that the noises make, with some nodes set."""
    columns: Columns = {}
    for node, above in parents(name).items():
        u = noise[node]
        if node in do:
            columns[node] = np.full(len(u), float(do[node]))
        else:
            columns[node] = EQUATIONS[name][node](u, *(columns[p] for p in above))
    return columns


def draw(name: str, n: int, seed: int) -> tuple[Columns, Columns]:
    """n rows, and the noises that made them."""
    rng = np.random.default_rng(seed)
    noise = {node: rng.standard_normal(n) for node in EQUATIONS[name]}
    return solve(name, noise, {}), noise


def questions(name: str, columns: Columns) -> Iterator[dict[str, float]]:
    """Each node that has descendants at the quartiles of its column."""
    for node in EQUATIONS[name]:
        if below(name, node):
            yield from ({node: float(q)} for q in np.quantile(columns[node], QUARTILES))


def score(name: str, answer: Answer, rows: int = ROWS) -> float:
    """The error over all questions, on fresh rows.

    Args:
        name: the suite.
        answer: (columns, what is set) -> columns, one number a row.
        rows: how many.
    """
    columns, noise = draw(name, rows, SCORE_SEED)
    many, _ = draw(name, SCALE_ROWS, SCALE_SEED)
    errors = []
    for do in questions(name, many):
        truth, given = solve(name, noise, do), answer(columns, do)
        for node in below(name, next(iter(do))):
            apart = (np.asarray(given[node], float) - truth[node]) / many[node].std()
            errors.append(np.mean(apart**2))
    return float(np.sqrt(np.mean(errors)))


def floor(name: str, rows: int = ROWS) -> float:
    """The score of the expectation of each counterfactual given its row."""
    return score(name, lambda columns, do: _expected(name, columns, do), rows)


def ranked(name: str, rows: int = ROWS) -> float:
    """The score of the increasing mechanisms that have every law right."""
    return score(name, lambda columns, do: _ranked(name, columns, do), rows)


def _ranked(name: str, columns: Columns, do: Mapping[str, float]) -> Columns:
    u, found = ndtri((np.arange(QUANTILES) + 0.5) / QUANTILES), dict[str, Column]()
    for node, above in parents(name).items():
        if node in do:
            found[node] = np.full(len(columns[node]), float(do[node]))
            continue
        laws = [
            np.sort(EQUATIONS[name][node](u[None], *(given[p][:, None] for p in above)), axis=1)
            for given in (columns, found)
        ]
        before, after = (np.broadcast_to(law, (len(columns[node]), QUANTILES)) for law in laws)
        places = np.arange(QUANTILES)
        found[node] = np.array(
            [
                np.interp(np.interp(value, had, places), places, would)
                for value, had, would in zip(columns[node], before, after, strict=True)
            ]
        )
    return found


def _expected(name: str, columns: Columns, do: Mapping[str, float]) -> Columns:
    found = {node: _roots(name, node, columns) for node in EQUATIONS[name]}
    rows = len(columns[next(iter(columns))])
    rng, single = np.random.default_rng(1), all(len(u) == rows for _, u, _ in found.values())
    worlds = []
    for _ in range(1 if single else DRAWS):
        noise = {}
        for node, (row, u, weight) in found.items():
            order = np.lexsort((weight + rng.gumbel(size=len(u)), row))
            last = np.r_[np.diff(row[order]) > 0, True]
            noise[node] = u[order][last]
        worlds.append(solve(name, noise, do))
    return {node: np.mean([world[node] for world in worlds], axis=0) for node in columns}


def _roots(name: str, node: str, columns: Columns) -> tuple[Any, Column, Column]:
    """Every noise that gives a row's value: row, noise, log of density over slope."""
    above = [columns[p] for p in parents(name)[node]]
    equation, value = EQUATIONS[name][node], columns[node]
    grid = np.linspace(-WIDEST, WIDEST, GRID)

    def apart(u: Column, rows: Any) -> Column:
        return equation(u, *(p[rows] for p in above)) - value[rows]

    table = equation(grid[None], *(p[:, None] for p in above)) - value[:, None]
    left_of = np.broadcast_to(table, (len(value), GRID)) <= 0
    rows, at = np.nonzero(left_of[:, 1:] != left_of[:, :-1])
    lost = np.setdiff1d(np.arange(len(value)), rows)  # two roots within one step of the grid
    if len(lost):
        near = abs(apart(grid[None], np.s_[lost][:, None])).argmin(1).clip(0, GRID - 2)
        rows, at = np.r_[rows, lost], np.r_[at, near]
    low, high, left = grid[at], grid[at + 1], apart(grid[at], rows) <= 0
    for _ in range(60):
        middle = (low + high) / 2
        same = (apart(middle, rows) <= 0) == left
        low, high = np.where(same, middle, low), np.where(same, high, middle)
    step = 1e-6
    slope = abs(apart(low + step, rows) - apart(low - step, rows)) / (2 * step)
    return rows, low, -(low**2) / 2 - np.log(np.maximum(slope, 1e-300))
