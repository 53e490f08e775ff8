"""Who judges Diff-SCM's counterfactuals: nobody that took part in making them.

All are fitted to training pictures, by their own seeds: the classifier that reads the digit, the
variational autoencoder of CLD, the autoencoders of IM1 and IM2, and, for the two baselines, an
ensemble of classifiers and another autoencoder. They see all 55,000 pictures, the autoencoders as
often as their sources say: half an hour of one CPU thread, so they are kept as files in the folder
of the results.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from benchmarks.papers.diff_scm.ensemble import Ensemble
from benchmarks.papers.digits import real_digits
from benchmarks.papers.kept import write_tensors
from benchmarks.papers.scores import in_full
from causalflow.evaluation.autoencoder import Autoencoder, VariationalAutoencoder
from causalflow.evaluation.axioms import pixel_errors
from causalflow.evaluation.likeness import Interpretability, Minimality
from causalflow.evaluation.networks import ImageClassifier
from causalflow.evaluation.score import Score, mean_score, share_score

Kind = TypeVar("Kind")
FEW = 100  # pictures, of every digit: enough to build networks, whose weights are then read

__all__ = ["FULL", "Effort", "Judged", "Judges", "Pairs", "pairs"]


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
    """The judges, each fitted when it is first asked, and kept in a folder.

    Args:
        folder: where they are kept, named by their effort.
        device: where they are fitted and read.
        effort: how long they are fitted; `FULL`, but in tests.
    """

    def __init__(self, folder: Path, device: str, effort: Effort = FULL) -> None:
        self.folder, self.device, self.effort = folder, device, effort

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

        def fit(images: Tensor, digits: Tensor, epochs: int) -> ImageClassifier:
            return ImageClassifier.fit(
                images,
                digits,
                levels=10,
                epochs=epochs,
                batch_size=self.effort.batch,
                device=self.device,
            )

        return self._kept("reader", fit, self.effort.reader)

    @cached_property
    def minimality(self) -> Minimality:
        """Of CLD."""

        def fit(images: Tensor, digits: Tensor, epochs: int) -> VariationalAutoencoder:
            return VariationalAutoencoder.fit(images, epochs=epochs, device=self.device)

        encoder = self._kept("latent", fit, self.effort.latent)
        images, digits = self.training
        return Minimality(encoder=encoder, latents=encoder(images), classes=digits)

    @cached_property
    def interpretability(self) -> Interpretability:
        """Of IM1 and IM2."""

        def fit(images: Tensor, digits: Tensor, epochs: int) -> Interpretability:
            both = (min(epochs, self.effort.every), epochs)
            return Interpretability.fit(
                images, digits, epochs=both, batch_size=self.effort.batch, device=self.device
            )

        return self._kept("autoencoders", fit, self.effort.single)

    @cached_property
    def ensemble(self) -> Ensemble:
        """The baselines' classifiers: they make pictures, and judge none."""

        def fit(images: Tensor, digits: Tensor, epochs: int) -> Ensemble:
            return Ensemble.fit(
                images, digits, members=self.effort.members, epochs=epochs, device=self.device
            )

        return self._kept("ensemble", fit, self.effort.ensemble)

    @cached_property
    def autoencoder(self) -> Autoencoder:
        """The baselines' autoencoder, not that of IM2."""

        def fit(images: Tensor, digits: Tensor, epochs: int) -> Autoencoder:
            return Autoencoder.fit(
                images, epochs=epochs, batch_size=self.effort.batch, seed=1, device=self.device
            )

        return self._kept("prototypes", fit, self.effort.every)

    @property
    def about(self) -> str:
        """How long they were fitted."""
        return ", ".join(f"{name} {getattr(self.effort, name)}" for name in Effort.__slots__)

    def _kept(self, name: str, fit: Callable[[Tensor, Tensor, int], Kind], epochs: int) -> Kind:
        """A judge, from its file where there is one."""
        images, digits = self.training
        path = self.folder / f"diff_scm_{name}_{len(images)}x{epochs}.safetensors"
        if path.exists():
            judge = fit(images[:FEW], digits[:FEW], 1)
            _weights(judge).load_state_dict(load_file(path, device=self.device))
            return judge
        judge = fit(images, digits, epochs)
        write_tensors(path, _weights(judge).state_dict())
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
