"""District: the exact joint posterior of the exogenous variables that a district's equations share.

Finite exogenous variables are enumerated jointly (marginal posteriors would be wrong: they are
dependent given the evidence). In each joint state the nodes are visited in topological order:

    observed, all parents known       must agree with the equation, else the state has weight 0
    observed, one continuous unknown  the equation is solved for u: a state for each solution,
                                      with weight p(u) / |dx/du|
    missing, all parents known        is computed

What the evidence leaves free is drawn from its prior. Where observed *class* nodes depend on such a
free continuous variable (a threshold u < 0.3), draws are repeated until they agree: exact as well,
but slow for rare evidence.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from graphlib import TopologicalSorter

import torch
from torch import Tensor

from causalflow.errors import CompileError, EvidenceError
from causalflow.graph.schema import Class, Continuous
from causalflow.limits import EXOGENOUS_STATES
from causalflow.mechanisms import draws
from causalflow.mechanisms.base import Values
from causalflow.mechanisms.equation import EquationMechanism
from causalflow.mechanisms.exogenous import ExogenousVariable
from causalflow.mechanisms.particles import Particles

__all__ = ["ExogenousPosterior", "abduct_exogenous", "exogenous_posterior"]

CHUNK = 2_000_000
"""Numbers of one variable (rows times states times pixels) that are worked on at a time."""
ROUNDS = 10_000
"""Draws a row before rejection gives up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExogenousPosterior:
    """A discrete law over joint states, row by row.

    Attributes:
        values: exogenous name -> its value in each state, shape (batch, states).
        log_weight: log posterior probabilities, shape (batch, states).
        free: exogenous variables without a value in the states: given the state they follow their
            prior, on the condition that ``pending`` nodes agree with the evidence.
        pending: observed class nodes that depend on free variables.
    """

    values: Mapping[str, Tensor]
    log_weight: Tensor
    free: tuple[str, ...] = ()
    pending: tuple[str, ...] = ()


def exogenous_posterior(
    mechanisms: Mapping[str, EquationMechanism],
    exogenous: Mapping[str, ExogenousVariable],
    values: Values,
    offset: int = 0,
) -> ExogenousPosterior:
    """The exact joint posterior of a district's exogenous variables.

    Args:
        mechanisms: the district's nodes.
        exogenous: the exogenous variables that they use.
        values: observed values of the district's nodes and of all their parents outside it. Nodes
            of the district may be missing: they are computed.
        offset: number of the first row, for messages.

    Raises:
        EvidenceError: no exogenous values give the evidence; names the node and the row.
        CompileError: a node's exogenous variables cannot be recovered, or are too many to
            enumerate.
    """
    used = {name: exogenous[name] for name in exogenous if _uses(mechanisms, name)}
    finite = {name: variable for name, variable in used.items() if variable.is_finite}
    states = _count_states(mechanisms, exogenous)
    if states > EXOGENOUS_STATES:
        raise CompileError(
            f"nodes {sorted(mechanisms)}: their finite exogenous variables have {states} joint "
            f"values; at most {EXOGENOUS_STATES} can be enumerated"
        )
    particles = Particles(values, finite, offset)
    pending = _visit(particles, mechanisms, used, values)
    observed = _observed(pending, mechanisms, values)
    shape = particles.log_weight.shape
    return ExogenousPosterior(
        values={k: v.reshape(shape) for k, v in particles.world.items() if k in used},
        log_weight=torch.log_softmax(particles.log_weight, dim=1),
        free=tuple(name for name in used if name not in particles.world),
        pending=observed,
    )


def _uses(mechanisms: Mapping[str, EquationMechanism], exogenous: str) -> bool:
    return any(exogenous in mechanism.parents for mechanism in mechanisms.values())


def _count_states(
    mechanisms: Mapping[str, EquationMechanism], exogenous: Mapping[str, ExogenousVariable]
) -> int:
    """Number of joint values of the finite exogenous variables in use."""
    return math.prod(
        len(variable.log_p)
        for name, variable in exogenous.items()
        if variable.is_finite and _uses(mechanisms, name)
    )


def _order(mechanisms: Mapping[str, EquationMechanism]) -> list[str]:
    inner = {k: [p for p in m.parents if p in mechanisms] for k, m in mechanisms.items()}
    return list(TopologicalSorter(inner).static_order())


def _visit(
    particles: Particles,
    mechanisms: Mapping[str, EquationMechanism],
    exogenous: Mapping[str, ExogenousVariable],
    values: Values,
) -> list[str]:
    """Visit every node as soon as it can be; those that never can, in topological order."""
    waiting = _order(mechanisms)
    progress = True
    while progress:
        progress = False
        for name in list(waiting):
            if _visit_node(particles, mechanisms[name], exogenous, values):
                waiting.remove(name)
                progress = True
    return waiting


def _visit_node(
    particles: Particles,
    mechanism: EquationMechanism,
    exogenous: Mapping[str, ExogenousVariable],
    values: Values,
) -> bool:
    """Use one node, if enough is known of its parents; whether it was used."""
    name, world = mechanism.name, particles.world
    for parent in mechanism.parents:
        if parent not in world and parent in values:
            world[parent] = particles.spread(values[parent])
    unknown = [parent for parent in mechanism.parents if parent not in world]
    if not unknown:
        predicted = mechanism.evaluate(world)
        if name not in values:
            world[name] = predicted.expand(
                len(particles.log_weight.flatten()), *predicted.shape[1:]
            )
            return True
        agree = mechanism.matches(particles.spread(values[name]), predicted)
        particles.weigh(
            torch.where(agree, 0.0, -torch.inf).double(),
            name,
            "its equation cannot produce the value together with the rest",
        )
        return True
    solvable = len(unknown) == 1 and unknown[0] in exogenous and name in values
    if not solvable or not isinstance(mechanism.node, Continuous):
        return False
    _solve(particles, mechanism, exogenous[unknown[0]], values[name])
    return True


