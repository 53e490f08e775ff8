"""Random finite SCMs and their answers by enumeration, with nothing of the exact engine.

A model here is Python functions and a loop over all exogenous values; the engine gets the same
model as the text of a graph. Answers are sums over worlds evaluated by recursion.
"""

from dataclasses import dataclass
from fractions import Fraction
from itertools import product

import numpy as np

from causalflow.graph.graph import Graph
from causalflow.query.parse import parse_query
from causalflow.query.query import Kind, Term


@dataclass
class Scm:
    graph: Graph
    laws: dict  # exogenous -> list of fractions
    sizes: dict  # node -> number of levels (images: None)
    functions: dict  # node -> function of a mapping of values
    parents: dict

    def rows(self):
        for values in product(*(range(len(p)) for p in self.laws.values())):
            weight = Fraction(1)
            for law, value in zip(self.laws.values(), values, strict=True):
                weight *= law[value]
            if weight:
                yield dict(zip(self.laws, values, strict=True)), weight


def random_fractions(random, count):
    counts = random.integers(0 if random.random() < 0.1 else 1, 9, count)
    counts[random.integers(count)] += 1
    return [Fraction(int(c), int(counts.sum())) for c in counts]


def random_part(random, names, levels):
    """(text, function): a polynomial of the variables, modulo the number of levels."""
    terms = [(int(random.integers(1, 4)), (name,)) for name in names]
    if len(names) > 1:
        pair = tuple(random.choice(names, 2, replace=False))
        terms.append((int(random.integers(1, 4)), pair))
    constant = int(random.integers(0, 3))
    text = " + ".join([*(f"{c} * {' * '.join(v)}" for c, v in terms), str(constant)])
    kind = random.integers(3)
    cut = int(random.integers(1, 4))
    shapes = [f"({text}) % {levels}", f"(({text}) % 5 >= {cut}) * {levels - 1}"]
    shapes.append(f"where(({text}) % 3 == 1, {levels - 1}, min({text}, {levels - 1}))")

    def polynomial(values):
        total = constant
        for coefficient, variables in terms:
            for name in variables:
                coefficient *= values[name]
            total += coefficient
        return total

    def function(values):
        total = polynomial(values)
        if kind == 0:
            return total % levels
        if kind == 1:
            return (levels - 1) if total % 5 >= cut else 0
        return levels - 1 if total % 3 == 1 else min(total, levels - 1)

    return shapes[kind], function


def random_scm(seed):
    random = np.random.default_rng(seed)
    count = int(random.integers(2, 8))
    exogenous = [f"u{k}" for k in range(int(random.integers(2, 6)))]
    laws = {u: random_fractions(random, int(random.integers(2, 4))) for u in exogenous}
    nodes, sizes, functions, parents = {}, {}, {}, {}
    for k in range(count):
        earlier = [name for name in nodes if sizes[name] is not None]
        chosen = [p for p in earlier if random.random() < 0.5][:3]
        noise = [
            str(u) for u in random.choice(exogenous, int(random.integers(1, 3)), replace=False)
        ]
        name, read = f"v{k}", [*chosen, *noise]
        parents[name] = chosen
        if k and random.random() < 0.15:
            pixels = [random_part(random, read, 2) for _ in range(3)]
            nodes[name] = {"type": "image", "shape": [1, 1, 3], "levels": 2}
            nodes[name]["equation"] = [text for text, _ in pixels]
            sizes[name] = None
            functions[name] = lambda v, p=pixels: sum(f(v) << (2 - i) for i, (_, f) in enumerate(p))
        else:
            sizes[name] = int(random.integers(2, 5))
            text, functions[name] = random_part(random, read, sizes[name])
            nodes[name] = {"type": "class", "levels": sizes[name], "equation": text}
    order = [str(name) for name in random.permutation(list(nodes))]
    shares = {u: {"p": [str(share) for share in law]} for u, law in laws.items()}
    graph = Graph(exogenous=shares, nodes={name: nodes[name] for name in order})
    return Scm(graph, laws, sizes, functions, parents)


def value_of(scm, term, u, free):
    """The value of a term in the world of u; ``free`` gives what is set to any value."""
    return in_world(scm, term.name, term.subscript, u, free)


def in_world(scm, name, world, u, free):
    for each in world:
        if each.variable == name:
            if isinstance(each.value, Term):
                return value_of(scm, each.value, u, free)
            return free[name] if each.value is None else each.value
    if name in u:
        return u[name]
    values = dict(u)
    for parent in scm.parents[name]:
        values[parent] = in_world(scm, parent, world, u, free)
    return scm.functions[name](values)


def domain(scm, name):
    return range(scm.sizes[name]) if name in scm.sizes else range(len(scm.laws[name]))


