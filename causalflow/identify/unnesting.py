"""Unnesting: counterfactual terms as responses of variables to their direct causes.

The value of Y in a world is worked out as the structural equations would do it: a variable that the
world sets has the symbol that it is set to (for a nested term, the symbol of that term's value);
any other responds to the symbols of its parents, and a response met before has its old symbol. This
does four things at once:

    unnest       Y[x, m[x']] is Y[x, m] with the m of M[x']
    minimise     only what Y descends from once edges into the world's variables are cut is met
    close        the terms that Y is made from, its counterfactual ancestors, are all there
    merge        Y[x, z] and Y[x] are one where z does not matter

Source: Correa, Lee & Bareinboim (2021), Theorem 1 (unnesting) and Definition 4 (ancestors).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from causalflow.graph.admg import ADMG
from causalflow.identify.ctf_factor import CtfFactor, Response
from causalflow.identify.region import Links
from causalflow.identify.symbols import Symbol
from causalflow.query.query import Intervention, Term
from causalflow.symbolic.expression import Index

__all__ = ["Unnesting"]

_Causes = tuple[str, tuple[tuple[str, Symbol], ...]]


@dataclass(slots=True, kw_only=True)
class Unnesting:
    """Collects the responses that terms are made of.

    Attributes:
        admg: the graph.
        links: its edges and order.
        used: for each variable, how many indices of it are taken.
    """

    admg: ADMG
    links: Links
    used: Counter[str] = field(default_factory=Counter)
    _symbols: dict[_Causes, Index] = field(default_factory=dict)

    def fresh(self, name: str) -> Index:
        """An index that nothing else uses."""
        self.used[name] += 1
        return Index(name, self.used[name] - 1)

    def value(self, term: Term) -> Symbol:
        """The symbol of a term's value."""
        world = {each.variable: each for each in term.subscript}
        values: dict[str, Symbol] = {}
        for node in self._needed(term.name, world):
            if node in world:
                values[node] = self._setting(world[node])
            else:
                values[node] = self._response(node, values)
        return values[term.name]

    def factor(self) -> CtfFactor:
        """All responses met, at any value of theirs."""
        responses = tuple(Response(*causes, symbol) for causes, symbol in self._symbols.items())
        return CtfFactor(responses=responses, summed=frozenset(self._symbols.values()))

    def _needed(self, name: str, world: Mapping[str, Intervention]) -> Iterable[str]:
        """The ancestors of a variable when edges into the world's variables are cut, in order."""
        reached, frontier = {name}, [name]
        while frontier:
            node = frontier.pop()
            fresh = () if node in world else self.links.parents[node] - reached
            reached.update(fresh)
            frontier.extend(fresh)
        return sorted(reached, key=self.links.rank.__getitem__)

    def _setting(self, intervention: Intervention) -> Symbol:
        match intervention.value:
            case None:
                return Index(intervention.variable)
            case Term() as nested:
                return self.value(nested)
            case value:
                return value

    def _response(self, node: str, values: Mapping[str, Symbol]) -> Symbol:
        parents = self.admg.ordered(self.links.parents[node])
        causes = (node, tuple((parent, values[parent]) for parent in parents))
        if causes not in self._symbols:
            self._symbols[causes] = self.fresh(node)
        return self._symbols[causes]
