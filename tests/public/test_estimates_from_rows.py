"""Estimates from rows: gaps, continuous columns, strata without rows, and honest intervals.

The data are made here; what is right is written out, or computed from the counts by hand.
"""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

import causalflow as cf

BACK_DOOR = cf.Graph(edges=["w -> t", "w -> y", "t -> y"])
FRONT_DOOR = cf.Graph(edges=["x -> m -> y", "x <-> y"])


def rows_of(columns, counts):
    """A column each, from counts by cell; ``None`` stands for itself."""
    found = {name: [] for name in columns}
    for cell, count in counts.items():
        for name, value in zip(columns, cell, strict=True):
            found[name] += [value] * count
    return found


OVERLAP_FAILS = {
    (1, 0, 1): 990, (0, 0, 0): 4670, (0, 0, 1): 547, (2, 0, 1): 668, (1, 1, 1): 1697,
    (2, 0, 0): 655, (1, 0, 0): 2376, (0, 1, 0): 913, (1, 1, 0): 1705, (0, 1, 1): 373,
}  # fmt: skip


def interval_by_hand(counts, treatment):
    """P(y=1 | do(t)): strata without rows of the treatment may have any law."""
    total = sum(counts.values())
    low = high = 0.0
    for w in {cell[0] for cell in counts}:
        share = sum(n for (v, _, _), n in counts.items() if v == w) / total
        n = [counts.get((w, treatment, y), 0) for y in (0, 1)]
        low += share * (n[1] / sum(n) if sum(n) else 0.0)
        high += share * (n[1] / sum(n) if sum(n) else 1.0)
    return low, high


@pytest.mark.parametrize("declared", [False, True])
@pytest.mark.parametrize("query", ["P(y=1 | do(t=1))", "E[y | do(t=1)]"])
def test_an_empty_stratum_gives_the_interval_that_the_others_leave(query, declared):
    levels = {"w": 3, "t": 2, "y": 2}
    nodes = {name: {"type": "class", "levels": count} for name, count in levels.items()}
    graph = cf.Graph(nodes=nodes if declared else None, edges=["w -> t", "w -> y", "t -> y"])
    found = cf.identify(graph, query).estimate(rows_of("wty", OVERLAP_FAILS))
    low, high = interval_by_hand(OVERLAP_FAILS, 1)
    assert (low, high) == pytest.approx((0.360574, 0.451228), abs=1e-6)
    assert found.kind == "interval"
    assert found.table is None
    assert found.value is None
    assert [float(each.values) for each in found.bounds] == pytest.approx([low, high], abs=1e-9)
    assert found.unsupported == ({"t": 1, "w": 2},)
    assert found.warnings == ("P(t, w) is 0 at t=1, w=2",)
    assert found.rows == sum(OVERLAP_FAILS.values())
    # 14,594 rows: an end is off by about .004, so a 95 % interval reaches some .008 further.
    assert low - 0.016 < found.interval[0] < low - 0.003
    assert high + 0.003 < found.interval[1] < high + 0.016
    assert "0.360574 to 0.451228" in str(found)


def test_what_needs_no_empty_stratum_is_a_number():
    rows = rows_of("wty", OVERLAP_FAILS)
    found = cf.identify(BACK_DOOR, "P(y=1 | do(t=0))").estimate(rows)
    assert found.kind == "estimate"
    assert found.unsupported == found.warnings == ()
    assert found.value == pytest.approx(interval_by_hand(OVERLAP_FAILS, 0)[0], abs=1e-9)


def test_probabilities_means_and_effects_of_the_same_rows_agree():
    for seed in range(12):
        random = np.random.default_rng(seed)
        n = [40, 400][seed % 2]
        rows = {"w": random.integers(0, 4, n), "t": random.integers(0, 2, n)}
        rows["y"] = (random.random(n) < 0.2 + 0.1 * rows["w"] + 0.2 * rows["t"]).astype(int)
        if seed % 3 == 0:  # an arm of one stratum goes
            kept = (rows["w"] != 3) | (rows["t"] != 1)
            rows = {name: column[kept] for name, column in rows.items()}

        def ends(query, rows=rows):
            found = cf.identify(BACK_DOOR, query).estimate(rows, resamples=2)
            return [each.to_numpy() for each in found.bounds]

        law = ends("P(y | do(t))")  # axes y, t
        assert np.all(law[0].sum(axis=0) <= 1 + 1e-9)
        assert np.all(law[1].sum(axis=0) >= 1 - 1e-9)
        means = [ends(f"E[y | do(t={t})]") for t in (0, 1)]
        effect = ends("TE(t -> y)")
        contrast = ends("E[y[t=1] - y[t=0]]")
        for side in (0, 1):
            for t in (0, 1):
                assert means[t][side] == pytest.approx(law[side][1, t], abs=1e-9)
            assert effect[side] == pytest.approx(means[1][side] - means[0][1 - side], abs=1e-9)
            assert contrast[side] == pytest.approx(effect[side], abs=1e-12)


