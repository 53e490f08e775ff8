"""Proof: the answer to a question about one world, line by line, by the rules of the do-calculus.

Each line equals the one before it, by probability calculus (sum over a variable, chain rule,
quotient, simplification) or by rules 1-3, each use of which names the separation that it rests on
(`causalflow.identify.calculus`). The last line is free of ``do``, but for experiments known.

Source: Pearl (1995) for the rules; Huang & Valtorta (2006) and Shpitser & Pearl (2006) for their
completeness: every line of ID follows from them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from causalflow.identify.calculus import Use
from causalflow.symbolic.expression import Expression
from causalflow.symbolic.render import to_latex, to_text

__all__ = ["Line", "Proof"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A formula that equals the one before it, and why.

    Attributes:
        formula: the whole of the right side.
        reason: "chain rule", "rule 2", ...
        uses: of rules 1-3, each with its graph; none for probability calculus.
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
            return rf"\text{{no do-calculus proof: {_escaped(self.missing)}}}"
        rows = [rf"& {latex_question(self.question)}"]
        for line in self.lines:
            rows.append(rf"&\quad = {to_latex(line.formula)}")
            reasons = [use.latex() for use in line.uses] or [rf"\text{{{_escaped(line.reason)}}}"]
            rows += [rf"&\qquad {reason}" for reason in reasons]
        body = " \\\\\n".join(rows)
        return f"\\begin{{align*}}\n{body}\n\\end{{align*}}"

    def __repr__(self) -> str:
        return f"Proof({self.question!r}, {len(self.lines)} lines)"

    def _repr_latex_(self) -> str:
        return self.latex() if self else f"${self.latex()}$"


def _escaped(text: str) -> str:
    return text.replace("_", r"\_")


def latex_question(text: str) -> str:
    r"""A query's text in LaTeX.

    Example:
        >>> latex_question("P(y | do(x_1))")
        'P(y \\mid \\mathrm{do}(x\\_1))'
    """
    query = text.replace("|", r"\mid").replace("do(", r"\mathrm{do}(")
    return query.replace("_", r"\_")
