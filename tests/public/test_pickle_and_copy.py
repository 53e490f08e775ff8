"""What users hold goes from process to process and is copied, and answers equally afterwards.

Pickling is Python's own protocol between a user's processes; files are safetensors.
"""

import copy
import functools
import multiprocessing
import pickle
import warnings

import numpy as np
import pytest
import torch

import causalflow as cf

FINITE = {
    "nodes": {
        "z": {"type": "class", "levels": ["low", "very high"], "table": ["1/3", "2/3"]},
        "x": {"type": "class", "levels": 2, "table": {"low": [0.2, 0.8], "very high": [0.6, 0.4]}},
        "y": {
            "type": "class",
            "levels": 2,
            "table": {
                "low": {0: [0.1, 0.9], 1: [0.5, 0.5]},
                "very high": {0: [0.3, 0.7], 1: [0.4, 0.6]},
            },
        },
    },
    "edges": ["z -> x", "z -> y", "x -> y"],
    "queries": [{"ask": "TE(x -> y)", "identifiable": True}],
}
LINEAR = """
graph: l
exogenous: {ux: {type: student_t, df: 5}, uy: {type: normal}, b: {p: [1/2, 1/2]}}
nodes:
  x: {type: continuous, equation: ux}
  y: {type: continuous, equation: 2*x + exp(uy)}
  c: {type: class, levels: 2, equation: b}
"""
NETWORK = {"width": 8, "multipliers": [1], "predictor_width": 4, "steps": 2}
PICTURES = {
    "nodes": {
        "c": {"type": "class", "levels": 3},
        "d": {"type": "class", "levels": 2, "noise": "monotone"},
        "flow": {"type": "continuous"},
        "line": {"type": "continuous", "noise": "linear", "support": [0, float("inf")]},
        "image": {"type": "image", "shape": [1, 8, 8], "diffusion": NETWORK},
        "noisy": {
            "type": "image",
            "shape": [1, 8, 8],
            "diffusion": {**NETWORK, "path": "cosine-1000", "prediction": "noise"},
        },
    },
    "edges": [
        "c -> flow -> line",
        "c <-> d",
        {"c -> image": "anticausal"},
        "flow -> image",
        "line -> noisy",
    ],
}


def fitted():
    """A model with a mechanism of each kind, after two steps."""
    random, rows = np.random.default_rng(0), 24
    data = {
        "c": random.integers(0, 3, rows),
        "d": random.integers(0, 2, rows),
        "flow": random.normal(size=rows),
        "line": random.random(rows) + 1,
        "image": random.random((rows, 1, 8, 8), dtype=np.float32),
        "noisy": random.random((rows, 1, 8, 8), dtype=np.float32),
    }
    model = cf.compile(cf.Graph(**PICTURES))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cf.CausalflowWarning)
        model.fit(data, steps=2, batch_size=8, progress=False)
    return model


@pytest.fixture(scope="module")
def models():
    graphs = {"finite": cf.Graph(**FINITE), "linear": cf.loads(LINEAR)}
    return {**{name: cf.compile(graph) for name, graph in graphs.items()}, "pictures": fitted()}


