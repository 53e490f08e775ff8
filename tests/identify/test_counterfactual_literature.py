"""Cases of the literature: formulas are held against worlds, refusals against two models."""

from __future__ import annotations

from itertools import combinations, product
from pathlib import Path

import numpy as np
import pytest
from finite_models import unit_model
from test_random_graphs import EXACT, set_in
from two_models import by_descent, population

from causalflow.formats.formats import load
from causalflow.graph.graph import Graph
from causalflow.identify.identify import identify
from causalflow.query.parse import parse_query

GRAPHS = {
    "arrow": ["x -> y"],
    "chain": ["x -> m -> y"],
    "bow": ["x -> y", "x <-> y"],
    "back-door": ["z -> x -> y", "z -> y"],
    "front-door": ["x -> m -> y", "x <-> y"],
    "mediation": ["x -> m -> y", "x -> y"],
    "mediator and outcome confounded": ["x -> m -> y", "x -> y", "m <-> y"],
    "treatment and mediator confounded": ["x -> m -> y", "x -> y", "x <-> m"],
    "treatment and outcome confounded": ["x -> m -> y", "x -> y", "x <-> y"],
    "mediation with a covariate": ["z -> x -> m -> y", "z -> m", "z -> y", "x -> y"],
    "two mediators": ["x -> m -> y", "x -> w -> y", "x -> y"],
    "recanting witness": ["x -> w -> m -> y", "w -> y", "x -> m", "x -> y"],
    "recanting district": ["x -> m -> y", "x -> w -> y", "m <-> w"],
    "instrument": ["z -> x -> y", "x <-> y"],
    "napkin": ["w -> z -> x -> y", "w <-> x", "w <-> y"],
    "verma": ["x -> z -> w -> y", "z <-> y"],
    "shpitser-pearl 9a": ["x -> w -> y", "d -> z -> y", "x <-> y"],
    "fairness": ["x -> m -> y", "x -> y", "z -> m", "z -> y", "x <-> z"],
    "treatment in two steps": ["a -> l -> b -> y", "a -> b", "l -> y", "a -> y"],
    "selection": ["x -> y", "x -> s", "y -> s"],
}

