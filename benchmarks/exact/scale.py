"""Scale: a counterfactual in random networks of a thousand nodes; a million rows of evidence."""

from __future__ import annotations

from statistics import median
from time import perf_counter, process_time
from typing import Any

import numpy as np

from benchmarks.exact.networks import elimination_width, random_network
from causalflow.exact.model import ExactModel
from causalflow.formats.formats import load
from causalflow.graph.graph import Graph
from causalflow.shipped import graph_path


def large_networks(seed: int) -> list[dict[str, Any]]:
    """P(y[x=1]=1 | x=0, z=1) in networks of 1,000 nodes; seconds from the graph to the answer."""
    records = []
    for k in (2, 4, 8):
        graph = random_network(1000, k, seed)
        treatment, outcome, given = _far_apart(graph)
        query = f"P({outcome}[{treatment}=1]=1 | {treatment}=0, {given}=1)"
        timed = [_timed(graph, query) for _ in range(3)]
        records.append(
            {
                "k": k,
                "width": elimination_width(graph),
                "twin_width": elimination_width(graph, treatment),
                "query": query,
                "ancestors": len(graph.ancestors({outcome, given})),
                "copied": len(graph.descendants(treatment) & graph.ancestors({outcome, given})),
                "value": timed[0][2],
                "seconds": median(wall for wall, _, _ in timed),
                "cpu": median(cpu for _, cpu, _ in timed),
            }
        )
    return records


def _far_apart(graph: Graph) -> tuple[str, str, str]:
    """A node, and the two of its descendants with most ancestors."""
    above = {name: len(graph.ancestors(name)) for name in graph.nodes}
    outcome = max(above, key=above.__getitem__)
    inside = graph.ancestors(outcome) - {outcome}
    order = [name for name in graph.nodes if name in inside]
    treatment = order[len(order) // 10]
    below = graph.descendants(treatment) - {treatment, outcome}
    return treatment, outcome, max(sorted(below), key=above.__getitem__)


def _timed(graph: Graph, query: str) -> tuple[float, float, float]:
    start, cpu = perf_counter(), process_time()
    value = ExactModel(graph).ask(query).value
    return perf_counter() - start, process_time() - cpu, float(value)  # type: ignore[arg-type]


def many_rows(seed: int, rows: int = 1_000_000) -> list[dict[str, Any]]:
    """Questions about the paper's SCM with a column of images as evidence."""
    graph = load(graph_path("ascm_xy"))
    pixels = ExactModel(graph).sample(rows, generator=seed)["i"]
    codes = pixels.reshape(rows, -1).astype(np.int64) @ np.array([8, 4, 2, 1])
    records = []
    for query in ("P(y[x=1] | i)", "P(i[x=1] | i)"):
        for form, column in (("codes", codes), ("pixels", pixels)):
            timed = []
            for _ in range(5):
                model = ExactModel(graph)
                start, cpu = perf_counter(), process_time()
                model.ask(query, i=column)
                timed.append((perf_counter() - start, process_time() - cpu))
            seconds, cpus = (median(column) for column in zip(*timed, strict=True))
            record = {"query": query, "rows": rows, "evidence": form}
            records.append(record | {"seconds": seconds, "cpu": cpus})
    return records
