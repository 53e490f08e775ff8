"""Linear: random linear-Gaussian graphs, every pattern of known nodes, against the closed form.

Notation: x = B x + a + G u, u ~ N(0, I), some u in several nodes; x = M (a + G u), M = (I - B)^-1.
The judge conditions the joint normal of (u, x) by its covariance; the engine, noise by noise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

import causalflow as cf

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, kw_only=True)
class Linear:
    """A random linear-Gaussian graph.

    Attributes:
        weights: B, shape (nodes, nodes), lower triangular.
        intercepts: a.
        loadings: G, shape (nodes, noises).
    """

    weights: Array
    intercepts: Array
    loadings: Array

    @staticmethod
    def random(rng: np.random.Generator) -> Linear:
        """3 to 8 nodes, a noise of its own for each, up to two noises that two nodes share."""
        n = int(rng.integers(3, 9))
        edges = np.tril(rng.random((n, n)) < min(0.9, 2.5 / n), -1)
        weights = np.round(edges * rng.uniform(0.4, 1.5, (n, n)) * rng.choice([-1, 1], (n, n)), 3)
        own = np.diag(np.round(rng.uniform(0.3, 1.5, n), 3))
        shared = np.zeros((n, int(rng.integers(3))))
        for column in shared.T:
            column[rng.choice(n, 2, replace=False)] = np.round(rng.uniform(0.4, 1.2, 2), 3)
        intercepts = np.round(rng.normal(size=n), 3)
        return Linear(
            weights=weights, intercepts=intercepts, loadings=np.concatenate([own, shared], 1)
        )

    @property
    def size(self) -> int:
        """The number of nodes."""
        return len(self.intercepts)

    @property
    def graph(self) -> cf.Graph:
        """The graph, its equations written out."""
        text = ["graph: linear", "exogenous:"]
        text += [f"  u{k}: {{type: normal}}" for k in range(self.loadings.shape[1])]
        text += ["nodes:"]
        for i, intercept in enumerate(self.intercepts):
            terms = [f"{intercept:.3f}"]
            terms += [f"({w:.3f}) * v{j}" for j, w in enumerate(self.weights[i]) if w]
            terms += [f"({g:.3f}) * u{k}" for k, g in enumerate(self.loadings[i]) if g]
            text.append(f'  v{i}: {{type: continuous, equation: "{" + ".join(terms)}"}}')
        return cf.loads("\n".join(text) + "\n")

    def world(self, done: dict[int, float]) -> tuple[Array, Array]:
        """c and L of x = c + L u where some nodes are set."""
        weights, loadings, intercepts = (
            each.copy() for each in (self.weights, self.loadings, self.intercepts)
        )
        for node, value in done.items():
            weights[node], loadings[node], intercepts[node] = 0, 0, value
        inverse = np.linalg.inv(np.eye(self.size) - weights)
        return inverse @ intercepts, inverse @ loadings

    def truth(self, seen: dict[int, float], done: dict[int, float]) -> tuple[Array, Array]:
        """Means of the noises, and of the nodes had ``done`` been done, given what is seen."""
        c, loading = self.world({})
        rows = sorted(seen)
        values = np.array([seen[k] for k in rows])
        noises = np.zeros(loading.shape[1])
        if rows:
            among = loading[rows] @ loading[rows].T
            noises = loading[rows].T @ np.linalg.solve(among, values - c[rows])
        other, moved = self.world(done)
        return noises, other + moved @ noises

    def patterns(self) -> list[tuple[int, ...]]:
        """Every set of known nodes that leaves one open, and the full one."""
        return [
            tuple(k for k, known in enumerate(mask) if known)
            for mask in product((False, True), repeat=self.size)
        ]


def judged(seed: int, resampled: int, draws: int) -> dict[str, Any]:
    """The largest errors of both routes on one graph.

    Args:
        seed: of the graph and its rows.
        resampled: how many patterns are resampled too.
        draws: draws of each.

    Returns:
        ``closed``: the largest error of E[noise | seen] and E[node[do] | seen] in closed form;
        ``errors``: for each route the number of means of its draws, their largest error in standard
        errors, and the sum of the errors' squares; ``worth``: the effective draws.
    """
    rng = np.random.default_rng(seed)
    linear = Linear.random(rng)
    model = cf.compile(linear.graph)
    c, loading = linear.world({})
    x = c + loading @ rng.normal(size=loading.shape[1])
    patterns = linear.patterns()
    some = {patterns[k] for k in rng.permutation(len(patterns))[:resampled]}
    closed, count = 0.0, 0
    errors: dict[str, list[float]] = {"linear-Gaussian": [], "resampling": []}
    worth: list[float] = []
    for pattern in patterns:
        treated, outcome = sorted(rng.choice(linear.size, 2, replace=False).tolist())
        noise, value = int(rng.integers(loading.shape[1])), float(np.round(rng.normal(), 3))
        seen = {k: float(x[k]) for k in pattern}
        noises, nodes = linear.truth(seen, {treated: value})
        given = {f"v{k}": number for k, number in seen.items()}
        bar = f" | {', '.join(given)}" if given else ""
        asked = model.ask(f"E[v{outcome}[v{treated}={value}]{bar}]", given)
        back = model.ask(f"E[u{noise}{bar}]", given)
        assert asked.route == back.route == "exact"
        gaps = asked.table.values - nodes[outcome], back.table.values - noises[noise]
        closed = max(closed, *(abs(float(gap)) for gap in gaps))
        if pattern and pattern in some:
            count += 1
            for route, found in errors.items():
                own = int(rng.integers(2**31))
                truth = noises, nodes
                found += drawn(model, given, route, draws, truth, (treated, value), worth, own)
    return {
        "nodes": linear.size,
        "patterns": len(patterns),
        "drawn": count,
        "closed": closed,
        "errors": {route: _summary(found) for route, found in errors.items()},
        "worth": worth,
    }


def _summary(errors: list[float]) -> dict[str, float]:
    numbers = np.array(errors)
    squares = float(numbers @ numbers)
    return {"means": len(errors), "largest": max(errors, default=0.0), "squares": squares}


def drawn(
    model: cf.Model,
    given: dict[str, float],
    route: str,
    draws: int,
    truth: tuple[Array, Array],
    done: tuple[int, float],
    worth: list[float],
    seed: int,
) -> list[float]:
    """The errors of a route's draws in standard errors: noises, and nodes of the other world."""
    abduction = model.abduct(given, draws=draws, route=route, generator=seed)
    effective = abduction.info.effective_draws
    if effective is not None:
        worth.append(round(effective))
    world = model.predict(abduction, {f"v{done[0]}": done[1]})
    found = []
    pairs = [(abduction.noise[f"u{k}"]["value"], mean) for k, mean in enumerate(truth[0])]
    for draw, mean in pairs + [(world[f"v{k}"], mean) for k, mean in enumerate(truth[1])]:
        error = float(draw.std()) * (1 / draws + (1 / effective if effective else 0)) ** 0.5
        gap = abs(float(draw.mean()) - mean)
        if error > 1e-9 or gap > 1e-9:  # what is known exactly has no error
            found.append(round(gap / error, 3) if error else math.inf)
    return found
