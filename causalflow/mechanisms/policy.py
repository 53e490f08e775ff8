"""Policy: a variable set by a law or a function of others, in engine values.

Notation: a policy x = g(z, x_0, r) reads variables z of the world that it makes, perhaps the
natural value x_0 that x's own mechanism gives there, and a uniform number r a row where it draws
(`causalflow.query.policy`). A law is drawn by its quantiles: x = F^-1(r; z), so r is a value too,
and two worlds under one r are under one draw.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from causalflow.equations.equation import Equation, evaluate
from causalflow.equations.law import FAMILIES, NOISE
from causalflow.errors import EvidenceError, GraphError
from causalflow.mechanisms.equation.operations import TORCH
from causalflow.mechanisms.mechanism import to_engine
from causalflow.query.policy import Chances, Draw, Function, Policy, Value
from causalflow.query.policy_rows import told
from causalflow.values.finite import finite_of
from causalflow.values.variable import NodeType

__all__ = ["PolicyAction"]

Told: TypeAlias = Callable[[Tensor, Tensor | None], None]


def _nobody(value: Tensor, natural: Tensor | None) -> None:
    """Nobody is told."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PolicyAction:
    """A policy that can act.

    Attributes:
        policy: the policy.
        types: the types of its variable and of what it reads.
        uniform: a number in (0, 1) a row, shape (rows,), float64; None: it draws nothing, or has
            not drawn yet.
        tell: is given each value that is set, and the natural one where that is read.
    """

    policy: Policy
    types: Mapping[str, NodeType]
    uniform: Tensor | None = None
    tell: Told = field(default=_nobody, repr=False)

    @property
    def is_natural(self) -> bool:
        """Whether it reads the value that its variable would have had."""
        return self.policy.is_natural

    @property
    def reads(self) -> frozenset[str]:
        """What it reads beside the natural value."""
        return frozenset(self.policy.reads) - {self.policy.variable}

    def drawn(self, rows: int, generator: torch.Generator) -> PolicyAction:
        """The same with numbers for so many rows, if it draws."""
        if not told(self.policy).is_random:
            return self
        shape = (rows,)
        uniform = torch.rand(
            shape, generator=generator, dtype=torch.float64, device=generator.device
        )
        return replace(self, uniform=uniform.clamp(2.0**-54, 1 - 2.0**-53))

    def act(self, values: Mapping[str, Tensor], natural: Tensor | None, rows: int) -> Tensor:
        """What it sets: engine values, shape (rows,).

        Args:
            values: those that it reads.
            natural: the value that its variable would have had, where it reads that.
            rows: the size of the batch.

        Raises:
            EvidenceError: it gives what the variable cannot take; a row is named.
            QueryError: it is not told.
        """
        name = self.policy.variable
        known = {**values, name: natural} if natural is not None else values
        numbers = {read: self._numbers(read, known[read]) for read in self.policy.reads}
        match told(self.policy).how:
            case Function(expression):
                found = self._engine(self._value(expression, numbers, rows))
            case Chances(levels, shares):
                found = self._chosen(levels, [self._value(s, numbers, rows) for s in shares])
            case Draw(family, parameters):
                found = self._quantile(family, [self._value(p, numbers, rows) for p in parameters])
            case other:
                raise AssertionError(other)
        self.tell(found, natural)
        return found

    def _numbers(self, name: str, value: Tensor) -> Tensor:
        """Levels as the numbers that they count as."""
        if finite_of(self.types[name]) is None:
            return value
        counted = self.types[name].counted(value.cpu().numpy())
        return torch.as_tensor(counted, dtype=torch.float64, device=value.device)

    def _value(self, expression: Equation, numbers: Mapping[str, Tensor], rows: int) -> Tensor:
        try:
            found = evaluate(expression, numbers, TORCH)
        except GraphError as error:
            raise EvidenceError(f"do({self.policy}): {error}") from None
        return torch.as_tensor(found, dtype=torch.float64).expand(rows)

    def _engine(self, value: Tensor) -> Tensor:
        """The numbers as engine values of the variable."""
        kind, name = self.types[self.policy.variable], self.policy.variable
        if bool((none := ~value.isfinite()).any()):
            row = int(none.nonzero()[0])
            raise EvidenceError(f"do({self.policy}) gives {float(value[row]):g} in row {row}")
        levels = finite_of(kind)
        if levels is None:
            return to_engine(f"do({self.policy})", kind, value)
        numbers = torch.tensor([float(n) for n in levels.numbers], device=value.device)
        near = (value[:, None] - numbers).abs()
        if bool((bad := near.min(dim=1).values > 1e-9).any()):
            row = int(bad.nonzero()[0])
            shown = ", ".join(f"{number:g}" for number in numbers[:20].tolist())
            raise EvidenceError(
                f"do({self.policy}) gives {float(value[row]):g} in row {row}, which is no level of"
                f" '{name}': {shown}; clip(value, low, high) keeps within"
            )
        return near.argmin(dim=1)

    def _chosen(self, levels: tuple[Value, ...], shares: list[Tensor]) -> Tensor:
        """The level whose part of [0, 1] the uniform number falls into, levels in their order."""
        kind = self.types[self.policy.variable]
        own = finite_of(kind)
        table = torch.stack(shares, dim=1)
        bad = (table < 0).any(dim=1) | ((table.sum(dim=1) - 1).abs() > float(NOISE))
        if bool((bad | table.isnan().any(dim=1)).any()):
            row = int((bad | table.isnan().any(dim=1)).nonzero()[0])
            given = ", ".join(f"{share:.6g}" for share in table[row].tolist())
            raise EvidenceError(
                f"do({self.policy}) gives {given} in row {row}; probabilities are at least 0 and"
                " sum to 1"
            )
        kept = levels or (() if own is None else own.levels)
        places = kept if own is None else [own.levels.index(level) for level in kept]
        order = np.argsort(np.asarray(places, dtype=np.float64), kind="stable")
        sums = table[:, torch.as_tensor(order)].cumsum(dim=1)
        assert self.uniform is not None
        drawn = self.uniform.to(sums.device)[:, None] * sums[:, -1:]
        place = (drawn > sums).sum(dim=1).clamp(max=len(places) - 1)
        if own is None:
            numbers = torch.tensor([float(places[k]) for k in order], dtype=torch.float64)
            return to_engine(f"do({self.policy})", kind, numbers.to(place.device)[place])
        return torch.as_tensor([places[k] for k in order], device=place.device)[place]

    def _quantile(self, family: str, parameters: list[Tensor]) -> Tensor:
        spec = FAMILIES.get(family)
        given: dict[str, Any] = {p.name: p.default for p in spec.parameters}
        for parameter, value in zip(spec.parameters, parameters, strict=False):
            given[parameter.name] = value.cpu().numpy()
        assert self.uniform is not None
        law = spec.frozen({name: value for name, value in given.items() if value is not None})
        with np.errstate(all="ignore"):
            found = np.asarray(law.ppf(self.uniform.cpu().numpy()), dtype=np.float64)
        if np.isnan(found).any():
            row = int(np.isnan(found).argmax())
            own = zip(spec.parameters, parameters, strict=False)
            shown = ", ".join(f"{each.name} {float(value[row]):g}" for each, value in own)
            raise EvidenceError(
                f"do({self.policy}) has parameters out of range in row {row}: {shown}"
            )
        return self._engine(torch.as_tensor(found, device=self.uniform.device))
