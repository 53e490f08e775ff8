"""Exogenous draws: one draw a row of the joint posterior of a district's exogenous variables.

Rows that are alike share one posterior. Of it they get a stratified sample in random order: of n
draws, number k is uniform among the quantiles from k / n to (k + 1) / n. (Quantiles at equal
distances would do worse than chance where states that are alike follow at that distance.)

Source: Douc & Cappe (2005), Comparison of resampling schemes for particle filtering.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from causalflow.errors import RowError
from causalflow.mechanisms.equation.equation_mechanism import EquationMechanism
from causalflow.mechanisms.exogenous.exogenous import ExogenousVariable
from causalflow.mechanisms.exogenous.exogenous_posterior import (
    ExogenousPosterior,
    count_states,
    exogenous_posterior,
)
from causalflow.mechanisms.exogenous.particles import MOST_PARTICLES, TooManyStatesError
from causalflow.mechanisms.exogenous.visit import NeedsDrawsError
from causalflow.mechanisms.mechanism import Values, draw_index, draw_uniform

__all__ = ["ExogenousDraws", "abduct_exogenous"]

CHUNK = 2_000_000
"""Numbers of one variable (rows times states times pixels) that are worked on at a time."""
FEWEST, MOST = 1 << 12, 1 << 18
LEAST = 50
"""Independent draws that the weighted ones of a row must be worth."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExogenousDraws:
    """One draw a row of the posterior.

    Attributes:
        values: exogenous name -> (batch,).
        undetermined: the variables that the evidence leaves more than one value in some row.
        effective: how many independent draws the weighted ones are worth, in the worst row; None
            where the posterior is exact.
    """

    values: Mapping[str, Tensor]
    undetermined: frozenset[str]
    effective: float | None = None


