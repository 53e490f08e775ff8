"""Symbols: of every graph file what `check` says, what is written back, and every verdict."""

import json
from functools import partial

from golden_files import GRAPHS, brief, command, digest, refused, workplace

import causalflow as cf

TOLERANCE = 0.0
PATHS = sorted(GRAPHS.rglob("*.yaml"))
EXPERIMENTS = 2
"""Nodes whose experiments are named as data, of each question."""


def of_file(path):
    graph = cf.load(path)
    with workplace():
        code, out, err = command("check", "--json", f"graphs/{path.relative_to(GRAPHS)}")
    text = cf.dumps(graph)
    return {
        "check": [code, digest(json.dumps(json.loads(out), sort_keys=True)), err],
        "dumps": digest(text),
        "read back": cf.loads(text) == graph,
        "nodes": " ".join(graph.nodes),
        "sets": sets_of(graph),
        "queries": {query.ask: of_query(graph, query.ask) for query in graph.queries},
    }


def sets_of(graph):
    """Front doors and instruments between the first nodes and the last."""
    names = list(graph.nodes)
    pairs = [(x, names[-1]) for x in names[:2] if x != names[-1]]
    return {
        f"{x}, {y}": [
            [sorted(each) for each in cf.front_door_sets(graph, x, y)][:4],
            [str(each) for each in cf.instruments(graph, x, y)][:4],
        ]
        for x, y in pairs
    }


def of_query(graph, query):
    found = refused(cf.identify, graph, query)
    if isinstance(found, dict):
        return found
    experiments = [["P(v)", f"P(v | do({name}))"] for name in list(graph.nodes)[:EXPERIMENTS]]
    return {
        "is": found.identifiable,
        "text": brief(str(found)),
        "hedge": str(found.hedge),
        "latex": digest(found.latex()),
        "explained": digest(found.text(explain=True)),
        "steps": digest(found.derivation_latex()),
        "proof": digest(found.text(proof=True) + found.proof.latex()),
        "short": digest("; ".join(map(str, found.short_answers))),
        "of data": [of_data(graph, query, data) for data in ["experimental", *experiments]],
    }


def of_data(graph, query, data):
    found = refused(cf.identify, graph, query, data)
    if isinstance(found, dict):
        return brief(found["error"])
    return f"{found.identifiable} {digest(found.text(explain=True) + found.latex())}"


CASES = {str(path.relative_to(GRAPHS)): partial(of_file, path) for path in PATHS}
