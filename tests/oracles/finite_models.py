"""Finite models, answered by enumeration; of the package they know the forms of graph and query.

A unit is one value of everything exogenous: of declared variables, of a latent for each `<->` edge,
of the noise of each table. A world is solved in all units at once, by recursion:

    value(y, world) = what the world sets y to; else y's equation at the values of its arguments

Probabilities are sums of the units' weights: exact where those are whole numbers. A term is
``(name, world, value)``, a world a tuple of ``(variable, setting)``; a setting is a level, FREE, or
a world: the variable takes the value that it has in that one. A value may be FREE too.

`LatentModel` has tables in place of units, for graphs of which there would be too many.
"""

from copy import copy
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import accumulate, combinations, pairwise, product
from math import lcm, prod

import numpy as np

from causalflow.equations.equation import evaluate
from causalflow.factors.table import Table
from causalflow.query.query import Kind

FREE = None


@dataclass
class Units:
    laws: dict  # exogenous -> the weights of its values: whole numbers, or probabilities
    nodes: dict = field(default_factory=dict)  # name -> the node as a graph declares it
    sizes: dict = field(default_factory=dict)  # name -> number of levels; images: None
    arguments: dict = field(default_factory=dict)
    functions: dict = field(default_factory=dict)  # of arrays: a value for each unit
    edges: list = field(default_factory=list)
    named: dict = field(default_factory=dict)  # node -> its levels, where those have names

    def __post_init__(self):
        grid = np.indices([len(law) for law in self.laws.values()]).reshape(len(self.laws), -1)
        self.exogenous = dict(zip(self.laws, grid, strict=True))
        self.exact = not any(isinstance(w, float) for law in self.laws.values() for w in law)
        large = self.exact and prod(sum(map(int, law)) for law in self.laws.values()) >= 2**62
        kind = float if not self.exact else object if large else np.int64
        shares = [
            np.array(list(law), kind)[at] for law, at in zip(self.laws.values(), grid, strict=True)
        ]
        self.weights = np.prod(shares, axis=0, dtype=kind)
        self.solved = {}

    def weighted(self, weights):
        """The same equations over units of other weights."""
        other = copy(self)
        other.weights, other.exact = weights, False
        return other

    @property
    def rows(self):
        return np.flatnonzero(self.weights)

    @property
    def declared(self):
        """The exogenous variables that are no noise of a table."""
        return {u: law for u, law in self.laws.items() if "(" not in u}

    @property
    def declaration(self):
        """The arguments of a graph."""
        laws = {u: {"p": [f"{c}/{sum(law)}" for c in law]} for u, law in self.declared.items()}
        return {"exogenous": laws, "nodes": self.nodes, "edges": self.edges}

    @property
    def classes(self):
        return [name for name, size in self.sizes.items() if size is not None]

    def levels(self, name):
        return range(self.sizes[name] if name in self.sizes else len(self.laws[name]))

    def value(self, name, world=()):
        """The variable in the world, for every unit."""
        if (name, world) not in self.solved:
            self.solved[name, world] = self.solve(name, world)
        return self.solved[name, world]

    def solve(self, name, world):
        settings = dict(world)
        if name in settings:
            nested = isinstance(settings[name], tuple)
            constant = np.full(len(self.weights), 0 if nested else settings[name])
            return self.value(name, settings[name]) if nested else constant
        if name in self.exogenous:
            return self.exogenous[name]
        return self.functions[name](*(self.value(each, world) for each in self.arguments[name]))

    def mass(self, members):
        total = self.weights[members].sum()
        return int(total) if self.exact else float(total)

    def ratio(self, part, whole):
        return Fraction(part, whole) if self.exact else part / whole

    def distribution(self, outcomes, conditions=()):
        """Cell -> P(outcomes | conditions), zeros left out; None: the conditions never hold."""
        joint, whole = self.weighed(outcomes, conditions)
        if not whole:
            return None
        free = sum(value is FREE for _, _, value in outcomes)
        return {cell: self.ratio(weight, whole[cell[free:]]) for cell, weight in joint.items()}

    def weighed(self, outcomes, conditions):
        """The weights of the cells of the answer, and of the cells of its conditions."""
        joint, whole = {}, {}
        for setting, asked, given in self.settings(outcomes, conditions):
            known = self.matching(given, self.rows)
            for cell, members in self.grouped(given, known):
                whole[(*cell, *setting)] = self.mass(members)
            every = [*asked, *given]
            for cell, members in self.grouped(every, self.matching(asked, known)):
                joint[(*cell, *setting)] = self.mass(members)
        return joint, whole

    def expectation(self, coefficients, outcomes, conditions=()):
        """Cell -> E[sum of coefficient * outcome | conditions]."""
        found = {}
        for setting, asked, given in self.settings(outcomes, conditions):
            for cell, members in self.grouped(given, self.matching(given, self.rows)):
                total = Fraction(0) if self.exact else 0.0
                for coefficient, (name, world, _) in zip(coefficients, asked, strict=True):
                    moment = (self.value(name, world)[members] * self.weights[members]).sum()
                    total += coefficient * (int(moment) if self.exact else float(moment))
                found[(*cell, *setting)] = total / self.mass(members)
        return found or None

    def settings(self, outcomes, conditions):
        """The terms with every free intervention set, to each of its levels."""
        names = list(dict.fromkeys(n for t in [*outcomes, *conditions] for n in freely_set(t[1])))
        for levels in product(*map(self.levels, names)):
            at = dict(zip(names, levels, strict=True))
            parts = ([(n, closed(w, at), v) for n, w, v in p] for p in (outcomes, conditions))
            yield (levels, *parts)

    def matching(self, terms, rows):
        """The rows in which the terms have their values."""
        for name, world, value in terms:
            if value is not FREE:
                rows = rows[self.value(name, world)[rows] == value]
        return rows

    def grouped(self, terms, rows):
        """(values of the free terms, the rows that have them), for all values that occur."""
        columns = [self.value(name, world)[rows] for name, world, v in terms if v is FREE]
        if not columns or not len(rows):
            return [((), rows)] if len(rows) else []
        order = np.lexsort(columns)
        ordered = np.stack(columns)[:, order]
        cuts = np.flatnonzero((ordered[:, 1:] != ordered[:, :-1]).any(axis=0)) + 1
        cells = ordered[:, [0, *cuts]].T.tolist()
        return list(zip(map(tuple, cells), np.split(rows[order], cuts), strict=True))

    def cells(self, query):
        """The answer to a query of the package, by cell."""
        outcomes, conditions, coefficients = parts_of(query, self.named)
        if coefficients is not None:
            return self.expectation(coefficients, outcomes, conditions)
        return self.distribution(outcomes, conditions)

    def truth(self, query):
        """The answer over the query's free variables in their order; NaN where it is undefined."""
        query = query.counterfactual_form()
        outcomes, conditions, coefficients = parts_of(query, self.named)
        names = [*(term.name for term in query.free_terms), *query.free_interventions]
        answer = np.full([self.sizes[name] for name in names], np.nan)
        if coefficients is None:
            free = sum(value is FREE for _, _, value in outcomes)
            for cell in self.weighed(outcomes, conditions)[1]:
                answer[(slice(None),) * free + cell] = 0.0
        for cell, number in (self.cells(query) or {}).items():
            answer[cell] = float(number)
        return answer

    def table(self, do=()):
        """P(v | do(z)) with an axis for every node."""
        world = tuple((name, FREE) for name in do)
        values = np.zeros([self.sizes[name] for name in self.sizes])
        free = [(name, world, FREE) for name in self.sizes]
        for cell, number in self.distribution(free).items():
            values[cell[: len(free)]] = number
        return Table(tuple(self.sizes), values)

    def experiments(self):
        """Every P(v | do(z)), by its name."""
        names = list(self.sizes)
        subsets = (z for size in range(len(names)) for z in combinations(names, size))
        return {f"P(v | do({', '.join(z)}))" if z else "P(v)": self.table(z) for z in subsets}


