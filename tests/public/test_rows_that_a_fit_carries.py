"""Heavy tails, outliers and closed ends are carried by a fit, or the fit says that they are not."""

import math

import numpy as np
import pytest

import causalflow as cf

FEW = {"steps": 150, "warmup": 10, "ema": 0.9, "learning_rate": 5e-3, "progress": False}
N = 2_000
DRAWS = 20_000


def fitted(rows, **node):
    model = cf.compile(cf.Graph(nodes={"x": {"type": "continuous", **node}}))
    report = model.fit({"x": rows}, **FEW)
    return model, report


def normal(seed=0):
    return np.random.default_rng(seed).normal(size=N)


def with_outliers():
    return np.r_[normal()[:-3], 1e6, 1e6, -1e6]


def cauchy():
    return np.random.default_rng(1).standard_cauchy(N)


# The quartiles of N(0, 1) and of a Cauchy law; 5 standard errors of a sample quartile of 2,000
# rows are .15 and .25, and a fit adds to them.
@pytest.mark.parametrize(
    ("rows", "quartile", "tolerance"), [(with_outliers, 0.674, 0.15), (cauchy, 1.0, 0.25)]
)
def test_a_few_rows_far_out_do_not_take_the_others_with_them(rows, quartile, tolerance):
    model, report = fitted(rows())
    drawn = model.sample(DRAWS)["x"].numpy()
    low, high = np.quantile(drawn, [0.25, 0.75])
    assert abs(low + quartile) < tolerance
    assert abs(high - quartile) < tolerance
    assert report.distances["x"] < 0.05


@pytest.mark.parametrize("size", [30.0, 1e3, 1e12])
def test_outliers_of_any_usual_size_leave_the_middle_where_it_is(size):
    model, _ = fitted(np.r_[normal()[:-3], size, size, -size])
    low, high = np.quantile(model.sample(DRAWS)["x"].numpy(), [0.25, 0.75])
    assert abs(low + 0.674) < 0.15
    assert abs(high - 0.674) < 0.15


@pytest.mark.parametrize("rows", [with_outliers, cauchy])
def test_abduction_stays_exact_where_tails_are_bent(rows):
    values = rows()
    model, _ = fitted(values)
    back = model.reconstruct({"x": values})["x"].numpy()
    # exp of a logarithm of 1e6: a few units in the last place, times the logarithm.
    np.testing.assert_allclose(back, values, rtol=1e-11, atol=1e-11)


def test_a_parent_with_outliers_still_tells_its_child():
    generator = np.random.default_rng(2)
    x = with_outliers()
    y = np.tanh(3 * x) + 0.1 * generator.normal(size=N)
    nodes = {name: {"type": "continuous"} for name in "xy"}
    model = cf.compile(cf.Graph(nodes=nodes, edges=["x -> y"]))
    model.fit({"x": x, "y": y}, **FEW)
    ends = [float(model.sample(2_000, {"x": at})["y"].mean()) for at in (-1.0, 1.0)]
    # tanh(3) = .995; an unbent column would make all x alike and both means 0.
    assert ends[0] < -0.8
    assert ends[1] > 0.8


def test_a_parent_with_outliers_still_tells_its_class():
    x = with_outliers()
    nodes = {"x": {"type": "continuous"}, "c": {"type": "class", "levels": 2}}
    model = cf.compile(cf.Graph(nodes=nodes, edges=["x -> c"]))
    model.fit({"x": x, "c": (x > 0).astype(int)}, **FEW)
    shares = [float(model.sample(2_000, {"x": at})["c"].double().mean()) for at in (-1.0, 1.0)]
    # The truth is 0 and 1; an unbent column would make all x alike and both shares a half.
    assert shares[0] < 0.1
    assert shares[1] > 0.9


@pytest.mark.parametrize("noise", ["flow", "additive", "linear"])
def test_closed_ends_have_their_mass(noise):
    rows = np.clip(np.random.default_rng(0).normal(0.5, 0.4, N), 0, 1)
    model, report = fitted(rows, noise=noise, support=[0, 1])
    drawn = model.sample(DRAWS)["x"].numpy()
    # Phi(-.5 / .4) = .106; 5 standard errors of a share of 2,000 rows are .034.
    for end in (0, 1):
        assert abs((drawn == end).mean() - 0.106) < 0.034
    assert report.distances["x"] < 0.05
    back = model.reconstruct({"x": rows})["x"].numpy()
    np.testing.assert_array_equal(back[(rows == 0) | (rows == 1)], rows[(rows == 0) | (rows == 1)])
    np.testing.assert_allclose(back, rows, rtol=1e-9, atol=1e-12)


