"""Mean: an expectation asked of a linear model, in closed form, evidence anywhere.

    E[y | do(x=1)]            y of the world in which x is set
    E[y | x=1, w=2]           the regression of y on x and w that the lines imply
    E[y[x=0] | x=1, y=3]      the posterior of the noise, and y of the other world under it
    E[y | y[x=0]=2]           evidence of any world: it is another variable of the same noise

A value is given in the text or besides it, one for all rows or one for each.

The posterior is that of the noise given some variables, of one world or of several. Notation:
A z = b what is known, row k of A the loading of the k-th known variable and b_k its value
less its constant; A = U S V' its singular values, of which those that rounding leaves are cut off.

    z | A z = b   ~   N(m, I - V V'),      m = V S^-1 U' b

The covariance is a projection W W', W the directions of z of which nothing is known. What lies in
no direction of U cannot be: evidence of density zero. A variable c + L z is then normal, with mean
c + L m and variance |L W|^2, and so is every variable of every other world: a counterfactual.

Rows of A are brought to length one first, as the units of what is known may differ as they like.

Source: Pearl (2009), *Causality*, theorem 7.1.7; Golub & Van Loan (2013), *Matrix computations*,
section 5.5.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from causalflow.errors import EvidenceError
from causalflow.factors.table import Table
from causalflow.gaussian.linear_model import Affine, Array, LinearModel
from causalflow.graph.graph import Graph
from causalflow.query.answer import ROW, Answer
from causalflow.query.known import Key, Known, read_given
from causalflow.query.query import Intervention, Kind, Query, Term, World
from causalflow.values.column import rank

__all__ = ["Means", "Posterior", "is_closed", "read_numbers"]

ROUNDING = 1e-10
"""Singular values below this share of the largest are those of exact dependence."""
IMPOSSIBLE = 1e-6
"""How far, in units of the noise, evidence may miss what its own dependence allows."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Posterior:
    """The law of the noise given evidence.

    Attributes:
        mean: m, shape (noises,), or (rows, noises).
        open: W, shape (noises, directions): orthonormal columns.
    """

    mean: Array
    open: Array

    @staticmethod
    def of(known: Sequence[Affine], values: Sequence[Array], noises: int) -> Posterior:
        """The posterior of ``noises`` standard normal noises.

        Args:
            known: the variables that are known, of any world.
            values: the value of each, a number or one a row.

        Raises:
            EvidenceError: values that the lines cannot give together.
        """
        if not known:
            return Posterior(mean=np.zeros(noises), open=np.eye(noises))
        loading = np.stack([each.loading for each in known])
        units = np.linalg.norm(loading, axis=1)
        rest = [np.asarray(v - each.constant) for v, each in zip(values, known, strict=True)]
        scale = np.where(units > 0, units, 1.0)
        seen = np.stack(np.broadcast_arrays(*rest), axis=-1) / scale
        left, sizes, right = np.linalg.svd(loading / scale[:, None])
        rank = int((sizes > ROUNDING * max(sizes.max(initial=0.0), 1.0)).sum())
        within = seen @ left[:, :rank]
        missed = np.abs(seen - within @ left[:, :rank].T).max(initial=0.0)
        if missed > IMPOSSIBLE * max(1.0, float(np.abs(seen).max())):
            raise EvidenceError(
                "the evidence has density zero: the equations make one of the given values of the "
                "others, and not this one"
            )
        mean = (within / sizes[:rank]) @ right[:rank]
        return Posterior(mean=np.asarray(mean), open=right[rank:].T)

    def expectation(self, variable: Affine) -> Array:
        """The mean of a variable of any world: shape (), or (rows,)."""
        return np.asarray(variable.constant + self.mean @ variable.loading)

    def covariance(self, variables: Sequence[Affine]) -> Array:
        """The covariance of variables of any worlds: (variables, variables); rows share it."""
        spread = np.stack([each.loading for each in variables]) @ self.open
        return np.asarray(spread @ spread.T)

    def deviation(self, variable: Affine) -> float:
        """The standard deviation of a variable of any world, 0 where rounding alone is left."""
        spread = float(np.linalg.norm(variable.loading @ self.open))
        return spread if spread > ROUNDING * float(np.linalg.norm(variable.loading)) else 0.0

    def quantiles(self, variable: Affine, normal: Array) -> Array:
        """The quantiles of a variable where those of N(0, 1) are ``normal``: (rows, quantiles)."""
        mean = np.asarray(self.expectation(variable))
        return np.asarray(mean.reshape(-1, 1) + self.deviation(variable) * normal)

    def draw(self, n: int, random: np.random.Generator) -> Array:
        """n draws of z for each row: (n, noises), or (n, rows, noises)."""
        free = random.standard_normal((n, *self.mean.shape[:-1], self.open.shape[1]))
        return np.asarray(self.mean + free @ self.open.T)


