"""Step: one line of a derivation, rendered when it is read."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

from causalflow.symbolic.expression import Expression
from causalflow.symbolic.render import latex_name, to_latex, to_text

__all__ = ["Step", "names_latex", "names_text"]

Part: TypeAlias = frozenset[str] | tuple[frozenset[str], ...]


@dataclass(frozen=True, slots=True)
class Step:
    """A rule, why it applies, and the formula that it gives.

    Attributes:
        rule: the line of the algorithm or the rule, such as "line 6".
        reason: a sentence with a ``{}`` for each of ``sets``.
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
        line = f"{self.rule}: {self.reason.format(*map(_part_text, self.sets))}"
        right = self.right
        return line if right is None else f"{line}: {self.claim} = {to_text(right)}"

    def latex(self) -> str:
        """The step as text with mathematics between dollar signs."""
        line = f"{self.rule}: {self.reason.format(*map(_part_latex, self.sets))}"
        right = self.right
        return line if right is None else f"{line}: ${self.claim} = {to_latex(right)}$"


def names_text(names: Iterable[str]) -> str:
    """A set of variables in braces, sorted."""
    return f"{{{', '.join(sorted(names))}}}"


def names_latex(names: Iterable[str]) -> str:
    r"""A set of variables in LaTeX."""
    return rf"$\{{{', '.join(map(latex_name, sorted(names)))}\}}$"


def _part_text(part: Part) -> str:
    return _part(part, names_text)


def _part_latex(part: Part) -> str:
    return _part(part, names_latex)


def _part(part: Part, show: Callable[[frozenset[str]], str]) -> str:
    return show(part) if isinstance(part, frozenset) else ", ".join(map(show, part))
