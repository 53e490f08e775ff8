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
