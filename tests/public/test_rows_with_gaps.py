"""Rows with empty cells: fits by expectation-maximisation come to what full rows would give."""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

import causalflow as cf

CLASSES = """
graph: smoke
nodes:
  sex:   {type: class, levels: [f, m]}
  smoke: {type: class, levels: [no, yes]}
  lung:  {type: class, levels: [well, ill]}
edges:
  - sex -> smoke
  - sex, smoke -> lung
"""
NUMBERS = """
graph: dose
nodes:
  age:  {type: continuous, unit: years, noise: linear}
  sex:  {type: class, levels: [f, m]}
  dose: {type: continuous, noise: linear}
  pain: {type: continuous, noise: linear}
edges:
  - age, sex -> dose
  - age, dose -> pain
"""
ROWS = 20_000


def level(rng, probability):
    return (rng.random(len(probability)) < probability).astype(int)


def people(seed=0, rows=ROWS):
    """Sex, smoking and illness; P(ill | do(smoke=yes)) is .5 (.6 + .3) = .45."""
    rng = np.random.default_rng(seed)
    sex = level(rng, np.full(rows, 0.5))
    smoke = level(rng, np.where(sex == 1, 0.7, 0.2))
    lung = level(rng, np.choose(2 * sex + smoke, [0.2, 0.6, 0.1, 0.3]))
    return {"sex": sex, "smoke": smoke, "lung": lung}


def hidden_by_illness(columns, seed=1):
    """Smoking is asked of nearly all who are ill, of few who are well: at random, given illness."""
    rng = np.random.default_rng(seed)
    asked = level(rng, np.where(columns["lung"] == 1, 0.95, 0.3)) == 1
    return columns | {"smoke": np.where(asked, columns["smoke"], -1)}


def fitted(text, columns):
    model = cf.compile(cf.loads(text, format="yaml"))
    return model, model.fit(columns, progress=False)


def test_cells_missing_at_random_do_not_bias_classes():
    model, report = fitted(CLASSES, hidden_by_illness(people()))
    ill = model.ask("P(lung=ill | do(smoke=yes))", generator=0).value
    assert ill == pytest.approx(0.45, abs=0.02)
    whole, _ = fitted(CLASSES, people())
    full = whole.ask("P(lung=ill | do(smoke=yes))", generator=0).value
    assert full == pytest.approx(0.45, abs=0.015)
    assert report.gaps["smoke"] == pytest.approx(0.5, abs=0.1)


def test_rows_that_show_everything_alone_would_be_far_off():
    columns = hidden_by_illness(people())
    shown = columns["smoke"] >= 0
    model, _ = fitted(CLASSES, {name: column[shown] for name, column in columns.items()})
    ill = model.ask("P(lung=ill | do(smoke=yes))", generator=0).value
    assert ill > 0.6


def test_the_assumption_is_said_by_the_fit_and_by_every_answer():
    model, report = fitted(CLASSES, hidden_by_illness(people(rows=2000)))
    (said,) = report.assumptions
    assert "missing at random" in said
    assert "'smoke'" in said
    answer = model.ask("P(lung=ill | do(smoke=yes))")
    assert said in answer.assumptions
    world = model.counterfactual({"sex": ["f"], "smoke": ["yes"], "lung": ["ill"]}, {"smoke": "no"})
    assert said in world.info.assumptions
    whole, without = fitted(CLASSES, people(rows=2000))
    assert without.assumptions == ()
    assert without.gaps == {}
    assert "missing at random" not in str(whole.ask("P(lung=ill | do(smoke=yes))"))


def test_the_assumption_is_kept_with_the_model(tmp_path):
    model, report = fitted(CLASSES, hidden_by_illness(people(rows=500)))
    model.save(tmp_path / "model.safetensors")
    loaded = cf.Model.load(tmp_path / "model.safetensors")
    assert report.assumptions[0] in loaded.ask("P(lung=ill | do(smoke=yes))").assumptions


