r"""Style: the signs in which formulas and questions are written, as text, as LaTeX or as MathML.

A style turns the parts of a formula into strings, and joins strings that are made already: a name,
a value, a probability, a sum's sign, a fraction. `causalflow.symbolic.render` writes formulas in
any of them, `causalflow.symbolic.question` what is asked.

A name is set in one way wherever it stands in mathematics: a single letter as a symbol, a number
behind it as its subscript, any other word upright:

    y    y    y_1, v10    y and v with a subscript    blood_pressure    upright

MathML has no line breaks that browsers heed. So a formula in MathML is cut where a line may end,
between its factors and its terms, in a long factor at the commas, the bar and where a world begins,
and behind a wide sum, by `BREAK`: `pieces` gives an element ``<math>`` for each, which wrap as
words do. The indices of a wide sum stand below one another. Within a fraction nothing is cut.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from functools import lru_cache
from types import MappingProxyType
from typing import Protocol
from xml.sax.saxutils import escape

from causalflow.query.query import Term, Value
from causalflow.symbolic.latex import latex_name, latex_upright, symbol

__all__ = ["LATEX", "MATHML", "TEXT", "Style", "pieces", "scaled"]

BREAK = "\n"
"""Where a line of MathML may end."""
LONG = 48
"""Letters of a factor above which a line may end within it."""
WIDE = 24
"""Letters of a sum's indices above which they stand below one another."""
_COMMA = '<mo separator="true">,</mo>'
_BAR = "<mo>∣</mo>"
_WORLD = '<mo stretchy="false">[</mo>'
_MARKS = (_COMMA, _BAR, _WORLD)
NOTHING: Mapping[str, str] = MappingProxyType({})


class Style(Protocol):
    """How the parts of a formula are written; what it takes is written already, names excepted."""

    space: str
    before_sum: str

    def name(self, name: str) -> str:
        """A variable."""

    def index(self, name: str, primes: int) -> str:
        """A value that ranges over the levels of a variable."""

    def value(self, value: Value) -> str:
        """A level or a number."""

    def number(self, number: object) -> str:
        """A coefficient, with the blank behind it."""

    def words(self, text: str, names: Mapping[str, str] = NOTHING) -> str:
        """What has no form of its own, such as a policy, and how the names in it are written."""

    def sign(self, sign: str) -> str:
        """A plus or a minus, with the blanks around it."""

    def joined(self, parts: Iterable[str]) -> str:
        """Parts with commas between them."""

    def equal(self, left: str, right: str) -> str:
        """left = right."""

    def both(self, left: str, right: str) -> str:
        """An equation of two formulas."""

    def bracketed(self, inside: str, brackets: str = "()") -> str:
        """A part in brackets."""

    def chance(self, head: str, outcomes: str, condition: str, brackets: str = "()") -> str:
        """P(outcomes | condition), or what else is called so."""

    def do(self, events: str) -> str:
        """What is set."""

    def total(self, over: Sequence[str]) -> str:
        """The sign of a sum and its indices, with the blank behind them."""

    def ratio(self, above: str, below: str) -> str:
        """A fraction."""


@lru_cache(maxsize=65_536)
def _text_name(name: str) -> str:
    return str(Term(name=name))


def _parted(text: str, names: Mapping[str, str]) -> list[str]:
    """A text cut at the names in it, which have the odd places."""
    known = "|".join(map(re.escape, sorted(names, key=len, reverse=True)))
    return re.split(rf"(?<!\w)({known})(?!\w)", text) if known else [text]


