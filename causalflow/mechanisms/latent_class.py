"""LatentClass: the hidden common cause of two class nodes, one for each ``a <-> b``.

Notation: l the joint state of a district's latents, v_c the value of child c, pa_c its other
parents;

    p(v | pa) = sum_l p(l) prod_c p(v_c | pa_c, l)

where the product leaves out the children that were set in the row (`causalflow.values.regime`).

Tables are fitted by expectation-maximisation over the exact posterior p(l | v), with unique rows
counted once and `PSEUDO_COUNT` observations added to every row of every table, so that the
penalised log-likelihood

    sum_rows log p(v | pa) + sum_tables a log p          a the pseudo-count of a cell

never falls. It has several maxima: the best of some starts is kept, among them "the latent is a
copy of one end". Children with a network are fitted by gradient steps on -log p(v | pa) instead.

A latent is a hidden root whose value is its noise, and a parent of its children like any other:
they share it in every world, so what the intervention does not reach keeps its value.

Source: Dempster, Laird & Rubin (1977); the shared exogenous variable as in Pan & Bareinboim (2024).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from causalflow.errors import CompileError
from causalflow.graph.node import Class
from causalflow.limits import CONFOUNDER_STATES
from causalflow.mechanisms.categorical import Categorical, smoothed_log
from causalflow.mechanisms.expectation import RowCounts, count_rows
from causalflow.mechanisms.mechanism import (
    Noise,
    Values,
    all_labelled,
    draw_index,
    draw_normal,
    draw_uniform,
    filled,
    natural,
    untouched,
)

__all__ = ["LatentClass", "LatentDistrict"]


class LatentClass(nn.Module):
    """A hidden root with K states: its value is its noise. `LatentDistrict` fits it.

    Args:
        name: such as "bar <-> digit".
        node: ``Class(levels=range(K))``.
    """

    def __init__(self, name: str, node: Class) -> None:
        super().__init__()
        self.name, self.node, self.levels = name, node, len(node.levels)
        self.weights = nn.Parameter(torch.zeros(self.levels, dtype=torch.float64))

    @property
    def description(self) -> str:
        """What it is made of."""
        return "table"

    @property
    def log_p(self) -> Tensor:
        """Log-probabilities of the states, shape (K,)."""
        return torch.log_softmax(self.weights, dim=0)

    def draw_noise(self, n: int, generator: torch.Generator) -> Noise:
        """n draws: {"value": (n,)}, int64."""
        return {"value": draw_index(self.log_p.detach().expand(n, -1), generator)}


@dataclass(frozen=True, slots=True, kw_only=True)
class LatentDistrict:
    """Latents and the class nodes that have them as parents; it owns no parameters itself.

    Attributes:
        latents: the hidden causes, by name.
        children: their children, by name; each has at least one latent among its parents.

    Raises:
        CompileError: too many joint states to enumerate.
    """

    latents: Mapping[str, LatentClass]
    children: Mapping[str, Categorical]

    def __post_init__(self) -> None:
        """Check the number of joint states; latents of tables need no gradient."""
        if self.states > CONFOUNDER_STATES:
            raise CompileError(
                f"nodes {sorted(self.children)}: their hidden causes {sorted(self.latents)} have "
                f"{self.states} joint states; at most {CONFOUNDER_STATES} can be enumerated"
            )
        for latent in self.latents.values():
            latent.weights.requires_grad_(not self.is_table)

    @property
    def states(self) -> int:
        """Number of joint states."""
        return math.prod(latent.levels for latent in self.latents.values())

    @property
    def is_table(self) -> bool:
        """Whether every child keeps a table, so that `calibrate` fits everything."""
        return all(child.is_table for child in self.children.values())

    def grid(self) -> dict[str, Tensor]:
        """Each latent's state in each joint state: name -> int64 (states,)."""
        device = next(iter(self.latents.values())).weights.device
        sizes = [torch.arange(latent.levels, device=device) for latent in self.latents.values()]
        columns = torch.cartesian_prod(*sizes).reshape(-1, len(sizes)).T
        return dict(zip(self.latents, columns, strict=True))

    def log_prior(self) -> Tensor:
        """log p(l), shape (states,)."""
        grid = self.grid()
        return torch.stack([latent.log_p[grid[k]] for k, latent in self.latents.items()]).sum(0)

    def log_likelihood(self, values: Values) -> Tensor:
        """log p(v | pa), shape (batch,), of rows in which every child and parent is labelled."""
        terms = [self._log_prob(child, values) for child in self.children.values()]
        return (self.log_prior() + torch.stack(terms).sum(0)).logsumexp(1)

    def _log_prob(self, child: Categorical, values: Values) -> Tensor:
        """log p(v_c | pa_c, l), shape (batch, states)."""
        value, grid = values[child.name], self.grid()
        n, states = len(value), self.states
        parents = {
            name: grid[name].repeat(n)
            if name in grid
            else values[name].repeat_interleave(states, 0)
            for name in child.parents
        }
        found = child.log_prob(value.repeat_interleave(states), parents).view(n, states)
        own = natural(values, child.name)
        return found if own is None else torch.where(own[:, None], found, 0.0)

    def loss(self, values: Values, generator: torch.Generator) -> Tensor | None:
        """-log p(v | pa), shape (batch,), 0 where a label is missing; None if all are tables."""
        if self.is_table:
            return None
        read = {*self.children, *(p for child in self.children.values() for p in child.parents)}
        names = sorted(read - self.latents.keys())
        whole = {**values, **filled(values, names)}
        return -self.log_likelihood(whole) * all_labelled(values, names)

    @torch.no_grad()
    def calibrate(
        self,
        values: Values,
        generator: torch.Generator,
        starts: int = 4,
        iterations: int = 500,
        tolerance: float = 1e-9,
    ) -> list[float]:
        """Fit latents and tables by expectation-maximisation on the rows in which all is labelled.

        Args:
            values: the children and their parents, and their regimes.
            generator: draws the random starts.
            starts: number of random starts, besides the copies of each latent's children.
            iterations: limit of each start.
            tolerance: a start ends when an iteration gains less than this, relative to the
                objective.

        Returns:
            The best start's penalised log-likelihood after each iteration; empty where a child has
            a network.

        Raises:
            DataError: no row is labelled completely.
        """
        if not self.is_table:
            self._prepare(values, generator)
            return []
        levels = {name: latent.levels for name, latent in self.latents.items()}
        counts = count_rows(self.grid(), levels, self.children, values)
        runs = (
            self._run(counts, responsibility, iterations, tolerance)
            for responsibility in self._starts(counts, generator, starts)
        )
        tables, trace = max(runs, key=lambda run: run[1][-1])
        self._store(tables)
        return trace

    @torch.no_grad()
    def begin(self, values: Values, generator: torch.Generator) -> None:
        """Tables for a fit to rows with gaps to begin with: of the whole rows, else drawn ones."""
        names = [*self.children, *(p for child in self.children.values() for p in child.parents)]
        if all_labelled(values, sorted(set(names) - self.latents.keys())).any():
            self.calibrate(values, generator)
            return
        for child in self.children.values():
            child.table.copy_(smoothed_log(draw_uniform(tuple(child.table.shape), generator)))

    def _prepare(self, values: Values, generator: torch.Generator) -> None:
        """Calibrate network children; latents start unequal, as gradients keep equals equal."""
        rows = max(len(value) for value in values.values())
        stand_ins = {name: torch.zeros(rows, dtype=torch.int64) for name in self.latents}
        for child in self.children.values():
            child.calibrate(untouched({**values, **stand_ins}, child.name), generator)
        for latent in self.latents.values():
            latent.weights.copy_(0.1 * draw_normal((latent.levels,), generator))

    def _starts(
        self, counts: RowCounts, generator: torch.Generator, starts: int
    ) -> Iterator[Tensor]:
        """Responsibilities (rows, states): each latent a copy of one child, then random ones."""
        grid, device = self.grid(), counts.weight.device
        ends = [
            [c for c, child in self.children.items() if name in child.parents]
            for name in self.latents
        ]
        for chosen in itertools.islice(itertools.product(*ends), 8):
            match = torch.ones(
                (len(counts.weight), self.states), dtype=torch.float64, device=device
            )
            for (name, latent), end in zip(self.latents.items(), chosen, strict=True):
                match *= (counts.rows[end] % latent.levels)[:, None] == grid[name]
            yield match
        for _ in range(starts):
            drawn = draw_normal((len(counts.weight), self.states), generator, device)
            yield torch.softmax(2 * drawn, dim=1)

    def _run(
        self, counts: RowCounts, responsibility: Tensor, iterations: int, tolerance: float
    ) -> tuple[dict[str, Tensor], list[float]]:
        """One start: tables and the objective after each iteration."""
        trace: list[float] = []
        while True:
            tables = counts.maximise(responsibility)
            joint = counts.log_joint(tables)
            trace.append(counts.objective(tables, joint))
            gained = len(trace) == 1 or trace[-1] - trace[-2] > tolerance * abs(trace[-1])
            if not gained or len(trace) >= iterations:
                return tables, trace
            responsibility = torch.softmax(joint, dim=1)

    def _store(self, tables: Mapping[str, Tensor]) -> None:
        for name, latent in self.latents.items():
            latent.weights.copy_(tables[name][0])
        for name, child in self.children.items():
            child.table.copy_(tables[name])
