"""Trajectory: the ways of an image up to its noise and down again, as its options say.

Notation: v(y, tau, c) the denoiser's velocity given its conditions c (the parents and the code), N
the noise end of the path, c' other conditions.

    up       y_N and offset: the solver's state at N, and what it carries beyond rest
    down     from the position and the offset, along v(., c')
    guided   from the position alone, along v(., c') guided away from c, by the guided solver
    drawn    likewise from a position that no image was abducted to, and to the end of the noise
    balanced from the image itself: up, but not to N, and down guided; the balanced latent space
    local    as down, or guided, within a mask; outside of it the factual path is followed

*Drawn*: at TAU_MIN a position still holds the noise TAU_MIN eps, and what the network left of more;
where no factual image has to come back, it belongs to no picture, and an edit keeps it or trips
over it. So the way down ends at TAU_DRAWN, and one more call gives the image E[x_0 | y], the mean
of what it may have been (Jolicoeur-Martineau et al. 2021, Adversarial Score Matching and Improved
Sampling for Image Generation).

A reversible solver undoes its way up; it is not stable under guidance, which the guided solver is.
*Balanced* decodes start over from the factual image, because how far up they go depends on both
worlds: all forms of `causalflow.diffusion.guidance.balance` need its tape too.

A *walk* is one of these ways as a function of tensors alone: the conditions and the state. Where
walks are recorded it is one launch (`causalflow.nn.replay`). Neural guidance compares the rows that
have changed, so its walks, balanced ones and those that draw are called step by step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from causalflow.diffusion.field import (
    ConditionalField,
    Field,
    Predictor,
    Time,
    Values,
    confidence,
)
from causalflow.diffusion.guidance.anticausal import Pull
from causalflow.diffusion.guidance.balance import balanced, clock, stopping_time
from causalflow.diffusion.guidance.contrast import GUIDANCES, Guidance, Schedule, guide
from causalflow.diffusion.locality import Pair, mask_of, paired, response, side_by_side
from causalflow.diffusion.path import TAU_MIN, data_of, enter, grid, leave
from causalflow.diffusion.solver.solver import (
    SOLVERS,
    Solver,
    State,
    ascend,
    descend,
    draw_offset,
    rest,
    shifted,
)
from causalflow.errors import EvidenceError
from causalflow.graph.node import Diffusion
from causalflow.nn.embedding import changed
from causalflow.nn.replay import Replay

__all__ = ["TAU_DRAWN", "Trajectory"]

TAU_DRAWN = 3e-2
"""Where the way down of a drawn image ends: .03 and .06 do alike, .01 and .15 worse."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Trajectory:
    """The ways between an image and its noise.

    Attributes:
        velocity: v(y, tau, c).
        options: the options of the image node.
        tau_max: N.
        neural: the parents that condition the network.
        scales: the scale of each anti-causal parent.
        levels: the number of levels of each class parent.
        predictor: predicts the class parents from y.
        replay: how walks, and the gradient of the predictor, are run.
        editing: the velocity that the solver follows up and down, of a distilled network
            (`causalflow.mechanisms.image.editor`); None: v.
    """

    velocity: ConditionalField
    options: Diffusion
    tau_max: float
    neural: tuple[str, ...]
    scales: Mapping[str, float]
    levels: Mapping[str, int]
    predictor: Predictor
    replay: Replay
    editing: ConditionalField | None = None

    @cached_property
    def solver(self) -> Solver:
        """What abducts, and decodes where nothing guides."""
        solver = SOLVERS.get(self.options.solver)
        if solver.weighted is None:
            return solver
        return solver.weighted(self.options.difference_weights)

    @cached_property
    def guided_solver(self) -> Solver:
        """What decodes where something guides, and where images are drawn."""
        return SOLVERS.get(self.options.guided_solver)

    @cached_property
    def guides(self) -> bool:
        """Whether anything guides a row whose parents have changed."""
        return any(self.scales.values()) or self._compares

    @property
    def _compares(self) -> bool:
        """Whether neural guidance compares rows, of a number that depends on their values."""
        guided = self.options.guidance != "none" and self.options.strength != 1
        return guided and bool(self.neural)

    def up(
        self, image: Tensor, conditions: Values, generator: torch.Generator
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Position and offset at the noise end; a stochastic solver draws."""
        if self.solver.stochastic:
            position, *offset = self._up(conditions, image, generator)
        else:
            position, *offset = self._walked("up", self._up, (conditions,), image)
        return position, tuple(offset)

    def _up(
        self, conditions: Values, image: Tensor, generator: torch.Generator | None = None
    ) -> State:
        field, nodes = self._own_field(conditions), self._own_nodes
        position, *further = ascend(self.solver, field, enter(image), nodes, generator)
        if not further:
            return (position,)
        resting = rest(self.solver, field, position, nodes)[1:]
        return position, *(a - b for a, b in zip(further, resting, strict=True))

    def draw_offset(self, position: Tensor, generator: torch.Generator) -> tuple[Tensor, ...]:
        """The offset of images that are drawn."""
        return draw_offset(self.solver, position, self._own_nodes, generator)

    def down(self, conditions: Values, position: Tensor, offset: tuple[Tensor, ...]) -> Tensor:
        """The image of a position and an offset.

        Raises:
            EvidenceError: the offset is that of another solver.
        """
        return self._walked("down", self._down, (conditions,), position, *offset)[0]

    def _down(self, conditions: Values, position: Tensor, *offset: Tensor) -> State:
        field, nodes = self._own_field(conditions), self._own_nodes
        state = self._carrying(field, position, offset, nodes)
        return (leave(descend(self.solver, field, state, nodes)),)

    def fresh(self, conditions: Values, position: Tensor) -> Tensor:
        """The image of a position alone, by the guided solver, unguided."""
        return self._walked("fresh", self._fresh, (conditions,), position)[0]

    def _fresh(self, conditions: Values, position: Tensor) -> State:
        return (self.from_rest(self.field(conditions), position),)

    def guided(self, target: Values, reference: Values, position: Tensor) -> Tensor:
        """The image of a position where the parents have changed from their reference."""
        if self._compares:
            return self._guided(target, reference, position)[0]
        return self._walked("guided", self._guided, (target, reference), position)[0]

    def _guided(self, target: Values, reference: Values, position: Tensor) -> State:
        return (self.from_rest(self._guided_field(target, reference), position),)

    def mask(self, target: Values, factual: Values, image: Tensor) -> Tensor:
        """Where the velocity depends on what has changed, shape (batch, 1, height, width).

        Args:
            target: the new conditions.
            factual: the factual conditions.
            image: factual, in [-1, 1].
        """
        moved = {name: changed(value, factual[name]) for name, value in target.items()}
        names = [name for name, rows in moved.items() if rows.any()]
        mask = self._walked("mask", self._mask, (target, factual), image)[0]
        for name in names if len(names) > 1 else ():
            alone = {**factual, name: target[name]}
            own = self._walked("mask", self._mask, (alone, factual), image)[0]
            mask = torch.maximum(mask, own * moved[name][:, None, None, None])
        return mask

    def _mask(self, target: Values, factual: Values, image: Tensor) -> State:
        options = self.options
        found = response(self._unguided_pair, target, factual, image, options.local_draws)
        return (mask_of(found, options.local_ramp, options.local_grow),)

    def _unguided_pair(self, target: Values, factual: Values) -> Pair:
        """The velocities of both worlds by their mechanism alone: the network, and what pulls."""
        if self._pull is None:
            return paired(self.velocity, target, factual)
        pulled, schedule = self._pull, self._schedule
        moved = guide(
            self.velocity, target, factual, neural=self.neural, pulled=pulled, schedule=schedule
        )
        return paired(self.velocity, target, factual, moved)

    def local(
        self,
        target: Values,
        factual: Values,
        mask: Tensor,
        position: Tensor,
        offset: tuple[Tensor, ...],
    ) -> Tensor:
        """The image of a position where the parents act within the mask alone.

        By the guided solver where something guides, from the position alone; conditions as of
        `mask`.
        """
        if self._compares:
            return self._local_guided(target, factual, mask, position)[0]
        if self.guides:
            way: Callable[..., State] = self._local_guided
            return self._walked("local guided", way, (target, factual), mask, position)[0]
        return self._walked("local", self._local, (target, factual), mask, position, *offset)[0]

    def _local(
        self, target: Values, factual: Values, mask: Tensor, position: Tensor, *offset: Tensor
    ) -> State:
        velocity, nodes = self.velocity if self.editing is None else self.editing, self._own_nodes
        field = side_by_side(paired(velocity, target, factual), mask)
        position, *further = (torch.cat([part, part]) for part in (position, *offset))
        state = self._carrying(field, position, tuple(further), nodes)
        return (leave(descend(self.solver, field, state, nodes)).chunk(2)[1],)

    def _local_guided(
        self, target: Values, factual: Values, mask: Tensor, position: Tensor
    ) -> State:
        field = side_by_side(self._pair(target, factual), mask)
        return (self.from_rest(field, torch.cat([position, position])).chunk(2)[1],)

    def _pair(self, target: Values, factual: Values) -> Pair:
        """The velocities of both worlds, that of the other guided where something guides."""
        changed = self._guided_field(target, factual) if self.guides else None
        return paired(self.velocity, target, factual, changed)

    def drawn(self, conditions: Values, position: Tensor, offset: tuple[Tensor, ...]) -> Tensor:
        """The image of a drawn noise, unguided; by the guided solver where the own draws nothing.

        Raises:
            EvidenceError: the offset is that of another solver.
        """
        return self._walked("drawn", self._drawn, (conditions,), position, *offset)[0]

    def _drawn(self, conditions: Values, position: Tensor, *offset: Tensor) -> State:
        field = self.field(conditions)
        if not self.solver.draws:
            return self._finished(field, position)
        nodes = _shortened(self._own_nodes)
        state = self._carrying(field, position, offset, nodes)
        return (_mean_image(field, descend(self.solver, field, state, nodes)),)

    def drawn_guided(self, target: Values, reference: Values, position: Tensor) -> Tensor:
        """The image of a drawn position, guided."""
        if self._compares:
            return self._drawn_guided(target, reference, position)[0]
        return self._walked("drawn guided", self._drawn_guided, (target, reference), position)[0]

    def _drawn_guided(self, target: Values, reference: Values, position: Tensor) -> State:
        return self._finished(self._guided_field(target, reference), position)

    def _finished(self, field: Field, position: Tensor) -> State:
        """By the guided solver."""
        solver, nodes = self.guided_solver, _shortened(self._guided_nodes)
        state = rest(solver, field, position, nodes)
        return (_mean_image(field, descend(solver, field, state, nodes)),)

    def _carrying(
        self, field: Field, position: Tensor, offset: tuple[Tensor, ...], nodes: Tensor
    ) -> State:
        """The solver's state at the noise end."""
        state = rest(self.solver, field, position, nodes)
        if [part.shape for part in state[1:]] != [part.shape for part in offset]:
            raise EvidenceError(
                f"solver '{self.solver.name}', {len(nodes) - 1} steps: this noise was abducted "
                "by another solver; abduct and predict with the same options"
            )
        return shifted(state, offset)

    def _walked(
        self, way: str, walk: Callable[..., State], worlds: tuple[Values, ...], *state: Tensor
    ) -> State:
        """``walk(*worlds, *state)``, by one launch where walks are recorded."""
        names = [tuple(world) for world in worlds]

        def from_tensors(*inputs: Tensor) -> State:
            parts = iter(inputs)
            told = [{name: next(parts) for name in each} for each in names]
            return walk(*told, *parts)

        solvers = self.solver, self.guided_solver
        key = (way, self.options, solvers, *self.scales.items(), *names)
        values = [value for world in worlds for value in world.values()]
        return self.replay.walk(key, from_tensors, *values, *state)

    def from_rest(self, field: Field, position: Tensor, tau_max: float | None = None) -> Tensor:
        """The image of a position that the guided solver takes along any field."""
        solver = self.guided_solver
        nodes = self._guided_nodes if tau_max is None else self._nodes(self._guided_steps, tau_max)
        return leave(descend(solver, field, rest(solver, field, position, nodes), nodes))

    def balanced(
        self, target: Values, reference: Values, image: Tensor, tape: Tensor, factual: Values
    ) -> Tensor:
        """The image after a way up that ends between the factual and the new parents.

        Args:
            target: the new conditions.
            reference: the factual values of the parents.
            image: factual, in [-1, 1].
            tape: the noise of the forms of `causalflow.diffusion.guidance.balance`.
            factual: the factual conditions.
        """
        position, end = self.raised(target, reference, image, tape, factual)
        return self.lowered(target, reference, position, end)

    def raised(
        self, target: Values, reference: Values, image: Tensor, tape: Tensor, factual: Values
    ) -> tuple[Tensor, float | Tensor]:
        """The balanced position of an image and its tau, of stopping one a row; as `balanced`."""
        options, up, y = self.options, self.field(factual), enter(image)
        if options.balance == "stopping":
            return self._stopped(up, y, target, reference)
        nodes = self._nodes(options.steps, min(options.balance_end, self.tau_max))
        gammas = (options.balance_push, options.balance_noise)
        position = balanced(
            options.balance, up, self.predictor, y, nodes, target, reference, tape, *gammas
        )
        return position, float(nodes[-1])

    def lowered(
        self, target: Values, reference: Values, position: Tensor, end: float | Tensor
    ) -> Tensor:
        """The image of a position at ``end``, guided; by midpoint where rows have their own end."""
        down = self._guided_field(target, reference)
        if not isinstance(end, Tensor):
            return self.from_rest(down, position, end)
        solver, field = SOLVERS.get("midpoint"), clock(down, TAU_MIN, end)
        nodes = self._fractions
        return leave(descend(solver, field, rest(solver, field, position, nodes), nodes))

    def _stopped(
        self, up: Field, y: Tensor, target: Values, reference: Values
    ) -> tuple[Tensor, Tensor]:
        """Leap-frog to each row's stopping time."""
        predictor, levels = self.predictor, self.levels

        def doubt(y: Tensor, tau: Time, velocity: Tensor) -> Tensor:
            return confidence(predictor(y, tau, velocity), levels, target, reference)

        end = stopping_time(up, doubt, y, self._nodes(self.options.steps))
        field = clock(up, TAU_MIN, end)
        return ascend(SOLVERS.get("alf"), field, y, self._fractions)[0], end

    @property
    def _fractions(self) -> Tensor:
        """The nodes as shares of the way from the first to the last, for a clock."""
        nodes = self._nodes(self.options.steps)
        return (nodes - nodes[0]) / (nodes[-1] - nodes[0])

    def field(self, conditions: Values) -> Field:
        """The velocity under these conditions, unguided."""
        return lambda y, tau: self.velocity(y, tau, conditions)

    def _own_field(self, conditions: Values) -> Field:
        """The velocity that the solver follows."""
        velocity = self.velocity if self.editing is None else self.editing
        return lambda y, tau: velocity(y, tau, conditions)

    def _guided_field(self, target: Values, reference: Values) -> Field:
        return guide(
            self.velocity,
            target,
            reference,
            neural=self.neural,
            guidance=self._guidance,
            strength=self.options.strength,
            pulled=self._pull,
            schedule=self._schedule,
        )

    @cached_property
    def _guidance(self) -> Guidance:
        return GUIDANCES.get(self.options.guidance)

    @cached_property
    def _pull(self) -> Pull | None:
        """The anti-causal edges, if any pulls."""
        if not any(self.scales.values()):
            return None
        aim = self.options.anticausal
        return Pull(predictor=self.predictor, scales=self.scales, aim=aim, replay=self.replay)

    @cached_property
    def _schedule(self) -> Schedule:
        return Schedule(kind=self.options.schedule, interval=self.options.guidance_interval)

    @property
    def steps(self) -> int:
        """The steps of the solver, each way."""
        return len(self._own_nodes) - 1

    @cached_property
    def _own_nodes(self) -> Tensor:
        """The nodes of the solver, on the grid that it is made for."""
        times = self.options.difference_times
        if self.solver.weighted is not None and times is not None:
            return torch.tensor([TAU_MIN, *times, self.tau_max], dtype=torch.float64)
        return grid(self.options.steps, self.solver.grid or self.options.grid, self.tau_max)

    @cached_property
    def _guided_nodes(self) -> Tensor:
        return self._nodes(self._guided_steps)

    @property
    def _guided_steps(self) -> int:
        return self.options.guided_steps or self.options.steps

    def _nodes(self, steps: int, tau_max: float | None = None) -> Tensor:
        return grid(steps, self.options.grid, self.tau_max if tau_max is None else tau_max)


def _shortened(nodes: Tensor) -> Tensor:
    """As many nodes, from TAU_DRAWN in place of TAU_MIN."""
    first, last = nodes[0], nodes[-1]
    return TAU_DRAWN + (nodes - first) * (last - TAU_DRAWN) / (last - first)


def _mean_image(field: Field, y: Tensor) -> Tensor:
    """E[x_0 | y] at TAU_DRAWN."""
    return data_of(field(y, TAU_DRAWN), y, TAU_DRAWN)
