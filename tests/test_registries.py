"""Contracts over all registries, and over options: YAML, Python and the command line read alike."""

import subprocess
import sys
from dataclasses import fields

import click
import pytest
import torch
from torch import nn

import causalflow as cf
from causalflow.cli.arguments import SamplingType
from causalflow.diffusion.guidance.contrast import free
from causalflow.errors import CausalflowError
from causalflow.formats.formats import loads
from causalflow.graph import method_options
from causalflow.graph.image_options import CALL_OPTIONS, Diffusion, Sampling, SamplingKeywords
from causalflow.options import (
    Interval,
    Method,
    Names,
    Number,
    Numbers,
    Text,
    Truth,
    Whole,
    Wholes,
    rules,
)
from causalflow.plugins import REGISTRIES
from causalflow.registry import Registry
from causalflow.training.options import Fit, FitKeywords

ENTRIES = [(kind, name) for kind, registry in REGISTRIES.items() for name in registry.own]
METHODS = {
    name: kind
    for name in method_options.__all__
    if hasattr(kind := getattr(method_options, name), "method")
}
SLOTS = {
    method_options.Solver: ("solver", "solver"),
    method_options.Guidance: ("guidance", "guidance"),
    method_options.Balance: ("balance", "balance"),
    method_options.Backbone: ("backbone", "backbone"),
}


@pytest.mark.parametrize(("kind", "name"), ENTRIES)
def test_every_name_that_comes_with_the_package_has_an_entry(kind, name):
    entry = REGISTRIES[kind].get(name)
    assert entry is not None
    assert REGISTRIES[kind].get(name) is entry
    with pytest.raises(CausalflowError, match="is registered already"):
        REGISTRIES[kind].add(name, entry)