def _solve(
    particles: Particles, mechanism: EquationMechanism, variable: ExogenousVariable, value: Tensor
) -> None:
    """Solve a continuous node's equation for its one unknown exogenous variable."""
    target = particles.spread(value)
    branches = mechanism.invert(target, variable.name, particles.world, variable.support)
    u = particles.split(branches)
    particles.world[variable.name] = torch.nan_to_num(u, nan=0.0)
    log_weight = torch.where(u.isnan(), -torch.inf, 0.0).double()
    if particles.states > 1:
        # A flat spot, log 0, gets a large weight instead of an infinite one.
        slope = mechanism.log_slope(variable.name, particles.world).clamp_min(-600)
        density = variable.log_prob(particles.world[variable.name]) - slope
        log_weight = torch.where(u.isnan(), -torch.inf, density)
    reason = (
        "its equation has no solution there, or sympy finds none and it is not monotone in "
        f"'{variable.name}'"
    )
    particles.weigh(log_weight, mechanism.name, reason)


def _observed(
    pending: list[str], mechanisms: Mapping[str, EquationMechanism], values: Values
) -> tuple[str, ...]:
    """The pending nodes that are observed, which must be classes."""
    observed = tuple(name for name in pending if name in values)
    for name in observed:
        if not isinstance(mechanisms[name].node, Class):
            raise CompileError(
                f"node '{name}': its exogenous variables cannot be recovered from its value; "
                "give it exactly one continuous exogenous variable of its own"
            )
    return observed


def abduct_exogenous(
    mechanisms: Mapping[str, EquationMechanism],
    exogenous: Mapping[str, ExogenousVariable],
    values: Values,
    generator: torch.Generator,
) -> dict[str, Tensor]:
    """One draw a row from `exogenous_posterior`: exogenous name -> (batch,).

    Arguments and errors are those of `exogenous_posterior`; ``generator`` draws.
    """
    rows = max((len(value) for value in values.values()), default=1)
    width = max((value[:1].numel() for value in values.values()), default=1)
    step = max(1, CHUNK // (_count_states(mechanisms, exogenous) * width))
    pieces = []
    for start in range(0, rows, step):
        some = {name: value[start : start + step] for name, value in values.items()}
        pieces.append(_draw(mechanisms, exogenous, some, start, generator))
    return {name: torch.cat([piece[name] for piece in pieces]) for name in pieces[0]}


def _draw(
    mechanisms: Mapping[str, EquationMechanism],
    exogenous: Mapping[str, ExogenousVariable],
    values: Values,
    offset: int,
    generator: torch.Generator,
) -> dict[str, Tensor]:
    law = exogenous_posterior(mechanisms, exogenous, values, offset)
    everyone = torch.arange(len(law.log_weight), device=law.log_weight.device)
    if not law.pending:
        return _propose(law, exogenous, everyone, generator)

    def accepts(rows: Tensor, drawn: Mapping[str, Tensor]) -> Tensor:
        """Whether the drawn values give every observed class node its value."""
        world = {name: value[rows] for name, value in values.items()} | dict(drawn)
        agree = torch.ones(len(rows), dtype=torch.bool, device=rows.device)
        for name in _order(mechanisms):
            if name not in values:
                world[name] = mechanisms[name].evaluate(world)
            elif name in law.pending:
                agree &= mechanisms[name].matches(world[name], mechanisms[name].evaluate(world))
        return agree

    return _reject(law, exogenous, accepts, offset, generator)


def _propose(
    law: ExogenousPosterior,
    exogenous: Mapping[str, ExogenousVariable],
    rows: Tensor,
    generator: torch.Generator,
) -> dict[str, Tensor]:
    """One state for each of ``rows``, and free variables from their priors."""
    state = draws.index(law.log_weight[rows], generator)
    drawn = {name: value[rows, state] for name, value in law.values.items()}
    for name in law.free:
        drawn[name] = exogenous[name].draw_noise(len(rows), generator)["value"].to(rows.device)
    return drawn


def _reject(
    law: ExogenousPosterior,
    exogenous: Mapping[str, ExogenousVariable],
    accepts: Callable[[Tensor, Mapping[str, Tensor]], Tensor],
    offset: int,
    generator: torch.Generator,
) -> dict[str, Tensor]:
    """Proposals repeated, row by row, until one is accepted."""
    left = torch.arange(len(law.log_weight), device=law.log_weight.device)
    kept: dict[str, Tensor] = {}
    for _ in range(ROUNDS):
        drawn = _propose(law, exogenous, left, generator)
        good = accepts(left, drawn)
        for name, value in drawn.items():
            kept.setdefault(name, value.new_zeros(len(law.log_weight)))[left[good]] = value[good]
        left = left[~good]
        if not len(left):
            return kept
    raise EvidenceError(
        f"node '{law.pending[-1]}': row {offset + int(left[0])}: "
        f"no exogenous values in {ROUNDS} draws give this evidence"
    )
