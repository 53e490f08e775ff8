"""Random graphs, and random questions about graphs and models, most of which have an answer."""

from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations

import numpy as np
from finite_models import FREE

from causalflow.query.query import Intervention, Kind, Query, Term


def random_graph(generator, size, arrows, arcs):
    """Names in an order that is not the topological one, arrows and arcs with given chances."""
    names = [f"v{index}" for index in range(size)]
    order = [names[index] for index in generator.permutation(size)]
    directed = [pair for pair in combinations(order, 2) if generator.random() < arrows]
    bidirected = [pair for pair in combinations(names, 2) if generator.random() < arcs]
    return names, directed, bidirected


def large_graph(seed=0, size=1000, hidden=300):
    """Names, two arrows into each node from the twenty before it, arcs between any two."""
    generator = np.random.default_rng(seed)
    names = tuple(f"v{i}" for i in range(size))
    draws = [(i, j) for j in range(1, size) for i in generator.integers(max(0, j - 20), j, 2)]
    pairs = generator.permutation(size)[: 2 * hidden].reshape(hidden, 2).tolist()
    arcs = frozenset(frozenset((names[a], names[b])) for a, b in pairs)
    return names, frozenset((names[i], names[j]) for i, j in draws), arcs


def random_query(generator, names):
    """Disjoint outcomes, treatments and conditions: at least one outcome and one treatment."""
    order = [names[index] for index in generator.permutation(len(names))]
    outcomes = int(generator.integers(1, min(3, len(names) - 1) + 1))
    treatments = int(generator.integers(1, min(3, len(names) - outcomes) + 1))
    rest = order[outcomes + treatments :]
    given = rest[: int(generator.integers(0, min(2, len(rest)) + 1))]
    return order[:outcomes], order[outcomes : outcomes + treatments], given


def effect(outcomes, do=(), given=()):
    """The text of a question about one world."""
    behind = [*([f"do({', '.join(do)})"] if do else []), *given]
    return f"P({', '.join(outcomes)}{' | ' if behind else ''}{', '.join(behind)})"


def random_counterfactual(generator, names, levels=2):
    """One to three terms, some of them conditions, at most two of them free; a package's query."""
    count = int(generator.integers(1, 4))
    found = {}
    while len(found) < count:
        term = _term(generator, names, 0.2, levels)
        value = int(generator.integers(levels)) if generator.random() < 0.4 else None
        if value is None and sum(each.value is None for each in found.values()) > 1:
            value = int(generator.integers(levels))
        found.setdefault(term, Term(name=term.name, subscript=term.subscript, value=value))
    asked = int(generator.integers(1, count + 1))
    each = tuple(found.values())
    return Query(kind=Kind.PROBABILITY, outcomes=each[:asked], conditions=each[asked:])


def _term(generator, names, nesting, levels):
    name, *others = (names[i] for i in generator.permutation(len(names)))
    count = int(generator.choice([0, 1, 2], p=[0.3, 0.45, 0.25]))
    world = []
    for other in others[:count]:
        value = int(generator.integers(levels))
        if generator.random() < nesting:
            rest = [n for n in names if n != other]
            inner = _term(generator, [other, *rest[:2]], nesting / 2, levels)
            value = Term(name=other, subscript=inner.subscript if inner.name == other else ())
        world.append(Intervention(variable=other, value=value))
    return Term(name=name, subscript=tuple(world))


def spoilt(generator, text, most, marks):
    """The text with up to ``most`` places replaced, doubled or dropped."""
    letters = list(text)
    for _ in range(int(generator.integers(0, most + 1))):
        place = int(generator.integers(len(letters)))
        mark = str(generator.choice(marks))
        letters[place] = ["", mark, letters[place] * 2][int(generator.integers(3))]
    return "".join(letters)


def written(term):
    """The term in the language of queries."""
    name, world, value = term
    inside = f"[{settings_text(world)}]" if world else ""
    return f"{name}{inside}" if value is FREE else f"{name}{inside}={value}"


