"""The commands that reason: identify, ask, enumerate."""

import gzip
import json
from pathlib import Path

import pytest

GRAPHS = Path(__file__).resolve().parents[2] / "graphs"


def test_ask_of_continuous_equations_is_simulated_without_training(cli):
    query = "E[intensity[thickness=3] | thickness=2, intensity=150]"
    shown = json.loads(cli("ask", GRAPHS / "morphomnist_scm.yaml", query, "--json").out)
    assert (shown["route"], shown["identifiable"]) == ("simulated", False)
    assert 0 <= shown["error"] < 1e-9
    assert abs(shown["table"][0]["value"] - 227.915) < 1e-3
    assert shown["query"] == "E[intensity[thickness=3.0] | thickness=2.0, intensity=150.0]"


@pytest.mark.parametrize(
    ("asked", "number"),
    [
        ("P(y=1 | do(x=1))", "p"),
        ("PNS(x -> y)", "p"),
        ("ATE(x -> y)", "value"),
        ("RR(x -> y)", "value"),
    ],
)
def test_json_of_an_answer_has_its_question_and_calls_a_number_what_it_is(cli, asked, number):
    ran = cli("ask", GRAPHS / "ascm_xy.yaml", asked, "--json")
    told = json.loads(ran.out)
    assert number in told["table"][0]
    assert len(told["table"][0].keys() & {"p", "value"}) == 1
    assert "y" in told["query"]
    said = cli("ask", GRAPHS / "ascm_xy.yaml", asked).out
    notes = [line.removeprefix("note: ") for line in said.splitlines() if "note: " in line]
    assert notes == told.get("assumptions", [])


@pytest.mark.parametrize("name", ["rain.bif", "rain.bif.gz", "RAIN.BIF"])
def test_a_bif_file_is_asked_and_described_as_the_graph_that_it_is(cli, tmp_path, name):
    text = b"""
    variable rain { type discrete [2] { no, yes }; }
    variable wet { type discrete [2] { no, yes }; }
    probability ( rain ) { table 0.75, 0.25; }
    probability ( wet | rain ) { (no) 0.9, 0.1; (yes) 0.2, 0.8; }
    """
    (tmp_path / name).write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
    ran = cli("ask", name, "P(wet=yes)")
    assert (ran.code, ran.out.splitlines()[0]) == (0, "11/40")  # 3/4 1/10 + 1/4 8/10
    described = cli("describe", name, "--json")
    assert (described.code, described.err) == (0, "")


def test_ask_of_a_fitted_model_is_simulated(cli, sizes):
    model = sizes / "model.safetensors"
    ran = cli("ask", model, "E[size | do(color)]", "--given", "color=red", "--draws", 2000)
    assert ran.code == 0
    assert "simulation error at most" in ran.out
    assert "note: estimated from 2,000 draws" in ran.out
    assert abs(float(ran.out.split()[0]) - 3) < 0.05  # 3 and 200 rows with noise of 1/10
    again = cli("ask", model, "P(color | size)", "--given", "size=3", "--json")
    assert json.loads(again.out)["table"][1] == {"color": "red", "p": 1.0}


def test_ask_of_a_fitted_model_warns_where_a_parent_decides_another(cli, tmp_path):
    (tmp_path / "g.yaml").write_text(
        "nodes:\n  x: {type: class, levels: 2}\n  z: {type: class, levels: 2, equation: x}\n"
        "  y: {type: class, levels: 2}\nedges: [x -> y, z -> y]\n"
    )
    (tmp_path / "rows.csv").write_text("x,z,y\n" + "0,0,0\n1,1,1\n0,0,1\n" * 20)
    fitted = cli("fit", "g.yaml", "--data", "rows.csv", "-o", "m.safetensors", "--no-progress")
    assert fitted.code == 0, fitted.err
    warning = "positivity fails: z is a function of x, so no data show y under x=0, z=1"
    ran = cli("ask", "m.safetensors", "P(y=1 | do(z=1, x=0))", "--draws", 500)
    assert (ran.code, ran.err) == (0, "")
    assert f"warning: {warning}\n" in ran.out
    assert f"note: {warning}" not in ran.out
    words = ["ask", "m.safetensors", "P(y=1 | do(z=1))", "--draws", 500, "--json"]
    assert warning in json.loads(cli(*words).out)["assumptions"]
    assert "positivity" not in cli("ask", "m.safetensors", "P(y=1 | do(x=1))", "--draws", 500).out
