"""``causalflow counterfactual`` on rows: ranges, one row by its number, a summary beside a file."""

import json

import numpy as np
import pandas as pd
import pytest

import causalflow as cf

TEXT = """
graph: doses
nodes:
  sex:  {type: class, levels: [f, m]}
  dose: {type: continuous, unit: mg, noise: linear}
  ill:  {type: class, levels: [no, yes]}
edges: [sex -> dose, sex -> ill]
"""
ROWS = 400


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model with members, and the rows of its fit: dose rises by 2 from f to m."""
    place = tmp_path_factory.mktemp("doses")
    generator = np.random.default_rng(0)
    sex = generator.integers(0, 2, ROWS)
    frame = pd.DataFrame({"sex": np.array(["f", "m"])[sex]})
    frame["dose"] = 5 + 2 * sex + generator.normal(size=ROWS)
    frame["ill"] = np.where(generator.random(ROWS) < np.where(sex, 0.3, 0.6), "yes", "no")
    frame.to_csv(place / "rows.csv", index=False)
    model = cf.compile(cf.loads(TEXT, format="yaml"))
    model.fit(frame, members=4, progress=False)
    model.save(place / "model.safetensors")
    return place


@pytest.fixture
def ask(cli, folder):
    words = ["counterfactual", folder / "model.safetensors", "--evidence", folder / "rows.csv"]

    def asked(*more):
        ran = cli(*words, "--do", "sex=m", *more)
        assert (ran.code, ran.err) == (0, ""), ran.err
        return ran.out

    return asked


def test_columns_that_are_no_nodes_are_left_out_and_said(cli, folder):
    rows = pd.read_csv(folder / "rows.csv").head(3)
    rows.assign(patient=["P1", "P2", "P3"]).to_csv(folder / "more.csv", index=False)
    words = ["counterfactual", folder / "model.safetensors", "--do", "sex=m", "--evidence"]
    ran = cli(*words, folder / "more.csv")
    assert ran.code == 0, ran.err
    assert "column and it is left out: 'patient'" in ran.err
    rows.rename(columns={"dose": "doze"}).to_csv(folder / "wrong.csv", index=False)
    ran = cli(*words, folder / "wrong.csv")
    assert ran.code == 2
    assert "unknown node 'doze'" in ran.err
    assert "did you mean 'dose'?" in ran.err


def test_rows_are_chosen_by_their_number(ask, folder):
    found = json.loads(ask("--row", 17, "--row", 3, "--json"))
    assert [row["row"] for row in found["rows"]] == [17, 17, 3, 3]
    rows = pd.read_csv(folder / "rows.csv")
    assert found["rows"][0]["dose"] == pytest.approx(rows["dose"][17])
    numbers = [each for each in found["individuals"] if each["node"] == "dose"]
    assert [each["row"] for each in numbers] == [17, 3]
    assert found["members"] == 4
    for each in numbers:
        low, high = each["interval"]
        shift = 0 if rows["sex"][each["row"]] == "m" else 2
        # The fitted effect has a standard error of .1.
        assert each["value"] == pytest.approx(rows["dose"][each["row"]] + shift, abs=0.5)
        assert low <= each["value"] <= high
    assert "17   dose [mg]" in ask("--row", 17)


def test_a_class_has_its_probabilities(ask, folder):
    rows = pd.read_csv(folder / "rows.csv")
    row = int(((rows["sex"] == "f") & (rows["ill"] == "yes")).idxmax())
    found = json.loads(ask("--row", row, "-n", 2000, "--json"))["individuals"]
    shares = {each["level"]: each for each in found if each["node"] == "ill"}
    assert sum(each["value"] for each in shares.values()) == pytest.approx(1)
    table = pd.crosstab(rows["sex"], rows["ill"], normalize="index")
    p, q = table.loc["f", "yes"], table.loc["m", "yes"]
    # Frechet's bounds: at least max(0, (q + p - 1) / p), at most q / p; a count of 1/2 is added.
    low, high = shares["yes"]["any_noise"]
    assert low == pytest.approx(max(0, (q + p - 1) / p), abs=0.02)
    assert high == pytest.approx(q / p, abs=0.25)  # and the error of the fit
    assert low <= shares["yes"]["value"] <= high


def test_beside_a_file_a_summary_is_printed(ask, tmp_path):
    out = ask("-o", "worlds.csv")
    assert out.count("\n") < 20
    assert "dose [mg]" in out
    assert "400 rows under do(sex=m): 95 % ranges (200 draws a row, 4 refits)" in out
    table = pd.read_csv(tmp_path / "worlds.csv")
    assert len(table) == 2 * ROWS
    factual, other = (table[table["world"] == name] for name in ("factual", "do(sex=m)"))
    assert factual["dose.low"].isna().all()
    assert (other["dose.low"] <= other["dose"] + 1e-9).all()
    assert (other["dose"] <= other["dose.high"] + 1e-9).all()
    assert other["ill=yes.probability"].between(0, 1).all()


def test_a_row_that_is_not_there_is_one_line(cli, folder):
    words = ["counterfactual", folder / "model.safetensors", "--evidence", folder / "rows.csv"]
    ran = cli(*words, "--do", "sex=m", "--row", 400)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.strip().endswith("--row 400: the evidence has 400 rows; expected 0 to 399")


def test_rows_of_data_are_found_beyond_the_first_ones(cli, folder):
    words = ["counterfactual", folder / "model.safetensors", "--data", folder / "rows.csv"]
    ran = cli(*words, "--do", "sex=m", "--row", 100, "--json")
    assert ran.code == 0, ran.err
    assert [row["row"] for row in json.loads(ran.out)["rows"]] == [100, 100]
