"""Published networks in the engine, against the loops of guided-diffusion written out here.

alpha_bar = alpha^2, x_t = alpha x_0 + sigma eps. The networks have random weights in float64 and
answer at integer steps; both sides call the same networks, so what is compared is coordinates,
levels, guidance and steps. Early steps divide by alpha = 6e-3: tolerances are relative.
"""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from adm_reference import SMALL, SMALL_POOLED, draw, file, made
from torch import Tensor, nn
from torch.nn import functional

import causalflow as cf
from causalflow.diffusion.denoiser import Denoiser
from causalflow.diffusion.field import noise_conditional
from causalflow.diffusion.guidance.anticausal import Pull
from causalflow.diffusion.guidance.contrast import guide
from causalflow.diffusion.path import TAU_MIN, cosine_alpha_bar, grid, linear_alpha_bar, tau_of
from causalflow.diffusion.solver.solver import SOLVERS, integrate, rest
from causalflow.errors import CheckpointError, CompileError
from causalflow.graph.node import Class, Continuous, Diffusion
from causalflow.pretrained.adm import GuidedDiffusion, GuidedDiffusionClassifier
from causalflow.pretrained.adm_file import network_of

ROOT = Path(__file__).resolve().parents[2]
CLASSES = 5
OPTIONS = Diffusion(width=2, path="linear-1000", prediction="noise", code=0)
BETA = torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64)
ALPHA_BAR = (1 - BETA).cumprod(dim=0)
LOG_ODDS = ((1 - ALPHA_BAR) / ALPHA_BAR).log() / 2
SCALE = 5.0


def ddim(x: Tensor, steps: list[int], noise) -> list[Tensor]:
    """Song et al. (2021), equation 12 with sigma = 0, over some of the 1000 steps, either way."""
    levels = [x]
    for now, following in pairwise(steps):
        eps, a, b = noise(x, now), ALPHA_BAR[now], ALPHA_BAR[following]
        x_0 = (x - (1 - a).sqrt() * eps) / a.sqrt()
        x = b.sqrt() * x_0 + (1 - b).sqrt() * eps
        levels.append(x)
    return levels


def engine(field, x: Tensor, steps: list[int]) -> list[Tensor]:
    """The engine's DDIM over the same levels, in the coordinates of x_t."""
    alpha_bar = ALPHA_BAR[steps]
    scales = alpha_bar.sqrt() + (1 - alpha_bar).sqrt()
    solver, nodes = SOLVERS.get("ddim"), tau_of(alpha_bar)
    state = rest(solver, field, x / scales[0], nodes.flip(0))
    states = integrate(solver, field, state, nodes)
    return [y * scale for (y, *_), scale in zip(states, scales, strict=True)]


def eps_of(unet: nn.Module, label: Tensor | None = None):
    def noise(x: Tensor, t: int) -> Tensor:
        told = () if label is None else (unet.label_emb.weight[label],)
        return unet(x, torch.full((len(x),), t), *told)[:, :3]

    return noise


def relative(ours: list[Tensor], theirs: list[Tensor]) -> float:
    pairs = zip(ours, theirs, strict=True)
    return max(((a - b).norm() / b.norm()).item() for a, b in pairs)


DOWN = [999, 900, 777, 500, 250, 111, 20, 3, 0]


@pytest.mark.parametrize("steps", [DOWN, DOWN[::-1]], ids=["to the image", "to the noise"])
@pytest.mark.parametrize("classes", [None, CLASSES])
def test_ddim_of_the_engine_is_ddim_of_guided_diffusion(steps, classes):
    unet = made(replace(SMALL, classes=classes))
    parents = {} if classes is None else {"label": Class(levels=tuple(range(classes)))}
    denoiser = Denoiser(3, parents, OPTIONS, network=GuidedDiffusion(unet)).double()
    label = None if classes is None else torch.tensor([4, 1])
    told = {} if label is None else {"label": label}
    ours = engine(lambda y, tau: denoiser.velocity(y, tau, told), draw(0, 2, 3, 8, 8), steps)
    assert relative(ours, ddim(draw(0, 2, 3, 8, 8), steps, eps_of(unet, label))) < 1e-8


