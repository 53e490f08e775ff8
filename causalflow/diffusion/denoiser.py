"""Denoiser: the network of an image node as the velocity v(y, tau, pa, z) of the flow.

Notation as in `causalflow.diffusion.path`: x_0 an image in [-1, 1], eps standard normal of the same
shape, y = (1 - tau) x_0 + tau eps, pa the parents' values, z an optional semantic code. The network
sees y times the scale of the path, and what it predicts (eps - x_0, eps or x_0) is turned into the
velocity v, whose loss is

    E w(tau) |v(y, tau, pa, z) - (eps - x_0)|^2,     least at v = E[eps - x_0 | y, pa, z].

The *condition*, which tells the network pa and z, is the sum of the embeddings of the parents and a
linear map of the code. Any network will do that is called as ``network(x, tau, condition)``; those
that are made by name stand in `causalflow.nn.backbone`, and one that was trained elsewhere makes
the condition itself (`causalflow.diffusion.field`).

Hidden parents: in training each parent is hidden from the network with probability ``null_rate``,
by itself; where one is a representation, all are hidden at once, or the others would learn to tell
it. Where a parent is hidden or unlabelled the code is left out too: it would learn to tell the
parent, and then hold it under do().

Weighting: at a given tau the errors of the three predictions are multiples of one another,

    eps^ - eps = (1 - tau) (v^ - v),     x_0^ - x_0 = -tau (v^ - v),

so every loss of the literature is w(tau) |v^ - v|^2:

    velocity  1            rectified flow
    noise     (1 - tau)^2  the simple loss of DDPM, |eps^ - eps|^2
    data      tau^2        |x_0^ - x_0|^2
    min-snr   min(SNR, 5) |x_0^ - x_0|^2 with SNR = ((1 - tau) / tau)^2, that is
              min((1 - tau)^2, 5 tau^2): the noise's, bounded where the image is nearly clean

Sources: Liu et al. (2023), Flow Straight and Fast; Ho & Salimans (2022), Classifier-Free Diffusion
Guidance (hidden parents); Ho et al. (2020), DDPM; Hang et al. (2023), Efficient Diffusion Training
via Min-SNR Weighting Strategy, equation 8.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from causalflow import plugins
from causalflow.diffusion.coupling import COUPLINGS
from causalflow.diffusion.field import TrainedNetwork, check_trained
from causalflow.diffusion.path import PATHS, PREDICTIONS, column, interpolate, prior_scale
from causalflow.errors import CompileError
from causalflow.graph.image_options import AUTO
from causalflow.graph.node import Diffusion, Node, Vector
from causalflow.nn.backbone import BACKBONES
from causalflow.nn.embedding import ParentEmbedding, TimeEmbedding, known, nulled
from causalflow.nn.replay import Replay
from causalflow.registry import Registry

__all__ = ["CODE", "WEIGHTINGS", "Denoiser", "NetworkCalls"]

CODE = "code."
"""The semantic code among conditions, beside the parents: no node has a name that ends in a dot."""
GAMMA = 5.0


def of_noise(tau: Tensor) -> Tensor:
    """(1 - tau)^2."""
    return (1 - tau).square()


def min_snr(tau: Tensor) -> Tensor:
    """min((1 - tau)^2, 5 tau^2)."""
    return torch.minimum((1 - tau).square(), GAMMA * tau.square())


WEIGHTINGS: Registry[Callable[[Tensor], Tensor]] = plugins.WEIGHTINGS


class Denoiser(nn.Module):
    """The velocity of an image given its parents.

    Args:
        channels: the channels of the image.
        parents: type by name of each parent that conditions the network.
        options: the options of the image node.
        network: called as ``network(x, tau, condition)`` with x (batch, channel, height, width),
            tau (batch,) and condition (batch, 4 * options.width); the result has the shape of x.
            None: the one that the options name (`causalflow.nn.backbone`).

    Raises:
        CompileError: a network that was trained elsewhere, for other images, parents or options.

    Attributes:
        path: the Gaussian path of training: the network's own, where it brings a ``schedule``.
        tau_max: where the noise begins; grids end here.
        prior_scale: the standard deviation of positions there.
        replay: how the network is run when it answers.
        trained: the network brings weights and condition of its own.
    """

    def __init__(
        self,
        channels: int,
        parents: Mapping[str, Node | Vector],
        options: Diffusion,
        *,
        network: nn.Module | None = None,
    ) -> None:
        super().__init__()
        features = 4 * options.width
        self.weighting = WEIGHTINGS.get(options.weighting)
        self.coupling = COUPLINGS.get(options.coupling)
        self.null_rate = options.null_rate
        self.jitter = options.parent_jitter
        self.hides_together = any(isinstance(parent, Vector) for parent in parents.values())
        self.trained = isinstance(network, TrainedNetwork)
        self.told = tuple(parents)
        if isinstance(network, TrainedNetwork):
            check_trained(network, channels, parents, options)
            network.requires_grad_(False)
            parents = {}
        backbone = BACKBONES.get("unet" if options.backbone == AUTO else options.backbone)
        waves = backbone.waves if network is None else 0
        self.parents = ParentEmbedding(parents, features, waves)
        self.code = nn.Linear(options.code, features, bias=False) if options.code else None
        self.embedded = network is None and backbone.embedded
        if self.embedded:
            self.time = TimeEmbedding(features)
            self.condition = nn.Sequential(nn.SiLU(), nn.Linear(features, features), nn.SiLU())
        self.network = backbone.make(channels, features, options) if network is None else network
        own = getattr(self.network, "schedule", None)
        self.path = PATHS.get(options.path) if own is None else own.path
        self.prediction = PREDICTIONS.get(options.prediction if own is None else own.prediction)
        self.replay = Replay()

    @property
    def images_seen(self) -> int:
        """How many images have passed through the network."""
        return self.replay.images

    @property
    def tau_max(self) -> float:
        """Where the noise begins: the path's end, or the last time the prediction is defined at."""
        return min(self.path.tau_max, self.prediction.tau_max)

    @property
    def prior_scale(self) -> float:
        """The standard deviation of y at tau_max, of data of unit power."""
        return prior_scale(self.tau_max)

    def calibrate(self, values: Mapping[str, Tensor]) -> None:
        """Take location and scale of the continuous parents from ``values``."""
        self.parents.calibrate(values)

    def velocity(
        self,
        y: Tensor,
        tau: float | Tensor,
        parents: Mapping[str, Tensor],
        code: Tensor | None = None,
    ) -> Tensor:
        """v(y, tau, pa, z), in the shape and precision of y; the network keeps its own precision.

        Args:
            y: positions in flow coordinates, shape (batch, channel, height, width).
            tau: one time for all, or shape (batch,).
            parents: values by name, batch rows each; -1 or NaN where missing.
            code: shape (batch, options.code); None: zero.
        """
        scale = column(self.path.network_scale(tau), y)
        output = self._output(y * scale, tau, self._condition(parents, code, len(y)))
        return self.prediction.velocity_of(output.to(y.dtype), y, tau)

    def conditional_velocity(
        self, y: Tensor, tau: float | Tensor, conditions: Mapping[str, Tensor]
    ) -> Tensor:
        """v(y, tau, c) of conditions c: the parents' values, and the code under `CODE`."""
        return self.velocity(y, tau, conditions, code=conditions.get(CODE))

    def loss(
        self,
        x: Tensor,
        parents: Mapping[str, Tensor],
        generator: torch.Generator,
        code: Tensor | None = None,
    ) -> Tensor:
        """The mean over pixels of the weighted squared error of v at a random tau, shape (batch,).

        Args:
            x: images in [-1, 1], shape (batch, channel, height, width).
            parents: values by name, batch rows each; -1 or NaN where missing. Parents that do not
                condition the network count for the coupling only.
            generator: draws tau, eps and which parents are hidden.
            code: shape (batch, options.code); None: zero.
        """
        device = generator.device
        tau = self.path.times(torch.rand(len(x), generator=generator, device=device)).to(x.device)
        tau = tau.clamp_max(self.tau_max)
        noise = torch.randn(x.shape, generator=generator, device=device).to(x)
        noise = self.coupling(x, noise, parents)
        given = self._hide(parents, len(x), generator)
        velocity = self.velocity(interpolate(x, noise, tau), tau, given, code)
        error = functional.mse_loss(velocity.float(), (noise - x).float(), reduction="none")
        return self.weighting(tau) * error.flatten(1).mean(dim=1)

    def _condition(self, parents: Mapping[str, Tensor], code: Tensor | None, n: int) -> Tensor:
        if self.trained:
            values = {name: parents[name] for name in self.told}
            return cast(TrainedNetwork, self.network).condition(values, n)
        condition = self.parents(parents, n)
        if code is None:
            return condition
        assert self.code is not None, "a code is given to a denoiser that has none"
        style = self.code(code.to(self.code.weight.dtype))
        told = [known(parents[name]) for name in self.parents.names]
        if not told:
            return condition + style
        return condition + torch.where(torch.stack(told).all(dim=0)[:, None], style, 0.0)

    def _output(self, x: Tensor, tau: float | Tensor, condition: Tensor) -> Tensor:
        dtype = self.parents.origin.dtype
        if not isinstance(tau, Tensor):
            tau = torch.full((len(x),), tau, dtype=dtype, device=x.device)
        tau, x = tau.to(dtype).expand(len(x)), x.to(dtype)
        return self.replay.network(self._predict, x, tau, condition)

    def _predict(self, x: Tensor, tau: Tensor, condition: Tensor) -> Tensor:
        if self.embedded:
            return self.network(x, self.condition(self.time(tau) + condition))
        output = self.network(x, tau, condition)
        if output.shape != x.shape:
            raise CompileError(
                f"the network returned shape {tuple(output.shape)} for images of shape "
                f"{tuple(x.shape)}; expected the same"
            )
        return output

    def _hide(
        self, parents: Mapping[str, Tensor], n: int, generator: torch.Generator
    ) -> Mapping[str, Tensor]:
        """The parents, each, or all at once, hidden in a random ``null_rate`` of the rows.

        In training, continuous ones are told with the ``jitter``, if there is one.
        """
        if self.jitter and self.training:
            parents = self.parents.jittered(parents, self.jitter, generator)
        if not self.null_rate:
            return parents
        given, null = dict(parents), nulled(parents, self.parents.names)
        draws = torch.rand(n, generator=generator, device=generator.device)
        for place, name in enumerate(self.parents.names):
            if place and not self.hides_together:
                draws = torch.rand(n, generator=generator, device=generator.device)
            rows = (draws < self.null_rate).to(parents[name].device)
            given[name] = torch.where(
                rows.reshape(-1, *[1] * (parents[name].ndim - 1)), null[name], parents[name]
            )
        return given


class NetworkCalls:
    """Counts the images that pass through the networks of ``denoisers`` while it is entered.

    A network that is replayed from a record (`causalflow.nn.replay`) counts as one that is called.
    """

    def __init__(self, denoisers: Iterable[Denoiser]) -> None:
        self.images = 0
        self._denoisers = list(denoisers)

    def __enter__(self) -> NetworkCalls:
        self._before = self._seen()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.images += self._seen() - self._before

    def _seen(self) -> int:
        replays = {id(each.replay): each.replay for each in self._denoisers}
        return sum(replay.images for replay in replays.values())
