"""Cases: the questions that the identification benchmark asks."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from benchmarks.folders import ROOT
from benchmarks.identify.peers import Case
from causalflow.admg.admg import ADMG
from causalflow.formats.formats import load
from causalflow.query.parse import single_query


def speed_cases() -> dict[str, Case]:
    """The graphs of the speed table, by name."""
    size = 100
    skips = [(i, i + 2) for i in range(size - 2)]
    tens = [(i, i + 10) for i in range(0, size - 10, 10)]
    bows = [(i, i + 1) for i in range(size - 1)]
    return {
        "front-door": _from_file("front_door", "P(y | do(x))"),
        "napkin": _from_file("napkin", "P(y | do(x))"),
        "sars": _from_file("sars_cov_2", "P(cytok | do(EGFR))"),
        "chain-100-skip": _chain("chain-100-skip", size, skips),
        "chain-100-sparse": _chain("chain-100-sparse", size, tens),
        "chain-100-bows": _chain("chain-100-bows", size, bows),
    }


def thousand_nodes(seed: int = 0) -> Case:
    """A random graph: 1,000 nodes with two parents each, 300 bidirected edges."""
    generator = np.random.default_rng(seed)
    names = tuple(f"v{i}" for i in range(1000))
    draws = [(i, j) for j in range(1, 1000) for i in generator.integers(max(0, j - 20), j, 2)]
    pairs = generator.permutation(1000)[:600].reshape(2, 300).tolist()
    return Case(
        name="random-1000",
        nodes=names,
        directed=tuple(dict.fromkeys((names[i], names[j]) for i, j in draws)),
        bidirected=tuple((names[a], names[b]) for a, b in zip(*pairs, strict=True)),
        outcomes=("v999",),
        treatments=("v500",),
    )


def named_cases() -> Iterator[Case]:
    """Every query about one world in the files of the literature and the classics."""
    for folder in ("literature", "classics"):
        for file in sorted((ROOT / "graphs" / folder).glob("*.yaml")):
            graph = load(file)
            for each in graph.queries:
                query = single_query(each.ask, graph)
                if query.is_counterfactual or query.variables & graph.exogenous.keys():
                    continue
                query = query.interventional_form()
                if query.do:
                    yield _from_admg(
                        file.stem,
                        graph.admg,
                        tuple(dict.fromkeys(term.name for term in query.outcomes)),
                        tuple(each.variable for each in query.do),
                        tuple(term.name for term in query.conditions),
                    )


def random_cases(count: int, seed: int) -> Iterator[Case]:
    """Random graphs of 3 to 9 nodes with joint questions, half of them conditional."""
    oracles()
    from questions import random_graph, random_query  # type: ignore[import-not-found]

    generator = np.random.default_rng(seed)
    for number in range(count):
        size = int(generator.integers(3, 10))
        arcs = generator.uniform(0.5, 2.0) / size
        names, directed, bidirected = random_graph(generator, size, 0.4, arcs)
        outcomes, treatments, conditions = random_query(generator, names)
        yield Case(
            name=f"random-{number}",
            nodes=tuple(names),
            directed=tuple(directed),
            bidirected=tuple(bidirected),
            outcomes=tuple(outcomes),
            treatments=tuple(treatments),
            conditions=tuple(conditions) if number % 2 else (),
        )


def oracles() -> None:
    """Make the tests' oracles, which share no code with identification, importable."""
    folder = str(ROOT / "tests" / "oracles")
    if folder not in sys.path:
        sys.path.append(folder)


def _from_file(stem: str, text: str) -> Case:
    graph = load(ROOT / "graphs" / "literature" / f"{stem}.yaml")
    query = single_query(text, graph)
    outcomes = tuple(term.name for term in query.outcomes)
    return _from_admg(stem, graph.admg, outcomes, tuple(each.variable for each in query.do), ())


def _from_admg(
    name: str,
    admg: ADMG,
    outcomes: tuple[str, ...],
    treatments: tuple[str, ...],
    conditions: tuple[str, ...],
) -> Case:
    return Case(
        name=name,
        nodes=admg.nodes,
        directed=tuple(sorted(admg.directed)),
        bidirected=tuple(sorted((a, b) for a, b in map(admg.ordered, admg.bidirected))),
        outcomes=outcomes,
        treatments=treatments,
        conditions=conditions,
    )


def _chain(name: str, size: int, arcs: list[tuple[int, int]]) -> Case:
    names = tuple(f"v{i}" for i in range(size))
    return Case(
        name=name,
        nodes=names,
        directed=tuple(pairwise(names)),
        bidirected=tuple((names[a], names[b]) for a, b in arcs),
        outcomes=(names[-1],),
        treatments=(names[0],),
    )
