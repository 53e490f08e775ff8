"""Proof: the answer to a question about one world, line by line, by the rules of the do-calculus.

Each line equals the one before it, by probability calculus (sum over a variable, chain rule,
quotient, simplification) or by rules 1-3, each use of which names the separation that it rests on
(`causalflow.proof.rules`). The last line is free of ``do``, but for experiments known.

A `Step` is what a verdict of any kind shows instead: a line of the algorithm that found it, and the
formula that it gives, rendered when it is read.

Source: Pearl (1995) for the rules; Huang & Valtorta (2006) and Shpitser & Pearl (2006) for their
completeness: every line of ID follows from them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from causalflow.proof.rules import Use
from causalflow.query.combination import AnyQuery, Combination
from causalflow.query.parse import parse_query
from causalflow.query.query import Query
from causalflow.symbolic.expression import Expression
from causalflow.symbolic.latex import latex_name, latex_words
from causalflow.symbolic.question import question, question_latex
from causalflow.symbolic.render import formula, to_latex, to_text
from causalflow.symbolic.style import LATEX, TEXT, Style

__all__ = ["Line", "Proof", "Step", "names_latex", "names_text"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A formula that equals the one before it, and why.

    Attributes:
        formula: the whole of the right side.
        reason: "chain rule", "rule 2", ...
        uses: the uses of rules 1-3, each with its graph; none for probability calculus.
    """

    formula: Expression
    reason: str
    uses: tuple[Use, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Proof:
    """Equal formulas, from the question to its estimand; false when there is none.

    Attributes:
        question: the left side.
        lines: the formulas.
        missing: why there is no proof, a sentence; empty when there is one.
    """

    question: str
    lines: tuple[Line, ...] = ()
    missing: str = ""

    def __bool__(self) -> bool:
        return not self.missing

    @property
    def formula(self) -> Expression:
        """The last line."""
        return self.lines[-1].formula

    def __str__(self) -> str:
        if self.missing:
            return f"no do-calculus proof: {self.missing}"
        return "\n".join([self.question, *self._text()])

    def _text(self) -> Iterator[str]:
        for number, line in enumerate(self.lines, 1):
            yield f"  {number}. = {to_text(line.formula)}"
            yield from (f"       {each}" for each in line.uses or (line.reason,))

    def latex(self) -> str:
        """The lines as an ``align*`` environment, each with its reasons below."""
        if self.missing:
            return rf"\text{{no do-calculus proof: {latex_words(self.missing)}}}"
        rows = [rf"& {question_latex(parse_query(self.question))}"]
        for line in self.lines:
            rows.append(rf"&\quad = {to_latex(line.formula)}")
            reasons = [use.latex() for use in line.uses] or [
                rf"\text{{{latex_words(line.reason)}}}"
            ]
            rows += [rf"&\qquad {reason}" for reason in reasons]
        body = " \\\\\n".join(rows)
        return f"\\begin{{align*}}\n{body}\n\\end{{align*}}"

    def __repr__(self) -> str:
        return f"Proof({self.question!r}, {len(self.lines)} lines)"

    def _repr_latex_(self) -> str:
        return self.latex() if self else f"${self.latex()}$"


class Shown(Protocol):
    """What is no formula of the data, and is written as one."""

    def shown(self, style: Style) -> str:
        """It in a style."""


Named: TypeAlias = frozenset[str] | Shown | str
"""What a reason names: variables, what is written as a formula, or words."""
Part: TypeAlias = Named | tuple[Named, ...]
Claim: TypeAlias = str | frozenset[str] | AnyQuery | Expression
"""The left side of a step: a word, the variables of a district's factor, or what they are."""


@dataclass(frozen=True, slots=True)
class Step:
    """A rule, why it applies, and the formula that it gives.

    Attributes:
        rule: the line of the algorithm or the rule, such as "line 6".
        reason: a sentence with a ``{}`` for each of ``sets``; as it stands if there are none.
        sets: sets of variables and what else it names, or several of them.
        claim: the left side of the formula, if it has one; of "Q[x, y]" its variables.
        formula: its right side, if the step gives one.
        later: makes the right side when it is read, where that takes time.
    """

    rule: str
    reason: str
    sets: tuple[Part, ...] = ()
    claim: Claim = ""
    formula: Expression | Shown | None = None
    later: Callable[[], Expression] | None = field(default=None, compare=False, repr=False)

    @property
    def right(self) -> Expression | Shown | None:
        """The right side of the formula, made if need be."""
        return self.later() if self.formula is None and self.later is not None else self.formula

    def __str__(self) -> str:
        line = f"{self.rule}: {self.because}"
        equation = self.equation(TEXT)
        return f"{line}: {equation}" if equation else line

    def latex(self) -> str:
        """The step as text with mathematics between dollar signs."""
        line = f"{latex_words(self.rule)}: {self._because(_latex)}"
        equation = self.equation(LATEX)
        return f"{line}: ${equation}$" if equation else line

    @property
    def because(self) -> str:
        """The reason with its sets, as text."""
        return self._because(_text)

    def equation(self, style: Style) -> str:
        """Claim and formula in a style; empty if the step gives none."""
        right = self.right
        if right is None:
            return ""
        written = right.shown(style) if hasattr(right, "shown") else formula(right, style)
        return style.both(_claimed(self.claim, style), written) if self.claim else written

    def _because(self, show: Callable[[Named], str]) -> str:
        """The reason with what it names, each as it is shown."""
        if not self.sets:
            return show(self.reason)
        named = (
            ", ".join(map(show, part)) if isinstance(part, tuple) else show(part)
            for part in self.sets
        )
        return self.reason.format(*named)


def _claimed(claim: Claim, style: Style) -> str:
    match claim:
        case str():
            return style.name(claim)
        case frozenset():
            names = style.joined(map(style.name, sorted(claim)))
            return style.chance(style.name("Q"), names, "", "[]")
        case Query() | Combination():
            return question(claim, style)
        case _:
            return formula(claim, style)


def _text(named: Named) -> str:
    match named:
        case str():
            return named
        case frozenset():
            return names_text(named)
        case _:
            return named.shown(TEXT)


def _latex(named: Named) -> str:
    match named:
        case str():
            return latex_words(named)
        case frozenset():
            return names_latex(named)
        case _:
            return f"${named.shown(LATEX)}$"


def names_text(names: Iterable[str]) -> str:
    """A set of variables in braces, sorted."""
    return f"{{{', '.join(sorted(names))}}}"


def names_latex(names: Iterable[str]) -> str:
    r"""A set of variables in LaTeX."""
    return rf"$\{{{', '.join(map(latex_name, sorted(names)))}\}}$"
