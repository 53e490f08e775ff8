"""What a query says in its text and what comes as keyword evidence mean the same, in every engine.

Numbers are closed form: the tables are written down here.
"""

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
import torch

import causalflow as cf

NUMBERS = """
nodes:
  x: {type: class, levels: ['1', '2', '3'], table: [0.5, 0.3, 0.2]}
  y: {type: class, levels: [no, yes], table: {'1': [0.2, 0.8], '2': [0.7, 0.3], '3': [0.5, 0.5]}}
edges: [x -> y]
"""
SPACES = """
nodes:
  x: {type: class, levels: [no, 'very yes'], table: [0.4, 0.6]}
  y: {type: class, levels: [no, yes], table: {no: [0.7, 0.3], 'very yes': [0.2, 0.8]}}
edges: [x -> y]
"""
SEEN = [0.8, 0.3, 0.5]
"""P(y=yes | x) for x = 1, 2, 3."""
MIXED = """
exogenous: {u: normal}
nodes:
  x: {type: class, levels: ['1', '2', '3'], table: [0.5, 0.3, 0.2]}
  y: {type: class, levels: [no, yes], table: {'1': [0.2, 0.8], '2': [0.7, 0.3], '3': [0.5, 0.5]}}
  t: {type: continuous, equation: 10 * x + y + u}
edges: [x -> y]
"""
ERRORS = 5
"""Standard errors that a simulated number may miss the true one by."""


@pytest.fixture(scope="module")
def numbers():
    return cf.compile(cf.loads(NUMBERS))


@pytest.fixture(scope="module")
def mixed():
    return cf.compile(cf.loads(MIXED))


@pytest.mark.parametrize("level", [1, 2, 3])
@pytest.mark.parametrize(
    ("asked", "known"),
    [
        ("P(y=yes | x={level})", None),
        ("P(y=yes | x='{level}')", None),
        ("P(y=yes | x)", "x"),
        ("P(y=yes)", "x"),
        ("P(y=yes | x={level})", "x"),
        ("P(y=yes | do(x={level}))", None),
        ("P(y=yes | do(x))", "x"),
        ("P(y[x={level}]=yes)", None),
        ("P(y[x]=yes)", "x"),
    ],
)
def test_a_level_in_the_text_is_the_level_as_keyword(numbers, mixed, asked, known, level):
    question = asked.format(level=level)
    given = {known: level} if known else {}
    assert numbers.ask(question, **given).value == pytest.approx(SEEN[level - 1], abs=1e-12)
    part = mixed.ask(question, **given)
    assert (part.route, part.value) == ("exact", pytest.approx(SEEN[level - 1], abs=1e-12))
    simulated = mixed.ask(question, draws=100_000, **given)
    assert simulated.route == "simulated"
    assert abs(float(simulated.value) - SEEN[level - 1]) < ERRORS * simulated.error


def test_text_and_keyword_may_say_the_same_and_not_differ(numbers, mixed):
    for model in (numbers, mixed):
        for same in (1, "1", " 1.0 ", np.float32(1), torch.tensor(1)):
            assert float(model.ask("P(y=yes | x=1)", x=same).value) == pytest.approx(0.8, abs=0.01)
        for other in (2, "3", [1, 2]):
            with pytest.raises(cf.CausalflowError, match="'x' is '1' in the query and"):
                model.ask("P(y=yes | x=1)", x=other)
        with pytest.raises(cf.CausalflowError, match="'y' is both an outcome and a condition"):
            model.ask("P(y=yes)", y="yes")
        with pytest.raises(cf.CausalflowError, match="'x' is set by"):
            model.ask("P(y | do(x=1))", x=2)
        with pytest.raises(cf.CausalflowError, match="'z' is known, but no variable"):
            model.ask("P(y)", z=0)
    with pytest.raises(cf.CausalflowError, match="'t' is 12"):
        mixed.ask("E[y | t=12.0]", t=13.0)


