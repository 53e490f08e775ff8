"""Bounds of the confounded worlds, by our own linear programs, against the package's."""

import pytest

import causalflow as cf
from benchmarks.confounded.bounds import bounds
from benchmarks.confounded.questions import CASES

BOUNDED = {kind: case for kind, case in CASES.items() if case.questions}
GRAPHS = {
    "instrument": ["letter -> treated -> spot", "treated <-> spot"],
    "ascm": ["x -> first", "y -> first", "x <-> y", "x <-> first"],
}


@pytest.mark.parametrize("kind", BOUNDED)
def test_ten_questions_have_their_truth_inside(kind):
    case, rows = BOUNDED[kind], cf.data.confounded(kind, n=10)
    assert len(case.questions) == 10
    for question in case.questions:
        low, high = bounds(case, question, rows)
        law = rows.law(list(question.event), question.do, question.given)
        assert low - 1e-9 <= law.values[tuple(question.event.values())] <= high + 1e-9
        assert -1e-9 <= low < high <= 1 + 1e-9


@pytest.mark.parametrize("kind", GRAPHS)
def test_bounds_are_those_of_the_package(kind):
    case, rows = CASES[kind], cf.data.confounded(kind, n=10)
    graph = cf.Graph(edges=GRAPHS[kind])
    asked = [q for q in case.questions if {*q.event, *q.given} <= graph.nodes.keys()]
    law = rows.law(sorted(graph.nodes))
    for question in asked[:4]:
        low, high = bounds(case, question, rows)
        found = cf.bounds(graph, question.text, law)
        assert (found.low, found.high) == pytest.approx((low, high), abs=1e-6)