SEEN, ALL = "observational", "experimental"
CASES = [  # graph, question, data, identifiable
    ("arrow", "P(y[x=1] | x=0)", SEEN, True),
    ("arrow", "P(y[x=1], x=0)", SEEN, True),
    ("arrow", "P(y[x=1], y[x=0])", SEEN, False),
    ("arrow", "P(y[x=1], y[x=0])", ALL, False),
    ("arrow", "P(y[x=0]=0 | x=1, y=1)", SEEN, False),
    ("arrow", "P(y[x=0]=0 | x=1, y=1)", ALL, False),
    ("arrow", "P(y[x=1]=1 | x=1, y=1)", SEEN, True),
    ("arrow", "P(y[x=1]=1, x=1, y=0)", SEEN, True),
    ("arrow", "E[y[x=1] - y[x=0]]", SEEN, True),
    ("arrow", "P(x[y=1], y)", SEEN, True),
    ("chain", "P(y[x=1], y[x=0])", ALL, False),
    ("chain", "P(y[m=1], m[x=0])", SEEN, True),
    ("chain", "P(y[m[x=1]] | x=0)", SEEN, True),
    ("chain", "P(y[x=1], m[x=0])", SEEN, False),
    ("chain", "P(y[x=1] | m=0, x=0)", SEEN, False),
    ("chain", "P(y[m=1] | x=0)", SEEN, True),
    ("chain", "P(y[m=1] | m=0)", SEEN, True),
    ("bow", "P(y[x=1] | x=0)", SEEN, False),
    ("bow", "P(y[x=1] | x=0)", ALL, False),
    ("bow", "P(y[x=1], x=1)", SEEN, True),
    ("bow", "P(y[x=1]=1, y=0, x=1)", SEEN, True),
    ("bow", "P(y[x=1], x)", ALL, False),
    ("bow", "E[y[x=1] - y[x=0]]", SEEN, False),
    ("bow", "E[y[x=1] - y[x=0]]", ALL, True),
    ("back-door", "P(y[x=1] | x=0)", SEEN, True),
    ("back-door", "E[y[x=1] - y[x=0] | x=1]", SEEN, True),
    ("back-door", "P(y[x=1], z | x=0)", SEEN, True),
    ("back-door", "P(y[x=0]=0 | x=1, y=1)", SEEN, False),
    ("front-door", "P(y[x=1] | x=0)", SEEN, True),
    ("front-door", "P(y[x=1] | x=0)", ALL, True),
    ("front-door", "P(y[m=1] | x=0)", SEEN, True),
    ("front-door", "P(y[x=1], m)", SEEN, False),
    ("front-door", "P(y[x=1], x)", SEEN, True),
    ("front-door", "P(y[x=1, m[x=0]])", SEEN, True),
    ("mediation", "P(y[x=1, m[x=0]])", SEEN, True),
    ("mediation", "P(y[x=1, m[x=0]])", ALL, True),
    ("mediation", "P(y[x=0, m[x=1]] | x=1)", SEEN, True),
    ("mediation", "E[y[x=1, m[x=0]] - y[x=0]]", SEEN, True),
    ("mediation", "E[y[x=1, m=1] - y[x=0, m=1]]", SEEN, True),
    ("mediation", "P(y[x=1, m[x=1]])", SEEN, True),
    ("mediation", "P(y[x=1, m[x=0]], m[x=0])", SEEN, True),
    ("mediation", "P(y[x=1, m[x=0]], m[x=1])", SEEN, False),
    ("mediator and outcome confounded", "P(y[x=1, m[x=0]])", SEEN, False),
    ("mediator and outcome confounded", "P(y[x=1, m[x=0]])", ALL, False),
    ("mediator and outcome confounded", "P(y[x=1, m[x=1]])", SEEN, True),
    ("treatment and mediator confounded", "P(y[x=1, m[x=0]])", SEEN, False),
    ("treatment and mediator confounded", "P(y[x=1, m[x=0]])", ALL, True),
    ("treatment and mediator confounded", "P(y[m=1] | x=0)", SEEN, True),
    ("treatment and outcome confounded", "P(y[x=1, m[x=0]])", SEEN, False),
    ("treatment and outcome confounded", "P(y[x=1, m[x=0]])", ALL, True),
    ("treatment and outcome confounded", "P(y[x=1, m[x=0]] | x=0)", ALL, False),
    ("treatment and outcome confounded", "P(y[x=1, m[x=0]] | x=1)", SEEN, True),
    ("mediation with a covariate", "P(y[x=1, m[x=0]])", SEEN, True),
    ("mediation with a covariate", "P(y[x=1, m[x=0]] | x=0)", SEEN, True),
    ("mediation with a covariate", "P(y[x=1, m[x=0]], z | x=1)", SEEN, True),
    ("two mediators", "P(y[x=1, m[x=0]])", SEEN, True),
    ("two mediators", "P(y[x=1, m[x=0], w[x=0]])", SEEN, True),
    ("two mediators", "P(y[x=0, m[x=1], w[x=0]] | x=1)", SEEN, True),
    ("recanting witness", "P(y[x=1, m[x=0]])", SEEN, False),
    ("recanting witness", "P(y[x=1, m[x=0]])", ALL, False),
    ("recanting witness", "P(y[x=1, w[x=0], m[x=0]])", SEEN, True),
    ("recanting witness", "P(y[x=1, m[x=0, w[x=1]]])", SEEN, True),
    ("recanting witness", "P(y[x=1, m[x=1, w[x=0]], w[x=1]])", SEEN, False),
    ("recanting district", "P(y[m[x=1], w[x=0]])", SEEN, False),
    ("recanting district", "P(y[m[x=1], w[x=0]])", ALL, False),
    ("recanting district", "P(y[m[x=1], w[x=1]])", SEEN, True),
    ("instrument", "P(x[z=1], x[z=0])", ALL, False),
    ("instrument", "P(y[x=1] | z=0)", SEEN, False),
    ("instrument", "P(y[z=1] | x=0)", SEEN, False),
    ("instrument", "P(y[x=1], x[z=1]=1)", SEEN, True),
    ("instrument", "P(y[x=1], x[z=1]=0)", SEEN, False),
    ("napkin", "P(y[x=1] | x=0)", SEEN, False),
    ("napkin", "E[y[x=1] - y[x=0]]", SEEN, True),
    ("napkin", "P(y[x=1], x[z=0]=1)", SEEN, True),
    ("verma", "P(y[x=1], x=0)", SEEN, True),
    ("verma", "P(y[w=1] | x=0)", SEEN, True),
    ("verma", "P(y[w=1], w=0, z=1)", SEEN, True),
    ("shpitser-pearl 9a", "P(y[x=1] | x=0, z[d=0]=0, d=0)", SEEN, True),
    ("shpitser-pearl 9a", "P(y[x=1] | x=0, z[d=0]=0)", SEEN, False),
    ("shpitser-pearl 9a", "P(y[x=1], w=0)", SEEN, False),
    ("fairness", "P(y[x=1, m[x=0]] | x=0)", SEEN, True),
    ("fairness", "E[y[x=0, m[x=1]] - y[x=0] | x=0]", SEEN, True),
    ("fairness", "P(y[x=1] | x=0)", SEEN, True),
    ("treatment in two steps", "P(y[a=1, b=0] | a=0)", SEEN, True),
    ("treatment in two steps", "P(y[a=1, b[a=0]])", SEEN, False),
    ("treatment in two steps", "P(y[a=1, l[a=0], b[a=0]])", SEEN, True),
    ("selection", "P(y[x=1] | s=1)", SEEN, False),
    ("selection", "P(y[x=1] | x=0, s[x=0]=1)", SEEN, False),
    ("selection", "P(y[x=1] | s[x=1]=1)", SEEN, True),
]


