"""The two baselines of Diff-SCM's Table 1: counterfactuals by the gradient of a classifier.

Notation: x a picture in [0, 1], t its target class, p(k | x) the mean of an ensemble of small
convolutional classifiers, fitted to real pictures and to the same after one step of the fast
gradient sign method (adversarial training).

*Schut et al.*: until p(t | x) is confident, the pixel whose gradient of log p(t | x) is largest is
moved by a fixed amount the way it points; a pixel is moved a few times at most. What makes them
realistic is the classifier: adversarially trained, and an ensemble, so that confidence means little
epistemic and little aleatoric uncertainty.

*Van Looveren & Klaise*: the minimum over x' = x + d of

    c max(0, max_{k != t} p(k | x') - p(t | x')) + beta |d|_1 + |d|^2
        + gamma |x' - A(x')|^2 + theta |E(x') - proto_t(x)|^2

with A = D(E(.)) an autoencoder of real pictures and proto_t(x) the mean of the K encodings of
pictures of class t nearest to E(x); by FISTA, the L1 term by its proximal map. c grows tenfold
where the target is not reached. Among the iterates that reach it, that of the least elastic
distance beta |d|_1 + |d|^2 is kept. (Theirs only leaves the old class, and the prototype chooses
the new one; here the target is given, and so is the first term.)

Neither paper's classifiers are published as files: these are of our making, so what is compared is
the methods. Settings are the papers' where these give them.

Sources: Schut et al. (2021), Generating interpretable counterfactual explanations by implicit
minimisation of epistemic and aleatoric uncertainties, algorithm 1; Van Looveren & Klaise (2021),
Interpretable counterfactual explanations guided by prototypes, eq. 1-6 and algorithm 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.papers.diff_scm.ensemble import Ensemble
from causalflow.evaluation.autoencoder import Autoencoder


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Counterfactual pictures.

    Attributes:
        images: in [0, 1], shape (batch, channel, height, width).
        gradients: how many gradients of the classifier each took, on average.
    """

    images: Tensor
    gradients: float


def salient_pixels(
    ensemble: Ensemble,
    images: Tensor,
    target: Tensor,
    *,
    confidence: float = 0.99,
    step: float = 0.2,
    moves: int = 5,
    steps: int = 500,
) -> Found:
    """Schut et al.: one pixel after the other, the most salient first.

    Args:
        ensemble: the classifiers.
        images: factual, float in [0, 1].
        target: the classes wanted, shape (batch,).
        confidence: p(t | x) at which a picture is done.
        step: how far a pixel moves at once.
        moves: how often one pixel may move.
        steps: when to give up.
    """
    x, target = images.to(ensemble.device).clone(), target.to(ensemble.device)
    taken, active = torch.zeros_like(x), torch.arange(len(x), device=x.device)
    gradients = 0
    for _ in range(steps):
        likelihood, slope = _slope(ensemble, x[active], target[active])
        gradients += len(active)
        going = likelihood.exp() < confidence
        active, slope = active[going], slope[going]
        if not len(active):
            break
        x[active], taken[active] = _moved(x[active], taken[active], slope, step, moves)
    return Found(images=x.cpu(), gradients=gradients / len(x))


@dataclass(frozen=True, slots=True, kw_only=True)
class PrototypeSearch:
    """The constants of the prototype method.

    Attributes:
        c: weight of the classifier's term, at first.
        tenfold: how often c grows tenfold.
        beta: of the L1 distance.
        gamma: of the autoencoder's error.
        theta: of the distance to the prototype.
        nearest: K, of the prototype.
        rate: of the first step; it falls as the root of what is left.
        steps: for each c.
    """

    c: float = 1.0
    tenfold: int = 2
    beta: float = 0.1
    gamma: float = 100.0
    theta: float = 100.0
    nearest: int = 20
    rate: float = 1e-2
    steps: int = 300


def nearest_to_prototypes(
    ensemble: Ensemble,
    autoencoder: Autoencoder,
    images: Tensor,
    target: Tensor,
    real: Tensor,
    classes: Tensor,
    search: PrototypeSearch | None = None,
) -> Found:
    """Van Looveren & Klaise: near the factual picture, and near a prototype of the target.

    Args:
        ensemble: the classifiers.
        autoencoder: of real pictures of all classes.
        images: factual, float in [0, 1].
        target: the classes wanted, shape (batch,).
        real: pictures to make prototypes of, with their ``classes``.
        classes: shape (n,).
        search: the constants.
    """
    constants = search or PrototypeSearch()
    device = ensemble.device
    wanted = _prototypes(autoencoder, images, target, real, classes, constants.nearest).to(device)
    x, goal = images.to(device), target.to(device)
    best, least = x.clone(), torch.full((len(x),), torch.inf, device=device)
    weight, gradients = constants.c, 0
    for _ in range(constants.tenfold + 1):
        rows = least.isinf().nonzero()[:, 0]
        if not len(rows):
            break
        part = _Descent(ensemble, autoencoder, constants, x[rows], goal[rows], wanted[rows], weight)
        best[rows], least[rows] = part.run()
        gradients += len(rows) * constants.steps
        weight *= 10
    return Found(images=best.cpu(), gradients=gradients / len(x))


