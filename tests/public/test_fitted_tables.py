"""Fitted tables: class nodes with class parents are counted, and asked exactly.

Held against counts by pandas, and sums over all worlds by numpy.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

import causalflow as cf

YES = ["no", "yes"]
SYMPTOMS = [f"s{k}" for k in range(10)]


def rows(n=400, seed=0):
    """z -> x -> y, z -> y."""
    random = np.random.default_rng(seed)
    z = random.integers(0, 2, n)
    x = (random.random(n) < 0.2 + 0.5 * z).astype(int)
    y = random.binomial(2, 0.2 + 0.2 * z + 0.3 * x)
    return pd.DataFrame({"z": z, "x": np.array(YES)[x], "y": y})


def graph(**further):
    nodes = {
        "z": {"type": "class", "levels": 2},
        "x": {"type": "class", "levels": YES},
        "y": {"type": "class", "levels": 3},
        **further,
    }
    edges = ["z -> x", "z -> y", "x -> y", *(f"y -> {name}" for name in further)]
    return cf.Graph(nodes=nodes, edges=edges)


def fitted(declared, data, **options):
    model = cf.compile(declared)
    model.fit(data, progress=False, steps=1, **options)
    return model


@pytest.fixture(scope="module")
def data():
    return rows()


@pytest.fixture(scope="module")
def model(data):
    return fitted(graph(), data)


def share(data, event, given):
    """A relative frequency, as a fraction."""
    within = data[(data[list(given)] == pd.Series(given)).all(axis=1)] if given else data
    (name, level), *_ = event.items()
    return Fraction(int((within[name] == level).sum()), len(within))


def test_a_table_is_that_of_relative_frequencies(model, data):
    for z in (0, 1):
        for x in YES:
            given = {"z": z, "x": x}
            for y in range(3):
                answer = model.ask("P(y | z, x)", given)
                assert answer.route == "exact"
                assert answer.table.to_dict()[y] == share(data, {"y": y}, given)


def test_an_effect_is_the_sum_of_the_back_door_in_fractions(model, data):
    expected = sum(
        share(data, {"z": z}, {}) * share(data, {"y": 2}, {"z": z, "x": "yes"}) for z in (0, 1)
    )
    answer = model.ask("P(y=2 | do(x=yes))")
    assert (answer.value, answer.error, answer.learned) == (expected, 0.0, True)


def test_smoothing_adds_observations_spread_over_the_levels(data):
    model = fitted(graph(), data, smoothing=3.0)
    few = data[(data.z == 0) & (data.x == "yes")]
    expected = (Fraction(int((few.y == 0).sum())) + 1) / (len(few) + 3)
    assert model.ask("P(y=0 | z=0, x=yes)").value == expected


def test_smoothing_is_no_negative_number(data):
    with pytest.raises(cf.CausalflowError, match="smoothing"):
        fitted(graph(), data, smoothing=-1)


def test_what_no_row_has_is_even_and_said():
    data = rows()
    data = data[~((data.z == 0) & (data.x == "yes"))]
    answer = fitted(graph(), data).ask("P(y=0 | do(x=yes))")
    seen = share(data, {"y": 0}, {"z": 1, "x": "yes"}) * share(data, {"z": 1}, {})
    assert answer.value == seen + Fraction(1, 3) * share(data, {"z": 0}, {})
    said = "no row of the fit had, where every level counts as equally likely: 'y' 1"
    assert said in " ".join(answer.assumptions)
    assert "(of 'y' at z=0, x=yes)" in " ".join(answer.assumptions)
    assert not fitted(graph(), rows()).ask("P(y=0 | do(x=yes))").assumptions


def test_a_counterfactual_states_the_noise_that_it_assumes(data):
    """Monotone noise is one uniform number a row, so that the overlap of intervals decides."""
    declared = graph()
    nodes = {
        name: {"type": "class", "levels": list(node.levels), "noise": "monotone"}
        for name, node in declared.nodes.items()
    }
    model = fitted(cf.Graph(nodes=nodes, edges=["z -> x", "z -> y", "x -> y"]), data)
    with pytest.warns(cf.CausalflowWarning, match="not identifiable"):
        answer = model.ask("P(y[x=yes]=2 | x=no, y=1, z=0)")
    no, yes = (
        np.cumsum([float(share(data, {"y": y}, {"z": 0, "x": x})) for y in range(3)]) for x in YES
    )
    expected = max(no[1] - max(no[0], yes[1]), 0) / (no[1] - no[0])
    assert answer.route == "exact"
    assert float(answer.value) == pytest.approx(expected, abs=1e-12)
    assert "'y' assumes monotone noise" in " ".join(answer.assumptions)


def test_draws_that_are_asked_for_are_drawn(model):
    simulated, exact = (
        model.ask("P(y=2 | do(x=yes))", draws=20_000),
        model.ask("P(y=2 | do(x=yes))"),
    )
    assert simulated.route == "simulated"
    assert abs(simulated.value - exact.value) < 5 * simulated.error


def test_a_disease_given_ten_symptoms_is_bayes_rule():
    random = np.random.default_rng(1)
    disease = random.random(2_000) < 0.3
    columns = {name: random.random(2_000) < 0.2 + 0.5 * disease for name in SYMPTOMS}
    data = pd.DataFrame({"d": disease, **columns}).astype(int)
    nodes = {name: {"type": "class", "levels": 2} for name in ("d", *SYMPTOMS)}
    model = fitted(cf.Graph(nodes=nodes, edges=[f"d -> {name}" for name in SYMPTOMS]), data)
    whole = np.array([float(share(data, {"d": d}, {})) for d in (0, 1)])
    tables = [[float(share(data, {s: 1}, {"d": d})) for s in SYMPTOMS] for d in (0, 1)]
    for seen in random.integers(0, 2, (20, 10)):
        weight = whole * np.prod(np.where(seen == 1, tables, 1 - np.array(tables)), axis=1)
        given = dict(zip(SYMPTOMS, seen.tolist(), strict=True))
        answer = model.ask("P(d=1)", given)
        assert answer.route == "exact"
        assert float(answer.value) == pytest.approx(weight[1] / weight.sum(), abs=1e-12)
    batch = model.ask("P(d=1)", data[SYMPTOMS].head(50))
    single = [
        float(model.ask("P(d=1)", row.to_dict()).value)
        for _, row in data.head(50).iterrows()
        for row in [row[SYMPTOMS]]
    ]
    assert batch.rows
    assert np.allclose(np.asarray(batch.value, float), single, atol=1e-12)


def test_evidence_that_no_row_bears_out_is_impossible_until_it_is_smoothed(data):
    rare = pd.concat([data, pd.DataFrame({"z": [0], "x": ["yes"], "y": [0]})])
    rare = rare[~((rare.x == "yes") & (rare.y == 0))]
    with pytest.raises(cf.EvidenceError, match="probability zero"):
        fitted(graph(), rare).ask("P(z | x=yes, y=0)")
    assert fitted(graph(), rare, smoothing=0.5).ask("P(z=1 | x=yes, y=0)").value > 0


def test_classes_above_a_continuous_node_are_answered_exactly(data):
    declared = graph(dose={"type": "continuous", "noise": "linear"})
    random = np.random.default_rng(2)
    model = fitted(declared, data.assign(dose=data.y + random.normal(size=len(data))))
    effect = model.ask("P(y=2 | do(x=yes))")
    assert effect.route == "exact"
    assert model.ask("E[dose | do(x=yes)]").route != "exact" or effect.error == 0
    assert model.ask("P(y=2 | dose=1.0)").route == "simulated"


def test_what_is_set_needs_no_table(data):
    """x listens to a continuous node, and P(y | do(x)) does not ask why x is what it is."""
    nodes = {
        "age": {"type": "continuous", "noise": "linear"},
        "x": {"type": "class", "levels": YES},
        "y": {"type": "class", "levels": 3},
    }
    random = np.random.default_rng(3)
    data = data.assign(age=random.normal(50, 9, len(data)))[["age", "x", "y"]]
    model = fitted(cf.Graph(nodes=nodes, edges=["age -> x -> y"]), data)
    answer = model.ask("P(y=2 | do(x=yes))")
    assert (answer.route, answer.value > 0) == ("exact", True)
    assert model.ask("P(y=2)", draws=1_000).route == "simulated"
    assert model.ask("P(x=yes)").route == "simulated"


def test_a_file_keeps_the_counts(model, tmp_path):
    model.save(tmp_path / "model.safetensors")
    again = type(model).load(tmp_path / "model.safetensors")
    for query in ("P(y=2 | do(x=yes))", "P(z | x=yes, y=1)", "P(x, y)"):
        assert again.ask(query).table.to_dict() == model.ask(query).table.to_dict()


def test_a_fitted_model_is_written_as_bif_and_read_back(model):
    text = cf.dumps(model, "bif")
    again = cf.compile(cf.loads(text, "bif"))
    for query in ("P(y=2 | do(x=yes))", "P(z | x=yes, y=1)", "P(x, y)"):
        assert again.ask(query).table.to_dict() == model.ask(query).table.to_dict()
    assert cf.loads(cf.dumps(model)).nodes == cf.loads(text).nodes


def test_what_is_not_finite_or_not_fitted_is_not_written(data):
    declared = graph(dose={"type": "continuous", "noise": "linear"})
    random = np.random.default_rng(2)
    model = fitted(declared, data.assign(dose=random.normal(size=len(data))))
    with pytest.raises(cf.CompileError, match="node 'dose' has no finite table"):
        cf.dumps(model, "bif")
    with pytest.raises(cf.CompileError, match="node 'z' is not fitted"):
        cf.dumps(cf.compile(graph()), "bif")


def test_bounds_of_a_fitted_model_are_those_of_its_tables(model, data):
    hidden = cf.Graph(
        nodes={name: {"type": "class", "levels": 2} for name in ("z", "x", "y")},
        edges=["z -> x -> y", "x <-> y"],
    )
    random = np.random.default_rng(4)
    u, z = random.integers(0, 2, 3_000), random.integers(0, 2, 3_000)
    x = (random.random(3_000) < 0.1 + 0.4 * z + 0.4 * u).astype(int)
    y = (random.random(3_000) < 0.2 + 0.3 * x + 0.4 * u).astype(int)
    confounded = fitted(hidden, pd.DataFrame({"z": z, "x": x, "y": y}))
    found = cf.bounds(confounded, "P(y=1 | do(x=1))")
    told = cf.bounds(hidden, "P(y=1 | do(x=1))", confounded.joint(["z", "x", "y"]))
    assert (found.low, found.high) == pytest.approx((told.low, told.high))
    assert found.low <= 0.7 <= found.high
    point = cf.bounds(model, "P(y=2 | do(x=yes))")
    assert float(point.low) == pytest.approx(float(model.ask("P(y=2 | do(x=yes))").value))
    with pytest.raises(cf.DataError, match="no data; give"):
        cf.bounds(hidden, "P(y=1 | do(x=1))")
