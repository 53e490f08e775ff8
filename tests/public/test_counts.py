"""Counts from a graph file to an answer, and back: fitted to rows of laws that are known."""

import json
import math
import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch

import causalflow as cf

FILE = """
graph: visits
nodes:
  x: {type: class, levels: [no, yes]}
  n: {type: count, unit: visits}
  m: {type: count, noise: negative_binomial}
  y: {type: continuous, noise: linear}
edges: [x -> n, n -> m, n -> y]
queries:
  - {ask: "P(n | do(x=yes))", identifiable: true}
"""
ROWS = 3000
OFF, ON = 1.0, 4.0


def rows():
    """x, n ~ Poisson(1 or 4), m ~ NB(mean e^(.5 + .1 n), size 3), y = 2 n + noise."""
    draws = np.random.default_rng(0)
    x = draws.integers(0, 2, ROWS)
    n = draws.poisson(np.where(x, ON, OFF))
    mean = np.exp(0.5 + 0.1 * n)
    m = draws.negative_binomial(3, 3 / (3 + mean))
    y = 2 * n + draws.normal(size=ROWS)
    return {"x": np.array(["no", "yes"])[x], "n": n, "m": m, "y": y}


@pytest.fixture(scope="module")
def fitted():
    model = cf.compile(cf.loads(FILE))
    model.fit(rows(), steps=60, progress=False)
    return model


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_a_declaration_is_written_and_read():
    graph = cf.loads(FILE)
    assert cf.loads(graph.to_yaml()) == graph
    built = cf.Graph(
        nodes={
            "x": {"type": "class", "levels": ["no", "yes"]},
            "n": {"type": "count", "unit": "visits", "noise": "poisson"},
            "m": {"type": "count", "noise": "negative_binomial"},
            "y": {"type": "continuous", "noise": "linear"},
        },
        edges=["x -> n", "n -> m", "n -> y"],
        queries=[{"ask": "P(n | do(x=yes))", "identifiable": True}],
        name="visits",
    )
    assert built == graph
    assert "unit: visits" in graph.to_yaml()


@pytest.mark.parametrize(
    ("field", "says"),
    [
        ("noise: gauss", "unknown name 'gauss'; expected one of ['poisson', 'negative_binomial']"),
        (
            "levels: 3",
            "unknown field 'levels'; expected one of ['type', 'unit', 'noise', 'equation']",
        ),
        ("noise: poison", "did you mean 'poisson'?"),
    ],
)
def test_a_mistake_in_a_declaration_is_one_line(field, says):
    with pytest.raises(cf.GraphError) as raised:
        cf.loads(f"nodes:\n  n: {{type: count, {field}}}")
    assert says in str(raised.value)
    assert "\n" not in str(raised.value)


def test_what_is_sampled_has_the_means_and_variances_of_the_rows(fitted):
    given, drawn = rows(), fitted.sample(40_000, generator=seeded())
    for name in ("n", "m"):
        assert drawn[name].dtype == torch.int64
        assert int(drawn[name].min()) == 0
        values, truth = drawn[name].double(), given[name]
        error = math.sqrt(truth.var() * (1 / ROWS + 1 / 40_000))
        assert abs(float(values.mean()) - truth.mean()) < 5 * error
        assert float(values.var()) == pytest.approx(truth.var(), rel=0.15)


def test_nothing_done_gives_the_evidence_back(fitted):
    evidence = {name: column[:500] for name, column in rows().items()}
    world = fitted.counterfactual(evidence, do={}, generator=seeded())
    assert world["n"].tolist() == evidence["n"].tolist()
    assert world["m"].tolist() == evidence["m"].tolist()


def test_more_of_the_cause_is_never_fewer_counts(fitted):
    evidence = {name: column[:500] for name, column in rows().items()}
    world = fitted.counterfactual(evidence, do={"x": "yes"}, generator=seeded())
    assert (world["n"] >= torch.as_tensor(evidence["n"])).all()
    were_on = torch.as_tensor(evidence["x"] == "yes")
    assert (world["n"] == torch.as_tensor(evidence["n"]))[were_on].all()
    moved = torch.as_tensor(world["n"].numpy() - evidence["n"]).double()[~were_on]
    assert abs(float(moved.mean()) - (ON - OFF)) < 5 * math.sqrt((ON + OFF) / len(moved)) + 0.2


