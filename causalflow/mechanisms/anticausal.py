"""Anti-causal predictor: p(parent | image), read at every noise level, for every parent of an image node.

Notation: y_tau = (1 - tau) x_0 + tau eps (flow coordinates), pa_1..pa_K the parents, phi the weights.

One encoder reads (y_tau, tau); a linear head per parent gives a categorical (class parents) or a Gaussian
(continuous parents, on their standardised scale) p_phi(pa_k | y_tau, tau). Its gradient in y_tau acts as the
mechanism of an anti-causal edge (`causalflow.diffusion.guidance`), and its mode fills in parents that
the evidence leaves out.

*Graph mutilation.* On confounded data p(pa_k | x) also carries what the other parents say about pa_k, and its gradient
would move them under do(). So phi is trained on the law in which the parents are independent,

    w(pa) = prod_k p(pa_k) / p(pa_1, ..., pa_K),

with continuous parents cut at their quartiles, and w clipped at ``CLIP``. `effective_share` reports
(sum w)^2 / (n sum w^2): the share of the data that the re-weighted law still uses.

Source: Sanchez & Tsaftaris (2022), Diff-SCM, section 4; the weights are this project's answer to the mutilation that the
paper leaves open.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import assert_never

import torch
from torch import Tensor, nn
from torch.nn import functional

from causalflow.diffusion.path import TAU_MIN, enter, interpolate
from causalflow.errors import CompileError
from causalflow.graph.schema import Class, Continuous, Image, Node, Symbol
from causalflow.mechanisms.base import Values
from causalflow.mechanisms.labels import all_labelled, filled, labelled
from causalflow.nn.embedding import TimeEmbedding
from causalflow.nn.encoder import Encoder
from causalflow.nn.naming import module_key

__all__ = ["AnticausalPredictor"]

BINS = 4
CLIP = 20.0
MOST_CELLS = 100_000
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
        continuous = [name for name, node in parents.items() if isinstance(node, Continuous)]
        self._column = {name: column for column, name in enumerate(continuous)}
        bins = [len(n.levels) if isinstance(n, Class) else BINS for n in parents.values()]
        self._bins = bins if math.prod(bins) <= MOST_CELLS else []
        self.location: Tensor
        self.scale: Tensor
        self.cuts: Tensor
        self.weights: Tensor
        self.effective_share: Tensor
        self.register_buffer("location", torch.zeros(len(continuous), dtype=torch.float64))
        self.register_buffer("scale", torch.ones(len(continuous), dtype=torch.float64))
        self.register_buffer("cuts", torch.zeros(len(continuous), BINS - 1, dtype=torch.float64))
        self.register_buffer("weights", torch.ones(math.prod(self._bins)))
        self.register_buffer("effective_share", torch.ones(()))

    def calibrate(self, values: Values) -> None:
        """Set the scale of continuous parents, and the weights w(pa) from the labelled rows."""
        rows = all_labelled(values, self.parents)
        known = {name: values[name][rows] for name in self.parents}
        for name, column in self._column.items():
            self.location[column] = known[name].mean()
            self.scale[column] = known[name].std().clamp_min(1e-6)
            quantiles = torch.linspace(0, 1, BINS + 1, dtype=torch.float64)[1:-1]
            self.cuts[column] = torch.quantile(known[name].cpu(), quantiles).to(self.cuts)
        if self._bins:
            self._reweight(self._cell(known))

    def _reweight(self, cell: Tensor) -> None:
        counts = torch.bincount(cell, minlength=len(self.weights)).double()
        joint = (counts / counts.sum()).reshape(self._bins)
        independent = torch.ones((), dtype=torch.float64, device=joint.device)
        for axis in range(joint.ndim):
            others = [k for k in range(joint.ndim) if k != axis]
            marginal = joint.sum(dim=others) if others else joint
            independent = independent[..., None] * marginal
        ratio = torch.where(joint > 0, independent / joint.clamp_min(1e-300), 0.0).clamp_max(CLIP)
        weights = ratio.flatten() / (ratio * joint).sum()
        mass = joint.flatten()
        self.weights.copy_(weights)
        self.effective_share.copy_(1 / (mass * weights**2).sum())

    def _cell(self, values: Values) -> Tensor:
        """The index of each row's cell in the joint table of (binned) parents, shape (batch,)."""
        cell = torch.zeros((), dtype=torch.int64)
        for (name, node), bins in zip(self.parents.items(), self._bins, strict=True):
            value = values[name]
            if isinstance(node, Continuous):
                value = torch.bucketize(value, self.cuts[self._column[name]])
            cell = cell.to(value.device) * bins + value
        return cell

    def loss(self, image: Tensor, parents: Values, generator: torch.Generator) -> Tensor:
        """Re-weighted negative log-likelihood at a random noise level, shape (batch,).

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
        total = sum(self._log_prob(features, name, parents[name]) for name in self.parents)
        weight = self.weights[self._cell(parents)] if self._bins else 1.0
        return -weight * total

    def contrast(
        self,
        y: Tensor,
        tau: float,
        targets: Values,
        references: Values,
        scales: Mapping[str, float],
    ) -> Tensor:
        """sum_k s_k (log p(target_k | y, tau) - log p(reference_k | y, tau)), shape (batch,).

        Differentiable in y, and zero where target and reference are equal. An unlabelled reference leaves its term out.
        """
        features = self._features(y, torch.full((len(y),), tau, device=y.device))
        total = torch.zeros(len(y), device=y.device)
        for name, scale in scales.items():
            reference = filled(references, [name])[name]
            against = self._log_prob(features, name, reference) * labelled(references[name])
            total = total + scale * (self._log_prob(features, name, targets[name]) - against)
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
        return self.location[column] + self.scale[column] * output[:, 0].double()

    def _log_prob(self, features: Tensor, name: str, value: Tensor) -> Tensor:
        output = self.heads[module_key(name)](features)
        if name not in self._column:
            return -functional.cross_entropy(output, value, reduction="none")
        column = self._column[name]
        target = ((value - self.location[column]) / self.scale[column]).float()
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
