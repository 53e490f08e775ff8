"""Equation mechanism: a node whose x = f(pa, u) is written out as an equation.

All noise is in the exogenous variables, which are parents like any other: given them a node is
deterministic, and abduction is the joint posterior of a district's exogenous variables
(`causalflow.mechanisms.exogenous.exogenous_posterior`).

Image nodes hold the numbers that their equations give, float32, shape (batch, channel, height,
width).
"""

from __future__ import annotations

from collections.abc import Iterable
from math import prod

import torch
from torch import Tensor, nn

from causalflow.equations.equation import Equation, evaluate
from causalflow.errors import CompileError, EvidenceError, ImpossibleError
from causalflow.graph.node import Node
from causalflow.mechanisms.equation.inversion import agrees
from causalflow.mechanisms.equation.operations import TORCH
from causalflow.mechanisms.mechanism import Noise, Values

__all__ = ["EquationMechanism"]


class EquationMechanism(nn.Module):
    """The mechanism of a node with an equation.

    Args:
        name: the node's name.
        node: the node's declaration, with an equation.
        parents: names of its parents, nodes and exogenous variables.

    Raises:
        CompileError: no equation, or a list of another length than the image has pixels.
    """

    def __init__(self, name: str, node: Node, parents: Iterable[str]) -> None:
        super().__init__()
        self.name, self.node, self.parents = name, node, tuple(parents)
        if node.equation is None:
            raise CompileError(f"node '{name}': it has no equation")
        self.equation: Equation = node.equation
        entries, given = prod(node.type.shape), len(self.equation.components)
        if given not in (1, entries):
            raise CompileError(
                f"node '{name}': the equation has {given} entries; {entries} expected"
            )

    @property
    def description(self) -> str:
        """The equation."""
        return f"equation {self.equation}"

    @property
    def assumption(self) -> str:
        """Nothing but what the file declares."""
        return "the declared equation"

    def evaluate(self, parents: Values) -> Tensor:
        """The node's value; -1 where a class's equation gives no level."""
        used = {name: parents[name] for name in self.equation.names}
        n = max((len(value) for value in used.values()), default=1)
        result = evaluate(self.equation, used, TORCH)
        parts = result if self.equation.vector else [result]
        columns = [torch.as_tensor(part, dtype=torch.float64).expand(n) for part in parts]
        kind = self.node.type
        if not kind.scalar:
            entries = torch.stack(columns, -1).expand(n, prod(kind.shape)).reshape(n, *kind.shape)
            return entries.float() if kind.pictured else entries
        if kind.levels is not None:
            return torch.where(self._possible(columns[0]), columns[0], kind.missing).long()
        return columns[0].clone()

    def _possible(self, value: Tensor) -> Tensor:
        """Whether each number is one that the node's type stores: bool, shape (batch,)."""
        low, high = self.node.type.extent
        found = (value >= low) & (value <= high) & ~value.isinf()
        return found & (value == value.floor()) if self.node.type.integral else found

    def predict(self, parents: Values, noise: Noise | None = None) -> Tensor:
        """The node's value; without parents one row, which stands for all.

        Raises:
            EvidenceError: the equation gives what is not a level, or not in the support; an end of
                it is let through, as rounding may reach it.
        """
        value = self.evaluate(parents)
        wrong = self._outside(value)
        if wrong.any():
            row = int(wrong.nonzero()[0])
            raise EvidenceError(f"node '{self.name}': row {row}: {self._expected(value[row])}")
        return value

    def _outside(self, value: Tensor) -> Tensor:
        """The rows whose value the node cannot have: bool, shape (batch,)."""
        if self.node.type.scalar:
            return ~self._possible(value)
        return value.flatten(1).isnan().any(1)

    def _expected(self, value: Tensor) -> str:
        kind, (low, high) = self.node.type, self.node.type.extent
        if not kind.scalar:
            entries = "pixels" if kind.pictured else "entries"
            return f"its equation gives {entries} that are not numbers"
        if kind.levels is not None:
            return f"its equation gives what is not a level; levels are 0 to {high:g}"
        whole = ", a whole number" if kind.integral else ""
        allowed = f"{low:g} <= value <= {high:g}{whole}"
        return f"its equation gives {float(value):g}, outside its support; expected {allowed}"

    def matches(self, value: Tensor, predicted: Tensor) -> Tensor:
        """Whether each row of the evidence is what the equation gives: bool, shape (batch,)."""
        if self.node.type.integral and self.node.type.scalar:
            return value == predicted
        return (
            agrees(value, predicted).flatten(1).all(1)
            if value.dim() > 1
            else agrees(value, predicted)
        )

    def calibrate(self, values: Values, generator: torch.Generator) -> None:
        """Nothing: the equation is declared."""

    def loss(self, values: Values, generator: torch.Generator) -> None:
        """None: the equation is declared."""

    def draw_noise(self, n: int, generator: torch.Generator) -> Noise:
        """No noise of its own."""
        return {}

    def abduct(self, value: Tensor, parents: Values, generator: torch.Generator) -> Noise:
        """No noise of its own.

        Raises:
            ImpossibleError: the equation gives another value than the evidence says.
        """
        wrong = ~self.matches(value, self.predict(parents))
        if wrong.any():
            raise ImpossibleError(
                f"node '{self.name}'",
                int(wrong.nonzero()[0]),
                "its equation gives another value than the evidence, with these parents",
            )
        return {}
