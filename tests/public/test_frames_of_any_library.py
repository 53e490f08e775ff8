"""Rows come in as a data frame of any library, and go out as one of the same."""

import numpy as np
import pandas as pd
import pytest

import causalflow as cf

COLORS = ["red", "green", None, "red"] * 30
SIZES = [1.5, None, -2.0, 3.0] * 30
GRAPH = cf.Graph(
    nodes={
        "color": {"type": "class", "levels": ["green", "red"]},
        "size": {"type": "continuous", "noise": "additive"},
    },
    edges=["color -> size"],
)
COINS = cf.loads("""
exogenous: {u: {p: [0.25, 0.75]}, v: {p: [0.5, 0.5]}}
nodes:
  x: {type: class, levels: [no, yes], equation: u}
  y: {type: class, levels: [no, yes], equation: x ^ v}
""")
FORK = cf.Graph(edges=["z -> x -> y", "z -> y"])


def polars(columns):
    return pytest.importorskip("polars", reason="polars is not installed").DataFrame(columns)


def lazy(columns):
    return polars(columns).lazy()


def arrow(columns):
    return pytest.importorskip("pyarrow", reason="pyarrow is not installed").table(columns)


def dictionary(columns):
    """Texts as pyarrow's dictionaries, which are its categories."""
    table = arrow(columns)
    kinds = {name: str(table.schema.field(name).type) for name in table.column_names}
    encoded = {
        n: table[n].dictionary_encode() if k == "string" else table[n] for n, k in kinds.items()
    }
    return arrow(encoded)


MAKERS = {
    "pandas": pd.DataFrame,
    "polars": polars,
    "lazy": lazy,
    "arrow": arrow,
    "dictionary": dictionary,
}


@pytest.fixture(params=MAKERS)
def frame(request):
    return MAKERS[request.param]


@pytest.mark.filterwarnings("ignore:fit. what the mechanism draws")  # after two steps
def test_a_fit_reads_the_same_rows(frame):
    columns = {"color": COLORS, "size": SIZES}
    models = []
    for given in (columns, frame(columns)):
        model = cf.compile(GRAPH)
        model.fit(given, steps=2, batch_size=8, progress=False, device="cpu", seed=0)
        models.append(model)
    of_columns, of_frame = (m.sample(50, generator=1) for m in models)
    assert of_columns["size"].tolist() == of_frame["size"].tolist()
    assert of_columns["color"].tolist() == of_frame["color"].tolist()


def test_an_estimate_and_bounds_count_the_same_rows(frame):
    random = np.random.default_rng(0)
    rows = {name: random.integers(0, 2, 200).tolist() for name in "xyz"}
    verdict = cf.identify(FORK, "P(y | do(x))")
    expected = verdict.estimate(rows, resamples=2)
    assert str(verdict.estimate(frame(rows), resamples=2)) == str(expected)
    hidden = cf.Graph(edges=["x -> y", "x <-> y"])
    ends = [cf.bounds(hidden, "P(y=1 | do(x=1))", each) for each in (rows, frame(rows))]
    assert str(ends[0]) == str(ends[1])


def test_an_effect_of_numbers_is_estimated_from_the_same_rows(frame):
    random = np.random.default_rng(0)
    z = random.normal(size=300)
    x = (random.random(300) < 1 / (1 + np.exp(-z))).astype(int)
    rows = {"z": z.tolist(), "x": x.tolist(), "y": (z + x + random.normal(size=300)).tolist()}
    verdict = cf.identify(FORK, "E[y | do(x=1)]")
    found = [verdict.estimate(each, learners="linear", folds=2) for each in (rows, frame(rows))]
    assert str(found[0]) == str(found[1])


def test_evidence_is_read_alike_and_a_question_asked_by_the_row(frame):
    rows = {"y": ["yes", "no", "yes"]}
    model = cf.compile(COINS)
    expected = model.ask("P(x=yes | y)", rows)
    assert model.ask("P(x=yes | y)", frame(rows)).table.to_dict() == expected.table.to_dict()


def test_independences_are_tested_on_the_same_rows(frame):
    random = np.random.default_rng(0)
    rows = {"x": random.normal(size=50).tolist(), "y": random.normal(size=50).tolist()}
    rows["z"] = ["a", "b", None, "c", "a"] * 10
    statements = "x -> z", "y -> z"
    found = [
        str(cf.implied_independences(cf.Graph(edges=statements)).test(each))
        for each in (rows, frame(rows))
    ]
    assert found[0] == found[1]


def test_worlds_come_out_as_a_frame_of_the_library_that_went_in(frame):
    rows = frame({"x": ["yes", "no"], "y": ["no", "no"]})
    world = cf.compile(COINS).counterfactual(rows, do={"x": "yes"})
    found = world.to_dataframe()
    eager = rows.collect() if hasattr(rows, "collect") else rows
    assert type(found) is type(eager)
    columns = {name: list(found[name].to_numpy()) for name in ("x", "y")}
    assert columns == {"x": ["yes", "yes"], "y": ["no", "yes"]}


def test_worlds_without_a_frame_are_one_of_pandas():
    world = cf.compile(COINS).counterfactual({"x": ["yes"], "y": ["no"]}, do={"x": "no"})
    assert world.to_dataframe().to_dict("list") == {"x": ["no"], "y": ["yes"]}


def test_a_stream_of_counterfactuals_cuts_a_frame_into_batches(frame, tmp_path):
    rows = {"x": ["yes", "no", "no"], "y": ["no", "no", "yes"]}
    texts = []
    for place, given in enumerate((rows, frame(rows))):
        out = tmp_path / str(place)
        cf.compile(COINS).counterfactual(
            given, do={"x": "yes"}, out=out, batch_size=2, progress=False
        )
        texts.append((out / "labels.csv").read_text())
    assert texts[0] == texts[1]


def test_large_integers_beside_a_gap_stay_exact(frame):
    levels = [2**60, 2**60 + 1]
    graph = cf.Graph(nodes={"x": {"type": "class", "levels": levels}})
    rows = frame({"x": [*levels, None] * 10})
    if isinstance(rows, pd.DataFrame):
        rows = rows.astype({"x": "Int64"})  # NaN would have made floats of them
        rows["x"] = pd.array([*levels, None] * 10, dtype="Int64")
    found = cf.Table.from_samples(frame({"x": levels * 10}), {"x": levels})
    assert list(found.to_dict().values()) == [0.5, 0.5]
    model = cf.compile(graph)
    model.fit(rows, progress=False, device="cpu", steps=1)
    assert set(model.sample(20, generator=0)["x"].tolist()) <= set(levels)
