"""Law: how exogenous variables are distributed, by a family of laws or by a row of probabilities.

A family names its parameters in order, with a default or none, a constraint on each, and its
support (low, high); ``draw`` makes draws with numpy's generator and ``frozen`` the distribution of
scipy.stats, both from the parameters. After ``type:`` a file may say

    normal       mean, std            density ~ exp(-(x - mean)^2 / (2 std^2))
    uniform      low, high            constant density on [low, high]
    gamma        shape, rate          density ~ x^(shape - 1) exp(-rate x)
    beta         a, b                 density ~ x^(a - 1) (1 - x)^(b - 1)
    exponential  rate                 density ~ exp(-rate x)
    lognormal    mean, std            log x is normal(mean, std)
    laplace      location, scale      density ~ exp(-|x - location| / scale)
    logistic     location, scale      distribution function sigmoid((x - location) / scale)
    student_t    df, location, scale  (x - location) / scale is Student's t, df degrees of freedom
    bernoulli    p                    1 with probability p, else 0
    poisson      rate                 probability ~ rate^x / x!

A row of probabilities is divided by its sum, where rounding explains that this is not one:

    within `NOISE`    32-bit floats and rounded decimals miss as much: silently
    within `ROUGH`    decimals of three or four digits (.3333 thrice): with a warning
    within `SHORT`    numbers of one or two decimals each (.33 thrice), where rounding them can miss
                      one by as much: with a warning
    beyond            no rounding: the caller refuses the row
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from causalflow import plugins
from causalflow.errors import CausalflowWarning, GraphError, one_of
from causalflow.registry import Registry

__all__ = [
    "FAMILIES",
    "NOISE",
    "ROUGH",
    "SHORT",
    "FamilySpec",
    "Parameter",
    "divided",
    "family",
    "shown_number",
    "warn_of_rough",
]

Parameters: TypeAlias = Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A parameter of a family.

    Attributes:
        name: the parameter's name, as the file has it.
        default: None where the file must give it.
        constraint: "real", "positive" or "unit" (between 0 and 1).
    """

    name: str
    default: float | None = None
    constraint: str = "real"


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilySpec:
    """A parametric family.

    Attributes:
        parameters: what a law of the family is given, in the family's own order.
        support: parameters -> (low, high), the smallest interval that holds every draw.
        draw: generator, n, parameters -> n draws.
        frozen: parameters -> the distribution in scipy.stats.
        discrete: whether its values are integers.
    """

    name: str
    parameters: tuple[Parameter, ...]
    support: Callable[[Parameters], tuple[float, float]]
    draw: Callable[[np.random.Generator, int, Parameters], Any]
    frozen: Callable[[Parameters], Any]
    discrete: bool = False

    def __reduce__(self) -> tuple[Callable[[str], FamilySpec], tuple[str]]:
        """A family is known by its name."""
        return family, (self.name,)

    def complete(self, given: Mapping[str, float]) -> dict[str, float]:
        """Every parameter in the family's order, defaults filled in.

        Raises:
            GraphError: a parameter that is unknown, missing or out of its range.

        Example:
            >>> FAMILIES.get("gamma").complete({"shape": 10})
            {'shape': 10.0, 'rate': 1.0}
        """
        names = [parameter.name for parameter in self.parameters]
        for name in given:
            if name not in names:
                raise GraphError(f"{self.name} has no parameter '{name}'; {one_of(name, names)}")
        values = {
            parameter.name: _checked(self.name, parameter, given) for parameter in self.parameters
        }
        low, high = self.support(values)
        if not low < high:
            raise GraphError(f"{self.name}: low {low:g} must be less than high {high:g}")
        return values

    def sample(
        self, generator: np.random.Generator, n: int, **parameters: float
    ) -> NDArray[np.float64] | NDArray[np.int64]:
        """n draws, shape (n,): int64 if discrete, else float64."""
        values = np.asarray(self.draw(generator, n, self.complete(parameters)))
        return values.astype(np.int64) if self.discrete else values.astype(np.float64)

    def log_prob(self, value: Any, **parameters: float) -> NDArray[np.float64]:
        """The log density (discrete: log probability), elementwise; -inf outside the support."""
        frozen = self.frozen(self.complete(parameters))
        return np.asarray(frozen.logpmf(value) if self.discrete else frozen.logpdf(value))


