"""The joint law of a node's copies: laws of the three choices, and simulation of what they mean."""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causalflow.exact.coupling import COUPLINGS, coupled

LAWS = st.integers(2, 4).flatmap(
    lambda levels: st.lists(
        st.lists(st.integers(0, 6), min_size=levels, max_size=levels)
        .filter(any)
        .map(lambda counts: tuple(Fraction(c, sum(counts)) for c in counts)),
        min_size=1,
        max_size=3,
    )
)


@pytest.mark.parametrize("choice", COUPLINGS)
@settings(max_examples=40, deadline=None)
@given(laws=LAWS)
def test_every_copy_has_its_row_of_the_table_as_law(choice, laws):
    joint = coupled(choice, range(len(laws)), laws)
    for place, law in enumerate(laws):
        others = tuple(axis for axis in range(len(laws)) if axis != place)
        assert tuple(joint.sum(axis=others)) == law


@pytest.mark.parametrize("choice", COUPLINGS)
@settings(max_examples=20, deadline=None)
@given(laws=LAWS)
def test_copies_with_equal_parents_are_equal(choice, laws):
    rows = [0, *range(len(laws))]
    joint = coupled(choice, rows, [laws[row] for row in rows])
    assert all(cell[0] == cell[1] for cell in np.ndindex(joint.shape) if joint[cell])


@settings(max_examples=40, deadline=None)
@given(laws=LAWS.filter(lambda laws: len(laws[0]) == 2))
def test_two_levels_leave_gumbel_no_other_way_than_monotone(laws):
    rows = range(len(laws))
    assert (coupled("gumbel", rows, laws) == coupled("monotone", rows, laws)).all()


@settings(max_examples=40, deadline=None)
@given(laws=LAWS.filter(lambda laws: len(laws) == 2))
def test_gumbel_keeps_a_value_whose_odds_rise_most(laws):
    """Counterfactual stability (Oberst & Sontag 2019): v becomes w only if w's odds have grown."""
    first, second = laws
    joint = coupled("gumbel", (0, 1), laws)
    for v, w in product(range(len(first)), repeat=2):
        if first[v] and second[v] * first[w] >= second[w] * first[v] and v != w:
            assert joint[v, w] == 0


@settings(max_examples=40, deadline=None)
@given(laws=LAWS.filter(lambda laws: len(laws) == 2))
def test_gumbel_agreement_of_two_worlds_is_one_over_a_sum_of_ratios(laws):
    first, second = laws
    joint = coupled("gumbel", (0, 1), laws)
    for v in range(len(first)):
        if first[v] and second[v]:
            ratios = zip(first, second, strict=True)
            assert joint[v, v] == 1 / sum(max(p / first[v], q / second[v]) for p, q in ratios)


@pytest.mark.parametrize(("levels", "worlds"), [(3, 2), (4, 2), (3, 3), (5, 2)])
def test_gumbel_is_what_simulated_gumbel_noise_gives(levels, worlds):
    random = np.random.default_rng(levels * worlds)
    counts = random.integers(0, 7, (worlds, levels)) + np.eye(worlds, levels, dtype=int)
    laws = [tuple(Fraction(int(c), int(row.sum())) for c in row) for row in counts]
    draws = 100_000
    noise = random.gumbel(size=(draws, levels))
    with np.errstate(divide="ignore"):
        values = [np.argmax(np.log(np.array(law, dtype=float)) + noise, axis=1) for law in laws]
    shares = np.zeros((levels,) * worlds)
    np.add.at(shares, tuple(values), 1 / draws)
    joint = coupled("gumbel", range(worlds), laws).astype(float)
    # 5 standard errors of a share of 100,000 draws: 5 * sqrt(.25 / 1e5) = .008.
    assert np.abs(shares - joint).max() < 0.008


def test_monotone_is_the_overlap_of_intervals():
    third, half = Fraction(1, 3), Fraction(1, 2)
    joint = coupled("monotone", (0, 1), [(third, third, third), (half, Fraction(0), half)])
    sixth = Fraction(1, 6)
    assert joint.tolist() == [[third, 0, 0], [sixth, 0, sixth], [0, 0, third]]