def settings_text(world):
    parts = []
    for variable, setting in world:
        if isinstance(setting, tuple):
            parts.append(f"{variable}[{settings_text(setting)}]")
        else:
            parts.append(variable if setting is FREE else f"{variable}={setting}")
    return ", ".join(parts)


def written_query(outcomes, conditions=(), do=()):
    given = [*([f"do({settings_text(do)})"] if do else []), *map(written, conditions)]
    behind = f" | {', '.join(given)}" if given else ""
    return f"P({', '.join(map(written, outcomes))}{behind})"


@dataclass
class Question:
    """What the engine is asked, and the terms that it means."""

    asked: object
    outcomes: list
    conditions: list
    coefficients: list | None = None

    def answer(self, model):
        if self.coefficients is None:
            return model.distribution(self.outcomes, self.conditions)
        return model.expectation(self.coefficients, self.outcomes, self.conditions)


def probability(outcomes, conditions):
    return Question(written_query(outcomes, conditions), outcomes, conditions)


def under_do(do, outcomes, conditions=()):
    """The terms live in the world of ``do``; the text says so once."""
    bare = ([(name, (), value) for name, _, value in part] for part in (outcomes, conditions))
    return Question(written_query(*bare, do), outcomes, list(conditions))


class Questions:
    """About one model of units; evidence is mostly that of one unit, so that few are impossible."""

    def __init__(self, model, random):
        self.model, self.random = model, random
        self.row = int(random.choice(model.rows))
        self.nodes, self.classes = list(model.sizes), model.classes
        self.every_name = [*self.nodes, *model.declared]

    def every(self):
        """(kind, question): each kind once, named quantities where the model has the nodes."""
        for kind in (
            self.observational,
            self.interventional,
            self.conditional_interventional,
            self.interventional_for_every_level,
            self.counterfactual,
            self.counterfactual_for_every_level,
            self.several_worlds,
            self.nested,
            self.expectation,
            self.posterior,
        ):
            yield kind.__name__, kind()
        yield from self.named()

    def observational(self):
        outcomes = self.terms(3)
        return probability(outcomes, self.evidence(outcomes))

    def interventional(self):
        do = self.world()
        return under_do(do, self.terms(3, [do], 0.3, self.others(do)))

    def conditional_interventional(self):
        do = self.world()
        outcomes = self.terms(2, [do], 0.3, self.others(do))
        names = [n for n in self.others(do) if n not in {name for name, *_ in outcomes}]
        return under_do(do, outcomes, self.terms(2, [do], 0.7, names) if names else ())

    def interventional_for_every_level(self):
        do = ((self.one(self.classes), FREE),)
        return under_do(do, self.terms(2, [do], 0.0, self.others(do)))

    def counterfactual(self):
        outcomes = self.terms(2, [self.world()], 0.3, self.nodes)
        return probability(outcomes, self.evidence(outcomes, 3, 0.8))

    def counterfactual_for_every_level(self):
        name = self.one(self.classes)
        do = ((name, FREE),)
        outcomes = self.terms(2, [do, ()], 0.0, self.others(do))
        return probability(outcomes, [(name, (), self.level(name))])

    def several_worlds(self):
        worlds = [self.world(), self.world(), ()]
        terms = self.terms(3, worlds, 0.4) + self.terms(2, worlds, 0.6)
        different = list({term[:2]: term for term in terms}.values())
        cut = int(self.random.integers(1, len(different) + 1))
        return probability(different[:cut], different[cut:])

    def nested(self):
        outcomes = self.terms(2, [self.world(2, nested=0.7)], 0.3, self.nodes)
        return probability(outcomes, self.evidence(outcomes))

    def expectation(self):
        keys = {(name, self.world(2, 0.3)): None for name in self.some(self.classes, 3)}
        outcomes = [(name, world, FREE) for name, world in keys]
        halves = [Fraction(int(self.random.integers(1, 5)), 2) for _ in outcomes]
        shown = " - ".join(f"{c}*{written(t)}" for c, t in zip(halves, outcomes, strict=True))
        conditions = self.evidence(outcomes, 2, 0.6)
        given = f" | {', '.join(map(written, conditions))}" if conditions else ""
        coefficients = [halves[0], *(-c for c in halves[1:])]
        return Question(f"E[{shown}{given}]", outcomes, conditions, coefficients)

    def posterior(self):
        """Of several exogenous variables jointly: given evidence they are dependent."""
        asked = [(name, (), FREE) for name in self.some(list(self.model.declared), 3)]
        return probability(asked, self.terms(3, fixed=1.0, names=self.nodes))

    def named(self):
        """The quantities that have names, asked by name and answered by definition."""
        if len(self.classes) < 2:
            return
        x, y, m, *_ = [*map(str, self.random.permutation(self.classes)), None]
        (x1, x0), (y1, y0) = self.two(x), self.two(y)
        one, zero = ((x, x1),), ((x, x0),)
        effect = f"({x}={x1}/{x0} -> {y}={y1}/{y0}"
        seen = [(x, (), x1), (y, (), y1)]
        both = [(y, one, y1), (y, zero, y0)]
        difference, signs = [(y, one, FREE), (y, zero, FREE)], [1, -1]
        yield "PN", Question(f"PN{effect})", both[1:], seen)
        yield "PS", Question(f"PS({x}={x0}/{x1} -> {y}={y0}/{y1})", both[1:], seen)
        yield "PNS", Question(f"PNS{effect})", both, [])
        yield "ETT", Question(f"ETT{effect})", difference, seen[:1], signs)
        if m is None:
            return
        direct, indirect = (tuple(sorted(w)) for w in ([*one, (m, zero)], [*zero, (m, one)]))
        for name, world in (("NDE", direct), ("NIE", indirect)):
            terms = [(y, world, FREE), difference[1]]
            yield name, Question(f"{name}{effect}; {m})", terms, [], signs)

    def batch(self, rows):
        """A question with its conditions left free, the rows' values, and a question a row."""
        names = self.some(self.classes, 3)
        world = self.world()
        outcomes = [(self.one(self.nodes), world, FREE)]
        chosen = self.random.choice(self.model.rows, rows)
        values = {name: self.model.value(name)[chosen].tolist() for name in names}
        single = [
            probability(outcomes, [(name, (), column[row]) for name, column in values.items()])
            for row in range(rows)
        ]
        asked = written_query(outcomes, [(name, (), FREE) for name in names])
        return asked, values, single

    def one(self, names):
        return str(self.random.choice(names))

    def some(self, names, most):
        count = int(self.random.integers(1, min(most, len(names)) + 1))
        return [str(name) for name in self.random.permutation(names)[:count]]

    def others(self, do):
        return [name for name in self.every_name if name not in dict(do)]

    def two(self, name):
        """The level that the variable has in the possible world, and another."""
        size, seen = self.model.sizes[name], int(self.model.value(name)[self.row])
        return seen, (seen + int(self.random.integers(1, size))) % size

    def level(self, name, world=()):
        """The level in the possible world, now and then another one."""
        if self.model.sizes.get(name) and self.random.random() < 0.1:
            return int(self.random.integers(self.model.sizes[name]))
        return int(self.model.value(name, world)[self.row])

    def world(self, most=2, nested=0.0, names=None):
        found = []
        for name in self.some(names or self.classes, most):
            others = [each for each in self.classes if each != name]
            if others and self.random.random() < nested:
                found.append((name, self.world(1, nested / 2, others)))
            else:
                found.append((name, int(self.random.integers(self.model.sizes[name]))))
        return tuple(sorted(found))

    def terms(self, most, worlds=((),), fixed=0.5, names=None):
        """Different terms in these worlds; each has a value with probability ``fixed``."""
        keys = dict.fromkeys(
            (name, worlds[self.random.integers(len(worlds))])
            for name in self.some(names or self.every_name, most)
        )
        return [
            (name, world, self.level(name, world) if self.random.random() < fixed else FREE)
            for name, world in keys
        ]

    def evidence(self, outcomes, most=2, fixed=0.7):
        taken = {(name, world) for name, world, _ in outcomes}
        return [term for term in self.terms(most, fixed=fixed) if term[:2] not in taken]
