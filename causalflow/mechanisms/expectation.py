"""Expectation: the counts and steps of expectation-maximisation for tables with latent parents.

Notation: r a distinct row of the data, n_r how often it occurs, s a joint state of the latents,
q(s | r) the responsibilities. Rows in which other children were set are distinct; there the table
of a child that was set has no part (`causalflow.values.regime`).

Each table is a matrix of log-probabilities, and (r, s) uses its cell base[r] + offset[s]: so one
index gathers the tables in the expectation step, and scatters the counts n_r q(s | r) in the
maximisation step.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from causalflow.errors import CompileError, DataError
from causalflow.limits import EXPECTATION_CELLS
from causalflow.mechanisms.categorical import PSEUDO_COUNT, Categorical, smoothed_log
from causalflow.mechanisms.mechanism import Values, all_labelled
from causalflow.values.regime import regime_column

__all__ = ["RowCounts", "TableIndex", "count_rows"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TableIndex:
    """Which cell of a table (rows, K) each (r, s) uses.

    Attributes:
        shape: the table's shape.
        base: shape (distinct rows,).
        offset: shape (states,).
        natural: 1 where the table made a row's value, 0 where it was set: (distinct rows, 1).
    """

    shape: tuple[int, int]
    base: Tensor
    offset: Tensor
    natural: Tensor

    def cells(self) -> Tensor:
        """Flat indices, shape (distinct rows, states)."""
        return self.base[:, None] + self.offset


@dataclass(frozen=True, slots=True, kw_only=True)
class RowCounts:
    """The distinct rows of the data and the tables that explain them.

    Attributes:
        rows: name -> value in each distinct row.
        weight: n_r, float64.
        tables: the tables of the latents and the children, by name.
    """

    rows: Mapping[str, Tensor]
    weight: Tensor
    tables: Mapping[str, TableIndex]

    def maximise(self, responsibility: Tensor) -> dict[str, Tensor]:
        """The best log-tables given the responsibilities q, shape (distinct rows, states)."""
        share = self.weight[:, None] * responsibility
        return {
            name: smoothed_log(
                share.new_zeros(table.shape)
                .view(-1)
                .index_add_(0, table.cells().flatten(), (table.natural * share).flatten())
                .view(table.shape)
            )
            for name, table in self.tables.items()
        }

    def log_joint(self, tables: Mapping[str, Tensor]) -> Tensor:
        """log p(s) p(v_r | s), shape (distinct rows, states)."""
        return torch.stack(
            [
                table.natural * tables[name].view(-1)[table.cells()]
                for name, table in self.tables.items()
            ]
        ).sum(0)

    def objective(self, tables: Mapping[str, Tensor], log_joint: Tensor) -> float:
        """The penalised log-likelihood."""
        penalty = sum(
            PSEUDO_COUNT / table.shape[1] * float(table.sum()) for table in tables.values()
        )
        return float(self.weight @ log_joint.logsumexp(1)) + penalty


def count_rows(
    grid: Mapping[str, Tensor],
    levels: Mapping[str, int],
    children: Mapping[str, Categorical],
    values: Values,
) -> RowCounts:
    """Count the rows in which the children and their parents are labelled.

    Args:
        grid: latent -> its state in each joint state, shape (states,).
        levels: latent -> its number of states.
        children: the children, which have tables, by name.
        values: the values of the children and their parents, and their regimes.

    Raises:
        DataError: there is no such row.
        CompileError: distinct rows times joint states are too many.
    """
    names = sorted({*children, *(p for c in children.values() for p in c.parents)} - set(grid))
    keep = all_labelled(values, names)
    if not keep.any():
        raise DataError(
            f"nodes {sorted(children)}: no row has a label of them and of their parents"
        )
    device = next(iter(grid.values())).device
    marks = [regime_column(name) for name in children if regime_column(name) in values]
    whole = torch.stack([values[name][keep].to(device).long() for name in (*names, *marks)], dim=1)
    distinct, counts = torch.unique(whole, dim=0, return_counts=True)
    states = len(next(iter(grid.values())))
    if len(distinct) * states > EXPECTATION_CELLS:
        raise CompileError(
            f"nodes {sorted(children)}: {len(distinct)} distinct rows times {states} joint states "
            f"of the hidden causes are too many (limit {EXPECTATION_CELLS})"
        )
    rows = dict(zip((*names, *marks), distinct.T, strict=True))
    tables = {name: _latent_index(levels[name], column, counts) for name, column in grid.items()}
    tables |= {name: _child_index(child, rows, grid) for name, child in children.items()}
    return RowCounts(rows=rows, weight=counts.double(), tables=tables)


def _latent_index(levels: int, column: Tensor, counts: Tensor) -> TableIndex:
    return TableIndex(
        shape=(1, levels),
        base=torch.zeros_like(counts),
        offset=column,
        natural=torch.ones_like(counts)[:, None],
    )


def _child_index(child: Categorical, rows: Values, grid: Values) -> TableIndex:
    assert child.strides is not None
    base, offset = rows[child.name].clone(), torch.zeros_like(next(iter(grid.values())))
    for parent, stride in child.strides.items():
        if parent in grid:
            offset += stride * child.levels * grid[parent]
        else:
            base += stride * child.levels * rows[parent]
    rows_of_table, levels = child.table.shape
    was_set = rows.get(regime_column(child.name), torch.zeros_like(base))
    return TableIndex(
        shape=(rows_of_table, levels), base=base, offset=offset, natural=1 - was_set[:, None]
    )
