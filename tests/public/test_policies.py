"""Policies: interventions beyond constants, in questions, draws, counterfactuals and commands."""

import json
import math
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest

import causalflow as cf

GRAPH = """
graph: dose
exogenous:
  a: {p: [0.5, 0.5]}
  b: {p: [0.4, 0.6]}
  c: {p: [0.2, 0.8]}
  d: {p: [0.3, 0.7]}
nodes:
  sick: {type: class, levels: 2, equation: a}
  drug: {type: class, levels: [no, yes], equation: sick ^ b & c}
  well: {type: class, levels: 2, equation: drug & d | c & (1 - sick)}
queries:
  - {ask: "P(well=1 | do(drug ~ {no: 0.3, yes: 0.7}))", answer: "347/500"}
  - {ask: "P(well | do(drug = 1 - sick))", identifiable: false}
"""
LINE = """
graph: line
exogenous: {e: normal, f: normal, g: normal}
nodes:
  z: {type: continuous, equation: e}
  x: {type: continuous, equation: z + f}
  y: {type: continuous, equation: 2 * x - z + g}
"""


def enumerated(rule, wanted):
    """P(wanted(world)) by all units; the rule gives {level of drug: probability}."""
    total = Fraction(0)
    laws = [Fraction(1, 2), Fraction(3, 5), Fraction(4, 5), Fraction(7, 10)]
    for a, b, c, d in np.ndindex(2, 2, 2, 2):
        weight = math.prod(p if u else 1 - p for u, p in zip((a, b, c, d), laws, strict=True))
        for drug, chance in rule(a, a ^ (b & c)).items():
            well = (drug & d) | (c & (1 - a))
            total += weight * Fraction(chance).limit_denominator(1000) * wanted(a, drug, well)
    return total


QUESTIONS = {
    "P(well=1 | do(drug ~ {no: 0.3, yes: 0.7}))": lambda sick, natural: {0: 0.3, 1: 0.7},
    "P(well=1 | do(drug ~ {p: [0.3, 0.7]}))": lambda sick, natural: {0: 0.3, 1: 0.7},
    "P(well=1 | do(drug ~ {yes: 1 - sick / 4, no: sick / 4}))": lambda sick, natural: {
        0: sick / 4,
        1: 1 - sick / 4,
    },
    "P(well=1 | do(drug = sick))": lambda sick, natural: {sick: 1},
    "P(well=1 | do(drug = 1 - sick))": lambda sick, natural: {1 - sick: 1},
    "P(well=1 | do(drug = where(sick > 0, 1, drug)))": lambda sick, natural: {
        1 if sick else natural: 1
    },
    "P(well[drug = 1 - drug]=1)": lambda sick, natural: {1 - natural: 1},
}


@pytest.mark.parametrize("text", QUESTIONS)
def test_a_policy_is_answered_exactly(text):
    model = cf.compile(cf.loads(GRAPH))
    answer = model.ask(text)
    assert answer.route == "exact"
    assert answer.value == enumerated(QUESTIONS[text], lambda sick, drug, well: well)
    drawn = model.ask(text, draws=40_000)
    assert drawn.route == "exact" or abs(float(answer.value) - drawn.value) < 5 * drawn.error


@pytest.mark.parametrize(
    "text", [*QUESTIONS, "P(well[drug = 1 - drug], drug)", "E[y[x ~ normal(z, 2)]]"]
)
def test_a_question_reads_its_own_text(text):
    graph = cf.loads(LINE if "normal" in text else GRAPH)
    known = cf.identify(graph, text).query
    assert cf.identify(graph, str(known)).query == known


def test_shifts_plans_and_laws_of_numbers_move_means_as_lines_say():
    model = cf.compile(cf.loads(LINE))
    expected = {
        "E[y | do(x += 1)]": 2,
        "E[y | do(x *= 3)]": 0,
        "E[y | do(x = 2 * z + 1)]": 2,
        "E[y | do(x ~ normal(3, 1))]": 6,
        "E[y | do(x ~ uniform(z, z + 2))]": 2,
        "E[y | do(x ~ {1: 0.5, 2: 0.5})]": 3,
        "E[y[x += 1] - y | x=2, z=1]": 2,
        "E[y | do(x = z, z ~ exponential(2))]": 0.5,
    }
    for text, mean in expected.items():
        answer = model.ask(text, draws=20_000)
        assert abs(answer.value - mean) <= 5 * answer.error + 1e-9, text


def test_counterfactuals_under_policies_keep_the_noise_of_each_row():
    model = cf.compile(cf.loads(LINE))
    rows = {"z": [0.5, -1.0], "x": [1.0, 0.0], "y": [2.0, 0.5]}
    noise = np.array(rows["y"]) - 2 * np.array(rows["x"]) + np.array(rows["z"])
    acts = {
        "+= 1": np.array(rows["x"]) + 1,
        "= 2 * z": 2 * np.array(rows["z"]),
        "= x": np.array(rows["x"]),
    }
    for text, x in acts.items():
        world = model.counterfactual(rows, do={"x": text})
        assert np.allclose(world["x"], x)
        assert np.allclose(world["y"], 2 * x - np.array(rows["z"]) + noise)
    drawn = model.counterfactual(rows, do={"x": "~ normal(z, 0.1)"}, n=500)
    again = model.counterfactual(rows, do={"x": "~ normal(z, 0.1)"}, n=500)
    assert bool((drawn["x"] == again["x"]).all())
    assert np.allclose(drawn["y"] - 2 * drawn["x"] + drawn["z"], np.tile(noise, 500))
    assert abs(float((drawn["x"] - drawn["z"]).mean())) < 5 * 0.1 / 1000**0.5


