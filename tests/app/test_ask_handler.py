"""Ask: numbers and fractions are the engine's; sliders change a law, not how it is answered."""

import json
import subprocess
import sys
from fractions import Fraction

import pytest

import causalflow as cf
from causalflow.app.ask import HANDLERS
from causalflow.app.handler import Session
from causalflow.shipped import graph_path

XY = graph_path("ascm_xy").read_text(encoding="utf-8")
RAIN = """
nodes:
  rain: {type: class, levels: [no, yes], table: [4/5, 1/5]}
  wet: {type: class, levels: [no, yes], table: {no: [1, 0], yes: [1/10, 9/10]}}
edges: [rain -> wet]
queries: ["P(wet | do(rain=yes))"]
"""
BOW = """
exogenous: {u: {p: [0.5, 0.5]}, w: {p: [0.7, 0.3]}}
nodes:
  x: {type: class, levels: 2, equation: u ^ w}
  y: {type: class, levels: 2, equation: "x & u | w"}
"""


def run(handler, text, /, **more):
    reply = HANDLERS[handler].run({"text": text, **more}, Session())
    json.dumps(reply, allow_nan=False)
    return reply


def table(reply):
    return {tuple(row["levels"]): row["exact"] for row in reply["rows"]}


def test_an_answer_has_its_cells_as_numbers_and_fractions():
    reply = run("ask", XY, query="P(i[x=1] | i=5)")
    assert {cell: share for cell, share in table(reply).items() if share != "0"} == {
        ("5",): "6/19",
        ("6",): "4/19",
        ("14",): "9/19",
    }
    assert reply["exact"] is True
    (five,) = [row for row in reply["rows"] if row["levels"] == ["5"]]
    assert five["p"] == pytest.approx(6 / 19)


def test_a_number_is_one_row_without_axes():
    reply = run("ask", RAIN, query="P(wet=yes)")
    assert (reply["axes"], table(reply)) == ([], {(): "9/50"})


def test_an_answer_says_whether_data_tell_it():
    known, open_ = (run("ask", XY, query=query) for query in ("P(y)", "P(i[x=1] | i=5)"))
    assert (known["identifiable"], known["badge"]) == (True, "identified")
    assert (open_["identifiable"], open_["badge"]) == (False, "rests on the model")
    assert any("not identifiable from P(v)" in note for note in open_["notes"])


def test_an_answer_that_data_do_not_reach_everywhere_is_identified_in_part():
    text = RAIN.replace("table: [4/5, 1/5]", "table: [1, 0]")
    reply = run("ask", text, query="P(wet | do(rain=yes))")
    assert (reply["identifiable"], reply["badge"]) == (True, "identified in part")
    assert any(note.startswith("positivity fails") for note in reply["notes"])


def test_what_is_given_is_known():
    assert table(run("ask", RAIN, query="P(rain | wet)", given={"wet": "no"})) == {
        ("no",): "40/41",
        ("yes",): "1/41",
    }


def test_roots_are_told_with_their_shares_and_weights_change_them():
    reply = run("ask_model", RAIN)
    assert reply["how"] == "exact"
    assert reply["queries"] == ["P(wet | do(rain=yes))"]
    (root,) = reply["roots"]
    assert (root["name"], root["exact"]) == ("rain", ["4/5", "1/5"])
    moved = run("ask", RAIN, query="P(wet=yes)", weights={"rain": [1, 3]})
    assert table(moved) == {(): str(Fraction(3, 4) * Fraction(9, 10))}


def test_exogenous_laws_are_roots_too():
    roots = {root["name"] for root in run("ask_model", XY)["roots"]}
    assert roots == set(cf.loads(XY).exogenous)
    sure = run("ask", XY, query="P(x)", weights={"u_x": [1, 0], "u_xy": [1, 0]})
    assert table(sure) == {("0",): "1", ("1",): "0"}


def test_bounds_hold_the_answer_of_the_model():
    query = "P(y=1 | do(x=1))"
    assert run("ask", BOW, query=query)["bounded"] == "at once"
    assert run("ask", BOW, query="P(y)")["bounded"] == "no"
    (ends,), (row,) = (run(name, BOW, query=query)["rows"] for name in ("ask_bounds", "ask"))
    assert ends["low"] < row["p"] < ends["high"]


def test_a_graph_that_says_too_little_says_why():
    reply = run("ask_model", "edges: [x -> y]")
    assert reply["how"] == "none"
    assert "x" in reply["why"]


