"""Outside of what a model was fitted to, it says so once, by node, value and range."""

import json

import numpy as np
import pytest

import causalflow as cf

CHAIN = """
nodes:
  dose: {type: continuous, noise: linear}
  level: {type: continuous, noise: linear, support: [-500, 500]}
  harm: {type: continuous, noise: linear}
edges: [dose -> level, level -> harm]
"""
ROWS = 200


def chain_rows():
    generator = np.random.default_rng(0)
    dose = np.linspace(1, 8, ROWS)
    level = 10 * dose + generator.normal(size=ROWS)
    return {"dose": dose, "level": level, "harm": level + generator.normal(size=ROWS)}


@pytest.fixture(scope="module")
def chain():
    model = cf.compile(cf.loads(CHAIN))
    model.fit(chain_rows(), progress=False)
    return model


FACTUAL = {"dose": [2.0, 3.0, 4.0], "level": [20.0, 30.0, 40.0], "harm": [20.0, 30.0, 40.0]}


@pytest.mark.parametrize(
    "call",
    [
        lambda model, do: model.sample(5, do),
        lambda model, do: model.counterfactual(FACTUAL, do),
        lambda model, do: model.predict(model.abduct(FACTUAL), do),
    ],
    ids=["sample", "counterfactual", "predict"],
)
def test_a_value_that_is_set_outside_is_named_once_with_its_range(chain, call):
    with pytest.warns(cf.SupportWarning) as said:
        world = call(chain, {"dose": 9.5})
    assert len(said) == 1
    assert said[0].filename == __file__
    for part in ("dose=9.5", "1 to 8"):
        assert part in str(said[0].message)
        assert part in world.info.warnings[0]
    assert call(chain, {"dose": 7.5}).info.warnings == ()


def test_an_answer_says_it_by_warning_and_in_its_assumptions(chain):
    with pytest.warns(cf.SupportWarning, match=r"do\(dose=9.5\) is outside 1 to 8") as said:
        answer = chain.ask("E[harm | do(dose=9.5)]", draws=1_000)
    assert len(said) == 1
    assert "do(dose=9.5) is outside 1 to 8" in str(answer)
    assert "dose" not in " ".join(chain.ask("E[harm | do(dose=7)]", draws=1_000).assumptions)


def test_a_range_has_the_unit_that_the_node_declares():
    text = CHAIN.replace("dose: {type: continuous,", "dose: {type: continuous, unit: mg,")
    model = cf.compile(cf.loads(text))
    model.fit(chain_rows(), progress=False)
    with pytest.warns(cf.SupportWarning, match=r"do\(dose=9.5\) is outside 1 to 8 mg, the range"):
        model.sample(5, {"dose": 9.5})
    with pytest.warns(cf.SupportWarning, match="values, from 0.5 to 8.5, outside 1 to 8 mg, the"):
        model.counterfactual(FACTUAL, {"dose": [8.5, 3.0, 0.5]})


def test_a_column_is_told_by_how_many_values_and_the_extremes(chain):
    do = {"dose": [8.5, 3.0, 0.5]}
    with pytest.warns(cf.SupportWarning, match="2 of 3 values, from 0.5 to 8.5, outside 1 to 8"):
        chain.counterfactual(FACTUAL, do)


def test_a_shift_is_told_of_the_rows_that_it_moves_out(chain):
    with pytest.warns(cf.SupportWarning, match=r"do\(dose\): 1 of 3 values, 8.5, outside 1 to 8"):
        chain.counterfactual(FACTUAL, {"dose": lambda value: value + 4.5})


def test_evidence_that_a_mechanism_reads_is_told_too(chain):
    evidence = {"dose": [9.0], "level": [70.0], "harm": [70.0]}
    with pytest.warns(cf.SupportWarning, match="evidence dose=9 is outside 1 to 8"):
        chain.abduct(evidence)
    with pytest.warns(cf.SupportWarning, match="evidence dose=9 is outside 1 to 8"):
        chain.ask("E[harm | dose=9]", draws=1_000)
    with pytest.warns(cf.SupportWarning, match="evidence harm=1000 is outside"):
        chain.abduct({"dose": [2.0], "level": [20.0], "harm": [1000.0]})


def test_a_mediator_that_the_intervention_pushes_out_is_told(chain):
    with pytest.warns(cf.SupportWarning, match="level after the intervention: 5 of 5 values"):
        chain.sample(5, {"dose": 20.0})


def test_what_no_learned_mechanism_reads_is_not_told(chain):
    assert chain.counterfactual(FACTUAL, {"harm": 1e6}).info.warnings == ()
    assert chain.sample(5, {"dose": 1e3}, nodes=["dose"]).info.warnings == ()
    far = chain.ask("E[harm | do(dose=1e3, level=30)]", draws=1_000)
    assert not any("outside" in each for each in far.assumptions)


def test_an_equation_extrapolates_rightly_and_is_not_told():
    graph = cf.loads("""
nodes:
  dose: {type: continuous, noise: linear}
  level: {type: continuous, equation: 10 * dose}
edges: [dose -> level]
""")
    model = cf.compile(graph)
    model.fit({"dose": np.linspace(1, 8, 50)}, progress=False)
    world = model.sample(3, {"dose": 50.0})
    assert world["level"].tolist() == [500.0] * 3
    assert world.info.warnings == ()