@pytest.fixture(scope="module")
def held(models):
    """Everything that a call gives, by name."""
    finite, linear, pictures = models.values()
    bow = cf.Graph(edges=["x -> y", "x <-> y"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cf.CausalflowWarning)
        worlds = {
            "world": finite.sample(3, do={"x": 1}),
            "world of draws": linear.sample(3, do={"x": lambda x: x + 1}),
            "world of pictures": pictures.sample(2, do={"flow": lambda value: value + 1}),
            "counterfactual": pictures.counterfactual(pictures.sample(2), do={"c": 1}),
        }
    table = cf.Table(["x", "y"], [[0.3, 0.2], [0.1, 0.4]])
    return {
        **worlds,
        "graph": finite.graph,
        "explicit graph": linear.graph,
        "graph of pictures": pictures.graph,
        "answer": finite.ask("P(y | do(x), z)"),
        "answer of rows": finite.ask("P(y | x)", x=[0, 1, 1]),
        "answer of a ratio": finite.ask("RR(x -> y)"),
        "simulated answer": linear.ask("E[y | do(x=1.5)]", draws=100),
        "verdict": cf.identify(finite.graph, "P(y | do(x))"),
        "no": cf.identify(bow, "P(y | do(x))"),
        "unknown": cf.identify(bow, "RR(x -> y)"),
        "counterfactual verdict": cf.identify(finite.graph, "ATT(x -> y)"),
        "verdict of a ratio": cf.identify(finite.graph, "RR(x -> y)"),
        "proof": cf.identify(finite.graph, "P(y | do(x))").proof,
        "bounds": cf.bounds(bow, "P(y=1 | do(x=1))", table),
        "table": cf.Table(["x", "y"], [[0.3, 0.2], [0.1, 0.4]], {"y": ["no", "very yes"]}),
        "query": cf.parse_query("P(y[x=1, m[x=0]]='very yes' | x=0, z)"),
        "combination": cf.parse_query("(P(y) - 1/2*P(y | do(x=1))) / P(z)"),
        "contrast": cf.Contrast(treatment="x", outcome="y"),
        "options": cf.Diffusion(steps=3),
        "abduction": linear.abduct({"x": [1.0], "y": [3.0], "c": [1]}),
    }


WAYS = {
    "pickle": lambda value: pickle.loads(pickle.dumps(value)),
    "old pickle": lambda value: pickle.loads(pickle.dumps(value, protocol=2)),
    "deepcopy": copy.deepcopy,
    "copy": copy.copy,
}


def same(one, other):
    """Whether two answers are the same: the text of what has one, tensors by value."""
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if hasattr(one, "items"):
        return list(one) == list(other) and all(same(value, other[n]) for n, value in one.items())
    return type(one) is type(other) and str(one) == str(other)


@pytest.mark.parametrize("way", WAYS)
def test_what_a_call_gives_is_the_same_afterwards(held, way):
    for name, value in held.items():
        found = WAYS[way](value)
        assert same(value, found), name
        if hasattr(value, "verdict"):
            assert str(found.verdict) == str(value.verdict), name


@pytest.mark.parametrize("way", WAYS)
def test_a_model_answers_equally_afterwards(models, way):
    finite, linear, pictures = (WAYS[way](model) for model in models.values())
    assert str(finite.ask("P(y | do(x), z)")) == str(models["finite"].ask("P(y | do(x), z)"))
    assert same(finite.sample(3), models["finite"].sample(3))
    query = "E[y[x=1] | x=0, y=2]"
    assert str(linear.ask(query, draws=100)) == str(models["linear"].ask(query, draws=100))
    assert pictures.fitted == models["pictures"].fitted
    evidence = models["pictures"].sample(2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cf.CausalflowWarning)
        found, expected = (
            model.counterfactual(evidence, do={"c": 1}) for model in (pictures, models["pictures"])
        )
        assert same(found, expected)
    assert found.info == expected.info


def test_graphs_and_tables_that_come_back_cannot_be_changed_and_are_equal(held):
    for name in ("graph", "explicit graph", "graph of pictures"):
        found = WAYS["pickle"](held[name])
        assert found == held[name]
        assert hash(found) == hash(held[name])
        with pytest.raises(TypeError):
            found.nodes["new"] = None
    table = WAYS["pickle"](held["table"])
    with pytest.raises(ValueError, match="read-only"):
        table.values[0, 0] = 1
    assert copy.deepcopy(held["table"]) is held["table"]
    assert copy.deepcopy(held["graph"]) is held["graph"]


def test_a_deep_copy_of_a_model_learns_for_itself(models):
    twin = copy.deepcopy(models["pictures"])
    before = models["pictures"].sample(2)
    random = np.random.default_rng(1)
    rows = {"c": random.integers(0, 3, 50), "d": random.integers(0, 2, 50)}
    rows |= {"flow": 50 + random.normal(size=50)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cf.CausalflowWarning)
        twin.fit(rows, nodes=["c", "d", "flow"], steps=2, progress=False)
    assert same(models["pictures"].sample(2), before)
    assert not torch.equal(twin.sample(2)["flow"], before["flow"])


def test_a_pool_of_spawned_processes_answers_equally(models, held):
    finite, linear, pictures = models.values()
    calls = [
        functools.partial(finite.ask, "P(y | do(x), z)"),
        functools.partial(linear.ask, "E[y[x=1] | x=0, y=2]", draws=100),
        functools.partial(pictures.sample, 2),
        functools.partial(cf.identify, finite.graph, "RR(x -> y)"),
        held["verdict"].text,
        functools.partial(
            cf.bounds, finite.graph, "P(y=1 | do(x=1))", finite.ask("P(z, x, y)").table
        ),
    ]
    expected = [call() for call in calls]
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        found = [pool.apply_async(call) for call in calls]
        for one, other in zip(expected, found, strict=True):
            assert same(one, other.get(timeout=300))


def test_a_spawned_worker_of_a_data_loader_answers_equally(models):
    model = models["linear"]
    rows = [{"x": [float(i)], "y": [2.0 * i + 1], "c": [0]} for i in range(3)]
    loader = torch.utils.data.DataLoader(
        rows,
        batch_size=None,
        num_workers=1,
        collate_fn=functools.partial(model.counterfactual, do={"x": 7.0}),
        multiprocessing_context="spawn",
    )
    for row, world in zip(rows, loader, strict=True):
        assert same(world, model.counterfactual(row, do={"x": 7.0}))
