"""Drawn coupling: in floats and many draws at once the joint laws are those in fractions."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from causalflow.errors import CausalflowError
from causalflow.exact.coupling import coupled
from causalflow.exact.drawn_coupling import coupled_draws

DRAWS = 6


def laws(random, count, levels):
    """Rows of whole numbers, which are fractions without rounding."""
    whole = random.integers(1, 20, (count, DRAWS, levels))
    exact = [[[Fraction(int(k), int(row.sum())) for k in row] for row in each] for each in whole]
    return exact, whole / whole.sum(axis=2, keepdims=True)


@pytest.mark.parametrize(
    ("choice", "rows"),
    [
        ("gumbel", (0, 1)),
        ("gumbel", (3, 3)),
        ("gumbel", (1, 0, 1)),
        ("gumbel", (0, 1, 1, 0)),
        ("monotone", (0, 1)),
        ("monotone", (0, 1, 2)),
        ("monotone", (2, 0, 2)),
        ("response", (0, 1, 2)),
        ("response", (0, 0, 1)),
    ],
)
@pytest.mark.parametrize("levels", [2, 3, 5])
def test_each_draw_has_the_joint_law_in_fractions(choice, rows, levels):
    exact, floats = laws(np.random.default_rng(levels), 4, levels)
    found = coupled_draws(choice, rows, [floats[row] for row in rows])
    for draw in range(DRAWS):
        truth = coupled(choice, rows, [tuple(exact[row][draw]) for row in rows])
        np.testing.assert_allclose(found[draw], truth.astype(float), rtol=0, atol=1e-12)


def test_three_different_rows_under_gumbel_noise_are_refused():
    _, floats = laws(np.random.default_rng(0), 3, 2)
    with pytest.raises(CausalflowError, match=r"noise 'gumbel' in 3 worlds"):
        coupled_draws("gumbel", (0, 1, 2), list(floats))
