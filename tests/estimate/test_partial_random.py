"""Ends of random identified questions hold the truth where the population itself has empty strata.

Models of hidden causes whose tables have zeros: P(v) has strata without mass, yet the truth under
``do`` is the model's own, by enumeration. More: ``CAUSALFLOW_PARTIAL=500``.
"""

from __future__ import annotations

import os
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from finite_models import latent_model

from causalflow.estimate.counts import Counts
from causalflow.estimate.plug_in import Answers, estimated
from causalflow.factors.table import Table
from causalflow.graph.graph import Graph
from causalflow.identify.identify import identify

COUNT = int(os.environ.get("CAUSALFLOW_PARTIAL", "40"))


def drawn_graph(random):
    names = [f"v{k}" for k in range(int(random.integers(3, 6)))]
    pairs = [*combinations(names, 2)]
    directed = [pair for pair in pairs if random.random() < 0.55]
    bidirected = [pair for pair in pairs if random.random() < 0.25]
    return names, directed, bidirected


def with_zeros(model, random):
    """The model with some entries of its tables 0."""
    mechanisms = {}
    for name, (axes, table) in model.mechanisms.items():
        kept = table * (random.random(table.shape) > 0.3)
        total = kept.sum(axis=-1, keepdims=True)
        kept = np.where(total > 0, kept / np.where(total > 0, total, 1), table)
        mechanisms[name] = (axes, kept)
    return replace(model, mechanisms=mechanisms)


@pytest.mark.parametrize("seed", range(COUNT))
def test_ends_hold_the_truth_of_models_with_empty_strata(seed):
    random = np.random.default_rng(seed)
    names, directed, bidirected = drawn_graph(random)
    edges = [f"{a} -> {b}" for a, b in directed] + [f"{a} <-> {b}" for a, b in bidirected]
    graph = Graph(nodes={name: {"type": "class", "levels": 2} for name in names}, edges=edges)
    model = with_zeros(latent_model(random, names, directed, bidirected), random)
    y = names[-1]
    for x in names[:-1]:
        verdict = identify(graph, f"P({y} | do({x}))")
        if not verdict:
            continue
        joint = model.joint()
        counts = Table(names, joint * 1e6)
        answers = Answers.of(
            list(verdict._indices),
            verdict.query.free_variables,
            verdict.constant_in,
            counts,
        )
        found = estimated(
            verdict.estimand,
            Counts(table=counts, rows=10**6, dropped=0),
            answers,
            resamples=2,
            confidence=0.9,
            generator=0,
        )
        truth = model.truth([y], [x])
        low, high = (each.to_numpy([y, x]) for each in found.bounds)
        assert np.all(low <= truth + 1e-6), (edges, x)
        assert np.all(truth <= high + 1e-6), (edges, x)
        assert np.all(low.sum(axis=0) <= 1 + 1e-6)
        assert np.all(high.sum(axis=0) >= 1 - 1e-6)
        if found.table is not None:
            assert np.allclose(truth, low, atol=1e-6)
