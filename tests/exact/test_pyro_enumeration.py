"""The exact engine held against Pyro's enumeration of the same tables, which shares no code."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pyro
import pyro.distributions as dist
import pytest
import torch
from pyro.infer import TraceEnum_ELBO, config_enumerate

import causalflow as cf
from causalflow.graph.node import Class

NAMES = ("u", "v", "z", "x", "m", "y")
HIDDEN = ("u", "v")


def random_tables(seed):
    """Node -> its parents and P(node | parents), levels of 2 or 3, each of some earlier nodes."""
    random = np.random.default_rng(seed)
    levels = {name: int(random.integers(2, 4)) for name in NAMES}
    tables = {}
    for k, name in enumerate(NAMES):
        earlier = [] if name in HIDDEN else NAMES[:k]
        parents = [other for other in earlier if random.random() < 0.5]
        shape = [levels[parent] for parent in parents]
        counts = random.integers(1, 9, (*shape, levels[name]))
        tables[name] = parents, counts / counts.sum(-1, keepdims=True), counts
    return levels, tables


def graph_of(levels, tables):
    nodes, edges = {}, []
    for name, (parents, _, counts) in tables.items():
        rows = tuple(
            (cell, tuple(Fraction(int(c), int(counts[cell].sum())) for c in counts[cell]))
            for cell in itertools.product(*(range(levels[p]) for p in parents))
        )
        nodes[name] = Class(levels=tuple(range(levels[name])), table=rows)
        edges += [f"{parent} -> {name}" for parent in parents]
    return cf.Graph(nodes=nodes, edges=edges)


def program_of(tables):
    def program():
        seen = {}
        for name, (parents, shares, _) in tables.items():
            at = tuple(seen[parent] for parent in parents)
            table = torch.tensor(shares)
            seen[name] = pyro.sample(name, dist.Categorical(table[at] if at else table))

    return program


def probability(program, given):
    held = pyro.condition(config_enumerate(program), {n: torch.tensor(v) for n, v in given.items()})
    return np.exp(-TraceEnum_ELBO(max_plate_nesting=0).loss(held, lambda: None))


@pytest.mark.parametrize("seed", range(8))
def test_conditional_effects_are_those_that_pyro_enumerates(seed):
    levels, tables = random_tables(seed)
    model, program = cf.compile(graph_of(levels, tables)), program_of(tables)
    there = pyro.do(program, {"x": torch.tensor(1)})
    for run, query in (
        (there, "P(y | do(x=1), z=0)"),
        (there, "P(u, y | do(x=1), m=1)"),
        (program, "P(v, m | y=0)"),
    ):
        table = model.ask(query).table
        known = {"z": 0} if "z=0" in query else {"m": 1} if "m=1" in query else {"y": 0}
        whole = probability(run, known)
        for cell, p in table.to_dict().items():
            cells = cell if isinstance(cell, tuple) else (cell,)
            given = known | dict(zip(table.axes, cells, strict=True))
            assert probability(run, given) / whole == pytest.approx(float(p), abs=1e-9), (
                query,
                cell,
            )
