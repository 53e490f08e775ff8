"""Anti-causal predictor: p(parent | image) at every noise level, for every parent of an image.

Notation: y_tau = (1 - tau) x_0 + tau eps (flow coordinates), pa_1..pa_K the parents, phi the
weights.

One encoder reads (y_tau, tau); a linear head per parent gives a categorical (class parents) or a
Gaussian p_phi(pa_k | y_tau, tau) of the standardised g^-1(pa_k) (continuous parents; g maps the
real line onto the support, as in `causalflow.mechanisms.continuous`). Its gradient in y_tau acts as
the mechanism of an anti-causal edge (`causalflow.diffusion.guidance`), and its mode (of a
continuous parent the median, which is inside the support) fills in parents that the evidence leaves
out.

Its training rows are weighted (`causalflow.mechanisms.mutilation`), so that the gradient of one
parent's predictor does not move the others.

Source: Sanchez & Tsaftaris (2022), Diff-SCM, section 4.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

import torch
from torch import Tensor, nn
from torch.nn import functional

from causalflow.diffusion.path import TAU_MIN, enter, interpolate
from causalflow.errors import CompileError
from causalflow.graph.schema import Class, Continuous, Image, Node, Symbol
from causalflow.mechanisms.base import Values
from causalflow.mechanisms.continuous import to_real, to_support
from causalflow.mechanisms.labels import all_labelled, labelled
from causalflow.nn.embedding import TimeEmbedding
from causalflow.nn.encoder import Encoder
from causalflow.nn.naming import module_key

__all__ = ["AnticausalPredictor"]

FEATURES = 128


class AnticausalPredictor(nn.Module):
    """Noise-conditional predictors of an image's parents, sharing one encoder.

    Args:
        image: the child.
        parents: the parents to be predicted, class or continuous.

    Raises:
        CompileError: a parent is itself an image.
    """

    def __init__(self, image: Image, parents: Mapping[str, Node]) -> None:
        super().__init__()
        self.parents = dict(parents)
        self.time = TimeEmbedding(FEATURES)
        self.encoder = Encoder(image.shape[0], image.diffusion.predictor_width, FEATURES, FEATURES)
        self.heads = nn.ModuleDict(
            {module_key(n): nn.Linear(FEATURES, _outputs(n, node)) for n, node in parents.items()}
        )
        continuous = {n: node for n, node in parents.items() if isinstance(node, Continuous)}
        self._column = {name: column for column, name in enumerate(continuous)}
        self._support = {name: node.support for name, node in continuous.items()}
        self.location: Tensor
        self.scale: Tensor
        self.register_buffer("location", torch.zeros(len(continuous), dtype=torch.float64))
        self.register_buffer("scale", torch.ones(len(continuous), dtype=torch.float64))

    def calibrate(self, values: Values) -> None:
        """Set the scale of continuous parents."""
        rows = all_labelled(values, self.parents)
        for name, column in self._column.items():
            real, _ = to_real(values[name][rows], self._support[name])
            self.location[column] = real.mean()
            self.scale[column] = real.std(correction=0).clamp_min(1e-6)

    def loss(self, image: Tensor, parents: Values, generator: torch.Generator) -> Tensor:
        """Negative log-likelihood of the parents at a random noise level, shape (batch,).

        Args:
            image: shape (batch, channel, height, width), in [-1, 1].
            parents: every parent, labelled.
            generator: draws the noise level (uniform in tau) and the noise.
        """
        device = image.device
        tau = torch.rand(len(image), generator=generator, device=device)
        tau = TAU_MIN + (1 - TAU_MIN) * tau
        noise = torch.randn(image.shape, generator=generator, device=device)
        features = self._features(interpolate(image, noise, tau), tau)
        terms = [self._log_prob(features, name, parents[name]) for name in self.parents]
        return -torch.stack(terms).sum(dim=0)

    def contrast(
        self,
        y: Tensor,
        tau: float,
        targets: Values,
        references: Values,
        scales: Mapping[str, float],
    ) -> Tensor:
        """sum_k s_k (log p(a'_k | y, tau) - r_k log p(a_k | y, tau)), shape (batch,).

        r_k is 1 for a class parent that changes, else 0: the contrast of two Gaussians is linear in
        their mean and would push a continuous parent past its target for ever.

        Args:
            y: positions, shape (batch, channel, height, width); the result is differentiable in it.
            tau: the noise level.
            targets: a', values of the parents in ``scales``.
            references: a, likewise; unlabelled ones leave their term out.
            scales: s.
        """
        features = self._features(y, torch.full((len(y),), tau, device=y.device))
        total = torch.zeros(len(y), device=y.device)
        for name, scale in scales.items():
            gain = self._log_prob(features, name, targets[name])
            if name not in self._column:
                reference = references[name]
                moved = labelled(reference) & (targets[name] != reference)
                gain = gain - moved * self._log_prob(features, name, reference.clamp_min(0))
            total = total + scale * gain
        return total

    def infer(self, image: Tensor, names: list[str]) -> dict[str, Tensor]:
        """The most probable value of each named parent, given clean images in [-1, 1]."""
        tau = torch.full((len(image),), TAU_MIN, device=image.device)
        features = self._features(enter(image), tau)
        return {name: self._mode(self.heads[module_key(name)](features), name) for name in names}

    def _features(self, y: Tensor, tau: Tensor) -> Tensor:
        return self.encoder(y, self.time(tau))

    def _mode(self, output: Tensor, name: str) -> Tensor:
        if name not in self._column:
            return output.argmax(dim=-1)
        column = self._column[name]
        real = self.location[column] + self.scale[column] * output[:, 0].double()
        return to_support(real, self._support[name])

    def _log_prob(self, features: Tensor, name: str, value: Tensor) -> Tensor:
        output = self.heads[module_key(name)](features)
        if name not in self._column:
            return -functional.cross_entropy(output, value, reduction="none")
        column = self._column[name]
        real, _ = to_real(value, self._support[name])
        target = ((real - self.location[column]) / self.scale[column]).float()
        spread = functional.softplus(output[:, 1]) + 1e-2
        return torch.distributions.Normal(output[:, 0], spread).log_prob(target)


def _outputs(name: str, node: Node) -> int:
    match node:
        case Class():
            return len(node.levels)
        case Continuous():
            return 2
        case Image() | Symbol():
            raise CompileError(
                f"node '{name}': an image node cannot be the parent of an image node; "
                "expected a class or continuous parent"
            )
    assert_never(node)