def is_closed(query: Query, graph: Graph, keys: Mapping[str, Key]) -> bool:
    """Whether a question asks for a mean of real variables, and leaves open what is given alone."""
    names = query.variables
    declared = {**graph.nodes, **graph.exogenous}
    real = all(declared[name].type.numeric and declared[name].type.scalar for name in names)
    free = len(query.free_variables) == len(keys) and not query.told
    return query.kind is Kind.EXPECTATION and real and free


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Means:
    """A question with its evidence, and the variables that it is about.

    Attributes:
        answer: the answer; its note says how much the variable varies around its mean.
        posterior: the law of the noise given the evidence.
        evidence: node -> its value in the actual world, a number or one a row, where it is known.
        worlds: what is set in a world -> the variables of it that were needed.
    """

    answer: Answer
    posterior: Posterior
    evidence: Mapping[str, Array]
    worlds: Mapping[World, Mapping[str, Affine]]

    @staticmethod
    def of(model: LinearModel, known: Known, given: Mapping[str, Any]) -> Means:
        """The closed form.

        Args:
            model: has a line for all that the question needs.
            known: the question, of which `is_closed` holds.
            given: name -> a value, or one a row.

        Raises:
            EvidenceError: a value that fits no variable, rows that do not fit one another, or
                evidence of density zero.
        """
        form, read = known.query.counterfactual_form(), partial(read_numbers, known.graph)
        numbers, rows = read_given(form, known.bound(given), read)
        worlds = _Worlds(model=model, graph=known.graph, given=numbers)
        conditions = [term.free for term in form.conditions]
        values = [numbers[term] for term in conditions]
        variables = [worlds.variable(term) for term in conditions]
        posterior = Posterior.of(variables, values, len(model.noises))
        asked = model.number(0.0)
        for scale, term in zip(known.query.coefficients, form.outcomes, strict=True):
            asked = asked.plus(float(scale), worlds.variable(term))
        pairs = zip(conditions, values, strict=True)
        return Means(
            answer=_answer(known.query, posterior, asked, rows),
            posterior=posterior,
            evidence={term.name: value for term, value in pairs if not term.subscript},
            worlds=worlds.found,
        )


def _answer(query: Query, posterior: Posterior, asked: Affine, rows: int | None) -> Answer:
    mean, spread = posterior.expectation(asked), posterior.deviation(asked)
    if rows is None:
        table = Table.of((), mean, {})
    else:
        table = Table.of((ROW,), np.broadcast_to(mean, (rows,)), {ROW: tuple(range(rows))})
    around = f"normal around this mean, with standard deviation {spread:.6g}"
    note = f"closed form of linear equations with normal noise: {around}"
    return Answer(query=query, table=table, rows=rows is not None, notes=(note,))


def read_numbers(graph: Graph, key: Key, value: Any) -> tuple[Array, int | None]:
    """The numbers of a condition or an intervention; of a column its rows too.

    Raises:
        EvidenceError: what is no value of the variable, or a gap.
    """
    name = key if isinstance(key, str) else key.name
    declared = graph.nodes.get(name) or graph.exogenous[name]
    numbers = np.asarray(declared.type.read(value, where=f"node '{name}'"), np.float64)
    if np.isnan(numbers).any():
        raise EvidenceError(f"'{name}' has no value in some row; leave it out of the evidence")
    if rank(value) == 0:
        return numbers.reshape(()), None
    return numbers.reshape(-1), numbers.size


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Worlds:
    """The variables of a question's worlds.

    Attributes:
        model: the lines.
        graph: the declaration.
        given: what each key of the question is given.
        found: what is set in a world -> the variables of it that were needed.
    """

    model: LinearModel
    graph: Graph
    given: Mapping[Key, Array]
    found: dict[World, dict[str, Affine]] = field(default_factory=dict)

    def variable(self, term: Term) -> Affine:
        """A term's variable, nested worlds first."""
        world = self.found.setdefault(term.subscript, {})
        if term.name not in world:
            settings = {each.variable: self._value(each) for each in term.subscript}
            world |= self.model.world(settings, [term.name])
        return world[term.name]

    def _value(self, each: Intervention) -> Affine:
        if each.nested is not None:
            return self.variable(each.nested)
        if each.value is None:
            return self.model.number(self.given[each.variable])
        return self.model.number(read_numbers(self.graph, each.variable, each.value)[0])
