"""Plain: questions of names alone, read without the grammar.

    P(y, w)    P(y, w | z)    P(y, w | do(x, v))    P(y, w | do(x, v), z)

Most questions are of this form, and the grammar takes longer to read one than identification to
answer it. Everything else, mistakes too, is left to `causalflow.query.language`, which reads this
form to the same query.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from causalflow.graph.schema import Exogenous, Family, Finite, Node
from causalflow.query.query import Intervention, Query, Term
from causalflow.query.words import NAME

__all__ = ["plain_query"]

_NAMES = rf"\s*({NAME}(?:\s*,\s*{NAME})*)\s*"
_BEHIND = rf"\s*do\s*\({_NAMES}\)\s*(?:,{_NAMES})?|{_NAMES}"
_FORM = re.compile(rf"\s*[Pp]r?\s*\({_NAMES}(?:\|(?:{_BEHIND}))?\)\s*")


def plain_query(text: str, variables: Mapping[str, Node | Exogenous] | None) -> Query | None:
    """The query, if the text is plain, names nothing twice, and only what there is.

    Example:
        >>> print(plain_query(" P( y|do(x) ,z)", None), plain_query("P(y | z, do(x))", None))
        P(y | do(x), z) None
    """
    found = _FORM.fullmatch(text)
    if found is None:
        return None
    outcomes, do, given, alone = (_split(part) for part in found.groups())
    names = [*outcomes, *do, *given, *alone]
    if len(set(names)) < len(names) or not _known(names, do, variables):
        return None
    return Query(
        outcomes=tuple(Term(name=name) for name in outcomes),
        conditions=tuple(Term(name=name) for name in given or alone),
        do=tuple(Intervention(variable=name) for name in do),
    )


def _split(part: str | None) -> list[str]:
    return [name.strip() for name in part.split(",")] if part else []


def _known(
    names: list[str], do: list[str], variables: Mapping[str, Node | Exogenous] | None
) -> bool:
    if variables is None:
        return True
    present = all(name in variables for name in names)
    return present and not any(isinstance(variables[name], Finite | Family) for name in do)
