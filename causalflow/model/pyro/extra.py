"""Extra: the doors to Pyro, which load it when they are opened, or say how to get it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from causalflow.errors import CausalflowError
from causalflow.model.scm import StructuralModel

if TYPE_CHECKING:
    from causalflow.model.pyro.program import PyroProgram

__all__ = ["check_pyro", "to_pyro"]


def check_pyro(asked: str) -> None:
    """Refuse where Pyro is not installed.

    Raises:
        CausalflowError: it is not; the extra that brings it is named.
    """
    try:
        import pyro  # noqa: F401
    except ModuleNotFoundError:
        raise CausalflowError(
            f'{asked} needs the package pyro-ppl: pip install -c constraints.txt ".[pyro]"'
        ) from None


def to_pyro(
    scm: StructuralModel,
    fitted: Collection[str],
    nodes: Iterable[str] | None,
    noises: Iterable[str] | bool,
) -> PyroProgram:
    """`causalflow.model.pyro.program.pyro_program`, where Pyro is installed."""
    check_pyro("to_pyro")
    from causalflow.model.pyro.program import pyro_program

    return pyro_program(scm, fitted, nodes, noises)
