"""Reading: every parent of an image read off it, by learned heads or by the user's classifiers.

The learned heads are one `AnticausalPredictor` of the parents without a classifier of their own. A
classifier is ``network(y, tau) -> logits``, trained at every noise level, or ``network(x) ->
logits``, trained on images and then read at the predicted image. Together they are a predictor in
the sense of `causalflow.diffusion.network`.

Anti-causal predictor: p(parent | image) at every noise level, for every parent of an image.

Notation: y_tau = (1 - tau) x_0 + tau eps (flow coordinates), pa_1..pa_K the parents, phi the
weights.

One encoder reads (y_tau, tau); a linear head per parent gives a categorical (class parents) or a
Gaussian p_phi(pa_k | y_tau, tau) of the standardised g^-1(pa_k) (continuous parents; g maps the
real line onto the support, as in `causalflow.mechanisms.continuous`). Its gradient in y_tau acts as
the mechanism of an anti-causal edge (`causalflow.diffusion.guidance.contrast`), and its mode (of a
continuous parent the median, which is inside the support) fills in parents that the evidence leaves
out.

Where a label is missing, a draw from its posterior given the clean image can stand for it in the
denoiser's training, each parent by itself. The predictor learns from labels alone.

Its training rows are weighted (`causalflow.mechanisms.image.loss`), so that the gradient of one
parent's predictor does not move the others. A parent trains its head in the rows where it has a
label, whatever the others have.

Source: Sanchez & Tsaftaris (2022), Diff-SCM, section 4.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from inspect import Parameter, signature
from typing import assert_never

import torch
from torch import Tensor, nn
from torch.nn import functional

from causalflow.diffusion.network import Posterior, Predictor, Time, noise_conditional, of_image
from causalflow.diffusion.path import TAU_MIN, enter, interpolate
from causalflow.errors import CompileError, DataError, one_of
from causalflow.graph.node import Class, Continuous, Image, Node, Symbol
from causalflow.mechanisms.continuous import to_real, to_support
from causalflow.mechanisms.mechanism import Values, all_labelled, labelled
from causalflow.nn.embedding import TimeEmbedding, module_key
from causalflow.nn.encoder import Encoder

__all__ = [
    "AnticausalPredictor",
    "GivenClassifier",
    "ParentReader",
    "drawn_levels",
    "given_classifiers",
    "home_of",
]

FEATURES = 128
LOG_ROOT = math.log(2 * math.pi) / 2
AT_END = 5.0
"""Deviations at which a value counts that is an end of its support, where the map has no number."""


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
        """Set the scale of continuous parents, each from its labelled rows.

        Raises:
            DataError: a continuous parent has no label.
        """
        for name, column in self._column.items():
            known = values[name][labelled(values[name])]
            if not len(known):
                raise DataError(f"node '{name}': no row has a label of it")
            real, _ = to_real(known, self._support[name])
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
        """The posterior of the parents at y, as `causalflow.diffusion.network` asks for it."""
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

    def _draw(self, output: Tensor, name: str, generator: torch.Generator) -> Tensor:
        """A value of each row's posterior, shape (batch,)."""
        if name not in self._column:
            return drawn_levels(output, generator)
        column, n = self._column[name], len(output)
        normal = torch.randn(n, generator=generator, device=generator.device).to(output)
        real = output[:, 0] + _spread(output) * normal
        real = self.location[column] + self.scale[column] * real.double()
        return to_support(real, self._support[name])

    def _features(self, y: Tensor, tau: Tensor) -> Tensor:
        return self.encoder(y, self.time(tau))

    def _mode(self, output: Tensor, name: str) -> Tensor:
        if name not in self._column:
            return output.argmax(dim=-1)
        column = self._column[name]
        real = self.location[column] + self.scale[column] * output[:, 0].double()
        return to_support(real, self._support[name])

    def _log_prob(self, features: Tensor, name: str, value: Tensor) -> Tensor:
        """log p(value) by the head of ``name``, shape (batch,); 0 where it is unlabelled."""
        output = self.heads[module_key(name)](features).float()
        if name not in self._column:
            return -functional.cross_entropy(output, value, reduction="none", ignore_index=-1)
        column, known = self._column[name], labelled(value)
        inside = torch.where(known, value, _inside(self._support[name]))
        real, _ = to_real(inside, self._support[name])
        target = ((real - self.location[column]) / self.scale[column]).float()
        target = target.nan_to_num(posinf=AT_END, neginf=-AT_END)
        spread = _spread(output)
        found = -((target - output[:, 0]) / spread).square() / 2 - spread.log() - LOG_ROOT
        return torch.where(known, found, 0.0)


def drawn_levels(logits: Tensor, generator: torch.Generator) -> Tensor:
    """A level of each row's law, given logits (batch, levels); shape (batch,)."""
    uniform = torch.rand(len(logits), 1, generator=generator, device=generator.device)
    below = logits.softmax(dim=1).cumsum(dim=1)[:, :-1] <= uniform.to(logits)
    return below.sum(dim=1)


