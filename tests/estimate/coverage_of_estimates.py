"""How often the intervals of `estimate` hold the truth: ``python coverage_of_estimates.py 200``.

Every data set is drawn from a random model with hidden causes of its own; the truth is the model's
own, by enumeration of all its noise. Nothing of the code under test is used to make either.
"""

from __future__ import annotations

import sys
import time
from itertools import pairwise, product

import numpy as np

import causalflow as cf

# name: edges, hidden causes (children of each), levels, query, outcome, treatments
DESIGNS = {
    "back door": (["z -> x -> y", "z -> y"], [], {"z": 3}, "P(y=1 | do(x=1))"),
    "back door, sparse": (["z -> x -> y", "z -> y"], [], {"z": 30}, "P(y=1 | do(x=1))"),
    "back door, 3 covariates": (
        ["a -> x", "b -> x", "c -> x", "a -> y", "b -> y", "c -> y", "x -> y", "a -> b"],
        [],
        {"a": 3, "b": 3, "c": 3},
        "P(y=1 | do(x=1))",
    ),
    "effect": (["z -> x -> y", "z -> y"], [], {"z": 3}, "TE(x -> y)"),
    "effect, sparse": (["z -> x -> y", "z -> y"], [], {"z": 30}, "TE(x -> y)"),
    "treated": (["z -> x -> y", "z -> y"], [], {"z": 6}, "ETT(x -> y)"),
    "front door": (["x -> m -> y"], [("x", "y")], {}, "P(y=1 | do(x=1))"),
    "front door, sparse": (["x -> m -> y"], [("x", "y")], {"x": 4, "m": 10}, "P(y=1 | do(x=1))"),
    "front door, effect": (["x -> m -> y"], [("x", "y")], {"x": 3, "m": 5}, "TE(x -> y)"),
    "napkin": (["w -> r -> x -> y"], [("w", "x"), ("w", "y")], {}, "P(y=1 | do(x=1))"),
    "napkin, sparse": (
        ["w -> r -> x -> y"],
        [("w", "x"), ("w", "y")],
        {"w": 8, "r": 3},
        "P(y=1 | do(x=1))",
    ),
    "conditional": (
        ["z -> x -> y", "z -> y", "z -> s", "y -> s"],
        [],
        {"z": 4},
        "P(y=1 | do(x=1), s=1)",
    ),
    "rare": (["x -> y"], [], {}, "P(y=1 | do(x=1))"),
}