def measured(seed=0, rows=4000):
    """A dose of .4 a unit on pain, confounded by age."""
    rng = np.random.default_rng(seed)
    age = 50 + 10 * rng.normal(size=rows)
    sex = level(rng, np.full(rows, 0.4))
    dose = 0.05 * (age - 50) + 0.8 * sex + rng.normal(size=rows)
    pain = 0.4 * dose + 0.06 * (age - 50) + 0.8 * rng.normal(size=rows)
    return {"age": age, "sex": sex, "dose": dose, "pain": pain}


def hidden_by_pain(columns, seed=1):
    """Doses are missing the more the more pain, ages and sexes at random."""
    rng = np.random.default_rng(seed)
    rows = len(columns["pain"])
    no_dose = rng.random(rows) < 1 / (1 + np.exp(-2.5 * (columns["pain"] - 0.3)))
    no_age = rng.random(rows) < np.where(columns["pain"] > 1, 0.3, 0.05)
    no_sex = rng.random(rows) < 0.1
    return columns | {
        "dose": np.where(no_dose, np.nan, columns["dose"]),
        "age": np.where(no_age, np.nan, columns["age"]),
        "sex": np.where(no_sex, -1, columns["sex"]),
    }


def effect(model, draws=40_000):
    high, low = (model.sample(draws, do={"dose": d}, nodes=["pain"])["pain"] for d in (1.0, 0.0))
    return float(high.mean() - low.mean())


def test_the_effect_of_a_number_is_that_of_the_full_rows():
    columns = hidden_by_pain(measured())
    model, report = fitted(NUMBERS, columns)
    assert effect(model) == pytest.approx(0.4, abs=0.04)  # 3 standard errors of the fit
    shown = ~np.isnan(columns["dose"]) & ~np.isnan(columns["age"]) & (columns["sex"] >= 0)
    whole, _ = fitted(NUMBERS, {name: column[shown] for name, column in columns.items()})
    assert effect(whole) < 0.33
    assert set(report.gaps) == {"age", "sex", "dose"}


def test_a_fit_with_gaps_is_the_same_again():
    columns = hidden_by_pain(measured(rows=400))
    first, second = (fitted(NUMBERS, columns)[0] for _ in range(2))
    assert effect(first, 100) == effect(second, 100)


def test_gaps_of_a_frame_are_none_or_nan():
    rows = hidden_by_illness(people(rows=3000))
    names = pd.Series(["no", "yes"])
    frame = pd.DataFrame(dict(rows))
    frame["smoke"] = [names[k] if k >= 0 else None for k in rows["smoke"]]
    ill = [
        fitted(CLASSES, columns)[0].ask("P(lung=ill | do(smoke=yes))", generator=0).value
        for columns in (rows, frame)
    ]
    assert ill[0] == ill[1]


def test_a_hidden_common_cause_is_fitted_with_gaps_too():
    """Cells that are missing completely at random: nearly the table that the full rows give."""
    text = CLASSES.replace("sex, smoke -> lung", "sex -> lung\n  - smoke <-> lung")
    full = people()
    rng = np.random.default_rng(3)
    gaps = {name: np.where(rng.random(ROWS) < 0.2, -1, column) for name, column in full.items()}
    question = "P(lung=ill, smoke=yes)"
    model, _ = fitted(text, gaps)
    found = model.ask(question, generator=0).value
    truth = float((full["lung"] * full["smoke"]).mean())
    assert found == pytest.approx(truth, abs=0.015)


def straight():
    """y = x + .5 a + .5 e, x = .8 a + .6 e', fitted to many rows."""
    rng = np.random.default_rng(0)
    a = rng.normal(size=ROWS)
    x = 0.8 * a + 0.6 * rng.normal(size=ROWS)
    y = x + 0.5 * a + 0.5 * rng.normal(size=ROWS)
    nodes = {name: {"type": "continuous", "noise": "linear"} for name in "axy"}
    model = cf.compile(cf.Graph(nodes=nodes, edges=["a -> x", "a, x -> y"]))
    model.fit({"a": a, "x": x, "y": y}, progress=False)
    return model


