r"""Render: a formula as text, LaTeX, MathML and a sympy expression; no bound index shadows another.

>>> from causalflow.symbolic.expression import probability
>>> from causalflow.symbolic.simplify import product_of, sum_of
>>> inner = sum_of([Index("x")], product_of([probability("x"), probability("y", "mx")]))
>>> front_door = sum_of([Index("m")], product_of([probability("m", "x"), inner]))
>>> print(to_text(front_door))
sum_m P(m | x) sum_x' P(y | m, x') P(x')
>>> print(to_latex(front_door))
\sum_{m} P(m \mid x) \sum_{x'} P(y \mid m, x')\, P(x')
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from causalflow.query.policy import Untold, policy_text
from causalflow.symbolic.expression import (
    Chosen,
    Event,
    Expression,
    Index,
    Linear,
    One,
    Probability,
    Product,
    Ratio,
    Sum,
    Weighted,
    Written,
    Zero,
    as_latex,
    as_text,
)
from causalflow.symbolic.style import LATEX, MATHML, TEXT, Style, pieces, scaled
from causalflow.symbolic.substitute import without_shadows

if TYPE_CHECKING:
    import sympy

__all__ = ["formula", "to_latex", "to_mathml", "to_sympy", "to_text"]

_PRIVATE = 0xE000
"""The first letter of Unicode's that no text has: it stands for what is written already."""


def to_text(expression: Expression) -> str:
    """The formula in one line of plain text."""
    return formula(expression, TEXT)


def to_latex(expression: Expression) -> str:
    """The formula in LaTeX's mathematics mode."""
    return formula(expression, LATEX)


def to_mathml(expression: Expression) -> str:
    """The formula in MathML: an element ``<math>`` for each factor or term, which wrap as words do.

    Example:
        >>> to_mathml(One())
        '<math xmlns="http://www.w3.org/1998/Math/MathML" displaystyle="true"><mn>1</mn></math>'
    """
    return " ".join(pieces(formula(expression, MATHML)))


def formula(expression: Expression, style: Style) -> str:
    """The formula in a style; in MathML what `causalflow.symbolic.style.pieces` cuts."""
    return _render(without_shadows(expression), style)


as_text.register(Written, to_text)
as_latex.register(Written, to_latex)


def to_sympy(expression: Expression) -> sympy.Expr:
    """The formula with a symbol for each probability, named by its text, and a `Sum` for each sum.

    Sums run over a set of levels that is a symbol too: Val(x) for the variable x.
    """
    import sympy

    return _sympify(without_shadows(expression), sympy)


def _render(node: Expression, style: Style) -> str:
    match node:
        case Probability():
            return _probability(node, style)
        case Sum():
            body = _render(node.body, style)
            whole = style.bracketed(body) if isinstance(node.body, Weighted) else body
            return style.total([_index(index, style) for index in node.over]) + whole
        case Product():
            return _join(node.factors, style)
        case Ratio():
            return style.ratio(_render(node.numerator, style), _render(node.denominator, style))
        case Chosen():
            return _chosen(node, style)
        case Linear():
            return _linear(node, style)
        case Weighted():
            return _weighted(node, style)
        case One():
            return style.value(1)
        case Zero():
            return style.value(0)


def _join(factors: tuple[Expression, ...], style: Style) -> str:
    """Factors side by side; a sum reaches to the end, so one that is not last gets brackets."""
    texts = []
    for position, factor in enumerate(factors):
        text = _render(factor, style)
        ends = position == len(factors) - 1
        bracketed = isinstance(factor, Weighted) or (isinstance(factor, Sum) and not ends)
        if isinstance(factor, Ratio) and style is TEXT:
            bracketed = True
        texts.append(style.bracketed(text) if bracketed else text)
    line = texts[0]
    for factor, text in zip(factors[1:], texts[1:], strict=True):
        line += (style.before_sum if isinstance(factor, Sum) else style.space) + text
    return line


def _probability(node: Probability, style: Style) -> str:
    outcomes, given, do = (_events(part, style) for part in (node.outcomes, node.given, node.do))
    behind = [style.do(style.joined(do))] if do else []
    return style.chance(style.name("P"), style.joined(outcomes), style.joined(behind + given))


def _events(events: tuple[Event, ...], style: Style) -> list[str]:
    return [_event(event, style) for event in events]


def _event(event: Event, style: Style) -> str:
    """An index of the variable itself stands for the event; anything else is written out."""
    if isinstance(event.value, Index) and event.value.name == event.name:
        return _index(event.value, style)
    return style.equal(style.name(event.name), _value_of(event, style))


def _chosen(node: Chosen, style: Style) -> str:
    """The policy at its events: ``[x = 1 - z]``, ``[x' = x + 1]``, ``pi(x | z)``."""
    own, *read = (_value_of(event, style) for event in (node.outcome, *node.given))
    how = node.policy.how
    if isinstance(how, Untold) and how.random:
        return style.chance(style.name(how.name), own, style.joined(read))
    blanks = [chr(_PRIVATE + place) for place in range(1 + len(read))]
    known = dict(zip((event.name for event in node.given), blanks[1:], strict=True))
    text = policy_text(node.policy, blanks[0], known)
    written = dict(zip(blanks, (own, *read), strict=True))
    return style.bracketed(style.words(text, written), "[]")


def _index(index: Index, style: Style) -> str:
    return style.index(index.name, index.primes)


def _value_of(event: Event, style: Style) -> str:
    value = event.value
    return _index(value, style) if isinstance(value, Index) else style.value(value)


def _linear(node: Linear, style: Style) -> str:
    line = ""
    for coefficient, event in node.terms:
        sign = scaled(coefficient, style, first=not line)
        line += sign + _value_of(event, style)
    return line if len(node.terms) == 1 else style.bracketed(line)


def _weighted(node: Weighted, style: Style) -> str:
    """Sums reach to the end of the line, so each term but a probability stands in brackets."""
    line = ""
    for coefficient, term in node.terms:
        text = _render(term, style)
        whole = text if isinstance(term, Probability) else style.bracketed(text, "[]")
        line += scaled(coefficient, style, first=not line) + whole
    return line


def _sympify(node: Expression, sympy: Any) -> Any:
    match node:
        case Probability():
            return sympy.Symbol(_render(node, TEXT), nonnegative=True)
        case Sum():
            body = _sympify(node.body, sympy)
            total = sympy.Function("Sum")
            return total(body, *(sympy.Symbol(str(index)) for index in node.over))
        case Product():
            return sympy.Mul(*(_sympify(factor, sympy) for factor in node.factors))
        case Ratio():
            return _sympify(node.numerator, sympy) / _sympify(node.denominator, sympy)
        case Chosen():
            return sympy.Symbol(_render(node, TEXT), nonnegative=True)
        case Linear():
            return sympy.Add(*(_scaled(c, event, sympy) for c, event in node.terms))
        case Weighted():
            parts = ((c, _sympify(term, sympy)) for c, term in node.terms)
            return sympy.Add(*(sympy.Rational(c.numerator, c.denominator) * e for c, e in parts))
        case One():
            return sympy.Integer(1)
        case Zero():
            return sympy.Integer(0)


def _scaled(coefficient: Any, event: Event, sympy: Any) -> Any:
    number = sympy.Rational(coefficient.numerator, coefficient.denominator)
    value = event.value
    known = not isinstance(value, Index) and not isinstance(value, str)
    return number * (sympy.sympify(value) if known else sympy.Symbol(str(value)))
