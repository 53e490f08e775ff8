"""How often the intervals of `estimate` hold the truth: ``python coverage_of_estimates.py 200``.

Every data set is drawn from a random model with hidden causes of its own; the truth is the model's
own, by enumeration of all its noise.
"""

import sys
import time
from itertools import product
from pathlib import Path

import numpy as np

import causalflow as cf

sys.path.append(str(Path(__file__).resolve().parents[1] / "oracles"))

BACK_DOOR = "z -> x -> y; z -> y"
MANY = "a -> x; b -> x; c -> x; a -> y; b -> y; c -> y; x -> y; a -> b"
FRONT_DOOR = "x -> m -> y; x <-> y"
NAPKIN = "w -> r -> x -> y; w <-> x; w <-> y"
DESIGNS = {  # edges, levels that are not two, query
    "back door": (BACK_DOOR, {"z": 3}, "P(y=1 | do(x=1))"),
    "back door, sparse": (BACK_DOOR, {"z": 30}, "P(y=1 | do(x=1))"),
    "back door, 3 covariates": (MANY, dict.fromkeys("abc", 3), "P(y=1 | do(x=1))"),
    "effect": (BACK_DOOR, {"z": 3}, "TE(x -> y)"),
    "effect, sparse": (BACK_DOOR, {"z": 30}, "TE(x -> y)"),
    "treated": (BACK_DOOR, {"z": 6}, "ETT(x -> y)"),
    "front door": (FRONT_DOOR, {}, "P(y=1 | do(x=1))"),
    "front door, sparse": (FRONT_DOOR, {"x": 4, "m": 10}, "P(y=1 | do(x=1))"),
    "front door, effect": (FRONT_DOOR, {"x": 3, "m": 5}, "TE(x -> y)"),
    "napkin": (NAPKIN, {}, "P(y=1 | do(x=1))"),
    "napkin, sparse": (NAPKIN, {"w": 8, "r": 3}, "P(y=1 | do(x=1))"),
    "conditional": (f"{BACK_DOOR}; z -> s; y -> s", {"z": 4}, "P(y=1 | do(x=1), s=1)"),
    "rare": ("x -> y", {}, "P(y=1 | do(x=1))"),
}
RARE = 0.05  # of the outcomes of that design are left


def measure(design, n, sets):
    """Coverage, mean width, width that no rows leave, how many are intervals, how many refused."""
    from finite_models import unit_model

    edges, levels, query = DESIGNS[design]
    graph = cf.Graph(edges=edges.split("; "))
    sizes = dict.fromkeys(graph.nodes, 2) | levels
    verdict, asked = cf.identify(graph, query), cf.parse_query(query)
    covered, intervals, widths, gaps = 0, 0, [], []
    for seed in range(sets):
        random = np.random.default_rng(seed)
        parts = tuple(graph.nodes), graph.admg.directed, graph.admg.bidirected
        model = unit_model(random, *parts, sizes)
        units = random.choice(len(model.weights), n, p=model.weights / model.weights.sum())
        rows, truth = {name: model.value(name)[units] for name in sizes}, model.truth(asked).item()
        if design == "rare":
            rows["y"], truth = rows["y"] * (random.random(n) < RARE), truth * RARE
        try:
            found = verdict.estimate(rows, levels={name: range(k) for name, k in sizes.items()})
        except cf.CausalflowError:
            continue
        low, high = float(found.low.values), float(found.high.values)
        covered += low - 1e-9 <= truth <= high + 1e-9
        intervals += found.kind == "interval"
        widths.append(high - low)
        gaps.append(float(found.bounds[1].values) - float(found.bounds[0].values))
    told = max(len(widths), 1)
    return covered / told, np.mean(widths), np.mean(gaps), intervals / told, sets - len(widths)


def main(sets, only=""):
    """The table, a line for each design and number of rows."""
    say, start = sys.stdout.write, time.process_time()
    say(f"{'design':26} {'n':>5}  covers   width no rows intervals refused\n")
    for design, n in product(DESIGNS, (100, 300, 1000)):
        if only in design:
            share, width, gap, intervals, refused = measure(design, n, sets)
            numbers = f"{share:7.1%} {width:7.3f} {gap:7.3f} {intervals:9.1%} {refused}"
            say(f"{design:26} {n:5} {numbers}\n")
    say(f"{sets} data sets each, {time.process_time() - start:.0f} seconds of CPU\n")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200, *sys.argv[2:3])
