"""Cloud: draws of a knot for each row, weighed by how well they explain what is known.

Each unknown variable is a function of a *score* s ~ N(0, 1), independent of all others a priori:

    exogenous, latent class     the quantile of its law at the share Phi(s)
    number with a law           f(pa, u) with the noise u = s
    class with a law            the quantile of p(x | pa) at the share Phi(s)

but exogenous variables for which known equations can be solved, given the rest, are solved for
(`causalflow.mechanisms.exogenous.visit`), and finite ones, where they are few, are summed over. The
nodes come in topological order; where one is known, the *weight* of the draw is multiplied by

    p(x | pa)                   of a law
    sum p(u) / |df/du|          of an equation, over what solves it

so that draws from the prior with these weights follow the posterior. The nodes of a *stage* need no
law of an unknown node of the same stage: their equations are visited together.

Source: Fung & Chang (1990), Weighing and integrating evidence for stochastic simulation in Bayesian
networks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from causalflow.mechanisms.exogenous.exogenous_posterior import (
    count_states,
    exogenous_posterior,
)
from causalflow.mechanisms.exogenous.particles import Draws, spread_scores
from causalflow.mechanisms.mechanism import Noise, Values, draw_index
from causalflow.mechanisms.own_noise import NORMAL, with_number
from causalflow.model.posterior.knot import Knot
from causalflow.model.scm import StructuralModel

__all__ = ["Cloud", "Knotted"]

SUMMED = 64
"""Joint states of finite exogenous variables that are summed over rather than drawn."""
APART = 1009.0
"""Factor that keeps the kinds of one stage's orders apart from those of another."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cloud:
    """Weighed draws.

    Attributes:
        scores: what was drawn by a score -> its score, shape (rows, copies).
        noises: what has no score, the mechanism's noise being of another kind -> its noise.
        values: unknown variable -> its value, shape (rows, copies).
        log_weight: the logarithm of the weight, shape (rows, copies).
        order: the order of the weight, as `causalflow.mechanisms.equation.preimage` has it.
        kind: which nodes the order comes from, as a number.
    """

    scores: Mapping[str, Tensor]
    noises: Mapping[str, Noise]
    values: Mapping[str, Tensor]
    log_weight: Tensor
    order: Tensor
    kind: Tensor

    def at(self, rows: Tensor) -> Cloud:
        """The draws of some rows."""
        shape = self.log_weight.shape
        place = torch.arange(shape.numel(), device=rows.device).reshape(shape)[rows].reshape(-1)
        return self._each(lambda value: value[rows], lambda noise: noise[place.to(noise.device)])

    def taken(self, chosen: Tensor) -> Cloud:
        """The draws at some places of their rows, shape (rows, draws)."""
        rows, copies = self.log_weight.shape
        start = copies * torch.arange(rows, device=chosen.device)[:, None]
        flat = (start + chosen).reshape(-1)
        return self._each(
            lambda value: value.gather(1, chosen), lambda noise: noise[flat.to(noise.device)]
        )

    def merged(self, other: Cloud, own: Tensor) -> Cloud:
        """These draws where ``own`` holds, shape (rows, copies), and another cloud's elsewhere."""

        def noise(mine: Tensor, others: Tensor) -> Tensor:
            mask = own.reshape(-1, *[1] * (mine.ndim - 1)).to(mine.device)
            return torch.where(mask, mine, others)

        return self._each(lambda mine, others: torch.where(own, mine, others), noise, other)

    def _each(
        self,
        value: Callable[..., Tensor],
        noise: Callable[..., Tensor],
        *others: Cloud,
    ) -> Cloud:
        """The cloud with functions applied to all that it holds, and that others hold there."""
        return Cloud(
            scores={n: value(v, *(o.scores[n] for o in others)) for n, v in self.scores.items()},
            noises={
                n: {key: noise(v, *(o.noises[n][key] for o in others)) for key, v in each.items()}
                for n, each in self.noises.items()
            },
            values={n: value(v, *(o.values[n] for o in others)) for n, v in self.values.items()},
            log_weight=value(self.log_weight, *(o.log_weight for o in others)),
            order=value(self.order, *(o.order for o in others)),
            kind=value(self.kind, *(o.kind for o in others)),
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Knotted:
    """A knot in some rows.

    Attributes:
        scm: the fitted model.
        knot: the knot.
        known: engine values of all that the knot reads and that is known, the same rows each.
        generator: draws.
    """

    scm: StructuralModel
    knot: Knot
    known: Values
    generator: torch.Generator

    @property
    def rows(self) -> int:
        """The number of rows."""
        return len(next(iter(self.known.values())))

    def at(self, rows: Tensor) -> Knotted:
        """The knot in some of the rows."""
        known = {name: value[rows] for name, value in self.known.items()}
        return Knotted(scm=self.scm, knot=self.knot, known=known, generator=self.generator)

    def stages(self) -> list[list[str]]:
        """The nodes among the factors, by how many laws of unknown nodes stand above them."""
        depth: dict[str, int] = {}
        for name in (n for n in self.knot.factors if n not in self.scm.latents):
            above = [p for p in self.scm.parents(name) if p in depth and p in self.knot.nodes]
            depth[name] = max((depth[p] + (p not in self.scm.equations) for p in above), default=0)
        return [[n for n in depth if depth[n] == d] for d in sorted(set(depth.values()))]

    @torch.no_grad()
    def cloud(
        self,
        copies: int,
        scores: Mapping[str, Tensor] | None = None,
        noises: Mapping[str, Noise] | None = None,
        *,
        strict: bool = True,
    ) -> Cloud:
        """The draws that scores make; scores that are missing are drawn.

        Args:
            copies: draws of each row.
            scores: variable -> its score, shape (rows, copies).
            noises: variable without a score -> its noise, of rows * copies draws.
            strict: whether a row that no draw explains is refused.

        Raises:
            RowError: such a row, or explanations that cannot be compared or told apart.
            CompileError: an equation whose noises cannot be recovered.
        """
        making = _Making(
            row=self,
            copies=copies,
            scores=dict(scores or {}),
            noises=dict(noises or {}),
            strict=strict,
        )
        making.latents()
        for place, stage in enumerate(self.stages()):
            making.stage(stage, place)
        shape = (self.rows, copies)
        return Cloud(
            scores=making.scores,
            noises=making.noises,
            values={n: making.world[n].reshape(shape) for n in making.unknown},
            log_weight=making.log_weight,
            order=making.order,
            kind=making.kind,
        )


@dataclass(kw_only=True, eq=False)
class _Making:
    """A cloud in the making: the values so far, in rows * copies entries, and their weights."""

    row: Knotted
    copies: int
    scores: dict[str, Tensor]
    noises: dict[str, Noise]
    strict: bool
    world: dict[str, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.scm, self.knot = self.row.scm, self.row.knot
        self.device = next(iter(self.row.known.values())).device
        shape = (self.row.rows, self.copies)
        self.log_weight = torch.zeros(shape, dtype=torch.float64, device=self.device)
        self.order, self.kind = torch.zeros_like(self.log_weight), torch.zeros_like(self.log_weight)

    @property
    def unknown(self) -> Iterator[str]:
        """The unknown variables that have a value."""
        return (n for n in (*self.knot.roots, *self.knot.nodes) if n in self.world)

    def latents(self) -> None:
        """The latent classes by their scores."""
        for name in (n for n in self.knot.roots if n in self.scm.latents):
            law = self.scm.latents[name].log_p.detach()
            self.world[name] = _quantile(law.expand(self.score(name).numel(), -1), self.flat(name))

    def stage(self, names: list[str], place: int) -> None:
        """The nodes of a stage: equations first, then laws."""
        equations = [name for name in names if name in self.scm.equations]
        if any(name in self.row.known for name in equations):
            self._visit(equations, place)
        for name in (n for n in equations if n not in self.row.known):
            for root in (r for r in self.scm.hidden_parents[name] if r not in self.world):
                self._root(root)
            self.world[name] = self.scm.computed(name, self._parents(name), {}, self._size)
        for name in (n for n in names if n not in self.scm.equations):
            if name not in self.row.known:
                self.world[name] = self._drawn(name)
        for name in (n for n in names if n not in self.scm.equations and n in self.row.known):
            found = self.scm.log_prob(name, {**self._parents(name), name: self._value(name)})
            found = torch.nan_to_num(found.double(), nan=-torch.inf, neginf=-torch.inf)
            self.log_weight = self.log_weight + found.reshape(self.log_weight.shape)

    def score(self, name: str) -> Tensor:
        """The score of a variable, drawn where it has none yet."""
        if name not in self.scores:
            shape = (self.row.rows, self.copies)
            self.scores[name] = spread_scores(shape, self.row.generator, self.device)
        return self.scores[name]

    def flat(self, name: str) -> Tensor:
        """The score in one axis."""
        return self.score(name).reshape(-1)

    @property
    def _size(self) -> int:
        return self.row.rows * self.copies

    def _value(self, name: str) -> Tensor:
        if name in self.world:
            return self.world[name]
        return self.row.known[name].repeat_interleave(self.copies, 0)

    def _parents(self, name: str) -> dict[str, Tensor]:
        return {parent: self._value(parent) for parent in self.scm.parents(name)}

    def _root(self, name: str) -> None:
        self.world[name] = self.scm.exogenous[name].at_score(self.flat(name))

    def _drawn(self, name: str) -> Tensor:
        """A node without an equation, by its score or its noise."""
        mechanism, parents = self.scm.mechanism(name), self._parents(name)
        if (levels := self.scm.types[name].levels) is not None:
            wide = {k: v.repeat_interleave(len(levels), 0) for k, v in parents.items()}
            wide[name] = torch.arange(len(levels), device=self.device).repeat(self._size)
            law = self.scm.log_prob(name, wide).reshape(self._size, len(levels))
            return _quantile(law, self.flat(name))
        parents = self.scm.arguments(name, parents)
        if isinstance(mechanism, NORMAL):
            drawn = mechanism.draw_noise(self._size, self.row.generator)
            return mechanism.predict(parents, with_number(drawn, self.flat(name)))
        if name not in self.noises:
            self.noises[name] = mechanism.draw_noise(self._size, self.row.generator)
        return mechanism.predict(parents, self.noises[name])

    def _visit(self, equations: list[str], place: int) -> None:
        """Solve the known equations of a stage for exogenous variables, and weigh what solves."""
        mechanisms = {name: self.scm.equations[name] for name in equations}
        read = {root for name in equations for root in self.scm.hidden_parents[name]}
        open_ = {n: self.scm.exogenous[n] for n in self.knot.roots if n in read - self.world.keys()}
        if count_states(mechanisms, open_) > SUMMED:
            for name in [name for name, variable in open_.items() if variable.is_finite]:
                self._root(name)
                del open_[name]
        drawn = Draws(copies=self.copies, given=self.world, scores=self.scores, strict=self.strict)
        law = exogenous_posterior(
            mechanisms, open_, self._known_by(equations), self.row.generator, draws=drawn
        )
        shape = (*self.log_weight.shape, -1)
        weight, order = law.log_weight.reshape(shape), law.order.reshape(shape)
        alive = ~torch.isneginf(weight)
        least = torch.where(alive, order, torch.inf).amin(2)
        kept = torch.where(order == least[..., None], weight, -torch.inf)
        state = self._chosen(kept)
        picked = torch.arange(len(state), device=state.device) * kept.shape[2] + state
        self.world |= {name: value.reshape(-1)[picked] for name, value in law.values.items()}
        self.log_weight = self.log_weight + kept.logsumexp(2)
        self.order = self.order + torch.where(least.isinf(), 0.0, least)
        self.kind = self.kind + law.kind.reshape(-1)[picked].reshape(least.shape) * APART**place

    def _known_by(self, equations: list[str]) -> Values:
        """What is known that some equations name."""
        names = {n for name in equations for n in (name, *self.scm.parents(name))}
        return {name: value for name, value in self.row.known.items() if name in names}

    def _chosen(self, weight: Tensor) -> Tensor:
        """Of the states that solve a draw's equations one, shape (rows * copies,)."""
        flat = weight.reshape(-1, weight.shape[2])
        if flat.shape[1] == 1:
            return torch.zeros(len(flat), dtype=torch.int64, device=flat.device)
        possible = flat.isfinite().any(1)
        return draw_index(torch.where(possible[:, None], flat, 0.0), self.row.generator)


def _quantile(log_p: Tensor, score: Tensor) -> Tensor:
    """The level at each score's place in a row's law; log_p (n, levels), score (n,)."""
    total = log_p.exp().cumsum(1)
    share = (torch.special.ndtr(score)[:, None] * total[:, -1:]).minimum(
        torch.nextafter(total[:, -1:], total.new_zeros(()))
    )
    return (share >= total).sum(1)
