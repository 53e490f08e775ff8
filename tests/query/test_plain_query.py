"""Plain questions are read to the queries that the grammar makes of them."""

from __future__ import annotations

import numpy as np
import pytest

from causalflow.errors import QueryError
from causalflow.graph.graph import Graph
from causalflow.query.parse import _tree, parse_query, plain_query
from causalflow.query.reader import Reader

NAMES = ["y", "x", "do", "P", "E", "_z1", "größe", "v10"]


def test_plain_text_and_the_grammar_give_equal_queries_in_any_spacing():
    generator, met = np.random.default_rng(0), 0
    for _ in range(500):
        order = [NAMES[i] for i in generator.permutation(len(NAMES))]
        cuts = sorted(int(i) for i in generator.integers(1, 6, size=2))
        outcomes, do, given = order[: cuts[0]], order[cuts[0] : cuts[1]], order[cuts[1] : 6]
        set_, seen = f"do({', '.join(do)})" if do else "", ", ".join(given)
        behind = ", ".join(filter(None, [set_, seen]))
        text = f"P({', '.join(outcomes)}{' | ' + behind if behind else ''})"
        for mark in ",|()":
            left, right = (" " * int(n) for n in generator.integers(0, 2, size=2))
            text = text.replace(mark, left + mark + right)
        query = plain_query(text, None)
        assert query == Reader(text=text, variables=None).query(_tree(text)), text
        met += query is not None
    assert met == 500


@pytest.mark.parametrize(
    "text",
    ["P(y | do(q))", "P(y, y)", "P(y | do(y))", "P(y | do(u))", "P(y | x, do(x))", "P(y | do())"],
)
def test_mistakes_are_left_to_the_grammar_which_points_at_them(text):
    graph = Graph(
        exogenous={"u": {"p": [0.5, 0.5]}},
        nodes={name: {"type": "class", "levels": 2, "equation": "u"} for name in "xy"},
    )
    assert plain_query(text, {**graph.nodes, **graph.exogenous}) is None
    with pytest.raises(QueryError, match=r"query: "):
        parse_query(text, graph)


def test_long_plain_text_is_matched_in_linear_time():
    assert plain_query("P(" + "a, " * 600 + "|)", None) is None
    assert plain_query("P(" + "a" * 1900 + " | do(" + "b ,", None) is None
