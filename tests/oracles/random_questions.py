"""Random questions of every kind about a model of `enumerated`: as the engine takes them, as terms.

The evidence is mostly that of one possible world, so that few questions are impossible.
"""

from dataclasses import dataclass
from fractions import Fraction

from enumerated import FREE, written, written_query


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
    """Random questions about one model."""

    def __init__(self, model, random):
        self.model, self.random = model, random
        self.row = int(random.choice(model.rows))
        self.nodes, self.classes = list(model.sizes), model.classes
        self.every_name = [*self.nodes, *model.laws]

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
        asked = [(name, (), FREE) for name in self.some(list(self.model.laws), 3)]
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
