r"""Render: a formula as text, LaTeX and a sympy expression; no bound index shadows another.

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

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from causalflow.query.policy import Untold, policy_text
from causalflow.query.query import Term, Value
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
from causalflow.symbolic.substitute import without_shadows

if TYPE_CHECKING:
    import sympy

__all__ = ["latex_name", "to_latex", "to_sympy", "to_text"]


def to_text(expression: Expression) -> str:
    """The formula in one line of plain text."""
    return _render(without_shadows(expression), _TEXT)


def to_latex(expression: Expression) -> str:
    """The formula in LaTeX's mathematics mode."""
    return _render(without_shadows(expression), _LATEX)


as_text.register(Written, to_text)
as_latex.register(Written, to_latex)


def to_sympy(expression: Expression) -> sympy.Expr:
    """The formula with a symbol for each probability, named by its text, and a `Sum` for each sum.

    Sums run over a set of levels that is a symbol too: Val(x) for the variable x.
    """
    import sympy

    return _sympify(without_shadows(expression), sympy)


_LATEX_SIGNS = {letter: rf"\{letter}" for letter in "#$%&_{} "}
_LATEX_SIGNS |= {"\\": r"\backslash ", "^": r"\wedge ", "~": r"\sim "}


@lru_cache(maxsize=65_536)
def latex_name(name: str) -> str:
    r"""A variable in LaTeX: single letters and numbered ones as symbols, words upright.

    Example:
        >>> latex_name("v10"), latex_name("blood_pressure")
        ('v_{10}', '\\mathrm{blood\\_pressure}')
    """
    if found := re.fullmatch(r"([^\W\d_])_?([0-9]*)", name):
        return found[1] + (f"_{{{found[2]}}}" if found[2] else "")
    if found := re.fullmatch(r"([^\W\d_])_([^\W_]+)", name):
        return f"{found[1]}_{{{found[2]}}}"
    escaped = "".join(_LATEX_SIGNS.get(letter, letter) for letter in name)
    return rf"\mathrm{{{escaped}}}"


@lru_cache(maxsize=65_536)
def _text_name(name: str) -> str:
    return str(Term(name=name))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Style:
    """What differs between the two forms."""

    bar: str
    do: str
    space: str
    equals: str
    is_latex: bool

    def name(self, name: str) -> str:
        return latex_name(name) if self.is_latex else _text_name(name)

    def value(self, value: Value) -> str:
        if not self.is_latex:
            return str(Term(name="v", value=value)).removeprefix("v=")
        return rf"\mathrm{{{value}}}" if isinstance(value, str) else str(value)

    def index(self, index: Index) -> str:
        name = self.name(index.name)
        return name + "'" * index.primes if index.primes else name

    def total(self, over: Iterable[Index]) -> str:
        indices = [self.index(index) for index in over]
        if self.is_latex:
            return rf"\sum_{{{', '.join(indices)}}} "
        return f"sum_{indices[0]} " if len(indices) == 1 else f"sum_{{{', '.join(indices)}}} "

    def ratio(self, above: str, below: str) -> str:
        return rf"\frac{{{above}}}{{{below}}}" if self.is_latex else f"[{above}] / [{below}]"


_TEXT = _Style(bar=" | ", do="do", space=" ", equals="=", is_latex=False)
_LATEX = _Style(bar=r" \mid ", do=r"\mathrm{do}", space=r"\, ", equals="=", is_latex=True)


def _render(node: Expression, style: _Style) -> str:
    match node:
        case Probability():
            return _probability(node, style)
        case Sum():
            body = _render(node.body, style)
            bracketed = isinstance(node.body, Weighted)
            return style.total(node.over) + (f"({body})" if bracketed else body)
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
            return "1"
        case Zero():
            return "0"


