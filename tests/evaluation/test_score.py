from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from causalflow.errors import DataError
from causalflow.evaluation.axioms import amplification
from causalflow.evaluation.score import mean_score, share_score


def test_intervals_hold_the_truth_in_95_of_100_repetitions():
    generator = torch.Generator().manual_seed(0)
    numbers = torch.rand(2000, 100, generator=generator)
    hits = torch.rand(2000, 50, generator=generator) < 0.9
    for scores, truth in (
        ([mean_score(row, "pixels") for row in numbers], 0.5),
        ([share_score(row) for row in hits], 0.9),
    ):
        held = np.mean([low <= truth <= high for low, high in (s.interval for s in scores)])
        # 5 standard errors of 2,000 repetitions, and 1.5 points for 100 (50) images
        assert held == pytest.approx(0.95, abs=5 * math.sqrt(0.95 * 0.05 / 2000) + 0.015)


def test_the_interval_of_a_share_is_wilsons():
    from scipy.stats import binomtest

    score = share_score(torch.tensor([True] * 7 + [False] * 13))
    expected = binomtest(7, 20).proportion_ci(method="wilson")
    # two derivations of one number in float64
    assert score.interval == pytest.approx((expected.low, expected.high), rel=1e-12)
    assert (score.value, score.count, score.unit) == (0.35, 20, "share")
    assert 0 < share_score(torch.ones(10)).interval[0] < share_score(torch.ones(10)).interval[1]


def test_one_image_tells_nothing_of_the_others():
    assert mean_score(torch.tensor([2.0]), "pixels").interval == (-math.inf, math.inf)


def test_what_has_no_mean_is_refused():
    with pytest.raises(DataError, match=r"values of shape \(0,\)"):
        mean_score(torch.zeros(0), "pixels")
    with pytest.raises(DataError, match="image 1 has value nan; expected a number"):
        mean_score(torch.tensor([0.0, math.nan]), "pixels")


def test_amplification_is_what_exceeds_the_measuring_floor():
    wanted = torch.tensor([2.0, 3.0])
    reference = torch.tensor([2.1, 3.1])
    assert amplification(reference, reference, wanted, "pixels").value == 0
    moved = amplification(torch.tensor([2.3, 2.6]), reference, wanted, "pixels")
    # float32 readings
    assert moved.value == pytest.approx((0.3 + 0.4) / 2 - 0.1, abs=1e-6)
    levels = torch.tensor([3, 1, 4, 1])
    digit = amplification(torch.tensor([3, 1, 7, 7]), torch.tensor([3, 1, 4, 7]), levels)
    assert (digit.value, digit.unit, digit.count) == (0.25, "share", 4)
    with pytest.raises(DataError, match=r"readings of shapes .* expected the same shape"):
        amplification(levels, levels, levels[:2])
