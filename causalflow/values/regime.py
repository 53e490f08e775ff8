"""Regime: which nodes of a row an experiment set, and what such a row tells of the mechanisms.

Notation: S_n the nodes that were set in row n, whatever their parents were; none in an observation.

    row n        v ~ P(v | do(S_n)) = prod_{i not in S_n} p(v_i | pa_i)
    likelihood   node i's mechanism is fitted to the rows with i not in S_n; the value that a node
                 was set to is what its children read
    P(v)         such a row tells nothing of it: whoever estimates P(v) refuses it (`only_observed`)

A column called ``do(NAME)`` says it, a truth value a row. Which rows were set, and to what, must
not depend on what nobody observed.

Source: Pearl (2009), Causality, equation 3.10 (truncated factorisation); Cooper & Yoo (1999),
Causal discovery from a mixture of experimental and observational data.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from causalflow.errors import DataError, one_of
from causalflow.values.column import GAP
from causalflow.values.finite import finite

__all__ = ["only_observed", "read_regimes", "regime_column", "regime_columns"]


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


def read_regimes(nodes: Collection[str], given: Mapping[str, Any]) -> dict[str, NDArray[np.bool_]]:
    """Where each node was set, by node, shape (rows,); nodes without such a column are left out.

    Args:
        nodes: the nodes' names; a column of that very name is a node's, not a regime's.
        given: columns by name; a regime's has truth values, 1 and 0, or texts of them.

    Raises:
        DataError: a row without a truth value, or a regime of what is no column.

    Example:
        >>> read_regimes(["x"], {"x": [1.5, 0.5], "do(x)": ["true", "false"]})
        {'x': array([ True, False])}
    """
    found = {}
    for column, values in given.items():
        name = _set_by(column)
        if name is None or column in nodes:
            continue
        if name not in given:
            raise DataError(f"column '{column}': no column '{name}'; {one_of(name, given)}")
        if name in nodes:
            found[name] = _truths(column, values)
    return found


def only_observed(what: str, names: Iterable[str], columns: Any) -> None:
    """Refuse rows of experiments.

    Args:
        what: is asked of the rows, for the message.
        names: the variables that the rows are of.
        columns: a data frame, or a mapping of columns.

    Raises:
        DataError: a row in which one of the variables was set.
    """
    for column in map(regime_column, names):
        if column in columns and (count := int(_truths(column, columns[column]).sum())):
            raise DataError(
                f"{what}: by column '{column}' {count:,} rows are of an experiment, which tell "
                "nothing of P(v): leave them out"
            )


def _truths(column: str, values: Any) -> NDArray[np.bool_]:
    found = finite((False, True)).read(values, where=f"column '{column}'", error=DataError)
    if np.ndim(found) != 1:
        raise DataError(f"column '{column}': {np.ndim(found)} axes; expected a truth value a row")
    if (found == GAP).any():
        row = int((found == GAP).argmax())
        raise DataError(f"column '{column}', row {row}: a gap; expected a truth value a row")
    return np.asarray(found == 1)


def _set_by(column: object) -> str | None:
    """The node of which a column says where it was set."""
    found = re.fullmatch(r"do\((.+)\)", column) if isinstance(column, str) else None
    return found[1] if found else None
