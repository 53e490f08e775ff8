"""Tables as explicit functions of one hidden variable each, written out; for `brute_force`.

response    u(v): one value for every combination of the parents, all of them listed
monotone    u(v): the piece of [0, 1) between two neighbouring cumulative probabilities
"""

from dataclasses import dataclass, field
from fractions import Fraction
from itertools import accumulate, pairwise, product

from brute_force import Scm

from causalflow.equations.equation import evaluate


@dataclass
class Explicit(Scm):
    """``laws`` has the declared exogenous variables, ``hidden`` those of the tables."""

    hidden: dict = field(default_factory=dict)

    def rows(self):
        every = {**self.laws, **self.hidden}
        for values in product(*(range(len(p)) for p in every.values())):
            weight = Fraction(1)
            for law, value in zip(every.values(), values, strict=True):
                weight *= law[value]
            if weight:
                yield dict(zip(every, values, strict=True)), weight


def responses(levels, rows):
    """The laws and values of all response functions."""
    values = [dict(zip(rows, each, strict=True)) for each in product(levels, repeat=len(rows))]
    laws = []
    for each in values:
        weight = Fraction(1)
        for cell, law in rows.items():
            weight *= law[levels.index(each[cell])]
        laws.append(weight)
    kept = [k for k, weight in enumerate(laws) if weight]
    return [laws[k] for k in kept], [values[k] for k in kept]


def pieces(levels, rows):
    """The laws and values of all pieces of the unit interval."""
    ends = {cell: [Fraction(0), *accumulate(law)] for cell, law in rows.items()}
    cuts = sorted({end for each in ends.values() for end in each})
    laws, values = [], []
    for low, high in pairwise(cuts):
        middle = (low + high) / 2
        laws.append(high - low)
        values.append(
            {cell: levels[sum(middle >= e for e in each[1:-1])] for cell, each in ends.items()}
        )
    return laws, values


def explicit(graph, noise=None):
    """The model of a graph with tables; ``noise`` for tables that do not say (default: refuse)."""
    laws = {name: list(u.p) for name, u in graph.exogenous.items()}
    functions, parents, sizes, hidden = {}, {}, {}, {}
    for name, node in graph.nodes.items():
        sizes[name] = len(node.levels)
        parents[name] = [edge.source for edge in graph.edges if edge.target == name]
        if node.table is None:
            functions[name] = by_equation(graph, name)
            continue
        kinds = {"response": responses, "monotone": pieces}
        hidden[f"u({name})"], values = kinds[node.noise or noise](node.levels, dict(node.table))

        def function(given, name=name, values=values):
            return values[given[f"u({name})"]][tuple(given[p] for p in parents[name])]

        functions[name] = function
    return Explicit(graph, laws, sizes, functions, parents, hidden)


def by_equation(graph, name):
    node = graph.nodes[name]

    def function(given):
        numbers = {}
        for used in node.equation.names:
            levels = graph.nodes[used].levels if used in graph.nodes else None
            numbers[used] = levels.index(given[used]) if levels else given[used]
        return node.levels[int(evaluate(node.equation, numbers))]

    return function
