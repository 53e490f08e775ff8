"""Strata: mean and variance of the statistic are those of all ways of shuffling one column."""

from itertools import permutations

import numpy as np
import pytest

from causalflow.dependence.finding import Finding
from causalflow.dependence.strata import stratified


@pytest.mark.parametrize("seed", range(8))
def test_moments_are_those_of_all_shuffles_within_the_strata(seed, monkeypatch):
    random = np.random.default_rng(seed)
    x, y = random.integers(0, 3, 14), random.integers(0, 1 + seed % 3 + 1, 14)
    strata = random.integers(0, 3, 14)
    given = {}
    monkeypatch.setattr(Finding, "gamma", lambda **values: given.update(values))
    stratified(x, y, strata)
    found = given["mean"], given["variance"]
    mean = variance = 0.0
    for place in np.unique(strata):
        rows = np.flatnonzero(strata == place)
        alike = np.zeros(len(rows), dtype=int)
        drawn = []
        for shuffled in {*permutations(y[rows].tolist())}:
            stratified(x[rows], np.array(shuffled), alike)
            drawn.append(given["statistic"])
        mean, variance = mean + np.mean(drawn), variance + np.var(drawn)
    assert found == pytest.approx((mean, variance), abs=1e-9)


def test_strength_is_one_where_one_column_is_the_other_and_none_where_chance_explains_it():
    random = np.random.default_rng(0)
    x, strata = random.integers(0, 3, 500), random.integers(0, 4, 500)
    assert stratified(x, x, strata).strength == pytest.approx(1, abs=0.01)
    assert stratified(x, random.integers(0, 3, 500), strata).strength < 0.1