def test_sums_and_ratios_of_questions_have_the_ends_of_what_is_left_open():
    """Strata: w in 0, 1, 2 with rows of t=1 in 0 and 1 only, so P(y=1 | do(t=1)) = p1 + open."""
    counts = {(0, 0, 0): 30, (0, 0, 1): 10, (0, 1, 0): 15, (0, 1, 1): 15, (1, 0, 0): 20}
    counts |= {(1, 0, 1): 20, (1, 1, 0): 10, (1, 1, 1): 30, (2, 0, 0): 12, (2, 0, 1): 28}
    rows, total = rows_of("wty", counts), 190
    weights = np.array([70, 80, 40]) / total
    p0 = float(weights @ [10 / 40, 20 / 40, 28 / 40])
    low, high = float(weights @ [0.5, 0.75, 0.0]), float(weights @ [0.5, 0.75, 1.0])
    wanted = {
        "P(y=1 | do(t=1)) / P(y=1 | do(t=0))": (low / p0, high / p0),
        "P(y=1 | do(t=0)) / P(y=1 | do(t=1))": (p0 / high, p0 / low),
        "P(y=1 | do(t=1)) / P(y=0 | do(t=1))": (low / (1 - low), high / (1 - high)),
        "P(y=1 | do(t=1)) - P(y=1 | do(t=0))": (low - p0, high - p0),
        "2*E[y | do(t=1)] + P(y=0)": (2 * low + 87 / total, 2 * high + 87 / total),
    }
    for query, ends in wanted.items():
        found = cf.identify(BACK_DOOR, query).estimate(rows, resamples=50)
        assert [float(each.values) for each in found.bounds] == pytest.approx(ends, abs=1e-9)
        assert found.interval[0] < ends[0] < ends[1] < found.interval[1]
    query = "P(y=1) / (P(y=0 | do(t=1)) - P(y=1 | do(t=1)))"
    with pytest.raises(cf.CausalflowError, match="no bounds of the ratio"):
        cf.identify(BACK_DOOR, query).estimate(rows, resamples=10)


def test_one_empty_cell_is_no_probability_of_half():
    rows = {"w": [0, 0, 1, 1], "t": [0, 1, 1, 1], "y": [0, 1, 1, 1]}
    found = cf.identify(BACK_DOOR, "P(y | do(t=0))").estimate(rows, resamples=10)
    assert [each.to_numpy().tolist() for each in found.bounds] == [[0.5, 0.0], [1.0, 0.5]]
    effect = cf.identify(BACK_DOOR, "TE(t -> y)").estimate(rows, resamples=10)
    assert [float(each.values) for each in effect.bounds] == [0.5, 1.0]


def test_means_of_levels_that_are_no_truth_values_have_their_own_range():
    rows = {"w": [0, 0, 1, 1], "t": [0, 1, 1, 1], "y": [1, 3, 5, 3]}
    found = cf.identify(BACK_DOOR, "E[y | do(t=0)]").estimate(rows, resamples=10)
    # the stratum w=1, t=0 is empty: half the rows have any mean from 1 to 5.
    assert [float(each.values) for each in found.bounds] == [0.5 * 1 + 0.5 * 1, 0.5 * 1 + 0.5 * 5]


def test_a_condition_that_no_row_has_leaves_everything_open():
    rows = {"w": [0, 0, 0, 0], "t": [0, 1, 1, 0], "y": [0, 1, 1, 0]}
    verdict = cf.identify(BACK_DOOR, "P(y=1 | do(t=1), w=1)")
    found = verdict.estimate(rows, levels={"w": [0, 1], "t": [0, 1], "y": [0, 1]}, resamples=10)
    assert found.interval == (0.0, 1.0)
    assert found.unsupported == ({"t": 1, "w": 1},)


MISSING = [None, float("nan"), np.nan, pd.NA, pd.NaT, ""]


