"""Effects from rows with numbers in them, held against the law that made the rows."""

import json

import numpy as np
import pytest

import causalflow as cf

EDGES = ["w -> x -> y", "w -> y", "v -> y"]
GRAPH = cf.Graph(edges=EDGES)
ATE = "E[y[x=1] - y[x=0]]"


def logistic(number):
    return 1 / (1 + np.exp(-number))


def rows(seed=0, count=1_000):
    """The effect is 2 + w: on average 2; w raises the treatment and the outcome."""
    random = np.random.default_rng(seed)
    w, v, e = random.normal(size=(3, count))
    x = (random.random(count) < logistic(w)).astype(int)
    return {"w": w, "v": v, "x": x, "y": (2 + w) * x + np.sin(2 * w) + w * v + e}


def doses(seed=0, count=1_000):
    """E[y | do(d)] is sin d."""
    random = np.random.default_rng(seed)
    w, r, e = random.normal(size=(3, count))
    d = 0.5 * w + r
    return {"w": w, "d": d, "y": np.sin(d) + w + e}


DOSES = cf.Graph(edges=["w -> d -> y", "w -> y"])


def near(found, truth, errors=4):
    """Four standard errors: once in 16,000."""
    return abs(found.value - truth) < errors * found.standard_error


def test_an_effect_among_numbers_is_found_where_a_difference_of_means_is_not():
    found = cf.identify(GRAPH, ATE).estimate(rows())
    naive = np.mean(rows()["y"][rows()["x"] == 1]) - np.mean(rows()["y"][rows()["x"] == 0])
    assert near(found, 2)
    assert not near(found, naive)
    assert found.interval[0] < 2 < found.interval[1]
    assert found.standard_error == pytest.approx(0.085, abs=0.02)
    assert found.influence.shape == (1_000, 1)
    assert abs(found.influence.mean()) < 1e-9


@pytest.mark.parametrize(
    ("query", "truth"),
    [
        ("ETT(x -> y)", 2.4133),  # 2 + E[w | x=1] = 2 + 2 E[w logistic(w)]
        ("ETU(x -> y)", 1.5867),
        ("E[y | do(x=1)]", 2.0),
        ("E[y[x=1] - y[x=0] | w=1]", 3.0),
        ("E[y | do(x=1)] - E[y]", 2 - 2 * 0.5 - 0.41326 / 2),
    ],
)
def test_other_questions_about_one_world_or_those_treated(query, truth):
    assert near(cf.identify(GRAPH, query).estimate(rows(1)), truth)


def test_whom_a_class_tells_apart():
    columns = rows(2)
    columns["v"] = np.where(columns["v"] > 0, "high", "low")
    columns["y"] = columns["y"] + 3 * columns["x"] * (columns["v"] == "high")
    found = cf.identify(GRAPH, "E[y[x=1] - y[x=0] | v]").estimate(columns)
    assert [cell for (cell,) in found.cells] == ["high", "low"]
    assert np.all(np.abs(found.values - [5, 2]) < 4 * found.standard_errors)


@pytest.mark.parametrize("wrong", ["outcome", "treatment"])
def test_it_is_right_when_one_of_outcome_and_treatment_is_learned_wrongly(wrong):
    from sklearn.dummy import DummyClassifier, DummyRegressor

    learners = {"outcome": DummyRegressor(), "treatment": DummyClassifier(strategy="prior")}
    columns = rows(3, 4_000)
    both = cf.identify(GRAPH, ATE).estimate(columns, learners=learners)
    one = cf.identify(GRAPH, ATE).estimate(columns, learners={wrong: learners[wrong]})
    assert not near(both, 2)
    assert near(one, 2)


def test_a_learner_of_ones_own_is_named_and_the_best_by_loss_is_taken():
    from sklearn.dummy import DummyRegressor
    from sklearn.neighbors import KNeighborsRegressor

    own = [DummyRegressor(), KNeighborsRegressor(20)]
    found = cf.identify(GRAPH, ATE).estimate(rows(), learners={"outcome": own})
    means = [how for what, how in found.learners.items() if what.startswith("E[")]
    assert len(means) == 2
    assert all("KNeighborsRegressor" in how for how in means)


def test_an_effect_given_covariates_is_learned_by_a_learner_of_ones_own():
    from sklearn.linear_model import LinearRegression
    from sklearn.neighbors import KNeighborsRegressor

    verdict = cf.identify(GRAPH, "E[y[x=1] - y[x=0] | w]")
    own = [KNeighborsRegressor(3), LinearRegression()]
    found = verdict.estimate(rows(4, 2_000), learners={"effect": own}, at={"w": [-1, 0, 1]})
    assert "LinearRegression" in found.learners["effect | conditions"]
    assert np.all(np.abs(found.values - [1, 2, 3]) < 4 * found.standard_errors)
    assert np.all(found.standard_errors < 0.3)
    treated = cf.identify(GRAPH, "E[y[x=1] - y[x=0] | x=1, w=1]")
    with pytest.raises(cf.QueryError, match="no condition on the treatment"):
        treated.estimate(rows(4, 500), learners={"effect": own})


