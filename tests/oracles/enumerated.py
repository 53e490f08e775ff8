"""Random finite SCMs, answered from the definition; with nothing of the package.

A model is a list of equations, each as text and as a function of integer arrays. All exogenous
combinations are the rows of those arrays; a world is solved in all of them at once, by recursion:

    value(y, world) = what the world sets y to; else y's equation at the values of its arguments

Probabilities are sums of whole numbers (the rows' weights), hence exact. A term is
``(name, world, value)``, a world a tuple of ``(variable, setting)``; a setting is a level, FREE, or
a world: the variable takes the value that it has in that one. A value may be FREE too.
"""

from dataclasses import dataclass, field
from fractions import Fraction
from itertools import product
from math import prod

import numpy as np

FREE = None


@dataclass
class Model:
    laws: dict  # exogenous -> whole numbers, the probabilities times their sum
    nodes: dict = field(default_factory=dict)  # name -> the node as a graph declares it
    sizes: dict = field(default_factory=dict)  # name -> number of levels; images: None
    arguments: dict = field(default_factory=dict)
    functions: dict = field(default_factory=dict)

    def __post_init__(self):
        grid = np.indices([len(law) for law in self.laws.values()]).reshape(len(self.laws), -1)
        self.exogenous = dict(zip(self.laws, grid, strict=True))
        shares = [np.array(law)[at] for law, at in zip(self.laws.values(), grid, strict=True)]
        self.weights = np.prod(shares, axis=0, dtype=np.int64)
        self.rows = np.flatnonzero(self.weights)
        self.solved = {}

    @property
    def declaration(self):
        """The arguments of a graph."""
        laws = {u: {"p": [f"{c}/{sum(law)}" for c in law]} for u, law in self.laws.items()}
        return {"exogenous": laws, "nodes": self.nodes}

    @property
    def classes(self):
        return [name for name, size in self.sizes.items() if size is not None]

    def levels(self, name):
        return range(self.sizes[name] if name in self.sizes else len(self.laws[name]))

    def value(self, name, world=()):
        """The variable in the world, for every exogenous combination."""
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

    def distribution(self, outcomes, conditions=()):
        """Cell -> P(outcomes | conditions), zeros left out; None: the conditions never hold."""
        joint, whole = {}, {}
        for setting, asked, given in self.settings(outcomes, conditions):
            known = self.matching(given, self.rows)
            for cell, members in self.grouped(given, known):
                whole[(*cell, *setting)] = int(self.weights[members].sum())
            every = [*asked, *given]
            for cell, members in self.grouped(every, self.matching(asked, known)):
                joint[(*cell, *setting)] = int(self.weights[members].sum())
        free = sum(value is FREE for _, _, value in outcomes)
        if not whole:
            return None
        return {cell: Fraction(weight, whole[cell[free:]]) for cell, weight in joint.items()}

    def expectation(self, coefficients, outcomes, conditions=()):
        """Cell -> E[sum of coefficient * outcome | conditions]."""
        found = {}
        for setting, asked, given in self.settings(outcomes, conditions):
            for cell, members in self.grouped(given, self.matching(given, self.rows)):
                total = Fraction(0)
                for coefficient, (name, world, _) in zip(coefficients, asked, strict=True):
                    values = self.value(name, world)[members]
                    total += coefficient * int(values @ self.weights[members])
                found[(*cell, *setting)] = total / int(self.weights[members].sum())
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


def random_model(random):
    """2 to 8 nodes of 2 to 4 levels, some an image of three pixels; exogenous variables shared."""
    count = int(random.integers(2, 6))
    laws = {f"u{k}": random_law(random, 2 if count > 3 else 3) for k in range(count)}
    model = Model(laws)
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


def random_law(random, most):
    least = 0 if random.random() < 0.1 else 1
    law = random.integers(least, 8, int(random.integers(2, most + 1)))
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
