"""Expected counts: tables of classes fitted to rows with gaps, by expectation-maximisation.

Notation: v_r what the r-th distinct row shows, n_r how often it occurs; theta_i the table of node
i, with a cell for each level of it and of its parents; h what a row does not show, hidden causes
too.

    Z_r  =  p(v_r)  =  sum over h of prod_i theta_i(x_i | pa_i)
    E[N] =  sum_r n_r  d log Z_r / d log theta          the expected count of every cell

Z_r is one sum-product of the exact engine (`causalflow.factors.plan`), with rows as a batch, so its
gradient has all expected counts at once. Each maximisation takes them as if they had been counted,
with the smoothing of the table (`causalflow.mechanisms.categorical`), so the penalised
log-likelihood

    sum_r n_r log Z_r + sum_tables a log theta          a the pseudo-count of a cell

never falls. In rows where a node was set, its table has no part (`causalflow.values.regime`).

Source: Dempster, Laird & Rubin (1977); Lauritzen (1995), The EM algorithm for graphical association
models with missing data; the gradient: Darwiche (2003), A differential approach to inference in
Bayesian networks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import log

import torch
from torch import Tensor

from causalflow.errors import CausalflowError
from causalflow.factors.plan import make_plan
from causalflow.factors.program import ReadyStep
from causalflow.limits import EXPECTATION_CELLS
from causalflow.mechanisms.categorical import PSEUDO_COUNT, Categorical, smoothed_log
from causalflow.mechanisms.latent_class import LatentClass
from causalflow.mechanisms.mechanism import Values, labelled
from causalflow.model.tensors import Tensors
from causalflow.values.regime import regime_column

__all__ = ["ExpectedCounts", "Scope", "converge", "fit_tables"]

ITERATIONS, TOLERANCE = 2_000, 1e-9
"""Most iterations; the gain, relative to the objective, below which they end."""
EVEN = 0.01
"""Share of the even law in the tables that expectation-maximisation begins with."""
ROWS = 1 << 22
"""Cells of the largest table on the way, those of all rows together, that are made at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """One table: what it is of, and where its cells are.

    Attributes:
        name: the node, or the latent class.
        strides: each variable's stride in the flat table.
        shape: the table's shape, a row for each combination of the parents.
        fixed: whether the graph file gives it.
        smoothing: the observations that are added to each row.
    """

    name: str
    strides: Mapping[str, int]
    shape: tuple[int, int]
    fixed: bool
    smoothing: float

    @classmethod
    def of(cls, name: str, module: Categorical | LatentClass) -> Scope:
        """The scope of a mechanism or latent class."""
        if isinstance(module, LatentClass):
            return cls(
                name=name,
                strides={name: 1},
                shape=(1, module.levels),
                fixed=False,
                smoothing=PSEUDO_COUNT,
            )
        parents = {p: stride * module.levels for p, stride in (module.strides or {}).items()}
        rows, levels = module.table.shape
        strides = {**parents, name: 1}
        return cls(
            name=name,
            strides=strides,
            shape=(rows, levels),
            fixed=module.is_given,
            smoothing=module.smoothing,
        )


