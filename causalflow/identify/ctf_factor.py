"""Ctf-factor: the probability that variables respond to their causes in a certain way.

Notation: a *symbol* stands for a value: an index (summed over, or free) or a literal. A *response*
W[pa=t]=w says that W would be w were its parents set to t; parents are set all of them. A
*ctf-factor* is the sum, over some symbols, of the probability of several responses at once:

    sum_m P(y[x=1, m], m[x=0])      the natural direct effect's counterfactual

Responses with the same variable and parents are one random variable; so two values of it are equal
or the event is impossible. Responses of one variable share its noise, and those of siblings share
hidden causes; hence a ctf-factor is a product over the *districts* of the variables that it is
about. A district that needs a variable with two values (a *conflict*) is not determined even by all
experiments; without conflict it is Q[C] = P(c | do(pa)).

`Unnesting` makes the factor of a question's terms. The value of Y in a world is worked out as the
structural equations would do it: a variable that the world sets has the symbol that it is set to
(for a nested term, the symbol of that term's value); any other responds to the symbols of its
parents, and a response met before has its old symbol. This does four things at once:

    unnest       Y[x, m[x']] is Y[x, m] with the m of M[x']
    minimise     only what Y descends from once edges into the world's variables are cut is met
    close        the terms that Y is made from, its counterfactual ancestors, are all there
    merge        Y[x, z] and Y[x] are one where z does not matter

Source: Correa, Lee & Bareinboim (2021), Definitions 4-6, Theorems 1-3.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import NamedTuple

from causalflow.admg.admg import ADMG
from causalflow.identify.hedge import Hedge
from causalflow.query.policy import Policy
from causalflow.query.query import Intervention, Term
from causalflow.symbolic.expression import Chosen, Event, Index, natural
from causalflow.symbolic.render import formula
from causalflow.symbolic.style import TEXT, Style
from causalflow.symbolic.substitute import Symbol

__all__ = [
    "CONFLICT",
    "CtfFactor",
    "CtfWitness",
    "Equality",
    "Response",
    "Unnesting",
    "conflict_in",
]


CONFLICT = "ctf-factor {} needs {} with two values, {} and {}: no experiment has both"


class Equality(NamedTuple):
    """Two symbols for the value of one variable."""

    name: str
    left: Symbol
    right: Symbol


@dataclass(frozen=True, slots=True)
class Response:
    """A variable's value when its parents are set.

    Attributes:
        name: the variable W.
        parents: each parent and its symbol, in declared order.
        value: the symbol of W's own value.
        policy: the policy that W is (`causalflow.query.regime`), if it is one.
    """

    name: str
    parents: tuple[tuple[str, Symbol], ...]
    value: Symbol
    policy: Policy | None = None

    @property
    def assignment(self) -> tuple[tuple[str, Symbol], ...]:
        """All variables that it gives a value to: parents, then W."""
        return (*self.parents, (self.name, self.value))

    @property
    def chosen(self) -> Chosen | None:
        """The probability of the value, if a policy gives it: it rests on nothing else."""
        if self.policy is None:
            return None
        given = {name: Event(name, symbol) for name, symbol in self.parents}
        read = tuple(given[name] for name in self.policy.reads)
        return Chosen(self.policy, Event(self.policy.variable, self.value), read)

    def shown(self, style: Style) -> str:
        """The response as a term of a question is written."""
        if (chosen := self.chosen) is not None:
            return formula(chosen, style)
        name = style.name(self.name)
        if self.parents:
            world = (_valued(style.name(n), n, symbol, style) for n, symbol in self.parents)
            name = style.chance(name, style.joined(world), "", "[]")
        return _valued(name, self.name, self.value, style)

    def __str__(self) -> str:
        return self.shown(TEXT)


@dataclass(frozen=True, slots=True, kw_only=True)
class CtfFactor:
    """The sum over symbols of the probability of responses.

    Attributes:
        responses: no two of one variable with the same parents.
        summed: symbols that are summed over, where they occur.
        equalities: what the free symbols must satisfy; the factor is 0 where they do not.
        renamed: symbols that others have replaced.
    """

    responses: tuple[Response, ...]
    summed: frozenset[Index]
    equalities: tuple[Equality, ...] = ()
    renamed: Mapping[Index, Symbol] = field(default_factory=dict, hash=False)

    @property
    def indices(self) -> frozenset[Index]:
        """The symbols to sum over: those that occur."""
        return self.summed.intersection(symbol for _, symbol in self._assignments())

    def current(self, symbol: Symbol) -> Symbol:
        """What a symbol has been replaced by."""
        return _followed(symbol, self.renamed)

    def unified(self, pairs: Iterable[Equality]) -> CtfFactor | None:
        """The factor where symbols are equal, and what follows from it; None: impossible.

        A summed symbol gives way to its equal; a free one too, but leaves an equality behind.
        """
        renamed, equal, responses = dict(self.renamed), [*self.equalities], self.responses
        waiting = [*pairs]
        while waiting:
            for name, *two in waiting:
                kept, lost = sorted((_followed(s, renamed) for s in two), key=self._precedence)
                if kept == lost:
                    continue
                if not isinstance(lost, Index):
                    return None
                renamed[lost] = kept
                if lost not in self.summed:
                    equal.append(Equality(name, kept, lost))
            responses, waiting = _merged(_renamed(each, renamed) for each in responses)
        return replace(self, responses=responses, equalities=tuple(equal), renamed=renamed)

    def _precedence(self, symbol: Symbol) -> tuple[int, int]:
        if not isinstance(symbol, Index):
            return (0, 0)
        return (1 + (symbol in self.summed), symbol.primes)

    def without_barren(self, wanted: Iterable[Symbol] = ()) -> CtfFactor:
        """Without the responses whose value is summed over and nobody's cause: they sum to 1."""
        uses = Counter(symbol for _, symbol in self._assignments())
        uses.update(wanted)
        owner = {each.value: each for each in self.responses if each.value in self.summed}
        barren = [each for symbol, each in owner.items() if uses[symbol] == 1]
        gone = set()
        while barren:
            response = barren.pop()
            gone.add(response)
            for _, symbol in response.parents:
                uses[symbol] -= 1
                if uses[symbol] == 1 and symbol in owner:
                    barren.append(owner[symbol])
        return replace(self, responses=tuple(r for r in self.responses if r not in gone))

    def districts(self, admg: ADMG) -> tuple[tuple[Response, ...], ...]:
        """The responses by the districts of the graph on their variables."""
        parts = admg.subgraph({each.name for each in self.responses}).districts()
        return tuple(tuple(r for r in self.responses if r.name in part) for part in parts)

    def relevant(self, admg: ADMG, wanted: frozenset[Symbol]) -> CtfFactor:
        """The districts that summed symbols link with those wanted; the others are a factor."""
        parts = self.districts(admg)
        met: dict[Symbol, list[int]] = defaultdict(list)
        for place, part in enumerate(parts):
            for symbol in _of(part):
                met[symbol].append(place)
        found: set[int] = set()
        frontier = [*wanted]
        while frontier:
            fresh = set(met.pop(frontier.pop(), ())) - found
            found |= fresh
            frontier.extend(s for i in fresh for s in _of(parts[i]) if s in self.summed)
        kept = {each for place in found for each in parts[place]}
        return replace(self, responses=tuple(r for r in self.responses if r in kept))

    def _assignments(self) -> Iterator[tuple[str, Symbol]]:
        return chain.from_iterable(each.assignment for each in self.responses)

    def shown(self, style: Style) -> str:
        """The sum in a style; what a policy gives stands before the probability of the rest."""
        over = sorted(self.indices, key=lambda index: (natural(index.name), index.primes))
        total = style.total([style.index(*each) for each in over]) if over else ""
        chosen = [each.shown(style) for each in self.responses if each.policy is not None]
        rest = [each.shown(style) for each in self.responses if each.policy is None]
        whole = style.chance(style.name("P"), style.joined(rest), "")
        return total + style.space.join([*chosen, *([whole] if rest else [])])

    def __str__(self) -> str:
        return self.shown(TEXT)


