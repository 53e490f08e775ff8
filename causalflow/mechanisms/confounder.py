"""Confounder: hidden common causes of class nodes, one latent class l for each ``a <-> b``.

Notation: l the joint state of a district's latents, v_c the value of child c, pa_c its other
    parents;

    p(v | pa) = sum_l p(l) prod_c p(v_c | pa_c, l)

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
from causalflow.graph.schema import Class
from causalflow.mechanisms import draws
from causalflow.mechanisms.base import Noise, Values
from causalflow.mechanisms.categorical import Categorical
from causalflow.mechanisms.expectation import RowCounts, count_rows
from causalflow.mechanisms.labels import filled, labelled

__all__ = ["MAXIMAL_STATES", "LatentClass", "LatentDistrict"]

MAXIMAL_STATES = 4096
CHUNK = 4_000_000
"""Rows times joint states that are worked on at a time."""


class LatentClass(nn.Module):
    """A hidden root with K states: its value is its noise.

    Args:
        name: such as "bar <-> digit".
        node: ``Class(levels=range(K))``.
        parents: none.
    """

    def __init__(self, name: str, node: Class, parents: Mapping[str, object] | None = None) -> None:
        super().__init__()
        assert not parents
        self.name, self.node, self.levels = name, node, len(node.levels)
        self.weights = nn.Parameter(torch.zeros(self.levels, dtype=torch.float64))

    @property
    def log_p(self) -> Tensor:
        """Log-probabilities of the states, shape (K,)."""
        return torch.log_softmax(self.weights, dim=0)

    def draw_noise(self, n: int, generator: torch.Generator) -> Noise:
        """n draws: {"value": (n,)}, int64."""
        return {"value": draws.index(self.log_p.detach().expand(n, -1), generator)}

    def calibrate(self, values: Values, generator: torch.Generator) -> None:
        """Nothing: `LatentDistrict.calibrate` fits it with its children."""

    def loss(self, values: Values, generator: torch.Generator) -> None:
        """None: see `LatentDistrict.loss`."""

    def abduct(self, value: Tensor, parents: Values, generator: torch.Generator) -> Noise:
        """The value itself."""
        return {"value": value}

    def predict(self, parents: Values, noise: Noise) -> Tensor:
        """The value itself."""
        return noise["value"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LatentDistrict:
    """Latents and the class nodes that have them as parents; it owns no parameters itself.

    Attributes:
        latents: by name.
        children: by name; each has at least one latent among its parents.

    Raises:
        CompileError: too many joint states to enumerate.
    """

    latents: Mapping[str, LatentClass]
    children: Mapping[str, Categorical]

    def __post_init__(self) -> None:
        """Check the number of joint states; latents of tables need no gradient."""
        if self.states > MAXIMAL_STATES:
            raise CompileError(
                f"nodes {sorted(self.children)}: their hidden causes {sorted(self.latents)} have "
                f"{self.states} joint states; at most {MAXIMAL_STATES} can be enumerated"
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

    def log_joint(self, values: Values) -> Tensor:
        """log p(l) + sum_c log p(v_c | pa_c, l), shape (batch, states).

        A child that is absent from ``values`` or unlabelled, or whose parents are, is skipped:
        exact if it has no observed children in the district, else its children's evidence counts
        only as far as they are complete.
        """
        total = self.log_prior()[None]
        for name, child in self.children.items():
            needed = [name, *(parent for parent in child.parents if parent not in self.latents)]
            if all(key in values for key in needed):
                keep = torch.stack([labelled(values[key]) for key in needed]).all(0)
                total = total + self._log_prob(child, values) * keep[:, None]
        return total

    def _log_prob(self, child: Categorical, values: Values) -> Tensor:
        """log p(v_c | pa_c, l), shape (batch, states); unlabelled entries count as level 0."""
        value = values[child.name].clamp_min(0)
        n, states = len(value), self.states
        parents = {
            name: self.grid()[name].repeat(n)
            if name in self.latents
            else filled(values, [name])[name].repeat_interleave(states, 0)
            for name in child.parents
        }
        return child.log_prob(value.repeat_interleave(states), parents).view(n, states)

    def log_likelihood(self, values: Values) -> Tensor:
        """log p(v | pa), shape (batch,)."""
        return self.log_joint(values).logsumexp(1)

    @torch.no_grad()
    def log_posterior(self, values: Values) -> Tensor:
        """log p(l | v), shape (batch, states), columns as in `grid`; without evidence one row."""
        return torch.log_softmax(self.log_joint(values), dim=1)

    def draw(self, values: Values, generator: torch.Generator, n: int = 1) -> dict[str, Tensor]:
        """An exact draw from p(l | v): latent -> int64 (batch,).

        Args:
            values: what is observed of the children and their parents.
            generator: of the draw.
            n: number of rows where there is no evidence.
        """
        rows = max((len(value) for value in values.values()), default=n)
        step = max(1, CHUNK // self.states)
        pieces = []
        for start in range(0, rows, step):
            some = {name: value[start : start + step] for name, value in values.items()}
            posterior = self.log_posterior(some).expand(min(step, rows - start), -1)
            pieces.append(draws.index(posterior, generator))
        state = torch.cat(pieces)
        return {name: column[state] for name, column in self.grid().items()}

    def loss(self, values: Values, generator: torch.Generator) -> Tensor | None:
        """-log p(v | pa), shape (batch,), of latents and children; None if all are tables."""
        return None if self.is_table else -self.log_likelihood(values)

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
            values: the children and their parents.
            generator: of the random starts.
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

    def _prepare(self, values: Values, generator: torch.Generator) -> None:
        """Calibrate network children; latents start unequal, as gradients keep equals equal."""
        rows = max(len(value) for value in values.values())
        stand_ins = {name: torch.zeros(rows, dtype=torch.int64) for name in self.latents}
        for child in self.children.values():
            child.calibrate({**values, **stand_ins}, generator)
        for latent in self.latents.values():
            latent.weights.copy_(0.1 * draws.normal((latent.levels,), generator))

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
            drawn = draws.normal((len(counts.weight), self.states), generator, device)
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