def freely_set(world):
    for variable, setting in world:
        if isinstance(setting, tuple):
            yield from freely_set(setting)
        elif setting is FREE:
            yield variable


def closed(world, at):
    """The world with its free interventions set."""
    return tuple(
        (v, closed(s, at) if isinstance(s, tuple) else at[v] if s is FREE else s) for v, s in world
    )


def parts_of(query, named=None):
    """Outcomes and conditions of a query of the package, and an expectation's coefficients.

    ``named`` has the levels of the variables whose values are not their places.
    """
    form, named = query.counterfactual_form(), named or {}

    def place(name, value):
        return value if value is None or name not in named else named[name].index(value)

    def world(subscript):
        return tuple(
            (e.variable, world(e.nested.subscript) if e.nested else place(e.variable, e.value))
            for e in subscript
        )

    outcomes, conditions = (
        [(term.name, world(term.subscript), place(term.name, term.value)) for term in side]
        for side in (form.outcomes, form.conditions)
    )
    return outcomes, conditions, query.coefficients if query.kind is Kind.EXPECTATION else None


# Random explicit models.


def random_model(random):
    """2 to 8 nodes of 2 to 4 levels, some an image of three pixels; exogenous variables shared."""
    count = int(random.integers(2, 6))
    laws = {f"u{k}": random_law(random, 2 if count > 3 else 3) for k in range(count)}
    model = Units(laws)
    for k in range(int(random.integers(2, 9))):
        above = [name for name in model.classes if random.random() < 0.5][-3:]
        noise = random.choice(list(laws), int(random.integers(1, 3)), replace=False)
        name, read = f"v{k}", [*above, *map(str, noise)]
        model.arguments[name] = read
        is_image = k > 0 and random.random() < 0.1
        model.sizes[name] = None if is_image else int(random.integers(2, 5))
        if is_image:
            pixels = [random_equation(random, read, 2) for _ in range(3)]
            shape = {"type": "image", "shape": [1, 1, 3], "levels": 2}
            model.nodes[name] = {**shape, "equation": [text for text, _ in pixels]}
            model.functions[name] = lambda *v, p=pixels: sum(
                f(*v) << (2 - i) for i, (_, f) in enumerate(p)
            )
        else:
            text, model.functions[name] = random_equation(random, read, model.sizes[name])
            model.nodes[name] = {"type": "class", "levels": model.sizes[name], "equation": text}
    order = [str(name) for name in random.permutation(list(model.nodes))]
    model.nodes = {name: model.nodes[name] for name in order}
    return model