def test_a_factual_condition_joins_a_counterfactual(numbers):
    graph = cf.loads(
        NUMBERS.replace("type: class, levels: [no", "noise: gumbel, type: class, levels: [no")
    )
    model = cf.compile(graph)
    written = model.ask("P(y[x=2]=yes | x=1, y=no)").value
    assert model.ask("P(y[x=2]=yes)", x=1, y="no").value == written
    assert model.ask("P(y[x=2]=yes | y)", {"x": "1", "y": 0}).value == written
    frame = pd.DataFrame({"x": [1, 1], "y": ["no", "yes"]})
    several = model.ask("P(y[x=2]=yes)", frame).table.to_numpy()
    assert several == pytest.approx(
        [float(written), float(model.ask("P(y[x=2]=yes | x=1, y=yes)").value)]
    )


def test_a_continuous_condition_is_the_same_in_text_and_as_keyword():
    text = "exogenous: {u: normal, w: normal}\nnodes:\n"
    text += "  a: {type: continuous, equation: u}\n  t: {type: continuous, equation: a + w}\n"
    model = cf.compile(cf.loads(text))
    for known in (3, 3.0, "3", np.float32(3)):
        answer = model.ask("E[t]", a=known)
        assert answer.value == model.ask("E[t | a=3.0]").value  # the same draws
        assert abs(float(answer.value) - 3) <= ERRORS * answer.error  # an exact answer has none


@pytest.mark.parametrize(
    ("query", "value"),
    [
        ("TE(x='very yes'/no -> y)", 0.5),
        ('TE(x="very yes"/no -> y)', 0.5),
        ("ETT(x='very yes'/no -> y)", 0.5),
        ("P(y=yes | x='very yes')", 0.8),
        ("P(y=yes | do(x='very yes'))", 0.8),
    ],
)
def test_levels_with_spaces_are_read_in_queries(query, value, cli, tmp_path):
    assert float(cf.compile(cf.loads(SPACES)).ask(query).value) == pytest.approx(value, abs=1e-9)
    (tmp_path / "g.yaml").write_text(SPACES)
    ran = cli("ask", "g.yaml", query)
    assert ran.code == 0
    assert float(Fraction(ran.out.split()[0])) == pytest.approx(value, abs=1e-9)


def test_integers_of_a_column_are_the_levels_they_name_in_fit_and_estimate():
    rows = pd.DataFrame({"x": [1] * 900 + [2] * 100})
    graph = cf.Graph(nodes={"x": {"type": "class", "levels": ["1", "2", "3"]}})
    model = cf.compile(graph)
    model.fit(rows, progress=False)
    fitted = model.ask("P(x)").table.to_dict()
    assert fitted["1"] == pytest.approx(0.9, abs=0.01)
    assert fitted["3"] < 0.01
    found = cf.identify(graph, "P(x)").estimate(rows, resamples=5)
    assert found.table.to_dict() == {"1": 0.9, "2": 0.1, "3": 0.0}


def test_equations_and_means_speak_of_the_levels_numbers():
    text = """
exogenous: {u: {p: [0.2, 0.5, 0.3]}, w: {p: [0.5, 0.5]}}
nodes:
  x: {type: class, levels: ['1', '2', '3'], equation: u + 1}
  z: {type: class, levels: ['10', '30', '20'], equation: 10 * x}
  y: {type: class, levels: ['2', '4', '6', '8'], equation: 2 * (x + w)}
"""
    model = cf.compile(cf.loads(text))
    assert float(model.ask("E[x]").value) == pytest.approx(0.2 + 2 * 0.5 + 3 * 0.3)
    assert float(model.ask("E[z]").value) == pytest.approx(10 * 2.1)
    assert float(model.ask("E[y | do(x=3)]").value) == pytest.approx(7)
    assert float(model.ask("P(z=30)").value) == pytest.approx(0.3)
    world = model.sample(200)
    assert torch.equal(world["z"], 10 * world["x"])
    assert set((world["y"] - 2 * world["x"]).tolist()) == {0, 2}
    other = model.counterfactual(world, do={"x": world["x"] % 3 + 1})
    assert torch.equal(other["y"] - 2 * other["x"], world["y"] - 2 * world["x"])


def test_a_variable_whose_numbers_are_levels_is_named_once_by_check(cli, tmp_path):
    (tmp_path / "g.yaml").write_text(NUMBERS)
    ran = cli("check", "g.yaml")
    assert ran.code == 0
    assert ran.out.count("note: 'x': the levels [1, 2, 3] are numbers") == 1
    (tmp_path / "plain.yaml").write_text(SPACES.replace("'very yes'", "high"))
    assert "note" not in cli("check", "plain.yaml").out