def test_an_end_is_abducted_as_an_interval_of_noise_as_in_tobins_model():
    generator = np.random.default_rng(3)
    x = generator.normal(size=N)
    y = np.maximum(x + generator.normal(size=N), 0)
    linear = {"type": "continuous", "noise": "linear"}
    nodes = {"x": linear, "y": {**linear, "support": [0, math.inf]}}
    model = cf.compile(cf.Graph(nodes=nodes, edges=["x -> y"]))
    model.fit({"x": x, "y": y}, progress=False)
    with pytest.warns(cf.CausalflowWarning, match="not identifiable"):
        answer = model.ask("E[y[x=2] | x=1, y=0]", draws=DRAWS)
    # int over (-2, -1) of (2 + u) phi(u) du / Phi(-1). Of the fit: a and w have standard errors
    # of about .03, and sigma; together below .08.
    assert answer.value == pytest.approx(0.528, abs=0.08)


def test_a_support_open_at_its_end_stays_open_where_no_row_is_there():
    model, _ = fitted(np.exp(normal()), support=[0, math.inf])
    assert float(model.sample(DRAWS)["x"].min()) > 0
    with pytest.raises(cf.EvidenceError, match="no noise gives the value 0"):
        model.abduct({"x": [0.0]})


def test_rows_that_are_all_ends_are_refused():
    with pytest.raises(cf.DataError, match="every value is an end of its support"):
        fitted(np.arange(N) % 2, support=[0, 1], noise="flow")


def test_ordinary_rows_are_standardised_by_mean_and_deviation_as_ever():
    rows = normal()
    model = cf.compile(cf.Graph(nodes={"x": {"type": "continuous", "noise": "linear"}}))
    model.fit({"x": rows}, progress=False)
    at_zero, at_one = (
        float(model.predict(model.abduct({"x": [value]}))["x"]) for value in (0.0, 1.0)
    )
    assert (at_zero, at_one) == pytest.approx((0.0, 1.0), abs=1e-12)
    drawn = model.sample(DRAWS)["x"].numpy()
    assert drawn.mean() == pytest.approx(rows.mean(), abs=5 / math.sqrt(DRAWS))
    assert drawn.std() == pytest.approx(rows.std(), abs=5 / math.sqrt(2 * DRAWS))


@pytest.mark.parametrize(
    "rows", [with_outliers, cauchy, lambda: np.random.default_rng(0).exponential(size=N)]
)
def test_what_a_mechanism_does_not_carry_is_warned_of_with_its_distance(rows):
    model = cf.compile(cf.Graph(nodes={"x": {"type": "continuous", "noise": "linear"}}))
    with pytest.warns(cf.CausalflowWarning, match="Kolmogorov-Smirnov distance") as said:
        report = model.fit({"x": rows()}, progress=False)
    assert len(said) == 1
    assert said[0].filename == __file__
    assert f"'x' {report.distances['x']:.2g}" in str(said[0].message)
    assert report.distances["x"] > 0.05
    assert model.experience.distances == report.distances


def test_the_distance_of_a_fit_is_that_of_its_law_from_the_rows():
    rows = np.random.default_rng(4).exponential(size=N)
    model = cf.compile(cf.Graph(nodes={"x": {"type": "continuous", "noise": "linear"}}))
    with pytest.warns(cf.CausalflowWarning):
        report = model.fit({"x": rows}, progress=False)
    ordered = np.sort(rows)
    z = (ordered - rows.mean()) / rows.std(ddof=1)
    law = np.array([0.5 * math.erfc(-each / math.sqrt(2)) for each in z])
    steps = np.arange(N + 1) / N
    distance = max(np.abs(law - steps[1:]).max(), np.abs(law - steps[:-1]).max())
    # The law is known by its draws: 1.95 / sqrt(10,000), once in a thousand times more.
    assert report.distances["x"] == pytest.approx(distance, abs=0.02)


@pytest.mark.parametrize("unit", [1e-300, 1e-200, 1e200, 1e300])
@pytest.mark.parametrize("noise", ["linear", "flow"])
def test_a_fit_in_another_unit_is_the_same_fit(unit, noise):
    graph = cf.Graph(
        nodes={name: {"type": "continuous", "noise": noise} for name in ("x", "y")},
        edges=["x -> y"],
    )
    rows = np.random.default_rng(2).normal(size=(300, 2))

    def drawn(scale):
        model = cf.compile(graph)
        columns = {"x": scale * rows[:, 0], "y": scale * (rows[:, 0] + rows[:, 1])}
        model.fit(columns, steps=10, warmup=1, progress=False)
        return model.sample(200)["y"].numpy() / scale

    # A unit that is no power of 2 rounds every number, and ten steps carry that on.
    np.testing.assert_allclose(drawn(unit), drawn(1.0), rtol=1e-6, atol=1e-6)


def test_numbers_too_small_for_a_slope_are_refused():
    graph = cf.Graph(
        nodes={name: {"type": "continuous", "noise": "linear"} for name in ("x", "y")},
        edges=["x -> y"],
    )
    rows = normal()
    with pytest.raises(cf.DataError, match="node 'y': numbers so large or so small"):
        cf.compile(graph).fit({"x": 1e-310 * rows, "y": rows[::-1].copy()}, progress=False)
