r"""LaTeX: names and words as TeX sets them, in mathematics and in text.

A name of one letter, or of one with a number behind it, is a *symbol*; any other is a word, set
upright. Greek letters are commands. A word that mathematics mode has no upright letters for (an
accent, another script, a sign such as ``^``) stands in ``\\text``, which asks for amsmath, as
``align*`` does; which scripts can be printed is the document's business.
"""

from __future__ import annotations

import re
from functools import lru_cache

__all__ = ["latex_name", "latex_upright", "latex_words", "symbol"]

_SYMBOL = re.compile(r"([^\W\d_])(?:_?([0-9]+)|_([^\W_]+))?")
_UPRIGHT = re.compile(r"[A-Za-z0-9#$%&_{} .,:;!?()<>=+*/'\[\]-]*")
_MATH_SIGNS = {letter: rf"\{letter}" for letter in "#$%&_{} "}
_GREEK_LETTERS = "αβγδεζηθικλμνξπρςστυφχψωΓΔΘΛΞΠΣΥΦΨΩ"
_GREEK_NAMES = (
    "alpha beta gamma delta varepsilon zeta eta theta iota kappa lambda mu nu xi pi rho varsigma"
    " sigma tau upsilon varphi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi"
    " Omega"
)
_GREEK = {a: rf"\{name}" for a, name in zip(_GREEK_LETTERS, _GREEK_NAMES.split(), strict=True)}
_WORD_SIGNS = {letter: rf"\{letter}" for letter in "#$%&_{}"}
_WORD_SIGNS |= {"\\": r"\textbackslash{}", "^": r"\textasciicircum{}", "~": r"\textasciitilde{}"}
_WORD_SIGNS |= {letter: f"${command}$" for letter, command in _GREEK.items()}


@lru_cache(maxsize=65_536)
def symbol(name: str) -> tuple[str, str] | None:
    """A letter and its subscript, if the name is set so; None: it is a word."""
    found = _SYMBOL.fullmatch(name)
    return (found[1], found[2] or found[3] or "") if found else None


@lru_cache(maxsize=65_536)
def latex_name(name: str) -> str:
    r"""A variable in LaTeX: single letters and numbered ones as symbols, words upright.

    Example:
        >>> latex_name("v10"), latex_name("blood_pressure"), latex_name("β_1")
        ('v_{10}', '\\mathrm{blood\\_pressure}', '\\beta_{1}')
    """
    if (found := symbol(name)) is None:
        return latex_upright(name)
    letter, below = map(_letters, found)
    return f"{letter}_{{{below}}}" if below else letter


def latex_words(text: str) -> str:
    r"""A text in LaTeX's text mode.

    Example:
        >>> print(latex_words("x_1 of {x_1}"))
        x\_1 of \{x\_1\}
    """
    return "".join(_WORD_SIGNS.get(letter, letter) for letter in text)


def latex_upright(text: str) -> str:
    r"""A word in mathematics mode.

    Example:
        >>> print(latex_upright("a_b"), latex_upright("größe"))
        \mathrm{a\_b} \text{größe}
    """
    if _UPRIGHT.fullmatch(text):
        return rf"\mathrm{{{''.join(_MATH_SIGNS.get(letter, letter) for letter in text)}}}"
    return rf"\text{{{latex_words(text)}}}"


def _letters(text: str) -> str:
    """The letters of a symbol, or of its subscript."""
    if text in _GREEK or text.isascii():
        return _GREEK.get(text, text)
    return latex_upright(text)