def test_equations_of_numbers_are_answered_by_draws_with_their_error():
    text = graph_path("morphomnist_scm").read_text(encoding="utf-8")
    assert run("ask_model", text)["how"] == "drawn"
    reply = run("ask_drawn", text, query="E[intensity | do(thickness=3)]")
    assert reply["rows"][0]["exact"] is None
    assert reply["route"] in ("exact", "simulated")


@pytest.mark.parametrize(
    ("name", "more", "message"),
    [
        ("ask", {"query": "P(q)"}, "unknown node 'q'"),
        ("ask", {"query": ""}, "nothing is asked yet"),
        ("ask", {"query": "P(wet", "text": RAIN}, "the end of the query"),
        ("ask", {"query": "P(x)", "weights": {"u": [1, 0]}}, "'u' is no root"),
        ("ask", {"query": "P(x)", "weights": {"u_x": [0, 0]}}, "not all of them 0"),
        ("ask", {"query": "P(x)", "weights": {"u_x": [1, float("nan")]}}, "expected numbers"),
        ("ask", {"query": "P(x)", "weights": {"u_x": [1]}}, "a weight for each"),
        ("ask", {"query": "P(x)", "weights": [1]}, "for each root"),
        ("ask", {"query": "P(x)", "given": [1]}, "for each variable"),
        (
            "ask",
            {"query": "P(rain | wet=yes)", "weights": {"rain": [1, 0]}, "text": RAIN},
            "probability zero",
        ),
        ("ask", {"text": "edges: [x -> y]", "query": "P(y)"}, "x"),
        ("ask_drawn", {"text": "edges: [x -> y]", "query": "P(y)"}, "fit a model to data"),
    ],
)
def test_a_mistake_is_one_line(name, more, message):
    with pytest.raises(cf.CausalflowError) as caught:
        run(name, more.pop("text", XY), **more)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("weights", [{}, {"rain": [1, 3]}])
def test_the_python_lines_give_the_same_answer(tmp_path, weights):
    (tmp_path / "rain.yaml").write_text(RAIN, encoding="utf-8")
    reply = run("ask", RAIN, query="P(wet)", weights=weights, name="rain.yaml")
    ran = subprocess.run(
        [sys.executable, "-c", reply["python"]],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    assert ran.stdout.strip() == reply["plain"]


@pytest.mark.parametrize(
    ("typed", "start", "first"),
    [
        ("", 0, "P("),
        ("P(", 2, "rain"),
        ("P(w", 2, "wet"),
        ("P(wet | ", 8, "rain"),
        ("P(wet | d", 8, "do("),
        ("P(wet | do(", 11, "rain"),
        ("P(wet | do(rain=", 16, "no"),
        ("P(wet[rain=y", 11, "yes"),
        ("P(wet[rain=yes]=", 16, "no"),
        ("P(wet | do(rain=yes)) ", 22, " - "),
        ("P(wet=yes) - ", 13, "P("),
        ("P(wet=yes) - P(wet=no | do(", 27, "rain"),
        ("A", 0, "ATE("),
        ("ATE(", 4, "rain"),
        ("ATE(rain -> ", 12, "wet"),
        ("ATE(rain=", 9, "no"),
    ],
)
def test_what_may_come_next(typed, start, first):
    reply = run("complete", RAIN, query=typed, at=len(typed))
    assert (reply["from"], reply["options"][:1]) == (start, [first])


def test_every_option_leads_on():
    for typed in ("P(", "P(wet | ", "P(wet | do(rain=yes), ", "E[wet | "):
        for option in run("complete", RAIN, query=typed)["options"]:
            end = " " if option[-1].isalnum() else ""
            assert run("complete", RAIN, query=typed + option + end)["options"], option


def test_a_cursor_in_the_middle_completes_there():
    reply = run("complete", RAIN, query="P(w | do(rain=yes))", at=3)
    assert (reply["from"], reply["options"][0]) == (2, "wet")


def test_own_questions_that_name_what_is_unobserved_or_gone_are_not_offered():
    text = RAIN.replace('"]', '", "P(wet)", "P(gone)"]')
    assert run("ask_model", text)["queries"] == ["P(wet | do(rain=yes))", "P(wet)"]
    hidden = run("ask_model", text, roles={"unobserved": ["rain", "no node"]})
    assert hidden["queries"] == ["P(wet)"]
    assert run("ask_model", text, roles={"unobserved": "rain"})["queries"][0].startswith("P(wet |")