_CONSTRAINTS: Mapping[str, tuple[Callable[[float], bool], str]] = {
    "real": (math.isfinite, "a finite number"),
    "positive": (lambda value: 0 < value < math.inf, "a finite number > 0"),
    "unit": (lambda value: 0 <= value <= 1, "a number between 0 and 1"),
}


def _checked(family: str, parameter: Parameter, given: Mapping[str, float]) -> float:
    value = given.get(parameter.name, parameter.default)
    if value is None:
        raise GraphError(f"{family} needs the parameter '{parameter.name}'")
    allowed, description = _CONSTRAINTS[parameter.constraint]
    if not allowed(value):
        raise GraphError(f"{family}: {parameter.name} is {value:g}; expected {description}")
    return float(value)


def _scipy(
    name: str, arguments: Callable[[Parameters], Mapping[str, float]]
) -> Callable[[Parameters], Any]:
    """The frozen distribution; scipy.stats is slow to import, so only when it is needed."""

    def frozen(parameters: Parameters) -> Any:
        import scipy.stats

        return getattr(scipy.stats, name)(**arguments(parameters))

    return frozen


def _parameters(*described: tuple[str, str, float | None]) -> tuple[Parameter, ...]:
    return tuple(Parameter(name=n, constraint=c, default=d) for n, c, d in described)


def family(name: str) -> FamilySpec:
    """The family of that name."""
    return FAMILIES.get(name)


_LINE, _HALF_LINE, _UNIT = (-math.inf, math.inf), (0.0, math.inf), (0.0, 1.0)
_LOCATED = (("location", "real", 0.0), ("scale", "positive", 1.0))