class _Text:
    """One line of plain text."""

    space = before_sum = " "
    given = " | "

    def name(self, name: str) -> str:
        return _text_name(name)

    def index(self, name: str, primes: int) -> str:
        return self.name(name) + "'" * primes

    def value(self, value: Value) -> str:
        return str(Term(name="v", value=value)).removeprefix("v=")

    def number(self, number: object) -> str:
        return f"{number} "

    def words(self, text: str, names: Mapping[str, str] = NOTHING) -> str:
        return "".join(names.get(part, part) for part in _parted(text, names))

    def sign(self, sign: str) -> str:
        return sign

    def joined(self, parts: Iterable[str]) -> str:
        return ", ".join(parts)

    def equal(self, left: str, right: str) -> str:
        return f"{left}={right}"

    def both(self, left: str, right: str) -> str:
        return f"{left} = {right}"

    def bracketed(self, inside: str, brackets: str = "()") -> str:
        return f"{brackets[0]}{inside}{brackets[1]}"

    def chance(self, head: str, outcomes: str, condition: str, brackets: str = "()") -> str:
        behind = f"{self.given}{condition}" if condition else ""
        return f"{head}{brackets[0]}{outcomes}{behind}{brackets[1]}"

    def do(self, events: str) -> str:
        return f"do({events})"

    def total(self, over: Sequence[str]) -> str:
        return f"sum_{over[0]} " if len(over) == 1 else f"sum_{{{self.joined(over)}}} "

    def ratio(self, above: str, below: str) -> str:
        return f"[{above}] / [{below}]"


class _Latex(_Text):
    """LaTeX's mathematics mode."""

    space, given = r"\, ", r" \mid "

    def name(self, name: str) -> str:
        return latex_name(name)

    def value(self, value: Value) -> str:
        return latex_upright(value) if isinstance(value, str) else str(value)

    def words(self, text: str, names: Mapping[str, str] = NOTHING) -> str:
        return "".join(names.get(part) or _latex_formula(part) for part in _parted(text, names))

    def bracketed(self, inside: str, brackets: str = "()") -> str:
        if brackets == "[]":
            return rf"\left[{inside}\right]"
        return f"{brackets[0]}{inside}{brackets[1]}"

    def do(self, events: str) -> str:
        return rf"\mathrm{{do}}({events})"

    def total(self, over: Sequence[str]) -> str:
        return rf"\sum_{{{self.joined(over)}}} "

    def ratio(self, above: str, below: str) -> str:
        return rf"\frac{{{above}}}{{{below}}}"


def _latex_formula(text: str) -> str:
    """What a question says by words and signs, in mathematics mode."""
    signs = {"{": r"\{", "}": r"\}", "_": r"\_", "%": r"\%", "~": r"\sim", " * ": r" \cdot "}
    for sign, other in signs.items():
        text = text.replace(sign, other)
    return re.sub(r"(?<!\\)( ?)\b([^\W\d_]{2,})\b( ?)", _latex_word, text)


def _latex_word(found: re.Match[str]) -> str:
    before, word, after = found.groups()
    return before.replace(" ", r"\ ") + rf"\mathrm{{{word}}}" + after.replace(" ", r"\ ")


