"""Judges of Diff-SCM's counterfactuals, none of which took part in making them.

All are fitted to training pictures, by their own seeds: the classifier that reads the digit, the
variational autoencoder of CLD, the autoencoders of IM1 and IM2, and, for the two baselines, an
ensemble of classifiers and another autoencoder. They see all 55,000 pictures, the autoencoders as
often as their sources say: half an hour of one CPU thread, so they are kept as files of the run.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from benchmarks.papers.diff_scm.ensemble import Ensemble
from benchmarks.papers.experiment import Run, in_full, real_digits
from causalflow.evaluation.autoencoder import Autoencoder, VariationalAutoencoder
from causalflow.evaluation.axioms import pixel_errors
from causalflow.evaluation.likeness import Interpretability, Minimality
from causalflow.evaluation.networks import ImageClassifier
from causalflow.evaluation.score import Score, mean_score, share_score

Kind = TypeVar("Kind")
FEW = 100  # pictures, of every digit: enough to build networks, whose weights are then read


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How long the judges are fitted.

    Attributes:
        rows: training pictures, the first of the file.
        reader: epochs of the classifier.
        latent: of the variational autoencoder.
        every: of the autoencoder of all classes.
        single: of each class's.
        ensemble: of each member of the baselines' ensemble.
        members: of that ensemble.
        batch: pictures a step, but of the variational autoencoder's.
    """

    rows: int = 55_000
    reader: int = 4
    latent: int = 20
    every: int = 4
    single: int = 30
    ensemble: int = 1
    members: int = 5
    batch: int = 128


FULL = Effort()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pairs:
    """Factual pictures, and the digits that they are to become.

    Attributes:
        images: float in [0, 1], shape (n, 1, 28, 28).
        digits: factual, shape (n,).
        targets: any other digit, each equally probable.
    """

    images: Tensor
    digits: Tensor
    targets: Tensor

    def __len__(self) -> int:
        return len(self.digits)

    def first(self, n: int) -> Pairs:
        """The first n."""
        return Pairs(images=self.images[:n], digits=self.digits[:n], targets=self.targets[:n])

    @property
    def evidence(self) -> dict[str, Tensor]:
        """As a model takes it."""
        return {"digit": self.digits, "image": self.images}


def pairs(split: str, n: int, *, seed: int = 0) -> Pairs:
    """The first n pictures of a split, with random targets other than their digits."""
    images, digits = (column[:n] for column in real_digits(split))
    random = torch.Generator().manual_seed(seed)
    further = torch.randint(1, 10, (len(digits),), generator=random)
    return Pairs(images=images.float() / 255, digits=digits, targets=(digits + further) % 10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What the judges say of one method's pictures.

    Attributes:
        cld: CLD, .693 to 1.693.
        im1: IM1.
        im2: IM2.
        target: share read as the target.
        kept: share read as the factual digit.
        distance: to the factual pictures, mean absolute difference in grey levels.
    """

    cld: Score
    im1: Score
    im2: Score
    target: Score
    kept: Score
    distance: Score

    @property
    def values(self) -> dict[str, Any]:
        """The numbers in full."""
        return in_full({name: getattr(self, name) for name in self.__slots__})


class Judges:
    """The judges, each fitted when it is first asked, and kept.

    Args:
        run: keeps them, named by their effort.
        effort: how long they are fitted; `FULL`, but in tests.
    """

    def __init__(self, run: Run, effort: Effort = FULL) -> None:
        self.run, self.device, self.effort = run, run.device, effort

    def __call__(self, pictures: Tensor, given: Pairs) -> Judged:
        """All scores of counterfactual pictures, in [0, 1]."""
        pictures = pictures.cpu()
        im1, im2 = self.interpretability(pictures, given.targets, given.digits)
        read = self.reader(pictures)
        return Judged(
            cld=self.minimality(pictures, given.images, given.targets, given.digits),
            im1=im1,
            im2=im2,
            target=share_score(read == given.targets),
            kept=share_score(read == given.digits),
            distance=mean_score(pixel_errors(given.images, pictures).mean(1), "grey levels"),
        )

    @cached_property
    def training(self) -> tuple[Tensor, Tensor]:
        """Pictures, uint8, and their digits."""
        images, digits = real_digits("train")
        return images[: self.effort.rows], digits[: self.effort.rows]

    @cached_property
    def reader(self) -> ImageClassifier:
        """Of the digit."""
        given: dict[str, Any] = {"batch_size": self.effort.batch, "device": self.device}
        return self._kept(
            "reader",
            self.effort.reader,
            lambda x, y, epochs: ImageClassifier.fit(x, y, levels=10, epochs=epochs, **given),
        )

    @cached_property
    def minimality(self) -> Minimality:
        """Of CLD."""
        encoder = self._kept(
            "latent",
            self.effort.latent,
            lambda x, _, n: VariationalAutoencoder.fit(x, epochs=n, device=self.device),
        )
        images, digits = self.training
        return Minimality(encoder=encoder, latents=encoder(images), classes=digits)

    @cached_property
    def interpretability(self) -> Interpretability:
        """Of IM1 and IM2."""
        given: dict[str, Any] = {"batch_size": self.effort.batch, "device": self.device}

        def fit(x: Tensor, y: Tensor, epochs: int) -> Interpretability:
            both = (min(epochs, self.effort.every), epochs)
            return Interpretability.fit(x, y, epochs=both, **given)

        return self._kept("autoencoders", self.effort.single, fit)

    @cached_property
    def ensemble(self) -> Ensemble:
        """The baselines' classifiers: they make pictures, and judge none."""
        given: dict[str, Any] = {"members": self.effort.members, "device": self.device}
        return self._kept(
            "ensemble",
            self.effort.ensemble,
            lambda x, y, epochs: Ensemble.fit(x, y, epochs=epochs, **given),
        )

    @cached_property
    def autoencoder(self) -> Autoencoder:
        """The baselines' autoencoder, not that of IM2."""
        given: dict[str, Any] = {"batch_size": self.effort.batch, "device": self.device}
        return self._kept(
            "prototypes",
            self.effort.every,
            lambda x, _, epochs: Autoencoder.fit(x, epochs=epochs, seed=1, **given),
        )

    @property
    def about(self) -> str:
        """How long they were fitted."""
        return ", ".join(f"{name} {getattr(self.effort, name)}" for name in Effort.__slots__)

    def _kept(self, name: str, epochs: int, fit: Callable[[Tensor, Tensor, int], Kind]) -> Kind:
        """A judge that has the weights of its file."""
        images, digits = self.training
        weights = self.run.kept(
            f"diff_scm_{name}_{len(images)}x{epochs}",
            lambda: _weights(fit(images, digits, epochs)).state_dict(),
        )
        judge = fit(images[:FEW], digits[:FEW], 1)
        _weights(judge).load_state_dict(weights)
        return judge


def _weights(judge: Any) -> nn.Module:
    match judge:
        case ImageClassifier():
            return judge.network
        case Ensemble():
            return judge.members
        case Interpretability():
            each = {str(level): _weights(own) for level, own in judge.by_class.items()}
            return nn.ModuleDict({**each, "all": _weights(judge.of_all)})
    return nn.ModuleDict({"encoder": judge.encoder, "decoder": judge.decoder})
