"""Few calls are judged by paired differences, and one intervention where they are worse counts."""

import numpy as np
import pytest

from benchmarks.few.report import MANY_NAME, report, summary


def columns(scale, spread=0.0):
    random = np.random.default_rng(0)
    error = 1 + random.random(400)
    return {
        "calls a": np.full(1, 4.0),
        "calls ": np.full(1, 5.0),
        "error a": scale * error + spread * random.standard_normal(400),
        "variation a": error,
        "undone a": 2 * error,
        "kept a": np.zeros(400),
        "null ": np.zeros(100),
    }


def test_a_difference_is_paired_and_in_per_cent_of_leap_frogs_error():
    found = summary({MANY_NAME: columns(1.0), "few": columns(0.9)})
    paired = found["few"]["paired"]["error a"]
    assert paired["value"] == pytest.approx(-10)
    # The same pictures: only a tenth of the errors' own spread is left.
    own = found[MANY_NAME]["means"]["error a"]
    assert paired["half"] == pytest.approx(0.1 * 100 * own["half"] / own["value"])
    assert found["few"]["no worse"]
    assert found["few"]["paired"]["kept a"] == {"value": 0.0, "half": 0.0}


def test_worse_is_what_the_interval_says_and_undoing_does_not_count():
    many = columns(1.0)
    rows = {MANY_NAME: many, "worse": columns(1.02), "noisy": columns(1.0, spread=0.3)}
    rows["undoes"] = {**many, "undone a": 3 * many["undone a"]}
    found = summary(rows)
    assert not found["worse"]["no worse"]
    assert found["noisy"]["no worse"]
    assert found["undoes"]["no worse"]
    text = report({"net": found})
    assert "worse **worse** under one" in text
    assert "| error, do(a) | worse | 5 + 4 |" in text