@dataclass(frozen=True, slots=True, kw_only=True)
class CtfWitness:
    """A district of a ctf-factor that the data do not tell.

    Attributes:
        factor: its responses.
        conflict: a variable that it needs with two values; None: it is an effect, but hedged.
        hedges: why each source of data does not tell the effect.
    """

    factor: tuple[Response, ...]
    conflict: Equality | None = None
    hedges: tuple[Hedge, ...] = ()

    @property
    def whole(self) -> CtfFactor:
        """The probability of its responses."""
        return CtfFactor(responses=self.factor, summed=frozenset())

    def __str__(self) -> str:
        if self.conflict is not None:
            return CONFLICT.format(self.whole, *map(str, self.conflict))
        reasons = "; ".join(map(str, self.hedges)) or "every experiment known sets some of it"
        return f"ctf-factor {self.whole}: {reasons}"


def conflict_in(district: Sequence[Response]) -> Equality | None:
    """A variable that the responses give two values to, if there is one."""
    values: dict[str, Symbol] = {}
    for name, symbol in chain.from_iterable(each.assignment for each in district):
        known = values.setdefault(name, symbol)
        if known != symbol:
            return Equality(name, known, symbol)
    return None


def _of(district: Iterable[Response]) -> set[Symbol]:
    return {symbol for each in district for _, symbol in each.assignment}


