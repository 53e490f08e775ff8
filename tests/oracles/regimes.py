"""Regimes: models with hidden causes under policies, by enumeration, without the package.

A unit is one value of every hidden cause (one for each `<->`, one of its own for each node); a node
is a random function of its parents, the hidden causes that it shares, and its own. A regime maps
each variable that it sets to a function

    rule(values, natural) -> {level: probability}

of the values of its world so far and of what the variable's own function gives. All answers are
sums over the units, linear in the law of each hidden cause; `derivatives` are by these laws, so
that data leave an answer open if its derivative is no combination of theirs.
"""

from dataclasses import dataclass, field

import numpy as np


@dataclass(eq=False)
class Units:
    """A random model of a graph.

    Attributes:
        levels: node -> how many levels, in causal order.
        parents: node -> its parents.
        arcs: the pairs of nodes that share a hidden cause.
        laws: hidden cause -> its probabilities.
        tables: node -> its level by parents, shared causes and own cause.
    """

    levels: dict
    parents: dict
    arcs: list
    laws: dict = field(default_factory=dict)
    tables: dict = field(default_factory=dict)

    @classmethod
    def drawn(cls, levels, edges, arcs, seed, own=7, shared=5):
        random = np.random.default_rng(seed)
        parents = {name: [a for a, b in edges if b == name] for name in levels}
        model = cls(levels, parents, [tuple(each) for each in arcs])
        for name in levels:
            model.laws[name] = random.dirichlet(np.ones(own))
        for arc in model.arcs:
            model.laws[arc] = random.dirichlet(np.ones(shared) * 2)
        for name, count in levels.items():
            shape = [levels[p] for p in parents[name]]
            shape += [shared] * len(model.causes(name))
            table = random.integers(count, size=(*shape, own))
            table[..., :count] = random.permuted(
                np.broadcast_to(np.arange(count), (*shape, count)), axis=-1
            )
            model.tables[name] = table
        return model

    def causes(self, name):
        return [arc for arc in self.arcs if name in arc]

    def units(self):
        """The value of each hidden cause in each unit, and the unit's weight."""
        sizes = [len(law) for law in self.laws.values()]
        grid = np.indices(sizes).reshape(len(sizes), -1)
        values = dict(zip(self.laws, grid, strict=True))
        return values, self.weight(values)

    def weight(self, values, without=None):
        weight = np.ones(len(next(iter(values.values()))))
        for name, law in self.laws.items():
            if name != without:
                weight = weight * law[values[name]]
        return weight

    def natural(self, name, values, hidden):
        index = [values[p] for p in self.parents[name]]
        index += [hidden[arc] for arc in self.causes(name)]
        return self.tables[name][(*index, hidden[name])]

    def worlds(self, regime, order=None):
        """Each way that the regime's draws may fall: the chance of it and all values, by unit."""
        hidden, _ = self.units()
        branches = [(1.0, {})]
        for name in order or self.levels:
            grown = []
            for chance, values in branches:
                own = self.natural(name, values, hidden) if self._ready(name, values) else None
                if name not in regime:
                    grown.append((chance, {**values, name: own}))
                    continue
                for level in range(self.levels[name]):
                    share = np.broadcast_to(
                        _share(regime[name], values, own, level), hidden[name].shape
                    )
                    if share.any():
                        at = np.full(share.shape, level)
                        grown.append((chance * share, {**values, name: at}))
            branches = grown
        return branches

    def _ready(self, name, values):
        return set(self.parents[name]) <= set(values)

    def indicator(self, event, regime, order=None):
        """The probability, in each unit, that the event holds under the regime."""
        total = 0.0
        for chance, values in self.worlds(regime, order):
            holds = np.ones(len(values[next(iter(self.levels))]), dtype=bool)
            for name, level in event.items():
                holds = holds & (values[name] == level)
            total = total + chance * holds
        return np.broadcast_to(total, holds.shape)

    def joint(self, names, regime=None, order=None, within=None):
        """P(names) under a regime, and jointly with an event of the actual world."""
        _, weight = self.units()
        if within:
            weight = weight * self.indicator(within, {})
        shape = [self.levels[n] for n in names]
        found = np.zeros(shape)
        for chance, values in self.worlds(regime or {}, order):
            index = tuple(values[n] for n in names)
            np.add.at(found, index, weight * chance)
        return found

    def derivatives(self, rows):
        """Of sums over units (one a row) by the laws of the hidden causes, within their sums."""
        hidden, _ = self.units()
        blocks = []
        for name, law in self.laws.items():
            rest = self.weight(hidden, without=name)
            block = np.stack(
                [np.bincount(hidden[name], weights=row * rest, minlength=len(law)) for row in rows]
            )
            blocks.append(block - block.mean(axis=1, keepdims=True))
        return np.concatenate(blocks, axis=1)

    def leaves_open(self, slope):
        """Whether P(v) leaves open an answer with this derivative: a proof, if it does."""
        ((_, values),) = self.worlds({})
        names = list(self.levels)
        code = np.ravel_multi_index([values[n] for n in names], [self.levels[n] for n in names])
        rows = [code == cell for cell in np.unique(code)]
        known = self.derivatives(np.array(rows, dtype=float))
        scale = np.abs(slope).max()
        if scale < 1e-12:
            return False
        left = slope - known.T @ np.linalg.lstsq(known.T, slope, rcond=1e-10)[0]
        return bool(np.abs(left).max() > 1e-6 * scale)


def _share(rule, values, natural, level):
    """The probability of a level by unit; the rule is asked at each combination that there is."""
    names = [*values]
    columns = [values[n] for n in names] + ([] if natural is None else [natural])
    if not columns:
        return rule({}, None).get(level, 0.0)
    stacked = np.stack(columns)
    cells, index = np.unique(stacked, axis=1, return_inverse=True)
    shares = []
    for cell in cells.T.tolist():
        at = dict(zip(names, cell, strict=False))
        shares.append(rule(at, None if natural is None else cell[-1]).get(level, 0.0))
    return np.array(shares)[index.reshape(-1)]
