"""A number says what it rests on: whether data tell it at all, and what its error leaves out."""

import json

import numpy as np
import pytest

import causalflow as cf

BOW = {
    "nodes": {"x": {"type": "class", "levels": 2}, "y": {"type": "class", "levels": 2}},
    "edges": ["x -> y", "x <-> y"],
}


def bow_rows(n=500):
    """x and y share a cause and nothing else: the effect of x on y is 0."""
    generator = np.random.default_rng(0)
    cause = generator.random(n) < 0.5
    return {name: ((generator.random(n) < 0.2) ^ cause).astype(int) for name in ("x", "y")}


@pytest.fixture(scope="module")
def bow():
    model = cf.compile(cf.Graph(**BOW))
    model.fit(bow_rows(), steps=5, progress=False)
    return model


@pytest.mark.parametrize("query", ["TE(x -> y)", "P(y | do(x=1))", "P(y[x=1]=1 | x=0, y=0)"])
def test_what_data_do_not_tell_is_said_by_warning_verdict_assumption_and_print(bow, query):
    with pytest.warns(cf.CausalflowWarning, match="not identifiable from P\\(v\\)") as said:
        answer = bow.ask(query, draws=2_000)
    assert len(said) == 1
    assert said[0].filename == __file__
    assert answer.verdict.identifiable is False
    assert any("not identifiable from P(v)" in each for each in answer.assumptions)
    assert "not identifiable from P(v)" in str(answer)


def test_an_effect_does_not_rest_on_how_worlds_share_their_noise_and_a_counterfactual_does(bow):
    with pytest.warns(cf.CausalflowWarning):
        effect = bow.ask("TE(x -> y)", draws=2_000)
    with pytest.warns(cf.CausalflowWarning):
        counterfactual = bow.ask("P(y[x=1]=1 | x=0, y=0)", draws=2_000)
    assert "noise" not in str(effect)
    assert "Gumbel-max noise, which no data can test" in str(counterfactual)


def test_what_data_tell_is_told_without_a_word(bow):
    answer = bow.ask("P(y | x=1)", draws=2_000)
    assert answer.verdict.identifiable is True
    assert "identifiable" not in str(answer)


def test_an_explicit_model_that_data_would_not_tell_answers_without_a_warning():
    graph = cf.loads("""
exogenous: {u: {p: [0.5, 0.5]}, v: {type: normal}}
nodes:
  x: {type: class, levels: 2, equation: u}
  y: {type: continuous, equation: u + x + v}
edges: [x -> y]
""")
    answer = cf.compile(graph).ask("E[y | do(x=1)]", draws=2_000)
    assert answer.verdict.identifiable is False
    assert "fitted" not in str(answer)
    assert "error of fit" not in str(answer)


def test_a_question_that_identification_does_not_decide_is_called_unknown():
    graph = cf.loads("""
exogenous: {u: {p: [0.5, 0.5]}}
nodes:
  x: {type: class, levels: 2, equation: u}
  y: {type: class, levels: 2}
edges: [x -> y]
""")
    model = cf.compile(graph)
    model.fit({"x": [0, 1] * 50, "y": [0, 1] * 50}, progress=False)
    with pytest.warns(cf.CausalflowWarning, match="is not known"):
        answer = model.ask("P(u=1 | y=1)", draws=2_000)
    assert any("is not known" in each for each in answer.assumptions)


def test_the_error_is_that_of_the_simulation_and_says_so(bow):
    text = str(bow.ask("P(y=1 | x=1)", draws=2_000))
    assert "simulation error at most" in text
    assert "error of fit not included" in text


def test_command_says_on_stderr_and_in_json_that_data_do_not_tell(bow, cli, tmp_path):
    bow.save(tmp_path / "bow.safetensors")
    words = ["ask", "bow.safetensors", "TE(x -> y)", "--draws", "2000"]
    ran, shown = cli(*words), cli(*words, "--json")
    assert ran.code == shown.code == 0
    assert "warning: ask: E[y[x=1] - y[x=0]]: not identifiable" in ran.err
    assert "simulation error at most" in ran.out
    told = json.loads(shown.out)
    assert told["identifiable"] is False
    assert any("not identifiable" in each for each in told["assumptions"])
    assert "error of fit not included" in told["error_is"]


