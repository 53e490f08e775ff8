"""The suites of tables: their truth, their floor, and who is said to be ahead."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.tabular.report import behind
from benchmarks.tabular.suites import EQUATIONS, draw, floor, parents, ranked, score, solve


def test_the_truth_itself_has_no_error():
    columns, noise = draw("cnf-simpson-nonlinear", 50, seed=1)
    assert all((solve("cnf-simpson-nonlinear", noise, {})[n] == columns[n]).all() for n in columns)
    true = score(
        "cnf-chain-linear",
        lambda rows, do: solve("cnf-chain-linear", draw("cnf-chain-linear", 60, 1)[1], do),
        rows=60,
    )
    assert true == 0
    assert score("cnf-chain-linear", lambda rows, do: rows, rows=60) > 0.5


@pytest.mark.parametrize("name", [n for n in EQUATIONS if "linear" in n and "non" not in n])
def test_rows_of_equations_that_can_be_inverted_tell_their_noise(name):
    assert floor(name, rows=20) < 1e-9


def test_the_floor_of_a_square_is_that_of_two_noises_that_rows_do_not_tell_apart():
    assert 0.2 < floor("dcm-chain-nonadditive", rows=60) < 0.7


def test_ranks_are_kept_by_equations_that_increase_in_their_noise_and_lost_by_others():
    assert ranked("cnf-chain-linear", rows=20) < 1e-9
    assert ranked("dcm-chain-nonadditive", rows=60) > floor("dcm-chain-nonadditive", rows=60)


def test_parents_are_those_that_equations_read():
    assert parents("dcm-y-additive") == {"x1": [], "x2": [], "x3": ["x1", "x2"], "x4": ["x3"]}


def test_who_is_ahead_is_ahead_by_more_than_one_standard_error():
    ours = {0: 0.10, 1: 0.12, 2: 0.11}
    close = {seed: error - np.array([0.02, -0.02, 0.005])[seed] for seed, error in ours.items()}
    better = {seed: error - 0.02 for seed, error in ours.items()}
    assert behind({"causalflow": ours, "close": close, "better": better}) == ["better"]
