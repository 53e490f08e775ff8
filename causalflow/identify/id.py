"""ID: P(y | do(x), z) from P(v) and from experiments P(v | do(z)), or the hedge that forbids it.

Notation: G the graph, V its nodes, X treatments, Y outcomes, Z conditions; Q[S] = P(s | do(v - s)),
a *district* is a maximal set joined by bidirected edges. Comments name the lines of Shpitser &
Pearl (2006), Figure 3, which the functions follow:

    line 1        no treatments: P(y)
    line 2        only the ancestors of Y matter
    line 3        what is no ancestor of Y once edges into X are cut may be set as well
    line 4        P(y | do(x)) = sum_{d - y} prod_S Q[S], S the districts of G without X
    lines 5-7     Q[S] from the district of G that holds S: fail, done, or once more within it

Line 4's question is put to every source of data in turn (an *experiment* sets Z, and tells about S
if Z does not meet it); P(v) alone is the experiment that sets nothing. An effect keeps how each
Q[S] was reached, from which `causalflow.identify.derive` writes its proof.

Source: Shpitser & Pearl (2006), ID; Shpitser & Pearl (2006b), IDC; Lee, Correa & Bareinboim
(2019), gID; Tian & Pearl (2002).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeAlias

from causalflow.admg.admg import ADMG, Nodes
from causalflow.admg.separation import separation
from causalflow.identify.hedge import Hedge, Unmeasured, hedge_of
from causalflow.identify.kernel import Kernel, observed
from causalflow.proof.proof import Step
from causalflow.symbolic.expression import Expression, Index
from causalflow.symbolic.simplify import product_of, ratio_of, sum_of

__all__ = ["OBSERVATION", "Effect", "Factor", "exchanged", "identify_district", "identify_effect"]


OBSERVATION: Nodes = frozenset()

_Reasons: TypeAlias = tuple[Hedge | Unmeasured, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Factor:
    """Q[S] as data tell it.

    Attributes:
        district: S.
        kernel: a distribution of which S is a district.
        formula: Q[S].
    """

    district: Nodes
    kernel: Kernel
    formula: Expression


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Effect:
    """What is known about an effect: a formula, or what proves that there is none.

    Attributes:
        estimand: the formula, if the effect is identifiable.
        witness: else why not: a hedge for each source of data that could tell it, or two models.
        steps: the derivation.
        is_final: whether there is a formula, or a proof that there is none.
        note: why there is neither.
        moved: the conditions that are set instead of seen, in order.
        factors: what the formula is made of, a factor for each district of line 4.
    """

    estimand: Expression | None
    witness: tuple[object, ...] = ()
    steps: tuple[Step, ...] = ()
    is_final: bool = True
    note: str = ""
    moved: tuple[str, ...] = ()
    factors: tuple[Factor, ...] = ()

    @property
    def identifiable(self) -> bool | None:
        """Whether the data tell the effect; None: unknown."""
        return self.estimand is not None if self.is_final else None

    @property
    def hedges(self) -> tuple[Hedge, ...]:
        """The hedges of the witness."""
        return tuple(each for each in self.witness if isinstance(each, Hedge))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Problem:
    """P(y | do(x)), the sources of data, and the steps and factors so far."""

    region: ADMG
    outcomes: Nodes
    treatments: Nodes
    experiments: Sequence[Nodes]
    steps: list[Step] = field(default_factory=list)
    factors: list[Factor] = field(default_factory=list)


def identify_effect(
    admg: ADMG,
    outcomes: Iterable[str],
    treatments: Iterable[str],
    conditions: Iterable[str] = (),
    experiments: Sequence[Nodes] = (OBSERVATION,),
) -> Effect:
    """P(outcomes | do(treatments), conditions), three disjoint sets.

    Args:
        admg: the graph.
        outcomes: Y, at least one.
        treatments: X.
        conditions: Z.
        experiments: the treatments of each distribution P(v | do(.)) that is known.

    Example:
        >>> from causalflow.graph.graph import Graph
        >>> from causalflow.symbolic.render import to_text
        >>> graph = Graph(edges=["x -> m -> y", "x <-> y"])
        >>> print(to_text(identify_effect(graph.admg, ["y"], ["x"]).estimand))
        sum_m P(m | x) sum_x' P(y | m, x') P(x')
    """
    steps: list[Step] = []
    y, x, z = frozenset(outcomes), frozenset(treatments), frozenset(conditions)
    moved: tuple[str, ...] = ()
    if x or OBSERVATION not in experiments:
        moved = exchanged(admg, y, x, z, steps)
    problem = _Problem(
        region=admg,
        outcomes=y | z.difference(moved),
        treatments=x.union(moved),
        experiments=experiments,
        steps=steps,
    )
    found = _identify(problem)
    if isinstance(found, tuple):
        return Effect(estimand=None, witness=found, steps=tuple(steps))
    estimand = _conditioned(found, y, z.difference(moved), steps)
    factors = tuple(problem.factors)
    return Effect(estimand=estimand, steps=tuple(steps), moved=moved, factors=factors)


def exchanged(admg: ADMG, y: Nodes, x: Nodes, z: Nodes, steps: list[Step]) -> tuple[str, ...]:
    """The conditions of Z that may be set instead of seen, one after the other; IDC, line 1."""
    moved: list[str] = []
    while z and (node := _exchangeable(admg, y, x, z)):
        steps.append(_exchange_step(y, x, z, node))
        moved.append(node)
        x, z = x | {node}, z - {node}
    return tuple(moved)


def _conditioned(joint: Expression, y: Nodes, z: Nodes, steps: list[Step]) -> Expression:
    """P(y | do(x), z) from P(y, z | do(x)): IDC, line 2."""
    if not z:
        return joint
    formula = ratio_of(joint, sum_of([Index(name) for name in y], joint))
    reason = "divide the joint of {} by its sum over {}"
    steps.append(Step("condition", reason, (y | z, y), "P", formula))
    return formula


def _exchangeable(admg: ADMG, y: Nodes, x: Nodes, z: Nodes) -> str | None:
    """A condition that may be set instead of seen: rule 2 of the do-calculus (IDC, line 1)."""
    mutilated = admg.do(x)
    for node in sorted(z):
        if separation(mutilated.without_outgoing(node), y, node, x | z - {node}):
            return node
    return None


def _exchange_step(y: Nodes, x: Nodes, z: Nodes, moved: str) -> Step:
    node = frozenset({moved})
    reason = (
        "seeing {} is setting it, as {} and {} are separated by {} when the edges into {} and out"
        " of {} are cut"
    )
    return Step("rule 2", reason, (node, y, node, x | z - node, x, node))


def _identify(problem: _Problem) -> Expression | _Reasons:
    region, y, steps = problem.region, problem.outcomes, problem.steps
    relevant = region.ancestors(y)  # line 2
    if relevant != region.members:
        rest = region.members - relevant
        one = "{} is no ancestor of {}: leave it out"
        many = "{} are no ancestors of {}: leave them out"
        steps.append(Step("line 2", one if len(rest) == 1 else many, (rest, y)))
        region = region.subgraph(relevant)
    x = problem.treatments & relevant
    if not x and OBSERVATION in problem.experiments:  # line 1
        formula: Expression = observed(region).term(y)
        steps.append(Step("line 1", "nothing is set that {} descends from", (y,), "P", formula))
        return formula
    inner = region.subgraph(relevant - x)
    kept = inner.ancestors(y)  # line 3
    if kept != inner.members:
        rest = inner.members - kept
        one = "{} reaches {} only through {}: setting it too changes nothing (rule 3)"
        many = "{} reach {} only through {}: setting them too changes nothing (rule 3)"
        steps.append(Step("line 3", one if len(rest) == 1 else many, (rest, y, x)))
    return _by_districts(problem, region, kept)


def _by_districts(problem: _Problem, region: ADMG, kept: Nodes) -> Expression | _Reasons:
    """Line 4: the sum over ``kept - y`` of the product of its districts' factors."""
    districts, y, steps = region.subgraph(kept).causal_districts(), problem.outcomes, problem.steps
    if len(districts) > 1:
        whole = "sum their product over {}" if kept != y else "the answer is their product"
        reason = f"{{}} fall into the districts {{}}: {whole}"
        steps.append(Step("line 4", reason, (kept, districts, kept - y)))
    else:
        whole = "sum its factor over {}" if kept != y else "the answer is its factor"
        steps.append(Step("line 4", f"{{}} is one district: {whole}", (kept, kept - y)))
    for district in districts:
        found = _from_any(problem, region, district)
        if isinstance(found, tuple):
            return found
        problem.factors.append(found)
    formula = sum_of(
        [Index(name) for name in kept - y], product_of(each.formula for each in problem.factors)
    )
    steps.append(Step("line 4", "together", (), "P", formula))
    return formula


def _from_any(problem: _Problem, region: ADMG, district: Nodes) -> Factor | _Reasons:
    """Q[S] from the first source that tells it; else a hedge for each source that could."""
    hedges = []
    for experiment in _preferred(problem):
        if district.isdisjoint(experiment):
            base = observed(region.subgraph(region.members - experiment), experiment)
            if experiment:
                is_set = "is set" if len(experiment) == 1 else "are set"
                reason = f"for {{}}, ask the data in which {{}} {is_set}"
                problem.steps.append(Step("experiment", reason, (district, experiment)))
            found = identify_district(base, district, problem.steps)
            if isinstance(found, Factor):
                return found
            hedges.append(_hedge(problem, found, district, experiment))
    return tuple(hedges) or (Unmeasured(district=district),)


def _preferred(problem: _Problem) -> Sequence[Nodes]:
    """The experiment that sets just the treatments comes first: its answer is the shortest."""
    if problem.treatments not in problem.experiments:
        return problem.experiments
    rest = (each for each in problem.experiments if each != problem.treatments)
    return (problem.treatments, *rest)


def identify_district(
    kernel: Kernel, district: Nodes, steps: list[Step] | None = None
) -> Factor | ADMG:
    """Q[S] from the distribution of a region that holds S; a region that is one district if not.

    Args:
        kernel: Q[T], data at first.
        district: S, a district of some subset of T.
        steps: the list to which the derivation is added.
    """
    record = [] if steps is None else steps
    while True:
        around = kernel.region.district(district)
        if around == district:  # line 6
            formula = kernel.factor(district)
            reason = "{} is a district: its factor is the product of its conditionals"
            record.append(Step("line 6", reason, (district,), district, formula))
            return Factor(district, kernel, formula)
        ancestors = kernel.region.ancestors(district)
        if ancestors != kernel.region.members:  # line 2
            rest = kernel.region.members - ancestors
            those = "is no ancestor" if len(rest) == 1 else "are no ancestors"
            reason = f"for {{}}, leave out {{}}, which {those} of it"
            record.append(Step("line 2", reason, (district, rest)))
            kernel = kernel.marginal(ancestors)
        elif around == ancestors:  # line 5
            reason = "{} is one district with {} below it: a hedge"
            record.append(Step("line 5", reason, (around, district)))
            return kernel.region
        else:  # line 7
            kernel = kernel.district(around)
            reason = "{} lies in the district {}: go on within it, with its own distribution"
            whole = partial(kernel.factor, around)
            record.append(Step("line 7", reason, (district, around), around, later=whole))


def _hedge(problem: _Problem, region: ADMG, inner: Nodes, experiment: Nodes) -> Hedge:
    return hedge_of(
        region,
        inner,
        treatments=problem.treatments,
        outcomes=problem.outcomes,
        experiment=experiment,
    )
