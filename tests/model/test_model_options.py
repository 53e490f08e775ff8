"""Options of image nodes, from the file, from compile and from call to call; one's own modules."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import causalflow as cf
from causalflow.errors import CausalflowError, CheckpointError, CompileError

SMALL = {"width": 8, "multipliers": (1, 2), "predictor_width": 8}
NODES = {
    "color": {"type": "class", "levels": ["green", "red"]},
    "width": {"type": "continuous", "noise": "linear"},
    "image": {"type": "image", "shape": [2, 8, 8]},
}
ROWS = 4


def graph(color="anticausal", **diffusion):
    image = {**NODES["image"], "diffusion": diffusion} if diffusion else NODES["image"]
    edges = ["width -> image", f"color -> image: {color}"]
    return cf.Graph(nodes={**NODES, "image": image}, edges=edges)


def evidence(n=ROWS):
    draws = torch.Generator().manual_seed(0)
    return {
        "color": torch.arange(n) % 2,
        "width": torch.randn(n, generator=draws, dtype=torch.float64),
        "image": torch.rand(n, 2, 8, 8, generator=draws),
    }


def fitted(declared, **options):
    """Two steps of training, then weights shaken so that nothing starts at zero."""
    model = cf.compile(declared, **options)
    training = {"steps": 2, "batch_size": 8, "progress": False, "device": "cpu"}
    model.fit(evidence(16), **training)
    draws = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.scm.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=draws))
    return model


class Plain(nn.Module):
    """A network of one's own."""

    def __init__(self, condition=32):
        super().__init__()
        self.mix = nn.Conv2d(2, 2, 3, padding=1)
        self.told = nn.Linear(condition + 1, 2)

    def forward(self, x, tau, condition):
        shift = self.told(torch.cat([tau[:, None], condition], dim=1))
        return torch.tanh(self.mix(x)) + shift[:, :, None, None]


class Clean(nn.Module):
    """A classifier of images."""

    def __init__(self, levels=2):
        super().__init__()
        self.readout = nn.Linear(2, levels)

    def forward(self, x):
        return self.readout(x.mean(dim=(2, 3)))


class Noisy(Clean):
    """A classifier of noisy images."""

    def forward(self, y, tau):
        return self.readout(y.mean(dim=(2, 3))) * (1 - tau)[:, None]


def same(first, second):
    assert all(first[name].equal(second[name]) for name in first)


@pytest.mark.parametrize("color", ["neural", "anticausal"])
def test_the_default_costs_at_most_sixty_network_calls(color):
    model = fitted(graph(color), image=cf.Diffusion(**SMALL))
    for do in ({}, {"color": "red"}, {"color": "red", "width": 0.5}):
        assert model.counterfactual(evidence(), do).info.network_calls <= 60
    assert cf.compile(graph("neural")).scm.module("image").options.steps == 20


def test_a_call_changes_solver_steps_and_guidance_and_leaves_the_model_alone():
    model = fitted(graph("neural"), image=cf.Diffusion(**SMALL, steps=3))
    before = model.counterfactual(evidence(), {"color": "red"})
    world = model.counterfactual(
        evidence(), {"color": "red"}, solver="ddim", steps=5, guidance="delta", strength=3.0
    )
    # Up 5, the residuals of both solvers 10, down 5, in the two rows that change with a contrast,
    # but in the first step, which is outside of the interval of guidance.
    assert world.info.network_calls == 5 + 10 + (2 * 5 + 2 * (5 + 4)) / 4
    same(model.counterfactual(evidence(), {"color": "red"}), before)
    weak = model.counterfactual(evidence(), {"color": "red"}, guidance="delta", strength=1.0)
    assert weak["image"].equal(before["image"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"solvr": "alf"}, r"unknown option 'solvr'; expected one of .*did you mean 'solver'"),
        ({"solver": "rk4"}, r"solver='rk4'; expected one of \['ddim'"),
        ({"width": 3}, r"unknown option 'width'; expected one of \['solver'"),
        ({"strength": "big"}, r"strength='big'; expected a finite number from 0"),
        ({"guidance": "grupped"}, r"guidance='grupped'; expected a number or one of .*'grouped'"),
        ({"guidance_interval": (1, 0)}, r"expected two numbers \(low, high\) between 0 and 1"),
    ],
)
def test_wrong_options_of_a_call_are_one_line_errors(options, message):
    model = fitted(graph(), image=cf.Diffusion(**SMALL, steps=2))
    with pytest.raises(CausalflowError, match=message) as caught:
        model.counterfactual(evidence(), {"color": "red"}, **options)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"imag": cf.Diffusion()}, r"no option or image node 'imag'.*did you mean 'image'"),
        ({"color": cf.Diffusion()}, r"no option or image node 'color'; expected one of .*'image'"),
        ({"image": {"width": 8}}, r"image=\{'width': 8\}; expected its options, as cf.Diffusion"),
        ({"networks": {"color": Plain()}}, r"networks of 'color'.*expected one of \['image'\]"),
        ({"networks": {"image": len}}, r"expected a torch.nn.Module"),
        ({"networks": {"image": nn.Linear(1, 1)}}, r"cannot be called as network\(x, tau, cond"),
        ({"networks": {"image": Plain(7)}}, r"cannot be called as network\(x, tau, condition\)"),
        ({"predictors": {"image": {"width": Clean()}}}, r"'width' is no class parent.*'color'"),
        ({"predictors": {"image": {"color": lambda a, b, c: a}}}, r"takes 3 arguments; expected"),
        ({"predictors": {"image": {"color": lambda x: x}}}, r"gives \(2, 2, 8, 8\) of two images"),
    ],
)
def test_wrong_options_of_compile_are_one_line_errors(options, message):
    with pytest.raises(CompileError, match=message) as caught:
        cf.compile(graph(), **options)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("classifier", [Clean, Noisy])