def test_outside_the_declared_support_is_an_error_however_it_is_given(chain):
    for call in (
        lambda: chain.sample(1, {"level": 501.0}),
        lambda: chain.sample(1, {"level": lambda value: value + 1e4}),
        lambda: chain.counterfactual({**FACTUAL, "level": [1e3] * 3}, {"dose": 2.0}),
        lambda: chain.ask("E[harm | do(level)]", level=501),
        lambda: chain.ask("E[harm | level]", level=501),
    ):
        with pytest.raises(cf.EvidenceError, match=r"'level'.* outside its support"):
            call()


def test_outside_the_declared_support_a_query_shows_the_place(chain):
    for query in ("E[harm | do(level=501)]", "E[harm | level=501]"):
        with pytest.raises(cf.QueryError, match="'level': value 501 is outside its support"):
            chain.ask(query)


def test_a_stream_tells_once_what_all_its_batches_gave(chain, tmp_path):
    rows = {name: values * 10 for name, values in FACTUAL.items()}
    with pytest.warns(cf.SupportWarning) as said:
        report = chain.counterfactual(
            rows, {"dose": 9.0}, out=tmp_path / "o.safetensors", batch_size=7, progress=False
        )
    assert len(said) == 1
    assert report.warnings[0] == "do(dose=9) is outside 1 to 8, the range that was fitted to"


def test_ranges_are_kept_in_the_file_and_by_a_second_fit_of_another_node(chain, tmp_path):
    chain.save(tmp_path / "m.safetensors")
    loaded = cf.Model.load(tmp_path / "m.safetensors")
    assert loaded.experience == chain.experience
    wide = chain_rows()
    wide["dose"] = 2 * wide["dose"]
    loaded.fit(wide, nodes=["level"], progress=False)
    assert loaded.sample(5, {"dose": 12.0}, nodes=["level"]).info.warnings == ()
    with pytest.warns(cf.SupportWarning, match="level"):
        loaded.sample(5, {"level": 120.0})


def test_the_command_warns_on_stderr_and_in_json(chain, cli, tmp_path):
    chain.save(tmp_path / "m.safetensors")
    given = [word for n in FACTUAL for word in ("--given", f"{n}={FACTUAL[n][0]}")]
    for words in (
        ["counterfactual", "m.safetensors", *given, "--do", "dose=9"],
        ["sample", "m.safetensors", "--do", "dose=9"],
    ):
        ran = cli(*words, "--json")
        assert ran.code == 0
        assert [line.startswith("warning: ") for line in ran.err.splitlines()] == [True]
        assert "do(dose=9) is outside 1 to 8" in ran.err
        assert "do(dose=9) is outside 1 to 8" in json.loads(ran.out)["warnings"][0]
    ran = cli("ask", "m.safetensors", "E[harm | do(dose=9)]", "--draws", 1000, "--json")
    assert "do(dose=9) is outside 1 to 8" in ran.err
    assert any("do(dose=9)" in each for each in json.loads(ran.out)["assumptions"])


SHIPPED = {
    "morpho_mnist": ("thickness", 50.0, 3.0, "intensity"),
    "pendulum_parts": ("light", 190.0, 100.0, "shadow_length"),
}


@pytest.mark.parametrize("name", SHIPPED)
def test_a_model_that_ships_knows_the_ranges_of_its_rows(name):
    node, outside, inside, child = SHIPPED[name]
    model = cf.Model.load(cf.data.checkpoint_path(name))
    with pytest.warns(cf.SupportWarning, match=rf"do\({node}={outside:g}\) is outside"):
        model.sample(2, {node: outside}, nodes=[child])
    assert model.sample(2, {node: inside}, nodes=[child]).info.warnings == ()


def test_a_value_just_outside_is_written_with_the_digits_that_tell_it_from_the_range(chain):
    with pytest.warns(cf.SupportWarning, match=r"do\(dose=8.0000001\) is outside 1 to 8,"):
        chain.sample(5, {"dose": 8.0000001})


SITES = """
nodes:
  site: {type: class, levels: [north, south, east]}
  harm: {type: continuous, noise: linear}
edges: [site -> harm]
"""


@pytest.fixture(scope="module")
def sites(tmp_path_factory):
    """A model whose rows have no east, as it was fitted and as a file keeps it."""
    model = cf.compile(cf.loads(SITES))
    harm = np.r_[np.zeros(50), np.ones(50)] + np.random.default_rng(0).normal(size=100) / 9
    model.fit({"site": ["north"] * 50 + ["south"] * 50, "harm": harm}, progress=False)
    path = tmp_path_factory.mktemp("sites") / "model.safetensors"
    model.save(path)
    return model, cf.Model.load(path)


def test_a_level_that_no_row_had_is_named(sites):
    rows = {"site": ["north", "south"], "harm": [0.0, 1.0]}
    for model in sites:
        with pytest.warns(cf.SupportWarning, match=r"do\(site=east\): no row .* had that level"):
            world = model.counterfactual(rows, {"site": "east"})
        assert "site=east" in world.info.warnings[0]
        with pytest.warns(cf.SupportWarning, match=r"do\(site=east\)"):
            model.ask("E[harm | do(site=east)]", draws=1_000)
        assert model.counterfactual(rows, {"site": "south"}).info.warnings == ()


def test_a_level_that_no_row_had_counts_as_evidence_of_its_child(sites):
    rows = {"site": ["east", "south"], "harm": [0.0, 1.0]}
    with pytest.warns(cf.SupportWarning, match=r"evidence site=east \(1 of 2 values\)"):
        sites[0].counterfactual(rows, {"site": ["north", "south"]})
