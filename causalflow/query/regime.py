"""Regime: a question whose policies have become variables of the graph.

A policy on x is a variable R of its own, with what it reads as parents and no hidden causes, and
the world that it makes sets x to the value that R has there:

    y[x = z + 1]              y[x=R],          R = z + 1
    y[x += 1]                 y[x=R],          R = x + 1, x in the world where it is not set
    y[x = f(z), w = g(x)]     y[x=R, w=S[x=R]]

So every engine that knows nested counterfactuals answers for policies. The variables are called as
the policies are written; so two worlds under the same policy share what it draws.

Source: Pearl (2009), section 3.2.2, for interventions as variables; Correa & Bareinboim (2020).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from graphlib import CycleError, TopologicalSorter

from causalflow.admg.admg import ADMG
from causalflow.errors import QueryError
from causalflow.query.combination import AnyQuery, Combination
from causalflow.query.policy import Policy
from causalflow.query.query import Intervention, Query, Term, World

__all__ = ["Regime", "check_policies", "parents_under", "regime_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Regime:
    """A question with its policies as variables.

    Attributes:
        query: the question, in counterfactual form; a policy is a nested term of its variable.
        policies: the policy that each of the new variables is.
    """

    query: Query
    policies: Mapping[str, Policy]

    def graph(self, admg: ADMG) -> ADMG:
        """The graph with the new variables."""
        edges = ((read, name) for name, each in self.policies.items() for read in each.reads)
        nodes = (*admg.nodes, *self.policies)
        return ADMG(nodes, (*admg.directed, *edges), admg.bidirected)

    def read(self, name: str) -> Sequence[str]:
        """The variables of the graph that a term's variable is, or reads if it is a policy."""
        return self.policies[name].reads if name in self.policies else (name,)


def regime_of(query: Query, admg: ADMG) -> Regime:
    """The question with its policies as variables.

    Raises:
        QueryError: policies that wait for one another.
    """
    form = query.counterfactual_form()
    outcomes, conditions = (
        tuple(_term(each, admg) for each in terms) for terms in (form.outcomes, form.conditions)
    )
    policies = {str(each): each for each in query.policies if not each.is_idle}
    for name in policies:
        if name in admg.members:
            raise QueryError(f"query: a node is called as the policy is written: '{name}'")
    found = replace(form, outcomes=outcomes, conditions=conditions)
    return Regime(query=found, policies=policies)


def check_policies(query: AnyQuery, admg: ADMG) -> None:
    """Refuse a question whose policies wait for one another, or for what they set in motion.

    Raises:
        QueryError: the first of them.
    """
    for part in query.parts if isinstance(query, Combination) else (query,):
        if part.policies:
            regime_of(part, admg)


def parents_under(admg: ADMG, world: World) -> dict[str, frozenset[str]]:
    """What each variable waits for in a world, parents first.

    Raises:
        QueryError: a policy that reads what comes after its own variable.
    """
    policies = {e.variable: e.value for e in world if isinstance(e.value, Policy)}
    fixed = {each.variable for each in world} - policies.keys()
    found = {}
    for name in admg.nodes:
        if name in policies:
            found[name] = _waits(policies[name], admg)
        else:
            found[name] = frozenset() if name in fixed else admg.parents(name)
    try:
        order = (*TopologicalSorter(found).static_order(),)
    except CycleError as error:
        raise QueryError(_circle(error.args[1], policies)) from None
    return {name: found[name] for name in order}


def _waits(policy: Policy, admg: ADMG) -> frozenset[str]:
    own = admg.parents(policy.variable) if policy.is_natural else frozenset()
    return own | (frozenset(policy.reads) - {policy.variable})


def _circle(names: Sequence[str], policies: Mapping[str, Policy]) -> str:
    first = next(name for name in names if name in policies)
    reads = [read for read in policies[first].reads if read in names and read != first]
    late = reads[0] if reads else first
    return (
        f"query: do({policies[first]}) reads '{late}', which comes after '{first}' in the world"
        " that it makes; a policy reads what is there before it"
    )


def _term(term: Term, admg: ADMG) -> Term:
    return replace(term, subscript=_world(term.subscript, admg))


def _world(world: World, admg: ADMG) -> World:
    if not any(isinstance(each.value, Policy | Term) for each in world):
        return world
    parents = parents_under(admg, world)
    made: dict[str, Intervention] = {}
    own = {each.variable: each for each in world}
    for name in parents:
        if name in own and (done := _made(own[name], made, parents, admg)) is not None:
            made[name] = done
    return tuple(made.values())


def _made(
    each: Intervention,
    made: Mapping[str, Intervention],
    parents: Mapping[str, frozenset[str]],
    admg: ADMG,
) -> Intervention | None:
    """The intervention with a term for its policy; None where it changes nothing."""
    if each.nested is not None:
        return replace(each, value=_term(each.nested, admg))
    if not isinstance(each.value, Policy):
        return each
    if each.value.is_idle:
        return None
    above = _above(parents[each.variable], parents)
    rest = tuple(other for name, other in made.items() if name in above)
    return replace(each, value=Term(name=str(each.value), subscript=rest))


def _above(names: Collection[str], parents: Mapping[str, Iterable[str]]) -> frozenset[str]:
    reached, frontier = set(names), [*names]
    while frontier:
        fresh = set(parents[frontier.pop()]) - reached
        reached |= fresh
        frontier.extend(fresh)
    return frozenset(reached)
