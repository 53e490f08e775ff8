"""Diffusion: the options of an image node, one source for graph files, Python and the docs.

A field carries its rule (`Names`, `Whole`, `Number`, `Interval`, `Wholes`, or a truth value), which
the reader of graph files turns into a message with file and line, and the dataclass itself, made in
Python, into a one-line error. The names are those of the engine's registries, which this module,
free of torch, cannot import; a test holds the two against each other.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from causalflow.errors import GraphError, one_of, shown
from causalflow.limits import UNET_BLOCKS, UNET_LEVELS

__all__ = [
    "INFERENCE",
    "Diffusion",
    "Interval",
    "Names",
    "Number",
    "Rule",
    "Truth",
    "Whole",
    "Wholes",
    "rules",
]


@dataclass(frozen=True, slots=True)
class Names:
    """One of some names."""

    allowed: tuple[str, ...]

    def allows(self, value: object) -> bool:
        """Whether the value obeys the rule."""
        return isinstance(value, str) and value in self.allowed

    def expected(self, value: object) -> str:
        """The end of the error's message."""
        return one_of(value, self.allowed)


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number between two ends; None too, where ``optional``."""

    least: int
    most: int = 1_000_000
    optional: bool = False

    def allows(self, value: object) -> bool:
        """Whether the value obeys the rule."""
        if value is None:
            return self.optional
        return _is_whole(value) and self.least <= value <= self.most  # type: ignore[operator]

    def expected(self, value: object) -> str:
        """The end of the error's message."""
        return f"expected a whole number from {self.least} to {self.most}"


@dataclass(frozen=True, slots=True)
class Number:
    """A finite number between two ends."""

    low: float
    high: float = math.inf

    def allows(self, value: object) -> bool:
        """Whether the value obeys the rule."""
        return _is_number(value) and self.low <= value <= self.high  # type: ignore[operator]

    def expected(self, value: object) -> str:
        """The end of the error's message."""
        end = f" to {self.high:g}" if math.isfinite(self.high) else ""
        return f"expected a finite number from {self.low:g}{end}"


@dataclass(frozen=True, slots=True)
class Interval:
    """Two numbers (a, b) with low <= a < b <= high."""

    low: float
    high: float

    def allows(self, value: object) -> bool:
        """Whether the value obeys the rule."""
        if not (isinstance(value, tuple) and len(value) == 2 and all(map(_is_number, value))):
            return False
        return bool(self.low <= value[0] < value[1] <= self.high)

    def expected(self, value: object) -> str:
        """The end of the error's message."""
        return f"expected two numbers (low, high) between {self.low:g} and {self.high:g}"


@dataclass(frozen=True, slots=True)
class Wholes:
    """One to ``length`` whole numbers from 1 to ``most``."""

    most: int
    length: int

    def allows(self, value: object) -> bool:
        """Whether the value obeys the rule."""
        if not isinstance(value, tuple) or not 1 <= len(value) <= self.length:
            return False
        return all(_is_whole(part) and 1 <= part <= self.most for part in value)

    def expected(self, value: object) -> str:
        """The end of the error's message."""
        return f"expected a tuple of 1 to {self.length} whole numbers from 1 to {self.most}"


@dataclass(frozen=True, slots=True)
class Truth:
    """True or False."""

    def allows(self, value: object) -> bool:
        """Whether the value obeys the rule."""
        return isinstance(value, bool)

    def expected(self, value: object) -> str:
        """The end of the error's message."""
        return "expected True or False"


Rule: TypeAlias = Names | Whole | Number | Interval | Wholes | Truth

_SOLVERS = Names(
    (
        "ddim",
        "ddim-fixed-point",
        "midpoint",
        "heun",
        "dpm++2m",
        "alf",
        "edict",
        "leapfrog",
        "difference",
        "ancestral",
    )
)


def _option(default: Any, rule: Rule) -> Any:
    return field(default=default, metadata={"rule": rule})