class _MathML:
    """Presentation elements of MathML; `BREAK` stands where a line may end."""

    space = before_sum = BREAK

    def name(self, name: str) -> str:
        if (found := symbol(name)) is None:
            return _element("mi", name, upright=len(name) == 1)
        letter, below = found
        return (
            f"<msub>{_element('mi', letter)}{_below(below)}</msub>"
            if below
            else (_element("mi", letter))
        )

    def index(self, name: str, primes: int) -> str:
        prime = '<mo lspace="0" rspace="0">′</mo>'
        return _row(self.name(name) + prime * primes) if primes else self.name(name)

    def value(self, value: Value) -> str:
        return _element("mtext", value) if isinstance(value, str) else self.number(value)

    def number(self, number: object) -> str:
        return _element("mn", str(number).replace("-", "−"))

    def words(self, text: str, names: Mapping[str, str] = NOTHING) -> str:
        parts = (names.get(p) or (p and _element("mtext", p)) for p in _parted(text, names))
        return "".join(parts)

    def sign(self, sign: str) -> str:
        if not sign:
            return ""
        before = BREAK if sign.startswith(" ") else ""
        return f"{before}<mo>{sign.strip().replace('-', '−')}</mo>"

    def joined(self, parts: Iterable[str]) -> str:
        return _COMMA.join(parts)

    def equal(self, left: str, right: str) -> str:
        return f"{left}<mo>=</mo>{right}"

    def both(self, left: str, right: str) -> str:
        return left + BREAK + "<mo>=</mo>" + right

    def bracketed(self, inside: str, brackets: str = "()") -> str:
        left, right = (f'<mo stretchy="false">{bracket}</mo>' for bracket in brackets)
        return f"{left}{inside}{right}"

    def chance(self, head: str, outcomes: str, condition: str, brackets: str = "()") -> str:
        behind = _BAR + condition if condition else ""
        return _cut(head + self.bracketed(outcomes + behind, brackets))

    def do(self, events: str) -> str:
        return "<mi>do</mi>" + self.bracketed(events)

    def total(self, over: Sequence[str]) -> str:
        wide = _letters("".join(over)) > WIDE
        rows = f"<mtable>{''.join(map(_table_row, over, _commas(over)))}</mtable>"
        below = rows if wide and len(over) > 1 else _row(self.joined(over))
        sign = f'<munder><mo movablelimits="false">∑</mo>{below}</munder>'
        return sign + BREAK if wide else sign

    def ratio(self, above: str, below: str) -> str:
        whole = f"<mfrac>{_row(above)}{_row(below)}</mfrac>"
        return whole.replace(BREAK, '<mspace width="0.17em"/>')


def scaled(coefficient: Fraction, style: Style, *, first: bool) -> str:
    """The sign of a term, and its coefficient where that is not 1.

    Args:
        coefficient: the factor of the term.
        style: how it is written.
        first: whether no term stands before it.
    """
    minus = "-" if first else " - "
    plus = "" if first else " + "
    size = abs(coefficient)
    sign = style.sign(minus if coefficient < 0 else plus)
    return sign + ("" if size == 1 else style.number(size))


def _element(tag: str, text: str, *, upright: bool = False) -> str:
    kind = ' mathvariant="normal"' if upright else ""
    return f"<{tag}{kind}>{escape(text)}</{tag}>"


def _below(text: str) -> str:
    """A subscript."""
    return _element("mn" if text.isdecimal() else "mi", text)


def _letters(mathml: str) -> int:
    """How many letters it shows."""
    return len(re.sub("<[^>]*>", "", mathml))


def _commas(parts: Sequence[str]) -> list[str]:
    """What stands behind each of some parts."""
    return [_COMMA] * (len(parts) - 1) + [""]


def _table_row(*cells: str) -> str:
    return f"<mtr><mtd>{''.join(cells)}</mtd></mtr>"


def _cut(mathml: str) -> str:
    """A factor too long for a line, which may then end behind a mark that no element holds.

    A world is parted from its variable only where that is long: the cut shows as a blank.
    """
    if _letters(mathml) <= LONG:
        return mathml
    whole, line, depth = "", "", 0
    for part in re.split(f"({'|'.join(map(re.escape, _MARKS))})", mathml.replace(BREAK, "")):
        line += part
        ends = part in _MARKS and (part != _WORLD or _letters(line) > WIDE)
        if ends and not depth:
            whole, line = whole + line + BREAK, ""
        depth += part.count("<m") - part.count("</m") - part.count("/>")
    return whole + line


def _row(inside: str) -> str:
    return f"<mrow>{inside}</mrow>"


def pieces(mathml: str) -> tuple[str, ...]:
    """The elements of a formula that is written as MathML, one for each part that stays whole.

    Example:
        >>> pieces(MATHML.name("x") + BREAK + MATHML.name("v10"))[0]
        '<math xmlns="http://www.w3.org/1998/Math/MathML" displaystyle="true"><mi>x</mi></math>'
    """
    return tuple(f"{_MATH}{part}</math>" for part in mathml.split(BREAK))


_MATH = '<math xmlns="http://www.w3.org/1998/Math/MathML" displaystyle="true">'

TEXT: Style = _Text()
LATEX: Style = _Latex()
MATHML: Style = _MathML()
