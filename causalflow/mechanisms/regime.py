"""Regime: what a row in which an experiment set nodes tells of the mechanisms.

Notation: S_n the nodes that were set in row n, whatever their parents were; none in an observation.

    row n        v ~ P(v | do(S_n)) = prod_{i not in S_n} p(v_i | pa_i)
    likelihood   node i's mechanism is fitted to the rows with i not in S_n; the value that a node
                 was set to is what its children read

A batch has a column of truth values for every node that was ever set (`causalflow.values.regime`).
A mechanism sees a gap in place of its own node's value where that was set, and none where the node
is a parent. Which rows were set, and to what, must not depend on what nobody observed.

Source: Pearl (2009), Causality, equation 3.10 (truncated factorisation); Cooper & Yoo (1999),
Causal discovery from a mixture of experimental and observational data.
"""

from __future__ import annotations

import torch
from torch import Tensor

from causalflow.mechanisms.mechanism import Values
from causalflow.values.column import GAP
from causalflow.values.regime import regime_column

__all__ = ["natural", "untouched"]


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