def test_a_fitted_model_answers_for_policies_in_the_worlds_that_they_make():
    truth = cf.compile(cf.loads(GRAPH))
    rows = {n: v.tolist() for n, v in truth.sample(4_000, generator=1).items()}
    nodes = {name: {"type": "class", "levels": 2} for name in rows}
    graph = cf.Graph(nodes=nodes, edges=["sick -> drug", "sick -> well", "drug -> well"])
    model = cf.compile(graph)
    model.fit(rows, progress=False)
    answer = model.ask("P(well=1 | do(drug = 1 - sick))")
    table = cf.Table(["sick", "drug", "well"], _shares(rows))
    told = cf.identify(graph, "P(well=1 | do(drug = 1 - sick))")
    assert answer.route == "exact"
    assert abs(float(answer.value) - told.evaluate(table).values.item()) < 1e-6
    counted = told.estimate(rows, resamples=50)
    assert abs(counted.value - float(answer.value)) < 1e-6
    world = model.sample(2_000, do={"drug": "= 1 - sick"})
    assert bool((world["drug"] == 1 - world["sick"]).all())
    assert world.verdict.identifiable


def _shares(rows):
    found = np.zeros((2, 2, 2))
    np.add.at(found, tuple(np.array(rows[n]) for n in ("sick", "drug", "well")), 1)
    return found / found.sum()


def test_two_worlds_under_one_policy_share_its_draw():
    model = cf.compile(cf.loads(GRAPH))
    law, other = "drug ~ {no: 0.5, yes: 0.5}", "drug ~ {no: 0.25, yes: 0.75}"
    shared = model.ask(f"P(well[{law}]=0, well[{law}, sick=1]=1)")
    apart = model.ask(f"P(well[{law}]=0, well[{other}, sick=1]=1)")
    assert shared.value == 0  # who is well though sick, under a draw, is well under it if not
    assert apart.value > 0


def test_what_a_policy_cannot_be_is_said_in_one_line():
    graph, line = cf.loads(GRAPH), cf.loads(LINE)
    refused = {
        "P(well | do(drug = well))": "comes after 'drug'",
        "P(well | do(drug = sick, sick = drug))": "comes after",
        "P(well | do(drug = a))": "exogenous",
        "P(well | do(drug = sick + 1))": "no level of 'drug'",
        "P(well | do(drug ~ {no: 0.3, yes: 0.3}))": "sum to 1",
        "P(well | do(drug ~ {no: 1, maybe: 0}))": "unknown level 'maybe'",
        "P(well | do(drug ~ normal(0, 1)))": "has levels",
        "P(well | do(drug ~ pi(sick)))": "names 'pi' and does not say what it is",
        "P(well | do(drug = other + 1))": "unknown node 'other'",
        "P(well | do(drug = (1 + )))": "expected",
    }
    for text, said in refused.items():
        with pytest.raises(cf.CausalflowError, match=said.replace("(", r"\(")) as error:
            cf.compile(graph).ask(text)
        assert "\n" not in str(error.value)
    for text, said in {
        "E[y | do(x ~ normal(0, -1))]": "std",
        "E[y | do(x ~ normal(0, z))]": "out of range",
        "E[y | do(x ~ {low: 1})]": "name the numbers",
    }.items():
        with pytest.raises(cf.CausalflowError, match=said):
            cf.compile(line).ask(text, draws=1_000)
    data = cf.compile(graph).joint()
    with pytest.raises(cf.CausalflowError, match="no bounds"):
        cf.bounds(graph, "P(well | do(drug = sick))", data)


def test_an_estimand_shows_its_policy_in_place():
    graph = cf.Graph(edges=["z -> x -> y", "z -> y"])
    shown = {
        "P(y | do(x ~ {0: 0.3, 1: 0.7}))": "sum_{x, z} P(y | x, z) [x ~ {0: 0.3, 1: 0.7}] P(z)",
        "P(y | do(x = 1 - z))": "sum_{x, z} P(y | x, z) [x = 1 - z] P(z)",
        "P(y | do(x += 1))": "sum_{x, x', z} P(y | x', z) [x' = x + 1] P(x, z)",
        "P(y | do(x ~ pi(z)))": "sum_{x, z} P(y | x, z) pi(x | z) P(z)",
        "P(y | do(x = g(z)))": "sum_{x, z} P(y | x, z) [x = g(z)] P(z)",
    }
    for text, formula in shown.items():
        assert str(cf.identify(graph, text)).partition(" = sum")[2] == formula[3:]
    bow = cf.Graph(edges=["z -> x -> y", "x <-> y"])
    assert cf.identify(bow, "P(y | do(x ~ pi(z)))").identifiable is False


def run(*arguments):
    command = [sys.executable, "-m", "causalflow", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_command_line_takes_policies(tmp_path):
    file = tmp_path / "dose.yaml"
    file.write_text(GRAPH)
    checked = run("check", file)
    assert checked.returncode == 0, checked.stdout
    asked = run("ask", file, "P(well=1 | do(drug ~ {no: 0.3, yes: 0.7}))", "--json")
    assert json.loads(asked.stdout)["table"][0]["exact"] == "347/500"
    drawn = run("sample", file, "-n", 6, "--do", "drug=1 - sick")
    assert drawn.returncode == 0, drawn.stderr
    late = run("sample", file, "-n", 6, "--do", "drug ~ {no: well, yes: 1 - well}")
    assert late.returncode == 2
    assert "comes after" in late.stderr
