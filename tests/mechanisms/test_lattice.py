"""Counts come out whole, the rare ones too, by a law that is theirs, and are given back."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from causalflow.graph.node import Continuous
from causalflow.mechanisms.regression.atoms import Atoms
from causalflow.mechanisms.regression.lattice import Lattice
from causalflow.mechanisms.regression.regression_mechanism import RegressionMechanism


def column(*numbers):
    return torch.tensor(numbers, dtype=torch.float64)


@pytest.mark.parametrize(
    ("numbers", "step"),
    [((1, 2, 5), 1), ((0.3, 0.7, 12), 0.1), ((300, 1200), 100), ((0.1, np.pi), 0)],
)
def test_the_step_is_the_largest_power_of_ten_that_all_values_are_multiples_of(numbers, step):
    lattice = Lattice()
    lattice.find(column(*numbers))
    assert lattice.step == pytest.approx(step)


def test_a_number_is_rounded_away_from_atoms_unless_both_neighbours_are():
    lattice, atoms = Lattice(), Atoms(0)
    lattice.find(column(1, 2))
    atoms.find(column(*[0] * 30, *[1] * 30, *[2] * 30, 7), column())
    found = lattice.rounded(column(0.4, 1.2, 2.3, 6.6), atoms)
    assert found.tolist() == [0, 1, 3, 7]


@pytest.fixture(scope="module")
def counts():
    rng = np.random.default_rng(0)
    a = rng.normal(size=5000)
    x = rng.poisson(np.exp(a / 2 + 1)).astype(float)
    mechanism = RegressionMechanism("x", Continuous(noise="auto"), {"a": Continuous()})
    mechanism.calibrate({"a": torch.tensor(a), "x": torch.tensor(x)}, torch.Generator())
    return mechanism, {"a": torch.tensor(a)}, torch.tensor(x)


def test_counts_are_drawn_whole_and_as_often_as_they_are(counts):
    mechanism, parents, x = counts
    drawn = mechanism.predict(parents, mechanism.draw_noise(len(x), torch.Generator()))
    assert (drawn == drawn.round()).all()
    # two samples of 5,000 differ by .027 in one of twenty
    assert stats.ks_2samp(drawn, x).statistic < 0.027
    rare = x[mechanism.atoms.index(x) < 0]
    assert len(rare) > 50
    assert (
        abs(float((drawn >= rare.min()).double().mean()) - float((x >= rare.min()).double().mean()))
        < 0.02
    )


def test_every_count_is_given_back_and_so_is_a_number_between(counts):
    mechanism, parents, x = counts
    noise = mechanism.abduct(x, parents, torch.Generator().manual_seed(1))
    assert mechanism.predict(parents, noise).equal(x)
    rare = mechanism.atoms.index(x) < 0
    between, parents = x[rare] + 0.25, {"a": parents["a"][rare]}
    noise = mechanism.abduct(between, parents, torch.Generator().manual_seed(1))
    assert torch.allclose(mechanism.predict(parents, noise), between, rtol=1e-9)


def test_under_another_parent_the_rare_counts_stay_whole(counts):
    mechanism, parents, x = counts
    noise = mechanism.abduct(x, parents, torch.Generator().manual_seed(1))
    found = mechanism.predict({"a": parents["a"] - 0.5}, noise)
    assert (found == found.round()).all()
    assert (found <= x).double().mean() > 0.98  # the mean falls in every row
    assert abs(float(found.mean() / x.mean()) - np.exp(-0.25)) < 0.03
