"""Visit: the observed nodes of a district in turn, each telling which noises can have made it.

A *district* is a set of nodes that share hidden causes. Each of its observed nodes has an equation
x = f(pa, u) with x known, so it restricts the exogenous variables u. The possible joint values of
these are *particles* (`causalflow.mechanisms.exogenous.particles`), which a visit narrows down:

    nothing unknown in it    a node weighs each particle: 1 where its equation holds, else 0
    one variable unknown     the node, with all others that lack the same variable, is solved for it
    several unknown in all   one variable is drawn from its law, and the visit goes on
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from causalflow.errors import CompileError, RowError
from causalflow.mechanisms.equation.equation_mechanism import EquationMechanism
from causalflow.mechanisms.equation.isolation import UndecidedError
from causalflow.mechanisms.equation.preimage import slope_at
from causalflow.mechanisms.exogenous.exogenous import ExogenousVariable
from causalflow.mechanisms.exogenous.particles import Particles
from causalflow.mechanisms.exogenous.piece import Pieces, found, met, undecided
from causalflow.mechanisms.mechanism import Values

__all__ = ["NeedsDrawsError", "Visit"]

RANGE_PROBES = 4096
"""Places where values are looked at."""
PROBES = 64
"""Places where slopes are looked at."""


class NeedsDrawsError(Exception):
    """The posterior is no list of points and intervals: repeat the visit with variables drawn."""


@dataclass(kw_only=True, eq=False)
class Visit:
    """A visit as far as it has come: each step removes nodes from those that wait.

    Attributes:
        particles: the joint values of the exogenous variables found so far, weighed.
        waiting: the observed nodes that have not been used.
        unknown: the exogenous variables that have no value yet, by name.
        values: the observed values by node, shape (rows,) each.
        generator: draws variables, and values within intervals.
        used: how many nodes were solved for a variable.
    """

    particles: Particles
    waiting: list[EquationMechanism]
    unknown: dict[str, ExogenousVariable]
    values: Values
    generator: torch.Generator
    used: int = 0

    def step(self) -> None:
        """Check or solve the next node that can be; where none can, draw a variable.

        Raises:
            NeedsDrawsError: a variable is to be drawn, and the particles are no draws.
            RowError: no particle of a row explains its values.
            CompileError: the node's exogenous variables cannot be recovered from its value.
        """
        world = self.particles.world
        for node in self.waiting:
            for name in node.equation.names - world.keys():
                if name in self.values:
                    world[name] = self.particles.spread(self.values[name])
        if known := [n for n in self.waiting if n.equation.names <= world.keys()]:
            self._check(known[0])
        elif choices := self._choices():
            self._solve(*choices[0])
        elif self.particles.draws is None:
            raise NeedsDrawsError
        else:
            name = self._to_draw()
            self.particles.draw(self.unknown.pop(name), self.generator)

    def _missing(self, node: EquationMechanism) -> frozenset[str]:
        return node.equation.names - self.particles.world.keys()

    def _check(self, node: EquationMechanism) -> None:
        """Give weight 0 to the particles under which the node's equation gives another value."""
        self.waiting.remove(node)
        target = self.particles.spread(self.values[node.name])
        agree = node.matches(target, node.evaluate(self.particles.world))
        self.particles.weigh(
            torch.where(agree, 0.0, -torch.inf).double(),
            node.name,
            self._reason("its equation cannot produce the value together with the rest"),
        )

    def _reason(self, exact: str) -> str:
        """Why no state is left: impossible for certain, unless variables were drawn."""
        if self.particles.draws is None:
            return exact
        return "or they lie where no draws of several noises can hit them; give more of the nodes"

    def _choices(self) -> list[tuple[str, list[EquationMechanism]]]:
        """Unknown variables, each with the nodes that lack it alone, in the order to solve them.

        Variables that no further node depends on come first.
        """
        found: dict[str, list[EquationMechanism]] = {}
        for node in self.waiting:
            missing = self._missing(node)
            if len(missing) == 1 and missing <= self.unknown.keys() and _is_number(node):
                found.setdefault(min(missing), []).append(node)
        return sorted(found.items(), key=lambda item: self._bears_on(*item))

    def _bears_on(self, name: str, nodes: list[EquationMechanism]) -> int:
        """How many waiting nodes beside these depend on a variable."""
        return sum(name in n.equation.names for n in self.waiting if n not in nodes)

    def _solve(self, name: str, nodes: list[EquationMechanism]) -> None:
        """Solve the nodes' equations for the one variable that they lack."""
        particles, variable = self.particles, self.unknown.pop(name)
        further = self._bears_on(name, nodes) > 0
        pieces: Pieces | None = None
        alone = particles.states == 1 and len(nodes) == 1
        for node in nodes:
            self.waiting.remove(node)
            target = particles.spread(self.values[node.name])
            these = self._found(node, variable, target, alone)
            pieces = (
                these
                if pieces is None
                else met(pieces, these, node, variable, target, particles.world)
            )
        assert pieces is not None
        if further and particles.draws is None and bool(pieces.is_flat.any()):
            raise NeedsDrawsError
        if particles.draws is not None and nodes[0].node.type.numeric:
            self._check_explained(nodes[0], variable, pieces)
        particles.weigh(
            particles.solve(variable, pieces, self.generator),
            nodes[-1].name,
            self._reason(f"its equation has no solution in '{name}' there"),
        )

    def _check_explained(
        self, node: EquationMechanism, variable: ExogenousVariable, pieces: Pieces
    ) -> None:
        """Refuse a value that may also come from variables drawn, where this one does nothing.

        In max(v, u) = x with v drawn and u solved for, v = x is an explanation of the same order,
        which no draw of v hits.
        """
        found = self._elsewhere(node, variable)
        x = self.values[node.name].double().expand(self.particles.rows)
        flat = pieces.is_flat.any(0).reshape(self.particles.rows, -1).any(1)
        if len(found):
            room = 0.1 * (found.max() - found.min())
            met = (x >= found.min() - room) & (x <= found.max() + room) & ~flat
            if bool(met.any()):
                row = self.particles.offset + int(met.nonzero()[0])
                raise RowError(
                    f"node '{node.name}'",
                    row,
                    f"its value can come from '{variable.name}' or from other noises alone, which "
                    "draws cannot weigh against one another; give more of its parents",
                )

    def _elsewhere(self, node: EquationMechanism, variable: ExogenousVariable) -> Tensor:
        """Values of the node where it is flat in the variable, but not in all others."""
        world, names = self.particles.world, node.equation.names
        term = node.equation.components[0]
        some = torch.arange(RANGE_PROBES, device=self.particles.device) * 7919
        at = {n: world[n][some % len(world[n])] for n in names & world.keys()}
        at[variable.name] = variable.draw_noise(RANGE_PROBES, self.generator)["value"]
        moving = torch.zeros(RANGE_PROBES, dtype=torch.bool, device=self.particles.device)
        for name in names - {variable.name}:
            if name not in self.values and bool((at[name] != at[name][0]).any()):
                others = {n: v for n, v in at.items() if n != name}
                moving |= slope_at(term, name, at[name].double(), others) != 0
        others = {n: v for n, v in at.items() if n != variable.name}
        own = slope_at(term, variable.name, at[variable.name], others)
        return node.evaluate(at)[moving & (own == 0)]

    def _found(
        self, node: EquationMechanism, variable: ExogenousVariable, target: Tensor, alone: bool
    ) -> Pieces:
        """The values of the variable that explain the node, which then counts as used."""
        particles = self.particles
        self.used += 1
        try:
            world, drawn = particles.world, particles.draws is not None
            return found(node, variable, target, world, self.used, alone, drawn)
        except UndecidedError as problem:
            row = particles.offset + problem.row // particles.states
            raise undecided(node.name, row, variable.name) from None

    def _to_draw(self) -> str:
        """The variable to draw.

        Of the nodes those that move smoothly with some variable come first, the fewest of them
        before others: one such variable is kept to be solved for. Drawn are first the variables
        with which the node does not move, then those that bear on many nodes, then those that move
        it little: that leaves the most even weights.
        """
        for node in self.waiting:
            if not _is_number(node) or not self._missing(node) <= self.unknown.keys():
                raise CompileError(
                    f"node '{node.name}': its exogenous variables cannot be recovered from its "
                    "value; give it finite ones, or also give its parents"
                )
        influences = [self._influences(node) for node in self.waiting]
        moved = min(influences, key=lambda each: _moving(each) or len(influences) + len(each) + 99)
        still = [name for name, influence in moved.items() if not influence]
        names = still if still and _moving(moved) else list(moved)
        return min(names, key=lambda name: (-self._bears_on(name, []), moved[name], name))

    def _influences(self, node: EquationMechanism) -> dict[str, float]:
        """Unknown variable -> how steeply the node moves with it, in spreads of the variable."""
        total = len(self.particles.log_weight.flatten())
        some = torch.arange(PROBES, device=self.particles.device) * 7919 % total
        row = {n: v[some] for n, v in self.particles.world.items() if n in node.equation.names}
        missing = sorted(self._missing(node))
        for name in missing:
            row[name] = self.unknown[name].draw_noise(PROBES, self.generator)["value"]
        found = {}
        for name in missing:
            others = {n: v for n, v in row.items() if n != name}
            slopes = slope_at(node.equation.components[0], name, row[name], others).abs()
            mean = float(slopes.nan_to_num(0.0, 1e300).clamp_max(1e300).mean())
            found[name] = mean * self.unknown[name].spread
        return found


def _moving(influences: Mapping[str, float]) -> int:
    """With how many variables a node moves."""
    return sum(influence > 0 for influence in influences.values())


def _is_number(node: EquationMechanism) -> bool:
    return node.node.type.scalar
