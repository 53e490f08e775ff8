"""Extra: the doors to Pyro, which load it when they are opened, or say how to get it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import TYPE_CHECKING, Any

from causalflow.errors import CausalflowError
from causalflow.graph.graph import Graph
from causalflow.model.scm import StructuralModel

if TYPE_CHECKING:
    from causalflow.model.pyro.program import PyroProgram

__all__ = ["check_pyro", "from_pyro", "to_pyro"]


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


def from_pyro(
    program: Callable[..., Any], *arguments: Any, name: str = "program", **keywords: Any
) -> Graph:
    """The graph of a Pyro program, with a table or an equation for each of its sites.

    Finite sites become class nodes with tables, normal ones whose mean is a line in others
    continuous nodes with equations, deterministic ones either; sites of one plate are a node each.

    Args:
        program: the program.
        arguments: what it is called with.
        name: the graph's name.
        keywords: what it is called with as well.

    Raises:
        CausalflowError: no package pyro, or a site that is neither; it is named.

    Example:
        >>> import pyro, pyro.distributions as dist
        >>> def program():
        ...     x = pyro.sample("x", dist.Normal(1.0, 2.0))
        ...     return pyro.sample("y", dist.Normal(3 - 0.5 * x, 1.0))
        >>> str(from_pyro(program).nodes["y"].equation)
        '3 - 0.5 * x + u_y'
    """
    check_pyro("from_pyro")
    from causalflow.model.pyro.read_program import read_program

    return read_program(program, arguments, keywords, name)
