"""Positivity: the cells of the data on which a formula conditions and that never occur.

A conditional P(y | x) says nothing where P(x) = 0; `causalflow.symbolic.evaluate` counts it as 0
there, which is right only where the formula gives the cell no weight.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import compress

from causalflow.symbolic.binding import without_shadows
from causalflow.symbolic.evaluate import Data, evaluate
from causalflow.symbolic.expression import (
    Expression,
    Linear,
    One,
    Probability,
    Product,
    Ratio,
    Sum,
    Weighted,
    Zero,
)
from causalflow.symbolic.render import to_text
from causalflow.tables.table import Table

__all__ = ["MAX_CELLS", "empty_cells"]

MAX_CELLS = 5


def empty_cells(expression: Expression, data: Data) -> tuple[str, ...]:
    """A sentence for each denominator of the formula that is zero somewhere, with the first cells.

    Example:
        >>> from causalflow.symbolic.expression import probability
        >>> table = Table(["x", "y"], [[0.0, 0.0], [0.4, 0.6]])
        >>> empty_cells(probability("y", given="x"), table)
        ('P(x) is 0 at x=0',)
    """
    found = dict.fromkeys(_denominators(without_shadows(expression)))
    zeros = ((denominator, _zeros(evaluate(denominator, data))) for denominator in found)
    return tuple(f"{to_text(each)} is 0 at {cells}" for each, cells in zeros if cells)


def _denominators(node: Expression) -> Iterator[Expression]:
    match node:
        case Probability():
            if node.given:
                yield Probability(node.given, (), node.do)
        case Sum():
            yield from _denominators(node.body)
        case Product():
            for factor in node.factors:
                yield from _denominators(factor)
        case Ratio():
            yield from _denominators(node.numerator)
            yield from _denominators(node.denominator)
            yield node.denominator
        case Weighted():
            for _, term in node.terms:
                yield from _denominators(term)
        case Linear() | One() | Zero():
            return


def _zeros(table: Table) -> str:
    cells = [*compress(table.cells(), (table.values == 0).ravel().tolist())]
    shown = [
        ", ".join(f"{axis}={level}" for axis, level in zip(table.axes, cell, strict=True))
        for cell in cells[:MAX_CELLS]
    ]
    more = [f"{len(cells) - MAX_CELLS} more"] if len(cells) > MAX_CELLS else []
    return "; ".join(shown + more)
