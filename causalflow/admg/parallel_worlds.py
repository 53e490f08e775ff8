"""Parallel worlds: one DAG for several interventions, which share their exogenous variables.

Notation: V the nodes of an ADMG G; u(x) the exogenous variable of node x alone, u(x <-> y) that of
a bidirected edge; world i is G under the i-th intervention do(X_i = x_i), {} for the factual one.
y[x=1] is y in the world do(x = 1), with the subscript cut down to what y can feel.

Every world computes x = f_x(parents, u) with the same f and the same u, so two copies of a node
whose parents are the same variables are one variable. Worlds therefore share whatever the
interventions do not reach: only descendants of an intervention are copied. A node set to a constant
is a root without noise. A node set to *a copy in an earlier world* is that copy: this is how nested
counterfactuals are written, y[x=1, m[x=0]] in worlds ({x: 0}, {x: 1, m: m of world 0}); the copy
may be another node's, of the same values.

m-separation in the resulting graph is sound for independence; it is not complete, since a copy can
equal another for some values only (y[x=1] is y where x happens to be 1).

Source: Balke & Pearl (1994) for twin networks; Pearl (2009), section 7.1.4; Shpitser & Pearl
(2007), section 3, for parallel worlds and the merging of copies.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

from causalflow.admg.admg import ADMG
from causalflow.admg.separation import Separation, separation
from causalflow.errors import GraphError, one_of
from causalflow.frozen import Frozen
from causalflow.names import written

__all__ = [
    "ParallelWorlds",
    "WorldNode",
    "WorldVariable",
    "canonical_exogenous",
    "parallel_worlds",
    "twin_network",
]

Subscript: TypeAlias = tuple[tuple[str, object], ...]


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class WorldNode:
    """A node's copy: its name and the first world that holds it."""

    name: str
    world: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldVariable:
    """What a copy is made from.

    Attributes:
        node: which copy it is.
        label: its name in the query language and in `ParallelWorlds.admg`: "y", "y[x=1]", "x=1".
        parents: the copies it is computed from, in declared order; empty when fixed.
        exogenous: the exogenous variables it is computed from; empty when fixed.
        subscript: the interventions it can feel; a pair (name, value) each, a value being a
            constant or the `WorldNode` that is substituted.
        fixed: set by an intervention to the constant ``subscript[0][1]``.
    """

    node: WorldNode
    label: str
    parents: tuple[WorldNode, ...] = ()
    exogenous: tuple[str, ...] = ()
    subscript: Subscript = ()
    fixed: bool = False


@dataclass(frozen=True, kw_only=True, eq=False)
class ParallelWorlds:
    """The copies of several worlds, each variable once, with their shared exogenous variables.

    Attributes:
        source: the graph that the worlds are copies of.
        interventions: what each world sets.
        exogenous: name of each exogenous variable -> the nodes of ``source`` that read it.
        variables: the distinct copies, parents first.
        resolved: (name, world) -> the copy that this node is in that world.
    """

    source: ADMG
    interventions: tuple[Mapping[str, object], ...]
    exogenous: Mapping[str, tuple[str, ...]]
    variables: Mapping[WorldNode, WorldVariable]
    resolved: Mapping[WorldNode, WorldNode]

    def at(self, name: str, world: int) -> WorldVariable:
        """The variable that node ``name`` is in world ``world``.

        Raises:
            GraphError: no such node or world.
        """
        node = WorldNode(name=name, world=world)
        if node not in self.resolved:
            self.source.ordered(name)
            worlds = range(len(self.interventions))
            raise GraphError(f"unknown world {world!r}; {one_of(world, worlds)}")
        return self.variables[self.resolved[node]]

    @cached_property
    def admg(self) -> ADMG:
        """The parallel worlds as one DAG over labels, exogenous variables included as roots."""
        noise = dict.fromkeys(u for v in self.variables.values() for u in v.exogenous)
        labels = {node: variable.label for node, variable in self.variables.items()}
        directed = frozenset(
            (source, variable.label)
            for variable in self.variables.values()
            for source in (*variable.exogenous, *(labels[parent] for parent in variable.parents))
        )
        return ADMG((*noise, *labels.values()), directed)

    def separated(
        self,
        x: WorldVariable | Iterable[WorldVariable],
        y: WorldVariable | Iterable[WorldVariable],
        given: WorldVariable | Iterable[WorldVariable] = (),
    ) -> Separation:
        """Whether the shared graph makes x and y independent given ``given``; constants never link.

        Raises:
            GraphError: the same variable in two of the sets (perhaps under two worlds' names).
        """
        asked = [_labels(side) for side in (x, y, given)]
        fixed = {v.label for v in self.variables.values() if v.fixed}.difference(*asked)
        return separation(self.admg, asked[0], asked[1], asked[2] | fixed)

    def __str__(self) -> str:
        return str(self.admg)


def twin_network(admg: ADMG, do: Mapping[str, object]) -> ParallelWorlds:
    """The factual world 0 beside the world 1 of ``do``.

    Example:
        >>> chain = ADMG(("w", "x", "y"), frozenset({("w", "x"), ("x", "y"), ("w", "y")}))
        >>> twin = twin_network(chain, {"x": 1})
        >>> [variable.label for variable in twin.variables.values()]
        ['w', 'x', 'y', 'x=1', 'y[x=1]']
        >>> print(twin.separated(twin.at("y", 1), twin.at("x", 0)))
        y[x=1] <- w -> x
    """
    return parallel_worlds(admg, ({}, do))