def random_law(random, most, least=2):
    zero = 0 if random.random() < 0.1 else 1
    law = random.integers(zero, 8, int(random.integers(least, most + 1)))
    law[random.integers(len(law))] += 1
    return law.tolist()


def random_equation(random, names, levels):
    """(text, function): one polynomial, or one of two by the value of a variable."""
    text, function = random_part(random, names, levels)
    if random.random() < 0.7:
        return text, function
    other_text, other = random_part(random, names, levels)
    place = int(random.integers(len(names)))
    return (
        f"where({names[place]} == 0, {text}, {other_text})",
        lambda *v: np.where(v[place] == 0, function(*v), other(*v)),
    )


def random_part(random, names, levels):
    terms = [([k], int(random.integers(1, 4))) for k in range(len(names))]
    if len(names) > 1:
        terms.append((random.choice(len(names), 2, replace=False).tolist(), 1))
    texts = [" * ".join([str(c), *(names[k] for k in at)]) for at, c in terms]
    constant, cut = int(random.integers(3)), int(random.integers(1, 4))
    text = " + ".join([*texts, str(constant)])

    def total(values):
        return sum((c * prod(values[k] for k in at) for at, c in terms), start=constant)

    if random.random() < 0.6:
        return f"({text}) % {levels}", lambda *v: total(v) % levels
    last = levels - 1
    return f"(({text}) % 5 >= {cut}) * {last}", lambda *v: (total(v) % 5 >= cut) * last


# Tables: each with a noise of its own, which a node reads beside its parents.


def responses(levels, rows):
    """(probabilities, cell -> level) of all functions of the parents, independent by cell."""
    for values in product(range(levels), repeat=len(rows)):
        share = prod(law[value] for law, value in zip(rows.values(), values, strict=True))
        if share:
            yield share, dict(zip(rows, values, strict=True))


