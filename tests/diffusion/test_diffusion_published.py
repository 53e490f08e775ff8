"""The solvers against the loops of their papers, written out in the papers' own notation.

alpha_bar = alpha^2 of the linear schedule, x_t = alpha x_0 + sigma eps, a network of eps.
Every loop runs from the 999th level down through some of the 1000; the solver runs on the nodes of
the same levels, through a `Denoiser` of that path and prediction. Early steps divide by alpha =
6e-3, so numbers reach a hundred: tolerances of 1e-6 are relative to the float64 values.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn

from causalflow.diffusion.denoiser import Denoiser
from causalflow.diffusion.path import linear_alpha_bar, tau_of
from causalflow.diffusion.solver.solver import SOLVERS, integrate, rest
from causalflow.graph.node import Diffusion

ALPHA_BAR = linear_alpha_bar()[torch.linspace(10, 999, 25).long()].flip(0)
OPTIONS = Diffusion(width=2, path="linear-1000", prediction="noise", code=0)


class Noise(nn.Module):
    """A noise prediction that is no model's, smooth in x and in the time."""

    def forward(self, x: Tensor, tau: Tensor, condition: Tensor) -> Tensor:
        time = tau.reshape(-1, *[1] * (x.ndim - 1))
        return torch.tanh(2 * x + time) + 0.3 * torch.sin(7 * time + x)


def predicted(x: Tensor, alpha_bar: float) -> Tensor:
    tau = tau_of(torch.tensor([alpha_bar], dtype=torch.float64))
    return Noise()(x, tau, x)


def start(seed: int = 0) -> Tensor:
    shape = (3, 1, 4, 4)
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def positions(name: str, x: Tensor, offset: Tensor | None = None) -> list[Tensor]:
    """The solver's x_t at every level, from x at the first."""
    denoiser = Denoiser(1, {}, OPTIONS, network=Noise()).double()
    solver, nodes = SOLVERS.get(name), tau_of(ALPHA_BAR)
    scales = (ALPHA_BAR.sqrt() + (1 - ALPHA_BAR).sqrt()).tolist()

    def field(y: Tensor, tau: float) -> Tensor:
        return denoiser.velocity(y, tau, {})

    state = rest(solver, field, x / scales[0], nodes.flip(0))
    state = state if offset is None else (state[0], offset)
    states = integrate(solver, field, state, nodes)
    return [y * scale for (y, *_), scale in zip(states, scales, strict=True)]


def ddim(x: Tensor) -> list[Tensor]:
    """Song et al. (2021), equation 12 with sigma = 0."""
    levels = [x]
    for now, following in pairwise(ALPHA_BAR.tolist()):
        noise = predicted(x, now)
        x_0 = (x - math.sqrt(1 - now) * noise) / math.sqrt(now)
        x = math.sqrt(following) * x_0 + math.sqrt(1 - following) * noise
        levels.append(x)
    return levels


def dpm_solver(x: Tensor) -> list[Tensor]:
    """Lu et al. (2022), DPM-Solver++(2M), algorithm 2: the first step is of first order."""
    levels, images, steps = [x], [], []
    for now, following in pairwise(ALPHA_BAR.tolist()):
        images.append((x - math.sqrt(1 - now) * predicted(x, now)) / math.sqrt(now))
        steps.append(log_snr(following) - log_snr(now))
        image = images[-1]
        if len(images) > 1:
            ratio = steps[-2] / steps[-1]
            image = (1 + 1 / (2 * ratio)) * images[-1] - 1 / (2 * ratio) * images[-2]
        sigmas = math.sqrt((1 - following) / (1 - now))
        x = sigmas * x - math.sqrt(following) * math.expm1(-steps[-1]) * image
        levels.append(x)
    return levels


def log_snr(alpha_bar: float) -> float:
    return math.log(alpha_bar / (1 - alpha_bar)) / 2


@pytest.mark.parametrize(("name", "loop"), [("ddim", ddim), ("dpm++2m", dpm_solver)])
def test_it_is_the_loop_of_its_paper_step_by_step(
    name: str, loop: Callable[[Tensor], list[Tensor]]
) -> None:
    for ours, theirs in zip(positions(name, start()), loop(start()), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-6)


def test_ancestral_is_the_loop_of_ddpm_step_by_step() -> None:
    steps = len(ALPHA_BAR) - 1
    tape = torch.stack([start(seed) for seed in range(1, steps + 1)], dim=1)
    levels, x = [start()], start()
    for i, (now, following) in enumerate(pairwise(ALPHA_BAR.tolist())):
        beta = 1 - now / following
        x_0 = (x - math.sqrt(1 - now) * predicted(x, now)) / math.sqrt(now)
        # Ho et al. (2020), equations 6 and 7: the posterior of x_{t-1} given x_t and x_0.
        mean = math.sqrt(following) * beta / (1 - now) * x_0
        mean = mean + math.sqrt(1 - beta) * (1 - following) / (1 - now) * x
        variance = (1 - following) / (1 - now) * beta
        x = mean + math.sqrt(variance) * tape[:, steps - 1 - i]
        levels.append(x)
    for ours, theirs in zip(positions("ancestral", start(), tape), levels, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-6)
