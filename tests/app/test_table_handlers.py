"""Table: rows as they would have been, by the handlers of the page, against `cf.individuals`."""

import contextlib
import io
import json
import math

import numpy as np
import pytest

import causalflow as cf
from causalflow.app.handler import Session
from causalflow.app.table import HANDLERS
from causalflow.errors import CausalflowError

LINE = """
graph: line
nodes:
  group: {type: class, levels: [a, b]}
  dose:  {type: continuous, unit: mg}
  pain:  {type: continuous}
edges: [group -> dose, group -> pain, dose -> pain]
"""
GIVEN = """
graph: given
exogenous: {u: {type: normal}, v: {type: normal}}
nodes:
  x: {type: continuous, equation: u}
  y: {type: continuous, unit: m, equation: 2 * x + v}
"""


@pytest.fixture(scope="module")
def session():
    return Session()


def ask(session, name, **body):
    reply = HANDLERS[name].run(json.loads(json.dumps(body)), session)
    return json.loads(json.dumps(reply, allow_nan=False))


def rows_as_csv(n=120):
    random = np.random.default_rng(0)
    group = random.integers(0, 2, n)
    dose = group + random.normal(size=n)
    pain = 3 - 2 * dose + group + 0.1 * random.normal(size=n)
    lines = [f"{'ab'[g]},{d:.4f},{p:.4f}" for g, d, p in zip(group, dose, pain, strict=True)]
    lines[5] = "b,,1.5"
    return "group,dose,pain\n" + "\n".join(lines) + "\n"


def test_models_without_pictures_are_listed_and_each_answers(session):
    names = [each["name"] for each in ask(session, "table_models")["models"]]
    assert "scene_phantom_scm" in names
    for name in names:
        start = ask(session, "table_start", model=name)
        control = start["controls"][0]
        value = control["levels"][-1] if "levels" in control else control["high"]
        row = {"from": "data", "number": 0}
        reply = ask(session, "table", model=name, row=row, do={control["name"]: value})
        assert {each["node"] for each in reply["nodes"]} == {e["name"] for e in start["controls"]}
        assert reply["badge"]["kind"] == "given"


def test_row_of_the_graph_on_the_page_is_answered_exactly(session):
    row = {"from": "values", "given": {"x": 1.0, "y": 2.5}}
    body = {"model": "page", "text": GIVEN, "row": row, "do": {"x": 3.0}}
    reply = ask(session, "table", **body)
    (x, y) = reply["nodes"]
    assert (x["set"], x["value"], x["factual"]) == (True, 3.0, 1.0)
    assert y["parts"][0]["value"] == pytest.approx(6.5)
    assert y["unit"] == "m"


def test_graph_that_has_to_be_fitted_says_so(session):
    with pytest.raises(CausalflowError, match=r"node 'dose' of the graph .* open the rows"):
        ask(session, "table_start", model="page", text=LINE)


def test_rows_are_fitted_and_their_answers_have_ranges(session):
    said = []
    told = Session(cache=session.cache, progress=lambda share, text: said.append((share, text)))
    name = ask(told, "table_fit", text=LINE, csv=rows_as_csv())["model"]
    assert [share for share, _ in said] == sorted(share for share, _ in said)
    assert "fitting 3 nodes to 120 rows" in said[1][1]
    start = ask(session, "table_start", model=name)
    assert start["rows"]["labels"]["dose"][5] is None
    assert any("missing at random" in each for each in start["notes"])
    row = {"from": "data", "number": 0}
    reply = ask(session, "table", model=name, row=row, do={"dose": 0.5})
    pain = next(each for each in reply["nodes"] if each["node"] == "pain")["parts"][0]
    assert pain["any_noise"][0] <= pain["interval"][0] <= pain["value"] <= pain["interval"][1]
    assert math.isfinite(pain["any_noise"][1])
    assert reply["badge"]["kind"] == "bounds"
    again = len(said)
    ask(told, "table_fit", text=LINE, csv=rows_as_csv())
    assert len(said) == again  # found among those that were made


def test_rows_given_at_the_start_are_fitted_and_any_of_them_is_asked_about(tmp_path):
    place = tmp_path / "mine.csv"
    place.write_text(rows_as_csv())
    given = Session(data=place)
    assert ask(given, "table_models")["rows"] == "mine.csv"
    assert ask(Session(data=tmp_path), "table_models")["rows"] is None
    assert ask(given, "table_types", text="edges: [smoking -> cancer]")["new"]
    # a model of other columns does not stumble over them
    assert ask(given, "table_start", model="dose")["rows"]["about"] == "drawn from the model"
    name = ask(given, "table_fit", text=LINE)["model"]
    start = ask(given, "table_start", model=name)
    assert (start["rows"]["count"], len(start["rows"]["labels"]["dose"])) == (120, 24)
    reply = ask(given, "table", model=name, row={"from": "data", "number": 99}, do={"dose": 0.5})
    shown = rows_as_csv().splitlines()[100].split(",")
    assert reply["nodes"][1]["factual"] == pytest.approx(float(shown[1]), rel=1e-4)
    assert str(place) in reply["python"]
    with pytest.raises(CausalflowError, match="expected 'text', the graph"):
        ask(Session(), "table_fit", text=LINE)