def test_three_levels_are_a_table_with_a_band():
    random = np.random.default_rng(0)
    w = random.normal(size=1_500)
    x = np.digitize(w + 2 * random.normal(size=1_500), [-1, 1])
    columns = {"w": w, "x": x, "y": x**2 + w + random.normal(size=1_500)}
    graph = cf.Graph(edges=["w -> x -> y", "w -> y"])
    found = cf.identify(graph, "E[y | do(x)]").estimate(columns)
    assert found.axes == ("x",)
    assert np.all(np.abs(found.values - [0, 1, 4]) < 4 * found.standard_errors)
    assert np.all(found.band[0] < found.low)
    assert np.all(found.band[1] > found.high)
    assert found.to_dict() == {0: found.values[0], 1: found.values[1], 2: found.values[2]}


def test_the_band_of_a_dose_response_curve_holds_the_whole_curve():
    found = cf.identify(DOSES, "E[y | do(d)]").estimate(doses())
    along = np.array([cell for (cell,) in found.cells])
    assert len(along) == 41
    assert np.all((found.band[0] < np.sin(along)) & (np.sin(along) < found.band[1]))
    assert np.all(found.band[1] - found.band[0] < 1.2)
    frame = found.to_dataframe()
    assert list(frame) == [
        "d", "estimate", "standard_error", "low", "high", "band_low", "band_high",
    ]  # fmt: skip


def test_two_doses_are_compared_and_values_may_be_named():
    verdict = cf.identify(DOSES, "E[y[d=1] - y[d=-1]]")
    assert near(verdict.estimate(doses(1)), 2 * np.sin(1))
    curve = cf.identify(DOSES, "E[y | do(d)]").estimate(doses(1), at={"d": [-1, 1]})
    assert curve.values[1] - curve.values[0] == pytest.approx(verdict.estimate(doses(1)).value)


def test_a_ratio_of_chances_given_a_number():
    random = np.random.default_rng(0)
    w = random.normal(size=3_000)
    x = (random.random(3_000) < logistic(w)).astype(int)
    y = (random.random(3_000) < 0.2 + 0.3 * x + 0.2 * (w > 0)).astype(int)
    query = "P(y=1 | do(x=1)) / P(y=1 | do(x=0))"
    graph = cf.Graph(edges=["w -> x -> y", "w -> y"])
    found = cf.identify(graph, query).estimate({"w": w, "x": x, "y": y})
    assert near(found, 0.6 / 0.3)
    assert 0.05 < found.standard_error < 0.15


def test_where_a_treatment_was_never_had_the_answer_is_an_interval_that_says_so():
    random = np.random.default_rng(0)
    w = random.normal(size=1_000)
    x = np.where(w > 1, 1, random.random(1_000) < 0.5).astype(int)
    columns = {"w": w, "x": x, "y": x + w + random.normal(size=1_000)}
    graph = cf.Graph(edges=["w -> x -> y", "w -> y"])
    found = cf.identify(graph, ATE).estimate(columns)
    assert found.kind == "interval"
    assert found.value is None
    least, most = found.bounds[0][0], found.bounds[1][0]
    assert found.interval[0] < least < 1 < most < found.interval[1]
    assert "hardly a row had x=0 where w > " in str(found)
    untreated = cf.identify(graph, "ETU(x -> y)").estimate(columns)
    assert near(untreated, 1)


def test_nothing_to_adjust_for_is_a_difference_of_means_with_welchs_error():
    random = np.random.default_rng(0)
    x = np.repeat([0, 1], 300)
    y = random.normal(size=600) * (1 + x) + x
    found = cf.identify(cf.Graph(edges=["x -> y"]), ATE).estimate({"x": x, "y": y})
    welch = np.sqrt(y[x == 1].var() / 300 + y[x == 0].var() / 300)
    assert found.value == pytest.approx(y[x == 1].mean() - y[x == 0].mean(), abs=welch / 20)
    assert found.standard_error == pytest.approx(welch, rel=0.03)


def test_a_row_that_makes_the_error_is_pointed_at():
    columns = rows(count=300)
    assert cf.identify(GRAPH, ATE).estimate(columns).warnings == ()
    columns["y"][7] = 1e6
    (warning,) = cf.identify(GRAPH, ATE).estimate(columns).warnings
    assert warning.startswith("one row makes ")


def test_a_mean_of_names_that_nobody_has_ordered_is_refused():
    columns = rows(count=300)
    columns["y"] = np.where(columns["y"] > 0, "high", "low")
    with pytest.raises(cf.DataError, match="a mean of 'y' needs numbers"):
        cf.identify(GRAPH, ATE).estimate(columns)
    found = cf.identify(GRAPH, "P(y=high | do(x=1))").estimate(columns)
    assert 0.7 < found.value < 1


