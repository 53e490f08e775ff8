"""Field: what the diffusion of an image asks of a network, and of a predictor of the parents.

Notation: y = (1 - tau) x_0 + tau eps a position in flow coordinates (`causalflow.diffusion.path`),
tau its time, one number for all rows or one a row; c the values of the image's parents by name, a
row each; v the denoiser's velocity at (y, tau), so that x^_0 = y - tau v is the predicted image. An
unlabelled value is the *null* of the embedding (`causalflow.nn.embedding`); a *reference* holds the
factual values of the parents.

    Field             v(y, tau), what a solver integrates
    ConditionalField  v(y, tau, c); what else the network needs by row (the semantic code) is in c
                      too, under a name that is no parent's: it is carried along, never nulled
    Predictor         p(pa | y, tau): ``predictor(y, tau, v)`` is a *posterior*
    Posterior         ``posterior(values)``: the log-probability (density, of a continuous parent)
                      of each parent's value, shape (batch,), differentiable in y, and 0 where the
                      value is unlabelled
    TrainedNetwork    a network that brings weights and condition of its own: the options that it
                      was trained under are checked, and the image needs no fit

Any classifier can be a predictor:

    noise_conditional  network(y, tau) -> logits, trained on noisy images; v is not used
    of_image           network(x) -> logits, trained on images; read at x = x^_0

`of_image` holds v fixed, so no graph of the denoiser is built: the Jacobian of x^_0 in y, which is
(1 - tau) / tau^2 Cov[x_0 | y], is taken to be that of standard normal data,

    J = (1 - tau) / ((1 - tau)^2 + tau^2),

which is 1 at the image and 0 at the noise, so that guidance, tau / (1 - tau) times a gradient,
stays bounded. That log p(pa | x^_0) stands for log p(pa | y) is an approximation in itself.

Sources: Chung et al. (2023), Diffusion Posterior Sampling, eq. 11 (p at the predicted image);
Song et al. (2023), Pseudoinverse-Guided Diffusion Models, section 3.1 (the covariance).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol, TypeAlias, runtime_checkable

import torch
from torch import Tensor
from torch.nn import functional

from causalflow.diffusion.path import column, data_of
from causalflow.errors import CompileError
from causalflow.graph.node import Diffusion, Node, Vector
from causalflow.nn.embedding import changed

__all__ = [
    "ConditionalField",
    "Field",
    "Posterior",
    "Predictor",
    "Time",
    "TrainedNetwork",
    "Values",
    "check_trained",
    "confidence",
    "noise_conditional",
    "of_image",
]

Time: TypeAlias = float | Tensor
Values: TypeAlias = Mapping[str, Tensor]
Field: TypeAlias = Callable[[Tensor, Time], Tensor]
ConditionalField: TypeAlias = Callable[[Tensor, Time, Values], Tensor]


Posterior: TypeAlias = Callable[[Values], Mapping[str, Tensor]]


class Predictor(Protocol):
    """What reads the parents off (y, tau), given the denoiser's velocity there."""

    def __call__(self, y: Tensor, tau: Time, velocity: Tensor) -> Posterior:
        """The posterior at y, shape (batch, channel, height, width); differentiable in y."""


def noise_conditional(networks: Mapping[str, Callable[[Tensor, Tensor], Tensor]]) -> Predictor:
    """The predictor of class parents by networks that were trained at every noise level.

    Args:
        networks: a network of each parent, ``network(y, tau) -> logits``, tau of shape (batch,),
            logits of shape (batch, levels).
    """

    def predictor(y: Tensor, tau: Time, velocity: Tensor) -> Posterior:
        times = torch.as_tensor(tau, dtype=y.dtype, device=y.device).expand(len(y))
        return _classes({name: network(y, times) for name, network in networks.items()})

    return predictor


def of_image(networks: Mapping[str, Callable[[Tensor], Tensor]]) -> Predictor:
    """The predictor of class parents by classifiers of images, read at the predicted image.

    Args:
        networks: a network of each parent, ``network(x) -> logits``, x in [-1, 1].
    """

    def predictor(y: Tensor, tau: Time, velocity: Tensor) -> Posterior:
        image = data_of(velocity, y, tau).detach()
        times = column(tau, y)
        jacobian = (1 - times) / ((1 - times) ** 2 + times**2)
        image = image + jacobian * (y - y.detach())
        return _classes({name: network(image) for name, network in networks.items()})

    return predictor


def confidence(
    posterior: Posterior, levels: Mapping[str, int], target: Values, reference: Values
) -> Tensor:
    """max_a p(a | y) of the class parent least in doubt of those that change, shape (batch,).

    Args:
        posterior: the posterior of the parents at y.
        levels: the number of levels of each class parent that counts.
        target: the parents' values, batch rows each.
        reference: their factual values; 1 is returned where no parent of ``levels`` changes.
    """
    tops = []
    for name, count in levels.items():
        rows = [torch.full_like(target[name], level) for level in range(count)]
        top = torch.stack([posterior({name: row})[name] for row in rows]).amax(dim=0).exp()
        tops.append(torch.where(changed(target[name], reference[name]), top, -torch.inf))
    most = torch.stack(tops).amax(dim=0)
    return torch.where(most.isneginf(), 1.0, most)


def _classes(logits: Mapping[str, Tensor]) -> Posterior:
    """The posterior of independent class parents with these logits, (batch, levels) each."""

    def posterior(values: Values) -> dict[str, Tensor]:
        return {n: _log_prob(logits[n], value) for n, value in values.items() if n in logits}

    return posterior


def _log_prob(logits: Tensor, value: Tensor) -> Tensor:
    return -functional.cross_entropy(logits, value, reduction="none", ignore_index=-1)


@runtime_checkable
class TrainedNetwork(Protocol):
    """A network with weights of its own, called as ``network(x, tau, condition)``.

    Attributes:
        path: that it was trained on, in `causalflow.diffusion.path.PATHS`.
        prediction: what it predicts, in `causalflow.diffusion.path.PREDICTIONS`.
    """

    path: str
    prediction: str

    def check(self, channels: int, levels: Mapping[str, int | None]) -> None:
        """Refuse images or parents that the network was not trained for.

        Args:
            channels: the channels of the image.
            levels: the number of levels of each neural parent; None for one that is no class.

        Raises:
            CompileError: the reason.
        """

    def condition(self, parents: Mapping[str, Tensor], n: int) -> Tensor:
        """The condition of the neural parents' values, n rows each or one that stands for all."""


def check_trained(
    network: TrainedNetwork,
    channels: int,
    parents: Mapping[str, Node | Vector],
    options: Diffusion,
) -> None:
    """Refuse an image, neural parents or options that the network was not trained for.

    Raises:
        CompileError: what it wants.
    """
    levels = {n: None if isinstance(p, Vector) else _count(p) for n, p in parents.items()}
    network.check(channels, levels)
    wanted = {"path": network.path, "prediction": network.prediction}
    if any(getattr(options, name) != value for name, value in wanted.items()):
        given = {name: getattr(options, name) for name in wanted}
        raise CompileError(
            f"the network of an image was trained under {_written(wanted)}; its options are "
            f"{_written(given)}: write diffusion: {{{_written(wanted)}}}"
        )
    if options.code:
        raise CompileError(
            f"the network of an image was trained without a semantic code; its options have "
            f"code={options.code}: write diffusion: {{code: 0}}"
        )


def _count(node: Node) -> int | None:
    return None if node.type.levels is None else len(node.type.levels)


def _written(options: Mapping[str, str]) -> str:
    return ", ".join(f"{name}: {value}" for name, value in options.items())
