"""Random worlds: drawn from the prior or the joint posterior of the exogenous variables.

Given evidence, the exogenous variables are dependent, and are drawn jointly: eliminate one variable
after the other, keeping for each v the tables it was in; then, in reverse order, draw v from their
product at the values already drawn.

The noise of a node with a table is never made explicit: of it we keep what the actual world shows,
the node's value and the row of its table, and another world's value is drawn given these from the
joint law of both (`causalflow.exact.coupling`). Given the actual world, such nodes are
independent of one another; those that the evidence does not depend on are drawn from their tables.

`enumeration` is the whole table of a small model, as papers print it: a row for every combination
of exogenous values, with its probability and the world that it makes.

Source: Koller & Friedman (2009), section 12.1 (forward) and exercise 9.5 (backward sampling).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from causalflow.errors import CausalflowError, EvidenceError
from causalflow.exact.inference import ROW_AXIS, Inference, Key, Positions
from causalflow.exact.structure import NEVER, FiniteStructure
from causalflow.factors.array import Scaled, Values
from causalflow.factors.plan import make_plan, min_fill_order
from causalflow.factors.program import run_plan
from causalflow.graph.node import Level
from causalflow.limits import ENUMERATED_ROWS
from causalflow.query.query import Term
from causalflow.values.image import image_of, pixels_of

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Enumeration", "enumeration", "posterior", "prior", "public", "world"]

Places = np.ndarray[Any, np.dtype[np.int64]]
Bucket = list[tuple[tuple[str, ...], Values]]


def prior(structure: FiniteStructure, n: int, random: np.random.Generator) -> dict[str, Places]:
    """n draws of every exogenous variable."""
    return {
        name: _draw(np.broadcast_to(np.array(p, dtype=np.float64), (n, len(p))), random)
        for name, p in structure.laws.items()
    }


def posterior(
    inference: Inference, rows: Mapping[Term, Places], n: int, random: np.random.Generator
) -> dict[str, Places]:
    """n draws a row of every exogenous variable, and of the nodes that the evidence depends on.

    Args:
        inference: the model's inference.
        rows: term of the actual world -> its position in each row; possible evidence.
        n: draws a row; draw k of row i is entry k * rows + i.
        random: numpy's generator.
    """
    count = max((len(places) for places in rows.values()), default=1)
    free = prior(inference.structure, n * count, random)
    known = _given(inference, rows, n, count, random) if rows else {}
    return {**free, **known}


def _given(
    inference: Inference,
    rows: Mapping[Term, Places],
    n: int,
    count: int,
    random: np.random.Generator,
) -> dict[str, Places]:
    """n draws a row of all that the evidence depends on, and the evidence."""
    at: dict[Key, Positions] = dict(rows.items())
    factors = inference.factors(tuple(rows), at)
    buckets = _buckets(factors, count)
    drawn: dict[str, Places] = {ROW_AXIS: np.tile(np.arange(count), n)}
    for name in reversed(buckets):
        weights = np.ones((n * count, 1))
        for axes, values in buckets[name]:
            others = [axis for axis in axes if axis != name]
            ordered = values.transpose([axes.index(axis) for axis in (*others, name)])
            weights = weights * ordered[tuple(drawn[axis] for axis in others)]
        drawn[name] = _draw(weights, random)
    del drawn[ROW_AXIS]
    return drawn | {term.name: np.tile(places, n) for term, places in rows.items()}


def _buckets(factors: Bucket, rows: int) -> dict[str, Bucket]:
    """For each variable, in the order of elimination, the tables it was in when its turn came."""
    sizes = {a: s for axes, values in factors for a, s in zip(axes, values.shape, strict=True)}
    sizes[ROW_AXIS] = rows
    number = {name: place for place, name in enumerate(sizes)}
    names = list(sizes)
    scopes = [[number[axis] for axis in axes] for axes, _ in factors]
    counts = {number[name]: size for name, size in sizes.items()}
    buckets: dict[str, Bucket] = {}
    for place in min_fill_order(scopes, counts, {number[ROW_AXIS]}):
        name = names[place]
        buckets[name] = [each for each in factors if name in each[0]]
        factors = [each for each in factors if name not in each[0]]
        factors.append(_summed(buckets[name], name, sizes))
    return buckets


def _summed(bucket: Bucket, name: str, sizes: Mapping[str, int]) -> tuple[tuple[str, ...], Values]:
    scopes: Sequence[tuple[str, ...]] = [axes for axes, _ in bucket]
    left = tuple(dict.fromkeys(axis for axes in scopes for axis in axes if axis != name))
    plan = make_plan(scopes, sizes, left)
    plan.check()
    result = run_plan(plan, [Scaled(values=values) for _, values in bucket])
    return left, result.values


def _draw(weights: Values, random: np.random.Generator) -> Places:
    """One position for each row of weights, (n, levels), by inverse distribution function."""
    cumulative = np.cumsum(weights, axis=1)
    aim = random.random(len(weights)) * cumulative[:, -1]
    return np.asarray((cumulative <= aim[:, None]).sum(axis=1), dtype=np.int64)


def world(
    structure: FiniteStructure,
    noise: Mapping[str, Places],
    do: Mapping[str, Places],
    n: int,
    random: np.random.Generator,
    actual: Mapping[str, Places] | None = None,
) -> dict[str, Places]:
    """The positions of all variables in n draws of the world of ``do``.

    Args:
        structure: the model.
        noise: the exogenous variables.
        do: node -> the positions it is set to.
        n: number of draws.
        random: numpy's generator, for nodes with tables.
        actual: what is known of the actual world of each draw, whose noise this one shares.

    Raises:
        QueryError: the actual world matters, and the graph does not say how the noise of a table
            enters.
    """
    shared = {} if actual is None else actual
    still = shared.keys() - (structure.graph.descendants(do) if do else frozenset())

    def compute(name: str, places: Mapping[str, Places]) -> Places:
        if name in structure.tabled:
            known = name in still
            return shared[name] if known else _answer(structure, name, places, shared, n, random)
        arguments = tuple(places[each] for each in structure.arguments(name))
        found = np.broadcast_to(structure.function(name)[arguments], (n,))
        if (found == NEVER).any():
            raise EvidenceError(f"node '{name}': the equation gives what is not a level")
        return found

    return structure.graph.admg.solve(compute, do, {name: noise[name] for name in structure.laws})


def _answer(
    structure: FiniteStructure,
    name: str,
    places: Mapping[str, Places],
    actual: Mapping[str, Places],
    n: int,
    random: np.random.Generator,
) -> Places:
    """Draw a node from its table, given what it was in the actual world, where that is known."""
    conditional = structure.conditional(name)
    rows = _rows(structure, name, places, n)
    if name not in actual:
        return _draw(np.array(conditional.laws, dtype=np.float64)[rows], random)
    conditional.chosen(range(len(conditional.laws)))
    cells = np.stack([_rows(structure, name, actual, n), actual[name], rows], axis=1)
    met, inverse = np.unique(cells, axis=0, return_inverse=True)
    given = np.array([conditional.given(*cell) for cell in met.tolist()], dtype=np.float64)
    return _draw(given[inverse.reshape(-1)], random)


def _rows(structure: FiniteStructure, name: str, places: Mapping[str, Places], n: int) -> Places:
    """Which row of the node's table each draw has."""
    rows = structure.conditional(name).rows
    return np.broadcast_to(rows[tuple(places[each] for each in structure.parents[name])], (n,))


