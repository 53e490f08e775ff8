"""Image options: those of an image node, one source for graph files, Python and the docs.

Each stands in one group by its phase (`causalflow.options`): what shapes the networks, what their
training, and what may change in every call, which is also `Sampling`: what one call changes. The
names are those of the registries (`causalflow.plugins`), one's own among them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, TypedDict

from causalflow.errors import CausalflowError, EvidenceError, GraphError, shown
from causalflow.graph.method_options import Backbone, Balance, Guidance, Solver
from causalflow.limits import UNET_BLOCKS, UNET_LEVELS
from causalflow.options import (
    Chosen,
    Interval,
    Names,
    Number,
    Numbers,
    Options,
    Text,
    Truth,
    Whole,
    Wholes,
    flat,
    option,
    rules,
)
from causalflow.plugins import (
    AIMS,
    BACKBONES,
    BALANCES,
    COUPLINGS,
    GRIDS,
    GUIDANCE_SCHEDULES,
    GUIDANCES,
    PATHS,
    PREDICTIONS,
    SOLVERS,
    WEIGHTINGS,
)

__all__ = [
    "ADAPTERS",
    "AUTO",
    "CALL_OPTIONS",
    "CallKeywords",
    "Diffusion",
    "Sampling",
    "SamplingKeywords",
    "call_options",
]

AUTO = "auto"
"""The name in place of a backbone's that leaves it to the canvas."""
ADAPTERS = ("none", "lora", "controlnet", "full")
"""What of a network that was trained elsewhere is trained beside its head."""
BACKBONE_OPTIONS = (
    "width",
    "multipliers",
    "blocks",
    "attention",
    "heads",
    "patch",
    "depth",
    "folder",
    "adapter",
    "rank",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Diffusion(Options):
    """What an image node's diffusion model is made of: the fields of ``diffusion:`` in the file.

    The first group shapes the networks and the second their training: changing one means fitting
    again. The third is of inference, and may be changed in every call.

    Attributes:
        width: channels of the U-Net's first level; a DiT's tokens have four times as many, and so
            has the vector by which any network is told the parents.
        multipliers: channels of each level, as multiples of ``width``; each level halves the
            image's height and width.
        blocks: residual blocks a level.
        predictor_width: channels of the anti-causal predictor's first level.
        code: length of the semantic code (`causalflow.mechanisms.image.semantic_code`); 0: none;
            None: 32 if every parent conditions the network, and 0 if one is anti-causal or the
            image listens to a hidden cause (`causalflow.graph.hearing`): of what the network is
            not told, the code would tell it, and keep it under do().
        prediction: what the network predicts: "velocity" (eps - x_0), "noise" (eps), "data" (x_0),
            or "v" (alpha eps - sigma x_0, where alpha^2 + sigma^2 = 1).
        backbone: the network itself: a name, or a method such as ``cf.UNet(width=64)``; "auto" is
            "unet" on pixels, and "residual" in a latent of up to 16 x 16. Its field
            stands last with those of its options, so that files are written in the order they
            always were.
        attention: the levels of a U-Net whose blocks attend, from 1, that of the full size.
        heads: heads of an attention; they divide the channels of its tokens.
        patch: pixels of the side of a patch, of a DiT and of a patch U-Net.
        depth: blocks of a DiT.
        folder: where a network of diffusers lies, written by its ``save_pretrained``; in a file,
            beside the file (`causalflow.pretrained.diffusers`).
        adapter: what of that network is trained: "none", nothing but the head by which it is told
            the parents; "lora" or "controlnet" beside it; "full", all of it.
        rank: the rank of the maps that "lora" adds.

        path: the law of the noise level: "rectified" (logit-normal tau), or of the
            variance-preserving schedules "linear" and "cosine", continuous or in 1000 levels.
        weighting: the weight of each tau in the loss: that of the error in the velocity, the noise
            or the data, or "min-snr".
        coupling: which noise goes with which image in training: "independent", or "optimal"
            transport within equal parent values.
        code_independence: weight of the dependence of the code on the parents
            (`causalflow.mechanisms.image.semantic_code`), which a parent that the denoiser is not
            told asks for.
        code_weight: weight of the code's divergence from N(0, I), in units of 1 / (number of pixel
            values).
        alignment_weight: weight of the divergence of the parents' representations from their
            labels' places (`causalflow.mechanisms.image.representation`), in the same units.
        alignment_ramp: steps over which that weight rises from 0.
        reweighted: fit what is not told a parent under the law in which parents are independent
            (`causalflow.mechanisms.image.loss`); False: under that of the data, confounding and
            all.
        null_rate: how often a parent is hidden from the denoiser in training, each by itself, or
            all at once where one has a representation;
            "free" and "grouped" guidance need it above 0 unless labels are missing.
        unlabelled: what the denoiser is told where a label is missing: "null", or a draw from the
            "posterior" of the predictor, given the clean image, fitted beside it.
        augment_flip: pictures are mirrored in half of the rows of a step; like the other three, for
            parents that do not speak of it alone (`causalflow.mechanisms.image.augmentation`).
        augment_shift: pixels by which they are moved at most, along each axis.
        augment_brightness: how much lighter or darker they are made at most, of pixels in [0, 1].
        augment_noise: the largest deviation of noise that is added, likewise.
        parent_jitter: noise on the continuous parents that the network is told in training, as a
            share of their standard deviations: the network cannot know a row by its labels.

        solver: abducts, and decodes when nothing guides; "difference" wants 3 to 6 steps. A name,
            or a method such as ``cf.Heun(steps=20)``; so are ``guided_solver``, ``guidance`` and
            ``balance``.
        guided_solver: decodes under guidance, and draws where the solver is no method for that.
        steps: the solver's number of steps from data to noise, and as many back.
        guided_steps: the guided solver's number of steps; None: as many as ``steps``.
        grid: placement of the steps over tau.
        guidance: how the neural parents guide: "none", "free" (classifier-free), "grouped" or
            "delta".
        strength: the factor w of that guidance; 1 changes nothing.
        anticausal: the guidance of anti-causal parents: "hold", "contrast" with the factual value,
            or "printed", as in the Diff-SCM paper (`causalflow.diffusion.guidance.anticausal`).
        balance: the balanced latent space: "none", "printed", "preserving", "odds" or "stopping".
        balance_push: gamma_1 of the printed, the preserving and the odds form
            (`causalflow.diffusion.guidance.balance`).
        balance_noise: gamma_2 of the printed and the odds form, for the whole way up.
        balance_end: tau at which these ways up end: beyond, the image is forgotten.
        schedule: how the strength of all guidance changes over tau.
        guidance_interval: the part of (0, 1) in tau where guidance of either kind acts; "delta" of
            strength 2 wants it to end at .2 (`causalflow.diffusion.guidance.contrast`).
        grain: noise given to a factual image before it is abducted, kept and taken off again, as a
            multiple of what the network is trained with at the data end of the path; 1 makes the
            noise that is abducted of flat grounds as wide as that which is drawn
            (`causalflow.mechanisms.image.codec`).
        residual: keep what decoding misses of the factual image as part of its noise.
        difference_times: the tau, rising, at which the solver "difference" asks the network, beside
            the noise end where it asks too; None: by ``steps``. A call that names ``steps`` leaves
            times and weights out.
        difference_weights: its constants (up, down, sigma, gamma)
            (`causalflow.diffusion.solver.difference`).
        local: parents act locally: under do() the picture is held outside of the region where the
            network's own velocity depends on what changed (`causalflow.diffusion.locality`); None:
            in a latent, and not in pixels.
        local_ramp: the shares of the largest dependence between which that region's edge rises.
        local_grow: by how many places, of the latent or of pixels, the region is widened.
        local_draws: noised copies of the picture that the dependence is averaged over.

    Raises:
        GraphError: a name that is no option, or a value out of range.

    Example:
        >>> from causalflow.graph.method_options import Heun
        >>> Diffusion(solver=Heun(steps=9)) == Diffusion(solver="heun", steps=9)
        True
    """

    title: ClassVar[str] = "diffusion"
    error: ClassVar[type[CausalflowError]] = GraphError

    width: int = option(32, Whole(1, 10_000), phase="network")
    multipliers: tuple[int, ...] = option((1, 2, 2), Wholes(1_000, UNET_LEVELS), phase="network")
    blocks: int = option(1, Whole(1, UNET_BLOCKS), phase="network")
    predictor_width: int = option(24, Whole(1, 10_000), phase="network")
    code: int | None = option(None, Whole(0, 10_000, optional=True), phase="network")
    prediction: str = option("velocity", Names(PREDICTIONS), phase="network")

    path: str = option("rectified", Names(PATHS), phase="training")
    weighting: str = option("velocity", Names(WEIGHTINGS), phase="training")
    coupling: str = option("independent", Names(COUPLINGS), phase="training")
    code_weight: float = option(0.3, Number(0.0), phase="training")
    code_independence: float = option(0.0, Number(0.0), phase="training")
    alignment_weight: float = option(1.0, Number(0.0), phase="training")
    alignment_ramp: int = option(0, Whole(0, 100_000_000), phase="training")
    reweighted: bool = option(True, Truth(), phase="training")
    null_rate: float = option(0.0, Number(0.0, 1.0), phase="training")
    unlabelled: str = option("null", Names(("null", "posterior")), phase="training")
    augment_flip: bool = option(False, Truth(), phase="training")
    augment_shift: int = option(0, Whole(0, 1_000), phase="training")
    augment_brightness: float = option(0.0, Number(0.0, 1.0), phase="training")
    augment_noise: float = option(0.0, Number(0.0, 1.0), phase="training")
    parent_jitter: float = option(0.0, Number(0.0, 1.0), phase="training")

    solver: Chosen[Solver] = option(
        "alf",
        Names(SOLVERS),
        method={
            "steps": "steps",
            "times": "difference_times",
            "weights": "difference_weights",
        },
    )
    guided_solver: Chosen[Solver] = option(
        "dpm++2m", Names(SOLVERS), method={"steps": "guided_steps"}
    )
    steps: int = option(20, Whole(1))
    guided_steps: int | None = option(17, Whole(1, optional=True))
    grid: str = option("cosine", Names(GRIDS))
    guidance: Chosen[Guidance] = option(
        "none",
        Names(GUIDANCES),
        method={"strength": "strength", "schedule": "schedule", "interval": "guidance_interval"},
    )
    strength: float = option(1.0, Number(0.0))
    anticausal: str = option("hold", Names(AIMS))
    balance: Chosen[Balance] = option(
        "none",
        Names(("none",), BALANCES, ("stopping",)),
        method={"push": "balance_push", "noise": "balance_noise", "end": "balance_end"},
    )
    balance_push: float = option(0.5, Number(0.0))
    balance_noise: float = option(0.1, Number(0.0))
    balance_end: float = option(0.75, Number(0.02, 1.0))
    schedule: str = option("constant", Names(GUIDANCE_SCHEDULES))
    guidance_interval: tuple[float, float] = option((0.02, 0.995), Interval(0.0, 1.0))
    grain: float = option(0.0, Number(0.0))
    residual: bool = option(True, Truth())
    difference_times: tuple[float, ...] | None = option(
        None, Numbers(0.011, 0.99, 1, 100, rising=True, optional=True)
    )
    difference_weights: tuple[float, ...] = option((1.1, 0.2, 0.5, 0.94), Numbers(-10, 10, 4, 4))
    local: bool | None = option(None, Truth(optional=True))
    local_ramp: tuple[float, float] = option((0.1, 0.2), Interval(0.0, 1.0))
    local_grow: int = option(0, Whole(0, 64))
    local_draws: int = option(4, Whole(1, 256))

    backbone: Chosen[Backbone] = option(
        AUTO,
        Names((AUTO,), BACKBONES),
        phase="network",
        method={name: name for name in BACKBONE_OPTIONS},
    )
    attention: tuple[int, ...] = option(
        (), Wholes(UNET_LEVELS, UNET_LEVELS, least=0), phase="network"
    )
    heads: int = option(4, Whole(1, 1_000), phase="network")
    patch: int = option(2, Whole(1, 1_000), phase="network")
    depth: int = option(6, Whole(1, UNET_BLOCKS), phase="network")
    folder: str | None = option(None, Text(), phase="network")
    adapter: str = option("none", Names(ADAPTERS), phase="network")
    rank: int = option(4, Whole(1, 10_000), phase="network")

    @property
    def backbone_in_words(self) -> str:
        """The backbone, and those of its own options that are not by default; "" of a plain U-Net.

        Example:
            >>> Diffusion(backbone="dit", patch=4).backbone_in_words
            'dit (patch 4)'
        """
        own = BACKBONE_OPTIONS[3:]
        slots = {slot.name: slot.default for slot in dataclasses.fields(self)}
        said = {name: getattr(self, name) for name in own if getattr(self, name) != slots[name]}
        if self.backbone == "unet" and not said:
            return ""
        listed = ", ".join(f"{name} {_in_words(value)}" for name, value in said.items())
        return f"{self.backbone} ({listed})" if said else self.backbone


def _in_words(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)


CALL_OPTIONS = tuple(rules(Diffusion, "call"))
"""The options that a fitted model may change from call to call."""


def call_options(
    steps: int | None,
    guidance: float | str | Guidance | None,
    sampling: Sampling | None,
    options: Mapping[str, Any],
) -> dict[str, Any]:
    """The options of one call in flat form; what is spelt out wins over ``sampling``.

    Raises:
        EvidenceError: ``sampling`` is something else.
    """
    if not isinstance(sampling, Sampling | None):
        raise EvidenceError(f"sampling={shown(sampling)}; expected cf.Sampling(...)")
    spelt = flat(Diffusion, {"steps": steps, "guidance": guidance, **options})
    said = {name: value for name, value in spelt.items() if value is not None}
    return {"steps": None, "guidance": None, **(sampling.changed() if sampling else {}), **said}


class SamplingKeywords(TypedDict, total=False):
    """The options of a call as keywords, but for ``steps`` and ``guidance``: of `Sampling`."""

    solver: str | Solver | None
    guided_solver: str | Solver | None
    guided_steps: int | None
    grid: str | None
    strength: float | None
    anticausal: str | None
    balance: str | Balance | None
    balance_push: float | None
    balance_noise: float | None
    balance_end: float | None
    schedule: str | None
    guidance_interval: tuple[float, float] | None
    grain: float | None
    residual: bool | None
    difference_times: tuple[float, ...] | None
    difference_weights: tuple[float, ...] | None
    local: bool | None
    local_ramp: tuple[float, float] | None
    local_grow: int | None
    local_draws: int | None


class CallKeywords(SamplingKeywords, total=False):
    """What a counterfactual is asked with beside evidence, intervention, ``steps`` and ``out``."""

    n: int
    generator: Any
    guidance: float | str | Guidance | None
    sampling: Sampling | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling(Options):
    """What a call changes of image nodes' options, the third group of `Diffusion`; None: nothing.

    Example:
        >>> from causalflow.graph.method_options import DeltaGuidance, Heun
        >>> Sampling(solver=Heun(steps=9), guidance=DeltaGuidance(strength=2.0)).changed()
        {'solver': 'heun', 'steps': 9, 'guidance': 'delta', 'strength': 2.0}
    """

    title: ClassVar[str] = "sampling"

    solver: str | Solver | None = None
    guided_solver: str | Solver | None = None
    steps: int | None = None
    guided_steps: int | None = None
    grid: str | None = None
    guidance: str | Guidance | None = None
    strength: float | None = None
    anticausal: str | None = None
    balance: str | Balance | None = None
    balance_push: float | None = None
    balance_noise: float | None = None
    balance_end: float | None = None
    schedule: str | None = None
    guidance_interval: tuple[float, float] | None = None
    grain: float | None = None
    residual: bool | None = None
    difference_times: tuple[float, ...] | None = None
    difference_weights: tuple[float, ...] | None = None
    local: bool | None = None
    local_ramp: tuple[float, float] | None = None
    local_grow: int | None = None
    local_draws: int | None = None

    def __post_init__(self) -> None:
        """Refuse what no image node can be asked with."""
        Diffusion(**self.changed())

    def changed(self) -> dict[str, Any]:
        """What is given, by the option's name."""
        given = {slot.name: getattr(self, slot.name) for slot in dataclasses.fields(self)}
        said = {name: value for name, value in flat(Diffusion, given).items() if value is not None}
        return {n: tuple(value) if isinstance(value, list) else value for n, value in said.items()}