@dataclass(frozen=True, kw_only=True)
class ExpectedCounts:
    """Distinct rows with gaps, and the tables that explain them.

    Attributes:
        scopes: the tables.
        levels: open variable -> number of its levels; every other variable is in every row.
        rows: variable or regime -> its entry in each distinct row, -1 where it does not show.
        weight: n_r, float64.
    """

    scopes: Sequence[Scope]
    levels: Mapping[str, int]
    rows: Values
    weight: Tensor

    @classmethod
    def count(
        cls,
        modules: Mapping[str, Categorical | LatentClass],
        levels: Mapping[str, int],
        columns: Values,
    ) -> ExpectedCounts:
        """The distinct rows of some columns.

        Args:
            modules: the tables' mechanisms, by name.
            levels: the open variables.
            columns: the values of all variables but latent classes, and their regimes.
        """
        scopes = [Scope.of(name, module) for name, module in modules.items()]
        shown = {name for scope in scopes for name in scope.strides if name in columns}
        marks = {mark for name in modules if (mark := regime_column(name)) in columns}
        names = [*sorted(shown), *sorted(marks)]
        whole = torch.stack([columns[name].long() for name in names], dim=1)
        distinct, counts = torch.unique(whole, dim=0, return_counts=True)
        rows = dict(zip(names, distinct.T, strict=True))
        return cls(scopes=scopes, levels=levels, rows=rows, weight=counts.double())

    @cached_property
    def _steps(self) -> tuple[list[ReadyStep], int]:
        """The contraction of a row, and the cells that its largest table has."""
        scopes = [*map(self._open, self.scopes), *([name] for name in self.levels)]
        plan = make_plan(scopes, self.levels, ())
        widest = max(plan.cells(plan.largest), max(scope.shape[1] for scope in self.scopes))
        if len(plan.names) and widest > EXPECTATION_CELLS:
            raise CausalflowError(
                f"fit: the gaps of {sorted(self.levels)} join tables of {widest:,} cells; at most "
                f"{EXPECTATION_CELLS:,} can be summed: leave out rows with many gaps"
            )
        return [ReadyStep(plan, step) for step in plan.steps], widest

    def _open(self, scope: Scope) -> list[str]:
        return [name for name in scope.strides if name in self.levels]

    def expected(self, tables: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], float]:
        """E[N] of every table, and sum_r n_r log Z_r, under log-tables of the scopes' shapes."""
        leaves = {name: table.clone().requires_grad_() for name, table in tables.items()}
        total = 0.0
        with torch.enable_grad():
            for part in self._parts():
                found = self.weight[part] @ self._log_likelihood(leaves, part)
                found.backward()
                total += float(found.detach())
        return {name: leaf.grad for name, leaf in leaves.items() if leaf.grad is not None}, total

    def _parts(self) -> Sequence[Tensor]:
        most = max(1, ROWS // self._steps[1])
        return torch.arange(len(self.weight), device=self.weight.device).split(most)

    def _log_likelihood(self, tables: Mapping[str, Tensor], part: Tensor) -> Tensor:
        """log Z_r of some rows; the tables times their levels, lest products of many underflow."""
        operands = [self._table(scope, tables[scope.name], part) for scope in self.scopes]
        operands += [self._shown(name, part) for name in self.levels]
        arrays: dict[int, tuple[Tensor, bool]] = dict(enumerate(operands))
        backend, place = Tensors(self.weight.device), len(arrays)
        for step in self._steps[0]:
            taken, batched = zip(*(arrays.pop(k) for k in step.operands), strict=True)
            arrays[place] = step.product(backend, taken, batched), any(batched)
            place += 1
        (product,) = [array for array, _ in arrays.values()]
        scale = sum(log(scope.shape[1]) for scope in self.scopes)
        return torch.log(product).expand(len(part)) - scale

    def _table(self, scope: Scope, table: Tensor, part: Tensor) -> tuple[Tensor, bool]:
        """The table over its open variables of more than a level, for each row where it differs."""
        cells, closed = torch.zeros(1, dtype=torch.int64, device=part.device), False
        for name, stride in scope.strides.items():
            if name not in self.levels:
                cells, closed = cells + stride * self.rows[name][part], True
        for name in self._open(scope):
            if self.levels[name] > 1:
                steps = scope.strides[name] * torch.arange(self.levels[name], device=part.device)
                cells = cells[..., None] + steps
        found = (table.exp() * scope.shape[1]).view(-1)[cells]
        was_set = self.rows.get(regime_column(scope.name))
        if was_set is not None:
            natural = was_set[part].view(-1, *[1] * (cells.ndim - 1)) == 0
            return torch.where(natural, found, float(scope.shape[1])), True
        return (found, True) if closed else (found[0], False)

    def _shown(self, name: str, part: Tensor) -> tuple[Tensor, bool]:
        """1 for the levels of an open variable that rows allow, else 0: (rows, levels)."""
        size, column = self.levels[name], self.rows.get(name)
        if column is None:
            shown = torch.ones((1, size), dtype=torch.float64, device=part.device)
            return (shown[0] if size > 1 else shown[0, 0]), False
        value = column[part]
        level = torch.arange(size, device=part.device)
        found = ((value[:, None] == level) | ~labelled(value)[:, None]).double()
        return (found if size > 1 else found[:, 0]), True

    def objective(self, tables: Mapping[str, Tensor], log_likelihood: float) -> float:
        """The penalised log-likelihood."""
        fitted = [scope for scope in self.scopes if not scope.fixed]
        added = (scope.smoothing / scope.shape[1] * tables[scope.name].sum() for scope in fitted)
        return log_likelihood + float(sum(added))

    def iterate(self, tables: Mapping[str, Tensor]) -> Iterator[tuple[dict[str, Tensor], float]]:
        """The tables before each maximisation with their objective, endlessly."""
        now = dict(tables)
        while True:
            counts, log_likelihood = self.expected(now)
            yield now, self.objective(now, log_likelihood)
            now = now | {
                scope.name: smoothed_log(counts[scope.name], scope.smoothing)
                for scope in self.scopes
                if not scope.fixed
            }


def converge(
    counts: ExpectedCounts,
    tables: Mapping[str, Tensor],
    iterations: int = ITERATIONS,
    tolerance: float = TOLERANCE,
) -> tuple[dict[str, Tensor], list[float]]:
    """The tables where expectation-maximisation ends, and the objective after each iteration.

    Args:
        counts: the rows and the shapes of the tables.
        tables: the log-tables that it begins with.
        iterations: limit.
        tolerance: it ends when an iteration gains less than this, relative to the objective.
    """
    trace: list[float] = []
    found = dict(tables)
    for now, objective in counts.iterate(tables):
        found = now
        trace.append(objective)
        gained = len(trace) == 1 or trace[-1] - trace[-2] > tolerance * abs(trace[-1])
        if not gained or len(trace) >= iterations:
            break
    return found, trace


@torch.no_grad()
def fit_tables(
    modules: Mapping[str, Categorical | LatentClass], open_: Sequence[str], columns: Values
) -> list[float]:
    """Fit tables, from what they are, to rows with gaps; the objective after each iteration.

    Args:
        modules: the mechanisms and latent classes, by name.
        open_: the variables that some rows do not show.
        columns: the values of all variables but latent classes, and their regimes.
    """
    levels = {name: modules[name].levels for name in open_}
    counts = ExpectedCounts.count(modules, levels, columns)
    found, trace = converge(counts, {name: _begin(module) for name, module in modules.items()})
    expected, _ = counts.expected(found)
    for name, module in modules.items():
        if isinstance(module, LatentClass):
            module.weights.copy_(found[name][0])
        elif not module.is_given:
            module.table.copy_(found[name])
            module.counts = expected[name]
    return trace


def _begin(module: Categorical | LatentClass) -> Tensor:
    """The log-table to begin with: no cell of one that is fitted is 0, as it would stay so."""
    if isinstance(module, LatentClass):
        return module.log_p[None]
    if module.is_given:
        return module.table
    return torch.log((1 - EVEN) * module.table.exp() + EVEN / module.levels)
