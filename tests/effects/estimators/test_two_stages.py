"""Instruments: the intervals' coverage, and the closed form where there is one instrument."""

import numpy as np
import pytest
from scipy.stats import chi2

from causalflow.effects.estimators.two_stages import STRONG, ratio_of_scores, two_stages
from causalflow.errors import DataError

TRUTH = 0.5


def drawn(seed, strength, count=1, rows=500):
    generator = np.random.default_rng(seed)
    instruments, hidden = generator.normal(size=(rows, count)), generator.normal(size=rows)
    noise = generator.normal(size=(rows, 2))
    treatment = instruments.sum(1) * strength + hidden + noise[:, 0]
    spread = 1 + 0.5 * np.abs(instruments[:, 0])
    outcome = TRUTH * treatment + 1.5 * hidden + spread * noise[:, 1]
    return tuple(each - each.mean(0) for each in (outcome, treatment, instruments))


def holds(found):
    return any(low <= TRUTH <= high for low, high in found.robust)


@pytest.mark.parametrize(("strength", "count"), [(0.5, 1), (0.03, 1), (0.3, 3), (0.02, 3)])
def test_anderson_rubin_sets_hold_the_truth_however_weak_the_instruments(strength, count):
    held = sum(holds(two_stages(*drawn(seed, strength, count))) for seed in range(100))
    # Binomial(100, .95) has standard deviation 2.2; four of them below 95 is 86.
    assert held >= 86


def test_set_of_one_instrument_is_the_solution_of_its_quadratic():
    for seed, strength in ((0, 0.5), (1, 0.05), (2, 0.02), (3, 2.0)):
        y, x, z = drawn(seed, strength)
        found, bar, column = two_stages(y, x, z), chi2.ppf(0.95, 1), z[:, 0]
        below, above = column * x, column * y
        rows = len(y)
        cross = [
            [rows * np.cov(a, b, bias=True)[0, 1] for a in (below, above)] for b in (below, above)
        ]
        quadratic = [
            below.sum() ** 2 - bar * cross[0][0],
            -2 * (below.sum() * above.sum() - bar * cross[0][1]),
            above.sum() ** 2 - bar * cross[1][1],
        ]
        ends = [end for part in found.robust for end in part if np.isfinite(end)]
        roots = np.roots(quadratic)
        assert ends == pytest.approx(sorted(roots[np.isreal(roots)].real), rel=1e-6)


def test_weak_instruments_are_known_by_their_first_stage():
    strong, weak = two_stages(*drawn(0, 0.5)), two_stages(*drawn(0, 0.03))
    assert strong.strength > STRONG > weak.strength
    assert weak.is_weak
    assert not strong.is_weak
    assert not np.isfinite([weak.robust[0][0], weak.robust[-1][1]]).any()


def test_influence_values_give_the_spread_over_data_sets():
    found = [two_stages(*drawn(seed, 0.5)) for seed in range(200)]
    spread = np.std([each.value for each in found])
    # The standard deviation of 200 values is known to 5 %; four of these, and the error of errors.
    assert np.mean([each.error for each in found]) == pytest.approx(spread, rel=0.25)
    assert all(abs(each.influence.mean()) < 1e-9 for each in found)


def test_ratio_of_scores_is_their_means_ratio_with_fiellers_interval():
    generator = np.random.default_rng(0)
    below = generator.normal(2, 1, size=400)
    above = 3 * below + generator.normal(size=400)
    found = ratio_of_scores(above, below)
    assert found.value == above.mean() / below.mean()
    (part,) = found.robust
    assert part[0] < found.value < part[1]
    assert part[1] - part[0] == pytest.approx(2 * 1.96 * found.error, rel=0.05)


def test_instrument_that_does_not_vary_is_refused():
    y, x, z = drawn(0, 0.5)
    with pytest.raises(DataError, match="does not vary"):
        two_stages(y, x, np.hstack([z, z]))
