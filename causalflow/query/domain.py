"""Domain: which values a query may give a variable, by the variable's declared type.

class             a level by name, or by its index 0..K-1; names come first where both fit, in the
                  text of a query (a number given as evidence is an index first)
continuous        a number within the support
discrete image    the code 0..levels^pixels - 1 of the whole image
image             none
symbol            any
exogenous         0..K-1 if finite, else a number
"""

from __future__ import annotations

import math

from causalflow.errors import QueryError, one_of
from causalflow.graph.schema import (
    Class,
    Continuous,
    Exogenous,
    Family,
    Finite,
    Image,
    Level,
    Node,
    Symbol,
)
from causalflow.query.query import Value

__all__ = ["resolve"]


def resolve(name: str, declared: Node | Exogenous, value: Value) -> Value:
    """The value itself: a class's level for its index, a float for a continuous variable.

    Raises:
        QueryError: the variable cannot take the value.

    Example:
        >>> resolve("color", Class(levels=("green", "red")), 1)
        'red'
    """
    match declared:
        case Symbol():
            return value
        case Class(levels=levels):
            return _level(name, levels, value)
        case Finite(p=p):
            return _level(name, tuple(range(len(p))), value)
        case Continuous(support=support):
            return _number(name, support, value)
        case Family():
            return _number(name, (-math.inf, math.inf), value)
        case Image(levels=None):
            raise QueryError(f"query: image node '{name}' takes no value in a query; name it alone")
        case Image(levels=int(count), shape=shape):
            return _code(name, count ** math.prod(shape), value)
    raise QueryError(f"query: '{name}' has no type that takes values")  # pragma: no cover


def _level(name: str, levels: tuple[Level, ...], value: Value) -> Level:
    for level in levels:
        if level == value or str(level) == str(value):
            return level
    index = _whole(value)
    if index is not None and 0 <= index < len(levels):
        return levels[index]
    numbered = ", by name or by index" if any(isinstance(level, str) for level in levels) else ""
    allowed = one_of(value, levels)
    raise QueryError(f"query: node '{name}' has no level {value!r}{numbered}; {allowed}")


def _number(name: str, support: tuple[float, float], value: Value) -> float:
    low, high = support
    try:
        number = math.nan if isinstance(value, str) else float(value)
    except OverflowError:
        number = math.inf
    if not (math.isfinite(number) and low < number < high):
        given = repr(value)[:40]
        raise QueryError(
            f"query: node '{name}' is given {given}; expected a number in ({low:g}, {high:g})"
        )
    return number


def _code(name: str, count: int, value: Value) -> int:
    code = _whole(value)
    if code is None or not 0 <= code < count:
        limit = f"{count - 1}" if count <= 10**12 else "levels^pixels - 1"
        given = repr(value)[:40]
        raise QueryError(
            f"query: image node '{name}' is given {given}; expected its code, 0 to {limit}"
        )
    return code


def _whole(value: Value) -> int | None:
    """The value as an integer, if it is a whole number."""
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    return value if isinstance(value, int) else None
