"""An image whose parents act locally, with random weights: laws that hold for any network."""

from __future__ import annotations

import pytest
import torch

from causalflow.diffusion.guidance.contrast import GUIDANCES
from causalflow.diffusion.locality import Regions
from causalflow.diffusion.solver.solver import SOLVERS
from causalflow.errors import EvidenceError
from causalflow.graph.node import Anticausal, Class, Continuous, Diffusion, Image, Neural
from causalflow.mechanisms.image.image_mechanism import ImageMechanism

ROWS = 5
PARENTS = {"color": Class(levels=("g", "r")), "width": Continuous()}
KINDS = {
    "neural": {"color": Neural(), "width": Neural()},
    "anticausal": {"color": Anticausal(scale=2.0), "width": Neural()},
}


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def mechanism(kinds="neural", **options):
    """Random weights throughout; those that start at zero are shaken."""
    small = {"width": 4, "multipliers": (1,), "predictor_width": 4, "steps": 3, "code": 0}
    options = {"guided_steps": 3, "local": True, "local_draws": 3} | small | options
    node = Image(shape=(2, 8, 8), diffusion=Diffusion(**options))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        made = ImageMechanism("image", node, PARENTS, KINDS[kinds]).eval()
    draws = generator(1)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=draws))
    return made


def rows(n=ROWS):
    draws = generator(2)
    image = torch.rand(n, 2, 8, 8, generator=draws) * 2 - 1
    return image, {
        "color": torch.arange(n) % 2,
        "width": torch.randn(n, generator=draws, dtype=torch.float64),
    }


def other(parents):
    """Another color in the first two rows."""
    return {**parents, "color": torch.cat([1 - parents["color"][:2], parents["color"][2:]])}


@pytest.mark.parametrize("kinds", KINDS)
@pytest.mark.parametrize("solver", SOLVERS)
def test_the_null_intervention_is_that_of_a_picture_that_is_not_held(solver, kinds):
    (image, parents), answers = rows(), []
    for local in (True, False):
        made = mechanism(kinds, solver=solver, local=local)
        answers.append(made.predict(parents, made.abduct(image, parents, generator())))
    assert torch.equal(*answers)
    torch.testing.assert_close(answers[0], image, rtol=0, atol=1e-6)


@pytest.mark.parametrize("kinds", KINDS)
@pytest.mark.parametrize("solver", ["alf", "difference", "dpm++2m", "ancestral"])
def test_where_the_mask_is_empty_the_picture_is_the_factual_one(solver, kinds):
    """Random weights answer everywhere; a steep ramp leaves part of the picture out."""
    made = mechanism(kinds, solver=solver, local_ramp=(0.6, 0.7), guided_solver="dpm++2m")
    image, parents = rows()
    noise = made.abduct(image, parents, generator())
    with Regions() as regions:
        got = made.predict(other(parents), noise)
    first = {name: value[:2] for name, value in parents.items()}
    asked = {name: value[:2] for name, value in other(parents).items()}
    mask = made.trajectory.mask(asked, first, image[:2])
    out = (mask == 0).expand(2, 2, 8, 8)
    assert out.any()
    assert not out.all()
    # The network's float32, asked for two worlds in one batch and for one when it was abducted.
    torch.testing.assert_close(got[:2][out], image[:2][out], rtol=0, atol=2e-5)
    assert (got[:2] - image[:2])[mask.expand_as(out) == 1].abs().min() > 1e-5
    torch.testing.assert_close(got[2:], image[2:], rtol=0, atol=1e-6)
    share = regions.shares["image"]
    torch.testing.assert_close(share[:2], mask.flatten(1).mean(dim=1))
    assert share[2:].isnan().all()


def test_the_same_noise_gives_the_same_picture_and_the_global_state_is_left_alone():
    made, (image, parents) = mechanism(), rows()
    state = torch.get_rng_state()
    noise = made.abduct(image, parents, generator())
    first, again = (made.predict(other(parents), noise) for _ in range(2))
    assert torch.equal(first, again)
    assert torch.equal(torch.get_rng_state(), state)


def test_a_noise_that_was_abducted_without_the_option_can_be_predicted_with_it():
    image, parents = rows()
    made = mechanism()
    noise = mechanism(local=False).abduct(image, parents, generator())
    assert "image" not in noise
    got = made.predict(other(parents), noise)
    own = made.predict(other(parents), made.abduct(image, parents, generator()))
    torch.testing.assert_close(got, own, rtol=0, atol=1e-5)


@pytest.mark.parametrize("solver", ["alf", "ddim"])
def test_a_noise_that_was_abducted_unguided_is_completed_where_guidance_is_asked_of_it(solver):
    guided = {"guidance": "delta", "strength": 2.0, "guided_steps": 2}
    made = mechanism(solver=solver, local_ramp=(0.6, 0.7))
    asked, (image, parents) = made.configured(**guided), rows()
    noise = asked.abduct(image, parents, generator())
    bare = made.abduct(image, parents, generator())
    assert "guided_residual" not in bare
    got = asked.predict(other(parents), bare)
    torch.testing.assert_close(got, asked.predict(other(parents), noise), rtol=0, atol=1e-6)


def test_a_drawn_picture_has_no_factual_one_to_be_held_by():
    _, parents = rows()
    drawn = [mechanism(local=local).draw_noise(ROWS, generator()) for local in (True, False)]
    assert drawn[0]["image"].isnan().all()
    with Regions() as regions:
        held = mechanism().predict(parents, drawn[0])
    assert torch.equal(held, mechanism(local=False).predict(parents, drawn[1]))
    assert regions.shares["image"].isnan().all()


@pytest.mark.parametrize("guidance", GUIDANCES)
def test_neural_guidance_is_held_too(guidance):
    made = mechanism(guidance=guidance, strength=1.5, local_ramp=(0.6, 0.7))
    image, parents = rows()
    with Regions() as regions:
        got = made.predict(other(parents), made.abduct(image, parents, generator()))
    moved = (got - image).abs().amax(dim=1)
    held = (moved[:2] < 2e-5).double().flatten(1).mean(dim=1)
    # At the edge, where the mask is between 0 and 1, all moves and a part is counted.
    assert (held > 1 - regions.shares["image"][:2] - 0.15).all()
    assert (held < 1).all()
    assert moved[2:].max() < 1e-6


def test_a_balanced_way_up_beside_it_is_refused():
    with pytest.raises(EvidenceError, match="node 'image': local beside balance 'stopping'"):
        mechanism("anticausal", balance="stopping").draw_noise(1, generator())


def test_what_a_counterfactual_assumes_names_it():
    assert mechanism().assumption.endswith("and parents that act locally")
    assert mechanism(local=False).assumption == "the noise of its diffusion model"
