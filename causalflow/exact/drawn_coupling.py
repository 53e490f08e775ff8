"""Drawn coupling: the joint law of one node in several worlds, for many draws of its table at once.

The laws of `causalflow.exact.coupling`, in floats: there a table is known in fractions, here it is
one of many that may be. With gumbel noise and two different rows p, q of the table, e_k the race of
that module and t = e_j / e_i,

    P(i, i) = 1 / sum_k max(p_k / p_i, q_k / q_i)
    P(i, j) = integral of dt / L(t)^2 over p_j / p_i <= t <= q_j / q_i,
              L(t) = sum_k max(p_k / p_i, t q_k / q_j)

L is linear between the points (p_k q_j) / (p_i q_k), and the integral over a piece [s, t] of it is
(t - s) / (L(s) L(t)).

Source: Oberst & Sontag (2019) for Gumbel-max.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from causalflow.errors import CausalflowError

__all__ = ["coupled_draws"]

Laws: TypeAlias = np.ndarray[Any, np.dtype[np.float64]]


def coupled_draws(choice: str, rows: Sequence[int], laws: Sequence[Laws]) -> Laws:
    """J(v_1, ..., v_m) in each draw, shape (draws, K, ..., K).

    Args:
        choice: "response", "monotone" or "gumbel".
        rows: which combination of the parents' values each copy has; copies with the same one are
            equal.
        laws: the row of the table that each copy has, shape (draws, K).

    Raises:
        CausalflowError: a choice of one's own, or gumbel noise and more than two different rows.
    """
    different = list(dict.fromkeys(rows))
    joint = _joint(choice, [laws[rows.index(row)] for row in different])
    order = [rows.index(row) for row in different]
    for place, row in enumerate(rows):
        if place not in order:
            joint = _with_equal(joint, different.index(row))
            order.append(place)
    return np.moveaxis(joint, range(1, len(rows) + 1), [1 + place for place in order])


def _with_equal(joint: Laws, axis: int) -> Laws:
    """A further axis, on which the value is that of an earlier one."""
    size = joint.shape[1 + axis]
    shape = [1] * (joint.ndim + 1)
    shape[1 + axis] = shape[-1] = size
    return joint[..., None] * np.eye(size).reshape(shape)


def _joint(choice: str, laws: Sequence[Laws]) -> Laws:
    if len(laws) == 1:
        return laws[0]
    match choice:
        case "response":
            return _outer(laws, np.multiply)
        case "monotone":
            ends = [np.cumsum(law, axis=1) for law in laws]
            high = _outer(ends, np.minimum)
            low = _outer([end - law for end, law in zip(ends, laws, strict=True)], np.maximum)
            return np.maximum(high - low, 0.0)
        case "gumbel" if len(laws) == 2:
            return _gumbel(*laws)
        case _:
            raise CausalflowError(
                f"interval: a node with noise '{choice}' in {len(laws)} worlds with different "
                "parents; 'monotone' and 'response' take any number, 'gumbel' two"
            )


def _outer(laws: Sequence[Laws], combine: np.ufunc) -> Laws:
    """The laws combined over an axis each."""
    found = laws[0]
    for law in laws[1:]:
        found = combine(found[..., None], law.reshape(len(law), *[1] * (found.ndim - 1), -1))
    return found


def _gumbel(p: Laws, q: Laws) -> Laws:
    levels = p.shape[1]
    joint = np.empty((len(p), levels, levels))
    for i in range(levels):
        first = p / p[:, [i]]
        for j in range(levels):
            second = q / q[:, [j]]
            if i == j:
                joint[:, i, i] = 1 / np.maximum(first, second).sum(axis=1)
                continue
            low, high = first[:, [j]], 1 / second[:, [i]]
            points = np.sort(np.clip(first / second, low, np.maximum(low, high)), axis=1)
            load = np.maximum(first[:, None], points[..., None] * second[:, None]).sum(axis=2)
            pieces = np.diff(points, axis=1) / (load[:, 1:] * load[:, :-1])
            joint[:, i, j] = pieces.sum(axis=1)
    return joint
