"""Telling: worlds drawn given what is known, and chosen by what is told short of values.

Notation: e the values that are known, l(v) the weights of what is told of v (`Told`), u the noise.

    p(u | e, told)  proportional to  p(u | e) l(v(u))

So many worlds of each row are drawn given e, and one of them is chosen with probability
proportional to l. The draws of a row are worth (sum l)^2 / sum l^2 independent ones; rows in which
that is below `LEAST` get more draws, and are refused if the most of them are not enough.

Source: Rubin (1988), Using the SIR algorithm to simulate posterior distributions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from causalflow.errors import RowError
from causalflow.mechanisms.exogenous.draws import alike, stratified
from causalflow.mechanisms.mechanism import Values
from causalflow.model.posterior.resampling import LEAST
from causalflow.model.posterior.tempering import worth
from causalflow.model.scm import StructuralModel
from causalflow.model.told.told import Told

__all__ = ["Chosen", "Telling", "World"]

FEWEST, USUAL, MOST = 1 << 7, 1 << 10, 1 << 16
"""Draws of a row: of many rows, of few, and where hardly any agree with what is told."""
GROWTH = 8
DRAWS = 1 << 19
"""Draws of all rows together that are held at once."""


class World(Protocol):
    """Draws of what is above the evidence: the values of nodes, and of every hidden root."""

    @property
    def values(self) -> Values:
        """Node -> (draws, ...)."""

    @property
    def roots(self) -> Values:
        """Hidden root -> (draws,)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """One world a row.

    Attributes:
        values: node -> (rows, ...), those that are told among them.
        roots: hidden root -> (rows,).
        worth: how many independent draws those of the worst row are worth.
    """

    values: Mapping[str, Tensor]
    roots: Mapping[str, Tensor]
    worth: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Cloud:
    """Worlds of some rows, as many of each.

    Attributes:
        values: node -> (rows * copies, ...).
        roots: hidden root -> (rows * copies,).
        share: the weights, shape (rows, copies).
        worth: how many independent draws those of a row are worth, shape (rows,).
    """

    values: Mapping[str, Tensor]
    roots: Mapping[str, Tensor]
    share: Tensor
    worth: Tensor

    def chosen(
        self, rows: Tensor, counts: Tensor, generator: torch.Generator
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Values and roots of ``counts`` worlds of each of these rows, bool, by their weights."""
        share = self.share[rows]
        state, wanted = stratified(share / share.sum(1, keepdim=True), counts, generator)
        start = share.shape[1] * rows.nonzero()
        place = (start + state)[wanted]
        return _taken(self.values, place), _taken(self.roots, place)


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """What is told in some rows, and how worlds of them are drawn.

    Attributes:
        scm: the model.
        evidence: engine values, the same rows each; none: nothing is known.
        told: node -> what is told of it, in as many rows, or in all alike.
        complete: draws the worlds of evidence; told how many rows there are.
        generator: draws.
    """

    scm: StructuralModel
    evidence: Values
    told: Mapping[str, Told]
    complete: Callable[[Values, int], World]
    generator: torch.Generator

    def chosen(self, rows: int) -> Chosen:
        """A world of each row.

        Raises:
            RowError: a row whose draws are worth fewer than `LEAST`.
        """
        groups = alike(self._columns(rows))
        most = int(groups.counts.max())
        copies = max(FEWEST, min(USUAL, DRAWS // len(groups.first)), min(MOST, 2 * most))
        pending = torch.arange(len(groups.first), device=groups.first.device)
        owners, parts, worths = [], [], []
        while len(pending):
            poor = []
            for some in pending.split(max(1, DRAWS // copies)):
                first, counts = groups.first[some], groups.counts[some]
                cloud = self._cloud(first, copies)
                good = cloud.worth >= LEAST
                if copies >= MOST and not bool(good.all()):
                    raise self._refusal(int(first[~good][0]), copies)
                poor.append(some[~good])
                if bool(good.any()):
                    parts.append(cloud.chosen(good, counts[good], self.generator))
                    owners.append(some[good].repeat_interleave(counts[good]))
                    worths.append(float(cloud.worth[good].min()))
            pending, copies = torch.cat(poor), min(MOST, copies * GROWTH)
        back = torch.cat(owners).argsort(stable=True)[groups.back]
        values, roots = (_joined([part[k] for part in parts], back) for k in (0, 1))
        return Chosen(values=values, roots=roots, worth=min(worths))

    def _columns(self, rows: int) -> dict[str, Tensor]:
        """What makes rows differ: the values that are known, and what is told."""
        told = {f"told {name}": each.ids.expand(rows) for name, each in self.told.items()}
        return {**self.evidence, **told}

    def _cloud(self, rows: Tensor, copies: int) -> _Cloud:
        """So many worlds of each of some rows, and their weights."""
        at = rows.repeat_interleave(copies)
        world = self.complete({n: v[at] for n, v in self.evidence.items()}, len(at))
        values = {**self._below(world, len(at)), **world.values}
        weight = torch.ones(len(at), dtype=torch.float64, device=at.device)
        for name, told in self.told.items():
            weight = weight * told.weights(values[name], at)
        share = weight.view(len(rows), copies)
        return _Cloud(values=values, roots=world.roots, share=share, worth=worth(share.log()))

    def _below(self, world: World, draws: int) -> dict[str, Tensor]:
        """The nodes that are told and below what is known, with all that they depend on."""
        below = [name for name in self.told if name not in world.values]
        if not below:
            return {}
        needed = self.scm.needed(below)
        known = {**world.values, **world.roots}
        if known:
            noise = self.scm.abduct(world.values, world.roots, self.generator, needed)
        else:
            noise = self.scm.draw_noise(draws, self.generator, needed)
        return self.scm.predict(noise, rows=draws)

    def _refusal(self, row: int, copies: int) -> RowError:
        said = ", ".join(f"{name} {told.said(row)}" for name, told in self.told.items())
        return RowError(
            "",
            row,
            f"of {copies:,} draws those that agree with what is told ({said}) are worth fewer than "
            f"{LEAST} independent ones; tell less, or give the values",
        )


def _taken(values: Values, rows: Tensor) -> dict[str, Tensor]:
    return {name: value[rows] for name, value in values.items()}


def _joined(parts: list[dict[str, Tensor]], order: Tensor) -> dict[str, Tensor]:
    return {name: torch.cat([part[name] for part in parts])[order] for name in parts[0]}
