"""Arguments: counts, factors and seeds that a user gives, checked."""

from __future__ import annotations

import math
from collections.abc import Collection
from math import prod
from numbers import Integral, Real

import torch

from causalflow.errors import EvidenceError, one_of, shown
from causalflow.graph.graph import Graph
from causalflow.graph.schema import Image
from causalflow.limits import DRAWN_NUMBERS, DRAWN_ROWS

__all__ = ["Random", "check_count", "check_drawn", "check_number", "check_seed", "read_generator"]

Random = torch.Generator | int | None


def check_count(name: str, value: object) -> None:
    """Refuse what is no whole number, 1 to `DRAWN_ROWS`."""
    whole = int(value) if isinstance(value, Integral) and not isinstance(value, bool) else 0
    if not 1 <= whole <= DRAWN_ROWS:
        raise EvidenceError(
            f"{name}={shown(value)}; expected a whole number, at least 1 and at most {DRAWN_ROWS:,}"
        )


def check_drawn(graph: Graph, rows: int) -> None:
    """Refuse more numbers than one call may draw."""
    sizes = (prod(node.shape) if isinstance(node, Image) else 1 for node in graph.nodes.values())
    if (numbers := rows * sum(sizes)) > DRAWN_NUMBERS:
        raise EvidenceError(
            f"{rows:,} rows of graph '{graph.name}' are {numbers:,} numbers; at most "
            f"{DRAWN_NUMBERS:,} are drawn at once: ask for fewer, or stream to out="
        )


def check_number(name: str, value: object, words: Collection[str] = ()) -> None:
    """Refuse what is no finite number; the message lists the ``words`` that would do as well."""
    if not isinstance(value, Real) or isinstance(value, bool) or not math.isfinite(value):
        allowed = one_of(value, words).replace("expected", "expected a number or", 1)
        raise EvidenceError(f"{name}={value!r}; {allowed if words else 'expected a number'}")


def read_generator(given: Random, device: torch.device) -> torch.Generator:
    """A generator on ``device``: the given one, or one seeded by it (None: by 0)."""
    if isinstance(given, torch.Generator):
        if given.device.type == device.type:
            return given
        given = int(torch.randint(2**62, (), generator=given, device=given.device))
    return torch.Generator(device).manual_seed(check_seed(given))


def check_seed(given: object) -> int:
    """A seed; None is 0."""
    seed = 0 if given is None else given
    if not isinstance(seed, Integral) or not 0 <= int(seed) < 2**63:
        raise EvidenceError(
            f"generator={shown(given)}; expected a torch.Generator or a seed, 0 or more"
        )
    return int(seed)