def test_gaps_in_the_evidence_are_drawn(fitted):
    evidence = {"x": ["no", "yes", "no", "yes"], "n": [None, float("nan"), -1, 4]}
    world = fitted.counterfactual(evidence, do={"x": "yes"}, generator=seeded())
    assert int(world["n"][3]) == 4
    assert (world["n"] >= 0).all()


def test_a_count_is_set_and_shifted_and_what_is_none_is_refused(fitted):
    evidence = {name: column[:3] for name, column in rows().items()}
    assert fitted.counterfactual(evidence, do={"n": 3})["n"].tolist() == [3, 3, 3]
    more = fitted.counterfactual(evidence, do={"n": lambda n: n + 1})["n"]
    assert more.tolist() == (evidence["n"] + 1).tolist()
    for wrong in (-2, 2.5, "many", 2**60):
        with pytest.raises(cf.EvidenceError) as raised:
            fitted.counterfactual(evidence, do={"n": wrong})
        assert "node 'n'" in str(raised.value)
        assert "\n" not in str(raised.value)


def test_a_count_outside_of_what_was_fitted_to_is_warned_of(fitted):
    evidence = {name: column[:3] for name, column in rows().items()}
    with pytest.warns(cf.SupportWarning, match=r"do\(n=1000\)"):
        fitted.counterfactual(evidence, do={"n": 1000})


def test_questions_about_counts_are_answered_by_draws(fitted):
    answer = fitted.ask("P(n=3 | do(x=yes))")
    truth = math.exp(-ON) * ON**3 / 6
    assert answer.route == "simulated"
    assert abs(answer.value - truth) < 0.03
    assert abs(fitted.ask("E[n | do(x=no)]").value - OFF) < 0.1
    assert abs(fitted.ask("E[y | do(n=3)]").value - 6) < 0.2
    whole = fitted.ask("P(n | do(x=yes))")
    assert abs(sum(whole.table.to_dict().values()) - 1) < 1e-9
    assert any(
        "'n' has no largest value: the table has those that were drawn" in note
        for note in whole.assumptions
    )
    given = fitted.ask("P(x=yes | n=5)")
    odds = math.exp(-(ON - OFF)) * (ON / OFF) ** 5
    assert abs(given.value - odds / (1 + odds)) < 0.05


def test_a_count_below_an_unknown_number_is_a_condition_that_draws_meet():
    graph = cf.loads(
        "nodes: {z: {type: continuous, noise: linear}, n: {type: count}}\nedges: [z -> n]"
    )
    draws = np.random.default_rng(3)
    z = draws.normal(size=ROWS)
    model = cf.compile(graph)
    model.fit({"z": z, "n": draws.poisson(np.exp(z))}, steps=20, progress=False)
    small, large = model.ask("E[z | n=0]"), model.ask("E[z | n=4]")
    assert small.route == "simulated"
    assert any("satisfy the conditions" in note for note in small.assumptions)
    assert small.value < 0 < large.value


def test_a_table_of_too_many_counts_is_refused_in_one_line():
    graph = cf.loads("nodes: {a: {type: count}, b: {type: count}}")
    model = cf.compile(graph)
    wide = np.random.default_rng(4).poisson(1e6, (2, 500))
    model.fit({"a": wide[0], "b": wide[1]}, steps=1, progress=False)
    assert abs(model.ask("E[a]").value / wide[0].mean() - 1) < 0.01
    with pytest.raises(cf.QueryError, match="the table would have") as raised:
        model.ask("P(a, b)")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("wrong", ["P(n=2.5)", "P(y | do(n=-3))", "P(m | n)"])
def test_a_question_about_what_is_no_count_is_refused_in_one_line(fitted, wrong):
    with pytest.raises(cf.QueryError) as raised:
        fitted.ask(wrong)
    assert "\n" not in str(raised.value).split(" (at letter")[0]


def test_a_model_of_counts_is_saved_and_loaded(fitted, tmp_path):
    fitted.save(tmp_path / "visits.safetensors")
    again = cf.Model.load(tmp_path / "visits.safetensors")
    evidence = {name: column[:50] for name, column in rows().items()}
    worlds = [
        model.counterfactual(evidence, do={"x": "yes"}, generator=seeded())
        for model in (fitted, again)
    ]
    assert worlds[0]["m"].tolist() == worlds[1]["m"].tolist()