def _spread(output: Tensor) -> Tensor:
    return functional.softplus(output[:, 1]) + 1e-2


def _inside(support: tuple[float, float]) -> float:
    """A value that the support contains, to stand where there is no label."""
    low, high = support
    if math.isfinite(low) and math.isfinite(high):
        return (low + high) / 2
    return low + 1 if math.isfinite(low) else high - 1 if math.isfinite(high) else 0.0


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


class GivenClassifier(nn.Module):
    """A classifier of the user's own, of one class parent; its weights stay as they are.

    Args:
        network: ``network(y, tau) -> logits`` or ``network(x) -> logits``, (batch, levels); tried
            where its weights are.
        where: names it in errors.
        shape: of the image.
        levels: how many the parent has.

    Raises:
        CompileError: it takes neither one nor two arguments, or its result has another shape.
    """

    def __init__(
        self, network: Callable[..., Tensor], where: str, shape: tuple[int, ...], levels: int
    ) -> None:
        super().__init__()
        self.network = network
        self.is_noise_conditional = _arguments(network, where) == 2
        if isinstance(network, nn.Module):
            network.requires_grad_(False)
        self.train(False)
        device = home_of([network])
        image, tau = torch.zeros(2, *shape, device=device), torch.full((2,), 0.5, device=device)
        try:
            with torch.no_grad():
                found = self(*(image, tau)[: 1 + self.is_noise_conditional])
        except (RuntimeError, TypeError, ValueError) as error:
            reason = str(error).splitlines()[0]
            raise CompileError(f"{where}: cannot be called on two images: {reason}") from None
        if not isinstance(found, Tensor) or found.shape != (2, levels):
            given = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
            raise CompileError(f"{where}: gives {given} of two images; expected (2, {levels})")

    def train(self, mode: bool = True) -> GivenClassifier:
        """It stays in evaluation mode."""
        return super().train(False)

    def forward(self, y: Tensor, tau: Tensor | None = None) -> Tensor:
        """The logits, shape (batch, levels)."""
        dtype = next((weight.dtype for weight in self.parameters()), torch.float32)
        return self.network(y.to(dtype), *(() if tau is None else (tau.to(dtype),))).float()

    def infer(self, image: Tensor) -> Tensor:
        """The most probable level, given clean images in [-1, 1]."""
        return self.logits(image).argmax(dim=-1)

    def logits(self, image: Tensor) -> Tensor:
        """The logits, shape (batch, levels), given clean images in [-1, 1]."""
        if not self.is_noise_conditional:
            return self(image)
        return self(enter(image), torch.full((len(image),), TAU_MIN, device=image.device))


def home_of(given: Iterable[object]) -> torch.device:
    """Where the first weight of the user's modules is; the CPU where there is none."""
    modules = [each for each in given if isinstance(each, nn.Module)]
    weights = (w for each in modules for w in (*each.parameters(), *each.buffers()))
    return next((weight.device for weight in weights), torch.device("cpu"))


def _arguments(network: Callable[..., Tensor], where: str) -> int:
    """How many arguments a classifier wants: 1 or 2."""
    call = network.forward if isinstance(network, nn.Module) else network
    kinds = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
    if not callable(call):
        given = type(network).__name__
        raise CompileError(f"{where}: given {given}; expected a module or a function")
    wanted = [p for p in signature(call).parameters.values() if p.kind in kinds]
    count = sum(parameter.default is Parameter.empty for parameter in wanted)
    if count not in (1, 2):
        raise CompileError(
            f"{where}: takes {count} arguments; expected network(x) or network(y, tau) -> logits"
        )
    return count


@dataclass(frozen=True, slots=True, kw_only=True)
class ParentReader:
    """The parents of an image, read off it at any noise level.

    Attributes:
        learned: of the parents without classifier; None where there are none.
        given: by class parent.
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


def given_classifiers(
    name: str,
    node: Image,
    parents: Mapping[str, Node],
    classifiers: Mapping[str, Callable[..., Tensor]],
) -> dict[str, GivenClassifier]:
    """The user's classifiers of an image's class parents, in the parents' order.

    Args:
        name: the image node.
        node: its shape.
        parents: of the image, by name.
        classifiers: by parent.

    Raises:
        CompileError: a name that is no class parent, or a classifier that does not fit.
    """
    classes = {n: parent for n, parent in parents.items() if isinstance(parent, Class)}
    for parent in classifiers:
        if parent not in classes:
            raise CompileError(
                f"predictors of node '{name}': '{parent}' is no class parent; "
                f"{one_of(parent, classes)}"
            )
    return {
        parent: GivenClassifier(
            classifiers[parent],
            f"predictor of '{parent}' in node '{name}'",
            node.shape,
            len(classes[parent].levels),
        )
        for parent in classes
        if parent in classifiers
    }