def _join(factors: tuple[Expression, ...], style: _Style) -> str:
    """Factors side by side; a sum reaches to the end, so one that is not last gets brackets."""
    texts = []
    for position, factor in enumerate(factors):
        text = _render(factor, style)
        ends = position == len(factors) - 1
        bracketed = isinstance(factor, Weighted) or (isinstance(factor, Sum) and not ends)
        if isinstance(factor, Ratio) and not style.is_latex:
            bracketed = True
        texts.append(f"({text})" if bracketed else text)
    line = texts[0]
    for factor, text in zip(factors[1:], texts[1:], strict=True):
        line += (" " if isinstance(factor, Sum) else style.space) + text
    return line


def _probability(node: Probability, style: _Style) -> str:
    outcomes, given, do = (_events(part, style) for part in (node.outcomes, node.given, node.do))
    behind = [f"{style.do}({', '.join(do)})"] if do else []
    condition = style.bar + ", ".join(behind + given) if behind or given else ""
    return f"P({', '.join(outcomes)}{condition})"


def _events(events: tuple[Event, ...], style: _Style) -> list[str]:
    return [_event(event, style) for event in events]


def _event(event: Event, style: _Style) -> str:
    """An index of the variable itself stands for the event; anything else is written out."""
    if isinstance(event.value, Index):
        own = event.value.name == event.name
        return style.index(event.value) if own else _equation(event, style)
    return _equation(event, style)


def _equation(event: Event, style: _Style) -> str:
    return f"{style.name(event.name)}{style.equals}{_value_of(event, style)}"


def _chosen(node: Chosen, style: _Style) -> str:
    """The policy at its events: ``[x = 1 - z]``, ``[x' = x + 1]``, ``pi(x | z)``."""
    shown = {event.name: _value_of(event, style) for event in node.given}
    own, how = _value_of(node.outcome, style), node.policy.how
    if isinstance(how, Untold) and how.random:
        given = style.bar + ", ".join(shown.values()) if shown else ""
        return f"{style.name(how.name)}({own}{given})"
    text = policy_text(node.policy, own, shown)
    if not style.is_latex:
        return f"[{text}]"
    for sign, other in {"{": r"\{", "}": r"\}", "~": r"\sim", " * ": r" \cdot "}.items():
        text = text.replace(sign, other)
    return rf"\left[{text}\right]"


def _value_of(event: Event, style: _Style) -> str:
    value = event.value
    return style.index(value) if isinstance(value, Index) else style.value(value)


def _linear(node: Linear, style: _Style) -> str:
    parts: list[str] = []
    for coefficient, event in node.terms:
        shown = _value_of(event, style)
        sign = ("- " if parts else "-") if coefficient < 0 else ("+ " if parts else "")
        size = abs(coefficient)
        parts.append(f"{sign}{'' if size == 1 else f'{size} '}{shown}")
    return parts[0] if len(parts) == 1 else f"({' '.join(parts)})"


def _weighted(node: Weighted, style: _Style) -> str:
    """Sums reach to the end of the line, so each term but a probability stands in brackets."""
    line = ""
    for coefficient, term in node.terms:
        sign = (" - " if line else "-") if coefficient < 0 else (" + " if line else "")
        size = "" if abs(coefficient) == 1 else f"{abs(coefficient)} "
        text = _render(term, style)
        line += sign + size + (text if isinstance(term, Probability) else f"[{text}]")
    return line


def _sympify(node: Expression, sympy: Any) -> Any:
    match node:
        case Probability():
            return sympy.Symbol(_render(node, _TEXT), nonnegative=True)
        case Sum():
            body = _sympify(node.body, sympy)
            total = sympy.Function("Sum")
            return total(body, *(sympy.Symbol(str(index)) for index in node.over))
        case Product():
            return sympy.Mul(*(_sympify(factor, sympy) for factor in node.factors))
        case Ratio():
            return _sympify(node.numerator, sympy) / _sympify(node.denominator, sympy)
        case Chosen():
            return sympy.Symbol(_render(node, _TEXT), nonnegative=True)
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
