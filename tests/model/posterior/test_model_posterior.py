"""The posterior of hidden and missing classes is Bayes' rule over their joint states."""

from __future__ import annotations

import itertools
from collections import Counter

import pytest
import torch

import causalflow as cf
from causalflow.model.construction import CompileOptions, structural_model
from causalflow.model.posterior.knot import knots
from causalflow.model.posterior.posterior import draw_unknown

ROWS = 20_000
LATENTS = ("a <-> b", "b <-> c")
NODES = ("a", "b", "c")


@pytest.fixture(scope="module")
def scm():
    """Two latents in one district, b reads both; random tables."""
    graph = cf.Graph(
        nodes={name: {"type": "class", "levels": 2} for name in NODES},
        edges=["a -> b", "b -> c", "a <-> b", "b <-> c"],
    )
    made = structural_model(graph, CompileOptions())
    draws = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for tensor in made.state_dict().values():
            noise = torch.randn(tensor.shape, generator=draws, dtype=torch.float64)
            tensor.copy_(torch.log_softmax(2 * noise, dim=-1))
    return made


@torch.no_grad()
def bayes(scm, evidence):
    """p(the rest | evidence) by enumeration of every world: names of the rest, level -> p."""
    rest = [name for name in (*LATENTS, *NODES) if name not in evidence]
    weight = {}
    for levels in itertools.product(range(2), repeat=len(rest)):
        world = evidence | dict(zip(rest, levels, strict=True))
        p = 1.0
        for latent in LATENTS:
            p *= float(scm.latents[latent].log_p[world[latent]].exp())
        values = {name: torch.tensor([level]) for name, level in world.items()}
        for name in NODES:
            p *= float(scm.module(name).logits(values)[0, world[name]].exp())
        weight[levels] = p
    total = sum(weight.values())
    return rest, {levels: p / total for levels, p in weight.items()}


def marginal(law, columns):
    found = Counter()
    for levels, p in law.items():
        found[tuple(levels[column] for column in columns)] += p
    return found


EVIDENCE = [
    *(dict(zip(NODES, levels, strict=True)) for levels in itertools.product(range(2), repeat=3)),
    {"a": 1, "c": 0},  # b is missing above c
    {"c": 1},
    {"a": 0, "b": 1},  # c is missing, and nothing is known below it
    {"a": 1},
]


@pytest.mark.parametrize("evidence", EVIDENCE, ids=str)
def test_draws_follow_the_joint_posterior_of_bayes_rule(scm, evidence):
    values = {name: torch.full((ROWS,), level) for name, level in evidence.items()}
    found = draw_unknown(scm, values, torch.Generator().manual_seed(1))
    drawn = found.values
    assert set(found.routes.values()) == {"exact"}
    rest, law = bayes(scm, evidence)
    assert set(drawn) <= set(rest)
    # What is not drawn has no known descendant: it is free, and summed out.
    expected = marginal(law, [rest.index(name) for name in drawn])
    counts = Counter(zip(*(column.tolist() for column in drawn.values()), strict=True))
    for levels, p in expected.items():
        # 5 standard errors of a share
        assert abs(counts[levels] / ROWS - p) <= 5 * (p * (1 - p) / ROWS) ** 0.5 + 1e-9, levels


def test_what_nothing_is_known_of_is_not_drawn(scm):
    values = {"a": torch.zeros(3, dtype=torch.int64)}
    (knot,) = knots(scm, values)
    assert (knot.roots, knot.nodes) == (("a <-> b",), ())