@pytest.mark.parametrize(
    ("levels", "given", "level"),
    [
        (["yes", "no"], "no", "no"),
        (["True", "False"], True, "True"),
        (["True", "False"], False, "False"),
        (["false", "true"], np.bool_(True), "true"),
        (["no", "yes"], True, "yes"),
        (["0", "1"], True, "1"),
        (["1", "0"], False, "0"),
        (["1", "01"], "01", "01"),
        (["1", "01"], 1, "1"),
        (["<5", "5", "6"], 5, "5"),
        (["<5", "5", "6"], "6.0", "6"),
        (["<5", "5", "6"], torch.tensor(2), "6"),
        (["0.5", "1.5"], 1.5, "1.5"),
        (["0.1", "0.2"], np.float32(0.1), "0.1"),
        (["None", "some"], "None", "None"),
        (["-1", "0", "1"], -1, "-1"),
        (["3", "2", "1", "0"], 0, "0"),
        ([str(2**53), str(2**53 + 1)], 2**53 + 1, str(2**53 + 1)),
        ([str(2**53), str(2**53 + 1)], np.int64(2**53 + 1), str(2**53 + 1)),
        ([str(2**62 - 1), str(2**62 - 2)], torch.tensor(2**62 - 2), str(2**62 - 2)),
    ],
)
def test_the_borders_of_the_rule(levels, given, level):
    graph = cf.Graph(nodes={"x": {"type": "class", "levels": levels}})
    shares = cf.Table.from_samples({"x": [given] * 2}, {"x": levels})
    assert shares.to_dict(zeros=False) == {level: 1.0}
    table = {"type": "class", "levels": levels, "table": [1 / len(levels)] * len(levels)}
    model = cf.compile(cf.Graph(nodes={"x": table}))
    world = model.sample(2, do={"x": given})
    assert cf.Table.from_samples(dict(world), {"x": levels}).to_dict(zeros=False) == {level: 1.0}
    assert list(graph.nodes["x"].levels) == levels


@pytest.mark.parametrize(
    ("levels", "given"),
    [
        (["<5", "5", "6"], 0),
        (["<5", "5", "6"], torch.tensor(5)),
        (["0.5", "1.5"], 1),
        (["1", "2", "3"], 0),
        (["1", "01"], 2),
        ([str(2**53), str(2**53 + 1)], float(2**53)),
        (["20000000", "20000001"], np.float32(20000001)),
        (["a", "b"], 2),
        (["a", "b"], 0.5),
        (["0", "1"], "yes"),
    ],
)
def test_what_is_no_level_is_refused_with_those_that_are(levels, given):
    node = {"type": "class", "levels": levels, "table": [1 / len(levels)] * len(levels)}
    model = cf.compile(cf.Graph(nodes={"x": node}))
    with pytest.raises(cf.CausalflowError, match="unknown level") as caught:
        model.sample(1, do={"x": given})
    assert repr(levels[0]) in str(caught.value)
    with pytest.raises(cf.CausalflowError, match="unknown level"):
        cf.Table.from_samples({"x": [given]}, {"x": levels})


def test_a_number_is_no_index_of_levels_that_only_occur():
    rows = pd.DataFrame({"x": ["placebo", "drug"] * 10, "y": [0, 1] * 10})
    graph = cf.Graph(edges=["x -> y"])
    named = cf.identify(graph, "TE(x=drug/placebo -> y)").estimate(rows, resamples=5)
    assert float(named.table.values) == 1
    for ask in (
        lambda: cf.identify(graph, "TE(x -> y)").estimate(rows),
        lambda: cf.identify(graph, "P(y=1 | do(x=1))").estimate(rows),
        lambda: cf.bounds(graph, "P(y=1 | do(x=1))", rows),
    ):
        with pytest.raises(cf.CausalflowError, match=r"'x=1' names no level of 'x', whose levels"):
            ask()
    declared = cf.Graph(
        nodes={
            "x": {"type": "class", "levels": ["placebo", "drug"]},
            "y": {"type": "class", "levels": 2},
        },
        edges=["x -> y"],
    )
    found = cf.identify(declared, "TE(x -> y)").estimate(rows, resamples=5)
    assert float(found.table.values) == 1


