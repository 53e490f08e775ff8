"""Laws: what a node's mechanism says of its value, as distributions of Pyro.

Pyro evaluates a program for many values at once: enumerated ones, particles and rows are axes on
the left of a value, its *batch*. A mechanism takes rows alone. So a law here flattens the batch of
the value and of what it is conditioned on, asks the mechanism, and gives the batch back.

    certain     a value that follows from the others: log p is 0 there, -inf elsewhere
    told        x ~ p(x | pa) of a fitted mechanism
    solved      x = f(pa, u), f undone in u:  log p(x | pa) = log p(u) + log |du/dx|
    drawn       a value that can be drawn and whose density nobody can tell, as a picture's

All is in float64. What is drawn comes from torch's global generator, as all of Pyro's draws do.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import pyro.distributions as dist
import torch
from pyro.distributions.torch_distribution import TorchDistribution
from torch import Tensor
from torch.distributions import constraints

from causalflow.errors import CompileError, EvidenceError
from causalflow.graph.node import Exogenous, Finite
from causalflow.mechanisms.exogenous.exogenous import ExogenousVariable

__all__ = ["Batch", "CertainLaw", "RowLaw", "Rows", "exogenous_law", "generator", "interval"]

Rows: TypeAlias = Mapping[str, Tensor]
"""Values with one axis of rows before their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Values that a node is made from, under axes of any number.

    Attributes:
        values: name -> value, shape batch + its own.
        events: name -> the number of its own axes.
        shape: the batch, into which all of them broadcast.
    """

    values: Mapping[str, Tensor]
    events: Mapping[str, int]
    shape: torch.Size

    @classmethod
    def of(cls, values: Mapping[str, Tensor], events: Mapping[str, int]) -> Batch:
        """The values with the batch that they have together."""
        shapes = [v.shape[: v.ndim - events[name]] for name, v in values.items()]
        return cls(values=values, events=events, shape=torch.broadcast_shapes(*shapes))

    def rows(self, shape: torch.Size) -> dict[str, Tensor]:
        """The values as rows, of a batch into which theirs broadcasts."""
        return {name: flat(v, shape, self.events[name]) for name, v in self.values.items()}


def flat(value: Tensor, shape: torch.Size, event: int = 0) -> Tensor:
    """A value broadcast to a batch, as rows; ``event`` axes are its own."""
    own = value.shape[value.ndim - event :]
    return value.expand(*shape, *own).reshape(shape.numel(), *own)


class CertainLaw(TorchDistribution):
    """A value that follows from the others, shape batch + event.

    Args:
        value: the value.
        event_dim: the number of its own axes.
        silent: whether log p is 0 whatever the value is, as of what another site has told already.
    """

    arg_constraints: dict[str, Any] = {}  # noqa: RUF012 (torch's own way)

    def __init__(self, value: Tensor, event_dim: int = 0, *, silent: bool = False) -> None:
        self.value, self.silent = value, silent
        place = value.ndim - event_dim
        super().__init__(value.shape[:place], value.shape[place:], validate_args=False)

    @constraints.dependent_property
    def support(self) -> Any:
        """Anything: what it is not has no probability."""
        return constraints.independent(constraints.real, len(self.event_shape))

    def expand(self, batch_shape: Any, _instance: Any = None) -> CertainLaw:
        """The same under more axes."""
        shape = torch.Size(batch_shape) + self.event_shape
        return CertainLaw(self.value.expand(shape), len(self.event_shape), silent=self.silent)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """The value."""
        return self.value.expand(torch.Size(sample_shape) + self.value.shape)

    def log_prob(self, value: Tensor) -> Tensor:
        """0 where it is the value, -inf elsewhere."""
        same = value == self.value
        for _ in self.event_shape:
            same = same.all(-1)
        return torch.where(same | self.silent, 0.0, -torch.inf).double()


class RowLaw(TorchDistribution):
    """A law that is told, or drawn from, row by row.

    Args:
        given: what it is conditioned on.
        draw: (rows, their number) -> values.
        tell: (values, rows) -> log p; None: nobody can tell.
        event_shape: the value's own shape.
        support: where its density is.
        shape: the batch; None: that of ``given``.
        refusal: what is said where log p cannot be had.
        rough: whether log p is no density in places, so that gradients in the value mislead.
    """

    arg_constraints: dict[str, Any] = {}  # noqa: RUF012 (torch's own way)

    def __init__(
        self,
        given: Batch,
        draw: Callable[[Rows, int], Tensor],
        tell: Callable[[Tensor, Rows], Tensor] | None,
        *,
        event_shape: torch.Size = torch.Size(),  # noqa: B008
        support: Any = constraints.real,
        shape: torch.Size | None = None,
        refusal: str = "",
        rough: bool = False,
    ) -> None:
        self.given, self.draw, self.tell = given, draw, tell
        self.inside, self.refusal, self.rough = support, refusal, rough
        super().__init__(given.shape if shape is None else shape, event_shape, validate_args=False)

    @constraints.dependent_property
    def support(self) -> Any:
        """Where its density is."""
        return constraints.independent(self.inside, len(self.event_shape))

    def expand(self, batch_shape: Any, _instance: Any = None) -> RowLaw:
        """The same under more axes."""
        return RowLaw(
            self.given,
            self.draw,
            self.tell,
            event_shape=self.event_shape,
            support=self.inside,
            shape=torch.Size(batch_shape),
            refusal=self.refusal,
            rough=self.rough,
        )

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Draws of all rows."""
        shape = torch.Size(sample_shape) + self.batch_shape
        with torch.no_grad():
            drawn = self.draw(self.given.rows(shape), shape.numel())
        return drawn.reshape(shape + self.event_shape)

    def log_prob(self, value: Tensor) -> Tensor:
        """log p, shape batch; -inf where the value is impossible.

        Raises:
            EvidenceError: nobody can tell it.
        """
        if self.tell is None or (self.rough and value.requires_grad):
            raise EvidenceError(self.refusal)
        event = len(self.event_shape)
        own = value.shape[: value.ndim - event]
        shape = torch.broadcast_shapes(own, self.batch_shape)
        told = self.tell(flat(value, shape, event), self.given.rows(shape)).double()
        return torch.nan_to_num(told, nan=-math.inf, posinf=math.inf, neginf=-math.inf).view(shape)