def brute_force(scm, text):
    """Cell -> number, without cells that are zero; None if the evidence is impossible."""
    query = parse_query(text, scm.graph)
    form, free = query.counterfactual_form(), query.free_interventions
    if query.kind is Kind.EXPECTATION:
        return expectation(scm, query, form, free)
    above, below = {}, {}
    for setting in product(*(domain(scm, name) for name in free)):
        for u, weight in scm.rows():
            values = dict(zip(free, setting, strict=True))
            known = [(t, value_of(scm, t, u, values)) for t in form.conditions]
            if any(t.value is not None and t.value != v for t, v in known):
                continue
            given = (*(v for t, v in known if t.value is None), *setting)
            below[given] = below.get(given, 0) + weight
            asked = [(t, value_of(scm, t, u, values)) for t in form.outcomes]
            if all(t.value is None or t.value == v for t, v in asked):
                cell = (tuple(v for t, v in asked if t.value is None), given)
                above[cell] = above.get(cell, 0) + weight
    if not below:
        return None
    return {(*out, *given): weight / below[given] for (out, given), weight in above.items()}


def expectation(scm, query, form, free):
    above, below = {}, {}
    for setting in product(*(domain(scm, name) for name in free)):
        for u, weight in scm.rows():
            values = dict(zip(free, setting, strict=True))
            known = [(t, value_of(scm, t, u, values)) for t in form.conditions]
            if any(t.value is not None and t.value != v for t, v in known):
                continue
            given = (*(v for t, v in known if t.value is None), *setting)
            below[given] = below.get(given, 0) + weight
            total = sum(
                c * value_of(scm, t, u, values)
                for c, t in zip(query.coefficients, form.outcomes, strict=True)
            )
            above[given] = above.get(given, 0) + weight * total
    if not below:
        return None
    return {given: weight / below[given] for given, weight in above.items() if weight}


class Questions:
    """Random questions of every kind about one model, as text."""

    def __init__(self, scm, random):
        self.scm, self.random = scm, random
        self.nodes = list(scm.sizes)
        self.classes = [name for name in self.nodes if scm.sizes[name] is not None]
        rows = list(scm.rows())
        self.u = rows[random.integers(len(rows))][0]

    def some(self, names, most):
        count = int(self.random.integers(1, min(most, len(names)) + 1))
        return [str(name) for name in self.random.choice(names, count, replace=False)]

    def setting(self, name, depth=0, free=False):
        roll = self.random.random()
        if depth and roll < 0.4:
            return f"{name}[{self.world([n for n in self.classes if n != name], depth - 1)}]"
        if free and roll < 0.75:
            return name
        return f"{name}={self.random.integers(self.scm.sizes[name])}"

    def world(self, names, depth=0, free=False):
        return (
            ", ".join(self.setting(name, depth, free) for name in self.some(names, 2))
            if names
            else ""
        )

    def term(self, name, world="", chance=0.5):
        """With a value that is possible in the world of this object's u."""
        text = f"{name}[{world}]" if world else name
        if self.random.random() > chance:
            return text
        term = parse_query(f"P({text})", self.scm.graph).outcomes[0]
        try:
            return f"{text}={value_of(self.scm, term, self.u, {})}"
        except KeyError:  # a free intervention: any value may be the right one
            return text

    def observational(self):
        names = self.some([*self.nodes, *self.scm.laws], 4)
        cut = int(self.random.integers(1, len(names) + 1))
        parts = [self.term(name, chance=0.4 if k < cut else 0.7) for k, name in enumerate(names)]
        return f"P({', '.join(parts[:cut])}{' | ' * (cut < len(names))}{', '.join(parts[cut:])})"

    def interventional(self):
        chosen = self.some(self.classes, 2)
        rest = [name for name in [*self.nodes, "u0"] if name not in chosen]
        if not rest:
            return self.observational()
        names = self.some(rest, 3)
        cut = int(self.random.integers(1, len(names) + 1))
        do = ", ".join(self.setting(name, free=True) for name in chosen)
        outcomes = ", ".join(self.term(name, chance=0.3) for name in names[:cut])
        given = "".join(f", {self.term(name, chance=0.3)}" for name in names[cut:])
        return f"P({outcomes} | do({do}){given})"

    def counterfactual(self, depth=0, free=False):
        outcomes = self.terms(2, depth, free, 0.4)
        given = [t for t in self.terms(3, 0, False, 0.8) if bare(t) not in map(bare, outcomes)]
        behind = f" | {', '.join(given)}" if given else ""
        return f"P({', '.join(outcomes)}{behind})"

    def terms(self, most, depth, free, chance):
        names = self.some([*self.nodes, "u1"], most)
        found = {}
        for name in [*names, *(names[:1] if self.random.random() < 0.5 else [])]:
            world = self.world(self.classes, depth, free) if self.random.random() < 0.6 else ""
            text = self.term(name, world, chance)
            found.setdefault(bare(text), text)
        return list(found.values())

    def expected(self):
        classes = self.classes
        outcomes = []
        for name in self.some(classes, 2):
            world = self.world(classes, 1)
            outcomes.append(f"{self.random.integers(1, 4)}/2*{name}[{world}]")
        given = [t for t in self.terms(2, 0, False, 0.6) if "[" not in t]
        return f"E[{' - '.join(outcomes)}{' | ' if given else ''}{', '.join(given)}]"

    def every(self):
        yield self.observational()
        yield self.interventional()
        yield self.counterfactual()
        yield self.counterfactual(free=True)
        yield self.counterfactual(depth=2)
        yield self.expected()


def bare(text):
    """The canonical term without its value."""
    return str(parse_query(f"P({text})").outcomes[0].free)
