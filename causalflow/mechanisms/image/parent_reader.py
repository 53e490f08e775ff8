"""Parent reader: every parent of an image read off it, by learned heads or the user's classifiers.

Notation: y_tau = (1 - tau) x_0 + tau eps (flow coordinates), pa_1..pa_K the parents, phi the
weights.

The parents without a classifier of the user's (`causalflow.mechanisms.image.classifier`) have one
`AnticausalPredictor`: one encoder reads (y_tau, tau); a linear head a parent gives a categorical
(class parents) or a Gaussian p_phi(pa_k | y_tau, tau) of the standardised g^-1(pa_k) (continuous
parents; g maps the real line onto the support, as in `causalflow.mechanisms.continuous`). All
together are a predictor in the sense of `causalflow.diffusion.field`.

Its gradient in y_tau acts as the mechanism of an anti-causal edge
(`causalflow.diffusion.guidance.contrast`), and its mode (of a continuous parent the median, which
is inside the support) fills in parents that the evidence leaves out. Where a label is missing, a
draw from its posterior given the clean image can stand for it in the denoiser's training, each
parent by itself. The predictor learns from labels alone.

Its training rows are weighted (`causalflow.mechanisms.image.loss`), so that the gradient of one
parent's predictor does not move the others. A parent trains its head in the rows where it has a
label, whatever the others have.

Source: Sanchez & Tsaftaris (2022), Diff-SCM, section 4.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional

from causalflow.diffusion.field import Posterior, Predictor, Time, noise_conditional, of_image
from causalflow.diffusion.path import TAU_MIN, enter, interpolate
from causalflow.errors import CompileError, DataError, RowError
from causalflow.graph.node import Image, Node
from causalflow.mechanisms.image.classifier import GivenClassifier
from causalflow.mechanisms.mechanism import Values, all_labelled, draw_index, labelled, module_key
from causalflow.nn.embedding import TimeEmbedding
from causalflow.nn.encoder import Encoder
from causalflow.nn.engine import RealLine, engine_of

__all__ = ["AnticausalPredictor", "ParentReader", "Weigh", "drawn_levels"]

Weigh: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""The weights of a parent's values, given the row of each."""