class Model:
    """A random model: a law P(v | parents, hidden causes) for each node."""

    def __init__(self, design, seed: int) -> None:
        edges, hidden, levels, _ = DESIGNS[design]
        random = np.random.default_rng(seed)
        self.parents: dict[str, list[str]] = {}
        for text in edges:
            chain = text.split(" -> ")
            for name in chain:
                self.parents.setdefault(name, [])
            for one, other in pairwise(chain):
                self.parents[other].append(one)
        self.names = self._ordered()
        self.levels = {name: levels.get(name, 2) for name in self.names}
        self.hidden = [(f"u{k}", children) for k, children in enumerate(hidden)]
        self.hidden_laws = [random.dirichlet([1.0, 1.0]) for _ in hidden]
        self.laws = {}
        for name in self.names:
            causes = [u for u, children in self.hidden if name in children]
            shape = [self.levels[p] for p in self.parents[name]] + [2 for _ in causes]
            weights = np.ones(self.levels[name]) * (0.7 if design != "rare" else 1.0)
            law = random.dirichlet(weights, size=shape or None)
            if design == "rare" and name == "y":
                law = np.stack([1 - 0.05 * law[..., 1], 0.05 * law[..., 1]], axis=-1)
            self.laws[name] = (self.parents[name] + causes, law)

    def _ordered(self):
        left, found = dict(self.parents), []
        while left:
            name = next(n for n in left if set(left[n]) <= set(found))
            found.append(name)
            del left[name]
        return found

    def draw(self, n: int, random):
        values = {
            u: random.choice(2, size=n, p=law)
            for (u, _), law in zip(self.hidden, self.hidden_laws, strict=True)
        }
        for name in self.names:
            above, law = self.laws[name]
            rows = (
                law[tuple(values[a] for a in above)]
                if above
                else np.broadcast_to(law, (n, len(law)))
            )
            values[name] = (rows.cumsum(axis=1) < random.uniform(size=(n, 1))).sum(axis=1)
            values[name] = np.minimum(values[name], law.shape[-1] - 1)
        return {name: values[name] for name in self.names}

    def joint(self, do):
        """P(v) under do, over the observed nodes: einsum over everything."""
        letters = {
            name: chr(97 + k) for k, name in enumerate([*self.names, *(u for u, _ in self.hidden)])
        }
        terms, arrays = [], []
        for (u, _), law in zip(self.hidden, self.hidden_laws, strict=True):
            terms.append(letters[u])
            arrays.append(law)
        for name in self.names:
            above, law = self.laws[name]
            if name in do:
                terms.append(letters[name])
                arrays.append(np.eye(self.levels[name])[do[name]])
            else:
                terms.append("".join(letters[a] for a in above) + letters[name])
                arrays.append(law)
        out = "".join(letters[name] for name in self.names)
        return np.einsum(",".join(terms) + "->" + out, *arrays)

    def truth(self, query: str) -> float:
        def mean(table, name):
            at = self.names.index(name)
            return float(np.moveaxis(table, at, 0)[1].sum() / table.sum())

        if query.startswith("TE"):
            return mean(self.joint({"x": 1}), "y") - mean(self.joint({"x": 0}), "y")
        if query.startswith("ETT"):  # the back door: the law of z among the treated
            z = self.joint({}).sum(axis=self.names.index("y"))
            z = z.take(1, axis=[n for n in self.names if n != "y"].index("x"))
            law = self.laws["y"][1]
            order = self.laws["y"][0]
            table = law if order == ["z", "x"] else law.swapaxes(0, 1)
            effect = table[:, 1, 1] - table[:, 0, 1]
            return float((z * effect).sum() / z.sum())
        table = self.joint({"x": 1})
        if "s=1" in query:
            table = np.moveaxis(table, self.names.index("s"), 0)[1]
            names = [name for name in self.names if name != "s"]
            return float(np.moveaxis(table, names.index("y"), 0)[1].sum() / table.sum())
        return mean(table, "y")


def graph_of(design):
    edges, hidden, _, _ = DESIGNS[design]
    return cf.Graph(edges=[*edges, *(f"{one} <-> {other}" for one, other in hidden)])


def measure(design, n: int, sets: int, seed: int = 0):
    """Coverage, mean width, how many are intervals, how many are refused."""
    verdict = cf.identify(graph_of(design), DESIGNS[design][3])
    covered = intervals = refused = 0
    widths, gaps = [], []
    for k in range(sets):
        model = Model(design, seed + 1000 * k)
        rows = model.draw(n, np.random.default_rng(seed + 1000 * k + 1))
        model_levels = {name: range(count) for name, count in model.levels.items()}
        try:
            found = verdict.estimate(rows, levels=model_levels)
        except cf.CausalflowError:
            refused += 1
            continue
        truth = model.truth(DESIGNS[design][3])
        low, high = float(found.low.values), float(found.high.values)
        covered += low - 1e-9 <= truth <= high + 1e-9
        intervals += found.kind == "interval"
        widths.append(high - low)
        gaps.append(float(found.bounds[1].values) - float(found.bounds[0].values))
    told = sets - refused
    return covered / max(told, 1), np.mean(widths), np.mean(gaps), intervals / max(told, 1), refused


def main(sets: int, only: str = "") -> None:
    """The table, a line for each design and number of rows."""
    say = sys.stdout.write
    head = f"{'design':26} {'n':>5} {'covers':>7} {'width':>7} {'no rows':>7} {'intervals':>9}"
    say(f"{head} refused\n")
    start = time.process_time()
    for design, n in product(DESIGNS, (100, 300, 1000)):
        if only in design:
            share, width, gap, intervals, refused = measure(design, n, sets)
            numbers = f"{share:7.1%} {width:7.3f} {gap:7.3f} {intervals:9.1%} {refused}"
            say(f"{design:26} {n:5} {numbers}\n")
    say(f"{sets} data sets each, {time.process_time() - start:.0f} seconds of CPU\n")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200, *sys.argv[2:3])
