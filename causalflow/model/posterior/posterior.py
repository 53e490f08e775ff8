"""Posterior: one draw a row of the unknown variables given the known ones, knot by knot.

A knot (`causalflow.model.posterior.knot`) is drawn by the first *route* of these that fits it:

    exact              by enumeration of finite variables, or of the points and intervals at which
                       equations give what is known: the posterior itself
    linear-Gaussian    lines with normal noise, conditioned in closed form: the posterior itself
    resampling         weighed draws along the graph, tempered where they are worth too little
    pyro               a chain of Pyro's NUTS, of numbers alone, where it is asked for by name

Source: Pearl (2009), Causality, theorem 7.1.7, step 1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from causalflow.errors import EvidenceError, one_of
from causalflow.mechanisms.exogenous.draws import abduct_exogenous
from causalflow.mechanisms.exogenous.visit import NeedsDrawsError
from causalflow.mechanisms.mechanism import Values
from causalflow.model.posterior.knot import Knot, knots
from causalflow.model.posterior.levels import draw_levels
from causalflow.model.posterior.lines import draw_lines, lines_of_knot
from causalflow.model.posterior.resampling import resampled
from causalflow.model.pyro.extra import check_pyro
from causalflow.model.scm import StructuralModel

__all__ = [
    "EXACT",
    "LINEAR",
    "PYRO",
    "RESAMPLING",
    "ROUTES",
    "Drawn",
    "Route",
    "check_route",
    "draw_unknown",
]

EXACT, LINEAR, RESAMPLING, PYRO = "exact", "linear-Gaussian", "resampling", "pyro"


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """Unknown variables with a value: one draw a row.

    Attributes:
        values: hidden root, or node without an equation -> engine values, shape (rows,).
        open: the variables that the evidence leaves several values in some row.
        routes: variable -> the route by which it was drawn.
        worth: how many independent draws the weighed ones of the worst row are worth; None where
            all routes are exact.
    """

    values: Mapping[str, Tensor]
    open: frozenset[str]
    routes: Mapping[str, str] = field(default_factory=dict)
    worth: float | None = None


Route = Callable[[StructuralModel, Values, Knot, torch.Generator], Drawn | None]
"""How a knot is drawn from the known values; None: the route does not fit it."""


def _exact(
    scm: StructuralModel, known: Values, knot: Knot, generator: torch.Generator
) -> Drawn | None:
    if knot.is_explicit(scm):
        mechanisms = {n: scm.equations[n] for n in scm.equations if n in knot.factors}
        read = {root for name in mechanisms for root in scm.hidden_parents[name]}
        variables = {n: variable for n, variable in scm.exogenous.items() if n in read}
        try:
            found = abduct_exogenous(mechanisms, variables, known, generator)
        except NeedsDrawsError:
            return None
        return Drawn(values=found.values, open=found.undetermined)
    if knot.is_finite(scm):
        values = draw_levels(scm, known, knot, generator)
        return Drawn(values=values, open=frozenset(values))
    return None


def _linear(
    scm: StructuralModel, known: Values, knot: Knot, generator: torch.Generator
) -> Drawn | None:
    lines = lines_of_knot(scm, knot)
    if lines is None:
        return None
    values, open_ = draw_lines(scm, lines, known, knot, generator)
    return Drawn(values=values, open=open_)


def _resampling(
    scm: StructuralModel, known: Values, knot: Knot, generator: torch.Generator
) -> Drawn | None:
    found = resampled(scm, known, knot, generator)
    return Drawn(values=found.values, open=found.open, worth=found.worth)


def _pyro(
    scm: StructuralModel, known: Values, knot: Knot, generator: torch.Generator
) -> Drawn | None:
    check_pyro("route='pyro'")
    from causalflow.model.pyro.nuts import chained

    found = chained(scm, known, knot, generator)
    if found is None:
        return None
    return Drawn(values=found.values, open=frozenset(found.values), worth=found.worth)


ROUTES: Mapping[str, Route] = {
    EXACT: _exact,
    LINEAR: _linear,
    RESAMPLING: _resampling,
    PYRO: _pyro,
}
"""The routes by name, the best first."""


def check_route(route: str | None) -> None:
    """Refuse what is the name of no route.

    Raises:
        EvidenceError: another name.
    """
    if route is not None and route not in ROUTES:
        raise EvidenceError(f"route={route!r}; {one_of(route, ROUTES)}")


def draw_unknown(
    scm: StructuralModel, values: Values, generator: torch.Generator, route: str | None = None
) -> Drawn:
    """A draw of all that ``values`` leave open and that bears on them.

    Args:
        scm: the fitted model.
        values: engine values of some nodes, labelled throughout, the same rows each.
        generator: draws.
        route: the route of every knot that leaves something open; None: the best of each.

    Raises:
        EvidenceError: values that cannot be, or a knot that the route does not fit.
    """
    drawn: dict[str, Tensor] = {}
    open_: frozenset[str] = frozenset()
    routes: dict[str, str] = {}
    worths = []
    for knot in knots(scm, values):
        name, found = _drawn(scm, values, knot, generator, route)
        equations = {n for n in found.values if n in scm.equations}
        drawn |= {n: value for n, value in found.values.items() if n not in equations}
        open_ |= found.open
        routes |= dict.fromkeys((*knot.roots, *knot.nodes), name)
        worths += [] if found.worth is None else [found.worth]
    return Drawn(values=drawn, open=open_, routes=routes, worth=min(worths, default=None))


def _drawn(
    scm: StructuralModel,
    values: Values,
    knot: Knot,
    generator: torch.Generator,
    route: str | None,
) -> tuple[str, Drawn]:
    """The knot's draw by the route that is asked for, or by the first that fits."""
    check_route(route)
    chosen = ROUTES if route is None or not (knot.roots or knot.nodes) else {route: ROUTES[route]}
    for name, draw in chosen.items():
        if (found := draw(scm, values, knot, generator)) is not None:
            return name, found
    unknown = [*knot.roots, *knot.nodes]
    raise EvidenceError(
        f"route={route!r} does not fit {unknown}, which the evidence leaves open together; "
        "leave out the route, or give more of the nodes"
    )