FEATURES = 128
LOG_ROOT = math.log(2 * math.pi) / 2
OFFERED = 1024
"""Draws of a number that one is chosen of by what is told of it."""
AT_END = 5.0
"""Deviations at which a value counts that is an end of its support, where the map has no number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParentReader:
    """The parents of an image, read off it at any noise level.

    Attributes:
        learned: the predictor of the parents without classifier; None where there are none.
        given: the user's classifiers, by class parent.
    """

    learned: AnticausalPredictor | None
    given: Mapping[str, GivenClassifier]

    def loss(self, image: Tensor, parents: Values, generator: torch.Generator) -> Tensor:
        """Negative log-likelihood of the labelled parents that are learned, shape (batch,)."""
        if self.learned is None:
            return torch.zeros(len(image), device=image.device)
        return self.learned.loss(image, parents, generator)

    @torch.no_grad()
    def completed(
        self, image: Tensor, parents: Values, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """The parents, each missing one drawn from its posterior given clean images in [-1, 1]."""
        found = dict(parents)
        if self.learned is not None:
            learned = {name: parents[name] for name in parents if name not in self.given}
            found |= self.learned.completed(image, learned, generator)
        for name, classifier in self.given.items():
            drawn = drawn_levels(classifier.logits(image), generator)
            found[name] = torch.where(labelled(parents[name]), parents[name], drawn)
        return found

    def __call__(self, y: Tensor, tau: Time, velocity: Tensor) -> Posterior:
        """The posterior of all parents at y."""
        posteriors = [part(y, tau, velocity) for part in self._parts()]

        def posterior(values: Values) -> dict[str, Tensor]:
            return {n: p for read in posteriors for n, p in read(values).items()}

        return posterior

    def _parts(self) -> list[Predictor]:
        noisy = {n: c for n, c in self.given.items() if c.is_noise_conditional}
        clean = {n: c for n, c in self.given.items() if not c.is_noise_conditional}
        parts: list[Predictor] = [] if self.learned is None else [self.learned]
        parts += [noise_conditional(noisy)] if noisy else []
        return parts + ([of_image(clean)] if clean else [])

    def infer(self, image: Tensor, names: list[str]) -> dict[str, Tensor]:
        """The most probable value of each named parent, given clean images in [-1, 1]."""
        learned = [name for name in names if name not in self.given]
        found = self.learned.infer(image, learned) if self.learned is not None and learned else {}
        return found | {n: self.given[n].infer(image) for n in names if n in self.given}

    @torch.no_grad()
    def weighed(
        self, image: Tensor, weigh: Mapping[str, Weigh], generator: torch.Generator, draws: int
    ) -> tuple[dict[str, Tensor], float]:
        """So many draws of each named parent from its posterior given clean images, times weights.

        Returns:
            Parent -> shape (batch * draws,), and how many independent draws are worth those that
            one of the worst row was chosen of; infinite where all values are weighed.

        Raises:
            RowError: a row in which no value has a weight.
        """
        found, worth = {}, math.inf
        for name, weight in weigh.items():
            if name in self.given:
                value, log_p = _every_level(self.given[name].logits(image))
            else:
                assert self.learned is not None
                value, log_p = self.learned.offered(image, name, generator)
            rows = torch.arange(len(image), device=image.device)
            at = rows.repeat_interleave(value.shape[1])
            share = log_p.exp() * weight(value.reshape(-1), at).view(value.shape)
            if bool((share.sum(1) <= 0).any()):
                row = int((share.sum(1) <= 0).nonzero()[0])
                raise RowError(f"node '{name}'", row, "what is told of it, its picture rules out")
            if value.dtype != torch.int64:
                worth = min(worth, float((share.sum(1) ** 2 / share.square().sum(1)).min()))
            wide = share.log().repeat_interleave(draws, 0)
            chosen = draw_index(wide, generator)
            found[name] = value.repeat_interleave(draws, 0).gather(1, chosen[:, None])[:, 0]
        return found, worth


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
        self._line = {n: _real_line(n, node) for n, node in parents.items() if node.type.numeric}
        self._column = {name: column for column, name in enumerate(self._line)}
        self.location: Tensor
        self.scale: Tensor
        self.register_buffer("location", torch.zeros(len(self._line), dtype=torch.float64))
        self.register_buffer("scale", torch.ones(len(self._line), dtype=torch.float64))

    @property
    def numeric(self) -> tuple[str, ...]:
        """The parents that are numbers."""
        return tuple(self._column)

    def calibrate(self, values: Values) -> None:
        """Set the scale of continuous parents, each from its labelled rows.

        Raises:
            DataError: a continuous parent has no label.
        """
        for name, column in self._column.items():
            known = values[name][labelled(values[name])]
            if not len(known):
                raise DataError(f"node '{name}': no row has a label of it")
            real = self._line[name].to_real(known)
            if not real.isfinite().any():
                raise DataError(f"node '{name}': every label is an end of its support")
            inside = real[real.isfinite()]
            self.location[column] = inside.mean()
            self.scale[column] = inside.std(correction=0).clamp_min(1e-6)

    def loss(self, image: Tensor, parents: Values, generator: torch.Generator) -> Tensor:
        """Negative log-likelihood of the labelled parents at a random noise level, shape (batch,).

        Args:
            image: shape (batch, channel, height, width), in [-1, 1].
            parents: every parent; an unlabelled one adds nothing to its row.
            generator: draws the noise level (uniform in tau) and the noise.
        """
        device = image.device
        tau = torch.rand(len(image), generator=generator, device=generator.device).to(device)
        tau = TAU_MIN + (1 - TAU_MIN) * tau
        noise = torch.randn(image.shape, generator=generator, device=generator.device).to(image)
        features = self._features(interpolate(image, noise, tau), tau)
        terms = [self._log_prob(features, name, parents[name]) for name in self.parents]
        return -torch.stack(terms).sum(dim=0)

    def forward(self, y: Tensor, tau: Time, velocity: Tensor | None = None) -> Posterior:
        """The posterior of the parents at y, as `causalflow.diffusion.field` asks for it."""
        times = torch.as_tensor(tau, dtype=torch.float32, device=y.device).expand(len(y))
        features = self._features(y, times)

        def posterior(values: Values) -> dict[str, Tensor]:
            named = {name: value for name, value in values.items() if name in self.parents}
            return {n: self._log_prob(features, n, value) for n, value in named.items()}

        return posterior

    def infer(self, image: Tensor, names: list[str]) -> dict[str, Tensor]:
        """The most probable value of each named parent, given clean images in [-1, 1]."""
        tau = torch.full((len(image),), TAU_MIN, device=image.device)
        features = self._features(enter(image), tau)
        return {name: self._mode(self.heads[module_key(name)](features), name) for name in names}

    def numbers(self, image: Tensor, names: list[str]) -> tuple[Tensor, Tensor]:
        """Middle and spread of continuous parents, standardised, shape (batch, names) each."""
        tau = torch.full((len(image),), TAU_MIN, device=image.device)
        features = self._features(enter(image), tau)
        heads = [self.heads[module_key(name)](features).float() for name in names]
        return torch.stack([h[:, 0] for h in heads], 1), torch.stack([_spread(h) for h in heads], 1)

    def odds(self, image: Tensor, names: list[str]) -> dict[str, Tensor]:
        """The logarithms of the probabilities of class parents, shape (batch, levels) each."""
        tau = torch.full((len(image),), TAU_MIN, device=image.device)
        features = self._features(enter(image), tau)
        return {n: _every_level(self.heads[module_key(n)](features))[1] for n in names}

    def valued(self, numbers: Tensor, names: list[str]) -> dict[str, Tensor]:
        """The values of such numbers."""
        return {n: self._value(each, n) for n, each in zip(names, numbers.mT, strict=True)}

    @torch.no_grad()
    def completed(
        self, image: Tensor, parents: Values, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """The parents, each missing one drawn from its posterior given clean images in [-1, 1]."""
        found = dict(parents)
        rows = (~all_labelled(parents, self.parents)).nonzero()[:, 0]
        if not len(rows):
            return found
        tau = torch.full((len(rows),), TAU_MIN, device=image.device)
        features = self._features(enter(image[rows]), tau)
        for name in self.parents:
            value = parents[name][rows]
            drawn = self._draw(self.heads[module_key(name)](features).float(), name, generator)
            value = torch.where(labelled(value), value, drawn.to(value.dtype))
            found[name] = parents[name].index_copy(0, rows, value)
        return found

    def offered(
        self, image: Tensor, name: str, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Values of a parent given clean images, and the logarithms of their weights.

        All levels of a class, weighed by their probabilities; draws of a number, all alike. Shape
        (batch, values) each.
        """
        tau = torch.full((len(image),), TAU_MIN, device=image.device)
        output = self.heads[module_key(name)](self._features(enter(image), tau)).float()
        if name not in self._column:
            return _every_level(output)
        shape = (len(image), OFFERED)
        normal = torch.randn(shape, generator=generator, device=generator.device).to(output)
        value = self._value(output[:, :1] + _spread(output)[:, None] * normal, name)
        return value, torch.zeros_like(value, dtype=torch.float64)

    def _draw(self, output: Tensor, name: str, generator: torch.Generator) -> Tensor:
        """A value of each row's posterior, shape (batch,)."""
        if name not in self._column:
            return drawn_levels(output, generator)
        n = len(output)
        normal = torch.randn(n, generator=generator, device=generator.device).to(output)
        return self._value(output[:, 0] + _spread(output) * normal, name)

    def _features(self, y: Tensor, tau: Tensor) -> Tensor:
        return self.encoder(y, self.time(tau))

    def _mode(self, output: Tensor, name: str) -> Tensor:
        if name not in self._column:
            return output.argmax(dim=-1)
        return self._value(output[:, 0], name)

    def _value(self, number: Tensor, name: str) -> Tensor:
        """The value of a standardised number of a continuous parent, shape (batch,)."""
        column = self._column[name]
        return self._line[name].to_value(
            self.location[column] + self.scale[column] * number.double()
        )

    def _log_prob(self, features: Tensor, name: str, value: Tensor) -> Tensor:
        """log p(value) by the head of ``name``, shape (batch,); 0 where it is unlabelled."""
        output = self.heads[module_key(name)](features).float()
        if name not in self._column:
            return -functional.cross_entropy(output, value, reduction="none", ignore_index=-1)
        column, known = self._column[name], labelled(value)
        real = self._line[name].to_real(torch.where(known, value, self._line[name].inside))
        target = ((real - self.location[column]) / self.scale[column]).float()
        target = target.nan_to_num(posinf=AT_END, neginf=-AT_END)
        spread = _spread(output)
        found = -((target - output[:, 0]) / spread).square() / 2 - spread.log() - LOG_ROOT
        return torch.where(known, found, 0.0)