def test_a_fit_tells_the_page_its_stages_by_a_bar_that_never_falls():
    said = []
    told = Session(progress=lambda share, text: said.append((share, text)))
    text = LINE.replace("[group -> dose,", "[dose -> group,")
    text = text.replace("group -> pain, ", "pain -> group, ")
    ask(told, "table_fit", text=text, csv=rows_as_csv(60))
    shares = [share for share, _ in said]
    assert shares == sorted(shares)
    assert any("filling empty cells, round 12 of 12" in each for _, each in said)
    assert any("fitting, step 2,000 of 2,000" in each for _, each in said)


def test_python_lines_print_the_same_table(session, tmp_path, monkeypatch):
    (tmp_path / "graph.yaml").write_text(LINE)
    (tmp_path / "rows.csv").write_text(rows_as_csv())
    monkeypatch.chdir(tmp_path)
    name = ask(session, "table_fit", text=LINE, csv=rows_as_csv())["model"]
    for model, do in ((name, {"dose": 0.5}), ("dose", {"dose": "none"})):
        body = {"model": model, "row": {"from": "data", "number": 2}, "do": do}
        reply = ask(session, "table", **body)
        assert "minutes" not in reply["python"]  # a clock would end elsewhere on a busy machine
        place = {}
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            exec(reply["python"], place)
        shown = [part for each in reply["nodes"] for part in each.get("parts", ())]
        assert json.loads(json.dumps(place["found"].record())) == shown


def test_python_of_a_fit_that_the_clock_cut_says_so(monkeypatch):
    monkeypatch.setattr("causalflow.app.fitting.MINUTES", 1e-5)
    own = Session()
    name = ask(own, "table_fit", text=LINE, csv=rows_as_csv(), members=2)["model"]
    start = ask(own, "table_start", model=name)
    assert any("0 of 2 refits" in each for each in start["notes"])
    row = {"from": "data", "number": 2}
    lines = ask(own, "table", model=name, row=row, do={"dose": 0.5})["python"]
    assert "minutes=1e-05" in lines
    assert "members" not in lines


def test_rows_with_semicolons_are_fitted_and_it_is_said(session):
    rows = rows_as_csv().replace(",", ";").replace(".", ",")
    name = ask(session, "table_fit", text=LINE, csv=rows)["model"]
    notes = ask(session, "table_start", model=name)["notes"]
    assert "rows.csv: read with semicolons between cells, decimal commas" in notes


def test_types_of_a_bare_graph_are_guessed_from_the_rows(session):
    bare = "# mine\nedges:\n  - group -> dose   # why\n  - dose -> pain\n"
    found = ask(session, "table_types", text=bare, csv=rows_as_csv())
    assert "# mine" in found["text"]
    assert "# why" in found["text"]
    assert not found["new"]
    assert [each["node"] for each in found["guesses"]] == ["group", "dose", "pain"]
    graph = cf.loads(found["text"])
    assert graph.nodes["group"].type.levels == ("a", "b")
    assert graph.nodes["dose"].type.numeric
    assert ask(session, "table_types", text=LINE, csv=rows_as_csv())["text"] == LINE


def test_rows_of_another_graph_begin_one_of_their_own(session):
    found = ask(session, "table_types", text="edges: [smoking -> cancer]", csv=rows_as_csv())
    assert found["new"]
    assert list(cf.loads(found["text"]).nodes) == ["group", "dose", "pain"]


def test_fit_that_is_no_longer_kept_says_so():
    with pytest.raises(CausalflowError, match="fit the rows again"):
        ask(Session(), "table_start", model="fit:0123")


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("table_start", {"model": "scene_ball"}),
        ("table_start", {"model": None}),
        ("table_fit", {"text": LINE, "csv": "group;dose;pain\na;1;2;3\n"}),
        ("table_fit", {"text": LINE, "csv": "group,dose\na,1\n"}),
        ("table_fit", {"text": LINE, "csv": "group,dose,pain\nc,1,2\n"}),
        ("table_fit", {"text": LINE, "csv": "group,dose,pain\na,one,2\n"}),
        ("table_fit", {"text": LINE, "csv": ""}),
        ("table_fit", {"text": LINE, "csv": "group,dose,pain\nK\ufffdln,1,2\n"}),
        ("table_fit", {"text": "edges: [a -> b]", "csv": "a,b\n1,2\n"}),
        ("table_fit", {"text": "edges: [a -> ]", "csv": "a,b\n1,2\n"}),
        ("table_fit", {"text": LINE, "csv": "group,dose,pain\na,1,2\n", "members": 10**6}),
        ("table", {"model": "dose", "row": {"from": "data", "number": 0}, "do": {"dose": "lots"}}),
        ("table", {"model": "dose", "row": {"from": "values", "given": {}}, "do": {"dose": 1}}),
        ("table", {"model": "dose", "row": {"from": "values", "given": [1]}, "do": {"dose": 1}}),
        ("table", {"model": "dose", "row": {"from": "picture", "png": "x"}, "do": {"dose": 1}}),
    ],
)
def test_what_cannot_be_answered_is_refused_in_one_line(session, name, body):
    with pytest.raises(CausalflowError) as refused:
        ask(session, name, **body)
    assert "\n" not in str(refused.value)


def test_individuals_are_what_is_shown(session):
    body = {"model": "page", "text": GIVEN, "do": {"x": 0.0}}
    body["row"] = {"from": "values", "given": {"y": 1.0}}
    reply = ask(session, "table", **body)
    model = cf.compile(cf.loads(GIVEN))
    found = cf.individuals(model, {"y": 1.0}, {"x": 0.0}, draws=200, generator=0)
    (y,) = [part for each in reply["nodes"] for part in each.get("parts", ())]
    assert y == json.loads(json.dumps(found.record()[0]))