def pieces(levels, rows):
    """(lengths, cell -> level) of the pieces of [0, 1) between cumulative probabilities."""
    ends = {cell: [Fraction(0), *accumulate(law)] for cell, law in rows.items()}
    for low, high in pairwise(sorted({end for each in ends.values() for end in each})):
        at = (low + high) / 2
        yield high - low, {c: sum(at >= end for end in each[1:-1]) for c, each in ends.items()}


NOISES = {"response": responses, "monotone": pieces}


def noise_of(kind, sizes, levels, rows):
    """(law, function of the parents and the noise) of a table, ``rows`` by places of levels."""
    shares, found = zip(*NOISES[kind](levels, rows), strict=True)
    whole = lcm(*(share.denominator for share in shares))
    table = np.zeros([*sizes, len(found)], dtype=int)
    for place, values in enumerate(found):
        for cell, value in values.items():
            table[(*cell, place)] = value
    return [int(share * whole) for share in shares], lambda *v: table[v]


def with_tables(random, most=6000):
    """A random model in which some equations have become tables; few units in all."""
    model = random_model(random)
    laws, units = dict(model.laws), prod(map(len, model.laws.values()))
    for name in model.classes:
        parents = [str(a) for a in random.permutation(model.arguments[name]) if a in model.sizes]
        sizes, levels = [model.sizes[p] for p in parents], model.sizes[name]
        kind = str(random.choice(list(NOISES)))
        cost = levels ** prod(sizes) if kind == "response" else prod(sizes) * (levels - 1) + 1
        if units * cost > most or random.random() < 0.3:
            continue
        counts = {c: random_law(random, levels, levels) for c in product(*map(range, sizes))}
        rows = {cell: [Fraction(n, sum(law)) for n in law] for cell, law in counts.items()}
        laws[f"u({name})"], model.functions[name] = noise_of(kind, sizes, levels, rows)
        units *= len(laws[f"u({name})"])
        model.arguments[name] = [*parents, f"u({name})"]
        shape = {"type": "class", "levels": levels, "noise": kind}
        model.nodes[name] = {**shape, "table": nested(rows, sizes)}
        model.edges += [f"{parent} -> {name}" for parent in parents]
    return Units(laws, model.nodes, model.sizes, model.arguments, model.functions, model.edges)


def nested(rows, sizes, cell=()):
    if len(cell) == len(sizes):
        return rows[cell]
    return {k: nested(rows, sizes, (*cell, k)) for k in range(sizes[len(cell)])}


def explicit(graph, noise):
    """The model of a graph of tables and equations; ``noise`` for tables that do not say."""
    laws = {name: whole_numbers(u.p) for name, u in graph.exogenous.items()}
    sizes, arguments, functions = {}, {}, {}
    for name, node in graph.nodes.items():
        sizes[name] = len(node.levels)
        parents = [edge.source for edge in graph.edges if edge.target == name]
        if node.table is None:
            arguments[name] = list(node.equation.names)
            functions[name] = by_equation(node.equation, arguments[name])
            continue
        of_parents = [graph.nodes[p].levels for p in parents]
        rows = {
            tuple(all_.index(level) for all_, level in zip(of_parents, cell, strict=True)): law
            for cell, law in node.table
        }
        law, function = noise_of(node.noise or noise, map(len, of_parents), sizes[name], rows)
        arguments[name] = [*parents, f"u({name})"]
        laws[f"u({name})"], functions[name] = law, function
    named = {name: node.levels for name, node in graph.nodes.items()}
    return Units(laws, {}, sizes, arguments, functions, named=named)


def whole_numbers(law):
    whole = lcm(*(share.denominator for share in law))
    return [int(share * whole) for share in law]


def by_equation(equation, names):
    def function(*columns):
        rows = (dict(zip(names, row, strict=True)) for row in np.stack(columns, axis=1).tolist())
        return np.array([int(evaluate(equation, row)) for row in rows])

    return function


# Graphs with a latent for each `<->` edge.


