"""Method options: a solver, a guidance, a balance or a backbone with its options, as one object.

``solver=Heun(steps=20)`` is ``solver="heun", steps=20`` (`causalflow.options`), wherever options of
an image node are given. One of a user's own is given by its name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from causalflow.options import Method

__all__ = [
    "Alf",
    "Ancestral",
    "Backbone",
    "Balance",
    "Ddim",
    "DdimFixedPoint",
    "DeltaGuidance",
    "Difference",
    "Dpm2m",
    "Edict",
    "FreeGuidance",
    "GroupedGuidance",
    "Guidance",
    "Heun",
    "Leapfrog",
    "Midpoint",
    "OddsBalance",
    "PreservingBalance",
    "PrintedBalance",
    "Solver",
    "StoppingBalance",
    "UNet",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Solver(Method):
    """A way to integrate the flow.

    Attributes:
        steps: the number of steps from data to noise, and as many back.
    """

    steps: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Guidance(Method):
    """What the neural parents' part of the velocity is compared with.

    Attributes:
        strength: the factor w; 1 changes nothing.
        schedule: how the strength of all guidance changes over tau.
        interval: the part of (0, 1) in tau where guidance acts.
    """

    strength: float | None = None
    schedule: str | None = None
    interval: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance(Method):
    """A form of the balanced latent space (`causalflow.diffusion.guidance.balance`).

    Attributes:
        push: gamma_1.
        noise: gamma_2, of the whole way up.
        end: tau at which the way up ends.
    """

    push: float | None = None
    noise: float | None = None
    end: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Backbone(Method):
    """A network of images.

    Attributes:
        width: channels of the first level.
        multipliers: channels of each level, as multiples of ``width``.
        blocks: residual blocks a level.
    """

    width: int | None = None
    multipliers: tuple[int, ...] | None = None
    blocks: int | None = None


class Ddim(Solver):
    """Euler, which in flow coordinates is DDIM."""

    __slots__ = ()
    method: ClassVar[str] = "ddim"


class DdimFixedPoint(Solver):
    """DDIM to the data; to the noise, the implicit step that undoes it, iterated."""

    __slots__ = ()
    method: ClassVar[str] = "ddim-fixed-point"


class Midpoint(Solver):
    """Second order, two calls a step, by the middle of the step."""

    __slots__ = ()
    method: ClassVar[str] = "midpoint"


class Heun(Solver):
    """Second order, two calls a step, by its two ends."""

    __slots__ = ()
    method: ClassVar[str] = "heun"


class Dpm2m(Solver):
    """DPM-Solver++(2M): second order, one call a step, stable under guidance."""

    __slots__ = ()
    method: ClassVar[str] = "dpm++2m"


class Alf(Solver):
    """Asynchronous leap-frog: second order, exactly reversible."""

    __slots__ = ()
    method: ClassVar[str] = "alf"


class Edict(Solver):
    """Two coupled Euler trajectories, exactly reversible."""

    __slots__ = ()
    method: ClassVar[str] = "edict"


class Leapfrog(Solver):
    """Two-step leap-frog, exactly reversible."""

    __slots__ = ()
    method: ClassVar[str] = "leapfrog"


class Difference(Solver):
    """Four to six calls each way; what they miss is kept, so that it is exactly reversible."""

    __slots__ = ()
    method: ClassVar[str] = "difference"


class Ancestral(Solver):
    """DDPM, whose noise is kept, so that it replays exactly."""

    __slots__ = ()
    method: ClassVar[str] = "ancestral"


class FreeGuidance(Guidance):
    """Classifier-free: compared with no parent at all."""

    __slots__ = ()
    method: ClassVar[str] = "free"


class GroupedGuidance(Guidance):
    """Compared with each parent hidden, in rows where it has changed."""

    __slots__ = ()
    method: ClassVar[str] = "grouped"


class DeltaGuidance(Guidance):
    """Compared with the factual values, in rows where a parent has changed."""

    __slots__ = ()
    method: ClassVar[str] = "delta"


class PrintedBalance(Balance):
    """The noisy way up as the paper prints it."""

    __slots__ = ()
    method: ClassVar[str] = "printed"


class PreservingBalance(Balance):
    """The noisy way up that keeps the marginal law of the diffusion."""

    __slots__ = ()
    method: ClassVar[str] = "preserving"


class OddsBalance(Balance):
    """The noisy way up as printed, but pushed along the log-odds of the classes."""

    __slots__ = ()
    method: ClassVar[str] = "odds"


class StoppingBalance(Balance):
    """No noise: up to where the class is in doubt, and down again."""

    __slots__ = ()
    method: ClassVar[str] = "stopping"


class UNet(Backbone):
    """The package's own U-Net (`causalflow.nn.unet`)."""

    __slots__ = ()
    method: ClassVar[str] = "unet"
