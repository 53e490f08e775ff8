"""What a Pyro program says of a model, held against what the model itself says of it."""

from __future__ import annotations

import math

import pyro
import pytest
import torch
from pyro import poutine
from pyro.infer import TraceEnum_ELBO, config_enumerate
from pyro.infer.mcmc.util import initialize_model

import causalflow as cf
from causalflow.mechanisms.latent_class import LatentDistrict

ROWS = 40
MIXED = """
nodes:
  a: {type: class, levels: [low, high]}
  x: {type: continuous, noise: auto}
  y: {type: continuous, noise: flow}
  z: {type: continuous, noise: linear, support: [0, inf]}
  n: {type: count}
  b: {type: class, levels: 3, noise: monotone}
edges: [a -> x, a -> y, x -> y, x -> b, y -> b, y -> n, x -> z]
"""
ATOMS = """
nodes:
  x: {type: class, levels: 2}
  y: {type: continuous, noise: auto}
edges: [x -> y]
"""
HIDDEN = """
nodes:
  x: {type: class, levels: 3}
  m: {type: class, levels: 2}
  y: {type: class, levels: 2}
edges: [x -> m, m -> y, x <-> y]
"""


def mixed_rows(n=400):
    g = torch.Generator().manual_seed(0)
    a = (torch.rand(n, generator=g) < 0.4).long()
    x = torch.randn(n, generator=g).double() * (1 + a) + a
    y = torch.tanh(x) + 0.3 * (1 + a) * torch.randn(n, generator=g)
    z = torch.exp(0.3 * x + 0.5 * torch.randn(n, generator=g))
    b = (y + torch.randn(n, generator=g) > 0).long() + (x > 0.5).long()
    return {"a": a, "x": x, "y": y, "z": z, "n": torch.poisson(torch.exp(0.4 * y)), "b": b}


def fitted(text, rows, **options):
    model = cf.compile(cf.loads(text))
    model.fit(rows, progress=False, **options)
    return model


@pytest.fixture(scope="module")
def mixed():
    return fitted(MIXED, mixed_rows(), steps=60)


@pytest.fixture(scope="module")
def atoms():
    g = torch.Generator().manual_seed(0)
    x = torch.arange(400) % 2
    y = (x + torch.randn(400, generator=g)).clamp_min(0)
    return fitted(ATOMS, {"x": x, "y": y})


@pytest.fixture(scope="module")
def hidden():
    g = torch.Generator().manual_seed(0)
    u = torch.rand(600, generator=g) < 0.5
    x = (u + 2 * torch.rand(600, generator=g)).long()
    m = (torch.rand(600, generator=g) < 0.2 + 0.3 * x).long()
    y = (torch.rand(600, generator=g) < 0.1 + 0.4 * m + 0.3 * u).long()
    return fitted(HIDDEN, {"x": x, "m": m, "y": y})


def traced(program, given=None, rows=ROWS):
    pyro.set_rng_seed(0)
    run = pyro.condition(program, given) if given else program
    return poutine.trace(run).get_trace(rows)


@pytest.mark.parametrize("name", ["mixed", "atoms"])
def test_log_density_of_a_fitted_model_is_the_mechanisms_own(name, request):
    model = request.getfixturevalue(name)
    found = traced(model.to_pyro())
    values = {n: found.nodes[n]["value"] for n in model.graph.nodes}
    ours = sum(model.scm.log_prob(n, values).sum() for n in values)
    torch.testing.assert_close(found.log_prob_sum(), ours, rtol=0, atol=1e-6)


def test_hidden_cause_is_summed_out_by_enumeration(hidden):
    drawn = traced(hidden.to_pyro())
    values = {n: drawn.nodes[n]["value"] for n in hidden.graph.nodes}
    scm = hidden.scm
    district = LatentDistrict(latents=scm.latents, children={n: scm.tables[n] for n in ("x", "y")})
    ours = (district.log_likelihood(values) + scm.log_prob("m", values)).sum()
    conditioned = config_enumerate(pyro.condition(hidden.to_pyro(), values))
    found = -TraceEnum_ELBO(max_plate_nesting=1).loss(conditioned, lambda rows: None, ROWS)
    assert found == pytest.approx(float(ours), abs=1e-6)