@dataclass(frozen=True, slots=True, kw_only=True)
class Diffusion:
    """What an image node's diffusion model is made of: the fields of ``diffusion:`` in the file.

    The first group shapes the networks and the second their training: changing one means fitting
    again. The third is of inference, and may be changed in every call.

    Attributes:
        width: channels of the U-Net's first level.
        multipliers: channels of each level, as multiples of ``width``; each level halves the
            image's height and width.
        blocks: residual blocks a level.
        predictor_width: channels of the anti-causal predictor's first level.
        code: length of the semantic code (`causalflow.mechanisms.image.code`); 0: none; None: 32 if
        every
            parent conditions the network, and 0 if one is anti-causal: of what the network is not
            told, the code would tell it, and keep it under do().
        prediction: what the network predicts: "velocity" (eps - x_0), "noise" (eps), "data" (x_0).

        path: the law of the noise level: "rectified" (logit-normal tau), or of the
            variance-preserving schedules "linear" and "cosine", continuous or in 1000 levels.
        weighting: of the loss over tau: that of the error in the velocity, the noise or the data,
            or "min-snr".
        coupling: of images and noise in training: "independent", or "optimal" transport within
            equal parent values.
        code_independence: weight of the dependence of the code on the parents
            (`causalflow.mechanisms.image.code`), which a parent that the denoiser is not told asks
            for.
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

        solver: abducts, and decodes when nothing guides; "difference" wants 4 to 6 steps.
        guided_solver: decodes under guidance, and draws where the solver is no method for that.
        steps: of the solver, from data to noise, and back.
        guided_steps: of the guided solver; None: as ``steps``.
        grid: placement of the steps over tau.
        guidance: of the neural parents: "none", "free" (classifier-free), "grouped" or "delta".
        strength: w of that guidance; 1 changes nothing.
        anticausal: the guidance of anti-causal parents: "hold", "contrast" with the factual value,
            or "printed", as in the Diff-SCM paper (`causalflow.diffusion.guidance.anticausal`).
        balance: the balanced latent space: "none", "printed", "preserving", "odds" or "stopping".
        balance_push: gamma_1 of the printed, the preserving and the odds form
            (`causalflow.diffusion.guidance.balance`).
        balance_noise: gamma_2 of the printed and the odds form, of the whole way up.
        balance_end: tau at which these ways up end: beyond, the image is forgotten.
        schedule: of the strength of all guidance over tau.
        guidance_interval: the part of (0, 1) in tau where guidance of either kind acts; "delta" of
            strength 2 wants it to end at .2 (`causalflow.diffusion.guidance.contrast`).
        grain: noise given to a factual image before it is abducted, kept and taken off again, as a
            multiple of what the network is trained with at the data end of the path; 1 makes the
            noise that is abducted of flat grounds as wide as that which is drawn
            (`causalflow.mechanisms.image.codec`).
        residual: keep what decoding misses of the factual image as part of its noise.
    """

    width: int = _option(32, Whole(1, 10_000))
    multipliers: tuple[int, ...] = _option((1, 2, 2), Wholes(1_000, UNET_LEVELS))
    blocks: int = _option(1, Whole(1, UNET_BLOCKS))
    predictor_width: int = _option(24, Whole(1, 10_000))
    code: int | None = _option(None, Whole(0, 10_000, optional=True))
    prediction: str = _option("velocity", Names(("velocity", "noise", "data")))

    path: str = _option(
        "rectified", Names(("rectified", "linear", "cosine", "linear-1000", "cosine-1000"))
    )
    weighting: str = _option("velocity", Names(("velocity", "noise", "data", "min-snr")))
    coupling: str = _option("independent", Names(("independent", "optimal")))
    code_weight: float = _option(0.3, Number(0.0))
    code_independence: float = _option(0.0, Number(0.0))
    alignment_weight: float = _option(1.0, Number(0.0))
    alignment_ramp: int = _option(0, Whole(0, 100_000_000))
    reweighted: bool = _option(True, Truth())
    null_rate: float = _option(0.0, Number(0.0, 1.0))
    unlabelled: str = _option("null", Names(("null", "posterior")))

    solver: str = _option("alf", _SOLVERS)
    guided_solver: str = _option("dpm++2m", _SOLVERS)
    steps: int = _option(20, Whole(1))
    guided_steps: int | None = _option(17, Whole(1, optional=True))
    grid: str = _option("cosine", Names(("cosine", "uniform", "early")))
    guidance: str = _option("none", Names(("none", "free", "grouped", "delta")))
    strength: float = _option(1.0, Number(0.0))
    anticausal: str = _option("hold", Names(("hold", "contrast", "printed")))
    balance: str = _option("none", Names(("none", "printed", "preserving", "odds", "stopping")))
    balance_push: float = _option(0.5, Number(0.0))
    balance_noise: float = _option(0.1, Number(0.0))
    balance_end: float = _option(0.75, Number(0.02, 1.0))
    schedule: str = _option("constant", Names(("constant", "linear", "cosine", "middle")))
    guidance_interval: tuple[float, float] = _option((0.02, 0.995), Interval(0.0, 1.0))
    grain: float = _option(0.0, Number(0.0))
    residual: bool = _option(True, Truth())

    def __new__(cls, **options: object) -> Diffusion:
        """Refuse a name that is no option; the values are set, and checked, afterwards."""
        for name in options:
            if name not in rules():
                raise GraphError(f"diffusion: unknown option '{name}'; {one_of(name, rules())}")
        return object.__new__(cls)

    def __post_init__(self) -> None:
        """Refuse what no model can be built with."""
        for name, rule in rules().items():
            value = getattr(self, name)
            if isinstance(value, list):
                value = tuple(value)
                object.__setattr__(self, name, value)
            if not rule.allows(value):
                raise GraphError(f"diffusion: {name}={shown(value)}; {rule.expected(value)}")


INFERENCE = (
    "solver",
    "guided_solver",
    "steps",
    "guided_steps",
    "grid",
    "guidance",
    "strength",
    "anticausal",
    "balance",
    "balance_push",
    "balance_noise",
    "balance_end",
    "schedule",
    "guidance_interval",
    "grain",
    "residual",
)
"""The options that a fitted model may change from call to call."""


def rules() -> dict[str, Rule]:
    """The rule of every option."""
    return {slot.name: slot.metadata["rule"] for slot in dataclasses.fields(Diffusion)}


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