def abduct_exogenous(
    mechanisms: Mapping[str, EquationMechanism],
    exogenous: Mapping[str, ExogenousVariable],
    values: Values,
    generator: torch.Generator,
) -> ExogenousDraws:
    """One draw a row from `exogenous_posterior`.

    Arguments and errors are those of `exogenous_posterior`; ``generator`` draws.
    """
    rows = max((len(value) for value in values.values()), default=1)
    width = max((value[:1].numel() for value in values.values()), default=1)
    step = max(1, CHUNK // (count_states(mechanisms, exogenous) * width))
    parts = []
    for start in range(0, rows, step):
        some = {name: value[start : start + step] for name, value in values.items()}
        parts.append(_drawn(mechanisms, exogenous, some, start, generator))
    return _joined(parts)


def _joined(parts: list[ExogenousDraws]) -> ExogenousDraws:
    effective = [part.effective for part in parts if part.effective is not None]
    return ExogenousDraws(
        values={name: torch.cat([part.values[name] for part in parts]) for name in parts[0].values},
        undetermined=frozenset().union(*(part.undetermined for part in parts)),
        effective=min(effective, default=None),
    )


def _drawn(
    mechanisms: Mapping[str, EquationMechanism],
    exogenous: Mapping[str, ExogenousVariable],
    values: Values,
    offset: int,
    generator: torch.Generator,
) -> ExogenousDraws:
    """One draw for each of some rows."""
    rows = max((len(value) for value in values.values()), default=1)
    if rows > 1 and all(bool((value == value[:1]).all()) for value in values.values()):
        return _grouped(mechanisms, exogenous, values, offset, generator)
    try:
        law = exogenous_posterior(mechanisms, exogenous, values, generator, offset)
    except (TooManyStatesError, NeedsDrawsError):
        return _grouped(mechanisms, exogenous, values, offset, generator)
    state = draw_index(law.log_weight, generator)[:, None]
    every = torch.ones_like(state, dtype=torch.bool)
    return ExogenousDraws(
        values=_at(law, exogenous, state, every, generator), undetermined=_undetermined(law)
    )


def _at(
    law: ExogenousPosterior,
    exogenous: Mapping[str, ExogenousVariable],
    state: Tensor,
    wanted: Tensor,
    generator: torch.Generator,
) -> dict[str, Tensor]:
    """The variables in chosen states, drawn where a state leaves them open.

    Args:
        law: the joint law of the variables in some rows.
        exogenous: the variables.
        state: chosen states, shape (rows, choices).
        wanted: which of the choices count, the same shape.
        generator: draws.
    """
    found = {}
    for name, value in law.values.items():
        found[name] = value.gather(1, state)[wanted]
        if name in law.intervals:
            low, high = (end.gather(1, state)[wanted] for end in law.intervals[name])
            found[name] = exogenous[name].drawn_within(low, high, generator)
    count, device = int(wanted.sum()), state.device
    free = {n: exogenous[n].draw_noise(count, generator)["value"].to(device) for n in law.free}
    return found | free


def _undetermined(law: ExogenousPosterior) -> frozenset[str]:
    """The variables that have several values in some row."""
    found = {*law.free, *law.drawn}
    possible = ~torch.isneginf(law.log_weight)
    for name, value in law.values.items():
        real = value.double()
        least = torch.where(possible, real, torch.inf).amin(1)
        if name not in found and bool(
            (torch.where(possible, real, -torch.inf).amax(1) > least).any()
        ):
            found.add(name)
    return frozenset(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Groups:
    """Rows in groups that have the same values.

    Attributes:
        first: the first row of each group.
        counts: the number of rows of each group.
        back: where each row stands when they are sorted by group.
    """

    first: Tensor
    counts: Tensor
    back: Tensor


def _groups(values: Values) -> _Groups:
    columns = [value.flatten(1) if value.dim() > 1 else value[:, None] for value in values.values()]
    table = torch.cat([column.double() for column in columns], 1)
    if bool((table == table[:1]).all()):
        alike = torch.zeros(len(table), dtype=torch.int64, device=table.device)
    else:
        alike = table.unique(dim=0, return_inverse=True)[1]
    order, counts = alike.argsort(stable=True), torch.bincount(alike)
    return _Groups(first=order[counts.cumsum(0) - counts], counts=counts, back=order.argsort())


def _grouped(
    mechanisms: Mapping[str, EquationMechanism],
    exogenous: Mapping[str, ExogenousVariable],
    values: Values,
    offset: int,
    generator: torch.Generator,
) -> ExogenousDraws:
    """One draw for each of some rows, from one posterior for those that are alike."""
    groups = _groups(values)
    copies, step, start = 1, len(groups.first), 0
    parts: list[ExogenousDraws] = []
    while start < len(groups.first):
        rows = groups.first[start : start + step]
        some = {name: value[rows] for name, value in values.items()}
        row = offset + int(rows[0])
        try:
            law = exogenous_posterior(mechanisms, exogenous, some, generator, row, copies)
        except TooManyStatesError:
            step = max(1, len(rows) // 4)
            continue
        except NeedsDrawsError:
            states = count_states(mechanisms, exogenous)
            copies = min(MOST, max(FEWEST, 2 * int(groups.counts.max()) // states))
            step = max(1, MOST_PARTICLES // (8 * copies * states))
            continue
        counts = groups.counts[start : start + step]
        parts.append(_chosen(law, exogenous, counts, row, generator, copies > 1))
        start += step
    joined = _joined(parts)
    return replace(joined, values={n: value[groups.back] for n, value in joined.values.items()})


def _chosen(
    law: ExogenousPosterior,
    exogenous: Mapping[str, ExogenousVariable],
    counts: Tensor,
    offset: int,
    generator: torch.Generator,
    weighted: bool,
) -> ExogenousDraws:
    """``counts`` draws of each row: stratified resampling, the draws of a row then shuffled."""
    share = law.log_weight.exp()
    effective = _effective(law, share, offset) if weighted else None
    place = torch.arange(int(counts.max()), device=share.device).expand(len(counts), -1)
    wanted = place < counts[:, None]
    shift = draw_uniform(tuple(place.shape), generator, share.device)
    total = share.cumsum(1)
    quantile = (place + shift) / counts[:, None] * total[:, -1:]
    # A last partial sum may be short of 1 by rounding: never step past a possible state.
    quantile = torch.minimum(quantile, torch.nextafter(total[:, -1:], total.new_zeros(())))
    state = torch.searchsorted(total, quantile.contiguous(), right=True)
    random = draw_uniform(tuple(place.shape), generator, share.device)
    state = state.gather(1, torch.where(wanted, random, 2.0).argsort(1))
    return ExogenousDraws(
        values=_at(law, exogenous, state, wanted, generator),
        undetermined=_undetermined(law),
        effective=effective,
    )


def _effective(law: ExogenousPosterior, share: Tensor, offset: int) -> float:
    """How many independent draws the weighted ones are worth, in the worst row.

    Raises:
        RowError: fewer than `LEAST`.
    """
    found = 1 / share.square().sum(1)
    if bool((found < LEAST).any()):
        row = int((found < LEAST).nonzero()[0])
        raise RowError(
            "",
            offset + row,
            f"of {share.shape[1]:,} draws of {sorted(law.drawn)} those that agree with the "
            f"evidence are worth {float(found[row]):.0f} independent ones, fewer than {LEAST}; "
            "give more of the nodes",
        )
    return float(found.min())