def test_rows_with_gaps_are_left_out_and_counted():
    columns = rows()
    columns["v"] = np.where(np.arange(1_000) < 100, np.nan, columns["v"])
    with pytest.warns(cf.CausalflowWarning, match="100 of 1,000 rows are left out, for 'v'"):
        found = cf.identify(GRAPH, ATE).estimate(columns)
    assert (found.rows, found.dropped) == (900, 100)
    assert "900 rows (100 more are incomplete)" in str(found)


def test_finite_columns_are_counted_as_before_unless_a_method_is_named():
    random = np.random.default_rng(0)
    w = random.integers(0, 2, 2_000)
    x = (random.random(2_000) < 0.3 + 0.4 * w).astype(int)
    y = (random.random(2_000) < 0.2 + 0.2 * x + 0.3 * w).astype(int)
    verdict = cf.identify(cf.Graph(edges=["w -> x -> y", "w -> y"]), ATE)
    columns = {"w": w, "x": x, "y": y}
    counted = verdict.estimate(columns)
    learned = verdict.estimate(columns, method="back door")
    assert isinstance(counted, cf.Estimate)
    assert isinstance(learned, cf.Effect)
    assert learned.value == pytest.approx(counted.value, abs=learned.standard_error / 2)
    assert learned.interval == pytest.approx(counted.interval, abs=learned.standard_error / 2)


@pytest.mark.parametrize(
    ("query", "options", "message"),
    [
        (ATE, {"method": "magic"}, "no method 'magic'"),
        (ATE, {"learners": "magic"}, "no learner 'magic'"),
        (ATE, {"learners": [3]}, "int is no learner"),
        (ATE, {"learners": {"nobody": "linear"}}, "learners of 'nobody'"),
        (ATE, {"folds": 1}, "folds=1"),
        (ATE, {"confidence": 2}, "confidence=2"),
        (ATE, {"generator": "x"}, "generator='x'"),
        ("P(y | do(x=1))", {}, "no table has all values"),
        ("E[y[x=7] - y[x=0]]", {}, "x=7"),
        (ATE, {"at": {"w": [1]}}, "'w' is no free number"),
        ("E[y[x=1] - y[x=0] | w]", {"at": {"w": range(10**6)}}, "name fewer values of w"),
    ],
)
def test_what_cannot_be_is_one_line(query, options, message):
    with pytest.raises(cf.CausalflowError, match=message) as caught:
        cf.identify(GRAPH, query).estimate(rows(count=200), **options)
    assert len(str(caught.value)) < 500
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("E[y | do(d=9)]", "no row is like d=9: its values lie from"),
        ("E[y | do(d=high)]", "d=high"),
        ("E[y[d=1] - y[d=0] | w=1]", "a condition on a number"),
    ],
)
def test_what_a_curve_does_not_tell_is_refused(query, message):
    with pytest.raises(cf.CausalflowError, match=message):
        cf.identify(DOSES, query).estimate(doses(count=300))


def test_overlap_tells_rows_effective_rows_and_propensities():
    found = cf.identify(GRAPH, ATE).estimate(rows())
    table = found.overlap.to_dataframe()
    assert table["treatment"].tolist() == ["x=0", "x=1"]
    assert table["rows"].sum() == 1_000
    assert (table["effective"] < table["rows"]).all()
    truth = logistic(rows()["w"])
    assert np.abs(found.overlap.propensities[:, 1] - truth).mean() < 0.05


def test_drawings_show_the_answers():
    from matplotlib import pyplot as plt

    curve = cf.identify(DOSES, "E[y | do(d)]").estimate(doses(), at={"d": [-1, 0, 1]})
    axes = curve.plot()
    assert axes.lines[0].get_xydata()[:, 1] == pytest.approx(curve.values)
    effect = cf.identify(GRAPH, ATE).estimate(rows())
    (point,) = effect.plot().lines[0].get_xydata()[:, 0]
    assert point == pytest.approx(effect.value)
    assert len(effect.overlap.plot()) == 2
    plt.close("all")


def test_the_command_line_says_what_python_says(cli, tmp_path):
    columns = rows()
    lines = [
        "w,v,x,y",
        *(",".join(map(repr, map(float, each))) for each in zip(*columns.values(), strict=True)),
    ]
    (tmp_path / "rows.csv").write_text("\n".join(lines))
    (tmp_path / "g.yaml").write_text(f"edges: [{', '.join(EDGES)}]\n")
    words = ("estimate", "g.yaml", ATE, "--data", "rows.csv")
    ran = cli(*words, "--json", "--plot", "p.png", "--overlap", "o.svg")
    shown = json.loads(ran.out)
    found = cf.identify(GRAPH, ATE).estimate(columns)
    assert shown["estimates"][0]["estimate"] == pytest.approx(found.value)
    assert shown["estimates"][0]["low"] == pytest.approx(found.interval[0])
    assert (tmp_path / "p.png").stat().st_size > 1_000
    assert (tmp_path / "o.svg").stat().st_size > 1_000
    assert cli(*words[:3], "--data", "nothing.csv").code == 2
