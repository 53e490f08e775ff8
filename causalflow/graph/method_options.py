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
    "DiT",
    "Difference",
    "Diffusers",
    "Dpm2m",
    "Edict",
    "FreeGuidance",
    "GroupedGuidance",
    "Guidance",
    "Heun",
    "Leapfrog",
    "Midpoint",
    "OddsBalance",
    "PatchUNet",
    "PreservingBalance",
    "PrintedBalance",
    "ResidualNet",
    "Solver",
    "StoppingBalance",
    "UNet",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Solver(Method):
    """A solver, a way to integrate the flow of an image.

    Attributes:
        steps: the number of steps from data to noise, and as many back.
    """

    steps: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Guidance(Method):
    """A way to guide by the neural parents: what the velocity under them is compared with.

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
    """A kind of network for images.

    Attributes:
        width: channels of a U-Net's first level; a fourth of the channels of a DiT's token, and of
            the vector by which any network is told the parents.
    """

    width: int | None = None


class Ddim(Solver):
    """The DDIM solver, which in flow coordinates is Euler's method.

    Example: ``solver=cf.Ddim(steps=20)``; in a file ``solver: ddim``.
    """

    __slots__ = ()
    method: ClassVar[str] = "ddim"


class DdimFixedPoint(Solver):
    """DDIM to the data; to the noise the implicit step that undoes it, found by iteration.

    Example: ``solver=cf.DdimFixedPoint(steps=20)``; in a file ``solver: ddim-fixed-point``.
    """

    __slots__ = ()
    method: ClassVar[str] = "ddim-fixed-point"


class Midpoint(Solver):
    """The midpoint method: second order, two calls a step, one in its middle.

    Example: ``solver=cf.Midpoint(steps=20)``; in a file ``solver: midpoint``.
    """

    __slots__ = ()
    method: ClassVar[str] = "midpoint"


class Heun(Solver):
    """The method of Heun: second order, two calls a step, one at each end.

    Example: ``solver=cf.Heun(steps=20)``; in a file ``solver: heun``.
    """

    __slots__ = ()
    method: ClassVar[str] = "heun"


class Dpm2m(Solver):
    """DPM-Solver++(2M): second order, one call a step, stable under guidance.

    Example: ``solver=cf.Dpm2m(steps=20)``; in a file ``solver: dpm++2m``.
    """

    __slots__ = ()
    method: ClassVar[str] = "dpm++2m"


class Alf(Solver):
    """Asynchronous leap-frog: second order, exactly reversible.

    Example: ``solver=cf.Alf(steps=20)``; in a file ``solver: alf``.
    """

    __slots__ = ()
    method: ClassVar[str] = "alf"


class Edict(Solver):
    """Two coupled Euler trajectories, exactly reversible.

    Example: ``solver=cf.Edict(steps=20)``; in a file ``solver: edict``.
    """

    __slots__ = ()
    method: ClassVar[str] = "edict"


class Leapfrog(Solver):
    """Two-step leap-frog, exactly reversible.

    Example: ``solver=cf.Leapfrog(steps=20)``; in a file ``solver: leapfrog``.
    """

    __slots__ = ()
    method: ClassVar[str] = "leapfrog"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference(Solver):
    """A solver of three to six calls each way, exactly reversible, as it keeps what these miss.

    Attributes:
        times: the tau, rising, of the calls before the one at the noise end; in place of ``steps``.
        weights: its constants (up, down, sigma, gamma)
            (`causalflow.diffusion.solver.difference`).
    """

    times: tuple[float, ...] | None = None
    weights: tuple[float, ...] | None = None
    method: ClassVar[str] = "difference"


class Ancestral(Solver):
    """DDPM, or ancestral sampling, which keeps its noise and so replays exactly.

    Example: ``solver=cf.Ancestral(steps=20)``; in a file ``solver: ancestral``.
    """

    __slots__ = ()
    method: ClassVar[str] = "ancestral"


class FreeGuidance(Guidance):
    """Classifier-free guidance: compares the velocity with that under no parent at all.

    Example: ``guidance=cf.FreeGuidance(strength=2.0)``; in a file ``guidance: free``.
    """

    __slots__ = ()
    method: ClassVar[str] = "free"


class GroupedGuidance(Guidance):
    """Compares the velocity with that where a parent is hidden, in rows where it has changed.

    Example: ``guidance=cf.GroupedGuidance(strength=2.0)``; in a file ``guidance: grouped``.
    """

    __slots__ = ()
    method: ClassVar[str] = "grouped"


class DeltaGuidance(Guidance):
    """Compares the velocity with that under the factual values, where a parent has changed.

    Example: ``guidance=cf.DeltaGuidance(strength=2.0)``; in a file ``guidance: delta``.
    """

    __slots__ = ()
    method: ClassVar[str] = "delta"


class PrintedBalance(Balance):
    """The balanced latent space as the paper prints it, by a noisy way up.

    Example: ``balance=cf.PrintedBalance(push=0.5)``; in a file ``balance: printed``.
    """

    __slots__ = ()
    method: ClassVar[str] = "printed"


class PreservingBalance(Balance):
    """A balanced latent space whose noisy way up keeps the marginal law of the diffusion.

    Example: ``balance=cf.PreservingBalance(push=0.5)``; in a file ``balance: preserving``.
    """

    __slots__ = ()
    method: ClassVar[str] = "preserving"


class OddsBalance(Balance):
    """The balanced latent space as printed, but pushed along the log-odds of the classes.

    Example: ``balance=cf.OddsBalance(push=0.5)``; in a file ``balance: odds``.
    """

    __slots__ = ()
    method: ClassVar[str] = "odds"


class StoppingBalance(Balance):
    """A balanced latent space without noise: up to where the class is in doubt, and down again.

    Example: ``balance=cf.StoppingBalance(push=0.5)``; in a file ``balance: stopping``.
    """

    __slots__ = ()
    method: ClassVar[str] = "stopping"


@dataclass(frozen=True, slots=True, kw_only=True)
class UNet(Backbone):
    """The package's own U-Net (`causalflow.nn.unet`).

    Attributes:
        multipliers: channels of each level, as multiples of ``width``.
        blocks: residual blocks a level.
        attention: the levels that attend, from 1, that of the full size.
        heads: heads of an attention.
    """

    multipliers: tuple[int, ...] | None = None
    blocks: int | None = None
    attention: tuple[int, ...] | None = None
    heads: int | None = None
    method: ClassVar[str] = "unet"


@dataclass(frozen=True, slots=True, kw_only=True)
class PatchUNet(Backbone):
    """A U-Net on patches, whose pixels are channels (`causalflow.nn.unet`).

    Attributes:
        patch: pixels of a patch's side.
        multipliers: channels of each level, as multiples of ``width``.
        blocks: residual blocks a level.
        attention: the levels that attend, from 1, that of the patches.
        heads: heads of an attention.
    """

    patch: int | None = None
    multipliers: tuple[int, ...] | None = None
    blocks: int | None = None
    attention: tuple[int, ...] | None = None
    heads: int | None = None
    method: ClassVar[str] = "patch_unet"


@dataclass(frozen=True, slots=True, kw_only=True)
class ResidualNet(Backbone):
    """Residual blocks at one resolution (`causalflow.nn.residual`), with 4 ``width`` channels.

    Attributes:
        depth: the number of blocks.
    """

    depth: int | None = None
    method: ClassVar[str] = "residual"


@dataclass(frozen=True, slots=True, kw_only=True)
class DiT(Backbone):
    """A transformer over patches (`causalflow.nn.dit`); its tokens have 4 ``width`` channels.

    Attributes:
        patch: pixels of a patch's side.
        depth: the number of blocks.
        heads: heads of an attention.
    """

    patch: int | None = None
    depth: int | None = None
    heads: int | None = None
    method: ClassVar[str] = "dit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Diffusers(Backbone):
    """A network of Hugging Face's diffusers (`causalflow.pretrained.diffusers`).

    Attributes:
        folder: where its ``save_pretrained`` has written it; None: a new U-Net, untrained.
        adapter: what is trained beside the head that tells the network the parents: "none",
            "lora", "controlnet", or "full", the network itself.
        rank: the rank of the maps that "lora" adds.
        multipliers: channels of each level of a new U-Net, as multiples of ``width``.
        blocks: residual blocks a level of a new U-Net.
    """

    folder: str | None = None
    adapter: str | None = None
    rank: int | None = None
    multipliers: tuple[int, ...] | None = None
    blocks: int | None = None
    method: ClassVar[str] = "diffusers"