def test_names_are_read_without_torch():
    code = (
        "import sys; from causalflow.plugins import REGISTRIES\n"
        "assert all(list(each) and name for name, each in REGISTRIES.items())\n"
        "assert 'torch' not in sys.modules"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr


def test_a_user_may_enter_a_name_again_and_a_wrong_name_is_refused():
    shapes = Registry[int]("shape", places={"square": "math:pi"})
    assert shapes.add("disk", 1) == 1
    assert shapes.add("disk", 2) == shapes.get("disk") == 2
    assert (list(shapes), len(shapes), shapes.own) == (["square", "disk"], 2, ("square",))
    assert shapes.get("square") == pytest.approx(3.14159, abs=1e-5)
    for unknown in ("cube", 3, ["disk"]):
        assert unknown not in shapes
        with pytest.raises(CausalflowError, match="unknown shape"):
            shapes.get(unknown)


@pytest.mark.parametrize("name", METHODS)
def test_every_method_is_public_and_means_its_name(name):
    kind = METHODS[name]
    slot, registry = SLOTS[kind.__mro__[1]]
    assert getattr(cf, name) is kind
    assert not str(kind.__doc__).startswith((name, "None"))
    assert kind.method in [*REGISTRIES[registry], "stopping"]
    assert Diffusion(**{slot: kind()}) == Diffusion(**{slot: kind.method})


@pytest.mark.parametrize("base", SLOTS)
def test_every_solver_guidance_balance_and_backbone_has_its_method(base):
    slot, registry = SLOTS[base]
    written = {kind.method for kind in METHODS.values() if issubclass(kind, base)}
    assert written >= set(REGISTRIES[registry].own) - {"none"}
    places = next(f.metadata["method"] for f in fields(Diffusion) if f.name == slot)
    own = [kind for kind in METHODS.values() if issubclass(kind, base)]
    assert set(places) == {field.name for kind in [base, *own] for field in fields(kind)}


def sample_of(name, rule):
    """A value that a rule allows and that is not the default, and how YAML writes it."""
    default = next(f.default for f in fields(Diffusion) if f.name == name)
    match rule:
        case Names():
            value = next(each for each in [*rule][::-1] if each != default)
            return value, value
        case Whole():
            value = rule.least + 1 + (rule.least + 1 == default)
            return value, str(value)
        case Number():
            return rule.low + 0.25, str(rule.low + 0.25)
        case Interval():
            return (0.25, 0.5), "[0.25, 0.5]"
        case Numbers():
            value = tuple(
                0.25 + 0.125 * place for place in range(rule.most if rule.most < 9 else 3)
            )
            return value, str(list(value))
        case Wholes():
            return (1, 3), "[1, 3]"
        case Truth():
            return (not default), str(not default).lower()
        case Text():
            return "some words", "some words"
    raise AssertionError(rule)


def from_file(name, text):
    written = f"nodes:\n  i: {{type: image, shape: [1, 2, 2], diffusion: {{{name}: {text}}}}}\n"
    return loads(written).nodes["i"].diffusion


def from_command(name, text):
    return dict([SamplingType().convert(f"{name}={text}", None, None)])


@pytest.mark.parametrize("name", rules(Diffusion))
def test_an_option_reads_alike_in_yaml_python_and_on_the_command_line(name):
    rule = rules(Diffusion)[name]
    value, text = sample_of(name, rule)
    python = Diffusion(**{name: value})
    assert python != Diffusion()
    assert from_file(name, text) == python
    if name in CALL_OPTIONS:
        assert from_command(name, text) == {name: value} == Sampling(**{name: value}).changed()
    else:
        with pytest.raises(click.BadParameter, match="unknown option"):
            from_command(name, text)


@pytest.mark.parametrize(
    "name", [name for name, rule in rules(Diffusion).items() if not isinstance(rule, Text)]
)
def test_what_no_rule_allows_is_refused_by_all(name):
    for wrong in ("[nonsense, 2]", "-7.5"):
        with pytest.raises(CausalflowError):
            from_file(name, wrong)
        with pytest.raises(CausalflowError, match=name):
            Diffusion(**{name: wrong})
        if name in CALL_OPTIONS:
            with pytest.raises(CausalflowError, match=name):
                from_command(name, wrong)


def test_a_call_may_change_what_is_of_the_call_and_all_lists_agree():
    assert tuple(rules(Diffusion, "call")) == CALL_OPTIONS
    assert {field.name for field in fields(Sampling)} == set(CALL_OPTIONS)
    assert set(SamplingKeywords.__annotations__) == set(CALL_OPTIONS) - {"steps", "guidance"}
    spelt = {"steps", "batch_size", "device", "checkpoint", "seed", "progress"}
    assert set(FitKeywords.__annotations__) == {field.name for field in fields(Fit)} - spelt
    phases = {f.metadata["phase"] for f in fields(Diffusion)}
    assert phases == {"network", "training", "call"}


def test_a_method_that_contradicts_an_option_is_refused():
    same = Diffusion(solver=cf.Heun(steps=9), steps=9)
    assert same == Diffusion(solver="heun", steps=9)
    assert isinstance(cf.Heun(), Method)
    with pytest.raises(CausalflowError, match="steps=8 beside solver=Heun"):
        Diffusion(solver=cf.Heun(steps=9), steps=8)
    with pytest.raises(
        CausalflowError, match=r"Heun: unknown option 'stpes'.*did you mean 'steps'"
    ):
        cf.Heun(stpes=9)
    with pytest.raises(CausalflowError, match="steps=0; expected a whole number from 1"):
        cf.Sampling(solver=cf.Heun(steps=0))


class OwnNetwork(nn.Module):
    def __init__(self, channels, features, options):
        super().__init__()
        self.told = nn.Linear(features, channels)
        self.seen = nn.Conv2d(channels, channels, 2 * options.blocks + 1, padding=options.blocks)

    def forward(self, x, tau, condition):
        return self.seen(x) + self.told(condition)[:, :, None, None] * tau[:, None, None, None]


OWN = {
    "backbone": OwnNetwork,
    "path": lambda u: 0.1 + 0.9 * u,
    "prediction": lambda output, y, tau: output,
    "weighting": lambda tau: 1 + tau,
    "coupling": lambda x, noise, parents: noise.flip(0),
    "solver": lambda field, y, t, s: y + (s - t) * field(y, (s + t) / 2),
    "grid": lambda i: i**2,
    "guidance": lambda target, reference, parents: free(target, reference, parents),
    "anti-causal guidance": lambda posterior, target, reference: posterior(target),
    "guidance schedule": lambda tau: 0 * tau + 0.5,
    "schedule": lambda step, options: 0.5,
}


def test_a_model_of_own_methods_alone_is_fitted_saved_and_asked(restored, tmp_path):
    called = set()

    def counted(kind):
        if kind == "backbone":
            return OWN[kind]
        return lambda *given: (called.add(kind), OWN[kind](*given))[1]

    for kind in OWN:
        cf.register(kind, "own")(counted(kind))
    names = ["path", "prediction", "weighting", "coupling", "solver", "guided_solver", "grid"]
    names += ["guidance", "anticausal", "schedule", "backbone"]
    text = (
        "nodes:\n  c: {type: class, levels: 2}\n  d: {type: class, levels: 2}\n"
        "  i:\n    type: image\n    shape: [1, 8, 8]\n    diffusion: {strength: 2, steps: 3, "
        f"null_rate: 0.5, predictor_width: 4, width: 4, {', '.join(f'{n}: own' for n in names)}}}\n"
        "edges: ['c -> i: neural', 'd -> i: anticausal']\n"
    )
    rows = {"c": [0, 1] * 4, "d": [0, 0, 1, 1] * 2, "i": torch.rand(8, 1, 8, 8)}
    model = cf.compile(loads(text))
    model.fit(rows, steps=3, batch_size=8, progress=False, device="cpu", schedule="own")
    assert isinstance(model.scm.images["i"].denoiser.network, OwnNetwork)
    model.save(tmp_path / "m.safetensors")
    again = cf.Model.load(tmp_path / "m.safetensors")
    first, second = (m.counterfactual(rows, {"c": 1, "d": 1}) for m in (model, again))
    torch.testing.assert_close(first["i"], second["i"], rtol=0, atol=1e-5)
    assert called == set(OWN) - {"backbone"}


@pytest.mark.parametrize("kind", [kind for kind, each in REGISTRIES.items() if each.group])
def test_what_is_no_entry_is_refused(kind, restored):
    with pytest.raises(CausalflowError, match=f"{kind} 'own': expected "):
        REGISTRIES[kind].add("own", 3)


def test_own_noises_and_an_own_distribution_are_named_in_a_graph_file(restored):
    for kind, name in (
        ("noise of a continuous node", "additive"),
        ("noise of a class node", "monotone"),
        ("distribution", "laplace"),
    ):
        cf.register(kind, "own")(REGISTRIES[kind].get(name))
    text = (
        "nodes:\n  c: {type: class, levels: 3, noise: NAMED}\n"
        "  x: {type: continuous, noise: OTHER}\nedges: [c -> x]\n"
    )
    rows = {"c": [0, 1, 2] * 20, "x": [k % 3 + k / 100 for k in range(60)]}
    worlds = []
    for names in (("own", "own"), ("monotone", "additive")):
        graph = loads(text.replace("NAMED", names[0]).replace("OTHER", names[1]))
        assert loads(cf.dumps(graph)) == graph
        model = cf.compile(graph)
        model.fit(rows, steps=3, progress=False, device="cpu")
        worlds.append(model.counterfactual(rows, {"c": 2}))
    assert torch.equal(worlds[0]["x"], worlds[1]["x"])
    declared = (
        "exogenous: {u: {type: own, location: 1}}\nnodes:\n  x: {type: continuous, equation: u}"
    )
    drawn = cf.compile(loads(declared)).sample(4)["x"]
    same = cf.compile(loads(declared.replace("own", "laplace"))).sample(4)["x"]
    assert torch.equal(drawn, same)