def _every_level(logits: Tensor) -> tuple[Tensor, Tensor]:
    """The levels in every row, and the logarithms of their probabilities."""
    levels = torch.arange(logits.shape[1], device=logits.device).expand(len(logits), -1)
    return levels, logits.double().log_softmax(dim=1)


def drawn_levels(logits: Tensor, generator: torch.Generator) -> Tensor:
    """A level of each row's law, given logits (batch, levels); shape (batch,)."""
    uniform = torch.rand(len(logits), 1, generator=generator, device=generator.device)
    below = logits.softmax(dim=1).cumsum(dim=1)[:, :-1] <= uniform.to(logits)
    return below.sum(dim=1)


def _spread(output: Tensor) -> Tensor:
    return functional.softplus(output[:, 1]) + 1e-2


def _real_line(name: str, node: Node) -> RealLine:
    engine = engine_of(node.type)
    if engine is None or engine.line is None:
        raise _unreadable(name, node)
    return engine.line(node.type)


def _unreadable(name: str, node: Node) -> CompileError:
    return CompileError(
        f"node '{name}': a node of type {node.type.word} cannot be read off an image; give a "
        "classifier of your own, or another type"
    )


def _outputs(name: str, node: Node) -> int:
    """The numbers of a head: a logit a level, or the middle and the spread of a number."""
    if node.type.levels is not None:
        return len(node.type.levels)
    if node.type.numeric:
        return 2
    if not node.type.pictured:
        raise _unreadable(name, node)
    raise CompileError(
        f"node '{name}': an image node cannot be the parent of an image node; "
        "expected a class, continuous or count parent"
    )
