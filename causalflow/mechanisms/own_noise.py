"""Own noise: what a mechanism's noise is to another mechanism that listens to it, one number a row.

Notation: x = f(pa, u) the node that is heard (`causalflow.graph.hearing`).

    class         x itself
    continuous    u of N(0, 1)
    count         z of N(0, 1), whose count is x

A row in which x was set, or x or a parent of it is missing, tells nothing of u: a gap.
"""

from __future__ import annotations

import torch
from torch import Tensor

from causalflow.errors import CompileError
from causalflow.mechanisms.categorical import Categorical
from causalflow.mechanisms.continuous import ContinuousMechanism
from causalflow.mechanisms.count import CountMechanism
from causalflow.mechanisms.image.classifier import home_of
from causalflow.mechanisms.mechanism import Mechanism, Noise, Values, all_labelled, filled, natural
from causalflow.mechanisms.regression.regression_mechanism import RegressionMechanism
from causalflow.values.column import GAP

__all__ = ["NORMAL", "check_heard", "column", "number", "with_number"]

NUMBERS = ("u", "z")
"""What the number is called in the noise of the mechanisms that have one."""
NORMAL = (ContinuousMechanism, RegressionMechanism, CountMechanism)
"""Mechanisms whose noise has one normal number."""
HEARD = (Categorical, *NORMAL)


def check_heard(name: str, listener: str, mechanism: Mechanism) -> None:
    """Refuse a mechanism whose noise is no number.

    Raises:
        CompileError: a mechanism of another kind.
    """
    if not isinstance(mechanism, HEARD):
        raise CompileError(
            f"node '{name}': '{listener}' listens to its noise by '<->', and its mechanism's noise "
            "is no number; expected a class, continuous or count node of the package"
        )


def number(noise: Noise) -> Tensor:
    """The number that the noise of a heard node is, shape (batch,)."""
    return next(noise[key] for key in NUMBERS if key in noise)


def with_number(drawn: Noise, given: Tensor) -> Noise:
    """The noise that has this number, and is as it was drawn in all else."""
    key = next(key for key in NUMBERS if key in drawn)
    return {**drawn, key: given.to(drawn[key])}


@torch.no_grad()
def column(
    name: str,
    mechanism: Mechanism,
    parents: Values | None,
    values: Values,
    generator: torch.Generator,
) -> Tensor:
    """What listeners hear of a node in rows of data, shape (batch,).

    Args:
        name: the node.
        mechanism: its.
        parents: what its mechanism is told; None of a class, whose value is heard.
        values: the columns, gaps and regimes among them.
        generator: draws where several numbers give the value.
    """
    value, own = values[name], natural(values, name)
    gap = torch.nan if value.is_floating_point() or parents is not None else GAP
    if parents is None:
        return value if own is None else torch.where(own, value, gap)
    known = all_labelled({**values, **parents}, [name, *parents])
    known = known if own is None else known & own
    whole = filled({**values, **parents}, [name, *parents])
    rows = known.nonzero()[:, 0]
    found = torch.full(value.shape, torch.nan, dtype=torch.float64, device=value.device)
    if len(rows):
        home = home_of([mechanism])
        told = {each: whole[each][rows].to(home) for each in parents}
        heard = number(mechanism.abduct(whole[name][rows].to(home), told, generator))
        found[rows] = heard.to(found)
    return found