def test_noise_that_follows_is_the_one_that_the_model_abducts(mixed):
    found = traced(mixed.to_pyro())
    values = {n: found.nodes[n]["value"] for n in mixed.graph.nodes}
    noise = mixed.scm.abduct(values, {}, torch.Generator().manual_seed(0))
    for name in ("x", "y", "z"):
        site = found.nodes[f"noise of {name}"]["value"]
        torch.testing.assert_close(site, noise[name]["u"], rtol=0, atol=1e-12)


def test_counterfactual_by_kept_noises_is_the_models_own(mixed):
    drawn = traced(mixed.to_pyro())
    values = {n: drawn.nodes[n]["value"] for n in mixed.graph.nodes}
    noise = mixed.scm.abduct(values, {}, torch.Generator().manual_seed(0))
    keys = {"a": "gumbel", "b": "uniform", "n": "z"}
    kept = {f"noise of {n}": noise[n][keys.get(n, "u")] for n in values}
    program = pyro.condition(mixed.to_pyro(noises=True), kept)
    back = program(ROWS)
    there = pyro.do(program, {"a": torch.tensor(1)})(ROWS)
    ours = mixed.scm.predict(noise, {"a": torch.ones(ROWS, dtype=torch.int64)}, rows=ROWS)
    for name in values:
        torch.testing.assert_close(back[name], values[name], rtol=0, atol=1e-9)
        if name != "n":  # its abducted noise has an anchor as well, where digits end
            torch.testing.assert_close(there[name], ours[name], rtol=0, atol=1e-9)


@pytest.mark.parametrize("noises", [(), True])
def test_levels_that_are_numbers_are_positions_by_law_and_by_noise(noises):
    text = """
    nodes:
      a: {type: class, levels: [3, 5]}
      b: {type: class, levels: [0, 2], noise: monotone}
    edges: [a -> b]
    """
    model = fitted(text, {"a": [3, 5] * 20, "b": [0, 2, 0, 2] * 10})
    found = traced(model.to_pyro(noises=noises))
    shown = found.nodes["_RETURN"]["value"]
    for name in ("a", "b"):
        assert set(found.nodes[name]["value"].tolist()) == {0, 1}
        assert torch.equal(shown[name], found.nodes[name]["value"])
    assert torch.equal(shown["a"], shown["b"])  # as in the rows: what b reads is a's position


@pytest.mark.parametrize("noises", [(), ("x",)])
def test_gradients_of_a_fitted_density_are_its_differences(mixed, noises):
    program = mixed.to_pyro(["y", "z"], noises=noises)
    given = program.read({"a": ["low", "high"], "y": [0.3, -0.5], "z": [1.5, 0.7]})
    start, potential, _, _ = initialize_model(
        pyro.condition(program, given), (2,), max_plate_nesting=1
    )
    ((site, at),) = start.items()
    assert site == ("noise of x" if noises else "x")
    x = at.clone().requires_grad_()
    (slope,) = torch.autograd.grad(potential({site: x}), x)
    for row in range(2):
        step = torch.zeros(2).double()
        step[row] = 1e-5
        high, low = (float(potential({site: at + s * step}).detach()) for s in (1, -1))
        assert (high - low) / 2e-5 == pytest.approx(float(slope[row]), rel=1e-4, abs=1e-5)


def test_number_below_an_enumerated_class_is_inferred_by_its_noise_or_refused(mixed):
    """Its law has an axis for the class; as an unknown it would be one number for each level."""
    given = {"y": torch.tensor([0.3, -0.5]).double()}
    for noises, refused in (((), True), (["x"], False)):
        program = pyro.condition(mixed.to_pyro(["y"], noises=noises), given)
        if refused:
            with pytest.raises(cf.EvidenceError, match=r"enumerated.*to_pyro\(noises=\['x'\]\)"):
                initialize_model(program, (2,), max_plate_nesting=1)
        else:
            start, *_ = initialize_model(program, (2,), max_plate_nesting=1)
            assert {site: at.shape for site, at in start.items()} == {"noise of x": (2,)}