def parallel_worlds(
    admg: ADMG,
    interventions: Sequence[Mapping[str, object]],
    exogenous: Mapping[str, Sequence[str]] | None = None,
) -> ParallelWorlds:
    """One world for each of ``interventions`` (node -> constant, or a copy in an earlier world).

    Args:
        admg: an acyclic graph.
        interventions: {} is the factual world. Constants must be hashable.
        exogenous: name -> the nodes that read it, for a model that declares its own (a bidirected
            edge must then be one of them); by default those of `canonical_exogenous`.

    Raises:
        GraphError: an unknown node, a cycle, or a substitute that is not an earlier copy of its
            own node.
    """
    declared = canonical_exogenous(admg) if exogenous is None else exogenous
    readers = {name: admg.ordered(nodes) for name, nodes in declared.items()}
    for intervention in interventions:
        admg.ordered(intervention)
    noise: dict[str, list[str]] = {name: [] for name in admg.nodes}
    for exogenous_name, nodes in readers.items():
        for name in nodes:
            noise[name].append(exogenous_name)
    builder = _Builder(admg, noise)
    for world, intervention in enumerate(interventions):
        for name in admg.topological_order():
            builder.add(WorldNode(name=name, world=world), intervention)
    return ParallelWorlds(
        source=admg,
        interventions=tuple(Frozen(dict(each)) for each in interventions),
        exogenous=Frozen(readers),
        variables=Frozen(builder.variables),
        resolved=Frozen(builder.resolved),
    )


def canonical_exogenous(admg: ADMG) -> Mapping[str, tuple[str, ...]]:
    """One exogenous variable a node and one a bidirected edge: its name -> the nodes that read it.

    Example:
        >>> canonical_exogenous(ADMG(("x", "y"), frozenset(), frozenset({frozenset("xy")})))
        {'u(x)': ('x',), 'u(y)': ('y',), 'u(x <-> y)': ('x', 'y')}
    """
    own = {f"u({written(name)})": (name,) for name in admg.nodes}
    return own | {f"u({' <-> '.join(map(written, arc))})": arc for arc in admg.arcs()}


class _Builder:
    """Makes each copy once: a copy is known by its node and its parents' copies."""

    def __init__(self, admg: ADMG, noise: Mapping[str, Sequence[str]]) -> None:
        self._parents = {name: admg.ordered(admg.parents(name)) for name in admg.nodes}
        self._position = {name: index for index, name in enumerate(admg.nodes)}
        self._noise = noise
        self._known: dict[object, WorldNode] = {}
        self._felt: dict[WorldNode, dict[str, object]] = {}
        self.variables: dict[WorldNode, WorldVariable] = {}
        self.resolved: dict[WorldNode, WorldNode] = {}

    def add(self, node: WorldNode, intervention: Mapping[str, object]) -> None:
        """Resolve ``node`` in its world, whose parents are resolved already."""
        if node.name not in intervention:
            self._add_copy(node, intervention)
        elif isinstance(value := intervention[node.name], WorldNode):
            self.resolved[node] = self._substitute(node, value)
        else:
            self._add_constant(node, value)

    def _add_copy(self, node: WorldNode, intervention: Mapping[str, object]) -> None:
        world_parents = [WorldNode(name=p, world=node.world) for p in self._parents[node.name]]
        parents = tuple(self.resolved[parent] for parent in world_parents)
        felt: dict[str, object] = {}
        for parent in world_parents:
            felt |= self._felt_through(parent, intervention)
        self._felt[node] = felt
        subscript = tuple(
            (name, felt[name]) for name in sorted(felt, key=self._position.__getitem__)
        )
        variable = WorldVariable(
            node=node,
            label=self._label(node.name, subscript),
            parents=parents,
            exogenous=tuple(self._noise[node.name]),
            subscript=subscript,
        )
        self._enter((node.name, parents), variable)

    def _felt_through(
        self, parent: WorldNode, intervention: Mapping[str, object]
    ) -> dict[str, object]:
        if parent.name not in intervention:
            return self._felt[parent]
        value = intervention[parent.name]
        return {parent.name: self.resolved[parent] if isinstance(value, WorldNode) else value}

    def _add_constant(self, node: WorldNode, value: object) -> None:
        variable = WorldVariable(
            node=node,
            label=f"{written(node.name)}={value}",
            subscript=((node.name, value),),
            fixed=True,
        )
        try:
            self._enter((node.name, "=", value), variable)
        except TypeError:
            raise GraphError(
                f"the value of '{node.name}' in world {node.world} is a"
                f" {type(value).__name__}; an intervention takes a hashable constant"
            ) from None

    def _enter(self, key: object, variable: WorldVariable) -> None:
        node = self._known.setdefault(key, variable.node)
        self.variables.setdefault(node, variable)
        self.resolved[variable.node] = node

    def _substitute(self, node: WorldNode, value: WorldNode) -> WorldNode:
        if value.name not in self._position or not 0 <= value.world < node.world:
            raise GraphError(
                f"'{node.name}' in world {node.world} is set to '{value.name}' of world"
                f" {value.world}; a substitute is a node in an earlier world"
            )
        return self.resolved[value]

    def _label(self, name: str, subscript: Subscript) -> str:
        def term(key: str, value: object) -> str:
            if isinstance(value, WorldNode):
                return self.variables[value].label
            return f"{written(key)}={value}"

        inside = ", ".join(term(key, value) for key, value in subscript)
        return f"{written(name)}[{inside}]" if inside else written(name)


def _labels(variables: WorldVariable | Iterable[WorldVariable]) -> set[str]:
    if isinstance(variables, WorldVariable):
        return {variables.label}
    return {variable.label for variable in variables}
