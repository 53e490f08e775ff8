"""Field: the velocity that a solver integrates, and the same given the parents' values.

Notation: y the position in flow coordinates (`causalflow.diffusion.path`), tau its time, one number
for all rows or one a row; c the values of the image's parents by name, a row each. An unlabelled
value is -1 (class) or NaN (otherwise): the *null* of the embedding (`causalflow.nn.embedding`).

    Field             v(y, tau)
    ConditionalField  v(y, tau, c); what else the network needs by row (the semantic code) is in c
                      too, under a name that is no parent's: it is carried along, never nulled

A reference holds the factual values of the parents; a parent has *changed* in a row where its value
is not the reference's (both unlabelled: it has not).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias

import torch
from torch import Tensor

__all__ = [
    "ConditionalField",
    "Field",
    "Time",
    "Values",
    "any_changed",
    "changed",
    "known",
    "nulled",
]

Time: TypeAlias = float | Tensor
Values: TypeAlias = Mapping[str, Tensor]
Field: TypeAlias = Callable[[Tensor, Time], Tensor]
ConditionalField: TypeAlias = Callable[[Tensor, Time, Values], Tensor]


def known(value: Tensor) -> Tensor:
    """Whether each row has a value: bool, shape (batch,)."""
    if not value.is_floating_point():
        return value >= 0
    return ~value.isnan().flatten(1).any(dim=1) if value.ndim > 1 else ~value.isnan()


def changed(value: Tensor, reference: Tensor) -> Tensor:
    """Whether each row's value is another than its reference: bool, shape (batch,).

    Example:
        >>> changed(torch.tensor([1, 2, -1, 0]), torch.tensor([1, 0, -1, -1])).tolist()
        [False, True, False, True]
    """
    differs = value != reference
    differs = differs.flatten(1).any(dim=1) if differs.ndim > 1 else differs
    return differs & (known(value) | known(reference))


def any_changed(values: Values, reference: Values, names: Iterable[str]) -> Tensor:
    """Whether a parent of ``names``, which are not empty, has changed: bool, shape (batch,)."""
    return torch.stack([changed(values[n], reference[n]) for n in names]).any(dim=0)


def nulled(values: Values, names: Iterable[str]) -> dict[str, Tensor]:
    """``values`` with the null in every row of ``names``.

    Example:
        >>> nulled({"digit": torch.tensor([3]), "width": torch.tensor([2.5])}, ["digit"])
        {'digit': tensor([-1]), 'width': tensor([2.5000])}
    """
    return {**values, **{n: torch.full_like(values[n], _null(values[n])) for n in names}}


def _null(value: Tensor) -> float:
    return torch.nan if value.is_floating_point() else -1