def test_a_number_missing_above_evidence_is_drawn_from_its_posterior():
    """y had x been 0 is y - x, and x | a, y is normal: its moments are those of the closed form."""
    model, rows = straight(), 4000
    seen = {"y": [2.0] * rows, "a": [None] * (rows // 2) + [0.3] * (rows // 2)}
    world = model.counterfactual(seen | {"x": [None] * rows}, {"x": 0.0}, generator=1)
    found = world["y"].numpy().reshape(2, -1)
    # Var(a, x, y) = (1, 1, 2.3456 ...): x = .8 a + .6 e', y = 1.3 a + .6 e' + .5 e
    slope = (0.8 * 1.3 + 0.36) / (1.3**2 + 0.36 + 0.25)
    spread = 1.0 - slope * (0.8 * 1.3 + 0.36)
    precision = 1 / 0.36 + 1 / 0.25
    middle = (0.24 / 0.36 + 1.85 / 0.25) / precision
    for drawn, mean, variance in zip(
        found, (2 - 2 * slope, 2 - middle), (spread, 1 / precision), strict=True
    ):
        assert drawn.mean() == pytest.approx(mean, abs=0.05)  # 4 errors of draws and of the fit
        assert drawn.std() == pytest.approx(variance**0.5, rel=0.07)
    assert world.info.route == "linear-Gaussian"
    assert world.info.effective_draws is None


def test_rows_with_a_gap_do_not_change_those_without():
    model = straight()
    whole = model.counterfactual({"a": [0.1, 1.0], "x": [0.2, 0.5], "y": [0.3, 2.0]}, {"x": 1.0})
    some = model.counterfactual(
        {"a": [0.1, None, 1.0], "x": [0.2, None, 0.5], "y": [0.3, 1.0, 2.0]}, {"x": 1.0}
    )
    assert np.allclose(some["y"].numpy()[[0, 2]], whole["y"].numpy(), rtol=0, atol=1e-9)


def test_the_command_names_the_rows_that_have_no_answer_and_answers_the_others(tmp_path):
    straight().save(tmp_path / "model.safetensors")
    rows = "a,x,y\n0.1,0.2,0.3\n,,\n,,2.0\n"
    (tmp_path / "rows.csv").write_text(rows)
    command = [sys.executable, "-m", "causalflow", "counterfactual", "model.safetensors"]
    command += ["--evidence", "rows.csv", "--do", "x=0", "--json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert {row["row"] for row in found["rows"]} == {0, 2}
    assert any("row 1: every cell is empty" in note for note in found["notes"])


def test_a_few_rows_with_gaps_are_not_learned_by_heart():
    """Rows whose gaps are filled several times over are no more rows: x moves y by 2 a unit."""
    rng = np.random.default_rng(2)
    x, z = rng.normal(size=(2, 150))
    y = 2 * x + z + rng.normal(size=150)
    z[rng.random(150) < 0.2] = np.nan
    graph = cf.Graph(nodes={n: {"type": "continuous"} for n in "xyz"}, edges=["x, z -> y"])
    model = cf.compile(graph)
    model.fit({"x": x, "y": y, "z": z}, progress=False)
    whole = ~np.isnan(z)
    rows = {"x": x[whole], "y": y[whole], "z": z[whole]}
    moved = model.counterfactual(rows, do={"x": rows["x"] / 2}, generator=0)["y"].numpy()
    assert np.abs(moved - rows["y"] + rows["x"]).max() < 1


def test_a_fit_whose_minutes_end_while_cells_are_filled_says_so():
    rng = np.random.default_rng(0)
    age = rng.normal(size=60)
    dose = np.where(rng.random(60) < 0.3, np.nan, age + rng.normal(size=60))
    columns = {"age": age, "sex": rng.integers(0, 2, 60), "dose": dose, "pain": age}
    model = cf.compile(cf.loads(NUMBERS, format="yaml"))
    with pytest.warns(cf.CausalflowWarning, match="filled in 1 of 12 rounds"):
        model.fit(columns, minutes=1e-7, progress=False)
