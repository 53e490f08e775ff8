"""Answers: exact ones of the finite graph files, estimands at a table of fractions, and bounds."""

from fractions import Fraction
from functools import partial
from itertools import permutations

import numpy as np
from golden_files import GRAPHS, brief, digest, refused

import causalflow as cf

TOLERANCE = 1e-6
FINITE = [
    "ascm_xy.yaml",
    *(f"bar_mnist_{kind}_scm.yaml" for kind in ("backdoor", "confounded", "frontdoor")),
    *(f"classics/{path.name}" for path in sorted(GRAPHS.glob("classics/*.yaml"))),
]
SYMBOLIC = sorted(GRAPHS.glob("literature/*.yaml"))
NODES = 4
"""Nodes between which every finite file is asked."""
LARGEST = 6
"""Nodes of a graph whose estimands are evaluated."""
BOUNDED = [
    "bow",
    "instrument",
    "causality_3_8b",
    "bow_on_mediator",
    "mediation_confounded",
    "butterfly",
]


def asked_of_all(model, graph):
    """Observations, interventions, counterfactuals, means and the joint of the first nodes."""
    names = list(graph.nodes)[:NODES]
    levels = {name: model.ask(f"P({name})").table.levels[name] for name in names}
    for x, y in permutations(names, 2):
        first, last = levels[x][0], levels[x][-1]
        yield from (f"P({y} | do({x}))", f"P({y} | {x})")
        yield f"P({y}[{x}={last}] | {x}={first}, {y}={levels[y][0]})"
    yield from (f"P({x})" for x in names)
    yield f"P({', '.join(names[:3])})"
    yield f"E[{names[1]} | do({names[0]}={levels[names[0]][0]})]"


def of_finite(name):
    graph = cf.load(GRAPHS / name)
    model = cf.compile(graph)
    queries = dict.fromkeys([*(each.ask for each in graph.queries), *asked_of_all(model, graph)])
    return {
        "answers": {query: of_answer(model, query) for query in queries},
        "enumeration": refused(lambda: digest(str(model.enumerate()))),
    }


def of_answer(model, query):
    answer = refused(model.ask, query)
    if isinstance(answer, dict):
        return answer
    cells = ", ".join(f"{cell}: {value}" for cell, value in answer.table.to_dict().items())
    return [answer.route, brief(cells), digest(str(answer))]


def fractions(graph, seed=0):
    """A table of P(v) over variables of two levels, in whole thousandths and without zeros."""
    generator = np.random.default_rng(seed)
    counts = generator.integers(1, 1000, 2 ** len(graph.nodes)).tolist()
    values = np.array([Fraction(each, sum(counts)) for each in counts], dtype=object)
    return cf.Table(list(graph.nodes), values.reshape([2] * len(graph.nodes)))


def of_estimands(path):
    """Each estimand at the table, whatever the formula looks like."""
    graph = cf.load(path)
    if len(graph.nodes) > LARGEST:
        return {}
    table, found = fractions(graph), {}
    for query in graph.queries:
        verdict = refused(cf.identify, graph, query.ask)
        if verdict and not isinstance(verdict, dict):
            cells = refused(lambda verdict=verdict: str(verdict.evaluate(table).to_dict()))
            found[query.ask] = brief(cells) if isinstance(cells, str) else cells
    return found


def of_bounds(name):
    graph = cf.load(GRAPHS / "literature" / f"{name}.yaml")
    table = fractions(graph).to_float()
    found = {}
    for query in graph.queries:
        found[query.ask] = refused(lambda query=query: ends(cf.bounds(graph, query.ask, table)))
    return found


def ends(bounds):
    tables = [
        end.to_numpy().reshape(-1).tolist() if isinstance(end, cf.Table) else end
        for end in (bounds.low, bounds.high)
    ]
    return {
        "kind": bounds.kind,
        "low": tables[0],
        "high": tables[1],
        "notes": list(bounds.assumptions),
    }


def of_tables():
    """What is computed of a table, and how it is printed."""
    joint = fractions(cf.load(GRAPHS / "literature" / "back_door.yaml"))
    made = {
        "joint": joint,
        "marginal": joint.marginal(["x", "y"]),
        "condition": joint.condition({"z": 1}),
        "given": joint.conditional("y", "x") if hasattr(joint, "conditional") else joint,
        "turned": joint.transpose(["y", "z", "x"]),
        "renamed": joint.rename({"x": "a"}),
        "floats": joint.to_float(),
        "product": joint.marginal("x").product(joint.marginal("y")),
    }
    return {name: str(table) for name, table in made.items()}


def of_rows():
    """An estimate from rows, with its interval."""
    graph = cf.load(GRAPHS / "literature" / "back_door.yaml")
    generator = np.random.default_rng(0)
    z = generator.integers(0, 2, 400)
    x = (generator.random(400) < 0.3 + 0.4 * z).astype(int)
    y = (generator.random(400) < 0.2 + 0.3 * z + 0.3 * x).astype(int)
    estimate = cf.identify(graph, "P(y=1 | do(x=1))").estimate({"x": x, "y": y, "z": z})
    return {"text": str(estimate)}


CASES = {
    **{f"finite {name}": partial(of_finite, name) for name in FINITE},
    **{f"estimands {path.stem}": partial(of_estimands, path) for path in SYMBOLIC},
    **{f"bounds {name}": partial(of_bounds, name) for name in BOUNDED},
    "tables": of_tables,
    "rows": of_rows,
}