def test_guided_ddim_of_the_engine_is_that_of_guided_diffusion():
    unet, classifier, label = made(SMALL), made(SMALL_POOLED), torch.tensor([4, 1])
    denoiser = Denoiser(3, {}, OPTIONS, network=GuidedDiffusion(unet)).double()
    predictor = noise_conditional({"label": GuidedDiffusionClassifier(classifier).double()})
    field = guide(
        lambda y, tau, told: denoiser.velocity(y, tau, told),
        {"label": label},
        {"label": torch.tensor([-1, -1])},
        neural=(),
        pulled=Pull(predictor=predictor, scales={"label": SCALE}, aim="printed"),
    )

    def guided(x: Tensor, t: int) -> Tensor:
        """eps - s sqrt(1 - alpha_bar) grad log p(y | x_t)."""
        point = x.clone().requires_grad_()
        logits = classifier(point, torch.full((len(x),), t))
        likelihood = functional.log_softmax(logits, dim=-1)[torch.arange(len(x)), label].sum()
        (slope,) = torch.autograd.grad(likelihood, point)
        return eps_of(unet)(x, t) - SCALE * (1 - ALPHA_BAR[t]).sqrt() * slope

    ours = engine(field, draw(0, 2, 3, 8, 8), DOWN)
    theirs = ddim(draw(0, 2, 3, 8, 8), DOWN, guided)
    assert relative(ours, theirs) < 1e-5
    unguided = ddim(draw(0, 2, 3, 8, 8), DOWN, eps_of(unet))
    assert relative(unguided, theirs) > 1e-2  # the guidance is not nothing


