"""Editor: a network that edits pictures in a few calls, and the student that becomes one.

Notation: x a factual picture, c the conditions it was read under, c' others, as in
`causalflow.mechanisms.image.codec`; x' what a *teacher*, the same mechanism with many calls, makes
of x under c'. The student has a network, times and weights of its own for the solver `difference`
(`causalflow.diffusion.solver.difference`), begins with those of the mechanism, and learns all of
them by the gradient, through both ways, of

    E |x'_student - x'|,

a mean over pixels, rows x of the data, and c': the values of another row, for a random choice of
the parents. Its way up and down share the tape, so that c' = c costs nothing whatever it learns: it
spends its few calls on the change alone.

The network that comes of it is no flow: it draws nothing, and no other solver or number of steps
may ask it. So it serves only where solver, times and weights are those it was distilled with;
wherever else the mechanism's own network is asked.

Source: this project's; distillation of a sampler onto a slower one is Salimans & Ho (2022),
Progressive Distillation for Fast Sampling of Diffusion Models.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import Tensor, nn

from causalflow.diffusion.denoiser import Denoiser
from causalflow.diffusion.path import TAU_MIN, enter, grid, leave
from causalflow.diffusion.solver.difference import DIFFERENCE, climb, descend
from causalflow.diffusion.solver.solver import Field
from causalflow.graph.node import Diffusion
from causalflow.mechanisms.image.codec import Codec, ImageNoise
from causalflow.mechanisms.mechanism import Noise, Values
from causalflow.nn.replay import Replay

__all__ = ["Editor", "Student"]

EARLIEST, LATEST = 0.011, 0.99
"""The ends of what the option ``difference_times`` takes."""
EAGER = 10.0
"""How much faster than the network the times and weights move, which are few."""


class Editor(nn.Module):
    """A distilled network, with the times and weights that it was distilled with.

    Args:
        denoiser: the network; it is not copied.
        times: those of the calls before the one at the noise end.
        weights: up, down, sigma, gamma.
    """

    times: Tensor
    weights: Tensor

    def __init__(
        self, denoiser: Denoiser, times: Sequence[float], weights: Sequence[float]
    ) -> None:
        super().__init__()
        self.denoiser = denoiser.requires_grad_(False)
        self.register_buffer("times", torch.tensor(times, dtype=torch.float64))
        self.register_buffer("weights", torch.tensor(weights, dtype=torch.float64))

    @property
    def options(self) -> dict[str, object]:
        """The options of an image node under which it serves."""
        return {
            "solver": "difference",
            "difference_times": tuple(self.times.tolist()),
            "difference_weights": tuple(self.weights.tolist()),
        }

    def serves(self, options: Diffusion) -> bool:
        """Whether its network is asked under these options."""
        return all(getattr(options, name) == value for name, value in self.options.items())


class Teacher(Protocol):
    """A mechanism of images, asked on its canvas (`causalflow.mechanisms.image.canvas`)."""

    def raised(self, z: Tensor, parents: Values, generator: torch.Generator) -> Noise:
        """The noise of the flow."""

    def lowered(self, parents: Values, noise: Noise) -> Tensor:
        """What the flow gives of a noise."""


class Student(nn.Module):
    """An editor that is learning.

    Args:
        denoiser: that of the mechanism; it is copied.
        encode: what the mechanism's flow runs on, of images.
        codec: that of the mechanism.
        teacher: the same mechanism with many calls.
        calls: the network's calls a counterfactual, up and down together: even, at least 4.
    """

    def __init__(
        self,
        denoiser: Denoiser,
        encode: Callable[[Tensor], Tensor],
        codec: Codec,
        teacher: Teacher,
        calls: int,
    ) -> None:
        super().__init__()
        self.denoiser = copy.deepcopy(denoiser).requires_grad_(True)
        self.denoiser.replay = Replay()
        options, steps = codec.options, calls // 2
        times, weights = options.difference_times, options.difference_weights
        if times is None or len(times) != steps - 1:
            times = tuple(grid(steps, "early", denoiser.tau_max)[1:-1].tolist())
        ends = torch.tensor([TAU_MIN, *times, denoiser.tau_max], dtype=torch.float64)
        self.gaps = nn.Parameter(ends.diff().log() / EAGER)
        self.weights = nn.Parameter(torch.tensor(weights, dtype=torch.float64) / EAGER)
        self._encode, self._codec, self._teacher = encode, codec, (teacher,)

    def loss(self, image: Tensor, parents: Values, generator: torch.Generator) -> Tensor:
        """The mean distance to the teacher's pictures, shape (batch,); images in [-1, 1].

        Both are compared where the flow runs.
        """
        teacher = self._teacher[0]
        teacher.to(image.device)  # type: ignore[attr-defined]
        asked = another(parents, len(image), generator)
        with torch.no_grad():
            image = self._encode(image)
        noise = teacher.raised(image, parents, generator)
        target = teacher.lowered(asked, noise)
        edited = self.edited(image, asked, ImageNoise.of(noise), generator)
        return (edited - target).abs().flatten(1).mean(dim=1).float()

    def edited(
        self, image: Tensor, parents: Values, noise: ImageNoise, generator: torch.Generator
    ) -> Tensor:
        """The images under other parents, in the few calls; code and latents are the noise's."""
        grain = self._codec.grain(image, generator)
        grain = torch.zeros_like(image, dtype=torch.float64) if grain is None else grain
        weights, nodes = tuple(EAGER * self.weights), self._nodes()
        start = DIFFERENCE.start(self._field(parents, noise), enter(image + grain), nodes)  # type: ignore[arg-type]
        *_, top = climb(weights, self._field(noise.reference, noise), start, nodes)
        *_, (y, _) = descend(weights, self._field(parents, noise), top, nodes[::-1])
        return leave(y) - grain

    def editor(self) -> Editor:
        """What it has become; its times and weights to four digits."""
        with torch.no_grad():
            times = [float(each) for each in self._nodes()[1:-1]]
            weights = (EAGER * self.weights).tolist()
        times = [min(max(each, EARLIEST), LATEST) for each in times]
        return Editor(self.denoiser, *([round(each, 4) for each in of] for of in (times, weights)))

    def _nodes(self) -> list[float | Tensor]:
        end = self.denoiser.tau_max
        shares = (EAGER * self.gaps).softmax(dim=0).cumsum(dim=0)[:-1]
        return [TAU_MIN, *(TAU_MIN + (end - TAU_MIN) * shares), end]

    def _field(self, parents: Values, noise: ImageNoise) -> Field:
        conditions = self._codec.conditions(parents, noise)
        return lambda y, tau: self.denoiser.conditional_velocity(y, tau, conditions)


def another(parents: Values, n: int, generator: torch.Generator) -> dict[str, Tensor]:
    """The parents, some of them, one at least, with the value of another row."""
    device = generator.device
    draws = torch.rand(n, len(parents), generator=generator, device=device)
    taken = (draws < 0.5) | (draws == draws.amin(dim=1, keepdim=True))
    rows = torch.randperm(n, generator=generator, device=device)
    return {
        name: torch.where(taken[:, place].to(value.device), value[rows.to(value.device)], value)
        for place, (name, value) in enumerate(parents.items())
    }
