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
from typing import TypeAlias

from causalflow.proof.rules import Use
from causalflow.symbolic.expression import Expression
from causalflow.symbolic.render import latex_name, to_latex, to_text

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


Part: TypeAlias = frozenset[str] | tuple[frozenset[str], ...]


@dataclass(frozen=True, slots=True)
class Step:
    """A rule, why it applies, and the formula that it gives.

    Attributes:
        rule: the line of the algorithm or the rule, such as "line 6".
        reason: a sentence with a ``{}`` for each of ``sets``; as it stands if there are none.
        sets: sets of variables, or several of them.
        claim: the left side of the formula, such as "Q[x, y]".
        formula: its right side, if the step gives one.
        later: makes the right side when it is read, where that takes time.
    """

    rule: str
    reason: str
    sets: tuple[Part, ...] = ()
    claim: str = ""
    formula: Expression | None = None
    later: Callable[[], Expression] | None = field(default=None, compare=False, repr=False)

    @property
    def right(self) -> Expression | None:
        """The right side of the formula, made if need be."""
        return self.later() if self.formula is None and self.later is not None else self.formula

    def __str__(self) -> str:
        line = f"{self.rule}: {self._because(names_text)}"
        right = self.right
        return line if right is None else f"{line}: {self.claim} = {to_text(right)}"

    def latex(self) -> str:
        """The step as text with mathematics between dollar signs."""
        line = f"{self.rule}: {self._because(names_latex)}"
        right = self.right
        return line if right is None else f"{line}: ${self.claim} = {to_latex(right)}$"

    def _because(self, show: Callable[[frozenset[str]], str]) -> str:
        """The reason with its sets, each as it is shown."""
        named = (
            show(part) if isinstance(part, frozenset) else ", ".join(map(show, part))
            for part in self.sets
        )
        return self.reason.format(*named) if self.sets else self.reason


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


def names_text(names: Iterable[str]) -> str:
    """A set of variables in braces, sorted."""
    return f"{{{', '.join(sorted(names))}}}"


def names_latex(names: Iterable[str]) -> str:
    r"""A set of variables in LaTeX."""
    return rf"$\{{{', '.join(map(latex_name, sorted(names)))}\}}$"
