"""A mechanism taken over from another graph does there what it did at home."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

import causalflow as cf
from causalflow.errors import CompileError, EvidenceError
from causalflow.graph.latent_options import Latent
from causalflow.model.construction import CompileOptions, structural_model
from causalflow.model.model import Model

DIFFUSION = {"width": 8, "multipliers": [1, 2], "predictor_width": 8, "steps": 5}
LABELS = ("digit", "color")


def graph(*edges, **diffusion):
    """digit and color make an image; what joins the two is left to ``edges``."""
    nodes = {
        "digit": {"type": "class", "levels": 3},
        "color": {"type": "class", "levels": ["green", "red"]},
        "image": {"type": "image", "shape": [2, 8, 8], "diffusion": DIFFUSION | diffusion},
    }
    return cf.Graph(nodes=nodes, edges=[*edges, "digit, color -> image"])


def fitted(declared, seed=0):
    """Random weights, taken as fitted."""
    scm = structural_model(declared, CompileOptions(seed=seed))
    draws = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in scm.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=draws))
    return Model(scm.eval(), CompileOptions(seed=seed), declared.nodes)


def labels(n=400):
    random = np.random.default_rng(0)
    digit = random.integers(0, 3, n)
    return {"digit": digit, "color": (random.random(n) < 0.2 + 0.3 * digit).astype(np.int64)}


def test_a_transplanted_image_is_made_as_in_the_donor():
    donor = fitted(graph("digit -> color"))
    model = cf.compile(graph("digit <-> color"))
    model.fit(labels(), nodes=LABELS, progress=False)
    assert model.transplant("image", donor) is model
    draws = torch.Generator().manual_seed(1)
    evidence = {
        "digit": torch.tensor([0, 1, 2]),
        "color": torch.tensor([0, 1, 0]),
        "image": torch.rand(3, 2, 8, 8, generator=draws),
    }
    # The digit is the colour's cause there and not here: only where the colour is set too do the
    # two graphs speak of the same picture.
    do = {"digit": 1, "color": "red"}
    here, there = (each.counterfactual(evidence, do) for each in (model, donor))
    assert torch.equal(here["image"], there["image"])
    assert not torch.equal(here["image"], evidence["image"])
    kept = model.counterfactual(evidence, {"digit": 1})
    assert torch.equal(kept["color"], evidence["color"])


def test_the_donor_keeps_weights_of_its_own():
    donor, model = fitted(graph("digit -> color")), cf.compile(graph("digit <-> color"))
    model.transplant("image", donor)
    before = [weight.clone() for weight in donor.scm.module("image").parameters()]
    with torch.no_grad():
        for weight in model.scm.module("image").parameters():
            weight.zero_()
    after = donor.scm.module("image").parameters()
    assert all(torch.equal(one, two) for one, two in zip(before, after, strict=True))


def test_what_was_not_fitted_cannot_be_taken():
    model = cf.compile(graph("digit <-> color"))
    with pytest.raises(EvidenceError, match=r"mechanisms of \['image'\] are untrained"):
        model.transplant("image", cf.compile(graph("digit -> color")))


@pytest.mark.parametrize(
    ("edges", "options", "message"),
    [
        (["digit -> color"], {"code": 0}, "option 'code' 32 in the donor, 0 in this model"),
        (["color -> digit"], {}, r"parents \['digit', 'color'\] in the donor"),
    ],
)
def test_another_mechanism_is_refused(edges, options, message):
    with pytest.raises(CompileError, match=message):
        cf.compile(graph(*edges, **options)).transplant("image", fitted(graph("digit -> color")))


def test_a_network_of_another_width_in_the_same_latent_is_refused_by_its_name():
    declared = [graph("digit -> color", width=width) for width in (8, 16)]
    latent = Latent(factor=2, channels=2, width=4)
    narrow, wide = (
        each.with_nodes({"image": replace(each.nodes["image"], latent=latent)}) for each in declared
    )
    with pytest.raises(CompileError, match="option 'width' 8 in the donor, 16 in this model"):
        cf.compile(wide).transplant("image", fitted(narrow))


def test_a_node_below_a_hidden_cause_is_refused():
    donor, model = fitted(graph("digit <-> color")), cf.compile(graph("digit <-> color"))
    with pytest.raises(CompileError, match="reads the hidden cause 'color <-> digit'"):
        model.transplant("color", donor)


def test_an_unknown_node_is_refused():
    donor, model = fitted(graph("digit -> color")), cf.compile(graph("digit -> color"))
    with pytest.raises(CompileError, match="the donor has no node 'bar'"):
        model.transplant("bar", donor)