FAMILIES: Registry[FamilySpec] = plugins.DISTRIBUTIONS
NORMAL = FamilySpec(
    name="normal",
    parameters=_parameters(("mean", "real", 0.0), ("std", "positive", 1.0)),
    support=lambda q: _LINE,
    draw=lambda g, n, q: g.normal(q["mean"], q["std"], n),
    frozen=_scipy("norm", lambda q: {"loc": q["mean"], "scale": q["std"]}),
)
UNIFORM = FamilySpec(
    name="uniform",
    parameters=_parameters(("low", "real", 0.0), ("high", "real", 1.0)),
    support=lambda q: (q["low"], q["high"]),
    draw=lambda g, n, q: g.uniform(q["low"], q["high"], n),
    frozen=_scipy("uniform", lambda q: {"loc": q["low"], "scale": q["high"] - q["low"]}),
)
GAMMA = FamilySpec(
    name="gamma",
    parameters=_parameters(("shape", "positive", None), ("rate", "positive", 1.0)),
    support=lambda q: _HALF_LINE,
    draw=lambda g, n, q: g.gamma(q["shape"], 1 / q["rate"], n),
    frozen=_scipy("gamma", lambda q: {"a": q["shape"], "scale": 1 / q["rate"]}),
)
BETA = FamilySpec(
    name="beta",
    parameters=_parameters(("a", "positive", None), ("b", "positive", None)),
    support=lambda q: _UNIT,
    draw=lambda g, n, q: g.beta(q["a"], q["b"], n),
    frozen=_scipy("beta", lambda q: {"a": q["a"], "b": q["b"]}),
)
EXPONENTIAL = FamilySpec(
    name="exponential",
    parameters=_parameters(("rate", "positive", 1.0)),
    support=lambda q: _HALF_LINE,
    draw=lambda g, n, q: g.exponential(1 / q["rate"], n),
    frozen=_scipy("expon", lambda q: {"scale": 1 / q["rate"]}),
)
LOGNORMAL = FamilySpec(
    name="lognormal",
    parameters=_parameters(("mean", "real", 0.0), ("std", "positive", 1.0)),
    support=lambda q: _HALF_LINE,
    draw=lambda g, n, q: g.lognormal(q["mean"], q["std"], n),
    frozen=_scipy("lognorm", lambda q: {"s": q["std"], "scale": math.exp(q["mean"])}),
)
LAPLACE = FamilySpec(
    name="laplace",
    parameters=_parameters(*_LOCATED),
    support=lambda q: _LINE,
    draw=lambda g, n, q: g.laplace(q["location"], q["scale"], n),
    frozen=_scipy("laplace", lambda q: {"loc": q["location"], "scale": q["scale"]}),
)
LOGISTIC = FamilySpec(
    name="logistic",
    parameters=_parameters(*_LOCATED),
    support=lambda q: _LINE,
    draw=lambda g, n, q: g.logistic(q["location"], q["scale"], n),
    frozen=_scipy("logistic", lambda q: {"loc": q["location"], "scale": q["scale"]}),
)
STUDENT_T = FamilySpec(
    name="student_t",
    parameters=_parameters(("df", "positive", None), *_LOCATED),
    support=lambda q: _LINE,
    draw=lambda g, n, q: q["location"] + q["scale"] * g.standard_t(q["df"], n),
    frozen=_scipy("t", lambda q: {"df": q["df"], "loc": q["location"], "scale": q["scale"]}),
)
BERNOULLI = FamilySpec(
    name="bernoulli",
    parameters=_parameters(("p", "unit", 0.5)),
    support=lambda q: _UNIT,
    draw=lambda g, n, q: g.random(n) < q["p"],
    frozen=_scipy("bernoulli", lambda q: {"p": q["p"]}),
    discrete=True,
)
POISSON = FamilySpec(
    name="poisson",
    parameters=_parameters(("rate", "positive", 1.0)),
    support=lambda q: _HALF_LINE,
    draw=lambda g, n, q: g.poisson(q["rate"], n),
    frozen=_scipy("poisson", lambda q: {"mu": q["rate"]}),
    discrete=True,
)


NOISE = Fraction(1, 10**6)
"""A float of 32 bits misses its number by 6e-8 of it, so a row misses one by as much; and decimals
of seven digits, as programs write them, by little more."""

ROUGH = Fraction(1, 10**3)
"""Decimals of three or four digits miss one by as much; an error of typing misses it by more."""

SHORT = Fraction(1, 10**2)
"""Thirds and sevenths of two decimals miss one by as much; what misses it by a tenth (.3, .6) was
never a whole row, however few its decimals."""


def divided(
    row: Sequence[Fraction], where: str, rough: list[str], allowed: Fraction = ROUGH
) -> tuple[Fraction, ...] | None:
    """The row divided by its sum; None where that misses one by more than is allowed.

    Args:
        row: numbers from 0 to 1.
        where: says whose row it is.
        rough: gets a line where the sum misses one by more than `NOISE`.
        allowed: how far it may.

    Example:
        >>> divided([Fraction(1, 3), Fraction(2, 3)], "row", [])
        (Fraction(1, 3), Fraction(2, 3))
    """
    total = sum(row, start=Fraction(0))
    if abs(total - 1) > allowed:
        return None
    if abs(total - 1) > NOISE:
        rough.append(f"{where} sum to {shown_number(total)}")
    return tuple(p / total for p in row)


def warn_of_rough(rough: Sequence[str]) -> None:
    """One warning for all the rows of `divided` that were far from one: at least one."""
    more = f" ({len(rough) - 1:,} more rows likewise)" if len(rough) > 1 else ""
    message = f"{rough[0]}{more}; they must sum to 1 and are divided by their sum"
    warnings.warn(message, CausalflowWarning, stacklevel=2)


def shown_number(exact: Fraction) -> str:
    """A fraction with a small denominator, else a decimal."""
    return str(exact) if exact.denominator < 1000 else f"{float(exact):.10g}"
