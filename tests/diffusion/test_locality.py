"""Locality, by truth: of a Gaussian picture the velocity is known, and where a parent moves it.

A pixel is N(c inside of a block, 1) under the parent c, and N(0, 1) elsewhere, independent of the
others. So its velocity E[eps - x_0 | y] at y = (1 - tau) x_0 + tau eps is affine in y and c,

    v = ((tau - (1 - tau)) (y - (1 - tau) mu) / ((1 - tau)^2 + tau^2) - mu,    mu = c in the block,

its response to a change of c is the same everywhere in the block, and 0 outside, and no pixel
knows of another.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
import torch

from causalflow.diffusion.field import noise_conditional
from causalflow.diffusion.locality import FAINT, Regions, mask_of, paired, response
from causalflow.diffusion.solver.solver import SOLVERS
from causalflow.diffusion.trajectory import Trajectory
from causalflow.graph.node import Diffusion
from causalflow.nn.replay import Replay

ROWS, SHAPE = 3, (2, 8, 8)
BLOCK = torch.zeros(1, 1, 8, 8, dtype=torch.float64)
BLOCK[..., 2:5, 1:7] = 1
EVERYWHERE = torch.ones_like(BLOCK)


def velocity(place):
    def known(y, tau, conditions):
        times = torch.as_tensor(tau, dtype=y.dtype)
        times = times.reshape(-1, 1, 1, 1) if times.ndim else times
        mean = conditions["c"].reshape(-1, 1, 1, 1) * place
        noisy = (y - (1 - times) * mean) / ((1 - times) ** 2 + times**2)
        return (2 * times - 1) * noisy - mean

    return known


def trajectory(place=BLOCK, pulled=0.0, **options):
    """With a predictor of the class "k", which reads the block of the first channel alone."""

    def logits(y, tau):
        seen = (y[:, 0] * place[0]).flatten(1).sum(dim=1)
        return torch.stack([-seen, seen], dim=1)

    return Trajectory(
        velocity=velocity(place),
        options=Diffusion(**{"steps": 6, "guided_steps": 9, **options}),
        tau_max=0.995,
        neural=("c",),
        scales={"k": pulled},
        levels={"k": 2},
        predictor=noise_conditional({"k": logits}),
        replay=Replay(),
    )


def conditions(c, k=0):
    return {"c": torch.full((ROWS,), c, dtype=torch.float64), "k": torch.full((ROWS,), k)}


def pictures():
    return torch.randn(ROWS, *SHAPE, generator=torch.Generator().manual_seed(0))


FACTUAL, OTHER = conditions(0.0), conditions(1.5)
INSIDE = BLOCK.expand(ROWS, *SHAPE).bool()


@pytest.mark.parametrize("draws", [1, 5, 300])
def test_the_mask_is_the_block_that_the_parent_moves_and_no_pixel_more(draws):
    way = trajectory(local_draws=min(draws, 256))
    mask = way.mask(OTHER, FACTUAL, pictures())
    assert torch.equal(mask, BLOCK.expand(ROWS, 1, 8, 8))


def test_a_parent_that_acts_weakly_keeps_its_place_beside_one_that_acts_strongly():
    """A twentieth of the other's response is less than ``local_ramp`` of the largest."""
    corner = torch.zeros_like(BLOCK)
    corner[..., 7:, :] = 1

    def both(y, tau, told):
        weak = {"c": told["weak"]}
        return velocity(BLOCK)(y, tau, told) + velocity(corner)(y, tau, weak)

    still = torch.zeros(ROWS, dtype=torch.float64)
    way = replace(trajectory(), velocity=both)
    target = {**OTHER, "weak": torch.tensor([0.075, 0.0, 0.0], dtype=torch.float64)}
    mask = way.mask(target, {**FACTUAL, "weak": still}, pictures())
    assert torch.equal(mask[:1], BLOCK + corner)
    assert torch.equal(mask[1:], BLOCK.expand(2, 1, 8, 8)), "where it is as it was, it has no place"


def test_guidance_away_from_no_parent_at_all_leaves_the_mask_where_the_changed_parent_acts():
    corner = torch.zeros_like(BLOCK)
    corner[..., 7:, :] = 1

    def both(y, tau, told):
        own, still = ({"c": told[name].nan_to_num()} for name in ("c", "still"))
        return velocity(BLOCK)(y, tau, own) + velocity(corner)(y, tau, still)

    guided = trajectory(guidance="free", strength=3.0)
    way = replace(guided, velocity=both, neural=("c", "still"))
    still = torch.full((ROWS,), 2.0, dtype=torch.float64)
    mask = way.mask({**OTHER, "still": still}, {**FACTUAL, "still": still}, pictures())
    assert torch.equal(mask, BLOCK.expand(ROWS, 1, 8, 8))


@pytest.mark.parametrize("solver", SOLVERS)
def test_outside_the_factual_path_is_followed_to_the_bit_and_inside_nothing_is_held(solver):
    way = trajectory(solver=solver)
    position, offset = way.up(pictures(), FACTUAL, torch.Generator().manual_seed(1))
    mask = way.mask(OTHER, FACTUAL, pictures())
    got = way.local(OTHER, FACTUAL, mask, position, offset)
    held, free = way.down(FACTUAL, position, offset), way.down(OTHER, position, offset)
    assert torch.equal(got[~INSIDE], held[~INSIDE])
    torch.testing.assert_close(got[INSIDE], free[INSIDE], rtol=0, atol=1e-12)
    assert (got - held)[INSIDE].abs().min() > 0.1


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_change_of_the_whole_picture_fills_the_mask_and_nothing_is_held(solver):
    way = trajectory(EVERYWHERE, solver=solver)
    position, offset = way.up(pictures(), FACTUAL, torch.Generator().manual_seed(1))
    mask = way.mask(OTHER, FACTUAL, pictures())
    assert torch.equal(mask, torch.ones_like(mask))
    got = way.local(OTHER, FACTUAL, mask, position, offset)
    free = way.down(OTHER, position, offset)
    torch.testing.assert_close(got, free, rtol=0, atol=1e-12)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("edge", [0.0, 0.5])
