"""Bench: one task of one run: its net, readers, judge and pictures, each made when first asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property

import torch
from torch import Tensor

from benchmarks.papers.balanced.judge import nearest_digits
from benchmarks.papers.balanced.readers import Readers, fit_readers, kept_readers
from benchmarks.papers.balanced.tasks import Outcome, Rows, Task
from benchmarks.papers.balanced.ways import (
    Made,
    Way,
    guided_by,
    kept_name,
    made,
    read_made,
    write_made,
)
from benchmarks.papers.diff_scm.judges import Judges
from benchmarks.papers.experiment import Run
from causalflow.mechanisms.image.mechanism import ImageMechanism

__all__ = ["Bench"]

READER_STEPS = {"coloured": 800, "masked": 500}


class Bench:
    """One run of one task: net, readers, judge and pictures, each made when first asked."""

    def __init__(self, run: Run, task: Task) -> None:
        self.run, self.task = run, task

    @cached_property
    def mechanisms(self) -> dict[str, ImageMechanism]:
        """The image mechanism by its guide."""
        model = self.run.net(self.task.net)
        return {"learned": guided_by(model, None), "readers": guided_by(model, self.readers)}

    @cached_property
    def readers(self) -> Readers:
        """The readers, fitted to the training law."""
        path = self.run.out / f"balanced_readers_{self.task.name}.safetensors"

        def fitted() -> Readers:
            data = self.task.data("train")
            labels = {name: torch.from_numpy(v) for name, v in data.labels.items()}
            steps = READER_STEPS[self.task.name]
            return fit_readers(data.images, labels, steps=steps, device=self.run.device)

        return kept_readers(path, fitted)

    @cached_property
    def judge(self) -> Callable[[Tensor], Tensor]:
        """Reads a digit off gray pictures."""
        return nearest_digits(self.run.device)

    @cached_property
    def classifier(self) -> Callable[[Tensor], Tensor]:
        """A second reader of digits: the convolutional one that judges Diff-SCM's pictures."""
        return Judges(self.run.out, self.run.device).reader

    @property
    def levels(self) -> int:
        """Steps each way of what the paper gives as many."""
        return self.run.levels

    def few(self, n: int) -> int:
        """How many pictures of what takes many network calls, at most n."""
        return min(n, self.run.few, self.run.n)

    def rows(self, split: str, n: int) -> Rows:
        """Pictures of a split."""
        return self.task.rows(split, n).to(self.run.device)

    def made(self, way: Way, rows: Rows, split: str) -> Iterator[tuple[Way, Made]]:
        """A way's pictures at all its scales; kept, so that a run that was stopped goes on."""
        path = self.run.out / f"balanced_{kept_name(self.task.name, way, split, rows)}.safetensors"
        if self.run.again or not path.exists():
            write_made(path, made(self.mechanisms[way.guide], way, rows))
        yield from ((way, each) for each in read_made(path))

    def shape(self, images: Tensor) -> Tensor:
        """The digits that the judge reads off real pictures."""
        return self.judge(self.task.gray(images))

    def judged(
        self, images: Tensor, rows: Rows, shape: Callable[[Tensor], Tensor] | None = None
    ) -> Outcome:
        """What the judges say; ``shape`` instead of the judge of shapes."""
        return self.task.judged(images, rows, shape or self.judge)
