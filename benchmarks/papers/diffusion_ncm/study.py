"""Study: the models, the test pictures and the counterfactuals that all tables are made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import torch

import causalflow as cf
from benchmarks.papers.diffusion_ncm.models import KINDS, ROWS, fitted
from benchmarks.papers.diffusion_ncm.pictures import (
    Changed,
    Judge,
    changed,
    digit_judge,
    labelled,
    picked,
    set_to,
)
from benchmarks.papers.diffusion_ncm.queries import QUESTIONS, Question, answer
from benchmarks.papers.experiment import Run
from causalflow.data.sets.bar_mnist import BarMNIST, bar_mnist

__all__ = ["Study"]

MOST = 500
SIZE = 28
DRAWS = 400_000
POOL = {"backdoor": 20, "frontdoor": 60}
"""Test rows for each picture of a question: the rarest evidence holds in .026 of the rows."""


@dataclass(kw_only=True, eq=False)
class Study:
    """What both tables are made from; computed once, when it is first read.

    Attributes:
        run: one run.
        size: height and width of the pictures.
    """

    run: Run
    size: int = SIZE
    rows: int = ROWS
    draws: int = DRAWS
    _models: dict[tuple[str, str], cf.Model] = field(default_factory=dict)

    @property
    def n(self) -> int:
        """Pictures of a question."""
        return min(self.run.n, MOST)

    @cached_property
    def donor(self) -> cf.Model:
        """The net whose image mechanism serves both graphs."""
        return self.run.net("bar")

    def model(self, kind: str, noise: str) -> cf.Model:
        """The model of a graph."""
        if (kind, noise) not in self._models:
            self._models[kind, noise] = fitted(kind, noise, self.donor, self.rows)
        return self._models[kind, noise]

    @cached_property
    def data(self) -> Mapping[str, BarMNIST]:
        """Test rows of each graph."""
        return {
            kind: bar_mnist(kind, "test", size=self.size, n=POOL[kind] * self.n, source="mnist")
            for kind in KINDS
        }

    @cached_property
    def judge(self) -> Judge:
        """It reads the digit."""
        return digit_judge(self.run.device)

    @cached_property
    def answered(self) -> list[tuple[Question, Changed]]:
        """The pictures of every question; questions with the same evidence share the abduction."""
        evidences = dict.fromkeys((q.kind, q.digits, q.color, q.bar) for q in QUESTIONS)
        return [each for evidence in evidences for each in self._answered(evidence)]

    def _answered(self, evidence: tuple[str, bool, int, int]) -> list[tuple[Question, Changed]]:
        asked = [q for q in QUESTIONS if (q.kind, q.digits, q.color, q.bar) == evidence]
        kind = evidence[0]
        known = labelled(self.data[kind], picked(self.data[kind], asked[0], self.n))
        interventions = [(q.target, set_to(q, len(known["bar"]))) for q in asked]
        pictures = changed(self.model(kind, "response"), kind, known, interventions)
        return list(zip(asked, pictures, strict=True))

    @cached_property
    def further(self) -> list[Changed]:
        """do(digit) and do(bar) in the front-door graph, on any pictures."""
        kind = "frontdoor"
        known = labelled(self.data[kind], torch.arange(self.n))
        random = torch.Generator().manual_seed(0)
        other = (known["digit"] + torch.randint(1, 10, (self.n,), generator=random)) % 10
        interventions = [("digit", other), ("bar", 1 - known["bar"])]
        return changed(self.model(kind, "response"), kind, known, interventions)

    def asked(self, question: Question, noise: str) -> float:
        """The answer of `Model.ask` from labels alone."""
        model = self.model(question.kind, noise)
        return float(answer(lambda q: model.ask(q, draws=self.draws).table, question))
