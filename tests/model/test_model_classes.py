"""Class models against rejection sampling and enumeration, and laws over random graphs."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import causalflow as cf
from causalflow.model.construction import CompileOptions, structural_model
from causalflow.model.model import Model

DRAWS = 20_000
PROPOSALS = 400_000


def shaken(graph, seed=0):
    """A model with random laws everywhere, taken as fitted."""
    scm = structural_model(graph, CompileOptions(seed=seed))
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, tensor in scm.state_dict().items():
            noise = torch.randn(tensor.shape, generator=generator, dtype=torch.float64)
            if name.endswith("table"):
                tensor.copy_(torch.log_softmax(2 * noise, dim=-1))
            elif name.endswith(("scale", "spread", "origin")):
                tensor.copy_(0.5 + noise.abs())
            elif tensor.is_floating_point():
                tensor.add_(0.3 * noise)
    return Model(scm.eval(), CompileOptions(seed=seed), graph.nodes)


def classes(noise, **levels):
    return {n: {"type": "class", "levels": k, "noise": noise} for n, k in levels.items()}


def probabilities(model, name, **parents):
    """The fitted p(name | parents): shape (levels,)."""
    values = {p: torch.tensor([v]) for p, v in parents.items()}
    return model.scm.module(name).logits(values)[0].softmax(-1).detach().numpy()


def assert_same_frequencies(counts, expected, n_expected):
    """Two multinomial samples, or a sample and a law (n_expected infinite), agree."""
    n = counts.sum()
    p = (counts / n + expected) / 2
    error = np.sqrt(p * (1 - p) * (1 / n + 1 / n_expected)) + 1 / n
    assert (np.abs(counts / n - expected) < 5 * error).all(), (counts / n, expected)


def gumbel_argmax(p, g):
    return (np.log(p) + g).argmax(-1)


def counts_of(tensor, levels):
    return np.bincount(tensor.numpy(), minlength=levels)


@pytest.mark.parametrize(("x", "y", "other"), [(0, 0, 1), (0, 2, 1), (1, 1, 0)])
def test_gumbel_max_counterfactuals_equal_rejection_sampling(x, y, other):
    model = shaken(cf.Graph(nodes=classes("gumbel", x=2, y=4), edges=["x -> y"]))
    g = np.random.default_rng(0).gumbel(size=(PROPOSALS, 4))
    kept = g[gumbel_argmax(probabilities(model, "y", x=x), g) == y]
    expected = np.bincount(gumbel_argmax(probabilities(model, "y", x=other), kept), minlength=4)
    world = model.counterfactual({"x": x, "y": y}, {"x": other}, n=DRAWS)
    assert_same_frequencies(counts_of(world["y"], 4), expected / len(kept), len(kept))


@pytest.mark.parametrize(("x", "y", "other"), [(0, 0, 1), (0, 2, 1), (1, 1, 0)])
def test_monotone_counterfactuals_equal_the_overlap_of_intervals(x, y, other):
    model = shaken(cf.Graph(nodes=classes("monotone", x=2, y=4), edges=["x -> y"]))

    def ends(parent):
        return np.concatenate([[0], np.cumsum(probabilities(model, "y", x=parent))])

    factual, forced = ends(x), ends(other)
    overlap = np.minimum(factual[y + 1], forced[1:]) - np.maximum(factual[y], forced[:-1])
    expected = overlap.clip(0) / (factual[y + 1] - factual[y])
    world = model.counterfactual({"x": x, "y": y}, {"x": other}, n=DRAWS)
    assert_same_frequencies(counts_of(world["y"], 4), expected, np.inf)


def test_gumbel_max_along_a_confounded_chain_equals_rejection_sampling():
    # z -> x -> y with z <-> y: the hidden class, and all Gumbels, are proposed and kept where the
    # world is the factual one; x is not observed.
    graph = cf.Graph(nodes=classes("gumbel", z=2, x=2, y=3), edges=["z -> x", "x -> y", "z <-> y"])
    model = shaken(graph)
    (hidden,) = model.scm.latents
    prior = model.scm.latents[hidden].log_p.exp().detach().numpy()
    rng = np.random.default_rng(0)
    latent = rng.choice(len(prior), p=prior / prior.sum(), size=PROPOSALS)
    g = {name: rng.gumbel(size=(PROPOSALS, k)) for name, k in [("z", 2), ("x", 2), ("y", 3)]}

    def table(name, *parents):
        sizes = [len(prior) if p == hidden else 2 for p in parents]
        cells = itertools.product(*map(range, sizes))
        rows = [probabilities(model, name, **dict(zip(parents, c, strict=True))) for c in cells]
        return np.array(rows).reshape(*sizes, -1)

    p_z, p_x, p_y = table("z", hidden), table("x", "z"), table("y", "x", hidden)

    def world(do=None):
        z = gumbel_argmax(p_z[latent], g["z"]) if do is None else np.full(PROPOSALS, do)
        x = gumbel_argmax(p_x[z], g["x"])
        return z, x, gumbel_argmax(p_y[x, latent], g["y"])

    z, _, y = world()
    kept = (z == 0) & (y == 2)
    assert kept.sum() > 5_000
    _, x_forced, y_forced = world(do=1)
    joint = np.bincount(x_forced[kept] * 3 + y_forced[kept], minlength=6) / kept.sum()
    found = model.counterfactual({"z": 0, "y": 2}, {"z": 1}, n=DRAWS)
    drawn = counts_of(found["x"] * 3 + found["y"], 6)
    assert_same_frequencies(drawn, joint, kept.sum())
    assert "posterior" in found.info.inferred["x"]


def front_door(n=20_000, seed=0):
    """Bar-MNIST, written from its equations."""
    rng = np.random.default_rng(seed)
    digit = rng.integers(10, size=n)
    color = (rng.random(n) < 0.1 * (9.5 - digit)).astype(int)
    first = (digit < 3) ^ (rng.random(n) < 0.9)
    bar = (first | (color ^ (rng.random(n) < 0.8)).astype(bool)) & (rng.random(n) < 0.7)
    return {"digit": digit, "color": color, "bar": bar.astype(int)}


@pytest.fixture(scope="module")
def bars():
    nodes = {
        "digit": {"type": "class", "levels": 10},
        "color": {"type": "class", "levels": ["green", "red"]},
        "bar": {"type": "class", "levels": ["absent", "present"]},
    }
    model = cf.compile(
        cf.Graph(nodes=nodes, edges=["digit -> color", "color -> bar", "digit <-> bar"])
    )
    model.fit(front_door(), progress=False)
    return model


def test_missing_evidence_has_its_exact_posterior(bars):
    (hidden,) = bars.scm.latents
    prior = bars.scm.latents[hidden].log_p.exp().detach().numpy()
    weight = np.zeros(10)
    for state, p in enumerate(prior):
        for digit in range(10):
            weight[digit] += (
                p
                * probabilities(bars, "digit", **{hidden: state})[digit]
                * probabilities(bars, "color", digit=digit)[1]
                * probabilities(bars, "bar", color=1, **{hidden: state})[0]
            )
    evidence = {"color": ["red"], "bar": ["absent"], "digit": [None]}
    world = bars.counterfactual(evidence, {}, n=DRAWS)
    assert_same_frequencies(counts_of(world["digit"], 10), weight / weight.sum(), np.inf)
    assert set(world["color"].tolist()) == {1}
    assert set(world["bar"].tolist()) == {0}


def test_unobserved_descendants_are_free_and_follow_the_law(bars):
    world = bars.counterfactual({"digit": 0}, {}, n=DRAWS)
    assert set(world.info.free) == {"color", "bar"}
    drawn = front_door(200_000, seed=1)
    expected = drawn["bar"][drawn["digit"] == 0].mean()  # P(bar | digit = 0), .2149
    assert abs(float(world["bar"].double().mean()) - expected) < 0.02


def test_draw_k_of_row_i_is_row_k_times_rows_plus_i(bars):
    evidence = {"digit": [1, 8], "color": ["red", "green"], "bar": [0, 1]}
    world = bars.counterfactual(evidence, {"color": ["green", "red"]}, n=3)
    assert world["digit"].tolist() == [1, 8] * 3
    assert world["color"].tolist() == [0, 1] * 3


def test_several_interventions_at_once(bars):
    world = bars.counterfactual({"digit": 3, "color": 1, "bar": 0}, {"color": 0, "bar": "present"})
    assert [world[name].tolist() for name in ("digit", "color", "bar")] == [[3], [0], [1]]


KINDS = {
    "gumbel": {"type": "class", "levels": 3, "noise": "gumbel"},
    "monotone": {"type": "class", "levels": 2, "noise": "monotone"},
    "linear": {"type": "continuous", "noise": "linear"},
    "additive": {"type": "continuous", "noise": "additive", "support": [0, 50]},
    "flow": {"type": "continuous", "noise": "flow", "support": [-1, 1]},
    "equation": {"type": "continuous"},
    "parity": {"type": "class", "levels": 2},
}


@st.composite
def mixed_graphs(draw):
    """Up to six nodes of all kinds on a random acyclic graph, with hidden causes of class nodes."""
    names = [f"n{i}" for i in range(draw(st.integers(2, 6)))]
    kinds = {name: draw(st.sampled_from(sorted(KINDS))) for name in names}
    pairs = list(itertools.combinations(names, 2))
    edges = draw(st.lists(st.sampled_from(pairs), unique=True))
    nodes, exogenous = {name: dict(KINDS[kind]) for name, kind in kinds.items()}, {}
    for name, kind in kinds.items():
        parents = [a for a, b in edges if b == name]
        above = [f"(({a}) > 0)" for a in parents]
        if kind == "equation":
            nodes[name]["equation"] = " + ".join([*above, *parents, f"0.5 * u_{name}"])
            exogenous[f"u_{name}"] = {"type": "normal"}
        if kind == "parity":
            nodes[name]["equation"] = " ^ ".join([*above, f"u_{name}"])
            exogenous[f"u_{name}"] = {"p": ["3/4", "1/4"]}
    plain = [n for n, kind in kinds.items() if kind in ("gumbel", "monotone")]
    hidden = draw(st.lists(st.sampled_from(list(itertools.combinations(plain, 2)) or [None])))
    texts = [f"{a} -> {b}" for a, b in edges if kinds[b] not in ("equation", "parity")]
    texts += [f"{a} <-> {b}" for a, b in sorted({pair for pair in hidden if pair})[:2]]
    return cf.Graph(nodes=nodes, edges=texts, exogenous=exogenous)


def assert_unchanged(graph, name, value, factual):
    """Classes exactly; continuous values to the rounding of float64 inverses."""
    if graph.nodes[name].__class__.__name__ == "Class":
        assert value.equal(factual), name
    else:
        torch.testing.assert_close(value, factual, rtol=1e-8, atol=1e-8)


@settings(max_examples=60, deadline=None)
@given(graph=mixed_graphs(), data=st.data())
def test_in_mixed_graphs_the_null_keeps_all_and_an_act_keeps_non_descendants(graph, data):
    model = shaken(graph, seed=len(graph.edges))
    factual = dict(model.sample(6, generator=3))
    null = model.reconstruct(factual)
    for name in graph.nodes:
        assert_unchanged(graph, name, null[name], factual[name])
    target = data.draw(st.sampled_from(list(graph.nodes)))
    forced = model.sample(6, nodes=[target], generator=4)[target]
    world = model.counterfactual(factual, {target: forced})
    assert world[target].equal(forced)
    for name in set(graph.nodes) - graph.descendants(target):
        assert_unchanged(graph, name, world[name], factual[name])
    same = model.counterfactual(factual, {target: factual[target]})
    for name in graph.nodes:
        assert_unchanged(graph, name, same[name], factual[name])