def test_a_network_and_a_classifier_of_ones_own(classifier, tmp_path):
    def parts():
        torch.manual_seed(0)
        return {"networks": {"image": Plain()}, "predictors": {"image": {"color": classifier()}}}

    given = parts()
    untouched = classifier()
    untouched.load_state_dict(given["predictors"]["image"]["color"].state_dict())
    model = cf.compile(graph(), image=cf.Diffusion(**SMALL, steps=4), **given)
    model.fit(evidence(16), steps=2, batch_size=8, progress=False, device="cpu")
    weight = given["predictors"]["image"]["color"].readout.weight
    assert weight.equal(untouched.readout.weight)  # it is not trained
    world = model.counterfactual(evidence(), {"color": [0, 0, 0, 1]})
    rows = [0, 2, 3]
    torch.testing.assert_close(world["image"][rows], evidence()["image"][rows], rtol=0, atol=1e-5)
    pulled = model.counterfactual(evidence(), {"color": [0, 0, 0, 1]}, guidance=50.0)["image"][1]
    assert (pulled - world["image"][1]).abs().max() > 1e-3
    read = model.counterfactual({"image": evidence()["image"], "width": evidence()["width"]}, {})
    assert set(read.info.inferred) == {"color"}
    model.save(tmp_path / "m")
    again = cf.Model.load(tmp_path / "m", **parts())
    same(
        again.counterfactual(evidence(), {"color": "red"}),
        model.counterfactual(evidence(), {"color": "red"}),
    )
    with pytest.raises(CheckpointError, match=r"was compiled with networks=\['image'\]"):
        cf.Model.load(tmp_path / "m")


def test_a_saved_model_keeps_the_options_that_its_graph_leaves_to_the_defaults(tmp_path):
    model = fitted(graph("neural"), image=cf.Diffusion(**SMALL, steps=2))
    model.save(tmp_path / "m")
    loaded = cf.Model.load(tmp_path / "m")
    assert loaded.scm.module("image").options == model.scm.module("image").options
    assert loaded.scm.module("image").options.code == 32
    same(
        loaded.counterfactual(evidence(), {"width": 1.0}),
        model.counterfactual(evidence(), {"width": 1.0}),
    )


@pytest.mark.parametrize("classifier", [Clean, Noisy])
def test_parts_of_ones_own_are_tried_where_they_are_and_the_model_goes_there(classifier):
    """On "meta", as on a GPU, a weight refuses to be multiplied with a tensor of the CPU."""
    with pytest.raises(RuntimeError, match="meta"), torch.no_grad():
        Plain().to("meta")(torch.zeros(2, 2, 8, 8), torch.zeros(2), torch.zeros(2, 32))
    away = {
        "networks": {"image": Plain().to("meta")},
        "predictors": {"image": {"color": classifier().to("meta")}},
    }
    for given in ({"networks": away["networks"]}, {"predictors": away["predictors"]}, away):
        model = cf.compile(graph(), image=cf.Diffusion(**SMALL), **given)
        assert {weight.device.type for weight in model.scm.state_dict().values()} == {"meta"}
    with pytest.raises(CompileError, match=r"gives \(2, 3\) of two images; expected \(2, 2\)"):
        cf.compile(graph(), predictors={"image": {"color": classifier(3).to("meta")}})
    assert cf.compile(graph()).device.type == "cpu"
