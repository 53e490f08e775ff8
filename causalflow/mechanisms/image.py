"""Image mechanism: x = f(parents, u) by a diffusion model, with neural and anti-causal edges.

Notation: y_tau the image in flow coordinates (`causalflow.diffusion.path`), v(y, tau, c, z) the
denoiser's velocity under the neural parents c and the semantic code z, N the noise end of the path.

    u = (position, offset, code, latents, residuals, reference)

    position   y_N, the end of the probability-flow trajectory through the factual image; normal
               when drawn
    offset     the solver's further state at y_N less its rest value; for leap-frog
               w_N - v(y_N, c); when drawn 0, or the noise of a stochastic solver
    code       z, the mean of q(z | x, parents) (`causalflow.mechanisms.code`); N(0, I) when drawn
    latents    of the parents with a representation, told in place of their labels, as read off x;
               they move with the labels (`causalflow.mechanisms.representation`)
    residual   r = x - decode(u, factual parents): what the solver misses; 0 when drawn, and of a
               reversible solver, which misses nothing
    guided_residual  the same of the guided solver
    reference  the parents under which u was read; unlabelled when drawn
    image, tape  kept for a balanced way up only (`causalflow.mechanisms.decoding`): x, NaN when
               drawn, and the noise of that way

*Abduct*: the solver follows v from the data to the noise, unguided. *Predict*: start at rest under
the new parents, add the offset, come back, add the residual. Storing the offset from rest makes the
delta rule w' = w + v(y_N, c') - v(y_N, c) part of the noise's definition, and the identity when
c' = c. Where something guides (`causalflow.diffusion.guidance`), rows whose parents are not all
those of their reference are decoded by the guided solver, from the position alone, which a
reversible decoder would not survive; its residual is that of decoding the factual image, which
nothing guides. The other rows are decoded as they were read: a null intervention returns the
evidence, whatever the guidance.

In training a row needs no label: the denoiser is told nulls, or draws from the predictor's
posterior given the image (``unlabelled``), the predictor learns from the labels there are, and a
row that misses one has the weight 1.

Source: Sanchez & Tsaftaris (2022), Diff-SCM, algorithms 1-3 (abduction, guided prediction);
asynchronous leap-frog, the residual, and the two decoders are this project's.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, TypeAlias, cast

import torch
from torch import Tensor, nn

from causalflow.diffusion.balance import draw_tape
from causalflow.diffusion.denoiser import Denoiser
from causalflow.diffusion.field import Time, any_changed
from causalflow.errors import EvidenceError
from causalflow.graph.schema import (
    Anticausal,
    Class,
    Continuous,
    Diffusion,
    EdgeKind,
    Image,
    Neural,
    Node,
)
from causalflow.mechanisms.anticausal import AnticausalPredictor
from causalflow.mechanisms.base import Noise, Values
from causalflow.mechanisms.code import SemanticCode
from causalflow.mechanisms.decoding import Decoder
from causalflow.mechanisms.dependence import dependence
from causalflow.mechanisms.labels import all_labelled, labelled
from causalflow.mechanisms.mutilation import MutilationWeights
from causalflow.mechanisms.reading import ParentReader, given_classifiers
from causalflow.mechanisms.representation import Representation, represented
from causalflow.mechanisms.rows import chunks, snapped, take
from causalflow.nn.naming import module_key

__all__ = ["ImageMechanism"]

DEFAULT_CODE = 32
ALIKE = 0.95
CODE = "code."
LATENT = "latent."
OFFSET = "offset."
REFERENCE = "reference."

Decode: TypeAlias = Callable[[Values, Noise], Tensor]


class ImageMechanism(nn.Module):
    """A conditional diffusion model as the mechanism of an image node.

    Args:
        name: the node.
        node: its shape and options.
        parents: the parents' types by name.
        kinds: what each parent's edge compiles to.
        network: in place of the U-Net; see `causalflow.diffusion.denoiser`.
        classifiers: by class parent, in place of its learned predictor; see
            `causalflow.mechanisms.reading`.
    """

    def __init__(
        self,
        name: str,
        node: Image,
        parents: Mapping[str, Node],
        kinds: Mapping[str, EdgeKind],
        *,
        network: nn.Module | None = None,
        classifiers: Mapping[str, Callable[..., Tensor]] | None = None,
    ) -> None:
        super().__init__()
        self.name = name
        self.shape = node.shape
        self.options = _with_code(
            node.diffusion, all(isinstance(k, Neural) for k in kinds.values())
        )
        node = replace(node, diffusion=self.options)
        self.parents = dict(parents)
        self.neural = {n: t for n, t in parents.items() if isinstance(kinds[n], Neural)}
        self.scales = {n: k.scale for n, k in kinds.items() if isinstance(k, Anticausal)}
        latents = represented(self.neural)
        self.representation = Representation(node, latents) if latents else None
        told = self.neural | (self.representation.told if self.representation else {})
        self.denoiser = Denoiser(node.shape[0], told, node.diffusion, network=network)
        self.code = SemanticCode(node, parents) if node.diffusion.code else None
        given = given_classifiers(name, node, parents, classifiers or {})
        learned = {n: p for n, p in parents.items() if n not in given and n not in latents}
        self.predictor = AnticausalPredictor(node, learned) if learned else None
        self.classifiers = nn.ModuleDict({module_key(n): c for n, c in given.items()})
        self.mutilation = (
            MutilationWeights(parents) if parents and node.diffusion.reweighted else None
        )

    def configured(
        self, *, steps: int | None = None, guidance: float | str | None = None, **options: Any
    ) -> ImageMechanism:
        """The same weights under other options.

        Args:
            steps: steps each way, of both solvers unless ``guided_steps`` is given too.
            guidance: a name of `causalflow.diffusion.guidance.GUIDANCES`, or a number that
                multiplies the scale of every anti-causal edge and the excess of ``strength``
                over 1.
            options: further fields of `causalflow.graph.schema.Diffusion`.
        """
        other = copy.copy(self)
        if steps is not None:
            options = {"guided_steps": None, **options, "steps": steps}
        if isinstance(guidance, str):
            options["guidance"] = guidance
        other.options = replace(self.options, **options)
        if isinstance(guidance, int | float):
            other.scales = {name: guidance * scale for name, scale in self.scales.items()}
            strength = max(0.0, 1 + guidance * (other.options.strength - 1))
            other.options = replace(other.options, strength=strength)
        return other

    def calibrate(self, values: Values, generator: torch.Generator) -> None:
        """Set the scales of continuous parents and the mutilation weights; draws nothing."""
        self.denoiser.calibrate(values)
        if self.code is not None:
            self.code.calibrate(values)
        if self.representation is not None:
            self.representation.calibrate(values)
        if self.predictor is not None:
            self.predictor.calibrate(values)
        if self.mutilation is None:
            return
        if self.scales or all_labelled(values, self.parents).any():
            self.mutilation.calibrate(values)

    def loss(self, values: Values, generator: torch.Generator) -> Tensor:
        """Denoising and prediction error and the code's divergence, shape (batch,).

        A row without image costs 0. The prediction follows the mutilated law, and so does the
        denoising where an edge is anti-causal. A denoiser that is told every parent has the same
        optimum under every law: its law is the even mixture of the data's and the mutilated one, so
        that it learns the combinations that are rare in the data and common under do().
        """
        seen = labelled(values[self.name])
        image = values[self.name].nan_to_num()
        parents = {name: values[name] for name in self.parents}
        error = self._denoising(image, self._told(image, parents, generator), generator)
        if self.parents:
            weight = 1.0 if self.mutilation is None else self.mutilation(parents)
            error = error * (weight if self.scales else (1 + weight) / 2)
            error = error + weight * self._reader.loss(image, parents, generator)
        return torch.where(seen, error, 0.0)

    def _told(self, image: Tensor, parents: Values, generator: torch.Generator) -> Values:
        """The parents as the denoiser is told them: missing ones hidden, or drawn."""
        if self.options.unlabelled == "null" or not self.parents:
            return parents
        return self._reader.completed(image, parents, generator)

    def _denoising(self, image: Tensor, parents: Values, generator: torch.Generator) -> Tensor:
        told, cost = self._latents(image, parents, generator)
        if self.code is None:
            return self.denoiser.loss(image, told, generator) + cost
        code, divergence = self.code.sample(image, parents, generator)
        weight = self.options.code_weight / math.prod(self.shape)
        error = self.denoiser.loss(image, told, generator, code=code) + weight * divergence + cost
        if not self.options.code_independence:
            return error
        return error + self.options.code_independence * dependence(code, parents)

    def _latents(
        self, image: Tensor, parents: Values, generator: torch.Generator
    ) -> tuple[Values, Tensor | float]:
        """The parents, latents drawn in place of labels, and the cost of their alignment."""
        if self.representation is None:
            return parents, 0.0
        latents, divergence = self.representation.sample(image, parents, generator)
        weight = self.options.alignment_weight / math.prod(self.shape)
        return {**parents, **latents}, weight * divergence

    @property
    def reweights(self) -> bool:
        """Whether the law that it is fitted under differs from the data's by much."""
        return self.mutilation is not None and float(self.mutilation.effective_share) < ALIKE

    def row_weights(self, values: Values) -> Tensor:
        """w of each row, shape (n,), of mean 1 over the data."""
        assert self.mutilation is not None, "nothing is re-weighted"
        return self.mutilation({name: values[name] for name in self.parents})

    def infer(self, value: Tensor, names: Iterable[str]) -> dict[str, Tensor]:
        """The most probable values of the named parents, read off factual images."""
        read = self.represent(value, {})
        with torch.no_grad():
            others = self._reader.infer(value, [name for name in names if name not in read])
        if self.representation is None:
            return others
        own = {name: read[name] for name in names if name in read}
        return others | self.representation.labels(own)

    @torch.no_grad()
    def represent(self, value: Tensor, labels: Values) -> dict[str, Tensor]:
        """The latents of factual images, by parent: float32, shape (batch, length).

        Args:
            value: images in [-1, 1].
            labels: of the parents that are known; the latents of others are read off the image.
        """
        if self.representation is None:
            return {}
        rows = chunks(torch.arange(len(value), device=value.device))
        parts = [self.representation.read(value[part]) for part in rows]
        read = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
        return self.representation.believing(read, labels)

    @torch.no_grad()
    def latents(self, parents: Values, noise: Noise) -> dict[str, Tensor]:
        """The latents under ``parents`` and ``noise``, by parent."""
        return self._moved(noise, parents) if self.representation is not None else {}

    def draw_noise(self, n: int, generator: torch.Generator) -> Noise:
        """n draws of u: a normal position, at rest, without residual, image or reference."""
        shape, device = (n, *self.shape), generator.device
        position = torch.randn(shape, generator=generator, device=device).double()
        position = self.denoiser.prior_scale * position
        offset = self._decoder.draw_offset(position, generator)
        code = self.code.draw(n, generator) if self.code is not None else None
        reference = {
            name: torch.full((n,), torch.nan if isinstance(node, Continuous) else -1, device=device)
            for name, node in self.parents.items()
        }
        image = torch.full(shape, torch.nan, device=device)
        latents = {} if self.representation is None else self.representation.draw(n, generator)
        return self._noise(position, offset, code, latents, reference, image, generator)

    @torch.no_grad()
    def abduct(self, value: Tensor, parents: Values, generator: torch.Generator) -> Noise:
        """The noise of factual images under factual parents; draws for stochastic methods only."""
        parts = [
            self._abduct(value[rows], take(parents, rows), generator)
            for rows in chunks(torch.arange(len(value), device=value.device))
        ]
        return {key: torch.cat([part[key] for part in parts]) for key in parts[0]}

    def _abduct(self, value: Tensor, parents: Values, generator: torch.Generator) -> Noise:
        decoder = self._decoder
        code = self.code.mean(value, parents) if self.code is not None else None
        latents = self.represent(value, parents)
        reference = {name: parents[name] for name in self.parents}
        told = self._conditions({**reference, **latents}, code)
        position, offset = decoder.up(value, told, generator)
        noise = self._noise(position, offset, code, latents, reference, value, generator)
        if self.options.residual and not decoder.solver.reversible:
            noise["residual"] = value.double() - decoder.down(told, position, offset)
        if self.options.residual and decoder.guides:
            decoded = decoder.from_rest(decoder.field(told), position)
            noise["guided_residual"] = value.double() - decoded
        return noise

    def _noise(
        self,
        position: Tensor,
        offset: tuple[Tensor, ...],
        code: Tensor | None,
        latents: Values,
        reference: Values,
        image: Tensor,
        generator: torch.Generator,
    ) -> dict[str, Tensor]:
        """u without residuals; its keys depend on the options alone."""
        nothing = torch.zeros_like(position)
        noise = {"position": position, "residual": nothing}
        noise |= {f"{OFFSET}{k}": part for k, part in enumerate(offset)}
        noise |= {REFERENCE + name: value for name, value in reference.items()}
        noise |= {LATENT + name: value for name, value in latents.items()}
        if code is not None:
            noise[CODE] = code
        if self._decoder.guides:
            noise["guided_residual"] = nothing
        if self.options.balance != "none":
            noise["image"] = image
            noise["tape"] = draw_tape(position, self._tape_length, generator)
        return noise

    @torch.no_grad()
    def predict(self, parents: Values, noise: Noise) -> Tensor:
        """Images in [-1, 1] under ``parents`` and ``noise``."""
        image = torch.empty_like(noise["position"])
        reference = _reference(noise, self.parents)
        parents = {name: snapped(parents[name], reference[name]) for name in self.parents}
        for chosen, decode in self._ways(parents, noise):
            for rows in chunks(chosen.nonzero()[:, 0]):
                image[rows] = decode(take(parents, rows), take(noise, rows))
        return image.float()

    def _ways(self, parents: Values, noise: Noise) -> list[tuple[Tensor, Decode]]:
        """How each row is decoded: rows, shape (batch,), and by what."""
        changed = torch.zeros(len(noise["position"]), dtype=torch.bool).to(noise["position"].device)
        if self.parents and (self._decoder.guides or "image" in noise):
            changed = any_changed(parents, _reference(noise, self.parents), self.parents)
        ways: list[tuple[Tensor, Decode]] = [(~changed, self._decode)]
        if self.options.balance == "none":
            return [*ways, (changed, self._decode_guided)]
        if "image" not in noise or noise["tape"].shape[1] != self._tape_length:
            raise EvidenceError(
                f"node '{self.name}': balance '{self.options.balance}' with {self.options.steps} "
                "steps was asked of a noise that was abducted with other options; abduct and "
                "predict with the same balance and steps"
            )
        drawn = noise["image"].flatten(1).isnan().any(dim=1)
        ways.append((changed & drawn, self._decode_guided))
        return [*ways, (changed & ~drawn, self._decode_balanced)]

    def _decode(self, parents: Values, noise: Noise) -> Tensor:
        told = self._conditions(self._told_by(noise, parents), noise.get(CODE))
        offset = tuple(part for key, part in noise.items() if key.startswith(OFFSET))
        image = self._decoder.down(told, noise["position"], offset)
        return self._completed(image, noise["residual"])

    def _decode_guided(self, parents: Values, noise: Noise) -> Tensor:
        told = self._conditions(self._told_by(noise, parents), noise.get(CODE))
        reference = self._told_by(noise, _reference(noise, self.parents))
        image = self._decoder.guided(told, reference, noise["position"])
        return self._completed(image, noise.get("guided_residual", torch.zeros_like(image)))

    def _decode_balanced(self, parents: Values, noise: Noise) -> Tensor:
        reference, code = self._told_by(noise, _reference(noise, self.parents)), noise.get(CODE)
        target = self._conditions(self._told_by(noise, parents), code)
        factual = self._conditions(reference, code)
        return self._decoder.balanced(target, reference, noise["image"], noise["tape"], factual)

    def _completed(self, image: Tensor, residual: Tensor) -> Tensor:
        return image + residual if self.options.residual else image

    def _told_by(self, noise: Noise, parents: Values) -> Values:
        """The parents, their latents in place of labels."""
        return {**parents, **self._moved(noise, parents)}

    def _moved(self, noise: Noise, parents: Values) -> dict[str, Tensor]:
        if self.representation is None:
            return {}
        latents = {name: noise[LATENT + name] for name in self.representation.lengths}
        return self.representation.moved(latents, _reference(noise, self.parents), parents)

    def _conditions(self, parents: Values, code: Tensor | None) -> dict[str, Tensor]:
        """What the network is told, and what the anti-causal edges aim at."""
        told = {name: parents[name] for name in self.parents}
        return told if code is None else {**told, CODE: code}

    def _velocity(self, y: Tensor, tau: Time, told: Values) -> Tensor:
        return self.denoiser.velocity(y, tau, told, code=told.get(CODE))

    @property
    def _decoder(self) -> Decoder:
        latents = self.representation.lengths if self.representation is not None else {}
        classes = {
            n: p for n, p in self.parents.items() if isinstance(p, Class) and n not in latents
        }
        return Decoder(
            velocity=self._velocity,
            options=self.options,
            tau_max=self.denoiser.tau_max,
            neural=tuple(self.neural),
            scales=self.scales,
            levels={name: len(node.levels) for name, node in classes.items()},
            predictor=self._reader,
            replay=self.denoiser.replay,
        )

    @property
    def _reader(self) -> ParentReader:
        given = {
            n: self.classifiers[module_key(n)]
            for n in self.parents
            if module_key(n) in self.classifiers
        }
        return ParentReader(learned=self.predictor, given=cast(Any, given))

    @property
    def _tape_length(self) -> int:
        """Steps whose noise is kept: of the noisy ways up, and not of stopping."""
        return 0 if self.options.balance == "stopping" else self.options.steps


def _with_code(options: Diffusion, neural: bool) -> Diffusion:
    """The options with the length of the code that the default stands for."""
    if options.code is not None:
        return options
    return replace(options, code=DEFAULT_CODE if neural else 0)


def _reference(noise: Noise, parents: Iterable[str]) -> dict[str, Tensor]:
    return {name: noise[REFERENCE + name] for name in parents}