def generator() -> torch.Generator:
    """A generator seeded by torch's global one, which Pyro draws from."""
    return torch.Generator().manual_seed(int(torch.randint(2**62, ())))


def interval(low: float, high: float) -> Any:
    """The numbers between two ends, as Pyro says it."""
    if math.isinf(low) and math.isinf(high):
        return constraints.real
    if math.isinf(high):
        return constraints.greater_than(low)
    return constraints.less_than(high) if math.isinf(low) else constraints.interval(low, high)


_FAMILIES: Mapping[str, Callable[..., Any]] = {
    "normal": lambda mean, std: dist.Normal(mean, std),
    "uniform": lambda low, high: dist.Uniform(low, high, validate_args=False),
    "gamma": lambda shape, rate: dist.Gamma(shape, rate),
    "beta": lambda a, b: dist.Beta(a, b),
    "exponential": lambda rate: dist.Exponential(rate, validate_args=False),
    "lognormal": lambda mean, std: dist.LogNormal(mean, std),
    "laplace": lambda location, scale: dist.Laplace(location, scale),
    "logistic": lambda location, scale: dist.Logistic(location, scale),
    "student_t": lambda df, location, scale: dist.StudentT(df, location, scale),
    "poisson": lambda rate: dist.Poisson(rate),
}


def exogenous_law(name: str, law: Exogenous) -> Any:
    """The law of an exogenous variable; finite ones, which can be enumerated, as positions.

    Raises:
        CompileError: a family that Pyro has none for.
    """
    variable = ExogenousVariable(name, law)
    if variable.is_finite:
        return dist.Categorical(logits=variable.log_p)
    family = "" if isinstance(law, Finite) else law.name
    if family not in _FAMILIES:
        raise CompileError(
            f"to_pyro: exogenous '{name}': Pyro has no law '{family}'; it has {sorted(_FAMILIES)}"
        )
    given = {k: torch.tensor(v).double() for k, v in variable.parameters_of_law.items()}
    return _FAMILIES[family](**given)
