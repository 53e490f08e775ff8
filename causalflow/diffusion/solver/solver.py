"""Solver: a method that takes an image along its flow to the noise and back, and its use.

Notation: y the position in flow coordinates (`causalflow.diffusion.path`). A *field* is v(y, tau),
tau a number; guidance and parents are inside it. The *nodes* tau_0, ..., tau_N of a walk rise from
the data to the noise, or fall. A *state* is a tuple of tensors with the batch first: the position,
and whatever further the method carries.

A solver is data and pure functions. ``start(field, y, nodes)`` is the state of a position at the
first of the nodes, at *rest*: it carries nothing that the position does not imply. ``walk(field,
state, nodes)`` gives the states at all nodes, the given one first, and works both ways; where the
way to the noise is not the same formula, it is ``climb``. So the exogenous noise of an image is

    position                    of the state at the noise end
    further state - rest's      the offset; zero when drawn, but of a stochastic solver

and under other parents the same offset from another rest continues it (the *delta rule*), which is
the identity where the parents are the same.

    ascend       an image to its state at the noise
    rest         the state there of a position that carries nothing further
    draw_offset  the further state of an image that is drawn
    descend      the state at the noise to an image
    integrate    the states on the way, between any two times; `solve` gives the last one

Precision: ``start`` takes the state to float64 where the device has it, so that the rounding of the
state is 1e-16; the field is given that float64 position and may compute in less
(`Denoiser.velocity` converts to the network's precision and back).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TypeAlias

import torch
from torch import Tensor

from causalflow import plugins
from causalflow.diffusion.field import Field
from causalflow.diffusion.path import precise
from causalflow.errors import CausalflowError
from causalflow.registry import Registry

__all__ = [
    "SOLVERS",
    "Field",
    "Solver",
    "Start",
    "State",
    "Step",
    "Walk",
    "alone",
    "ascend",
    "descend",
    "draw_offset",
    "integrate",
    "rest",
    "shifted",
    "solve",
    "stepping",
]

State: TypeAlias = tuple[Tensor, ...]
Start: TypeAlias = Callable[[Field, Tensor, Sequence[float]], State]
Step: TypeAlias = Callable[[Field, State, float, float], State]
Walk: TypeAlias = Callable[[Field, State, Sequence[float]], Iterator[State]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Solver:
    """A method that integrates dy/dtau = v(y, tau) between any two times.

    Attributes:
        name: the name in `SOLVERS`.
        order: the global error on the way to the data falls as (step size)^order; of a stochastic
            solver, that of the law of the result.
        calls_to_start: the number of calls of the field that ``start`` adds to those of the steps.
        calls_per_step: the number of calls of the field by a step to the data.
        calls_per_climb: the number by a step to the noise, where it differs.
        reversible: whether `descend` undoes `ascend`, up to rounding, for any field.
        stochastic: whether its further state is drawn.
        grid: the name in `causalflow.diffusion.path.GRIDS` that it is made for; None: any.
        draws: whether images may be drawn by it; not by a method that is coarse at rest.
        weighted: the same method with other constants, of one whose nodes and constants are options
            of an image node (`causalflow.diffusion.solver.difference`).
        start: the function that gives the state at rest at the first node.
        walk: the function that gives the states at the nodes.
        climb: the walk where the nodes rise, if that is another formula.
    """

    name: str
    order: int
    calls_to_start: int = 0
    calls_per_step: int
    calls_per_climb: int | None = None
    reversible: bool = False
    stochastic: bool = False
    grid: str | None = None
    draws: bool = True
    weighted: Callable[[Sequence[float]], Solver] | None = None
    start: Start
    walk: Walk
    climb: Walk | None = None

    def calls(self, steps: int) -> int:
        """Calls of the field on the way of ``steps`` steps to the data, the start included."""
        return self.calls_to_start + steps * self.calls_per_step

    def calls_up(self, steps: int) -> int:
        """Calls of the field on the way of ``steps`` steps to the noise, the start included."""
        per_step = self.calls_per_step if self.calls_per_climb is None else self.calls_per_climb
        return self.calls_to_start + steps * per_step


SOLVERS: Registry[Solver] = plugins.SOLVERS


def as_solver(name: str, given: object) -> Solver:
    """A solver of the user's own: a `Solver`, or a step that knows the position alone.

    Args:
        name: the solver's name.
        given: ``step(field, y, t, s)`` gives the position at time s from that at t, either way,
            where ``field(y, tau)`` is the velocity and y has shape (batch, channel, height, width).

    Raises:
        CausalflowError: neither.
    """
    if isinstance(given, Solver):
        return replace(given, name=name)
    if not callable(given):
        raise CausalflowError(
            f"solver '{name}': expected a Solver, or a function step(field, y, t, s)"
        )
    step: Callable[[Field, Tensor, float, float], Tensor] = given

    def moved(field: Field, state: State, t: float, s: float) -> State:
        return (step(field, state[0], t, s),)

    return Solver(name=name, order=1, calls_per_step=1, start=alone, walk=stepping(moved))


def ascend(
    solver: Solver,
    field: Field,
    y: Tensor,
    grid: Tensor,
    generator: torch.Generator | None = None,
) -> State:
    """The state at the noise end, from the position at the data end.

    Args:
        solver: an entry of `SOLVERS`.
        field: the velocity.
        y: positions at the first node, shape (batch, ...).
        grid: the nodes, rising.
        generator: draws the forward noise of a stochastic solver.
    """
    state = solver.start(field, y, grid.tolist())
    if solver.stochastic:
        state = shifted(state, draw_offset(solver, y, grid, generator))
    return solve(solver, field, state, grid)


def rest(solver: Solver, field: Field, position: Tensor, grid: Tensor) -> State:
    """The state of a position at the noise end that carries nothing further; ``grid`` rises."""
    return solver.start(field, position, grid.tolist()[::-1])


def descend(solver: Solver, field: Field, state: State, grid: Tensor) -> Tensor:
    """The position at the data end, from the state at the noise end; ``grid`` rises."""
    return solve(solver, field, state, grid.flip(0))[0]


def draw_offset(
    solver: Solver, position: Tensor, grid: Tensor, generator: torch.Generator | None
) -> tuple[Tensor, ...]:
    """What drawn images carry beyond a state of rest: zeros, or for a stochastic solver N(0, 1).

    Args:
        solver: an entry of `SOLVERS`.
        position: positions at the first node, shape (batch, ...); their values do not matter.
        grid: the nodes, rising.
        generator: draws the offset of a stochastic solver.

    Raises:
        CausalflowError: the solver is stochastic and there is no generator.
    """
    state = solver.start(lambda y, tau: torch.zeros_like(y), position, grid.tolist())
    if not solver.stochastic:
        return tuple(torch.zeros_like(part) for part in state[1:])
    if generator is None:
        raise CausalflowError(f"solver '{solver.name}' draws its noise; give a generator")
    device = generator.device
    return tuple(
        torch.randn(part.shape, generator=generator, dtype=part.dtype, device=device).to(part)
        for part in state[1:]
    )


def integrate(solver: Solver, field: Field, state: State, grid: Tensor) -> Iterator[State]:
    """The states at the nodes of ``grid``, the given one first; a falling grid runs to the data."""
    nodes = grid.tolist()
    rising = len(nodes) > 1 and nodes[1] > nodes[0]
    walk = solver.climb if solver.climb is not None and rising else solver.walk
    return walk(field, state, nodes)


def solve(solver: Solver, field: Field, state: State, grid: Tensor) -> State:
    """The state at the last node of ``grid``, from the given one at the first."""
    return deque(integrate(solver, field, state, grid), maxlen=1).pop()


def shifted(state: State, offset: tuple[Tensor, ...]) -> State:
    """The state with ``offset`` added to what it carries beside the position."""
    position, *further = state
    return position, *(part + change for part, change in zip(further, offset, strict=True))


def alone(field: Field, y: Tensor, nodes: Sequence[float]) -> State:
    """The state of a method that remembers nothing but the position: a ``start``."""
    return (precise(y),)


def stepping(step: Step) -> Walk:
    """The walk of a method whose ``step(field, state, t, s)`` knows the nodes t and s only."""

    def walk(field: Field, state: State, nodes: Sequence[float]) -> Iterator[State]:
        yield state
        for t, s in pairwise(nodes):
            state = step(field, state, t, s)
            yield state

    return walk
