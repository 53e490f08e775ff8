"""Image mechanism: x = f(parents, u) by a diffusion model, with neural and anti-causal edges.

Its parts: the canvas, which is the pixels or an autoencoder's latent; all others stand on it. The
denoiser, told the parents of neural edges; the predictor, or the user's classifiers,
of all parents, whose gradient is the mechanism of the anti-causal ones; a semantic code of what
else the image shows; latents of the parents that have a representation; and weights under which it
is fitted. What they do together:

    where the flow runs           `causalflow.mechanisms.image.canvas`
    how it is fitted              `causalflow.mechanisms.image.loss`
    how x becomes u and u an x    `causalflow.mechanisms.image.codec`, which integrates the flow by
                                  `causalflow.diffusion.trajectory`
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from functools import cached_property, partial
from typing import Any, cast

import torch
from torch import Tensor, nn

from causalflow.diffusion.denoiser import Denoiser
from causalflow.diffusion.inpainting import inpainted
from causalflow.diffusion.trajectory import Trajectory
from causalflow.errors import CompileError, EvidenceError
from causalflow.graph.image_options import AUTO
from causalflow.graph.node import (
    Anticausal,
    Diffusion,
    EdgeKind,
    Image,
    Neural,
    Node,
    levels_of,
)
from causalflow.graph.settings import Settings
from causalflow.mechanisms.image.augmentation import augmented, augments
from causalflow.mechanisms.image.canvas import Canvas, canvas_of
from causalflow.mechanisms.image.classifier import given_classifiers, home_of
from causalflow.mechanisms.image.codec import Codec, ImageNoise
from causalflow.mechanisms.image.editor import Editor, Student
from causalflow.mechanisms.image.likeliest_parents import likeliest_parents
from causalflow.mechanisms.image.loss import ImageLoss, MutilationWeights
from causalflow.mechanisms.image.parent_reader import AnticausalPredictor, ParentReader, Weigh
from causalflow.mechanisms.image.representation import Representation, represented
from causalflow.mechanisms.image.semantic_code import SemanticCode
from causalflow.mechanisms.mechanism import (
    Noise,
    Values,
    all_labelled,
    chunks,
    module_key,
    natural,
    take,
)
from causalflow.nn.autoencoder import ConvolutionalAutoencoder
from causalflow.nn.backbone import OWN
from causalflow.nn.embedding import PictureEmbedding
from causalflow.nn.engine import Engine, Site
from causalflow.nn.replay import Replay
from causalflow.values.image import ImageType

__all__ = ["ENGINE", "ImageMechanism"]

DEFAULT_CODE = 32
SMALL = 16
"""The longest side of a latent whose network has one resolution."""
ALIKE = 0.95
WEIGHTS = Diffusion().difference_weights
MADE = ("_codec", "trajectory")
"""What is made of the options when it is first asked for."""


class ImageMechanism(nn.Module):
    """A conditional diffusion model as the mechanism of an image node.

    Args:
        name: the node.
        node: its shape and options.
        parents: the parents' types by name.
        kinds: what each parent's edge compiles to.
        network: the user's own, in place of the U-Net; see `causalflow.diffusion.denoiser`.
        classifiers: the user's own, by class parent, in place of its learned predictor; see
            `causalflow.mechanisms.image.classifier`.
        unweighted: the parents whose law is left as it is where rows are weighted.
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
        unweighted: Collection[str] = (),
        listens: bool = False,
    ) -> None:
        super().__init__()
        self.name = name
        self.canvas = canvas_of(node, network)
        self.listens = listens
        coded = all(isinstance(kind, Neural) for kind in kinds.values()) and not listens
        self.options = _resolved(node.diffusion, self.canvas, coded)
        given = given_classifiers(name, node, parents, classifiers or {}, self.canvas)
        node = replace(node, shape=self.canvas.shape, diffusion=self.options)
        self.parents = dict(parents)
        self.neural = {n: t for n, t in parents.items() if isinstance(kinds[n], Neural)}
        self.scales = {n: k.scale for n, k in kinds.items() if isinstance(k, Anticausal)}
        latents = represented(self.neural)
        self.representation = Representation(node, latents) if latents else None
        told = self.neural | (self.representation.told if self.representation else {})
        self.denoiser = Denoiser(node.shape[0], told, node.diffusion, network=network)
        self.editor: Editor | None = None
        self.code = SemanticCode(node, parents) if node.diffusion.code else None
        learned = {n: p for n, p in parents.items() if n not in given and n not in latents}
        self.predictor = AnticausalPredictor(node, learned) if learned else None
        self.classifiers = nn.ModuleDict({module_key(n): c for n, c in given.items()})
        levels = {n: t for n, t in parents.items() if n not in unweighted}
        self.mutilation = (
            MutilationWeights(levels) if levels and node.diffusion.reweighted else None
        )

    @property
    def description(self) -> str:
        """The solver, and how much of the data the weights of mutilation leave in use."""
        options, latent = self.options, self.canvas.latent
        size = "x".join(map(str, self.canvas.shape))
        where = "" if latent is None else f" in a {latent.autoencoder} latent of {size}"
        steps = self.trajectory.steps
        none = "none (it listens to a hidden cause)" if self.listens else "none"
        text = f"diffusion{where}, {options.solver}, {steps} steps, code {options.code or none}"
        text += f", backbone {words}" if (words := options.backbone_in_words) else ""
        if self.mutilation is None:
            return text
        return f"{text}, effective share {float(self.mutilation.effective_share):.0%} of the rows"

    @property
    def assumption(self) -> str:
        """How a diffusion model recovers its noise, and where its parents act."""
        local = " and parents that act locally" if self.acts_locally else ""
        return f"the noise of its diffusion model{local}"

    @property
    def acts_locally(self) -> bool:
        """Whether the picture is held outside of the region where what changed is seen.

        Raises:
            EvidenceError: that is asked for beside a balanced way up.
        """
        balanced = self.options.balance != "none"
        if self.options.local and balanced:
            raise EvidenceError(
                f"node '{self.name}': local beside balance '{self.options.balance}'; give one of "
                "them"
            )
        if self.options.local is None:
            return self.canvas.latent is not None and not balanced
        return self.options.local

    @property
    def of_the_package(self) -> bool:
        """Whether all networks that it fits are the package's own."""
        between = getattr(self.canvas, "autoencoder", None)
        own = between is None or isinstance(between, ConvolutionalAutoencoder)
        return own and isinstance(self.denoiser.network, OWN)

    def check_network(self) -> None:
        """Refuse a network that cannot be called on two images, where it is.

        Raises:
            CompileError: its reason.
        """
        images = torch.zeros(2, *self.canvas.shape, dtype=torch.float64, device=home_of([self]))
        parents = {
            n: images.new_zeros(2, dtype=torch.float64 if node.type.numeric else torch.int64)
            for n, node in self.parents.items()
        }
        lengths = {} if self.representation is None else self.representation.lengths
        parents |= {n: images.new_zeros(2, k, dtype=torch.float32) for n, k in lengths.items()}
        try:
            with torch.no_grad():
                self.denoiser.velocity(images, 0.5, parents)
        except (RuntimeError, TypeError, ValueError) as error:
            reason = str(error).splitlines()[0]
            raise CompileError(
                f"node '{self.name}': its network cannot be called as network(x, tau, condition) "
                f"on two images: {reason}"
            ) from None

    def configured(
        self, *, steps: int | None = None, guidance: float | str | None = None, **options: Any
    ) -> ImageMechanism:
        """The same weights under other options.

        Args:
            steps: steps each way, of both solvers unless ``guided_steps`` is given too, and in
                place of the times and weights of "difference" likewise.
            guidance: a name of `causalflow.diffusion.guidance.contrast.GUIDANCES`, or a number that
                multiplies the scale of every anti-causal edge and the excess of ``strength``
                over 1.
            options: further fields of `causalflow.graph.node.Diffusion`.
        """
        other = copy.copy(self)
        if steps is not None:
            own = {"guided_steps": None, "difference_times": None, "difference_weights": WEIGHTS}
            options = {**own, **options, "steps": steps}
        if isinstance(guidance, str):
            options["guidance"] = guidance
        other.options = replace(self.options, **options)
        if isinstance(guidance, int | float):
            other.scales = {name: guidance * scale for name, scale in self.scales.items()}
            strength = max(0.0, 1 + guidance * (other.options.strength - 1))
            other.options = replace(other.options, strength=strength)
        return other

    def settled(self, settings: Settings) -> ImageMechanism:
        """The same weights under other defaults."""
        other = copy.copy(self)
        other.options = replace(self.options, **settings.options)
        other.scales = {**self.scales, **settings.scales}
        return other

    @property
    def denoisers(self) -> list[Denoiser]:
        """Its denoiser, and the distilled one if there is one."""
        return [self.denoiser, *([] if self.editor is None else [self.editor.denoiser])]

    def student(self, teacher: ImageMechanism, calls: int) -> Student:
        """What learns to answer as ``teacher``, this mechanism under other options, in few calls.

        Args:
            teacher: one of `configured`.
            calls: even, at least 4.
        """
        return Student(self.denoiser, self.canvas.encode, self._codec, teacher, calls)

    def edited_by(self, editor: Editor) -> None:
        """Take a distilled network, which runs as its own does."""
        self.editor = editor
        self.accelerated(self.denoiser.replay)

    def accelerated(self, replay: Replay) -> None:
        """Run all its networks this way: one record holds a walk of any of them."""
        for denoiser in self.denoisers:
            denoiser.replay = replay

    def forget(self) -> None:
        """Drop what was recorded of weights that have changed or moved, or that run otherwise."""
        for made in MADE:
            self.__dict__.pop(made, None)
        for denoiser in self.denoisers:
            denoiser.replay.forget()

    def __getstate__(self) -> dict[str, Any]:
        """Without what is made of its options, by which a copy may have others."""
        return {name: value for name, value in self.__dict__.items() if name not in MADE}

    def calibrate(self, values: Values, generator: torch.Generator) -> None:
        """Set the scales of continuous parents and the mutilation weights; draws nothing.

        Rows in which the image was set say nothing of its mechanism.
        """
        own = natural(values, self.name)
        if own is not None and own.any():
            values = take(values, own)
        for part in (self.denoiser, self.code, self.representation, self.predictor):
            if part is not None:
                part.calibrate(values)
        if self.mutilation is None:
            return
        if self.scales or all_labelled(values, self.mutilation.parents).any():
            self.mutilation.calibrate(values)

    def loss(self, values: Values, generator: torch.Generator) -> Tensor | dict[str, Tensor]:
        """What `causalflow.mechanisms.image.loss` says, shape (batch,); 0 without image.

        Where the canvas has losses of its own, they stand beside it, each by name.
        """
        image = values[self.name]
        if self.training:
            image = augmented(image, self.options, generator)
        z = values.get(_latent_column(self.name))
        seen, costs = self.canvas.learn(image, generator, z)
        parents = {name: values[name] for name in self.parents}
        loss = self._loss
        learn = loss.of if self.canvas.settled else loss.reading
        error = learn(seen, parents, generator)
        return {"diffusion": error, **costs} if costs else error

    def precomputed(self, values: Values) -> dict[str, Tensor]:
        """z as a column that `loss` takes; none while it changes, or pictures are augmented."""
        if augments(self.options) or (z := self.canvas.precomputed(values[self.name])) is None:
            return {}
        return {_latent_column(self.name): z}

    @property
    def _loss(self) -> ImageLoss:
        return ImageLoss(
            parents=tuple(self.parents),
            pixels=math.prod(self.canvas.shape),
            options=self.options,
            latent=self.canvas.latent,
            denoiser=self.denoiser,
            reader=self._reader,
            code=self.code,
            representation=self.representation,
            mutilation=self.mutilation,
            anticausal=bool(self.scales),
        )

    @property
    def reweights(self) -> bool:
        """Whether the law that it is fitted under differs from the data's by much."""
        return self.mutilation is not None and float(self.mutilation.effective_share) < ALIKE

    def row_weights(self, values: Values) -> Tensor:
        """w of each row, shape (n,), of mean 1 over the data."""
        assert self.mutilation is not None, "nothing is re-weighted"
        return self.mutilation({name: values[name] for name in self.mutilation.parents})

    @property
    def way(self) -> dict[str, Any]:
        """The options that its noise was read with, and that it is drawn with again."""
        own = (
            ("difference_times", "difference_weights")
            if self.options.solver == "difference"
            else ()
        )
        return {name: getattr(self.options, name) for name in ("solver", "steps", "grid", *own)}

    @property
    def reads_by_flow(self) -> bool:
        """Whether its flow has the last word on what is read off an image."""
        return self.canvas.latent is not None and self.representation is None

    def infer(
        self, value: Tensor, names: Iterable[str], known: Values | None = None
    ) -> dict[str, Tensor]:
        """The most probable values of the named parents, read off factual images.

        In a latent its flow has the last word (`causalflow.mechanisms.image.likeliest_parents`).

        Args:
            value: images in [-1, 1].
            names: the parents to read.
            known: the other parents; None: there are none.
        """
        read = self.represent(value, {})
        with torch.no_grad():
            seen = self.canvas.encode(value)
            others = self._reader.infer(seen, [name for name in names if name not in read])
            if self.reads_by_flow and self.predictor is not None:
                others = likeliest_parents(self._codec, self.predictor, seen, others, known or {})
        if self.representation is None:
            return others
        own = {name: read[name] for name in names if name in read}
        return others | self.representation.labels(own)

    @torch.no_grad()
    def infer_told(
        self, value: Tensor, weigh: Mapping[str, Weigh], generator: torch.Generator, draws: int = 1
    ) -> tuple[dict[str, Tensor], float]:
        """Draws of parents from what the predictor holds of factual images, times weights.

        Args:
            value: images in [-1, 1].
            weigh: parent -> the weight of its values, given the row of each.
            generator: draws.
            draws: how many of each image, one after the other.

        Returns:
            Parent -> shape (batch * draws,), and how many independent draws are worth those that
            one of the worst row was chosen of.

        Raises:
            EvidenceError: a parent with a representation, or weights under which no value is left.
        """
        own = {} if self.representation is None else self.representation.lengths
        for name in (n for n in weigh if n in own):
            raise EvidenceError(
                f"node '{name}': told short of a value while its picture '{self.name}' represents "
                "it; give the value, or leave it out"
            )
        return self._reader.weighed(self.canvas.encode(value), weigh, generator, draws)

    def inpaint(
        self, value: Tensor, seen: Tensor, parents: Values, generator: torch.Generator
    ) -> Tensor:
        """Whole images in [-1, 1], drawn given the pixels that are seen and the parents.

        Args:
            value: images; what stands where they are not seen does not matter.
            seen: bool, of the same shape.
            parents: the values of all parents.
            generator: draws.

        Raises:
            EvidenceError: an image in a latent, which pixels do not part, or one that is guided.
        """
        in_latent = self.canvas.latent is not None
        if in_latent or self.scales:
            why = "is made in a latent" if in_latent else "has anticausal edges"
            raise EvidenceError(
                f"node '{self.name}': seen in part, but its picture {why}; give all of it"
            )
        parts = []
        for rows in chunks(torch.arange(len(value), device=value.device)):
            told = partial(self._codec.guessed, parents=take(parents, rows))
            steps, field = self.options.steps, self.trajectory.velocity
            parts.append(inpainted(field, told, value[rows], seen[rows], steps, generator))
        return torch.cat(parts)

    @torch.no_grad()
    def represent(self, value: Tensor, labels: Values) -> dict[str, Tensor]:
        """The latents of factual images, by parent: float32, shape (batch, length).

        Args:
            value: images in [-1, 1].
            labels: the values of the parents that are known; the latents of others are read off the
                image.
        """
        return self._codec.represented(self.canvas.encode(value), labels)

    @torch.no_grad()
    def latents(self, parents: Values, noise: Noise) -> dict[str, Tensor]:
        """The latents under ``parents`` and ``noise``, by parent."""
        return self._codec.latents(parents, ImageNoise.of(noise))

    def draw_noise(self, n: int, generator: torch.Generator) -> Noise:
        """n draws of u."""
        drawn = self._codec.drawn(n, generator).tensors()
        return drawn | self.canvas.drawn(n, generator.device)

    @torch.no_grad()
    def abduct(self, value: Tensor, parents: Values, generator: torch.Generator) -> Noise:
        """The noise of factual images under factual parents; draws for stochastic methods only."""
        seen = self.canvas.encode(value)
        return self.raised(seen, parents, generator) | self.canvas.kept(value, seen)

    @torch.no_grad()
    def predict(self, parents: Values, noise: Noise) -> Tensor:
        """Images in [-1, 1] under ``parents`` and ``noise``."""
        seen = self.lowered(parents, noise)
        return self.canvas.painted(seen, noise, remainder=self.options.residual)

    @torch.no_grad()
    def raised(self, z: Tensor, parents: Values, generator: torch.Generator) -> dict[str, Tensor]:
        """The noise of the flow, of what it runs on."""
        codec = self._codec
        parts = [
            codec.up(z[rows], take(parents, rows), generator).tensors()
            for rows in chunks(torch.arange(len(z), device=z.device))
        ]
        return {key: torch.cat([part[key] for part in parts]) for key in parts[0]}

    @torch.no_grad()
    def lowered(self, parents: Values, noise: Noise) -> Tensor:
        """What the flow gives of a noise, float32."""
        return self._codec.down(parents, noise).float()

    @cached_property
    def _codec(self) -> Codec:
        return Codec(
            name=self.name,
            shape=self.canvas.shape,
            parents=self.parents,
            options=self.options,
            trajectory=self.trajectory,
            code=self.code,
            representation=self.representation,
            prior_scale=self.denoiser.prior_scale,
            local=self.acts_locally,
        )

    @cached_property
    def trajectory(self) -> Trajectory:
        """The trajectories between image and noise, under its options."""
        latents = self.representation.lengths if self.representation is not None else {}
        classes = {n: each for n, each in levels_of(self.parents).items() if n not in latents}
        editor = self.editor if self.editor and self.editor.serves(self.options) else None
        return Trajectory(
            velocity=self.denoiser.conditional_velocity,
            options=self.options,
            tau_max=self.denoiser.tau_max,
            neural=tuple(self.neural),
            scales=self.scales,
            levels={name: len(levels) for name, levels in classes.items()},
            predictor=self._reader,
            replay=self.denoiser.replay,
            editing=editor.denoiser.conditional_velocity if editor else None,
        )

    @cached_property
    def _reader(self) -> ParentReader:
        given = {
            n: self.classifiers[module_key(n)]
            for n in self.parents
            if module_key(n) in self.classifiers
        }
        return ParentReader(learned=self.predictor, given=cast(Any, given))


def _resolved(options: Diffusion, canvas: Canvas, coded: bool) -> Diffusion:
    """The options with what their defaults stand for: the backbone, the length of the code."""
    backbone, code = options.backbone, options.code
    if backbone == AUTO:
        small = canvas.latent is not None and max(canvas.shape[1:]) <= SMALL
        backbone = "residual" if small else "unet"
    if code is None:
        code = DEFAULT_CODE if coded and canvas.latent is None else 0
    return replace(options, backbone=backbone, code=code)


def _latent_column(name: str) -> str:
    """The column of z beside the one of the images, called as no node can be."""
    return f"latent\n{name}"


def _embedding(kind: ImageType, features: int) -> nn.Module:
    return PictureEmbedding(kind.shape[0], features)


def _mechanism(site: Site) -> nn.Module:
    return ImageMechanism(
        site.name,
        cast(Image, site.node),
        site.parents,
        site.kinds,
        network=site.network,
        classifiers=site.predictors,
        unweighted=site.noises,
        listens=site.listens,
    )


ENGINE = Engine(embedding=_embedding, mechanism=_mechanism)