def public(
    structure: FiniteStructure, places: Mapping[str, Places]
) -> dict[str, np.ndarray[Any, Any]]:
    """The nodes' values as the public face has them."""
    return {name: _public(structure, name, places[name]) for name in structure.graph.nodes}


def _public(structure: FiniteStructure, name: str, places: Places) -> np.ndarray[Any, Any]:
    node = structure.graph.nodes[name]
    if (image := image_of(node.type)) is None:
        return node.type.show(places)
    codes = [int(level) for level in structure.domain(name).levels]
    return np.asarray(pixels_of(image, codes)[places])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Enumeration:
    """All worlds of a model as rows of a table, each with its probability.

    Attributes:
        exogenous: name -> the value in each row.
        nodes: name -> the level in each row; an image's code.
        p: the probability of each row, exactly.
    """

    exogenous: Mapping[str, tuple[Level, ...]]
    nodes: Mapping[str, tuple[Level, ...]]
    p: tuple[Fraction, ...]

    def to_dataframe(self) -> pd.DataFrame:
        """A column for each variable, then ``p`` as floats and ``exact`` as text."""
        import pandas as pd

        columns: dict[str, Any] = {**self.exogenous, **self.nodes}
        frame = pd.DataFrame({name: list(values) for name, values in columns.items()})
        frame["p"] = [float(each) for each in self.p]
        frame["exact"] = [str(each) for each in self.p]
        return frame

    def __str__(self) -> str:
        columns = [
            [name, *map(str, v)] for name, v in (*self.exogenous.items(), *self.nodes.items())
        ]
        columns.append(["P", *map(str, self.p)])
        padded = [[text.ljust(max(map(len, column))) for text in column] for column in columns]
        padded.insert(len(self.exogenous), ["|"] * (len(self.p) + 1))
        return "\n".join("  ".join(line).rstrip() for line in zip(*padded, strict=True))


def enumeration(structure: FiniteStructure) -> Enumeration:
    """Every combination of exogenous values, the last variable fastest.

    Raises:
        CausalflowError: a node with a table, too many rows, or an equation that gives no level of
            its node.
    """
    for name in structure.tabled:
        raise CausalflowError(
            f"enumerate: node '{name}' has a table, and its noise no values to list; ask a question"
            " instead, or give the node an equation"
        )
    shape = [len(p) for p in structure.laws.values()]
    if prod(shape) > ENUMERATED_ROWS:
        raise CausalflowError(
            f"enumerate: {prod(shape):,} combinations of exogenous values; at most"
            f" {ENUMERATED_ROWS:,} are written out: ask a question instead, it needs no enumeration"
        )
    grids = np.indices(shape).reshape(len(shape), -1)
    count = grids.shape[1] if shape else 1
    p = [
        prod(
            (law[k] for law, k in zip(structure.laws.values(), row, strict=True)), start=Fraction(1)
        )
        for row in grids.T.tolist()
    ]

    def compute(name: str, known: Mapping[str, Places]) -> Places:
        arguments = tuple(known[each] for each in structure.arguments(name))
        found = np.broadcast_to(structure.function(name)[arguments], (count,))
        if bad := [row for row in np.flatnonzero(found == NEVER).tolist() if p[row]]:
            raise CausalflowError(f"node '{name}': the equation gives no level in row {bad[0]}")
        return found

    values = structure.graph.admg.solve(
        compute, given=dict(zip(structure.laws, grids, strict=True))
    )
    return Enumeration(
        exogenous={name: tuple(values[name].tolist()) for name in structure.laws},
        nodes={name: _levels(structure, name, values[name]) for name in structure.graph.nodes},
        p=tuple(p),
    )


def _levels(
    structure: FiniteStructure, name: str, places: np.ndarray[Any, Any]
) -> tuple[Level, ...]:
    levels = structure.domain(name).levels
    return tuple(levels[place] for place in places.tolist())
