"""What shows that an answer is not identifiable: hedges, and two models of equal data.

`is_hedge` is the definition, with networkx. `by_hedge` builds two models of one graph that agree on
P(v) and differ in P(y | do(x)). `by_descent` finds two models that agree on all data named and
differ in any answer: a model is a population of units, a level of each latent and a response
function of each node, with P(latent) and P(function | the node's latents) as its parameters. Where
the answer's gradient is no combination of the data's gradients, a step along what is left of it
changes the answer; Newton steps then bring the data back, to rounding errors.

Nothing here is shared with identification.
"""

from dataclasses import dataclass
from itertools import product

import networkx
import numpy as np
from finite_models import FREE, LatentModel, Units, parents_first, parts_of

SAME = 1e-11  # Newton's steps converge quadratically to float64 rounding
APART = 1e-4


def is_hedge(admg, hedge):
    """Definition 6 of Shpitser & Pearl (2006), in the graph without the experiment's variables."""
    left = set(admg.nodes) - hedge.experiment
    dag = networkx.DiGraph([e for e in admg.directed if set(e) <= left])
    dag.add_nodes_from(left)
    arcs = networkx.Graph([tuple(pair) for pair in admg.bidirected if pair <= left])
    arcs.add_nodes_from(left)
    mutilated = networkx.DiGraph([(a, b) for a, b in admg.directed if b not in hedge.treatments])
    mutilated.add_nodes_from(admg.nodes)
    above = (networkx.ancestors(mutilated, node) for node in hedge.outcomes)
    inner_edges = {edge for edge in hedge.edges if set(edge) <= hedge.inner}
    return (
        is_forest(hedge.forest, hedge.edges, hedge.roots, dag, arcs)
        and is_forest(hedge.inner, inner_edges, hedge.roots, dag, arcs)
        and hedge.inner < hedge.forest
        and bool(hedge.forest & hedge.treatments)
        and not hedge.inner & hedge.treatments
        and hedge.roots <= set(hedge.outcomes).union(*above)
    )


def is_forest(nodes, edges, roots, dag, arcs):
    """One district; edges of the graph, at most one child a node; the childless are the roots."""
    children = {node: [] for node in nodes}
    for source, target in edges:
        if not dag.has_edge(source, target) or target not in children:
            return False
        children[source].append(target)
    return (
        networkx.is_connected(arcs.subgraph(nodes))
        and all(len(found) <= 1 for found in children.values())
        and {node for node, found in children.items() if not found} == set(roots)
    )


def by_hedge(admg, hedge):
    """Shpitser & Pearl (2006), proof of Theorem 4.

    Bit a of the nodes of F is the sum modulo 2 of the forest's parents and of a fair coin for each
    bidirected edge; in the second model the nodes of F' do without what lies outside of F'. In both
    the roots' bits sum to 0; under do(x), only in the second. Bit b carries the roots' bits to Y.
    """
    return tuple(_of_bits(admg, hedge, heard) for heard in (hedge.forest, hedge.inner))


def _carriers(admg, hedge):
    """Node -> child, on the ways from the roots to the outcomes, without edges into X."""
    dag = networkx.DiGraph([(a, b) for a, b in admg.directed if b not in hedge.treatments])
    dag.add_nodes_from(admg.nodes)
    following = {}
    for root in sorted(hedge.roots):
        node = root
        while node not in hedge.outcomes and node not in following:
            ends = [y for y in sorted(hedge.outcomes) if networkx.has_path(dag, node, y)]
            following[node] = networkx.shortest_path(dag, node, ends[0])[1]
            node = following[node]
    return following


def _of_bits(admg, hedge, connected):
    """The model whose nodes of F' listen to what lies in ``connected`` only."""
    following = _carriers(admg, hedge)
    arcs = sorted(tuple(sorted(pair)) for pair in admg.bidirected if pair <= hedge.forest)
    latents = {f"u {a} {b}": np.full(2, 0.5) for a, b in arcs}
    mechanisms = {}
    for node in admg.nodes:
        heard = hedge.forest if node not in hedge.inner else connected
        above = [p for p in sorted(admg.parents(node)) if (p, node) in hedge.edges and p in heard]
        coins = [f"u {a} {b}" for a, b in arcs if node in (a, b) and {a, b} <= heard]
        carried = [p for p in sorted(admg.parents(node)) if following.get(p) == node]
        parents = list(dict.fromkeys([*above, *carried]))
        table = np.zeros([4] * len(parents) + [2] * len(coins) + [4])
        for cell in np.ndindex(*table.shape[:-1]):
            value = dict(zip([*parents, *coins], cell, strict=True))
            a = sum(value[p] & 1 for p in above) + sum(value[c] for c in coins)
            b = sum((value[p] >> 1) + (value[p] & (p in hedge.roots)) for p in carried)
            table[(*cell, a % 2 * (node in hedge.forest) + b % 2 * 2)] = 1
        mechanisms[node] = ((*parents, *coins, node), table)
    return LatentModel(admg.nodes, dict.fromkeys(admg.nodes, 4), latents, mechanisms)


