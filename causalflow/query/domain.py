"""Domain: which values a query may give a variable, by the variable's declared type.

class             a level, exogenous ones too: see `causalflow.values.finite`
continuous        a number within the support
discrete image    the code 0..levels^pixels - 1 of the whole image
image             none
symbol            any
"""

from __future__ import annotations

import math

from causalflow.errors import QueryError
from causalflow.graph.schema import (
    Class,
    Continuous,
    Exogenous,
    Family,
    Finite,
    Image,
    Node,
    Symbol,
)
from causalflow.query.query import Value
from causalflow.query.words import literal, unquoted

__all__ = ["resolve", "written_level"]


def resolve(name: str, declared: Node | Exogenous, value: Value) -> Value:
    """The value itself: a class's level as it is declared, a float for a continuous variable.

    Raises:
        QueryError: the variable cannot take the value.

    Example:
        >>> resolve("color", Class(levels=("green", "red")), 1)
        'red'
    """
    where = f"query: node '{name}'"
    match declared:
        case Symbol():
            return value
        case Class() | Finite():
            levels = declared.type
            return levels.levels[levels.position(value, where=where, error=QueryError)]
        case Continuous() | Family():
            number = float(declared.type.read(value, where=where, error=QueryError))
            if math.isnan(number):
                raise QueryError(f"{where}: {value!r} is no number")
            return number
        case Image(levels=None):
            raise QueryError(f"query: image node '{name}' takes no value in a query; name it alone")
        case Image(levels=int(count), shape=shape):
            return _code(name, count ** math.prod(shape), value)
    raise QueryError(f"query: '{name}' has no type that takes values")  # pragma: no cover


def written_level(name: str, declared: Node | Exogenous, text: str) -> Value:
    """The value that a text says; a level keeps all its digits, and the zeros before them.

    Raises:
        QueryError: the variable cannot take the value.
    """
    finite = isinstance(declared, Class | Finite)
    return resolve(name, declared, unquoted(text) if finite else literal(text))


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
