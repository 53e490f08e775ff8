"""The public face of a model: data it takes, mistakes it names in one line, files it keeps."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import torch

import causalflow as cf
from causalflow.checkpoint import Metadata, load_state, save_state
from causalflow.errors import (
    CausalflowError,
    CheckpointError,
    CompileError,
    DataError,
    EvidenceError,
)
from causalflow.model.model import Model

NODES = {
    "dose": {"type": "class", "levels": ["low", "high"]},
    "mood": {"type": "class", "levels": ["sad", "glad"]},
    "score": {"type": "continuous", "noise": "linear", "support": [0, 100]},
}
EDGES = ["dose -> mood", "dose, mood -> score", "dose <-> mood"]


def columns(n=200):
    rng = np.random.default_rng(0)
    dose = rng.integers(2, size=n)
    mood = (rng.random(n) < 0.3 + 0.4 * dose).astype(int)
    return {"dose": dose, "mood": mood, "score": 20 + 30 * mood + 40 * rng.random(n)}


@pytest.fixture(scope="module")
def model():
    fitted = cf.compile(cf.Graph(nodes=NODES, edges=EDGES, name="clinic"))
    fitted.fit(columns(), progress=False)
    return fitted


def one_line(error):
    message = str(error.value)
    assert message
    assert "\n" not in message
    return message


# Data


def test_unlabelled_rows_do_not_count(model):
    table = columns()
    holes = {name: [*column, None] for name, column in table.items()}
    other = cf.compile(model.graph)
    other.fit(holes, progress=False)
    for name, tensor in model.scm.state_dict().items():
        torch.testing.assert_close(tensor, other.scm.state_dict()[name])


def test_part_of_a_model_is_fitted_from_its_own_columns_and_the_rest_stays():
    part = cf.compile(cf.Graph(nodes=NODES, edges=EDGES))
    table = columns()
    part.fit({"dose": table["dose"], "mood": table["mood"]}, nodes=["mood"], progress=False)
    assert part.fitted == {"dose", "mood"}  # one district: the hidden cause is fitted with both
    with pytest.raises(EvidenceError, match=r"the mechanisms of \['score'\] are untrained"):
        part.sample(3)
    assert set(part.sample(3, nodes="mood")) == {"mood"}
    before = part.scm.module("mood").table.clone()
    part.fit(table, nodes=["score"], progress=False)
    assert part.scm.module("mood").table.equal(before)
    assert len(part.sample(3)) == 3


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        ({"mood": None}, DataError, "node 'mood': no such column"),
        ({"dose": ["hgh"] * 200}, DataError, "did you mean 'high'"),
        ({"score": np.full(200, 100.5)}, DataError, "node 'score', row 0: value 100.5 is outside"),
        ({"score": np.full(200, 100.0)}, DataError, "every value is an end of its support"),
        ({"mood": [0] * 199}, DataError, "unequal lengths"),
    ],
)
def test_data_that_do_not_fit_the_graph_are_named(model, change, error, says):
    table = {k: v for k, v in (columns() | change).items() if v is not None}
    with pytest.raises(error, match=says) as caught:
        cf.compile(model.graph).fit(table, progress=False)
    one_line(caught)


@pytest.mark.parametrize("options", [{"seed": "a"}, {"seed": -1}, {"confounder_states": 0}])
def test_compile_options_out_of_range_are_refused(model, options):
    with pytest.raises(CompileError, match="expected a whole number") as caught:
        cf.compile(model.graph, **options)
    one_line(caught)


@pytest.mark.parametrize(
    ("nodes", "edges", "says"),
    [
        (None, ["x -> y"], "have no type"),
        (
            {"x": {"type": "continuous"}, "y": NODES["dose"]},
            ["x <-> y: latent"],
            "class nodes alone can have",
        ),
        (
            {"i": {"type": "image", "shape": [1, 4, 4], "levels": 2}},
            [],
            "node 'i': an image with levels needs an equation",
        ),
        (
            {n: {"type": "class", "levels": 20} for n in "abcd"},
            ["a <-> b", "b <-> c", "c <-> d"],
            "at most 4096 can be enumerated",
        ),
    ],
)
def test_what_cannot_be_compiled_is_said_when_it_is_compiled(nodes, edges, says):
    with pytest.raises(CompileError, match=says) as caught:
        cf.compile(cf.Graph(nodes=nodes, edges=edges))
    one_line(caught)


# Evidence and interventions

FACTS = {"dose": ["low", "high"], "mood": [0, 1], "score": [30.0, 40.0]}


@pytest.mark.parametrize(
    ("evidence", "says"),
    [
        ({}, "the evidence is empty"),
        ({"doze": 1}, "unknown node 'doze' in the evidence.*did you mean 'dose'"),
        ({"dose": "lo"}, "node 'dose': unknown level 'lo'.*did you mean 'low'"),
        ({"dose": ["low", "hi"]}, "node 'dose', row 1: unknown level 'hi'"),
        ({"dose": 2}, "node 'dose': unknown level 2"),
        ({"dose": [0, 1], "mood": [0, 1, 1]}, "node 'dose': 2 rows; expected 3"),
        ({"dose": []}, "the evidence has no rows"),
        ({"dose": torch.zeros(2, 2)}, "expected one value a row"),
        ({"score": 200}, "node 'score': value 200 is outside its support"),
        ({"score": ["a"]}, "node 'score', row 0: not a number: 'a'"),
        ({"dose": [0, None], "mood": [1, None]}, "row 1 of the evidence is unlabelled throughout"),
        (torch.zeros(1, 3, 4, 4), "needs a graph with one image node, this one has 0"),
    ],
)
def test_evidence_that_does_not_fit_is_refused_in_one_line(model, evidence, says):
    with pytest.raises(EvidenceError, match=says) as caught:
        model.counterfactual(evidence, {"dose": "high"})
    one_line(caught)


@pytest.mark.parametrize(
    ("do", "says"),
    [
        ({"doze": 1}, "unknown node 'doze' in the intervention.*did you mean 'dose'"),
        ({"dose": "medium"}, "unknown level 'medium'"),
        ({"dose": [0, 1, 0]}, r"do\(dose\): 3 rows; expected 2"),
        ({"dose": None}, r"do\(dose\): no value in row 0"),
        ({"score": [50.0, float("nan")]}, r"do\(score\): no value in row 1"),
        ({"score": -1}, "outside its support"),
        ({"dose": lambda v: 1 - v}, "a function fits continuous nodes only"),
        ({"score": lambda v: v + 100}, "outside its support"),
        ({"score": lambda v: torch.zeros(3) + 50}, r"do\(score\): 3 rows; expected 2"),
        ({"score": lambda _: "much"}, "not a number: 'much'"),
    ],
)
def test_an_intervention_that_does_not_fit_is_refused_in_one_line(model, do, says):
    with pytest.raises(EvidenceError, match=says) as caught:
        model.counterfactual(FACTS, do)
    one_line(caught)
    if "rows" not in says and "row 1" not in says:
        with pytest.raises(EvidenceError, match=says):
            model.sample(2, do)


def test_a_data_frame_is_evidence_as_a_mapping_is(model):
    table = pd.DataFrame(columns(5))
    by_frame = model.counterfactual(table, {"mood": "glad"})
    by_mapping = model.counterfactual(columns(5), {"mood": 1})
    assert all(by_frame[name].equal(by_mapping[name]) for name in by_mapping)
    assert all(model.reconstruct(by_frame)[name].equal(by_frame[name]) for name in ("dose", "mood"))


@pytest.mark.parametrize("n", [0, -1, 2.5, True, "3"])
def test_the_number_of_draws_is_a_whole_number(model, n):
    for ask in (lambda: model.sample(n), lambda: model.counterfactual(FACTS, {}, n=n)):
        with pytest.raises(EvidenceError, match=f"n={n!r}; expected a whole number, at least 1"):
            ask()
    with pytest.raises(EvidenceError, match="steps="):
        model.sample(1, steps=n)


@pytest.mark.parametrize(
    ("ask", "says"),
    [
        (lambda m: m.sample(1, generator="a"), "generator='a'; expected a torch.Generator or"),
        (lambda m: m.sample(1, generator=-1), "generator=-1; expected"),
        (lambda m: m.sample(1, generator=2**63), "expected a torch.Generator or a seed"),
        (
            lambda m: m.sample(1, guidance="strong"),
            r"guidance='strong'; expected a number or one of \['none', 'free', 'grouped', 'del",
        ),
        (lambda m: m.sample(1, guidance="dleta"), "did you mean 'delta'"),
        (lambda m: m.sample(1, guidance=["delta"]), r"guidance=\[.delta.\]; expected a number"),
        (lambda m: m.sample(1, guidance=float("nan")), "guidance=nan; expected a number or one of"),
        (lambda m: m.sample(1, nodes=[]), r"sample: no nodes; expected one of \['dose'"),
        (lambda m: m.to("cuda:99"), "device='cuda:99' is not there"),
        (lambda m: m.to("gpu"), "unknown device 'gpu'; expected one of"),
        (lambda m: cf.compile("graph.yaml"), "compile: given str; expected a Graph"),
        (
            lambda m: cf.compile(m.graph).fit(columns(), strategy="fast", progress=False),
            "fit: strategy='fast'",
        ),
    ],
)
def test_an_argument_that_does_not_fit_is_refused_in_one_line(model, ask, says):
    with pytest.raises(CausalflowError, match=says) as caught:
        ask(model)
    one_line(caught)


def test_any_whole_number_is_a_seed(model):
    by_numpy = model.sample(20, generator=np.int64(3))
    assert by_numpy["score"].equal(model.sample(20, generator=3)["score"])


def test_a_missing_continuous_node_above_the_evidence_is_drawn_from_its_posterior():
    nodes = {n: {"type": "continuous", "noise": "linear"} for n in "xy"}
    model = cf.compile(cf.Graph(nodes=nodes, edges=["x -> y"]))
    u, v = np.random.default_rng(0).normal(size=(2, 2_000))
    model.fit({"x": u, "y": u + v}, progress=False)
    world = model.counterfactual({"y": np.full(2_000, 2.0)}, {}, generator=0)
    torch.testing.assert_close(world["y"].double(), torch.full((2_000,), 2.0).double())
    # x given x + v = 2 is N(1, 1/2); the fit errs by some hundredths itself
    assert float(world["x"].double().mean()) == pytest.approx(1.0, abs=0.15)
    assert float(world["x"].double().std()) == pytest.approx(0.5**0.5, abs=0.1)


def test_an_untrained_model_says_what_to_do():
    untrained = cf.compile(cf.Graph(nodes=NODES, edges=EDGES, name="clinic"))
    for ask in (
        lambda: untrained.sample(1),
        lambda: untrained.abduct(FACTS),
        lambda: untrained.counterfactual(FACTS, {}),
    ):
        with pytest.raises(EvidenceError, match=r"graph 'clinic'.*untrained; call fit") as caught:
            ask()
        one_line(caught)
    assert "untrained" in repr(untrained)


def test_what_is_forced_need_not_be_fitted():
    part = cf.compile(cf.Graph(nodes=NODES, edges=["dose -> mood", "dose, mood -> score"]))
    part.fit(columns(), nodes=["score"], progress=False)
    world = part.sample(4, {"dose": "low", "mood": "sad"})
    assert world["mood"].tolist() == [0] * 4


# Randomness


def test_a_seed_means_the_same_draws_and_the_global_state_is_left_alone(model):
    torch.manual_seed(5)
    state = torch.get_rng_state()
    first, second = model.sample(50, generator=3), model.sample(50, generator=3)
    by_generator = model.sample(50, generator=torch.Generator().manual_seed(3))
    cf.compile(model.graph, seed=4)
    assert torch.get_rng_state().equal(state)
    for name in first:
        assert first[name].equal(second[name])
        assert first[name].equal(by_generator[name])
    assert not first["score"].equal(model.sample(50, generator=4)["score"])


# Description


def test_a_world_names_the_nearest_node(model):
    with pytest.raises(KeyError, match="did you mean 'score'"):
        model.sample(1)["scor"]


# Files


def test_a_saved_model_answers_bit_for_bit(model, tmp_path):
    model.save(tmp_path / "model.safetensors")
    loaded = Model.load(tmp_path / "model.safetensors")
    assert (loaded.graph, loaded.fitted, loaded.options) == (
        model.graph,
        model.fitted,
        model.options,
    )
    for ask in (
        lambda m: m.sample(20, {"dose": 1}, generator=1),
        lambda m: m.counterfactual(FACTS, {"dose": "high"}, n=5, generator=2),
        lambda m: m.counterfactual({"mood": 1}, {"dose": 0}, n=5),
    ):
        first, second = ask(model), ask(loaded)
        assert all(first[name].equal(second[name]) for name in first)


def test_what_was_not_fitted_is_not_fitted_after_loading(model, tmp_path):
    cf.compile(model.graph, confounder_states=3).save(tmp_path / "m")
    loaded = Model.load(tmp_path / "m")
    assert loaded.options.confounder_states == 3
    with pytest.raises(EvidenceError, match="untrained"):
        loaded.sample(1)


def rewritten(model, path, graph=None, options=None, tensors=None):
    """A model file with another graph text, other options or other tensors, and a right digest."""
    model.save(path)
    state = load_state(path)
    metadata = Metadata(
        kind="model",
        graph=state.metadata.graph if graph is None else graph,
        options={**state.metadata.options, **(options or {})},
    )
    save_state(path, tensors(dict(state.tensors)) if tensors else state.tensors, metadata)


@pytest.mark.parametrize(
    "options",
    [
        {"compile": None},
        {"compile": ["seed"]},
        {"compile": {"sed": 1}},
        {"compile": {"seed": "one"}},
        {"compile": {"seed": 1.5}},
        {"compile": {"confounder_states": 10**12}},
        {"compile": {"confounder_states": "many"}},
        {"fitted": "dose"},
        {"fitted": 3},
        {"fitted": [["dose"]]},
        {"fitted": ["nobody"]},
    ],
)
def test_options_that_are_broken_inside_a_file_are_one_line(model, tmp_path, options):
    path = tmp_path / "m"
    rewritten(model, path, options=options)
    with pytest.raises(
        CheckpointError, match="the graph or options inside cannot be read"
    ) as caught:
        Model.load(path)
    assert one_line(caught).startswith(f"{path}: ")


@pytest.mark.parametrize(
    "graph",
    [
        "",
        "graph: [",
        "- a list",
        "graph: g\nnodes: {x: {type: klass}}",
        "graph: g\nedges: [x -> y]",
        "graph: g\nnodes: {x: {type: class, levels: 2}}\nqueries: [{ask: 'P(x | do('}]",
        "graph: g\nnodes: {x: {type: continuous}, y: {type: count}}\nedges: ['x <-> y: latent']",
        "graph: g\nnodes: {x: {type: class, levels: 2, equation: __import__('os')}}",
    ],
)
def test_a_graph_that_is_broken_inside_a_file_is_one_line(model, tmp_path, graph):
    path = tmp_path / "m"
    rewritten(model, path, graph=graph, options={"fitted": []})
    with pytest.raises(CheckpointError) as caught:
        Model.load(path)
    assert one_line(caught).startswith(f"{path}: ")


def missing(tensors):
    tensors.pop(sorted(tensors)[0])
    return tensors


@pytest.mark.parametrize(
    ("tensors", "says"),
    [
        (missing, "is missing"),
        (lambda t: {**t, "more": torch.zeros(1)}, "unexpected tensor 'more'"),
        (lambda t: {k: v[..., :1] if v.ndim else v for k, v in t.items()}, "has shape"),
        (lambda t: {k: v.float() for k, v in t.items()}, "has type"),
    ],
)
def test_tensors_that_do_not_fit_the_graph_are_one_line(model, tmp_path, tensors, says):
    path = tmp_path / "m"
    rewritten(model, path, tensors=tensors)
    with pytest.raises(CheckpointError, match=says) as caught:
        Model.load(path)
    assert one_line(caught).startswith(f"{path}: ")


ENDS = {"bend", "bends", "digits", "edges", "reach"}
"""What may be infinite in a file: an open end, or what bends nothing."""


def test_a_model_with_weights_that_are_not_finite_is_neither_saved_nor_loaded(tmp_path):
    """They would make every answer NaN, in silence; an open end is infinite by right."""
    graph = cf.loads("nodes: {x: {type: continuous}, c: {type: class, levels: 2}}\nedges: [x -> c]")
    model = cf.compile(graph)
    weights = {n: t for n, t in model.scm.state_dict().items() if t.is_floating_point()}
    for name, tensor in weights.items():
        if not tensor.numel():
            continue
        whole, may_be_open = tensor.clone(), name.rpartition(".")[2] in ENDS
        for number in [math.nan] if may_be_open else [math.nan, math.inf, -math.inf]:
            tensor.view(-1)[0] = number
            with pytest.raises(CheckpointError, match=r"holds NaN|not finite"):
                model.save(tmp_path / "m")
        tensor.copy_(whole)
    model.save(tmp_path / "m")
    Model.load(tmp_path / "m")
