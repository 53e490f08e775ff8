"""Start: a graph that the page opens with comes with its own first question."""

import pytest

from causalflow.app.handler import Session
from causalflow.app.start import HANDLERS

LEVELS = """
nodes: {treatment: {type: class, levels: [A, B]}, recovery: {type: class, levels: 2}}
edges: [treatment -> recovery]
queries: ["P(recovery=1 | do(treatment=A))"]
"""


def started(text, format="yaml"):
    return HANDLERS["start"].run({}, Session(graph=text, name="mine.yaml", format=format))


def test_a_first_question_that_names_levels_gives_its_roles_and_is_asked():
    reply = started(LEVELS)
    assert reply["query"] == "P(recovery=1 | do(treatment=A))"
    assert reply["roles"]["treatments"] == ["treatment"]
    assert reply["roles"]["outcomes"] == ["recovery"]


@pytest.mark.parametrize("text", ["edges: [x -> ", "edges: [x -> y]\nqueries: ['P(gone)']\n", ""])
def test_a_text_without_a_question_or_without_a_graph_starts_without_roles(text):
    reply = started(text)
    assert (reply["text"], reply["roles"], reply["query"]) == (text, {}, "")


def test_the_first_page_and_an_example_have_their_own_questions():
    welcome = HANDLERS["start"].run({}, Session())
    assert welcome["roles"]["treatments"] == ["smoking"]
    assert welcome["query"] == ""
    example = HANDLERS["example"].run({"name": "classics/kidney_stones"}, Session())
    assert example["query"] == "P(success=yes | treatment=A)"
    assert example["roles"]["given"] == ["treatment"]