@pytest.mark.parametrize("gap", MISSING, ids=lambda gap: repr(gap))
@pytest.mark.parametrize("names", [(0, 1), ("low", "high")], ids=str)
def test_a_gap_is_no_level_but_a_row_less(gap, names):
    random = np.random.default_rng(0)
    w = random.integers(0, 2, 400)
    t = (random.random(400) < 0.3 + 0.4 * w).astype(int)
    y = (random.random(400) < 0.2 + 0.2 * t + 0.4 * w).astype(int)
    gone = random.random(400) < 0.5
    column = [gap if lost else names[k] for k, lost in zip(w, gone, strict=True)]
    verdict = cf.identify(BACK_DOOR, "TE(t -> y)")
    lost = int(gone.sum())
    with pytest.warns(cf.CausalflowWarning, match=f"{lost} of 400 rows are left out.*'w'.*biased"):
        found = verdict.estimate({"w": column, "t": t, "y": y}, resamples=10)
    complete = {"w": w[~gone], "t": t[~gone], "y": y[~gone]}
    assert found.value == pytest.approx(verdict.estimate(complete, resamples=10).value, abs=1e-12)
    assert (found.rows, found.dropped) == (400 - lost, lost)


def test_only_columns_of_the_formula_count():
    rows = {"w": [0, 1] * 20, "t": [0, 0, 1, 1] * 10, "y": [0, 1, 1, 1] * 10, "z": [None] * 40}
    found = cf.identify(BACK_DOOR, "TE(t -> y)").estimate(rows, resamples=10)
    assert (found.rows, found.dropped) == (40, 0)


def test_missing_cells_as_in_a_study_with_half_of_a_covariate_lost():
    """The coefficient of x is .2; a gap taken for a level of its own would give .35."""
    counts = {
        (1, 1, 0): 8038, (None, 1, 1): 34947, (None, 0, 0): 39999, (0, 0, 0): 36062,
        (None, 1, 0): 15053, (1, 0, 0): 4026, (1, 1, 1): 31953, (1, 0, 1): 5953,
        (None, 0, 1): 9897, (0, 1, 0): 7087, (0, 0, 1): 4050, (0, 1, 1): 2935,
    }  # fmt: skip
    graph = cf.Graph(edges=["z -> x", "z -> y", "x -> y"])
    for names in ({0: 0.0, 1: 1.0, None: np.nan}, {0: "low", 1: "high", None: None}):
        rows = rows_of("zxy", counts)
        rows["z"] = [names[value] for value in rows["z"]]
        with pytest.warns(cf.CausalflowWarning, match="99,896 of 200,000 rows"):
            found = cf.identify(graph, "TE(x -> y)").estimate(rows, resamples=50)
        # three standard errors of 100,104 rows: 3 * sqrt(4 * .25 / 100,104) = .0095
        assert found.value == pytest.approx(0.2, abs=0.012)


@pytest.mark.parametrize("count", [60, 2_000, 200_000])
def test_a_column_of_numbers_is_not_counted_and_refused_by_its_name(count):
    random = np.random.default_rng(0)
    w = random.normal(size=count)
    rows = {"w": w, "t": (w > 0).astype(int), "y": 2 * w}
    nodes = {"w": {"type": "continuous"}, "t": {"type": "class", "levels": 2}}
    nodes["y"] = {"type": "continuous"}
    edges = ["w -> t", "w -> y", "t -> y"]
    for graph in (cf.Graph(edges=edges), cf.Graph(nodes=nodes, edges=edges)):
        with pytest.raises(cf.CausalflowError, match=r"^estimate: '[wy]' .*bin it") as caught:
            cf.identify(graph, "E[y | do(t=1)]").estimate(rows, method="plug in")
        assert len(str(caught.value)) < 500


def test_many_different_whole_numbers_are_no_levels_unless_declared():
    rows = {"w": range(300), "t": [0, 1] * 150, "y": [0, 1, 1] * 100}
    verdict = cf.identify(BACK_DOOR, "P(y=1 | do(t=1))")
    with pytest.raises(cf.CausalflowError, match="'w' has 300 different values"):
        verdict.estimate(rows, method="plug in")
    found = verdict.estimate(rows, levels={"w": range(300)}, resamples=10)
    assert len(found.unsupported) == 150


def test_columns_with_too_many_cells_together_are_refused_before_any_is_made():
    names = [f"z{k}" for k in range(12)]
    graph = cf.Graph(edges=["x -> y", *(f"{z} -> {v}" for z in names for v in "xy")])
    rows = {name: list(range(8)) for name in names} | {"x": [0, 1] * 4, "y": [0, 1] * 4}
    with pytest.raises(cf.CausalflowError, match="cells together"):
        cf.identify(graph, "P(y | do(x))").estimate(rows, method="plug in")


