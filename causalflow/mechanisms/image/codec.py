"""Codec: an image to its noise, and a noise to the image it draws, under the parents' values.

Notation: x the image, u its noise, what a diffusion model needs besides the parents to draw it:

    u = (position, offset, code, latents, residuals, grain, reference, drawn)

    position   y_N, the end of the probability-flow trajectory through the factual image; normal
               when drawn
    offset     the solver's further state at y_N less its rest value; for leap-frog
               w_N - v(y_N, c); when drawn 0, or the noise of a stochastic solver
    code       z, the mean of q(z | x, parents), N(0, I) when drawn
               (`causalflow.mechanisms.image.semantic_code`)
    latents    vectors that stand for the labels of parents with a representation, as read off x;
               they move with the labels (`causalflow.mechanisms.image.representation`)
    residual   r = x - decode(u, factual parents): what the solver misses; 0 when drawn, and of a
               reversible solver, which misses nothing
    guided_residual  the same of the guided solver
    grain      g, what was added to the factual image before it was abducted, and is taken off every
               image again; 0 when drawn
    reference  the parents under which u was read; unlabelled when drawn
    drawn      whether u was drawn, and not abducted of an image
    image, tape  kept for a balanced way up only (`causalflow.diffusion.trajectory`): x, NaN when
               drawn, and the noise of that way; x too where parents act locally

Between the mechanisms u is a mapping of tensors with a row each
(`causalflow.mechanisms.mechanism`); here it has parts. c are the conditions: the parents, latents
in place of labels where they have a representation, and the code.

*Up*: the solver follows the velocity from the data to the noise, unguided. *Down*: start at rest
under the new parents, add the offset, come back, add the residual. Storing the offset from rest
makes the delta rule w' = w + v(y_N, c') - v(y_N, c) part of the noise's definition, and the
identity when c' = c. Where something guides (`causalflow.diffusion.guidance.contrast`), rows whose
parents are not all those of their reference are decoded by the guided solver, from the position
alone, which a reversible decoder would not survive; its residual is that of decoding the factual
image, which nothing guides. The guided solver also draws, unguided, where the solver is none for
that. The other rows are decoded as they were read: a null intervention returns the evidence,
whatever the guidance.

*Local*: where parents act locally, rows whose parents have changed are decoded within the mask of
`causalflow.diffusion.locality`, which asks for the factual picture x: kept with the noise, or
decoded where the noise was abducted without. `Regions` is told the share of each picture inside.

*Grain*: at the data end of the path, TAU_MIN, the network was trained on (1 - TAU_MIN) x + TAU_MIN
eps, and a factual image brings no eps. Where it is flat no noise can be read off it, and what is
abducted is far narrower than what is drawn. With the option ``grain`` g, x is abducted as x + g
TAU_MIN / (1 - TAU_MIN) eps, as noisy as in training where g = 1; that addition is part of u, and
taken off every image that u draws.

Source: Sanchez & Tsaftaris (2022), Diff-SCM, algorithms 1-3 (abduction, guided prediction);
asynchronous leap-frog, the residual, the grain, and the two decoders are this project's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor

from causalflow.diffusion.denoiser import CODE
from causalflow.diffusion.guidance.balance import draw_tape
from causalflow.diffusion.locality import Regions
from causalflow.diffusion.path import TAU_MIN
from causalflow.diffusion.trajectory import Trajectory
from causalflow.errors import EvidenceError
from causalflow.graph.node import Diffusion, Node
from causalflow.mechanisms.image.representation import Representation
from causalflow.mechanisms.image.semantic_code import SemanticCode
from causalflow.mechanisms.mechanism import Noise, Values, chunks, snapped, take
from causalflow.nn.embedding import any_changed

__all__ = ["Codec", "ImageNoise"]

_LATENT, _OFFSET, _REFERENCE = "latent.", "offset.", "reference."


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ImageNoise:
    """The noise u of images, in parts; one row an image.

    Attributes:
        position: the end y_N of the trajectory, shape (batch, channel, height, width), float64.
        residual: what decoding misses of the image, of the same shape.
        offset: the solver's further state, as many tensors of that shape as it keeps.
        drawn: the rows that were drawn, bool, shape (batch,).
        reference: the values of the parents under which u was read, shape (batch,) each.
        latents: the latents of the parents, shape (batch, length) each; none where no parent has a
            representation.
        code: the semantic code, shape (batch, length); None where the image has none.
        guided_residual: the residual under guidance, as ``residual``; None where nothing guides.
        grain: what was added before abduction, of the shape of position; None: nothing was added.
        image: the factual image, in [-1, 1]; None where nothing is balanced or local.
        tape: the noise of a balanced way up, shape (batch, steps, channel, height, width);
            likewise.
    """

    position: Tensor
    residual: Tensor
    drawn: Tensor
    offset: tuple[Tensor, ...]
    reference: Mapping[str, Tensor]
    latents: Mapping[str, Tensor]
    code: Tensor | None = None
    guided_residual: Tensor | None = None
    grain: Tensor | None = None
    image: Tensor | None = None
    tape: Tensor | None = None

    @classmethod
    def of(cls, noise: Noise) -> ImageNoise:
        """The parts of a mapping that `tensors` made."""
        return cls(
            position=noise["position"],
            residual=noise["residual"],
            drawn=noise["drawn"],
            offset=tuple(_named(noise, _OFFSET).values()),
            reference=_named(noise, _REFERENCE),
            latents=_named(noise, _LATENT),
            code=noise.get(CODE),
            guided_residual=noise.get("guided_residual"),
            grain=noise.get("grain"),
            image=noise.get("image"),
            tape=noise.get("tape"),
        )

    def tensors(self) -> dict[str, Tensor]:
        """The parts that there are, by name."""
        single = {
            CODE: self.code,
            "guided_residual": self.guided_residual,
            "grain": self.grain,
            "image": self.image,
            "tape": self.tape,
        }
        return {
            "position": self.position,
            "residual": self.residual,
            "drawn": self.drawn,
            **{f"{_OFFSET}{place}": part for place, part in enumerate(self.offset)},
            **{_REFERENCE + name: value for name, value in self.reference.items()},
            **{_LATENT + name: value for name, value in self.latents.items()},
            **{name: part for name, part in single.items() if part is not None},
        }


def _named(noise: Noise, prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): part for k, part in noise.items() if k.startswith(prefix)}


_Decode: TypeAlias = Callable[[Values, ImageNoise], Tensor]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Codec:
    """Both ways between the images of a node and their noise.

    Attributes:
        name: the node.
        shape: the shape of an image.
        parents: their types by name.
        options: the options of the node.
        trajectory: the ways between an image and its noise.
        code: what else the image shows; None: no code.
        representation: the parents' latents; None: no parent has any.
        prior_scale: the standard deviation of a drawn position.
        local: whether parents act locally.
    """

    name: str
    shape: tuple[int, int, int]
    parents: Mapping[str, Node]
    options: Diffusion
    trajectory: Trajectory
    code: SemanticCode | None
    representation: Representation | None
    prior_scale: float
    local: bool = False

    def drawn(self, n: int, generator: torch.Generator) -> ImageNoise:
        """n draws of u: a normal position, at rest, without residual, image or reference."""
        shape, device = (n, *self.shape), generator.device
        position = torch.randn(shape, generator=generator, device=device).double()
        position = self.prior_scale * position
        offset = self.trajectory.draw_offset(position, generator)
        code = self.code.draw(n, generator) if self.code is not None else None
        reference = {
            name: torch.full((n,), node.type.missing, device=device)
            for name, node in self.parents.items()
        }
        latents = {} if self.representation is None else self.representation.draw(n, generator)
        image, tape = self._balancing(torch.full(shape, torch.nan, device=device), generator)
        nothing = torch.zeros_like(position)
        return ImageNoise(
            position=position,
            residual=nothing,
            drawn=torch.ones(n, dtype=torch.bool, device=device),
            offset=offset,
            reference=reference,
            latents=latents,
            code=code,
            guided_residual=nothing if self.trajectory.guides else None,
            image=image,
            tape=tape,
        )

    def up(self, image: Tensor, parents: Values, generator: torch.Generator) -> ImageNoise:
        """u of images in [-1, 1] under factual parents; draws for stochastic methods only."""
        trajectory, grain = self.trajectory, self.grain(image, generator)
        code = self.code.mean(image, parents) if self.code is not None else None
        latents = self.represented(image, parents)
        image = image if grain is None else image.double() + grain
        reference = {name: parents[name] for name in self.parents}
        told = self._conditions({**reference, **latents}, code)
        position, offset = trajectory.up(image, told, generator)
        kept, tape = self._balancing(image, generator)
        return ImageNoise(
            position=position,
            residual=self._residual(image, told, position, offset),
            drawn=torch.zeros(len(image), dtype=torch.bool, device=image.device),
            offset=offset,
            reference=reference,
            latents=latents,
            code=code,
            guided_residual=self._guided_residual(image, told, position),
            grain=grain,
            image=kept,
            tape=tape,
        )

    def down(self, parents: Values, noise: Noise) -> Tensor:
        """Images in [-1, 1] under ``parents`` and the mapping of ``noise``, in float64."""
        image, whole = torch.empty_like(noise["position"]), ImageNoise.of(noise)
        parents = {name: snapped(parents[name], whole.reference[name]) for name in self.parents}
        for chosen, decode in self._ways(parents, whole):
            for rows in chunks(chosen.nonzero()[:, 0]):
                image[rows] = decode(take(parents, rows), ImageNoise.of(take(noise, rows)))
        if self.local:
            self._move_locally(image, parents, noise)
        return image if whole.grain is None else image - whole.grain

    def represented(self, image: Tensor, labels: Values) -> dict[str, Tensor]:
        """The latents of images in [-1, 1], by parent; the labels that are given are believed."""
        if self.representation is None:
            return {}
        rows = chunks(torch.arange(len(image), device=image.device))
        parts = [self.representation.read(image[part]) for part in rows]
        read = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
        return self.representation.believing(read, labels)

    def latents(self, parents: Values, noise: ImageNoise) -> dict[str, Tensor]:
        """The latents of a noise, moved to ``parents``."""
        if self.representation is None:
            return {}
        return self.representation.moved(noise.latents, noise.reference, parents)

    def conditions(self, parents: Values, noise: ImageNoise) -> dict[str, Tensor]:
        """What the network is told of a noise under ``parents``."""
        return self._conditions(self._told(parents, noise), noise.code)

    def guessed(self, image: Tensor, parents: Values) -> dict[str, Tensor]:
        """What the network is told of pictures that are a guess, under ``parents``."""
        code = None if self.code is None else self.code.mean(image, parents)
        return self._conditions({**parents, **self.represented(image, parents)}, code)

    def grain(self, image: Tensor, generator: torch.Generator) -> Tensor | None:
        """g TAU_MIN / (1 - TAU_MIN) eps, float64, shape of the image; None where g is 0."""
        if not self.options.grain:
            return None
        noise = torch.randn(image.shape, generator=generator, device=generator.device)
        return self.options.grain * TAU_MIN / (1 - TAU_MIN) * noise.double()

    def _residual(
        self, image: Tensor, told: Values, position: Tensor, offset: tuple[Tensor, ...]
    ) -> Tensor:
        if not self.options.residual or self.trajectory.solver.reversible:
            return torch.zeros_like(position)
        return image.double() - self.trajectory.down(told, position, offset)

    def _guided_residual(self, image: Tensor, told: Values, position: Tensor) -> Tensor | None:
        if not self.trajectory.guides:
            return None
        if not self.options.residual:
            return torch.zeros_like(position)
        return image.double() - self.trajectory.fresh(told, position)

    def _balancing(
        self, image: Tensor, generator: torch.Generator
    ) -> tuple[Tensor | None, Tensor | None]:
        """The image and the tape of a balanced way up; the image where parents act locally."""
        if self.options.balance == "none":
            return image if self.local else None, None
        return image, draw_tape(image, self._tape_length, generator)

    def _ways(self, parents: Values, noise: ImageNoise) -> list[tuple[Tensor, _Decode]]:
        """How each row is decoded that does not move locally: rows, shape (batch,), and by what."""
        changed = torch.zeros_like(noise.drawn)
        if self.parents and (self.trajectory.guides or self.options.balance != "none"):
            changed = any_changed(parents, noise.reference, self.parents)
        drawn, apart = noise.drawn, self._moves_locally(parents, noise)
        changed, unmoved = changed & ~apart, ~drawn & ~apart
        ways: list[tuple[Tensor, _Decode]] = [(~changed & unmoved, self._plain)]
        ways += [(~changed & drawn, self._drawn), (changed & drawn, self._drawn_guided)]
        if self.options.balance == "none":
            return [*ways, (changed & ~drawn, self._guided)]
        if noise.image is None or noise.tape is None or noise.tape.shape[1] != self._tape_length:
            raise EvidenceError(
                f"node '{self.name}': balance '{self.options.balance}' with {self.options.steps} "
                "steps was asked of a noise that was abducted with other options; abduct and "
                "predict with the same balance and steps"
            )
        return [*ways, (changed & ~drawn, self._balanced)]

    def _moves_locally(self, parents: Values, noise: ImageNoise) -> Tensor:
        """The rows that are decoded within a mask: abducted, with a parent that has changed."""
        if not (self.local and self.parents):
            return torch.zeros_like(noise.drawn)
        return any_changed(parents, noise.reference, self.parents) & ~noise.drawn

    def _move_locally(self, image: Tensor, parents: Values, noise: Noise) -> None:
        """Decode the rows that move locally, in place; tell their regions."""
        moved = self._moves_locally(parents, ImageNoise.of(noise))
        share = torch.full((len(moved),), torch.nan, dtype=image.dtype, device=image.device)
        for rows in chunks(moved.nonzero()[:, 0]):
            part = ImageNoise.of(take(noise, rows))
            image[rows], mask = self._local(take(parents, rows), part)
            share[rows] = mask.flatten(1).mean(dim=1)
        Regions.tell(self.name, share)

    def _local(self, parents: Values, noise: ImageNoise) -> tuple[Tensor, Tensor]:
        """The images, and their masks."""
        trajectory = self.trajectory
        target = self.conditions(parents, noise)
        factual = self.conditions(noise.reference, noise)
        known = self._plain(noise.reference, noise) if noise.image is None else noise.image
        mask = trajectory.mask(target, factual, known)
        image = trajectory.local(target, factual, mask, noise.position, noise.offset)
        residual = noise.guided_residual if trajectory.guides else noise.residual
        if residual is None:  # abducted where nothing guided
            residual = self._guided_residual(known, factual, noise.position)
        return self._completed(image, residual), mask

    def _drawn(self, parents: Values, noise: ImageNoise) -> Tensor:
        told = self.conditions(parents, noise)
        return self.trajectory.drawn(told, noise.position, noise.offset)

    def _drawn_guided(self, parents: Values, noise: ImageNoise) -> Tensor:
        told = self.conditions(parents, noise)
        reference = self._told(noise.reference, noise)
        return self.trajectory.drawn_guided(told, reference, noise.position)

    def _plain(self, parents: Values, noise: ImageNoise) -> Tensor:
        told = self.conditions(parents, noise)
        image = self.trajectory.down(told, noise.position, noise.offset)
        return self._completed(image, noise.residual)

    def _guided(self, parents: Values, noise: ImageNoise) -> Tensor:
        told = self.conditions(parents, noise)
        reference = self._told(noise.reference, noise)
        image = self.trajectory.guided(told, reference, noise.position)
        return self._completed(image, noise.guided_residual)

    def _balanced(self, parents: Values, noise: ImageNoise) -> Tensor:
        assert noise.image is not None
        assert noise.tape is not None
        reference = self._told(noise.reference, noise)
        target = self.conditions(parents, noise)
        factual = self._conditions(reference, noise.code)
        return self.trajectory.balanced(target, reference, noise.image, noise.tape, factual)

    def _completed(self, image: Tensor, residual: Tensor | None) -> Tensor:
        return image if residual is None or not self.options.residual else image + residual

    def _told(self, parents: Values, noise: ImageNoise) -> Values:
        """The parents, their latents in place of labels."""
        return {**parents, **self.latents(parents, noise)}

    def _conditions(self, parents: Values, code: Tensor | None) -> dict[str, Tensor]:
        """What the network is told, and what the anti-causal edges aim at."""
        told = {name: parents[name] for name in self.parents}
        return told if code is None else {**told, CODE: code}

    @property
    def _tape_length(self) -> int:
        """Steps whose noise is kept: of the noisy ways up, and not of stopping."""
        return 0 if self.options.balance == "stopping" else self.options.steps
