"""One run of Diff-SCM's experiment: its nets, its judges, and the pictures of each method."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

import causalflow as cf
from benchmarks.papers.diff_scm import baselines
from benchmarks.papers.diff_scm.judges import Judges, Pairs, pairs
from benchmarks.papers.diff_scm.settings import FILE_SCALE, PRINTED, Setting
from benchmarks.papers.digits import real_digits
from benchmarks.papers.experiment import Run
from causalflow.evaluation.score import Score, share_score

__all__ = ["Bench", "Made"]

BATCH = 250
SEARCHED = 100  # pictures: a share of .95 is known to .04


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Made:
    """Pictures of one method.

    Attributes:
        name: of the method.
        images: in [0, 1].
        calls: network calls, or gradients of a classifier, a picture.
        seconds: a picture; processor time on a CPU.
        paper: CLD, IM1 and IM2 as printed.
    """

    name: str
    images: Tensor
    calls: float
    seconds: float
    paper: tuple[str, str, str] = ("-", "-", "-")


class Bench:
    """One run: nets, judges and pictures, each made when first asked.

    Args:
        run: what was asked for.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        self.judges = Judges(run.out, run.device)
        self._nets: dict[str, cf.Model] = {}

    def net(self, name: str) -> cf.Model:
        """A net, read once."""
        if name not in self._nets:
            self._nets[name] = self.run.net(name)
        return self._nets[name]

    @cached_property
    def test(self) -> Pairs:
        """The pictures judged."""
        return pairs("test", self.run.n)

    @cached_property
    def validation(self) -> Pairs:
        """The pictures that settings are chosen on."""
        return pairs("validation", min(self.run.n, SEARCHED), seed=1)

    def counterfactuals(self, setting: Setting, given: Pairs) -> Made:
        """The pictures of a setting."""
        model, parts, calls = self.net(setting.net), [], 0.0
        strength = setting.scale / FILE_SCALE
        begun = self._clock()
        for start in range(0, len(given), BATCH):
            rows = slice(start, start + BATCH)
            evidence = {name: value[rows] for name, value in given.evidence.items()}
            world = model.counterfactual(
                evidence,
                do={"digit": given.targets[rows]},
                guidance=strength,
                **setting.options,
            )
            parts.append(world["image"].cpu())
            calls += world.info.network_calls * len(parts[-1])
        return self._made(setting.name, torch.cat(parts), calls, begun, setting.paper)

    def schut(self, given: Pairs) -> Made:
        """The first baseline's pictures."""
        ensemble, begun = self.judges.ensemble, self._clock()
        found = baselines.salient_pixels(ensemble, given.images, given.targets)
        calls = found.gradients * len(given)
        name = "Schut et al., gradients of a classifier"
        return self._made(name, found.images, calls, begun, PRINTED["schut"])

    def looveren(self, given: Pairs) -> Made:
        """The second baseline's pictures."""
        ensemble, autoencoder = self.judges.ensemble, self.judges.autoencoder
        real, digits = self.judges.training
        begun = self._clock()
        found = baselines.nearest_to_prototypes(
            ensemble, autoencoder, given.images, given.targets, real, digits
        )
        calls = found.gradients * len(given)
        name = "Van Looveren & Klaise, prototypes"
        return self._made(name, found.images, calls, begun, PRINTED["looveren"])

    def references(self, given: Pairs) -> list[Made]:
        """What no method made: pictures as they were, and other real ones of the targets."""
        (images, digits), random = real_digits("test"), torch.Generator().manual_seed(2)
        order = torch.randperm(len(digits), generator=random)
        known = [order[digits[order] == k] for k in range(10)]
        drawn = [known[k][i % len(known[k])] for i, k in enumerate(given.targets.tolist())]
        others = images[torch.stack(drawn)].float() / 255
        return [
            Made(name="left as it was", images=given.images, calls=0, seconds=0),
            Made(name="another real picture, of the target", images=others, calls=0, seconds=0),
        ]

    def _made(
        self, name: str, images: Tensor, calls: float, begun: float, paper: tuple[str, str, str]
    ) -> Made:
        n, seconds = len(images), self._clock() - begun
        return Made(name=name, images=images, calls=calls / n, seconds=seconds / n, paper=paper)

    def _clock(self) -> float:
        if torch.device(self.run.device).type == "cuda":
            torch.cuda.synchronize(self.run.device)
            return time.perf_counter()
        return time.process_time()

    @cached_property
    def floor(self) -> Score:
        """The share of real test pictures that the classifier reads as they are."""
        images, digits = real_digits("test")
        return share_score(self.judges.reader(images) == digits)