def test_integers_listed_as_levels_are_the_names_that_they_are():
    text = NUMBERS.replace("['1', '2', '3']", "[1, 2, 3]")
    assert cf.loads(text) == cf.loads(NUMBERS)
    node = {"type": "class", "levels": [np.int64(2), np.int64(4)], "table": [0.25, 0.75]}
    model = cf.compile(cf.Graph(nodes={"x": node}))
    assert float(model.ask("P(x=4)").value) == 0.75
    assert float(model.ask("E[x]").value) == 3.5
    first = {"type": "class", "levels": [np.int64(0), np.int64(1)]}
    assert cf.Graph(nodes={"x": first}) == cf.Graph(nodes={"x": {"type": "class", "levels": 2}})


ODD = [
    {},
    {"a": 1},
    {1, 2},
    pd.DataFrame({"x": [1]}),
    (each for each in range(2)),
    np.zeros((2, 2)),
    [],
    [[1], [2]],
    [[1, 2], [3]],
    10**400,
    "9" * 5000,
    np.void(b"1"),
    torch.tensor(1j),
    torch.tensor([[1, 2]]),
    torch.zeros(0),
    torch.tensor([9]).to_sparse(),
    Decimal("sNaN"),
    -np.inf,
    object(),
    np.datetime64("2020-01-01"),
    pd.Timestamp("2020-01-01"),
    pd.Interval(0, 1),
    slice(1),
    np.ma.masked,
    ...,
    [np.array([1, 2])],
]


@pytest.mark.parametrize("place", range(len(ODD)), ids=lambda place: type(ODD[place]).__name__)
@pytest.mark.parametrize("levels", [["1", "2", "3"], ["<5", "5", "1"], ["a", "b", "c"]])
def test_what_is_no_value_ends_in_one_line(levels, place):
    odd = ODD[place]
    node = {"type": "class", "levels": levels, "table": "uniform"}
    graph = cf.Graph(
        nodes={"x": node, "y": {**node, "table": dict.fromkeys(levels, "uniform")}},
        edges=["x -> y"],
    )
    model = cf.compile(graph)
    for ask in (
        lambda: model.ask("P(y | x)", x=odd),
        lambda: model.sample(3, do={"x": odd}),
        lambda: cf.Table.from_samples({"x": odd}, {"x": levels}),
        lambda: cf.Table(["x"], [0.2, 0.3, 0.5], {"x": levels}).at({"x": odd}),
    ):
        with pytest.raises(cf.CausalflowError) as caught:
            ask()
        assert len(str(caught.value)) < 500
        assert "\n" not in str(caught.value)


def test_a_continuous_child_reads_the_levels_numbers():
    text = """
exogenous: {u: normal, v: normal, k: {levels: 3}}
nodes:
  x: {type: class, levels: LEVELS, equation: FORM}
  t: {type: continuous, equation: 5 * x + exp(u)}
  s: {type: continuous, equation: x * v}
"""
    for levels, form in (("['1', '2', '3']", "k + 1"), ("[10, 30, 20]", "10 * (k + 1)")):
        model = cf.compile(cf.loads(text.replace("LEVELS", levels).replace("FORM", form)))
        world = model.sample(60)
        moved = world["x"].roll(1)
        other = model.counterfactual(world, do={"x": moved})
        step = 5 * (moved - world["x"])
        assert torch.allclose(other["t"] - world["t"], step.double(), rtol=0, atol=1e-9)
        assert torch.allclose(other["s"] / moved, world["s"] / world["x"], rtol=0, atol=1e-9)
    model = cf.compile(cf.loads(text.replace("LEVELS", "[1, 2, 3]").replace("FORM", "k + 1")))
    answer = model.ask("P(x)", t=30.5, s=1.0)
    # density of u at log(t - 5 x), over t - 5 x, times that of v at s / x, over x
    u, x = np.log(30.5 - 5 * np.arange(1, 4)), np.arange(1, 4)
    weights = np.exp(-(u**2) / 2 - u - 1 / (2 * x**2)) / x
    found = answer.table.to_numpy()
    assert np.abs(found - weights / weights.sum()).max() < ERRORS * answer.error