def test_a_table_of_nodes_names_the_type_and_the_law(fitted):
    table = fitted.describe().set_index("node")
    assert table.loc["n", "type"] == "count, visits"
    assert table.loc["n", "mechanism"] == "poisson noise, log-linear mean with a network"
    assert table.loc["m", "mechanism"].startswith("negative binomial noise")


def test_a_count_has_an_equation_like_any_number():
    graph = cf.loads(
        "exogenous: {u: {levels: 3}, v: normal}\n"
        "nodes:\n  n: {type: count, equation: 2 + u}\n  y: {type: continuous, equation: 3 * n + v}"
    )
    model = cf.compile(graph)
    assert set(model.sample(200, generator=seeded())["n"].tolist()) == {2, 3, 4}
    world = model.counterfactual({"n": [2, 4], "y": [6.5, 11.0]}, do={"n": 3})
    assert world["y"].tolist() == pytest.approx([9.5, 8.0])


def test_counts_are_parents_of_images_and_images_of_counts():
    draws = np.random.default_rng(1)
    n, m = draws.poisson(3, 24), draws.poisson(2, 24)
    image = np.clip(0.1 * draws.random((24, 1, 8, 8)) + n[:, None, None, None] / 12, 0, 1)
    rows = {"n": n, "m": m, "i": image.astype("float32"), "k": draws.poisson(2, 24)}
    small = "diffusion: {width: 8, multipliers: [1], steps: 4}"
    model = cf.compile(
        cf.loads(
            "nodes:\n  n: {type: count}\n  m: {type: count}\n"
            f"  i: {{type: image, shape: [1, 8, 8], {small}}}\n  k: {{type: count}}\n"
            "edges: [n -> i, 'm -> i: anticausal', i -> k]"
        )
    )
    model.fit(rows, steps=3, batch_size=8, progress=False)
    evidence = {name: column[:4] for name, column in rows.items()}
    same = model.counterfactual(evidence, do={}, generator=seeded())
    assert same["k"].tolist() == evidence["k"].tolist()
    assert torch.allclose(same["i"], torch.as_tensor(evidence["i"]), atol=1e-6)
    read = model.counterfactual({"i": evidence["i"]}, do={"m": 1}, generator=seeded())
    assert read["n"].dtype == torch.int64
    assert (read["n"] >= 0).all()


def run(*arguments, folder):
    """The command line in a folder: exit code, standard output and error."""
    command = [sys.executable, "-m", "causalflow", *map(str, arguments)]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, env=dict(os.environ)
    )
    return done.returncode, done.stdout, done.stderr


def test_the_commands_take_counts(tmp_path):
    (tmp_path / "visits.yaml").write_text(FILE)
    frame = pd.DataFrame({name: column[:400] for name, column in rows().items()})
    frame["n"] = frame["n"].astype("Int64")
    frame.loc[3, "n"] = pd.NA
    frame.to_csv(tmp_path / "rows.csv", index=False)
    fit = ("fit", "visits.yaml", "--data", "rows.csv", "--output", "m.safetensors", "--steps", 5)
    assert run("check", "visits.yaml", folder=tmp_path)[0] == 0
    assert run(*fit, folder=tmp_path)[0] == 0
    code, out, _ = run("ask", "m.safetensors", "P(n=3 | do(x=yes))", "--json", folder=tmp_path)
    assert code == 0
    assert abs(json.loads(out)["table"][0]["p"] - math.exp(-ON) * ON**3 / 6) < 0.06
    known = ("--given", "x=no", "--given", "n=2", "--given", "m=1", "--given", "y=4")
    code, out, _ = run("counterfactual", "m.safetensors", *known, "--do", "n+=2", folder=tmp_path)
    assert code == 0
    assert "n [visits]" in out
    code, _, error = run(
        "counterfactual", "m.safetensors", *known, "--do", "n=2.5", folder=tmp_path
    )
    assert code == 2
    assert error.strip() == (
        "node 'n': value 2.5 is no count; expected a whole number 0, 1, 2, ... below 2^53"
    )
    code, _, error = run(
        "counterfactual", "m.safetensors", *known, "--do", "n=few", folder=tmp_path
    )
    assert (code, error.strip()) == (2, "--do n=few: 'few' is no number; node 'n' is a count")
    assert run("draw", "visits.yaml", "--output", "g.svg", folder=tmp_path)[0] == 0
    assert "visits" in (tmp_path / "g.svg").read_text()
