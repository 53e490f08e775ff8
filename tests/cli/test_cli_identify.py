"""``identify --proof``, names of quantities, ``draw --query`` and the warnings of ``check``."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

GRAPHS = Path(__file__).resolve().parents[2] / "graphs" / "literature"
EMPTY = """
exogenous: {u: {p: [1/2, 1/2]}}
nodes:
  z: {type: class, levels: 2, equation: u}
  x: {type: class, levels: 2, equation: z}
  y: {type: class, levels: 2, equation: x & z}
queries:
  - {ask: "P(y | do(x))", identifiable: true}
  - {ask: "P(y | x)", identifiable: true}
"""


def test_proof_in_json_has_lines_with_reasons_and_latex(cli):
    ran = cli("identify", GRAPHS / "back_door.yaml", "P(y | do(x))", "--proof", "--json")
    proof = json.loads(ran.out)["proof"]
    reasons = [line["reason"] for line in proof["lines"]]
    assert reasons == ["sum over z", "chain rule", "rule 3", "rule 2"]
    assert proof["lines"][-1]["formula"] == json.loads(ran.out)["estimand"]
    assert proof["latex"].startswith("\\begin{align*}")
    refused = cli("identify", GRAPHS / "bow.yaml", "P(y | do(x))", "--proof", "--json")
    assert json.loads(refused.out)["proof"] == {"missing": "not identifiable from P(v)"}


def test_draw_shows_the_hedge_of_a_query_and_says_the_verdict(cli, tmp_path):
    plain, shown = tmp_path / "plain.png", tmp_path / "shown.png"
    cli("draw", GRAPHS / "bow.yaml", "-o", plain)
    ran = cli("draw", GRAPHS / "bow.yaml", "-o", shown, "--query", "P(y | do(x))")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines()[0] == str(shown)
    assert "not identifiable" in ran.out
    red = np.array([0xF7, 0xB9, 0xAE], dtype=np.uint8)
    found = [
        (np.asarray(Image.open(p).convert("RGB")) == red).all(-1).any() for p in (plain, shown)
    ]
    assert found == [False, True]


@pytest.mark.parametrize("data", [[], ["--data", "P(v)", "--data", "P(v | do(x))"]])
def test_draw_of_an_answerable_query_has_no_hedge(cli, tmp_path, data):
    query = "P(y | do(x))" if data else "P(x | do(y))"
    ran = cli("draw", GRAPHS / "bow.yaml", "-o", tmp_path / "g.dot", "--query", query, *data)
    assert ran.code == 0
    assert f"{query} is identifiable from P(v)" in (tmp_path / "g.dot").read_text()


def test_check_warns_of_cells_that_the_model_leaves_empty(cli, tmp_path):
    file = tmp_path / "empty.yaml"
    file.write_text(EMPTY)
    ran = cli("check", file)
    assert (ran.code, ran.err) == (0, "")
    warnings = [line for line in ran.out.splitlines() if "warning" in line]
    assert warnings == ["    warning: positivity fails: P(x, z) is 0 at x=0, z=1; x=1, z=0"]
    (found,) = json.loads(cli("check", file, "--json").out)
    assert [len(each["warnings"]) for each in found["queries"]] == [1, 0]


def test_ask_notes_that_data_would_not_tell(cli, tmp_path):
    file = tmp_path / "empty.yaml"
    file.write_text(EMPTY)
    ran = cli("ask", file, "P(y=1 | do(x=1))")
    assert ran.code == 0
    assert "note: positivity fails: P(x=1, z) is 0 at z=0: the answer rests on the model" in ran.out
