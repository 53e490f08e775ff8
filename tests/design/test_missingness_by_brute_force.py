"""Laws recovered from gaps, held against joint distributions that are computed cell by cell."""

from itertools import combinations

import numpy as np
import pytest

from causalflow.design.missingness import bias_of_complete_rows, missingness
from causalflow.factors.table import Table
from causalflow.graph.graph import Graph
from causalflow.identify.identify import identify


class World:
    """A random missingness graph with binary columns, and a random law of it."""

    def __init__(self, seed: int) -> None:
        random = np.random.default_rng(seed)
        self.columns = [f"v{place}" for place in range(random.integers(2, 4))]
        self.gapped = [name for name in self.columns if random.random() < 0.7] or ["v0"]
        self.marks = [f"r_{name}" for name in self.gapped]
        self.names = [*self.columns, *self.marks]
        edges = [pair for pair in combinations(self.columns, 2) if random.random() < 0.5]
        edges += [
            (name, mark)
            for mark in self.marks
            for name in self.columns
            if random.random() < (0.08 if mark == f"r_{name}" else 0.4)
        ]
        edges += [pair for pair in combinations(self.marks, 2) if random.random() < 0.2]
        arcs = [pair for pair in combinations(self.names, 2) if random.random() < 0.1][:2]
        nodes = {name: {"type": "class", "levels": 2} for name in self.columns}
        nodes |= {f"r_{name}": {"missing": name} for name in self.gapped}
        links = [f"{a} -> {b}" for a, b in edges] + [f"{a} <-> {b}" for a, b in arcs]
        self.graph = Graph(nodes=nodes, edges=links)
        self.law = _law(self.names, edges, arcs, random)

    def marginal(self, names, shown=()):
        """P(names, shown = 0), with an axis of length one where a column is not named."""
        at = [0 if name in shown else slice(None) for name in self.names]
        rest = [name for name in self.names if name not in shown]
        gone = tuple(place for place, name in enumerate(rest) if name not in names)
        kept = [name for name in rest if name in names and name in self.marks]
        found = self.law[tuple(at)].sum(axis=gone, keepdims=True)
        drop = tuple(p for p, n in enumerate(rest) if n in self.marks and n not in kept)
        return found.squeeze(axis=drop)

    def recovered(self, laws):
        """P(columns) by the formula, from nothing but cells that rows show."""
        found = self.marginal(self.columns, shown=self.marks)
        for law in laws:
            own = law.indicator.removeprefix("r_")
            assert own not in law.given
            assert {f"r_{name}" for name in law.given if name in self.gapped} <= set(law.shown)
            below = self.marginal(law.given, shown=law.shown)
            found = found / (self.marginal(law.given, shown=(*law.shown, law.indicator)) / below)
        return found


def _law(names, edges, arcs, random):
    causes = [f"u{place}" for place in range(len(arcs))]
    parents = {name: [a for a, b in edges if b == name] for name in names}
    for cause, pair in zip(causes, arcs, strict=True):
        for name in pair:
            parents[name].append(cause)
    every = [*causes, *names]
    grid = dict(zip(every, np.indices((2,) * len(every)), strict=True))
    law = np.ones((2,) * len(every)) / 2 ** len(causes)
    for name in names:
        table = random.uniform(0.15, 0.85, size=(2,) * len(parents[name]))
        p = table[tuple(grid[parent] for parent in parents[name])]
        law = law * np.where(grid[name] == 1, p, 1 - p)
    return law.sum(axis=tuple(range(len(causes))))


WORLDS = [World(seed) for seed in range(150)]


def test_recovered_law_is_the_law_of_all_rows():
    right = 0
    for world in WORLDS:
        found = missingness(world.graph)
        if found.recoverable:
            truth = world.marginal(world.columns)
            assert np.abs(world.recovered(found.laws) - truth).max() < 1e-12
            right += bool(found.laws)
    assert right > 50


def test_a_column_that_hides_its_own_value_is_never_recovered():
    seen = 0
    for world in WORLDS:
        own = [name for name in world.gapped if name in world.graph.parents(f"r_{name}")]
        seen += bool(own)
        assert not own or not missingness(world.graph).recoverable
    assert seen >= 20


@pytest.mark.parametrize("asked", ["P(v1 | do(v0))", "P(v1)", "P(v1 | v0)"])
def test_formula_that_is_said_to_be_right_on_complete_rows_is_right(asked):
    right = wrong = 0
    for world in WORLDS:
        verdict = identify(world.graph, asked)
        if not verdict.identifiable:
            continue
        complete = world.marginal(world.columns, shown=world.marks)
        truth = verdict.evaluate(Table(axes=world.columns, values=world.marginal(world.columns)))
        rows = Table(axes=world.columns, values=complete / complete.sum())
        error = np.abs(verdict.evaluate(rows).to_numpy() - truth.to_numpy()).max()
        if bias_of_complete_rows(world.graph.admg, verdict.estimand, world.marks) is None:
            assert error < 1e-12
            right += 1
        else:
            wrong += error > 1e-3
    assert right > 10
    assert wrong > 10
