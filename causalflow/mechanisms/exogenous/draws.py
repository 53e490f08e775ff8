"""Exogenous draws: one draw a row of the joint posterior of a district's exogenous variables.

Rows that are alike share one posterior. Of it they get a stratified sample in random order: of n
draws, number k is uniform among the quantiles from k / n to (k + 1) / n. (Quantiles at equal
distances would do worse than chance where states that are alike follow at that distance.) A
posterior that is no list of points and intervals is not drawn from here, but along the graph
(`causalflow.model.posterior.resampling`).

Source: Douc & Cappe (2005), Comparison of resampling schemes for particle filtering.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from causalflow.mechanisms.equation.equation_mechanism import EquationMechanism
from causalflow.mechanisms.exogenous.exogenous import ExogenousVariable
from causalflow.mechanisms.exogenous.exogenous_posterior import (
    ExogenousPosterior,
    count_states,
    exogenous_posterior,
)
from causalflow.mechanisms.exogenous.particles import TooManyStatesError
from causalflow.mechanisms.mechanism import Values, draw_index, draw_uniform

__all__ = ["Alike", "ExogenousDraws", "abduct_exogenous", "alike", "stratified"]

CHUNK = 2_000_000
"""Numbers of one variable (rows times states times pixels) that are worked on at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExogenousDraws:
    """One draw a row of the posterior.

    Attributes:
        values: exogenous name -> (batch,).
        undetermined: the variables that the evidence leaves more than one value in some row.
    """

    values: Mapping[str, Tensor]
    undetermined: frozenset[str]


def abduct_exogenous(
    mechanisms: Mapping[str, EquationMechanism],
    exogenous: Mapping[str, ExogenousVariable],
    values: Values,
    generator: torch.Generator,
) -> ExogenousDraws:
    """One draw a row from `exogenous_posterior`, where that is exact.

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
    return ExogenousDraws(
        values={name: torch.cat([part.values[name] for part in parts]) for name in parts[0].values},
        undetermined=frozenset().union(*(part.undetermined for part in parts)),
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
    except TooManyStatesError:
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
class Alike:
    """Rows in groups that have the same values.

    Attributes:
        first: the first row of each group.
        counts: the number of rows of each group.
        back: where each row stands when they are sorted by group.
    """

    first: Tensor
    counts: Tensor
    back: Tensor


def alike(values: Values) -> Alike:
    """The rows of some columns in groups that have the same values."""
    columns = [value.flatten(1) if value.dim() > 1 else value[:, None] for value in values.values()]
    table = torch.cat([column.double() for column in columns], 1)
    if bool((table == table[:1]).all()):
        group = torch.zeros(len(table), dtype=torch.int64, device=table.device)
    else:
        group = table.unique(dim=0, return_inverse=True)[1]
    order, counts = group.argsort(stable=True), torch.bincount(group)
    return Alike(first=order[counts.cumsum(0) - counts], counts=counts, back=order.argsort())


def _grouped(
    mechanisms: Mapping[str, EquationMechanism],
    exogenous: Mapping[str, ExogenousVariable],
    values: Values,
    offset: int,
    generator: torch.Generator,
) -> ExogenousDraws:
    """One draw for each of some rows, from one posterior for those that are alike."""
    groups = alike(values)
    step, start = len(groups.first), 0
    parts: list[ExogenousDraws] = []
    while start < len(groups.first):
        rows = groups.first[start : start + step]
        some = {name: value[rows] for name, value in values.items()}
        try:
            law = exogenous_posterior(mechanisms, exogenous, some, generator, offset + int(rows[0]))
        except TooManyStatesError:
            step = max(1, len(rows) // 4)
            continue
        counts = groups.counts[start : start + step]
        state, wanted = stratified(law.log_weight.exp(), counts, generator)
        parts.append(
            ExogenousDraws(
                values=_at(law, exogenous, state, wanted, generator),
                undetermined=_undetermined(law),
            )
        )
        start += step
    joined = _joined(parts)
    return replace(joined, values={n: value[groups.back] for n, value in joined.values.items()})


def stratified(share: Tensor, counts: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """``counts`` draws of each row by stratified resampling, the draws of a row then shuffled.

    Args:
        share: the probabilities of the states, shape (rows, states).
        counts: how many draws each row gets, shape (rows,).
        generator: draws.

    Returns:
        The states, shape (rows, most draws), and which of them count, the same shape.
    """
    place = torch.arange(int(counts.max()), device=share.device).expand(len(counts), -1)
    wanted = place < counts[:, None]
    shift = draw_uniform(tuple(place.shape), generator, share.device)
    total = share.cumsum(1)
    quantile = (place + shift) / counts[:, None] * total[:, -1:]
    # A last partial sum may be short of 1 by rounding: never step past a possible state.
    quantile = torch.minimum(quantile, torch.nextafter(total[:, -1:], total.new_zeros(())))
    state = torch.searchsorted(total, quantile.contiguous(), right=True)
    random = draw_uniform(tuple(place.shape), generator, share.device)
    return state.gather(1, torch.where(wanted, random, 2.0).argsort(1)), wanted