@pytest.mark.parametrize(
    ("schedule", "alpha_bar"),
    [("linear-1000", linear_alpha_bar()), ("cosine-1000", cosine_alpha_bar())],
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_network_is_told_the_original_steps_at_every_level(schedule, alpha_bar, dtype):
    clock = GuidedDiffusion(made(SMALL), schedule).clock
    assert clock(tau_of(alpha_bar).to(dtype)).tolist() == list(range(1000))
    assert clock(torch.tensor([0.0, 1.0], dtype=dtype)).tolist() == [0, 999]


def test_between_levels_the_nearest_in_log_odds_is_told():
    clock = GuidedDiffusion(made(SMALL)).clock
    tau = torch.linspace(0.01, 0.993, 401, dtype=torch.float64)
    odds = (tau / (1 - tau)).log()
    nearest = (odds[:, None] - LOG_ODDS).abs().argmin(dim=1)
    assert clock(tau).equal(nearest)


def test_the_variance_that_was_learned_is_left_out():
    unet = made(SMALL)
    network, x, tau = GuidedDiffusion(unet), draw(1, 2, 3, 8, 8), torch.tensor([0.3, 0.9])
    before = network(x, tau, network.condition({}, 2))
    assert before.equal(unet(x, network.clock(tau))[:, :3])
    unet.out[2].weight[3:] = 7.0
    unet.out[2].bias[3:] = 7.0
    assert network(x, tau, network.condition({}, 2)).equal(before)


def test_a_unet_without_a_variance_is_all_noise_and_other_outputs_are_refused(tmp_path):
    unet = made(replace(SMALL, outputs=3))
    network, x, tau = GuidedDiffusion(unet), draw(1, 2, 3, 8, 8), torch.tensor([0.3, 0.9])
    assert network(x, tau, network.condition({}, 2)).equal(unet(x, network.clock(tau)))
    path = file(tmp_path, "up.pt", replace(SMALL, inputs=6, outputs=3))
    with pytest.raises(CheckpointError, match=r"up.pt: a U-Net of 6 channels in and 3 out; exp"):
        cf.guided_diffusion(path, head_channels=16)


def imagenet() -> cf.Graph:
    """The graph file, at 8x8 and five labels."""
    text = (ROOT / "graphs" / "diff_scm_imagenet.yaml").read_text()
    return cf.loads(text.replace("256", "8").replace("levels: 1000", f"levels: {CLASSES}"))


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> cf.Model:
    folder = tmp_path_factory.mktemp("published")
    network = cf.guided_diffusion(file(folder, "unet.pt", SMALL), head_channels=16)
    classifier = cf.guided_diffusion(file(folder, "classifier.pt", SMALL_POOLED), head_channels=16)
    made_model = cf.compile(
        imagenet(),
        networks={"image": network},
        predictors={"image": {"label": classifier}},
    )
    made_model.scm.double()
    return made_model


def test_the_graph_file_declares_the_published_task():
    graph = cf.load(ROOT / "graphs" / "diff_scm_imagenet.yaml")
    assert len(graph.nodes["label"].levels) == 1000
    assert graph.nodes["image"].shape == (3, 256, 256)
    assert graph.kind("label", "image").scale == SCALE
    options = graph.nodes["image"].diffusion
    assert (options.path, options.prediction) == ("linear-1000", "noise")


def test_a_counterfactual_needs_no_fit_and_holds_what_is_not_changed(model):
    x = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    world = model.counterfactual({"image": x, "label": [0, 3]}, {"label": [0, 1]}, steps=6)
    assert world["label"].tolist() == [0, 1]
    # The first row's label is what it was: float32 images, positions in float64.
    torch.testing.assert_close(world["image"][0], x[0], rtol=0, atol=1e-6)
    assert (world["image"][1] - x[1]).abs().max() > 1e-3
    assert model.fitted == {"label", "image"}
    read = model.counterfactual({"image": x}, {"label": 2}, steps=3)
    assert set(read.info.inferred) == {"label"}


def test_the_counterfactual_is_diff_scm_by_plain_loops(model):
    x = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    target, n = torch.tensor([2, 4]), 8
    options = {"solver": "ddim", "guided_solver": "ddim", "residual": False, "grid": "uniform"}
    world = model.counterfactual(
        {"image": x, "label": [0, 3]}, {"label": target.tolist()}, steps=n, **options
    )
    image = model.scm.module("image")
    unet = image.denoiser.network.unet
    classifier = next(iter(image.classifiers.values())).network.classifier
    nodes = grid(n, "uniform", image.denoiser.tau_max)

    def level(tau: Tensor) -> Tensor:
        return (LOG_ODDS - (tau / (1 - tau)).log()).abs().argmin()

    def step(x: Tensor, now: Tensor, then: Tensor, pulls: bool) -> Tensor:
        """x_t at alpha = (1 - tau) r, sigma = tau r, r = 1 / sqrt((1 - tau)^2 + tau^2)."""
        (alpha, sigma), (alpha_then, sigma_then) = (
            ((1 - tau) / torch.hypot(1 - tau, tau), tau / torch.hypot(1 - tau, tau))
            for tau in (now, then)
        )
        t = level(now).expand(len(x))
        eps = unet(x, t)[:, :3]
        if pulls and 0.02 <= now <= 0.995:  # the interval of guidance
            with torch.enable_grad():
                point = x.clone().requires_grad_()
                logits = classifier(point, t).float().log_softmax(dim=-1)
                gain = logits[torch.arange(len(x)), target].sum()
                eps = eps - SCALE * sigma * torch.autograd.grad(gain, point)[0]
        return alpha_then * (x - sigma * eps) / alpha + sigma_then * eps

    start = (
        TAU_MIN / math.hypot(1 - TAU_MIN, TAU_MIN),
        (1 - TAU_MIN) / math.hypot(1 - TAU_MIN, TAU_MIN),
    )
    z = start[1] * (2 * x.double() - 1)  # images in [-1, 1], at the first node without noise
    for now, then in pairwise(nodes):
        z = step(z, now, then, pulls=False)
    for now, then in pairwise(nodes.flip(0)):
        z = step(z, now, then, pulls=True)
    expected = (z / start[1] + 1) / 2
    found = world["image"].double()
    inside = (expected > 0) & (expected < 1)
    difference = torch.where(inside, found - expected, 0.0)
    assert difference.abs().max() < 1e-5


def test_the_network_sees_images_between_minus_one_and_one(model):
    seen = []
    unet = model.scm.module("image").denoiser.network.unet
    hook = unet.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    x = torch.zeros(1, 3, 8, 8)
    x[0, 0] = 1.0
    model.counterfactual({"image": x, "label": [0]}, {}, steps=2, solver="ddim")
    hook.remove()
    scale = (1 - TAU_MIN) / math.hypot(1 - TAU_MIN, TAU_MIN)
    torch.testing.assert_close(seen[0], scale * (2 * x - 1).double())


def test_a_saved_model_of_published_networks_brings_its_weights(tmp_path):
    def compiled_with(unet: nn.Module, classifier: nn.Module) -> dict[str, object]:
        return {
            "networks": {"image": GuidedDiffusion(unet.float().requires_grad_(False))},
            "predictors": {"image": {"label": GuidedDiffusionClassifier(classifier.float())}},
        }

    model = cf.compile(imagenet(), **compiled_with(made(SMALL), made(SMALL_POOLED)))
    model.save(tmp_path / "m")
    blank = compiled_with(network_of(SMALL), network_of(SMALL_POOLED))
    again = cf.Model.load(tmp_path / "m", **blank)
    x = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    asked = ({"image": x, "label": [0, 3]}, {"label": 1})
    expected = model.counterfactual(*asked, steps=3)["image"]
    assert again.counterfactual(*asked, steps=3)["image"].equal(expected)


def test_a_half_precision_trunk_answers_a_counterfactual(tmp_path):
    paths = file(tmp_path, "unet.pt", SMALL), file(tmp_path, "classifier.pt", SMALL_POOLED)
    network, classifier = (
        cf.guided_diffusion(path, head_channels=16, dtype=torch.bfloat16) for path in paths
    )
    model = cf.compile(
        imagenet(),
        networks={"image": network},
        predictors={"image": {"label": classifier}},
    )
    x = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    evidence = {"image": x, "label": [0, 3]}
    # The solver undoes its way up whatever the network rounds to, if it rounds the same: so the
    # rows are the same both times.
    again = model.counterfactual(evidence, {"label": [0, 3]}, steps=4)["image"]
    torch.testing.assert_close(again, x, rtol=0, atol=1e-6)
    moved = model.counterfactual(evidence, {"label": [1, 1]}, steps=4)["image"]
    assert moved.isfinite().all()
    assert (moved - x).abs().max() > 1e-3


@pytest.mark.parametrize(
    ("options", "parents", "sizes", "reason"),
    [
        ({"path": "linear"}, {}, SMALL, "write diffusion: {path: linear-1000, prediction: noise}"),
        (
            {"prediction": "velocity"},
            {},
            SMALL,
            "its options are path: linear-1000, prediction: vel",
        ),
        ({"code": 4}, {}, SMALL, "code=4: write diffusion: {code: 0}"),
        ({}, {"label": 5}, SMALL, "was trained to be told no parent; .*{'label': 5}"),
        ({}, {"label": 6}, replace(SMALL, classes=5), "told one class of 5 levels; .*{'label': 6}"),
        ({}, {"width": None}, replace(SMALL, classes=5), "{'width': None}.*make the others antica"),
        ({}, {}, replace(SMALL, inputs=6), r"on 6 channels \(an upsampler sees .*the image has 3"),
    ],
)
def test_a_network_refuses_what_it_was_not_trained_for(options, parents, sizes, reason):
    nodes = {
        name: Continuous() if levels is None else Class(levels=tuple(range(levels)))
        for name, levels in parents.items()
    }
    with pytest.raises(CompileError, match=reason):
        Denoiser(3, nodes, replace(OPTIONS, **options), network=GuidedDiffusion(made(sizes)))


def test_an_unlabelled_class_is_told_as_nothing():
    network = GuidedDiffusion(made(replace(SMALL, classes=5)))
    told = network.condition({"label": torch.tensor([2, -1])}, 2)
    assert told[0].equal(network.unet.label_emb.weight[2])
    assert told[1].eq(0).all()
