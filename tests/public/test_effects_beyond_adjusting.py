"""Effects from rows where no set serves to adjust for, and what is told of their weak points."""

import numpy as np
import pytest

import causalflow as cf

ROWS = 4_000
FRONT = cf.Graph(edges=["x -> m -> y", "x <-> y", "c -> x", "c -> m", "c -> y"])
MEDIATED = cf.Graph(edges=["w -> x", "w -> m", "w -> y", "x -> m -> y", "x -> y"])
TRIAL = cf.Graph(edges=["z -> x -> y", "x <-> y", "w -> x", "w -> y", "w -> z"])
TWICE = cf.Graph(
    edges=["l -> a", "l -> m", "a -> m -> b", "a -> b", "a -> y", "b -> y", "m -> y", "m <-> y"]
)


def chance(number):
    return 1 / (1 + np.exp(-number))


def front_door(rows=ROWS, seed=0):
    random = np.random.default_rng(seed)
    u, c, noise, other = random.normal(size=(4, rows))
    x = (random.random(rows) < chance(u + 0.5 * c)).astype(int)
    m = 0.8 * x + 0.5 * c + noise
    return {"x": x, "m": m, "y": m + 1.5 * u + c + other, "c": c}


def mediated(rows=ROWS, seed=0):
    random = np.random.default_rng(seed)
    w, noise, other = random.normal(size=(3, rows))
    x = (random.random(rows) < chance(w)).astype(int)
    m = x + w + noise
    return {"w": w, "x": x, "m": m, "y": x + m + 0.5 * x * m + w + other}


def trial(rows=ROWS, seed=0, moved=1.0):
    random = np.random.default_rng(seed)
    w, u, noise = random.normal(size=(3, rows))
    z = (random.random(rows) < chance(w)).astype(int)
    x = (moved * (2 * z - 1) + u + 0.5 * w > 0).astype(int)
    return {"z": z, "w": w, "x": x, "y": 2 * x + u + w + noise}


def twice(rows=ROWS, seed=0):
    random = np.random.default_rng(seed)
    u, l, noise, other = random.normal(size=(4, rows))  # noqa: E741
    a = (random.random(rows) < chance(0.7 * l)).astype(int)
    m = 0.8 * a + 0.5 * l + u + noise
    b = (random.random(rows) < chance(0.7 * m - 0.4 * a)).astype(int)
    return {"l": l, "a": a, "m": m, "b": b, "y": a + b + 0.5 * a * b + 0.4 * m + u + other}


def near(found, truth):
    return abs(found.value - truth) < 5 * found.standard_error


def test_front_door_through_a_number_finds_the_effect():
    found = cf.identify(FRONT, "ATE(x -> y)").estimate(front_door(), learners="linear")
    assert near(found, 0.8)
    assert found.standard_error < 0.1
    assert "front door through m given c" in str(found)
    table = cf.identify(FRONT, "E[y | do(x)]").estimate(front_door(), learners="linear")
    levels = table.to_dict()
    assert levels[1] - levels[0] == pytest.approx(found.value, abs=1e-9)


def test_front_door_of_those_treated_at_their_own_level_is_their_mean():
    rows = front_door()
    found = cf.identify(FRONT, "E[y[x=1] | x=1]").estimate(rows, learners="linear", method="stages")
    assert abs(found.value - rows["y"][rows["x"] == 1].mean()) < found.standard_error


def test_natural_effects_add_up_to_the_total():
    rows = mediated()
    # y[x=1, m[x=0]] - y[x=0] = 1 + w / 2 and y[x=0, m[x=1]] - y[x=0] = 1, as m[x] = x + w + noise.
    direct = cf.identify(MEDIATED, "NDE(x -> y)").estimate(rows, learners="smooth")
    indirect = cf.identify(MEDIATED, "NIE(x -> y)").estimate(rows, learners="smooth")
    assert near(direct, 1.0)
    assert near(indirect, 1.0)
    total = cf.identify(MEDIATED, "E[y[x=1] - y[x=1, m[x=0]]]").estimate(rows, learners="smooth")
    assert near(total, 1.5)
    whole = cf.identify(MEDIATED, "TE(x -> y)").estimate(rows, learners="smooth")
    assert total.value + direct.value == pytest.approx(whole.value, abs=0.1)


def test_direct_effect_on_those_not_treated_follows_their_covariates():
    rows = mediated()
    found = cf.identify(MEDIATED, "Ctf-DE(x -> y; m | x=0)").estimate(rows, learners="smooth")
    assert near(found, 1 + 0.5 * rows["w"][rows["x"] == 0].mean())


def test_treatments_one_after_another_are_adjusted_in_turn():
    query = "E[y[a=1, b=1] - y[a=0, b=0]]"
    found = cf.identify(TWICE, query).estimate(twice(), learners="smooth")
    assert near(found, 2.5 + 0.4 * 0.8)
    assert "a given l, then b given l, m" in str(found)


