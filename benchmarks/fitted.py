"""Fitted tables beside pgmpy: the parameters, and P(d | ten symptoms), on three real networks.

python -m benchmarks.fitted     a minute of CPU; writes results/fitted.md and fitted.json
"""

from __future__ import annotations

import json
import logging
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

import causalflow as cf
from benchmarks.exact.networks import bnlearn
from benchmarks.folders import RESULTS
from benchmarks.machine import machine
from benchmarks.markdown import markdown
from causalflow.files import whole_file
from causalflow.graph.node import levels_of

NETWORKS = ("asia", "sachs", "alarm")
ROWS, SYMPTOMS = 10_000, 10
ASKED, REPEATS, BATCH, PEER_ASKED = 200, 2_000, 1_000, 20
Row = dict[str, Any]
Evidence = Mapping[str, str]
HEAD = """# Tables fitted to rows, beside pgmpy

`python -m benchmarks.fitted` in an environment that has pgmpy; {machine}

Three networks of the bnlearn repository, {rows:,} rows drawn from each. Its graph alone, no table,
is fitted to the rows by both: causalflow at its defaults, pgmpy by `MaximumLikelihoodEstimator`.
*Parameters*: the largest difference of a cell of a table to pgmpy's, over all cells. Then
P(d | symptoms), d the first node, the symptoms up to ten of the last ones, as each of {asked} rows
shows them, by the fitted model's `ask` and by pgmpy's `VariableElimination`; *apart* is the largest
difference on the first {peer}. Milliseconds of CPU a question: *again* the same one, *others* the
next row's symptoms, *batch* {batch:,} rows in one call.
"""


def rows_of(graph: cf.Graph) -> dict[str, list[str]]:
    """Rows of a network, by names of levels."""
    drawn = cf.compile(graph).sample(ROWS, generator=0)
    return {
        name: [str(levels[place]) for place in drawn[name].tolist()]
        for name, levels in levels_of(graph.nodes).items()
    }


def blank(graph: cf.Graph) -> cf.Graph:
    """The graph without its tables."""
    nodes = {
        name: {"type": "class", "levels": [str(level) for level in levels]}
        for name, levels in levels_of(graph.nodes).items()
    }
    return cf.Graph(nodes=nodes, edges=[f"'{e.source}' -> '{e.target}'" for e in graph.edges])


def seconds(call: Callable[[], Any]) -> tuple[Any, float]:
    """What a call returns, and the CPU seconds that it took."""
    start = time.process_time()
    found = call()
    return found, time.process_time() - start


def measured(name: str) -> Row:
    """All that is told of a network."""
    given = cf.load(bnlearn(name))
    rows, graph = rows_of(given), blank(given)
    model = cf.compile(graph)
    _, fit = seconds(lambda: model.fit(rows, progress=False))
    network, peer_fit = seconds(lambda: fitted_by_pgmpy(graph, rows))
    target, *others = graph.nodes
    told = others[-SYMPTOMS:]
    asked = [{each: rows[each][k] for each in told} for k in range(ASKED)]
    query = f"P('{target}')"
    answers, new = seconds(lambda: [model.ask(query, each) for each in asked])
    _, again = seconds(lambda: [model.ask(query, asked[0]) for _ in range(REPEATS)])
    batch = {each: rows[each][:BATCH] for each in told}
    _, many = seconds(lambda: model.ask(query, batch))
    apart, peer = compared(network, target, asked[:PEER_ASKED], answers)
    cells, most = parameters(model, network)
    return {
        "network": name,
        "nodes": len(graph.nodes),
        "cells": cells,
        "parameters": most,
        "fit": [fit, peer_fit],
        "symptoms": len(told),
        "routes": sorted({str(each.route) for each in answers}),
        "apart": apart,
        "ms": [again / REPEATS * 1e3, new / ASKED * 1e3, many / BATCH * 1e3, peer * 1e3],
    }


