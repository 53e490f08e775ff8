"""Credible intervals: how far the counts behind fitted tables leave an answer open.

Held against the Beta distribution, against the truth of simulated rows, and against the answer.
"""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import causalflow as cf

CLASS = {"type": "class", "levels": 2}
EDGES = ["z -> x", "z -> y", "x -> y"]


def rows(n, seed):
    """The effect of x on P(y) is .3 at each z."""
    random = np.random.default_rng(seed)
    z = random.random(n) < 0.4
    x = random.random(n) < 0.2 + 0.5 * z
    y = random.random(n) < 0.2 + 0.3 * z + 0.3 * x
    return pd.DataFrame({"z": z, "x": x, "y": y}).astype(int)


def fitted(data, edges=EDGES, noise="monotone"):
    nodes = {name: {**CLASS, "noise": noise} for name in data}
    model = cf.compile(cf.Graph(nodes=nodes, edges=edges))
    model.fit(data, progress=False, steps=1)
    return model


@pytest.fixture(scope="module")
def model():
    return fitted(rows(500, seed=0))


def test_the_interval_of_a_share_is_that_of_jeffreys(model):
    data = rows(500, seed=0)
    yes = int(data.z.sum())
    answer = model.ask("P(z=1)", interval=0.9)
    expected = stats.beta.ppf([0.05, 0.95], yes + 0.5, 500 - yes + 0.5)
    # An end of 10,000 draws has a standard error of .021 standard deviations.
    assert answer.interval.ends == pytest.approx(expected, abs=5 * 0.021 * answer_sd(yes, 500))
    assert (answer.value, answer.route) == (pytest.approx(yes / 500), "exact")
    assert "Jeffreys" in str(answer)


def answer_sd(yes, n):
    return (yes / n * (1 - yes / n) / n) ** 0.5


def test_a_level_that_never_occurred_has_an_interval_from_zero():
    data = rows(200, seed=1).assign(y=0)
    low, high = fitted(data).ask("P(y=1 | do(x=1))", interval=0.95).interval.ends
    assert low == 0.0
    assert 0 < high < 0.1


def test_intervals_cover_the_truth_as_often_as_they_say():
    """Of 120 data sets 95 % are covered, within three standard errors of the count."""
    truths = {
        "P(y=1 | do(x=1))": 0.4 * 0.8 + 0.6 * 0.5,
        "E[y | do(x=1)] - E[y | do(x=0)]": 0.3,
        "P(y=1 | x=1)": (0.4 * 0.7 * 0.8 + 0.6 * 0.2 * 0.5) / (0.4 * 0.7 + 0.6 * 0.2),
    }
    covered = dict.fromkeys(truths, 0)
    for seed in range(120):
        model = fitted(rows(300, seed))
        for query, truth in truths.items():
            low, high = model.ask(query, interval=0.95).interval.ends
            covered[query] += low <= truth <= high
    for query, count in covered.items():
        assert abs(count / 120 - 0.95) < 3 * (0.95 * 0.05 / 120) ** 0.5, query


def test_counterfactuals_tables_and_columns_have_intervals(model):
    with pytest.warns(cf.CausalflowWarning, match="not identifiable"):
        answer = model.ask("P(y[x=1]=1 | x=0, y=0)", interval=0.95)
    low, high = answer.interval.ends
    assert low < answer.value < high
    table = model.ask("P(y, z | do(x=1))", interval=0.95)
    assert table.interval.low.axes == table.table.axes
    inside = table.interval.low.to_numpy() < table.table.to_numpy()
    assert (inside & (table.table.to_numpy() < table.interval.high.to_numpy())).all()
    batch = model.ask("P(y=1 | x)", x=[0, 1, 0], interval=0.95)
    single = model.ask("P(y=1 | x=1)", interval=0.95)
    assert batch.interval.low.to_numpy()[1] == pytest.approx(single.interval.ends[0], abs=0.01)


def test_more_rows_leave_less_open():
    widths = [
        np.ptp(fitted(rows(n, seed=3)).ask("P(y=1 | do(x=1))", interval=0.95).interval.ends)
        for n in (250, 4_000)
    ]
    assert widths[1] == pytest.approx(widths[0] / 4, rel=0.25)


def test_what_rests_on_no_counts_has_no_interval(model):
    with pytest.raises(cf.CausalflowError, match="a number between 0 and 1"):
        model.ask("P(z=1)", interval=95)
    with pytest.raises(cf.CausalflowError, match="needs an answer by counted tables"):
        model.ask("P(z=1)", interval=0.95, draws=1_000)
    hidden = fitted(rows(300, seed=0)[["x", "y"]], edges=["x -> y", "x <-> y"])
    with pytest.raises(cf.CausalflowError, match="listens to the hidden cause"):
        hidden.ask("P(y=1 | x=1)", interval=0.95)


def test_the_command_line_prints_the_interval(model, tmp_path):
    path = tmp_path / "model.safetensors"
    model.save(path)
    command = [sys.executable, "-m", "causalflow", "ask", str(path), "P(z=1)", "--interval", "0.9"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "90 % interval: " in text
    whole = subprocess.run([*command, "--json"], capture_output=True, text=True, check=True).stdout
    shown = json.loads(whole)
    assert shown["route"] == "exact"
    assert shown["interval"]["low"][0]["p"] < shown["table"][0]["p"]
