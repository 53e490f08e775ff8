"""Formulas where strata are empty: every filling lies within the ends, and some reach them.

The oracle fills each empty stratum with a law of its own and writes the formula out with einsum.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from causalflow.graph.graph import Graph
from causalflow.identify.identify import identify

BACK_DOOR = Graph(edges=["z -> x -> y", "z -> y"])
FRONT_DOOR = Graph(edges=["x -> m -> y", "x <-> y"])
NAPKIN = Graph(edges=["w -> r -> x -> y", "w <-> x", "w <-> y"])


def filled(counts, laws):
    """P(last axes | first axes) of counts (strata, cells), with a law for each empty stratum."""
    total = counts.sum(axis=1, keepdims=True)
    shares = counts / np.maximum(total, 1)
    shares[total[:, 0] == 0] = laws
    return shares


def fillings(strata, cells, generator):
    """Laws of some empty strata: every choice of one certain cell each, and some random ones."""
    for chosen in itertools.islice(itertools.product(range(cells), repeat=strata), 400):
        yield np.eye(cells)[list(chosen)].reshape(strata, cells)
    for _ in range(20):
        yield generator.dirichlet(np.ones(cells), size=strata)


def sparse(shape, generator, rows):
    return generator.multinomial(rows, generator.dirichlet(np.full(np.prod(shape), 0.25))).reshape(
        shape
    )


def as_rows(counts, names):
    cells = np.repeat(np.arange(counts.size), counts.reshape(-1))
    return dict(zip(names, np.unravel_index(cells, counts.shape), strict=True))


def ends(graph, query, counts, names):
    levels = {name: range(size) for name, size in zip(names, counts.shape, strict=True)}
    rows = as_rows(counts, names)
    found = identify(graph, query).estimate(rows, levels=levels, resamples=2)
    return found, [each.to_numpy() for each in found.bounds]


def reached(values):
    """The smallest and largest value of each cell over all fillings."""
    every = np.stack(values)
    return every.min(axis=0), every.max(axis=0)


def back_door_means(counts, laws):
    """E[y | do(x)] for each x, counts over z, x, y."""
    z, x, y = counts.shape
    law = filled(counts.reshape(-1, y).astype(float), laws).reshape(z, x, y)
    return np.einsum("zxy,z,y->x", law, counts.sum(axis=(1, 2)) / counts.sum(), np.arange(y))


@pytest.mark.parametrize("seed", range(8))
def test_ends_of_a_back_door_are_those_of_all_fillings(seed):
    generator = np.random.default_rng(seed)
    counts = sparse((3, 2, 3), generator, 12)
    empty = int((counts.sum(axis=2) == 0).sum())
    means = [back_door_means(counts, laws) for laws in fillings(empty, 3, generator)]
    for query, each in (
        ("E[y | do(x)]", means),
        ("E[y | do(x=1)]", [mean[1] for mean in means]),
        ("TE(x -> y)", [mean[1] - mean[0] for mean in means]),
    ):
        found, (low, high) = ends(BACK_DOOR, query, counts, "zxy")
        least, most = reached(each)
        assert np.allclose(low, least, atol=1e-9), query
        assert np.allclose(high, most, atol=1e-9), query
        assert (found.table is None) == bool(np.any(most - least > 1e-9))


@pytest.mark.parametrize("seed", range(8))
def test_ends_of_a_front_door_hold_all_fillings(seed):
    generator = np.random.default_rng(seed)
    counts = sparse((2, 3, 2), generator, 14)  # x, m, y
    shares = counts.sum(axis=(1, 2)) / counts.sum()
    mediated = counts.sum(axis=2) / np.maximum(counts.sum(axis=(1, 2)), 1)[:, None]
    assert counts.sum(axis=(1, 2)).all()
    empty = int((counts.sum(axis=2) == 0).sum())
    values = []
    for laws in fillings(empty, 2, generator):
        law = filled(counts.reshape(-1, 2).astype(float), laws).reshape(2, 3, 2)
        values.append(np.einsum("xm,amy,a->yx", mediated, law, shares))
    _, (low, high) = ends(FRONT_DOOR, "P(y | do(x))", counts, "xmy")
    least, most = reached(values)
    assert np.allclose(low, least, atol=1e-9)
    assert np.allclose(high, most, atol=1e-9)


@pytest.mark.parametrize("seed", range(8))
def test_ends_of_a_napkin_hold_all_fillings(seed):
    generator = np.random.default_rng(seed)
    counts = sparse((3, 1, 2, 2), generator, 16)  # w, r, x, y: r at one level
    other = sparse((3, 1, 2, 2), generator, 4)
    counts = np.concatenate([counts, other], axis=1)
    shares = counts.sum(axis=(1, 2, 3)) / counts.sum()
    most_frequent = int(counts.sum(axis=(0, 2, 3)).argmax())
    part = counts[:, most_frequent].reshape(3, 4).astype(float)
    empty = int((part.sum(axis=1) == 0).sum())
    values = []
    for laws in fillings(empty, 4, generator):
        joint = np.einsum("wxy,w->xy", filled(part.copy(), laws).reshape(3, 2, 2), shares)
        if joint[1].sum() > 1e-12:
            values.append(joint[1, 1] / joint[1].sum())
    _, (low, high) = ends(NAPKIN, "P(y=1 | do(x=1))", counts, "wrxy")
    assert low <= min(values) + 1e-9
    assert high >= max(values) - 1e-9
    if empty <= 1:  # of one unknown law the ends are exact, to the last halving
        assert np.allclose([low, high], [min(values), max(values)], atol=1e-6)


def test_probabilities_sum_to_one_or_hold_one_between_them():
    for seed in range(20):
        counts = sparse((3, 2, 3), np.random.default_rng(seed), 25)
        found, (low, high) = ends(BACK_DOOR, "P(y | do(x))", counts, "zxy")
        if found.table is not None:
            assert np.allclose(found.table.to_numpy(["y", "x"]).sum(axis=0), 1, atol=1e-9)
        assert np.all(low.sum(axis=0) <= 1 + 1e-9)
        assert np.all(high.sum(axis=0) >= 1 - 1e-9)


@pytest.mark.parametrize("graph", [BACK_DOOR, FRONT_DOOR], ids=["back door", "front door"])
def test_an_effect_is_the_difference_of_its_two_means(graph):
    names = "".join(sorted(graph.nodes))
    for seed in range(20):
        counts = sparse((2, 2, 3), np.random.default_rng(seed), 200)
        found = {
            query: ends(graph, query, counts, names)
            for query in ("TE(x -> y)", "E[y | do(x=1)]", "E[y | do(x=0)]")
        }
        effect, one, other = (found[query][1] for query in found)
        if graph is BACK_DOOR or found["TE(x -> y)"][0].table is not None:
            assert np.allclose(effect[0], one[0] - other[1], atol=1e-9)
            assert np.allclose(effect[1], one[1] - other[0], atol=1e-9)
        else:  # the means share what is unknown, so the effect may be known better
            assert effect[0] >= one[0] - other[1] - 1e-9
            assert effect[1] <= one[1] - other[0] + 1e-9
