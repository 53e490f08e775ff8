"""Numbers: what the levels of a variable count as in an expectation."""

from __future__ import annotations

from fractions import Fraction

from causalflow.discrete.domain import Domain
from causalflow.errors import QueryError
from causalflow.graph.schema import Class, Finite, Image
from causalflow.query.order import counted_as

__all__ = ["level_notes", "level_numbers"]


def level_numbers(domain: Domain) -> list[Fraction]:
    """The number that each level counts as: its own, or its position where levels have names.

    Raises:
        QueryError: the variable is an image.
    """
    if isinstance(domain.declared, Image):
        raise QueryError(f"query: the expectation of the image '{domain.name}'; ask P(...)")
    assert isinstance(domain.declared, Class | Finite)
    levels = domain.declared.type
    numbers = dict(zip(levels.levels, levels.numbers, strict=True))
    return [numbers[level] for level in domain.levels]


def level_notes(domain: Domain) -> list[str]:
    """What an expectation of a class with named levels means; nothing where they are numbers."""
    declared = domain.declared
    if not isinstance(declared, Class) or not declared.type.counting:
        return []
    return [counted_as(domain.name, declared.type)]
