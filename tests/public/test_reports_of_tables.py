"""The report on a model of a table: true laws pass it, wrong ones and idle parents are named."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import causalflow as cf

TEXT = """
graph: doses
nodes:
  sex:  {type: class, levels: [f, m]}
  age:  {type: continuous, noise: linear}
  dose: {type: continuous, noise: linear}
edges: ["sex, age -> dose"]
"""


def rows(generator, count, tail=None):
    """dose = 1 + sex + noise of standard deviation 1/2; age has no part in it."""
    sex, age = generator.integers(0, 2, count), generator.normal(size=count)
    noise = generator.normal(size=count) if tail is None else tail(generator, count)
    return {"sex": np.array(["f", "m"])[sex], "age": age, "dose": 1 + sex + 0.5 * noise}


def fitted(count=2000, tail=None, seed=0):
    model = cf.compile(cf.loads(TEXT, format="yaml"))
    model.fit(rows(np.random.default_rng(seed), count, tail), progress=False)
    return model


@pytest.fixture(scope="module")
def found():
    return cf.evaluate(fitted(), rows(np.random.default_rng(1), 1000), name="doses.safetensors")


def test_likelihoods_are_those_of_the_law(found):
    told = {each.node: each for each in found.nodes}
    wanted = {
        "sex": -np.log(2),
        "age": -0.5 * np.log(2 * np.pi * np.e),
        "dose": -0.5 * np.log(2 * np.pi * np.e * 0.25),
    }
    for name, entropy in wanted.items():
        # 5 standard errors, and what 2,000 rows leave of the parameters (2 / 2,000 nats).
        assert abs(told[name].log_likelihood - entropy) < 5 * told[name].error + 0.002, name


def test_a_parent_that_tells_nothing_is_told_from_one_that_does(found):
    relevance = {each.parent: each for each in found.nodes[-1].relevance}
    # sex moves the mean by 2 standard deviations: a shuffle errs in half of the rows, at 2 nats.
    assert relevance["sex"].gain == pytest.approx(0.5 * 2**2 / 2, abs=0.3)
    assert relevance["sex"].seen
    assert abs(relevance["age"].gain) < 0.01
    assert ("makes no use of 'age'" in str(found)) == (not relevance["age"].seen)


def test_the_true_law_is_calibrated_as_often_as_it_should_be():
    p = []
    for seed in range(12):
        model = fitted(count=20_000, seed=seed)
        report = cf.evaluate(model, rows(np.random.default_rng(100 + seed), 400), seed=seed)
        p += [each.p for each in report.nodes]
    assert stats.kstest(p, "uniform").pvalue > 0.001


def test_another_law_is_not_calibrated():
    def lopsided(generator, count):
        return generator.exponential(size=count) - 1

    with pytest.warns(cf.CausalflowWarning, match="differs from the rows in 'dose'"):
        model = fitted(tail=lopsided)
    report = cf.evaluate(model, rows(np.random.default_rng(1), 1000, lopsided))
    dose = report.nodes[-1]
    # sup |1 - exp(-1 - z) - Phi(z)| is .159, at z = -1, and 1,000 rows leave .04 of it open.
    assert (dose.strange, dose.distance > 0.12) == (True, True)
    assert "'dose' is not calibrated" in str(report)


def test_the_widest_noise_is_no_remedy_for_itself():
    x = np.random.default_rng(0).exponential(size=500) ** 3

    def warned(noise):
        graph = cf.loads(f"nodes:\n  x: {{type: continuous, noise: {noise}}}\nedges: []")
        with pytest.warns(cf.CausalflowWarning, match="differs from the rows in 'x'") as caught:
            cf.compile(graph).fit({"x": x}, steps=1, progress=False)
        return str(caught[0].message)

    assert "noise: flow" in warned("linear")
    assert "noise" not in warned("flow").partition("warned of")[2]


def test_independences_that_the_rows_contradict_are_named():
    generator = np.random.default_rng(2)
    data = rows(generator, 1000)
    data["age"] = data["age"] + 2 * (data["sex"] == "m")
    model = cf.compile(cf.loads(TEXT, format="yaml"))
    model.fit(data, progress=False)
    report = cf.evaluate(model, data)
    assert [str(t.independence) for t in report.independences.contradicted] == ["sex _||_ age"]
    assert report.record()["independences"][0]["contradicted"]


def test_a_report_is_a_table_a_frame_a_picture_and_files(found, tmp_path):
    assert "doses.safetensors, graph doses, judged by 1,000 rows" in str(found)
    assert list(found.to_dataframe()["node"]) == ["sex", "age", "dose"]
    assert len(found.plot().axes) == 3
    files = found.write(tmp_path / "report")
    assert [file.name for file in files] == ["report.json", "report.html"]
    record = json.loads(files[0].read_text())
    assert record["nodes"][2]["pit_distance"] == pytest.approx(found.nodes[2].distance)
    assert "PIT off uniform" in files[1].read_text()


def test_options_of_pictures_are_refused():
    with pytest.raises(cf.CausalflowError, match=r"do=\.\.\. is of models with an image"):
        cf.evaluate(fitted(count=50), rows(np.random.default_rng(1), 10), do={"sex": "m"})


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "graph.yaml").write_text(TEXT)
    for name, seed in (("rows", 0), ("new", 1)):
        pd.DataFrame(rows(np.random.default_rng(seed), 500)).to_csv(tmp_path / f"{name}.csv")
    return tmp_path


def test_a_fit_ends_with_a_report_by_rows_that_it_held_out(cli, folder):
    words = ["fit", "graph.yaml", "--data", "rows.csv", "-o", "m.safetensors", "--no-progress"]
    out = cli(*words).out
    assert "m.safetensors, graph doses, judged by 100 rows" in out
    assert "a model fitted to the other rows is judged by these" in out
    assert "sex _||_ age" in out
    assert "judged by" not in cli(*words, "--no-report").out
    told = json.loads(cli(*words, "--held-out", 0.1, "--json").out)["report"]
    assert told["rows"] == 50
    assert told["notes"][0] == "these rows were kept from the fit"
    by_command = cli("evaluate", "m.safetensors", "--data", "new.csv", "--json")
    assert by_command.code == 0, by_command.err
    assert json.loads(by_command.out)["rows"] == 500
    assert (folder / "report" / "report.html").exists()
