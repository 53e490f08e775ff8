"""Resampling: a knot that has no closed form, by weighed draws that are chosen by their weights.

Rows that are alike share one cloud (`causalflow.model.posterior.cloud`). Of n draws with weights w
the effective number is (sum w)^2 / sum w^2: what they are worth in independent draws. Where it is
low, they are tempered (`causalflow.model.posterior.tempering`); where too few agree with what is
known at all, there are more of them. What is worth fewer than `LEAST` in the end is refused.

Source: Rubin (1988), Using the SIR algorithm to simulate posterior distributions; Kong, Liu & Wong
(1994), Sequential imputations and Bayesian missing data problems.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from causalflow.errors import RowError
from causalflow.mechanisms.exogenous.draws import alike, stratified
from causalflow.mechanisms.exogenous.particles import of_lowest_order
from causalflow.mechanisms.mechanism import Values
from causalflow.model.posterior.cloud import Cloud, Knotted
from causalflow.model.posterior.knot import Knot
from causalflow.model.posterior.tempering import tempered, worth
from causalflow.model.scm import StructuralModel

__all__ = ["LEAST", "Resampled", "resampled"]

LEAST = 50
"""Independent draws that those of a row must be worth."""
FEWEST, USUAL, MOST = 1 << 10, 1 << 12, 1 << 18
"""Draws of a row: of many rows, of few, and where hardly any agree with what is known."""
ENOUGH = 1 / 32
"""Share of the draws that they must be worth not to be tempered."""
DRAWS = 1 << 20
"""Draws of all rows together that are held at once."""
SHARED = 1 << 18
"""Draws of all rows together, where rows have more than the fewest."""
TEMPERED = 1 << 13
"""Draws of a row that are tempered."""
GROWTH = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Resampled:
    """One draw a row of a knot's posterior.

    Attributes:
        values: unknown variable -> (batch,).
        open: the variables that have several values in some row.
        worth: how many independent draws those of the worst row are worth.
    """

    values: Values
    open: frozenset[str]
    worth: float


def resampled(
    scm: StructuralModel, known: Values, knot: Knot, generator: torch.Generator
) -> Resampled:
    """A draw of the knot from its joint posterior.

    Args:
        scm: the fitted model.
        known: engine values of nodes, the same rows each.
        knot: what to draw.
        generator: draws.

    Raises:
        RowError: a row of which no draws, or too few, agree with what is known.
        CompileError: an equation whose noises cannot be recovered.
    """
    reads = {name: value for name, value in known.items() if name in knot.reads(scm)}
    groups = alike(reads)
    every = Knotted(scm=scm, knot=knot, known=reads, generator=generator)
    copies = max(FEWEST, min(USUAL, SHARED // len(groups.first)))
    copies = max(copies, min(MOST, 2 * int(groups.counts.max())))
    found = _split(every, groups.first, groups.counts, copies)
    values = {name: value[groups.back] for name, value in found.values.items()}
    return Resampled(values=values, open=found.open, worth=found.worth)


def _split(every: Knotted, rows: Tensor, counts: Tensor, copies: int) -> Resampled:
    """``counts`` draws of each of some rows, so many rows at a time as are held at once."""
    step, parts = max(1, DRAWS // copies), []
    for some, count in zip(rows.split(step), counts.split(step), strict=True):
        try:
            parts.append(_drawn(every.at(some), count, copies))
        except RowError as problem:
            raise problem.at(int(some[problem.row])) from None
    return Resampled(
        values={n: torch.cat([part.values[n] for part in parts]) for n in parts[0].values},
        open=frozenset().union(*(part.open for part in parts)),
        worth=min(part.worth for part in parts),
    )


def _drawn(row: Knotted, counts: Tensor, copies: int) -> Resampled:
    """``counts`` draws of each row, from clouds of so many draws, or from better ones."""
    cloud = row.cloud(copies, strict=copies >= MOST)
    kept = of_lowest_order(cloud.log_weight, cloud.order, cloud.kind)
    cloud = replace(cloud, log_weight=torch.where(kept, cloud.log_weight, -torch.inf))
    poor = worth(cloud.log_weight) < max(LEAST, ENOUGH * copies)
    few = poor & (kept.sum(1) < 2 * LEAST) & (copies < MOST)
    parts = []
    for places, better in ((~poor, None), (few, _more), (poor & ~few, _tempered)):
        rows = places.nonzero()[:, 0]
        if not len(rows):
            continue
        if better is None:
            part = _chosen(row, cloud.at(rows), worth(cloud.log_weight)[rows], counts[rows])
        else:
            part = better(row, cloud, rows, counts[rows])
        parts.append((rows, part))
    return _together(parts, counts)


def _more(row: Knotted, cloud: Cloud, rows: Tensor, counts: Tensor) -> Resampled:
    """Draws from larger clouds, as hardly any of these agree with what is known."""
    return _split(row, rows, counts, min(MOST, GROWTH * cloud.log_weight.shape[1]))


def _tempered(row: Knotted, cloud: Cloud, rows: Tensor, counts: Tensor) -> Resampled:
    """Draws from tempered clouds, larger ones where they are worth too few.

    Raises:
        RowError: a row of which they are worth fewer than `LEAST`, however many there are.
    """
    some, copies = row.at(rows), cloud.log_weight.shape[1]
    found = tempered(some, cloud.at(rows), TEMPERED)
    low = found.worth < LEAST
    if bool(low.any()) and copies >= TEMPERED:
        place = int(low.nonzero()[0])
        raise RowError(
            "",
            int(rows[place]),
            f"of {copies:,} draws of {sorted(cloud.values)} those that agree with the evidence are "
            f"worth {float(found.worth[place]):.0f} independent ones, fewer than {LEAST}; give "
            "more of the nodes",
        )
    good, bad = (~low).nonzero()[:, 0], low.nonzero()[:, 0]
    parts = []
    if len(good):
        chosen = _chosen(some.at(good), found.cloud.at(good), found.worth[good], counts[good])
        parts.append((good, chosen))
    if len(bad):
        parts.append((bad, _split(row, rows[bad], counts[bad], GROWTH * copies)))
    return _together(parts, counts)


def _chosen(row: Knotted, cloud: Cloud, found: Tensor, counts: Tensor) -> Resampled:
    """``counts`` draws of each row by their weights."""
    share = torch.softmax(cloud.log_weight, dim=1)
    state, wanted = stratified(share, counts, row.generator)
    possible = share > 0
    open_ = [
        name
        for name, value in cloud.values.items()
        if bool((possible & (value != value.gather(1, share.argmax(1, True)))).any())
    ]
    return Resampled(
        values={name: value.gather(1, state)[wanted] for name, value in cloud.values.items()},
        open=frozenset(open_),
        worth=float(found.min()),
    )


def _together(parts: list[tuple[Tensor, Resampled]], counts: Tensor) -> Resampled:
    """The draws of several sets of rows, in the order of the rows."""
    if len(parts) == 1:
        return parts[0][1]
    owner = torch.arange(len(counts), device=counts.device).repeat_interleave(counts)
    order = torch.cat([torch.isin(owner, rows).nonzero()[:, 0] for rows, _ in parts]).argsort()
    every = [part for _, part in parts]
    return Resampled(
        values={n: torch.cat([part.values[n] for part in every])[order] for n in every[0].values},
        open=frozenset().union(*(part.open for part in every)),
        worth=min(part.worth for part in every),
    )