WRONG = [
    ({"rows": [1, 2]}, "data frame or a mapping"),
    ({"rows": None}, "data frame or a mapping"),
    ({"rows": {"w": [0], "t": [0]}}, "no column"),
    ({"rows": {"w": [0, 1], "t": [0], "y": [0]}}, "one length"),
    ({"rows": {"w": [], "t": [], "y": []}}, "every row of 't' is missing|complete"),
    ({"rows": {"w": [None], "t": [1], "y": [1]}}, "every row of 'w' is missing"),
    ({"rows": {"w": [[0]], "t": [1], "y": [1]}}, "a name or a number a row"),
    ({"levels": {"w": [0, 1], "t": [0], "y": [0, 1]}}, "'t'"),
    ({"levels": {"w": 5}}, "expected a list"),
    ({"levels": {"w": "01"}}, "expected a list"),
    ({"levels": {"w": [[0], [1]]}}, "expected a list"),
    ({"levels": {"w": [0, 0]}}, "expected a list of different"),
    ({"levels": {"w": []}}, "expected a list"),
    ({"resamples": 1}, "resamples"),
    ({"resamples": 2.5}, "resamples"),
    ({"resamples": 10**12}, "resamples"),
    ({"confidence": 1}, "confidence"),
    ({"confidence": "much"}, "confidence"),
    ({"generator": "x"}, "generator"),
]


@pytest.mark.parametrize(("spoiled", "message"), WRONG, ids=[str(k) for k in range(len(WRONG))])
def test_what_cannot_be_estimated_is_one_line_of_error(spoiled, message):
    given = {"rows": {"w": [0, 1, 1], "t": [0, 1, 1], "y": [0, 1, 0]}} | spoiled
    rows = given.pop("rows")
    with pytest.raises(cf.CausalflowError, match=message) as caught:
        cf.identify(BACK_DOOR, "P(y=1 | do(t=1))").estimate(rows, **given)
    assert "\n" not in str(caught.value)


def sparse_front_door(seed, n=150):
    """Rows of x -> m -> y with a hidden cause of x and y, and P(y=1 | do(x=1)), by hand."""
    random = np.random.default_rng(seed)
    law_u, law_m = random.dirichlet([1, 1]), random.dirichlet(np.full(6, 0.5), size=2)
    law_x, law_y = random.dirichlet([1, 1], size=2), random.random((6, 2))
    u = (random.random(n) < law_u[1]).astype(int)
    x = (random.random(n) < law_x[u, 1]).astype(int)
    m = np.array([random.choice(6, p=law_m[k]) for k in x])
    y = (random.random(n) < law_y[m, u]).astype(int)
    return {"x": x, "m": m, "y": y}, float(np.einsum("m,mu,u->", law_m[1], law_y, law_u))


def test_intervals_of_a_sparse_front_door_hold_the_truth_as_often_as_they_say():
    verdict, held = cf.identify(FRONT_DOOR, "P(y=1 | do(x=1))"), 0
    levels = {"x": range(2), "m": range(6), "y": range(2)}
    for seed in range(60):
        rows, truth = sparse_front_door(seed)
        low, high = verdict.estimate(rows, levels=levels, resamples=100).interval
        held += low <= truth <= high
    # Binomial(60, .95) is below 51 once in 500 times.
    assert held >= 51


def test_a_napkin_of_few_rows_is_no_certainty():
    """The ratio's denominator may be empty: then what is left open is said."""
    graph = cf.Graph(edges=["w -> r -> x -> y", "w <-> x", "w <-> y"])
    verdict = cf.identify(graph, "P(y=1 | do(x=1))")
    levels = {name: range(2) for name in "wrxy"}
    cells = [(0, 0, 0, 0), (0, 0, 0, 1), (1, 0, 0, 1)]
    rows = dict(zip("wrxy", map(list, zip(*cells, strict=True)), strict=True))
    found = verdict.estimate(rows, levels=levels, resamples=10)
    assert found.kind == "interval"
    assert found.interval == (0.0, 1.0)
    assert found.warnings


def test_rows_in_any_order_and_container_give_the_same():
    random = np.random.default_rng(3)
    rows = {name: random.integers(0, 2, 80) for name in "wty"}
    order = random.permutation(80)
    given = [
        rows,
        pd.DataFrame(rows),
        {name: column[order].tolist() for name, column in rows.items()},
        {name: column.astype(float) for name, column in rows.items()},
        pd.DataFrame({name: pd.Categorical(column) for name, column in rows.items()}),
        {name: [str(value) for value in column] for name, column in rows.items()},
    ]
    declared = {name: {"type": "class", "levels": 2} for name in "wty"}
    graph = cf.Graph(nodes=declared, edges=["w -> t", "w -> y", "t -> y"])
    verdict = cf.identify(graph, "TE(t -> y)")
    answers = [verdict.estimate(each, resamples=10) for each in given]
    for one, other in itertools.pairwise(answers):
        assert one.value == pytest.approx(other.value, abs=1e-12)
        assert one.interval == pytest.approx(other.interval, abs=1e-12)
