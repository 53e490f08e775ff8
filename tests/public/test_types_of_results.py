"""What the public functions return has a public name, for annotations and for `isinstance`."""

import numpy as np
import pytest

import causalflow as cf

CHAIN = cf.Graph(edges=["x -> y -> z"])
FORK = cf.Graph(edges=["z -> x -> y", "z -> y"])
COINS = """
exogenous: {u: {p: [0.25, 0.75]}}
nodes:
  x: {type: class, levels: 2, equation: u}
  y: {type: class, levels: 2, equation: 1 - x}
"""


def rows():
    generator = np.random.default_rng(0)
    return {name: generator.integers(0, 2, 50) for name in ("x", "y", "z")}


def fitted(report):
    model = cf.compile(cf.loads("nodes: {x: {type: class, levels: 2}}"))
    done = model.fit({"x": [0, 1] * 10}, steps=1, progress=False, device="cpu")
    return done if report else model.abduct({"x": [0, 1]})


TABLE = cf.Table(axes=["x", "y", "z"], values=np.full((2, 2, 2), 1 / 8))
RESULTS = {
    "Answer": lambda: cf.compile(cf.loads(COINS)).ask("P(y | x=1)"),
    "Bounds": lambda: cf.bounds(FORK, "P(y | do(x))", TABLE),
    "Estimate": lambda: cf.identify(FORK, "P(y | do(x))").estimate(rows(), resamples=2),
    "FitReport": lambda: fitted(report=True),
    "Abduction": lambda: fitted(report=False),
    "Independence": lambda: next(cf.implied_independences(cf.Graph(edges=["x -> y -> z"]))),
    "IndependenceTests": lambda: cf.implied_independences(CHAIN).test(rows()),
    "IndependenceTest": lambda: cf.implied_independences(CHAIN).test(rows()).tests[0],
    "Instrument": lambda: next(cf.instruments(cf.Graph(edges=["z -> x -> y"]), "x", "y")),
    "Proof": lambda: cf.identify(FORK, "P(y | do(x))").proof,
    "Query": lambda: cf.parse_query("P(y | do(x))"),
    "Verdict": lambda: cf.identify(FORK, "P(y | do(x))"),
    "World": lambda: cf.compile(cf.loads(COINS)).sample(2),
}


@pytest.mark.parametrize("name", RESULTS)
def test_a_result_is_of_the_type_that_the_package_names(name):
    assert type(RESULTS[name]()) is getattr(cf, name)


def test_a_stream_reports(tmp_path):
    model = cf.compile(cf.loads(COINS))
    report = model.counterfactual({"x": [0, 1]}, do={"x": 1}, out=tmp_path / "worlds.csv")
    assert type(report) is cf.StreamReport