class _Descent:
    """FISTA from the factual pictures, with one c."""

    def __init__(
        self,
        ensemble: Ensemble,
        autoencoder: Autoencoder,
        constants: PrototypeSearch,
        images: Tensor,
        target: Tensor,
        prototypes: Tensor,
        weight: float,
    ) -> None:
        self.ensemble, self.autoencoder, self.constants = ensemble, autoencoder, constants
        self.images, self.target, self.prototypes = images, target, prototypes
        self.weight = weight

    def run(self) -> tuple[Tensor, Tensor]:
        """The nearest picture that reached the target, and its elastic distance; else the last."""
        x = slack = self.images
        best, least = x.clone(), torch.full((len(x),), torch.inf, device=x.device)
        for k in range(self.constants.steps):
            rate = self.constants.rate * (1 - k / self.constants.steps) ** 0.5
            slope = self._slope(slack)
            following = self._shrunk(slack - rate * slope, rate * self.constants.beta)
            slack = following + k / (k + 3) * (following - x)
            x = following
            distance = self._distance(x)
            better = self._reached(x) & (distance < least)
            best[better], least[better] = x[better], distance[better]
        missed = least.isinf()
        best[missed] = x[missed]
        return best, least

    def _slope(self, x: Tensor) -> Tensor:
        x = x.detach().requires_grad_()
        (slope,) = torch.autograd.grad(self._smooth(x).sum(), x)
        return slope

    def _smooth(self, x: Tensor) -> Tensor:
        """All terms but the L1 distance, shape (batch,)."""
        constants, code = self.constants, self.autoencoder.encoder(x)
        probability = self.ensemble.log_probabilities(x).exp()
        wanted = probability.gather(1, self.target[:, None])[:, 0]
        others = probability.scatter(1, self.target[:, None], -1.0).amax(dim=1)
        total = self.weight * (others - wanted).clamp_min(0) + _squares(x - self.images)
        total = total + constants.gamma * _squares(x - self.autoencoder.decoder(code))
        return total + constants.theta * _squares(code - self.prototypes)

    def _shrunk(self, x: Tensor, threshold: float) -> Tensor:
        """The proximal map of the L1 distance from the factual pictures, inside [0, 1]."""
        change = functional.softshrink(x - self.images, threshold)
        return (self.images + change).clamp(0, 1)

    def _distance(self, x: Tensor) -> Tensor:
        change = x - self.images
        return self.constants.beta * change.abs().flatten(1).sum(dim=1) + _squares(change)

    @torch.no_grad()
    def _reached(self, x: Tensor) -> Tensor:
        return self.ensemble.log_probabilities(x).argmax(dim=1) == self.target


def _prototypes(
    autoencoder: Autoencoder,
    images: Tensor,
    target: Tensor,
    real: Tensor,
    classes: Tensor,
    nearest: int,
) -> Tensor:
    """The mean encoding of each picture's nearest pictures of its target class."""
    found, target = autoencoder.encode(images), target.cpu()
    for level in sorted(set(target.tolist())):
        rows, codes = target == level, autoencoder.encode(real[classes == level])
        distance = torch.cdist(found[rows].flatten(1), codes.flatten(1))
        nearby = distance.topk(min(nearest, len(codes)), dim=1, largest=False).indices
        found[rows] = codes[nearby].mean(dim=1)
    return found


def _moved(
    x: Tensor, taken: Tensor, slope: Tensor, step: float, moves: int
) -> tuple[Tensor, Tensor]:
    """Each picture with its most salient pixel moved that can be, and the counts of moves."""
    ends = torch.where(slope > 0, x < 1, x > 0)
    free = (ends & (taken < moves)).flatten(1)
    salience = slope.abs().flatten(1).masked_fill(~free, -1.0)
    chosen = functional.one_hot(salience.argmax(dim=1), salience.shape[1]).view_as(x)
    return (x + step * chosen * slope.sign()).clamp(0, 1), taken + chosen


def _slope(ensemble: Ensemble, x: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """log p(t | x), shape (batch,), and its gradient."""
    x = x.detach().requires_grad_()
    likelihood = ensemble.log_probabilities(x).gather(1, target[:, None])[:, 0]
    (slope,) = torch.autograd.grad(likelihood.sum(), x)
    return likelihood.detach(), slope


def _squares(difference: Tensor) -> Tensor:
    return difference.square().flatten(1).sum(dim=1)
