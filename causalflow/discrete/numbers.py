"""Numbers: what the levels of a variable count as in an expectation."""

from __future__ import annotations

from fractions import Fraction

from causalflow.discrete.domain import Domain
from causalflow.errors import QueryError
from causalflow.graph.schema import Class, Image

__all__ = ["level_notes", "level_numbers"]


def level_numbers(domain: Domain) -> list[Fraction]:
    """The number that each level counts as: itself, or its position where levels have names.

    Raises:
        QueryError: the variable is an image.
    """
    if isinstance(domain.declared, Image):
        raise QueryError(f"query: the expectation of the image '{domain.name}'; ask P(...)")
    named = any(isinstance(level, str) for level in domain.levels)
    return [Fraction(k if named else int(level)) for k, level in enumerate(domain.levels)]


def level_notes(domain: Domain) -> list[str]:
    """What an expectation of a class with named levels means; nothing where they are numbers."""
    declared = domain.declared
    if not isinstance(declared, Class) or not any(isinstance(v, str) for v in declared.levels):
        return []
    pairs = ", ".join(f"{level}={k}" for k, level in list(enumerate(declared.levels))[:8])
    return [f"the levels of '{domain.name}' count as {pairs}"]