def test_made_node_has_the_gradient_of_its_law(mixed):
    """The density of a value made of a noise, by the change of variables, is the law's."""
    program = mixed.to_pyro(["x", "y"], noises=["x", "y"])
    u = torch.linspace(-2, 2, 9).double().requires_grad_()
    given = {"a": torch.zeros(9).long(), "noise of x": u, "noise of y": torch.zeros(9).double()}
    made = pyro.condition(program, given)(9)
    (slope,) = torch.autograd.grad(made["x"].sum(), u)
    normal = -u.square() / 2 - math.log(2 * math.pi) / 2
    told = mixed.scm.log_prob("x", {"a": given["a"], "x": made["x"]})
    torch.testing.assert_close(told, normal - slope.log(), rtol=0, atol=1e-6)


def test_values_with_a_probability_and_others_with_a_density_are_told_apart(atoms):
    program = atoms.to_pyro()
    zeros = {"x": torch.tensor([0, 1]), "y": torch.zeros(2).double()}
    told = traced(program, zeros, 2).log_prob_sum()
    ours = atoms.scm.log_prob("y", zeros) + atoms.scm.log_prob("x", zeros)
    torch.testing.assert_close(told, ours.sum(), rtol=0, atol=1e-9)
    assert "noise of y" not in traced(program, rows=2).nodes
    unknown = traced(program, {"y": torch.ones(2).double().requires_grad_()}, 2)
    with pytest.raises(ValueError, match=r"gradients cannot tell apart.*noises=\['y'\]"):
        unknown.log_prob_sum()


def test_program_gives_back_torchs_own_draws_for_a_seed(mixed):
    first, second = (traced(mixed.to_pyro(), rows=3) for _ in range(2))
    for name in mixed.graph.nodes:
        assert torch.equal(first.nodes[name]["value"], second.nodes[name]["value"])


LISTENING = """
nodes:
  w: {type: continuous, noise: linear}
  x: {type: continuous, noise: linear}
  c: {type: class, levels: 2, noise: monotone}
  y: {type: continuous, noise: linear}
edges: [w -> x, w -> c, x -> y, c -> y, x <-> y, c <-> y]
"""


@pytest.fixture(scope="module")
def listening():
    g = torch.Generator().manual_seed(0)
    w, u, v, e = (torch.randn(300, generator=g).double() for _ in range(4))
    x, c = w + u, (v + w > 0).long()
    return fitted(LISTENING, {"w": w, "x": x, "c": c, "y": x - c + 2 * u + v + e})


def test_node_that_listens_hears_the_noise_of_nature_under_an_intervention(listening):
    program = listening.to_pyro()
    found = traced(program)
    values = {n: found.nodes[n]["value"] for n in listening.graph.nodes}
    heard = {"noise of x": found.nodes["noise of x"]["value"], "noise of c": values["c"]}
    laws = {n: listening.scm.mechanism(n) for n in values}
    ours = sum(laws[n].log_prob(values[n], {**values, **heard}).sum() for n in values)
    torch.testing.assert_close(found.log_prob_sum(), ours, rtol=0, atol=1e-6)
    kept = {n: found.nodes[n]["value"] for n in ("w", "x", "c", "noise of y")}
    again = pyro.condition(program, {n: kept[n] for n in ("w", "x", "c")})
    with pytest.raises(cf.EvidenceError, match=r"site 'noise of y': it follows from node 'y'"):
        pyro.condition(program, kept)(ROWS)
    there = pyro.do(again, {"x": torch.tensor(1.5).double()})
    site = poutine.trace(there).get_trace(ROWS).nodes["y"]["fn"]
    do_x = torch.full((ROWS,), 1.5).double()
    for y in (-1.0, 2.0):
        at = torch.full((ROWS,), y).double()
        ours = laws["y"].log_prob(at, {**values, "x": do_x, **heard})
        torch.testing.assert_close(site.log_prob(at), ours, rtol=0, atol=1e-9)
