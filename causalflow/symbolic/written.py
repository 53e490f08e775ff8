"""Written: what a term says of itself, without knowing how terms are written.

`causalflow.symbolic.render` knows the terms and registers its two forms here when it is loaded.
"""

from __future__ import annotations

from functools import singledispatch

__all__ = ["Written", "as_latex", "as_text"]


@singledispatch
def as_text(term: object) -> str:
    """The term in plain text."""
    return repr(term)


@singledispatch
def as_latex(term: object) -> str:
    """The term in LaTeX."""
    return rf"\text{{{term!r}}}"


class Written:
    """A term with ``str``, and LaTeX in a notebook."""

    __slots__ = ()

    def __str__(self) -> str:
        return as_text(self)

    def _repr_latex_(self) -> str:
        return rf"$\displaystyle {as_latex(self)}$"
