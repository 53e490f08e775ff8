"""The commands that reason: identify, ask, enumerate."""

import gzip
import json
from pathlib import Path

import pytest

GRAPHS = Path(__file__).resolve().parents[2] / "graphs"
ASCM = GRAPHS / "ascm_xy.yaml"
NAPKIN = GRAPHS / "literature" / "napkin.yaml"
Z_EXPERIMENT = GRAPHS / "literature" / "z_identifiability_1.yaml"
BOW = GRAPHS / "literature" / "bow.yaml"


def test_ask_shows_the_exact_fractions_of_the_paper(cli):
    ran = cli("ask", ASCM, "P(i[x=1] | i=5)")
    assert (ran.code, ran.err) == (0, "")
    first, note = ran.out.splitlines()
    assert first == "{5: 6/19, 6: 4/19, 14: 9/19}"
    assert note == "note: not identifiable from P(v): the answer rests on the model"


def test_ask_answers_quantities_by_their_names(cli):
    squad = str(GRAPHS / "classics" / "firing_squad.yaml")
    ran = cli("ask", squad, "PN(a=yes/no -> dead=yes/no)")
    assert (ran.code, ran.out.splitlines()[0]) == (0, "1/16")
    ran = cli("ask", squad, "NDE(order=yes/no -> dead; captain)")
    assert (ran.code, ran.out.splitlines()[0]) == (0, "0")  # an order acts through the captain


def test_ask_json_is_route_and_table(cli):
    assert json.loads(cli("ask", ASCM, "P(i[x=1] | i=5)", "--json").out) == {
        "route": "exact",
        "table": [
            {"i": 5, "p": 6 / 19, "exact": "6/19"},
            {"i": 6, "p": 4 / 19, "exact": "4/19"},
            {"i": 14, "p": 9 / 19, "exact": "9/19"},
        ],
    }
    number = json.loads(cli("ask", ASCM, "P(y=1 | do(x=1))", "--json").out)
    assert number == {"route": "exact", "table": [{"p": 0.5, "exact": "1/2"}]}


def test_ask_takes_the_values_of_free_conditions(cli):
    free = cli("ask", ASCM, "P(y[x=1]=1 | x, i)", "--given", "x=0", "--given", "i=5")
    valued = cli("ask", ASCM, "P(y[x=1]=1 | x=0, i=5)")
    assert (free.code, free.out) == (0, valued.out)
    table = cli("ask", ASCM, "P(x, y)").out.splitlines()
    assert table[:2] == ["x  y  P", "0  0  6/25"]


def test_ask_of_continuous_equations_is_simulated_without_training(cli):
    query = "E[intensity[thickness=3] | thickness=2, intensity=150]"
    shown = json.loads(cli("ask", GRAPHS / "morphomnist_scm.yaml", query, "--json").out)
    assert (shown["route"], shown["identifiable"]) == ("simulated", False)
    assert 0 <= shown["error"] < 1e-9
    assert abs(shown["table"][0]["p"] - 227.915) < 1e-3


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


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([ASCM, "P(x | i=1)"], "the evidence has probability zero: P(i=1) = 0"),
        ([ASCM, "P(y | x=0)", "--given", "x=1"], "'x' is 0 in the query and '1' besides"),
        ([ASCM, "P(y | x)", "--given", "x=1", "--given", "x=0"], "'x' is given twice"),
        ([ASCM, "P(y | x)", "--given", "x+=1"], "expected '='"),
        ([GRAPHS / "bar_mnist_frontdoor.yaml", "P(bar)"], "fit a model to data and ask that"),
        (["none.yaml", "P(y)"], "none.yaml: cannot be read"),
        (["none.safetensors", "P(y)"], "none.safetensors"),
    ],
)
def test_mistake_in_a_question_is_one_line(cli, words, message):
    ran = cli("ask", *words)
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert message in ran.err


def test_enumerate_writes_the_sixteen_rows_of_the_paper(cli):
    lines = cli("enumerate", ASCM).out.splitlines()
    assert lines[0].split() == ["u_x", "u_y", "u_xy", "u_i", "|", "x", "y", "i", "P"]
    assert len(lines) == 17
    rows = json.loads(cli("enumerate", ASCM, "--json").out)
    first = {"u_x": 0, "u_y": 0, "u_xy": 0, "u_i": 0, "x": 0, "y": 0, "i": 0}
    assert rows[0] == {**first, "p": 0.06, "exact": "3/50"}


def test_enumerate_of_a_model_that_is_not_finite_is_one_line(cli):
    ran = cli("enumerate", GRAPHS / "morphomnist_scm.yaml")
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert "'thickness'" in ran.err


def test_identify_json_holds_verdict_estimand_and_latex(cli):
    shown = json.loads(cli("identify", NAPKIN, "P(y | do(x))", "--json").out)
    assert set(shown) == {"identifiable", "estimand", "latex"}
    assert shown["identifiable"] is True
    assert shown["estimand"].startswith("[sum_w1 P(x, y | w1, w2) P(w1)] / ")
    assert shown["latex"].startswith(r"\frac{\sum_{w_{1}}")


def test_identify_explains_and_names_the_hedge(cli):
    explained = cli("identify", NAPKIN, "P(y | do(x))", "--explain").out.splitlines()
    assert explained[2].startswith("  1. ")
    assert any(line.startswith("  Assumes: ") for line in explained)
    ran = cli("identify", BOW, "P(y | do(x))")
    assert ran.code == 0
    assert "hedge F = {x, y}, F' = {y}" in ran.out
    shown = json.loads(cli("identify", BOW, "P(y | do(x))", "--json", "--explain").out)
    assert (shown["identifiable"], shown["estimand"], shown["latex"]) == (False, None, None)
    assert "hedge" in shown["witness"][0]
    assert shown["derivation"]


def test_identify_takes_experiments_as_data(cli):
    asked = [Z_EXPERIMENT, "P(y | do(x))"]
    assert "not identifiable" in cli("identify", *asked).out
    ran = cli("identify", *asked, "--data", "P(v)", "--data", "P(v | do(z))")
    assert ran.out.startswith("P(y | do(x)) = P(y | do(z), x)")
    whole = cli("identify", *asked, "--data", "experimental")
    assert whole.out.startswith("P(y | do(x)) = ")
    wrong = cli("identify", *asked, "--data", "experimentl")
    assert wrong.code == 2
    assert "did you mean 'experimental'" in wrong.err


def test_identify_answers_questions_about_several_worlds(cli):
    ran = cli("identify", ASCM, "P(i[x=1] | i=5)")
    assert ran.code == 0
    assert "not identifiable" in ran.out


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