def unit_model(generator, names, directed, bidirected, levels=2, latent_levels=2):
    """A random function for each node, of its parents, its latents and a noise of its own.

    For each value of the parents the noise reaches every level: P(v | do(.)) is positive.
    """
    size = dict.fromkeys(names, levels) if isinstance(levels, int) else dict(levels)
    directed, arcs = sorted(directed), sorted(tuple(sorted(pair)) for pair in bidirected)
    order = parents_first(names, directed)
    counts = {f"latent {a} {b}": latent_levels for a, b in arcs}
    counts |= {f"noise {name}": size[name] + 1 for name in order}
    laws = {
        name: (0.8 * generator.dirichlet(np.ones(n)) + 0.2 / n).tolist()
        for name, n in counts.items()
    }
    model = Units(laws)
    for name in order:
        above = [source for source, target in directed if target == name]
        hidden = [f"latent {a} {b}" for a, b in arcs if name in (a, b)]
        outer = [*(size[p] for p in above), *[latent_levels] * len(hidden)]
        table = np.zeros([*outer, size[name] + 1], dtype=int)
        for cell in np.ndindex(*outer):
            extra = generator.integers(0, size[name], 1)
            table[cell] = generator.permutation([*range(size[name]), *extra])
        model.sizes[name] = size[name]
        model.arguments[name] = [*above, *hidden, f"noise {name}"]
        model.functions[name] = lambda *v, table=table: table[v]
    return model


def parents_first(names, directed):
    left, order, edges = list(names), [], list(directed)
    while left:
        ready = next(n for n in left if not any(t == n and s in left for s, t in edges))
        order.append(ready)
        left.remove(ready)
    return order


@dataclass(frozen=True)
class LatentModel:
    """A table for each node given its parents and its latents; axes are node and latent names."""

    names: tuple
    levels: dict
    latents: dict
    mechanisms: dict  # name -> (axes, table)

    def joint(self, do=()):
        """P(v | do(x)) at every v and x, axes in the order of ``names``; x's axes index its value.

        Each node's table, latents' too, is multiplied in, and a latent is summed out in the end.
        """
        symbol = {name: index for index, name in enumerate((*self.names, *self.latents))}
        operands = []
        for name in self.names:
            axes, table = self.mechanisms[name]
            if name in do:
                axes, table = (name,), np.ones(self.levels[name])
            operands += [table, [symbol[axis] for axis in axes]]
        used = {axis for axes in operands[1::2] for axis in axes}
        for name, table in self.latents.items():
            if symbol[name] in used:
                operands += [table, [symbol[name]]]
        return np.einsum(*operands, [symbol[name] for name in self.names], optimize="greedy")

    def truth(self, outcomes, do=(), given=()):
        """P(outcomes | do, given): axes are outcomes, given, do in that order."""
        kept = (*outcomes, *given, *do)
        out = tuple(i for i, name in enumerate(self.names) if name not in kept)
        summed = self.joint(do).sum(axis=out)
        left = [name for name in self.names if name in kept]
        numerator = summed.transpose([left.index(name) for name in kept])
        return numerator / numerator.sum(axis=tuple(range(len(outcomes))), keepdims=True)


def latent_model(generator, names, directed, bidirected, levels=2, latent_levels=2):
    """Dirichlet tables kept away from zero, so that ratios are well conditioned."""
    directed, arcs = sorted(directed), sorted(tuple(sorted(pair)) for pair in bidirected)
    sizes = [levels] * len(names) if isinstance(levels, int) else levels
    size = dict(zip(names, sizes, strict=True))

    def law(shape, count):
        return 0.9 * generator.dirichlet(np.full(count, 0.7), size=tuple(shape)) + 0.1 / count

    latents = {f"latent {a} {b}": law((), latent_levels) for a, b in arcs}
    mechanisms = {}
    for name in names:
        above = [source for source, target in directed if target == name]
        hidden = [f"latent {a} {b}" for a, b in arcs if name in (a, b)]
        shape = [*(size[each] for each in above), *[latent_levels] * len(hidden)]
        mechanisms[name] = ((*above, *hidden, name), law(shape, size[name]))
    return LatentModel(tuple(names), size, latents, mechanisms)
