"""Exogenous posterior: the joint law, given data, of the exogenous variables of a district.

Finite exogenous variables are enumerated jointly (marginal posteriors would be wrong: they are
dependent given the evidence). An unobserved parent is written out: replaced by its own equation,
and so on upwards, so that x = f(z, u) with z = g(v) not observed is a constraint f(g(v), u) = x on
v and u. Each observed node is then an equation in exogenous variables and known values. In each
joint state

    nothing unknown         the node must agree with its equation, else the state has weight 0
    one continuous unknown  its preimage, from all nodes that have no other unknown: a state for
                            each point and interval (`causalflow.mechanisms.equation.preimage`)
    several                 one of them is drawn from its law, and the rest weighs the draws

What the evidence leaves free is drawn from its prior. Without the last line the posterior is
exact. With it (and where a variable in an interval bears on further nodes) it is importance
resampling (`causalflow.mechanisms.exogenous.draws`), which cannot see an explanation of so small a
probability that no draw hits it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from graphlib import TopologicalSorter
from itertools import islice

import torch
from torch import Tensor

from causalflow.equations.equation import Equation
from causalflow.equations.term import Expression, Name, walk
from causalflow.errors import CompileError
from causalflow.limits import EXOGENOUS_STATES, WRITTEN_OUT
from causalflow.mechanisms.equation.equation_mechanism import EquationMechanism
from causalflow.mechanisms.equation.inversion import names_of, replaced
from causalflow.mechanisms.exogenous.exogenous import ExogenousVariable
from causalflow.mechanisms.exogenous.particles import Draws, Particles
from causalflow.mechanisms.exogenous.visit import Visit
from causalflow.mechanisms.mechanism import Values

__all__ = ["ExogenousPosterior", "constraints", "count_states", "exogenous_posterior"]


def constraints(
    mechanisms: Mapping[str, EquationMechanism], values: Values
) -> list[EquationMechanism]:
    """The observed nodes in topological order, each with its equation written out.

    Raises:
        CompileError: an equation of more than `WRITTEN_OUT` terms.
    """
    inner = {k: [p for p in m.parents if p in mechanisms] for k, m in mechanisms.items()}
    missing: dict[str, Expression] = {}
    found = []
    for name in TopologicalSorter(inner).static_order():
        mechanism = mechanisms[name]
        parts = mechanism.equation.components
        if missing and mechanism.equation.names & missing.keys():
            parts = tuple(_written_out(part, missing) for part in parts)
            _check_size(name, parts)
        if name in values:
            found.append(_rewritten(mechanism, parts))
        elif mechanism.node.type.scalar:
            missing[name] = parts[0]
    return found


def _check_size(name: str, parts: tuple[Expression, ...]) -> None:
    terms = sum(1 for part in parts for _ in islice(walk(part), WRITTEN_OUT + 1))
    if terms > WRITTEN_OUT:
        raise CompileError(
            f"node '{name}': with its unobserved parents written out its equation has more than "
            f"{WRITTEN_OUT:,} terms; give some of those parents"
        )


def _rewritten(mechanism: EquationMechanism, parts: tuple[Expression, ...]) -> EquationMechanism:
    if parts == mechanism.equation.components:
        return mechanism
    equation = Equation(parts, mechanism.equation.vector)
    node = replace(mechanism.node, equation=equation)  # type: ignore[call-arg,arg-type]
    return EquationMechanism(mechanism.name, node, sorted(equation.names))


def _written_out(expression: Expression, missing: Mapping[str, Expression]) -> Expression:
    for name in sorted(names_of(expression) & missing.keys()):
        expression = replaced(expression, Name(name), missing[name])
    return expression


@dataclass(frozen=True, slots=True, kw_only=True)
class ExogenousPosterior:
    """A discrete law over joint states, row by row.

    Attributes:
        values: exogenous name -> its value in each state, shape (batch, states).
        log_weight: log posterior probabilities, shape (batch, states); of draws, whose copies are
            weighed together with what else is known, the logarithm of the weights themselves.
        order: the order of each weight, shape (batch, states).
        kind: which nodes the orders come from, as a number, shape (batch, states).
        free: exogenous variables without a value in the states: they follow their prior.
        drawn: those whose value in a state is a draw, or in an interval.
        intervals: exogenous name -> the ends of the interval in each state, shape (batch, states);
            within it the variable follows its law.
    """

    values: Mapping[str, Tensor]
    log_weight: Tensor
    order: Tensor
    kind: Tensor
    free: tuple[str, ...] = ()
    drawn: frozenset[str] = frozenset()
    intervals: Mapping[str, tuple[Tensor, Tensor]] = field(default_factory=dict)


def exogenous_posterior(
    mechanisms: Mapping[str, EquationMechanism],
    exogenous: Mapping[str, ExogenousVariable],
    values: Values,
    generator: torch.Generator,
    offset: int = 0,
    draws: Draws | None = None,
) -> ExogenousPosterior:
    """The joint posterior of a district's exogenous variables.

    Args:
        mechanisms: the district's nodes.
        exogenous: the exogenous variables that they use.
        values: observed values of the district's nodes and of all their parents outside it; other
            nodes of the district are not observed.
        generator: draws within intervals.
        offset: number of the first row, for messages.
        draws: what is drawn; None: nothing may be.

    Raises:
        EvidenceError: no exogenous values give the evidence; names the node and the row.
        CompileError: a node's exogenous variables cannot be recovered, or are too many to
            enumerate.
        NeedsDrawsError: the posterior is no list of points and intervals, and nothing is drawn.
    """
    used = {name: exogenous[name] for name in exogenous if _uses(mechanisms, name)}
    finite = {name: variable for name, variable in used.items() if variable.is_finite}
    _check_states(mechanisms, used)
    particles = Particles(values, finite, offset, draws)
    visit = Visit(
        particles=particles,
        waiting=constraints(mechanisms, values),
        unknown={name: variable for name, variable in used.items() if name not in finite},
        values=values,
        generator=generator,
    )
    while visit.waiting:
        visit.step()
    shape = particles.log_weight.shape
    return ExogenousPosterior(
        values={k: v.reshape(shape) for k, v in particles.world.items() if k in used},
        log_weight=particles.log_weight if draws is not None else particles.decided(),
        order=particles.order,
        kind=particles.kind,
        free=tuple(name for name in used if name not in particles.world),
        drawn=frozenset(particles.undetermined),
        intervals={
            name: (low.reshape(shape), high.reshape(shape))
            for name, (low, high) in particles.intervals.items()
        },
    )


def _uses(mechanisms: Mapping[str, EquationMechanism], exogenous: str) -> bool:
    return any(exogenous in mechanism.parents for mechanism in mechanisms.values())


def count_states(
    mechanisms: Mapping[str, EquationMechanism], exogenous: Mapping[str, ExogenousVariable]
) -> int:
    """Number of joint values of the finite exogenous variables in use."""
    return math.prod(
        len(variable.log_p)
        for name, variable in exogenous.items()
        if variable.is_finite and _uses(mechanisms, name)
    )


def _check_states(
    mechanisms: Mapping[str, EquationMechanism], used: Mapping[str, ExogenousVariable]
) -> None:
    states = count_states(mechanisms, used)
    if states > EXOGENOUS_STATES:
        raise CompileError(
            f"nodes {sorted(mechanisms)}: their finite exogenous variables have {states} joint "
            f"values; at most {EXOGENOUS_STATES} can be enumerated"
        )
    for name, variable in used.items():
        if variable.is_discrete and not variable.is_finite:
            raise CompileError(
                f"exogenous '{name}': it has too many likely values to enumerate; give it a lower "
                "rate"
            )