def fitted_by_pgmpy(graph: cf.Graph, rows: Mapping[str, Sequence[str]]) -> Any:
    """pgmpy's network by maximum likelihood."""
    import pandas as pd
    from pgmpy.estimators import MaximumLikelihoodEstimator
    from pgmpy.models import DiscreteBayesianNetwork

    network = DiscreteBayesianNetwork([(e.source, e.target) for e in graph.edges])
    network.add_nodes_from(list(graph.nodes))
    levels = {name: list(each) for name, each in levels_of(graph.nodes).items()}
    fit = MaximumLikelihoodEstimator(network, pd.DataFrame(rows), state_names=levels)
    network.add_cpds(*fit.get_parameters(n_jobs=1))
    return network


def parameters(model: Any, network: Any) -> tuple[int, float]:
    """How many cells are compared, and the largest difference of one."""
    found = [abs(own - theirs) for own, theirs in _cells(model, network)]
    return len(found), max(found)


def _cells(model: Any, network: Any) -> Iterator[tuple[float, float]]:
    explicit = model.explicit
    for name, node in explicit.nodes.items():
        law = network.get_cpds(name)
        above = [edge.source for edge in explicit.edges if edge.target == name]
        for cell, shares in node.table:
            given = dict(zip(above, map(str, cell), strict=True))
            for level, share in zip(node.type.levels, shares, strict=True):
                yield float(share), float(law.get_value(**{name: str(level), **given}))


def compared(
    network: Any, target: str, asked: Sequence[Evidence], answers: Sequence[Any]
) -> tuple[float, float]:
    """The largest difference to pgmpy's answers, and its CPU seconds a question."""
    from pgmpy.inference import VariableElimination

    engine = VariableElimination(network)

    def ask(evidence: Evidence) -> Any:
        return engine.query([target], evidence=dict(evidence), show_progress=False)

    theirs, spent = seconds(lambda: [ask(each) for each in asked])
    most = max(
        abs(float(share) - float(law.get_value(**{target: str(level)})))
        for law, answer in zip(theirs, answers, strict=False)
        for level, share in answer.table.to_dict().items()
    )
    return most, spent / len(asked)


def text(result: Row) -> str:
    """The page."""
    about = result["machine"]
    packages = ", ".join(f"{name} {number}" for name, number in about["packages"].items())
    where = f"{about['processor']}, {about['threads']} thread; Python {about['python']}, {packages}"
    head = HEAD.format(machine=where, rows=ROWS, asked=ASKED, peer=PEER_ASKED, batch=BATCH)
    heads = ["network", "nodes", "cells", "parameters", "fit, CPU s", "pgmpy"]
    heads += ["symptoms", "route", "apart", "ms again", "ms others", "ms batch", "ms pgmpy"]
    lines = [
        [
            *(row["network"], row["nodes"], row["cells"], f"{row['parameters']:.1e}"),
            *(f"{each:.2f}" for each in row["fit"]),
            *(row["symptoms"], ", ".join(row["routes"]), f"{row['apart']:.1e}"),
            *(f"{each:.3g}" for each in row["ms"]),
        ]
        for row in result["networks"]
    ]
    return "\n".join([head, *markdown(heads, lines), ""])


@click.command(context_settings={"max_content_width": 100})
@click.option("--networks", "-n", multiple=True, default=NETWORKS, show_default=True)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=RESULTS,
    show_default="benchmarks/results",
    help="Where fitted.json and fitted.md are written.",
)
def main(networks: Sequence[str], out: Path) -> None:
    """Fit tables to rows of real networks, and hold them against pgmpy's."""
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    result: Row = {"machine": machine(("torch", "pgmpy"))}
    measured(networks[0])  # what is imported late is no part of a fit
    result["networks"] = [measured(name) for name in networks]
    out.mkdir(parents=True, exist_ok=True)
    pages = {"fitted.json": json.dumps(result, indent=1) + "\n", "fitted.md": text(result)}
    for name, page in pages.items():
        with whole_file(out / name) as part:
            part.write_text(page, encoding="utf-8")
    click.echo(text(result))


if __name__ == "__main__":
    main()
