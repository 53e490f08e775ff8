from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from finite_models import latent_model
from test_random_graphs import EXACT, check_no, error

from causalflow.formats.formats import load
from causalflow.identify.identify import identify
from causalflow.query.parse import parse_query

FILES = sorted((Path(__file__).parents[2] / "graphs" / "literature").glob("*.yaml"))


def test_literature_has_forty_graphs_each_with_a_query_and_its_source():
    assert len(FILES) >= 40
    for file in FILES:
        graph = load(file)
        assert graph.queries
        assert graph.name == file.stem.replace("_", "-")
        assert "# Source: " in file.read_text(encoding="utf-8")
        assert all(each.identifiable is not None for each in graph.queries)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_verdicts_of_the_literature_are_found_and_hold_in_numbers(file):
    graph = load(file)
    parts = (graph.admg.nodes, graph.admg.directed, graph.admg.bidirected)
    levels = 2 if len(graph.nodes) > 8 else [2 + place % 2 for place in range(len(graph.nodes))]
    model = latent_model(np.random.default_rng(len(file.stem)), *parts, levels)
    for each in graph.queries:
        query = parse_query(each.ask, graph)
        if query.is_counterfactual:
            continue
        verdict = identify(graph, query)
        assert verdict.identifiable == each.identifiable, each.ask
        question = (
            [term.name for term in query.outcomes],
            [each.variable for each in query.do],
            [term.name for term in query.conditions],
        )
        if verdict.identifiable:
            assert error(verdict, model, question) < EXACT, each.ask
        else:
            check_no(graph.admg, verdict, question)
