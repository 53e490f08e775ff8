"""Image mechanism: x = f(parents, u) by a diffusion model, with neural and anti-causal edges.

Notation: y_tau the image in flow coordinates (`causalflow.diffusion.path`), v(y, tau, c) the
denoiser's velocity under the neural parents c, a the anti-causal parents, s their scales.

    u = (position, offset, residual, reference)

    position   y_1, the end of the probability-flow trajectory through the factual image;
               N(0, I) when drawn
    offset     the solver's further state at y_1 less its rest value; for leap-frog
               w_1 - v(y_1, 1, c); 0 when drawn
    residual   r = x - decode(u, factual parents): what the solver misses; 0 when drawn
    reference  the parents under which u was read; unlabelled when drawn

*Abduct*: the solver follows v(., c) from the data to tau = 1, unguided. *Predict*: start at rest
under the new parents, add the offset, come back, add the residual. Storing the offset from rest
makes the delta rule w' = w + v(y_1, 1, c') - v(y_1, 1, c) part of the noise's definition, and the
identity when c' = c. With anti-causal parents, rows whose parents are not all those of their
reference are decoded by the guided solver, from the position alone, along

    v - s tau / (1 - tau) grad_y [log p(a' | y, tau) - 1{a' != a} log p(a | y, tau)],

which pushes the anti-causal parents that changed and holds those that did not (without the hold,
another neural parent repaints them: under do(bar) three colours in ten flipped). The other rows are
decoded by the reversible solver: a null intervention returns the evidence.

Source: Sanchez & Tsaftaris (2022), Diff-SCM, algorithms 1-3 (abduction, guided prediction);
asynchronous leap-frog in place of DDIM, and the contrast in place of log p(a' | y), are this
project's.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from dataclasses import replace

import torch
from torch import Tensor, nn

from causalflow.diffusion.denoiser import Denoiser
from causalflow.diffusion.guidance import anticausal
from causalflow.diffusion.path import enter, grid, leave
from causalflow.diffusion.solver import SOLVERS, Field, solve
from causalflow.graph.schema import Anticausal, Continuous, EdgeKind, Image, Neural, Node
from causalflow.mechanisms.anticausal import AnticausalPredictor
from causalflow.mechanisms.base import Noise, Values
from causalflow.mechanisms.labels import all_labelled
from causalflow.mechanisms.mutilation import MutilationWeights

__all__ = ["ImageMechanism"]

CHUNK = 256
REFERENCE = "reference."


class ImageMechanism(nn.Module):
    """A conditional diffusion model as the mechanism of an image node.

    Args:
        name: the node.
        node: its shape and options.
        parents: the parents' types by name.
        kinds: what each parent's edge compiles to.
    """

    def __init__(
        self, name: str, node: Image, parents: Mapping[str, Node], kinds: Mapping[str, EdgeKind]
    ) -> None:
        super().__init__()
        self.name = name
        self.shape = node.shape
        self.options = node.diffusion
        self.parents = dict(parents)
        self.neural = {n: t for n, t in parents.items() if isinstance(kinds[n], Neural)}
        self.scales = {n: k.scale for n, k in kinds.items() if isinstance(k, Anticausal)}
        self.denoiser = Denoiser(node.shape[0], self.neural, node.diffusion)
        self.predictor = AnticausalPredictor(node, parents) if parents else None
        self.mutilation = MutilationWeights(parents) if parents else None

    def configured(
        self, *, steps: int | None = None, guidance: float | None = None, **options: object
    ) -> ImageMechanism:
        """The same weights under other options.

        Args:
            steps: solver steps each way.
            guidance: multiplies the scale of every anti-causal edge.
            options: further fields of `causalflow.graph.schema.Diffusion`.
        """
        other = copy.copy(self)
        given = options if steps is None else {**options, "steps": steps}
        other.options = replace(self.options, **given)  # type: ignore[arg-type]
        if guidance is not None:
            other.scales = {name: guidance * scale for name, scale in self.scales.items()}
        return other

    def calibrate(self, values: Values, generator: torch.Generator) -> None:
        """Set the scales of continuous parents and the mutilation weights; draws nothing."""
        self.denoiser.calibrate(values)
        if self.predictor is not None and self.mutilation is not None:
            self.mutilation.calibrate(values)
            self.predictor.calibrate(values)

    def loss(self, values: Values, generator: torch.Generator) -> Tensor:
        """Denoising plus prediction error, shape (batch,); 0 where a parent is unlabelled.

        Both follow the mutilated law; a denoiser that is told every parent has no need of it.
        """
        value, parents = values[self.name], {name: values[name] for name in self.parents}
        if self.predictor is None or self.mutilation is None:
            return self.denoiser.loss(value, parents, generator)
        known = all_labelled(parents, self.parents)
        image, given = value[known], _take(parents, known)
        weight = self.mutilation(given)
        error = self.denoiser.loss(image, given, generator) * (weight if self.scales else 1)
        error = error + weight * self.predictor.loss(image, given, generator)
        return torch.zeros(len(value), device=value.device).masked_scatter(known, error)

    def infer(self, value: Tensor, names: Iterable[str]) -> dict[str, Tensor]:
        """The most probable values of the named parents, read off factual images."""
        assert self.predictor is not None
        with torch.no_grad():
            return self.predictor.infer(value, list(names))

    def draw_noise(self, n: int, generator: torch.Generator) -> Noise:
        """n draws of u: a standard normal position, at rest, without residual or reference."""
        shape = (n, *self.shape)
        position = torch.randn(shape, generator=generator, device=generator.device).double()
        nothing = torch.zeros_like(position)
        noise = {"position": position, "offset": nothing, "residual": nothing}
        for name, node in self.parents.items():
            unlabelled = torch.nan if isinstance(node, Continuous) else -1
            noise[REFERENCE + name] = torch.full((n,), unlabelled, device=generator.device)
        return noise

    @torch.no_grad()
    def abduct(self, value: Tensor, parents: Values, generator: torch.Generator) -> Noise:
        """The noise of factual images under factual parents; draws nothing."""
        rows = torch.arange(len(value), device=value.device).split(CHUNK)
        parts = [self._abduct(value[r], _take(parents, r)) for r in rows]
        return {key: torch.cat([part[key] for part in parts]) for key in parts[0]}

    def _abduct(self, value: Tensor, parents: Values) -> Noise:
        solver, field = SOLVERS.get(self.options.solver), self._field(parents)
        nodes = self._grid()
        start = solver.start(field, enter(value), float(nodes[0]))
        position, *further = solve(solver, field, start, nodes)
        rest = solver.start(field, position, float(nodes[-1]))[1:]
        offset = further[0] - rest[0] if further else torch.zeros_like(position)
        noise = {"position": position, "offset": offset, "residual": torch.zeros_like(position)}
        noise |= {REFERENCE + name: parents[name] for name in self.parents}
        if self.options.residual:
            noise["residual"] = value.double() - self._decode(parents, noise)
        return noise

    @torch.no_grad()
    def predict(self, parents: Values, noise: Noise) -> Tensor:
        """The images under ``parents`` and ``noise``, not clamped.

        Returns:
            Shape (batch, channel, height, width), float32.
        """
        image = torch.empty_like(noise["position"])
        guided = self._guided(parents, noise)
        for chosen, decode in ((~guided, self._decode), (guided, self._decode_guided)):
            for rows in chosen.nonzero()[:, 0].split(CHUNK) if chosen.any() else ():
                image[rows] = decode(_take(parents, rows), _take(noise, rows))
        return (image + noise["residual"] if self.options.residual else image).float()

    def _guided(self, parents: Values, noise: Noise) -> Tensor:
        """The rows to be guided, those whose parents are not all their reference: (batch,)."""
        if not self.scales:
            return torch.zeros(len(noise["position"]), dtype=torch.bool).to(
                noise["position"].device
            )
        changed = [parents[name] != noise[REFERENCE + name] for name in self.parents]
        return torch.stack(changed).any(dim=0)

    def _decode(self, parents: Values, noise: Noise) -> Tensor:
        solver, field = SOLVERS.get(self.options.solver), self._field(parents)
        nodes = self._grid().flip(0)
        position, *further = solver.start(field, noise["position"], float(nodes[0]))
        state = (position, *(part + noise["offset"] for part in further))
        return leave(solve(solver, field, state, nodes)[0])

    def _decode_guided(self, parents: Values, noise: Noise) -> Tensor:
        solver, field = SOLVERS.get(self.options.guided_solver), self._guided_field(parents, noise)
        nodes = self._grid().flip(0)
        state = solver.start(field, noise["position"], float(nodes[0]))
        return leave(solve(solver, field, state, nodes)[0])

    def _field(self, parents: Values) -> Field:
        return lambda y, tau: self.denoiser.velocity(y, tau, parents)

    def _guided_field(self, parents: Values, noise: Noise) -> Field:
        assert self.predictor is not None
        predictor, (low, high) = self.predictor, self.options.guidance_interval
        references = {name: noise[REFERENCE + name] for name in self.scales}

        def contrast(y: Tensor, tau: float) -> Tensor:
            return predictor.contrast(y, tau, parents, references, self.scales)

        def field(y: Tensor, tau: float) -> Tensor:
            velocity = self.denoiser.velocity(y, tau, parents)
            if not low <= tau <= high:
                return velocity
            return velocity + anticausal(contrast, y, tau, 1.0)

        return field

    def _grid(self) -> Tensor:
        return grid(self.options.steps, self.options.grid)


def _take(values: Values, rows: Tensor) -> dict[str, Tensor]:
    return {name: value[rows] for name, value in values.items()}
