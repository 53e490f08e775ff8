"""Repeats: the labels of a counterfactual world, drawn again and again from the same evidence.

Evidence that leaves noise open leaves the counterfactual open: what a world then holds is one draw.
Draws of the noise given the evidence tell which nodes that are, and how likely each of their levels
is:

    P(node = level, had do been done | evidence of the row)

Images are read once, for the labels they show, and not drawn again: what they would have been is as
open as the labels above them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from causalflow.errors import EvidenceError
from causalflow.graph.schema import Class, Image
from causalflow.mechanisms.base import Noise, Values
from causalflow.model.completion import complete
from causalflow.model.evidence import by_missing
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
) -> tuple[dict[str, Noise], Mapping[str, str]]:
    """The noise of ``needed`` in the worlds of ``evidence``, and how what is missing was found.

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
    return noise, completion.inferred


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Repeats:
    """What draws the labels of some counterfactual worlds again.

    Attributes:
        scm: the fitted model.
        evidence: node -> engine values of its label, given or read off an image, gaps among them.
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
        tried = self._drawn(TRIED, min(self.rows, TRIED_ROWS))
        return tuple(name for name, drawn in tried.items() if _differs(drawn))

    def drawn(self) -> dict[str, Tensor]:
        """Node -> engine values of its further draws, shape (draws, rows)."""
        draws = max(FEWEST_DRAWS, min(MOST_DRAWS, CELLS // max(self.rows, 1)))
        return self._drawn(draws, self.rows)

    def probabilities(self, drawn: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Class node -> how often each level was drawn, shape (rows, levels), float64."""
        found = {}
        for name, value in drawn.items():
            node = self.scm.graph.nodes[name]
            if isinstance(node, Class):
                levels = torch.arange(len(node.levels), device=value.device)
                found[name] = (value[..., None] == levels).double().mean(0)
        return found

    def _drawn(self, draws: int, rows: int) -> dict[str, Tensor]:
        """Nothing where the model cannot be asked without its images."""
        names = self._computed()
        columns = {n: v[:rows].repeat(draws) for n, v in self.evidence.items()}
        if not names or not rows:
            return {}
        generator = torch.Generator(self.scm.device).manual_seed(self.seed)
        try:
            groups = by_missing(columns)
            parts = [(at, self._of(part, at, rows, generator)) for at, part in groups]
        except EvidenceError:
            return {}
        order = torch.cat([at for at, _ in parts]).argsort()
        return {
            name: torch.cat([world[name] for _, world in parts])[order].reshape(draws, rows)
            for name in names
        }

    def _of(
        self, evidence: Values, at: Tensor, rows: int, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """The labels of rows ``at`` among the repeated ones, which miss the same."""
        fixed = {n: a for n, a in self.actions.items() if isinstance(a, Tensor)}
        acted = {n: a[:rows][at % rows] for n, a in fixed.items()}
        needed = frozenset(self._computed()) - acted.keys()
        noise, _ = needed_noise(self.scm, evidence, needed, generator)
        return self.scm.predict(noise, {**self.actions, **acted}, rows=len(at))

    def _computed(self) -> list[str]:
        """The labels that depend on no image under the actions."""
        fixed = [n for n, action in self.actions.items() if isinstance(action, Tensor)]
        nodes, mutilated = self.scm.graph.nodes, self.scm.graph.admg.do(fixed)
        return [
            name
            for name in self.scm.order
            if name not in fixed
            and not any(isinstance(nodes[above], Image) for above in mutilated.ancestors([name]))
        ]


def _differs(drawn: Tensor) -> bool:
    """Whether draws differ by more than the rounding of a batch."""
    first = drawn[0]
    if not drawn.is_floating_point():
        return bool((drawn != first).any())
    return bool(((drawn - first).abs() > ROUNDING * (1 + first.abs())).any())
