"""Regime: which nodes of a row an experiment set, and what such a row tells of the mechanisms.

Notation: S_n the nodes that were set in row n, whatever their parents were; none in an observation.

    row n        v ~ P(v | do(S_n)) = prod_{i not in S_n} p(v_i | pa_i)
    likelihood   node i's mechanism is fitted to the rows with i not in S_n; the value that a node
                 was set to is what its children read

Data say it by a column of truth values for every node that was ever set, called ``do(NAME)``; in a
batch the node has a gap in place of its own value where its mechanism is fitted, and no gap where
it is a parent. Which rows were set, and to what, must not depend on what nobody observed.

Source: Pearl (2009), Causality, equation 3.10 (truncated factorisation); Cooper & Yoo (1999),
Causal discovery from a mixture of experimental and observational data.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from causalflow.errors import DataError, one_of
from causalflow.mechanisms.mechanism import Values
from causalflow.values.column import GAP
from causalflow.values.finite import finite

__all__ = ["natural", "read_regimes", "regime_column", "regime_columns", "untouched"]


def regime_column(name: str) -> str:
    """The column that says in which rows a node was set.

    Example:
        >>> regime_column("dose")
        'do(dose)'
    """
    return f"do({name})"


def regime_columns(names: Iterable[str]) -> frozenset[str]:
    """Those of some columns that say which of the others were set."""
    given = frozenset(names)
    return given & {regime_column(name) for name in given}


def read_regimes(nodes: Collection[str], given: Mapping[str, Any]) -> dict[str, Tensor]:
    """Where each node was set, by node: bool, shape (rows,); nodes without such a column left out.

    Args:
        nodes: the nodes' names; a column of that very name is a node's, not a regime's.
        given: columns by name; a regime's has a truth value a row, 1 and 0, or texts of them.

    Raises:
        DataError: a row without a truth value, or a regime of what is no column.
    """
    found = {}
    for column, values in given.items():
        name = _set_by(column)
        if name is None or column in nodes:
            continue
        if name not in given:
            raise DataError(f"column '{column}': no column '{name}'; {one_of(name, given)}")
        truths = finite((False, True)).read(values, where=f"column '{column}'", error=DataError)
        if (truths == GAP).any():
            row = int((truths == GAP).argmax())
            raise DataError(f"column '{column}', row {row}: a gap; expected a truth value a row")
        if name in nodes:
            found[name] = torch.from_numpy(truths == 1)
    return found


def _set_by(column: object) -> str | None:
    """The node of which a column says where it was set."""
    found = re.fullmatch(r"do\((.+)\)", column) if isinstance(column, str) else None
    return found[1] if found else None


def natural(values: Values, name: str) -> Tensor | None:
    """Where a node's own mechanism made its value: bool, shape (batch,); None: in every row."""
    was_set = values.get(regime_column(name))
    return None if was_set is None else ~was_set


def untouched(values: Values, name: str) -> Values:
    """The values as the mechanism of a node is fitted to them: a gap of it where it was set.

    Example:
        >>> values = {"x": torch.tensor([1, 0]), "do(x)": torch.tensor([True, False])}
        >>> untouched(values, "x")["x"]
        tensor([-1,  0])
    """
    own = natural(values, name)
    if own is None:
        return values
    value = values[name]
    gap = torch.nan if value.is_floating_point() else GAP
    return {**values, name: torch.where(own.view(-1, *[1] * (value.ndim - 1)), value, gap)}
