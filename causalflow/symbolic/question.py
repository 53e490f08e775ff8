r"""Question: what is asked, in the signs in which its answer is written.

>>> from causalflow.query.parse import parse_query
>>> print(question_latex(parse_query("P(y[x_1=red] | x_1=blue)")))
P(y[x_{1}=\mathrm{red}] \mid x_{1}=\mathrm{blue})

A name and a value look here as they do in the formula that answers (`causalflow.symbolic.render`).
A term's world stands in brackets, as it does in the question's text; what a policy says, or what is
known short of a value, stands as the text has it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from causalflow.query.combination import AnyQuery, Combination, Part
from causalflow.query.policy import Policy, bare
from causalflow.query.query import Intervention, Kind, Query, Term
from causalflow.symbolic.style import LATEX, Style, scaled
from causalflow.values.likelihood import Levels, Span

__all__ = ["question", "question_latex"]


def question_latex(query: AnyQuery) -> str:
    """The question in LaTeX's mathematics mode."""
    return question(query, LATEX)


def question(query: AnyQuery, style: Style) -> str:
    """The question in a style."""
    if isinstance(query, Query):
        return _single(query, style)
    above = _sum(query, query.sum, style)
    return style.ratio(above, _sum(query, query.divisor, style)) if query.divisor else above


def _sum(query: Combination, parts: Sequence[Part], style: Style) -> str:
    line = ""
    for coefficient, part in parts:
        line += scaled(coefficient, style, first=not line) + _single(part, style)
    return line


def _single(query: Query, style: Style) -> str:
    known = [style.do(_world(query.do, style))] if query.do else []
    behind = style.joined([*known, *(_term(term, style) for term in query.conditions)])
    if query.kind is Kind.PROBABILITY:
        outcomes = style.joined(_term(term, style) for term in query.outcomes)
        return style.chance(style.name("P"), outcomes, behind)
    line = ""
    for coefficient, term in zip(query.coefficients, query.outcomes, strict=True):
        line += scaled(coefficient, style, first=not line) + _term(term, style)
    return style.chance(style.name("E"), line, behind, "[]")


def _term(term: Term, style: Style) -> str:
    name = style.name(term.name)
    if term.subscript:
        name = style.chance(name, _world(term.subscript, style), "", "[]")
    match term.value:
        case None:
            return name
        case Levels() | Span() as told:
            return name + style.words(f" {told}")
        case level:
            return style.equal(name, style.value(level))


def _world(world: Iterable[Intervention], style: Style) -> str:
    return style.joined(_set(each, style) for each in world)


def _set(each: Intervention, style: Style) -> str:
    """What sets a variable."""
    name = style.name(each.variable)
    match each.value:
        case None:
            return name
        case Term() as term if not term.subscript and term.name == each.variable:
            return style.chance(name, "", "", "[]")
        case Term() as term:
            return _term(term, style)
        case Policy() as policy:
            names = {policy.variable, *policy.reads}
            return style.words(str(policy), {bare(known): style.name(known) for known in names})
        case value:
            return style.equal(name, style.value(value))