DRUG = {
    "nodes": {
        "drug": {"type": "class", "levels": ["no", "yes"]},
        "recovery": {"type": "class", "levels": ["no", "yes"]},
    },
    "edges": ["drug -> recovery"],
}
SICK = {"drug": ["no"], "recovery": ["no"]}
# P(recovery | drug) is 2/5 without and 3/5 with it; two levels of Gumbel-max noise are monotone, so
# those who stay sick recover with probability (3/5 - 2/5) / (1 - 2/5) = 1/3.
THIRD = 1 / 3
# 5 standard errors of 10,000 draws; half a pseudo-count in 100 rows moves a share by .0005.
COUNTED = 5 * (THIRD * (1 - THIRD) / 10_000) ** 0.5 + 0.002


@pytest.fixture(scope="module")
def drug():
    recovered = {"no": ["yes"] * 40 + ["no"] * 60, "yes": ["yes"] * 60 + ["no"] * 40}
    rows = [(drug, recovery) for drug, column in recovered.items() for recovery in column]
    model = cf.compile(cf.Graph(**DRUG))
    model.fit({"drug": [d for d, _ in rows], "recovery": [r for _, r in rows]}, progress=False)
    return model


def test_a_class_that_the_evidence_leaves_open_has_its_probability_and_is_named(drug):
    world = drug.counterfactual(SICK, {"drug": "yes"})
    assert world.info.undetermined == ("recovery",)
    no, yes = world.probabilities["recovery"][0].tolist()
    assert f"one draw of several: recovery (no: {no:.2g}, yes: {yes:.2g})" in repr(world)
    assert world.probabilities["recovery"].shape == (1, 2)
    assert float(world.probabilities["recovery"][0, 1]) == pytest.approx(THIRD, abs=COUNTED)


def test_what_the_evidence_settles_is_not_called_a_draw(drug):
    settled = drug.counterfactual({"drug": ["no"], "recovery": ["yes"]}, {"drug": "yes"})
    assert settled.info.undetermined == ()
    assert "draw" not in repr(settled)
    assert drug.counterfactual(SICK, {}).info.undetermined == ()


def test_a_node_without_evidence_is_open(drug):
    world = drug.counterfactual({"drug": ["no"]}, {"drug": "yes"})
    assert world.info.free == ("recovery",)
    assert world.info.undetermined == ("recovery",)
    assert float(world.probabilities["recovery"][0, 1]) == pytest.approx(0.6, abs=0.03)


def test_command_prints_the_probability_and_marks_the_draw(drug, cli, tmp_path):
    drug.save(tmp_path / "drug.safetensors")
    words = ["counterfactual", "drug.safetensors", "--do", "drug=yes"]
    words += ["--given", "drug=no", "--given", "recovery=no"]
    ran = cli(*words)
    assert ran.code == 0
    (line,) = [line for line in ran.out.splitlines() if "do(drug=yes)  " in line]
    assert line.endswith("(draw)")
    assert "row 0: recovery: probability no: 0.6" in ran.out
    (told,) = json.loads(cli(*words, "--json").out)["undetermined"]
    assert (told["row"], told["node"]) == (0, "recovery")
    assert told["probabilities"]["yes"] == pytest.approx(THIRD, abs=COUNTED)
    several = cli(*words, "-n", "10")
    assert "shares of these draws" in several.out
    (told,) = json.loads(cli(*words, "-n", "10", "--json").out)["undetermined"]
    drawn = [
        row["recovery"]
        for row in json.loads(cli(*words, "-n", "10", "--json").out)["rows"]
        if row["world"] != "factual"
    ]
    assert told["shares"]["yes"] == drawn.count("yes") / 10


def test_an_explicit_model_tells_open_worlds_too():
    graph = cf.loads("""
exogenous: {u: {p: [0.28, 0.72]}, v: {p: [0.5, 0.5]}}
nodes:
  drug: {type: class, levels: 2, equation: v}
  recovery: {type: class, levels: 2, equation: "drug & (1 - u)"}
""")
    world = cf.compile(graph).counterfactual({"drug": [0], "recovery": [0]}, {"drug": 1})
    assert world.info.undetermined == ("recovery",)
    # 5 standard errors of 10,000 draws.
    assert float(world.probabilities["recovery"][0, 1]) == pytest.approx(0.28, abs=0.0225)
