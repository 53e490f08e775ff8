"""`cf.evaluate`: what ``causalflow evaluate`` does, as a call."""

import json

import pytest
import torch

import causalflow as cf

LEVELS, ROWS = 5, 60
GRAPH = cf.loads(f"""
exogenous:
  u_c: {{p: [0.5, 0.5]}}
  u_i: {{p: [0.5, 0.5]}}
nodes:
  c: {{type: class, levels: [dark, light], equation: u_c}}
  i: {{type: image, shape: [1, 4, 4], levels: {LEVELS}, equation: {["2 * c + u_i"] * 16}}}
""")
QUICK = {"n": 12, "judge_epochs": 1, "progress": False}


@pytest.fixture(scope="module")
def model():
    return cf.compile(GRAPH)


@pytest.fixture(scope="module")
def rows():
    c, u = torch.arange(ROWS) % 2, torch.arange(ROWS) // 2 % 2
    return {"c": c, "i": (2 * c + u).float()[:, None, None, None].expand(-1, 1, 4, 4)}


@pytest.fixture(scope="module")
def found(model, rows):
    return cf.evaluate(model, rows, **QUICK)


def test_every_number_has_an_interval_a_count_a_unit_and_a_definition(found):
    frame = found.to_dataframe()
    assert set(frame["query"]) == {"do()", "do(c)"}
    for row in frame.itertuples():
        assert row.low <= row.value <= row.high
        assert 1 <= row.images <= 12
        assert row.unit
        assert row.definition.endswith(".")
    exact = frame[frame["metric"].isin(["composition", "reversibility"])]
    assert len(exact) == 5
    # An equation is inverted exactly; 1e-4 grey levels: float32.
    assert exact["value"].max() < 1e-4
    assert "composition: with residual, 1 cycle" in found.table()


def test_what_is_found_is_written_as_numbers_and_a_page(found, tmp_path):
    numbers, page = found.write(tmp_path / "report")
    record = json.loads(numbers.read_text(encoding="utf-8"))
    assert record["images"] == 12
    assert len(record["measures"]) == len(found.measures) == len(found.to_dataframe())
    assert "<h3>do(c)</h3>" in page.read_text(encoding="utf-8")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").touch()
    with pytest.raises(cf.DataError, match=r"notes\.txt"):
        found.write(tmp_path / "mine")


def test_interventions_and_metrics_are_those_named(model, rows):
    asked = {"do": [{"c": "light"}, {"c": lambda c: 1 - c}], "metrics": ["reversibility"]}
    named = cf.evaluate(model, rows, **asked, **QUICK).to_dataframe()
    assert named[["query", "metric"]].values.tolist() == [
        ["do(c=light)", "reversibility"],
        ["do(c)", "reversibility"],
    ]
    one = cf.evaluate(model, rows, do={"c": 1}, metrics=["network calls"], **QUICK)
    assert [(each.query, each.score.unit) for each in one.measures] == [("do(c=1)", "calls")]


class Total(torch.nn.Module):
    """A network that is known: the sum of a picture's pixels."""

    def forward(self, pictures):
        return pictures.sum((1, 2, 3))


def test_a_metric_reads_a_network_that_is_given(model, rows):
    @cf.register("metric", "change of the total")
    def change(bench, outcome):
        total = bench.network("total")
        return total(outcome.world[bench.image]) - total(bench.pictures)

    asked = {"do": {"c": 1}, "metrics": ["change of the total"], **QUICK}
    (one,) = cf.evaluate(model, rows, networks={"total": Total()}, **asked).measures
    # c = 0 becomes 1 in the rows that are dark: each of 16 pixels rises by 2 of 4 levels.
    dark = one.score.value * one.score.count / (16 * 2 / 4)
    assert 0 < dark <= 12
    assert dark == pytest.approx(round(dark), abs=1e-5)
    with pytest.raises(cf.CausalflowError, match="needs the network 'total'"):
        cf.evaluate(model, rows, **asked)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"metrics": ["sharpnes"]}, "unknown metric 'sharpnes'"),
        ({"do": {"k": 1}}, "unknown node 'k'"),
        ({"do": {"c": "red"}}, "unknown level 'red'"),
        ({"do": {"i": 0.5}}, "not an image"),
        ({"do": {"c": [0, 1]}}, "2 values for 12 pictures"),
        ({"n": 1}, "2 pictures or more"),
        ({"n": 55}, "5 are left for the judges"),
        ({"judge_epochs": 0}, "judge_epochs=0; expected a whole number"),
    ],
)
def test_a_mistake_is_one_line(model, rows, given, message):
    with pytest.raises(cf.CausalflowError, match=message) as raised:
        cf.evaluate(model, rows, **{**QUICK, **given})
    assert "\n" not in str(raised.value)


def test_a_data_set_is_named_and_an_unknown_one_is_refused(model):
    with pytest.raises(cf.DataError, match="did you mean 'morpho_mnist'"):
        cf.evaluate(model, "morfo_mnist")
    with pytest.raises(cf.DataError, match="expected test or validation"):
        cf.evaluate(model, "mnist", split="train")