def parts_of(graph):
    return graph.admg.nodes, graph.admg.directed, graph.admg.bidirected


def regimes(graph, data):
    nodes = graph.admg.nodes
    if data == SEEN:
        return [()]
    return [z for size in range(len(nodes)) for z in combinations(nodes, size)]


def check(graph, question, data, identifiable):
    query = parse_query(question, graph)
    verdict = identify(graph, query, data)
    assert verdict.identifiable == identifiable
    generator = np.random.default_rng(0)
    nodes, directed, bidirected = parts_of(graph)
    if identifiable:
        levels = {name: 2 + (place + len(nodes)) % 2 for place, name in enumerate(nodes)}
        levels = levels if len(nodes) < 5 else 2
        model = unit_model(generator, nodes, directed, bidirected, levels)
        tables = model.table() if data == SEEN else model.experiments()
        assert np.abs(verdict.evaluate(tables).values - model.truth(query)).max() < EXACT
        return
    assert verdict.estimand is None
    assert verdict.witness
    sizes = [dict.fromkeys(nodes, 2), dict.fromkeys(nodes, 2) | dict.fromkeys(set_in(query), 3)]
    for hidden, size in product((2, 3, 3), (*sizes, dict.fromkeys(nodes, 3))):
        functions = 16 if len(nodes) < 4 else 8
        people = population(generator, nodes, directed, bidirected, size, hidden, functions)
        if by_descent(generator, people, query, regimes(graph, data)):
            return
    pytest.fail("no two models tell the refusal")


@pytest.mark.parametrize(("name", "question", "data", "identifiable"), CASES)
def test_verdict_of_the_literature_holds_in_numbers(name, question, data, identifiable):
    check(Graph(edges=GRAPHS[name]), question, data, identifiable)


FILES = sorted((Path(__file__).parents[2] / "graphs" / "literature").glob("*.yaml"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_counterfactual_questions_of_the_graph_files_hold_in_numbers(file):
    graph = load(file)
    for each in graph.queries:
        if parse_query(each.ask, graph).is_counterfactual:
            check(graph, each.ask, SEEN, each.identifiable)