@dataclass(frozen=True)
class Population:
    """The units, and for each block of parameters the cell that a unit takes in it."""

    model: Units
    blocks: list  # row, column, shape

    def weights(self, logits):
        """The units' probabilities, and their derivatives by every logit."""
        weights, slopes = np.ones(len(self.model.weights)), []
        ends = np.cumsum([a * b for _, _, (a, b) in self.blocks])[:-1]
        for (row, column, shape), part in zip(self.blocks, np.split(logits, ends), strict=True):
            logit = part.reshape(shape)
            law = np.exp(logit - logit.max(axis=1, keepdims=True))
            law /= law.sum(axis=1, keepdims=True)
            weights = weights * law[row, column]
            slope = np.zeros((len(row), *shape))
            units = np.arange(len(row))
            slope[units, row] = -law[row]
            slope[units, row, column] += 1
            slopes.append(slope.reshape(len(row), -1))
        return weights, np.concatenate(slopes, axis=1) * weights[:, None]


def population(generator, names, directed, bidirected, levels, latent_levels=2, functions=6):
    directed, arcs = sorted(directed), sorted(tuple(sorted(pair)) for pair in bidirected)
    order = parents_first(names, directed)
    parents = {n: [s for s, t in directed if t == n] for n in order}
    maps = {
        n: _functions(generator, [levels[p] for p in parents[n]], levels[n], functions)
        for n in order
    }
    counts = dict.fromkeys(arcs, latent_levels) | {f"map {n}": len(maps[n]) for n in order}
    model = Units({name: [1.0] * count for name, count in counts.items()})
    first = np.zeros_like(model.weights, dtype=int)
    blocks = [(first, model.exogenous[arc], (1, latent_levels)) for arc in arcs]
    for name in order:
        hidden = [arc for arc in arcs if name in arc]
        row = first
        for arc in hidden:
            row = row * latent_levels + model.exogenous[arc]
        shape = latent_levels ** len(hidden), len(maps[name])
        blocks.append((row, model.exogenous[f"map {name}"], shape))
        model.sizes[name] = levels[name]
        model.arguments[name] = [f"map {name}", *parents[name]]
        model.functions[name] = lambda *v, table=maps[name]: table[v]
    return Population(model, blocks)


def _functions(generator, outer, levels, most):
    """Different random functions, the constants among them, so that every level is possible."""
    found = {np.full(outer, level).tobytes(): np.full(outer, level) for level in range(levels)}
    for _ in range(20 * most):
        if len(found) < most:
            made = generator.integers(0, levels, outer)
            found.setdefault(made.tobytes(), made)
    return np.stack([*found.values()])


def by_descent(generator, people, query, experiments):
    """Models with the same P(v | do(z)) for each z of ``experiments`` and different answers."""
    cells = _cells(people.model, experiments)
    start = np.concatenate([generator.normal(size=a * b) for _, _, (a, b) in people.blocks])
    first, slope = people.weights(start)
    data = _totals(cells, first)
    _, sizes, rows = np.linalg.svd(_totals(cells, slope), full_matrices=False)
    known = rows[sizes > 1e-9 * sizes[0]]
    left = [g - known.T @ (known @ g) for g in _gradients(people.model, query, first, slope)]
    away = max(left, key=np.linalg.norm)
    if np.linalg.norm(away) < 1e-6:
        return None
    for size in (1.0, 0.3, 0.1):
        moved = start + size * away / np.linalg.norm(away)
        for _ in range(15):
            second, slope = people.weights(moved)
            gap = _totals(cells, second) - data
            if np.abs(gap).max() < SAME:
                break
            moved = moved - np.linalg.pinv(_totals(cells, slope), rcond=1e-9) @ gap
        pair = people.model.weighted(first), people.model.weighted(second)
        if np.abs(gap).max() < SAME:
            one, other = (model.truth(query) for model in pair)
            if np.nanmax(np.abs(one - other)) > APART:
                return pair
    return None


def _cells(model, experiments):
    """For every setting of every experiment, the cell of V that each unit falls into."""
    found = []
    for do in experiments:
        for setting in product(*map(model.levels, do)):
            world = tuple(zip(do, setting, strict=True))
            columns = [model.value(name, world) for name in model.sizes]
            found.append(np.ravel_multi_index(columns, [*model.sizes.values()]))
    return found


def _totals(cells, weights):
    """The weight of every cell; of a column of weights, a column."""
    if weights.ndim == 1:
        return np.concatenate([np.bincount(each, weights) for each in cells])
    return np.stack([_totals(cells, column) for column in weights.T], axis=1)


def _gradients(model, query, weights, slope):
    """Of every cell of the answer; each is a ratio of linear forms of the units' weights."""
    found = []
    for above, below in _ratios(model, *parts_of(query)):
        n, d = weights @ above, weights @ below
        if d > 0:
            found.append((slope.T @ above) / d - (slope.T @ below) * n / d**2)
    return found


def _ratios(model, outcomes, conditions, coefficients):
    """Each cell of the answer: which units count above, and below."""
    for _, asked, given in model.settings(outcomes, conditions):
        terms = given if coefficients else [*asked, *given]
        free = [term for term in terms if term[2] is FREE]
        for levels in product(*(model.levels(name) for name, *_ in free)):
            chosen = dict(zip((term[:2] for term in free), levels, strict=True))
            below = _holds(model, given, chosen)
            if coefficients:
                values = (model.value(name, world) for name, world, _ in asked)
                numbers = zip(coefficients, values, strict=True)
                yield below * sum(float(c) * v for c, v in numbers), below
            else:
                yield below * _holds(model, asked, chosen), below


def _holds(model, terms, chosen):
    """1.0 for the units in which each term has its value, or the one chosen for it."""
    held = np.ones(len(model.weights))
    for name, world, value in terms:
        level = chosen[name, world] if value is FREE else value
        held = held * (model.value(name, world) == level)
    return held
