"""Repeats: the labels of a counterfactual world, drawn again and again from the same evidence.

Evidence that leaves noise open leaves the counterfactual open: what a world then holds is one draw.
Draws of the noise given the evidence tell which nodes that are, and how likely each of their levels
is:

    P(node = level, had do been done | evidence of the row)

Images are read once, for the labels they show, and not drawn again: what they would have been is as
open as the labels above them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from causalflow.errors import EvidenceError
from causalflow.graph.node import Class, Level
from causalflow.mechanisms.mechanism import Noise, Values
from causalflow.model.evidence import by_missing
from causalflow.model.posterior import Completion, complete
from causalflow.model.scm import Intervention, StructuralModel

__all__ = ["Repeats", "needed_noise"]

TRIED_ROWS, TRIED = 256, 20
"""Rows and draws that tell which nodes are open: a level of probability .14 is seen in 95 %."""
MOST_DRAWS, FEWEST_DRAWS, CELLS = 10_000, 100, 200_000
"""Draws for each row that probabilities are counted from: CELLS in all, within limits."""

ROUNDING = 1e-9
"""Of numbers that are computed in float64, in other places of a batch."""


def needed_noise(
    scm: StructuralModel, evidence: Values, needed: frozenset[str], generator: torch.Generator
) -> tuple[dict[str, Noise], Completion]:
    """The noise of ``needed`` in the worlds of ``evidence``, and how these were completed.

    Args:
        scm: the fitted model.
        evidence: engine values of at least one node, labelled throughout.
        needed: nodes that are to be computed, with all that they depend on.
        generator: draws.
    """
    rows = len(next(iter(evidence.values())))
    completion = complete(scm, evidence, generator)
    known = {**completion.values, **completion.roots}
    noise: dict[str, Noise] = {n: {"value": value} for n, value in completion.roots.items()}
    for name in (name for name in scm.order if name in needed):
        mechanism = scm.mechanism(name)
        if name in completion.values:
            parents = {parent: known[parent] for parent in scm.parents(name)}
            noise[name] = mechanism.abduct(known[name], parents, generator)
        else:
            noise[name] = mechanism.draw_noise(rows, generator)
    return noise, completion


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Repeats:
    """What draws the labels of some counterfactual worlds again.

    Attributes:
        scm: the fitted model.
        evidence: node -> engine values, given or read off an image, gaps among them.
        actions: what is done.
        seed: of the draws, which are no others' draws.
    """

    scm: StructuralModel
    evidence: Values
    actions: Mapping[str, Intervention] = field(default_factory=dict)
    seed: int = 1

    @property
    def rows(self) -> int:
        """Of the evidence."""
        return len(next(iter(self.evidence.values()), ()))

    def open(self) -> tuple[str, ...]:
        """The nodes whose value the evidence leaves open in some of the first rows."""
        rows = self.rows if self._shifts else min(self.rows, TRIED_ROWS)
        tried = self._drawn(max(2, min(TRIED, TRIED * TRIED_ROWS // max(rows, 1))), rows)
        return tuple(name for name, drawn in tried.items() if _differs(drawn))

    def drawn(self) -> dict[str, Tensor]:
        """Node -> engine values of its further draws, shape (draws, rows)."""
        draws = max(FEWEST_DRAWS, min(MOST_DRAWS, CELLS // max(self.rows, 1)))
        return self._drawn(draws, self.rows)

    def levels(self, name: str) -> tuple[Level, ...]:
        """Of a class node."""
        node = self.scm.graph.nodes[name]
        assert isinstance(node, Class)
        return node.levels

    def probabilities(self, drawn: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Class node -> how often each level was drawn, shape (rows, levels), float64."""
        found = {}
        for name, value in drawn.items():
            node = self.scm.graph.nodes[name]
            if isinstance(node, Class):
                levels = torch.arange(len(node.levels), device=value.device)
                found[name] = (value[..., None] == levels).double().mean(0)
        return found

    @property
    def _shifts(self) -> dict[str, Callable[[Tensor], Tensor]]:
        """The actions that are functions: of a column with a value for each row."""
        return {n: act for n, act in self.actions.items() if not isinstance(act, Tensor)}

    def _drawn(self, draws: int, rows: int) -> dict[str, Tensor]:
        """Nothing where the model cannot be asked without its images."""
        names = self._computed()
        if not names or not rows:
            return {}
        columns = {n: v[:rows].repeat(draws, *[1] * (v.ndim - 1)) for n, v in self.evidence.items()}
        generator = torch.Generator(self.scm.device).manual_seed(self.seed)
        try:
            groups = by_missing(columns)
            if self._shifts and len(groups) > 1:
                return {}
            parts = [(at, self._of(part, at, rows, generator)) for at, part in groups]
        except EvidenceError:
            return {}
        order = torch.cat([at for at, _ in parts]).argsort()
        joined = {n: torch.cat([world[n] for _, world in parts])[order] for n in names}
        return {n: value.reshape(draws, rows, *value.shape[1:]) for n, value in joined.items()}

    def _of(
        self, evidence: Values, at: Tensor, rows: int, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """The labels of rows ``at`` among the repeated ones, which miss the same."""
        actions: dict[str, Intervention] = {
            name: action[:rows][at % rows] if isinstance(action, Tensor) else _by_draw(action, rows)
            for name, action in self.actions.items()
        }
        fixed = actions.keys() - self._shifts.keys()
        noise, _ = needed_noise(self.scm, evidence, frozenset(self._computed()) - fixed, generator)
        return self.scm.predict(noise, actions, rows=len(at))

    def _computed(self) -> list[str]:
        """The nodes that depend on no diffusion model under the actions."""
        fixed = self.actions.keys() - self._shifts.keys()
        mutilated = self.scm.graph.admg.do(fixed)
        return [
            name
            for name in self.scm.order
            if name not in fixed and not mutilated.ancestors([name]) & self.scm.images.keys()
        ]


def _by_draw(action: Callable[[Tensor], Tensor], rows: int) -> Intervention:
    """The same function of each draw's rows."""

    def act(natural: Tensor) -> Tensor:
        return torch.cat([action(part) for part in natural.split(rows)])

    return act


def _differs(drawn: Tensor) -> bool:
    """Whether draws differ by more than the rounding of a batch."""
    first = drawn[0]
    if not drawn.is_floating_point():
        return bool((drawn != first).any())
    return bool(((drawn - first).abs() > ROUNDING * (1 + first.abs())).any())