def test_without_a_change_the_picture_comes_back_to_the_bit_whatever_the_mask(solver, edge):
    way = trajectory(solver=solver)
    position, offset = way.up(pictures(), FACTUAL, torch.Generator().manual_seed(1))
    empty = way.mask(FACTUAL, FACTUAL, pictures())
    assert not empty.any()
    got = way.local(FACTUAL, FACTUAL, empty + edge, position, offset)
    assert torch.equal(got, way.down(FACTUAL, position, offset))


@pytest.mark.parametrize("solver", ["dpm++2m", "midpoint", "heun"])
def test_the_guided_way_is_held_outside_and_is_the_guided_one_inside(solver):
    way = trajectory(pulled=2.0, guided_solver=solver, anticausal="hold")
    factual, other = conditions(0.0, 0), conditions(0.0, 1)
    position, offset = way.up(pictures(), factual, torch.Generator().manual_seed(1))
    mask = way.mask(other, factual, pictures())
    assert torch.equal(mask, BLOCK.expand(ROWS, 1, 8, 8))
    got = way.local(other, factual, mask, position, offset)
    held, free = way.fresh(factual, position), way.guided(other, factual, position)
    assert torch.equal(got[~INSIDE], held[~INSIDE])
    torch.testing.assert_close(got[INSIDE], free[INSIDE], rtol=0, atol=1e-12)
    assert (free - held).abs().max() > 0.03


def test_at_the_edge_the_answer_does_not_depend_on_the_number_of_steps():
    """Half a mask leaves half of the change, where blending at every step would leave 2^-steps."""
    ends = []
    for steps in (40, 80, 160):
        way = trajectory(solver="heun", steps=steps)
        position, offset = way.up(pictures(), FACTUAL, torch.Generator().manual_seed(1))
        half = BLOCK.expand(ROWS, 1, 8, 8) / 2
        ends.append(way.local(OTHER, FACTUAL, half, position, offset))
    first, second = ((a - b).abs().max() for a, b in pairwise(ends))
    assert second < first / 3 < 1e-3  # Heun's is a method of second order


def test_the_ramp_rises_between_two_shares_of_the_maximum_and_growing_widens_it():
    s = torch.tensor([0.05, 0.1, 0.15, 0.2, 1.0, 0.0, 0.0]).reshape(1, 1, 1, 7)
    torch.testing.assert_close(
        mask_of(s, (0.1, 0.2)).flatten(), torch.tensor([0, 0, 0.5, 1, 1, 0, 0])
    )
    assert mask_of(s, (0.1, 0.2), grow=1).flatten().tolist()[3:] == [1, 1, 1, 0]
    assert mask_of(s, (0.1, 0.2), grow=2).flatten().tolist()[3:] == [1, 1, 1, 1]
    assert not mask_of(s * FAINT / 2, (0.1, 0.2)).any()


def test_the_response_is_a_function_of_the_picture_and_draws_nothing():
    x, state = pictures(), torch.get_rng_state()

    def pair(target, factual):
        return paired(velocity(BLOCK), target, factual)

    first = response(pair, OTHER, FACTUAL, x, 4)
    assert torch.equal(response(pair, OTHER, FACTUAL, x, 4), first)
    assert torch.equal(torch.get_rng_state(), state)
    one = {name: value[:1] for name, value in OTHER.items()}
    alone = response(pair, one, {n: v[:1] for n, v in FACTUAL.items()}, x[:1], 4)
    assert torch.equal(alone, first[:1])
    # v' - v = -c (1 + (2 tau - 1) (1 - tau) / ((1 - tau)^2 + tau^2)) in the block
    tau = torch.tensor([0.5, 0.7, 0.9, 0.5], dtype=torch.float64)
    slope = 1 + (2 * tau - 1) * (1 - tau) / ((1 - tau) ** 2 + tau**2)
    torch.testing.assert_close(first, (1.5 * slope.mean() * BLOCK).expand_as(first))


def test_who_listens_is_told_the_share_of_each_picture_and_what_is_unsure():
    nothing = Regions()
    Regions.tell("image", torch.ones(1))
    with nothing:
        pass
    assert not nothing.shares
    with Regions() as regions:
        Regions.tell("image", torch.tensor([0.25, torch.nan, 0.75, 0.0]))
        Regions.tell("still", torch.tensor([torch.nan]))
    (said,) = regions.assumptions
    assert "'image' is held outside" in said
    assert "(33% of the picture, 0% to 75% by row)" in said
    assert said.endswith("a change of the whole picture fills it in 1 of 3 rows")
    (unsure,) = regions.unsure
    assert "in 1 of the 3 pictures whose parents do() changed" in unsure


def test_the_options_of_a_trajectory_set_the_mask():
    wide = trajectory(local_grow=1)
    mask = wide.mask(OTHER, FACTUAL, pictures())
    assert int(mask[0].sum()) == 5 * 8
    steep = replace(wide, options=Diffusion(local_ramp=(0.5, 0.9)))
    assert torch.equal(steep.mask(OTHER, FACTUAL, pictures())[:1], BLOCK)
