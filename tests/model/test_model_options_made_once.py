"""A model under a call's options is made once, and never answers with what it was before."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch

import causalflow as cf

GRAPH = """
nodes:
  color: {type: class, levels: [green, red]}
  image:
    type: image
    shape: [1, 8, 8]
    diffusion: {width: 8, multipliers: [1], predictor_width: 4, steps: 2, code: 0}
edges: ["color -> image: anticausal"]
"""
RED = {"color": "red"}


def rows(n=12, seed=0):
    random = torch.Generator().manual_seed(seed)
    return {"color": torch.arange(n) % 2, "image": torch.rand(n, 1, 8, 8, generator=random)}


def fitted(seed=0):
    model = cf.compile(cf.loads(GRAPH), seed=seed)
    model.fit(rows(seed=seed), steps=2, batch_size=4, device="cpu", progress=False, warmup=0)
    return model


@pytest.fixture
def model():
    return fitted()


def red(model, **options):
    images = rows(3, seed=5)["image"]
    return model.counterfactual({"color": [0, 0, 0], "image": images}, do=RED, **options)["image"]


def test_equal_options_give_one_model_and_others_another(model):
    scm = model.scm
    assert scm.configured({}) is scm
    assert scm.configured({"steps": 3}) is scm.configured({"steps": 3})
    assert scm.configured({"steps": 3}) is not scm.configured({"steps": 4})
    assert scm.configured({"guidance": 1.0}) is not scm.configured({"guidance": 2.0})


def test_answers_under_options_do_not_depend_on_what_was_asked_before(model):
    asked = [{}, {"steps": 3}, {"guidance": 0.0}, {"solver": "ddim"}, {}, {"steps": 3}]
    answers = [red(model, **options) for options in asked]
    assert all(torch.equal(red(fitted(), **o), a) for o, a in zip(asked, answers, strict=True))
    assert not torch.equal(answers[0], answers[2])


def test_more_options_than_are_kept_are_answered_alike(model):
    first = red(model, guidance=0.5)
    for step in range(40):
        model.scm.configured({"guidance": 1.0 + step / 10})
    assert torch.equal(red(model, guidance=0.5), first)


def test_weights_that_change_are_those_that_answer(model):
    before = red(model, steps=3)
    model.fit(rows(seed=1), steps=2, batch_size=4, device="cpu", progress=False, warmup=0)
    after = red(model, steps=3)
    assert not torch.equal(before, after)
    other = fitted(seed=3)
    red(other, steps=3)
    other.transplant("image", model)
    assert torch.equal(red(other, steps=3), after)


@pytest.mark.parametrize(
    "carry", [copy.copy, copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))]
)
def test_a_model_that_was_asked_is_copied_and_pickled(model, carry):
    asked = red(model), red(model, steps=3)
    assert all(map(torch.equal, (red(other := carry(model)), red(other, steps=3)), asked))


def test_acceleration_after_a_call_reaches_the_options_asked_before(model):
    red(model), red(model, steps=3)
    model.accelerate(precision="bf16-mixed")
    for scm in (model.scm, model.scm.configured({"steps": 3})):
        assert scm.images["image"].trajectory.replay is model.scm.images["image"].denoiser.replay
        assert scm.images["image"].trajectory.replay.precision == "bf16-mixed"


@pytest.mark.parametrize(
    ("wanted", "fixed", "needed"),
    [
        (["d"], (), {"a", "b", "c", "d"}),
        (["d"], ["b"], {"b", "c", "d", "a"}),
        (["d"], ["b", "c"], {"b", "c", "d"}),
        (["b"], ["b"], {"b"}),
        (["e"], (), {"e"}),
    ],
)
def test_needed_and_below_are_ancestors_and_descendants_of_the_mutilated_graph(
    wanted, fixed, needed
):
    nodes = {name: {"type": "class", "levels": 2} for name in "abcde"}
    graph = cf.Graph(nodes=nodes, edges=["a -> b -> d", "a -> c -> d", "a <-> d"])
    scm = cf.compile(graph).scm
    assert scm.needed(wanted, fixed) == needed
    mutilated = graph.admg.do(fixed)
    assert scm.needed(wanted, fixed) == mutilated.ancestors(wanted)
    for names in ([], ["a"], ["b"], ["b", "c"], fixed):
        expected = graph.admg.do(names).descendants(names) - set(names) if names else frozenset()
        assert scm.below(names) == expected
        assert scm.below(wanted, fixed) == mutilated.descendants(wanted) - set(wanted)