def _followed(symbol: Symbol, renamed: Mapping[Index, Symbol]) -> Symbol:
    while isinstance(symbol, Index) and symbol in renamed:
        symbol = renamed[symbol]
    return symbol


def _renamed(response: Response, renamed: Mapping[Index, Symbol]) -> Response:
    if renamed.keys().isdisjoint(symbol for _, symbol in response.assignment):
        return response
    parents = tuple((name, _followed(symbol, renamed)) for name, symbol in response.parents)
    return replace(response, parents=parents, value=_followed(response.value, renamed))


def _merged(responses: Iterable[Response]) -> tuple[tuple[Response, ...], list[Equality]]:
    """One response for each variable and parents, and the values that must be equal for it."""
    found: dict[tuple[str, tuple[tuple[str, Symbol], ...]], Response] = {}
    equal = []
    for each in responses:
        first = found.setdefault((each.name, each.parents), each)
        if first.value != each.value:
            equal.append(Equality(each.name, first.value, each.value))
    return tuple(found.values()), equal


def _valued(written: str, name: str, symbol: Symbol, style: Style) -> str:
    """What is written of a variable, and its value where that is not the variable's own index."""
    if symbol == Index(name):
        return written
    own = style.index(*symbol) if isinstance(symbol, Index) else style.value(symbol)
    return style.equal(written, own)


_Causes = tuple[str, tuple[tuple[str, Symbol], ...]]


@dataclass(slots=True, kw_only=True)
class Unnesting:
    """Collects the responses that terms are made of.

    Attributes:
        admg: the graph.
        used: the number of indices of each variable that are taken.
        policies: the variables that are policies (`causalflow.query.regime`): the value of each is
            one of the variable that it sets.
    """

    admg: ADMG
    used: Counter[str] = field(default_factory=Counter)
    policies: Mapping[str, Policy] = field(default_factory=dict)
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
        responses = tuple(
            Response(name, parents, symbol, self.policies.get(name))
            for (name, parents), symbol in self._symbols.items()
        )
        return CtfFactor(responses=responses, summed=frozenset(self._symbols.values()))

    def _needed(self, name: str, world: Mapping[str, Intervention]) -> Iterable[str]:
        """The ancestors of a variable when edges into the world's variables are cut, in order."""
        reached, frontier = {name}, [name]
        while frontier:
            node = frontier.pop()
            fresh = () if node in world else self.admg.parents(node) - reached
            reached.update(fresh)
            frontier.extend(fresh)
        return self.admg.causal_order(reached)

    def _setting(self, intervention: Intervention) -> Symbol:
        match intervention.value:
            case None:
                return Index(intervention.variable)
            case Term() as nested:
                return self.value(nested)
            case Policy():
                raise AssertionError("policies have become variables")
            case value:
                return value

    def _response(self, node: str, values: Mapping[str, Symbol]) -> Symbol:
        parents = self.admg.ordered(self.admg.parents(node))
        causes = (node, tuple((parent, values[parent]) for parent in parents))
        if causes not in self._symbols:
            policy = self.policies.get(node)
            self._symbols[causes] = self.fresh(node if policy is None else policy.variable)
        return self._symbols[causes]
