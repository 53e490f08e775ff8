"""Whether data determine an answer, decided by numbers: random models with explicit hidden causes.

A model has a hidden cause of three states for each bidirected edge and a table for each node. The
derivatives of the data and of the question by all entries of all tables, at a random model, decide:
where the question's lie in the span of the data's, the data determine it near that model.

Nothing here knows the package: graphs are names and pairs, a distribution is (outcomes, do, given).
"""

from dataclasses import dataclass
from itertools import combinations

import numpy as np

HIDDEN_STATES = 4
STEP = 1e-40


@dataclass(frozen=True)
class Question:
    names: list
    directed: list
    bidirected: list
    asked: tuple
    data: list

    def edges(self):
        return [f"{a} -> {b}" for a, b in self.directed] + [
            f"{a} <-> {b}" for a, b in self.bidirected
        ]


def text(distribution):
    outcomes, do, given = distribution
    behind = ([f"do({', '.join(do)})"] if do else []) + [*given]
    return f"P({', '.join(outcomes)}{' | ' + ', '.join(behind) if behind else ''})"


def subsets(names):
    return [frozenset(c) for size in range(len(names) + 1) for c in combinations(names, size)]


def random_graph(generator, size, arrows, arcs):
    names = [f"v{index}" for index in range(size)]
    order = [names[at] for at in generator.permutation(size)]
    directed = [pair for pair in combinations(order, 2) if generator.random() < arrows]
    bidirected = [pair for pair in combinations(names, 2) if generator.random() < arcs]
    return names, directed, bidirected


def random_question(generator, size):
    names, directed, bidirected = random_graph(generator, size, 0.5, 0.9 / size)
    asked = random_distribution(generator, names, 2, 2, 0.25)
    count = int(generator.integers(1, 5))
    data = [random_distribution(generator, names, size, 2, 0.15) for _ in range(count)]
    return Question(names, directed, bidirected, asked, data)


def random_distribution(generator, names, most, most_set, conditional):
    order = [names[at] for at in generator.permutation(len(names))]
    outcomes = int(generator.integers(1, most + 1))
    outcomes = min(outcomes, len(names) - 1) if most_set else outcomes
    rest = order[outcomes:]
    do = rest[: int(generator.integers(0, min(most_set, len(rest)) + 1))]
    rest = rest[len(do) :]
    given = rest[:1] if generator.random() < conditional else []
    return order[:outcomes], do, given


class Model:
    """Tables with a last axis that sums to one, kept away from zero."""

    def __init__(self, question, generator):
        self.names = question.names
        self.arcs = [tuple(arc) for arc in question.bidirected]
        self.factors = {}
        for arc in self.arcs:
            self.factors[arc] = ([arc], self.law(generator, [], HIDDEN_STATES))
        for name in self.names:
            axes = [a for a, b in question.directed if b == name]
            axes += [arc for arc in self.arcs if name in arc]
            sizes = [2 if isinstance(axis, str) else HIDDEN_STATES for axis in axes]
            self.factors[name] = ([*axes, name], self.law(generator, sizes, 2))

    @staticmethod
    def law(generator, sizes, levels):
        drawn = generator.dirichlet(np.full(levels, 1.5), size=tuple(sizes))
        return 0.8 * drawn + 0.2 / levels

    def distribution(self, asked, factors=None):
        """Axes: outcomes, given, do."""
        factors = self.factors if factors is None else factors
        outcomes, do, given = asked
        kept = [*outcomes, *given, *do]
        letter = {axis: at for at, axis in enumerate([*self.names, *self.arcs])}
        operands = []
        for axis, (axes, numbers) in factors.items():
            if axis in do:
                operands += [np.ones(2), [letter[axis]]]
            else:
                operands += [numbers, [letter[each] for each in axes]]
        whole = np.einsum(*operands, [letter[name] for name in kept], optimize="greedy")
        return whole / whole.sum(axis=tuple(range(len(outcomes))), keepdims=True)

    def derivatives(self, distributions):
        """The derivative of every cell by every free entry: complex steps have no rounding."""
        columns = []
        for axis, (axes, numbers) in self.factors.items():
            for cell in np.ndindex(numbers.shape[:-1]):
                for level in range(1, numbers.shape[-1]):
                    moved = numbers.astype(complex)
                    moved[(*cell, level)] += 1j * STEP
                    moved[(*cell, 0)] -= 1j * STEP
                    factors = {**self.factors, axis: (axes, moved)}
                    found = [self.distribution(each, factors).ravel() for each in distributions]
                    columns.append(np.concatenate(found).imag / STEP)
        return np.array(columns).T


def is_determined(question, generator):
    """Whether the data determine the answer near a random model."""
    model = Model(question, generator)
    known = model.derivatives(question.data)
    asked = model.derivatives([question.asked])
    _, sizes, span = np.linalg.svd(known, full_matrices=False)
    span = span[sizes > 1e-10 * sizes[0]] if sizes[0] else span[:0]
    left = asked - asked @ span.T @ span
    return bool(np.abs(left).max() < 1e-8)