def test_instrument_is_taken_only_where_it_is_named():
    verdict = cf.identify(TRIAL, "ATE(x -> y)")
    with pytest.raises(cf.CausalflowError, match="method='instrument'"):
        verdict.estimate(trial())
    found = verdict.estimate(trial(), method="instrument", learners="smooth")
    assert near(found, 2.0)
    assert "other direction" in str(found)


def test_weak_instrument_is_told_and_its_interval_is_wide():
    found = cf.identify(TRIAL, "ATE(x -> y)").estimate(
        trial(moved=0.01), method="instrument", learners="linear"
    )
    assert "first-stage F" in str(found)
    low, high = found.interval
    assert low < 2.0 < high
    assert high - low > 5


def test_instrument_does_not_tell_a_mean():
    with pytest.raises(cf.CausalflowError, match="ask for a difference"):
        cf.identify(TRIAL, "E[y | do(x=1)]").estimate(trial(), method="instrument")


def test_refutation_passes_where_the_estimate_is_right():
    found = cf.identify(FRONT, "ATE(x -> y)").estimate(front_door(1_000), learners="linear")
    report = found.refute(repeats=4)
    assert report
    assert [check.name for check in report.checks] == [
        "shuffled x",
        "random common cause",
        "80% of the rows",
    ]
    assert report.sensitivity is None


def test_refutation_of_an_adjusted_effect_tells_how_strong_a_hidden_cause_must_be():
    graph = cf.Graph(edges=["z -> x -> y", "z -> y"])
    random = np.random.default_rng(0)
    z, noise = random.normal(size=(2, 2_000))
    x = (random.random(2_000) < chance(z)).astype(int)
    rows = {"z": z, "x": x, "y": 0.5 * x + z + noise}
    report = cf.identify(graph, "ATE(x -> y)").estimate(rows, learners="linear").refute(repeats=3)
    # f = .5 sd(e_x) / sd(e_y) with sd(e_x) about .46 and sd(e_y) 1: R^2 of about 20 %.
    assert report.sensitivity.robustness == pytest.approx(0.20, abs=0.05)
    assert "as strong as 'z'" in str(report)
    assert "E-value" in str(report)
    axes = report.plot()
    assert len(axes) == 2


def test_refutation_refuses_options_without_sense():
    found = cf.identify(FRONT, "ATE(x -> y)").estimate(front_door(500), learners="linear")
    with pytest.raises(cf.CausalflowError, match="at least 2 repeats"):
        found.refute(repeats=1)
    with pytest.raises(cf.CausalflowError, match="share between 0 and 1"):
        found.refute(share=1.0)


def test_napkin_of_numbers_is_answered_by_its_formula():
    graph = cf.Graph(edges=["w -> r -> x -> y", "w <-> x", "w <-> y"])
    random = np.random.default_rng(0)
    h, k, noise, other = random.normal(size=(4, 2_000))
    w = h + k + noise
    r = (random.random(2_000) < chance(w)).astype(int)
    x = (random.random(2_000) < chance(1.5 * r - 0.75 + h)).astype(int)
    rows = {"w": w, "r": r, "x": x, "y": 2 * x + k + other}
    found = cf.identify(graph, "ATE(x -> y)").estimate(rows, resamples=30)
    assert near(found, 2.0)
    assert "30 bootstrap samples" in str(found)


def test_trial_without_covariates_needs_no_features():
    random = np.random.default_rng(0)
    x = random.integers(0, 2, 1_000)
    rows = {"x": x, "y": 0.7 * x + random.normal(size=1_000)}
    found = cf.identify(cf.Graph(edges=["x -> y"]), "ATE(x -> y)").estimate(rows)
    assert near(found, 0.7)
    # With no covariates the doubly robust score is the difference of the two means.
    means = [rows["y"][x == level].mean() for level in (1, 0)]
    assert found.value == pytest.approx(means[0] - means[1], abs=0.01)


def test_front_door_without_overlap_is_an_interval_that_holds_the_truth():
    rows = front_door()
    void = rows["c"] > 1
    # Where c > 1 nobody has x = 1, in the law of the rows too: m and y follow as they do elsewhere.
    random = np.random.default_rng(1)
    x = np.where(void, 0, rows["x"])
    m = 0.8 * x + 0.5 * rows["c"] + random.normal(size=ROWS)
    rows = {**rows, "x": x, "m": m, "y": rows["y"] - rows["m"] + m}
    found = cf.identify(FRONT, "ATE(x -> y)").estimate(rows, learners="linear")
    assert found.kind == "interval"
    assert found.value is None
    low, high = found.interval
    assert low < 0.8 < high
    assert "positivity fails: hardly a row had x=1 where c > " in str(found)
