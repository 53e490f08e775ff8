import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

GRAPHS = Path(__file__).resolve().parents[2] / "graphs"
ANSWERED = """
exogenous: {u: {p: [1/3, 2/3]}, w: {p: [1/4, 3/4]}}
nodes:
  x: {type: class, levels: [no, yes], equation: u}
  y: {type: class, levels: 2, equation: x ^ w}
queries:
  - {ask: "P(y=1 | do(x=yes))", identifiable: true, answer: 1/4}
  - {ask: "P(y | x=yes)", answer: {0: 3/4, 1: 0.25}}
  - {ask: "P(y[x=yes] | x=no, y=0)", answer: {1: 1}}
"""
WRONG = """
exogenous: {u: {p: [1/3, 2/3]}}
nodes:
  x: {type: class, levels: 2, equation: u}
  y: {type: class, levels: 2, equation: x ^ u}
queries:
  - {ask: "P(y | do(x))", identifiable: true}
  - {ask: "P(x)", answer: {0: 1/3, 1: 1/3}}
  - {ask: "P(x=1)", answer: {1: 2/3}}
  - {ask: "P(u)", identifiable: true}
  - {ask: "P(x=1 | y=1)", answer: 0}
"""
GOOD = "edges: [x -> m -> y, x <-> y]\nqueries: ['P(y | do(x))']\n"
CYCLE = "edges:\n  - x -> y\n  - y -> x\n"
BAD_QUERY = (
    "edges: [x -> y]\nqueries:\n  - {ask: P(y), identifiable: true}\n  - {ask: P(z | do(x))}\n"
)


@pytest.fixture
def files(tmp_path):
    for name, text in {
        "good": GOOD,
        "cycle": CYCLE,
        "query": BAD_QUERY,
        "answered": ANSWERED,
    }.items():
        (tmp_path / f"{name}.yaml").write_text(text)


def test_check_holds_declared_answers_against_the_exact_ones(cli, files):
    ran = cli("check", "answered.yaml", "--json")
    assert (ran.code, ran.err) == (0, "")
    answers = [each["answer"] for each in json.loads(ran.out)[0]["queries"]]
    assert answers == ["1/4", {"0": "3/4", "1": "1/4"}, {"0": "0", "1": "1"}]


def test_check_names_every_wrong_declaration_with_its_line(cli, tmp_path):
    (tmp_path / "wrong.yaml").write_text(WRONG)
    ran = cli("check", "wrong.yaml")
    assert ran.code == 2
    assert "ok" not in ran.out
    verdict, table, shape, exogenous, impossible = ran.err.splitlines()
    start = "query: P(y | do(x)) is declared identifiable: true, but P(y | do(x)) is not"
    assert verdict.startswith(f"wrong.yaml:7: {start} identifiable from P(v) hedge F = ")
    declared = "query: P(x) is declared to be 0: 1/3, 1: 1/3; it is 0: 1/3, 1: 2/3"
    assert table == f"wrong.yaml:8: {declared}"
    assert shape.startswith("wrong.yaml:9: query: P(x=1) is declared to be 1: 2/3; it is 2/3")
    assert exogenous.startswith("wrong.yaml:10: identify: 'u' is exogenous")
    assert impossible == "wrong.yaml:11: the evidence has probability zero: P(y=1) = 0"


def test_every_graph_file_that_ships_is_right(cli):
    ran = cli("check", *GRAPHS.rglob("*.yaml"))
    assert (ran.code, ran.err) == (0, "")
    assert "not checked" not in ran.out


def test_draw_names_the_picture_after_the_file_and_puts_it_here(cli, files, tmp_path):
    ran = cli("draw", "good.yaml")
    assert (ran.code, ran.out, ran.err) == (0, "good.png\n", "")
    picture = np.asarray(Image.open(tmp_path / "good.png").convert("L"))
    assert picture.min() < 128 < picture.max()


def test_draw_of_a_wrong_file_writes_nothing(cli, files, tmp_path):
    ran = cli("draw", "cycle.yaml")
    assert ran.code == 2
    assert ran.err.startswith("cycle.yaml:3: ")
    assert not (tmp_path / "cycle.png").exists()


def test_check_warns_where_a_parent_is_a_function_of_another(cli):
    ran = cli("check", GRAPHS / "masked_mnist.yaml")
    assert (ran.code, ran.err) == (0, "")
    _, first, ships, query, second = ran.out.splitlines()
    assert ships.startswith("  note: checkpoint 'masked_mnist' ships for it, drawn with 'image': ")
    start = "warning: positivity fails: color is a function of digit, so no data show image under "
    assert first.strip().startswith(f"{start}digit=0, color=green; ")
    assert query.startswith("  P(image | do(color=green)): identifiable: ")
    assert second.strip() == (
        f"{start}digit=0, color=green; digit=1, color=green; digit=2, color=green, and 2 more"
    )
    (found,) = json.loads(cli("check", GRAPHS / "masked_mnist.yaml", "--json").out)
    assert found["ok"]
    assert [len(found["warnings"]), len(found["queries"][0]["warnings"])] == [1, 1]
    (fine,) = json.loads(cli("check", GRAPHS / "morpho_mnist.yaml", "--json").out)
    assert fine["warnings"] == []


def test_identify_warns_of_what_no_data_show(cli):
    words = ["identify", GRAPHS / "colored_mnist.yaml", "P(image | do(color=red, digit=5))"]
    warning = "positivity fails: color is a function of digit, so no data show image under "
    assert f"  warning: {warning}digit=5, color=red\n" in cli(*words).out
    found = json.loads(cli(*words, "--json").out)
    assert (found["identifiable"], found["warnings"]) == (True, [f"{warning}digit=5, color=red"])
