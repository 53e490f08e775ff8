"""Know: what the page says of a graph is what the engine says."""

import json
import subprocess
import sys

import pytest

import causalflow as cf
from causalflow.app.handler import Session
from causalflow.app.know import HANDLERS
from causalflow.shipped import graph_names, graph_path

FRONT = "edges: [x -> m, m -> y, x <-> y]"
BOW = "edges: [x -> y, x <-> y]"
FORK = "edges: [z -> x, x -> y, z -> y, w -> x]"


def asked(text, treatments="x", outcomes="y", adjusted="", unobserved="", **more):
    roles = {
        "treatments": treatments.split(),
        "outcomes": outcomes.split(),
        "adjusted": adjusted.split(),
        "unobserved": unobserved.split(),
    }
    reply = HANDLERS["know"].run({"text": text, "roles": roles, **more}, Session())
    json.dumps(reply, allow_nan=False)
    return reply


def test_roles_are_a_question_and_its_verdict_is_the_engines():
    reply = asked(FRONT)
    verdict = cf.identify(cf.loads(FRONT), "P(y | do(x))")
    assert reply["question"] == "P(y | do(x))"
    assert reply["identifiable"] is True
    assert reply["latex"] == verdict.latex()
    assert reply["plain"] == verdict.text()
    assert reply["mathml"] == verdict.mathml()
    assert [step["rule"] for step in reply["steps"]] == [s.rule for s in verdict.derivation]


def test_a_query_that_is_typed_is_the_question():
    reply = asked(FRONT, query="P(y[x=1] | x=0)")
    assert reply["question"] == "P(y[x=1] | x=0)"


def test_what_is_given_is_a_condition_and_its_paths_are_given_it():
    roles = {"treatments": ["x"], "outcomes": ["y"], "given": ["m"]}
    text = "edges: [a -> m, b -> m, a -> x, b -> y, x -> y]"
    reply = HANDLERS["know"].run({"text": text, "roles": roles}, Session())
    assert reply["question"] == "P(y | do(x), m)"
    assert "x <- a -> m <- b -> y, open at collider m as it is given" in [
        path["text"] for path in reply["paths"]["found"]
    ]
    assert reply["roles"] == asked(text, "", "", query="P(y | do(x), m)")["roles"]


@pytest.mark.parametrize(
    ("query", "effect"),
    [
        ("P(y | do(x))", ""),
        ("TE(x -> y)", ""),
        ("E[y | do(x=1)]", ""),
        ("P(y | do(x), m)", "P(y | do(x))"),
        ("ETT(x -> y)", "P(y | do(x))"),
        ("NDE(x -> y)", "P(y | do(x, m))"),
        ("PNS(x -> y)", "P(y | do(x))"),
    ],
)
def test_sets_say_of_which_effect_they_are_where_more_is_asked(query, effect):
    assert asked(FRONT, "", "", query=query)["effect"] == effect


def test_a_proof_has_the_graph_of_each_step():
    lines = asked(FORK)["proof"]
    (second,) = [line for line in lines if line["rule"] == "rule 2"]
    assert second["graph"] == {"removed_in": [], "removed_out": ["x"], "nodes": ["x", "y"]}
    assert second["text"].startswith("y and x are separated by z when the edges out of x are cut")


def test_a_hedge_is_named_where_there_is_no_answer():
    reply = asked(BOW)
    assert reply["identifiable"] is False
    assert reply["badge"] == "not identified"
    assert reply["hedge"]["forest"] == ["x", "y"]
    assert reply["hedge"]["inner"] == ["y"]
    assert "hedge" in reply["reasons"][0]


def test_without_roles_there_is_no_verdict_but_what_the_graph_implies():
    reply = asked(FORK, "", "")
    assert reply["question"] is None
    assert reply["independences"]["found"] == ["z _||_ w", "y _||_ w | x, z"]


def test_the_files_own_questions_are_there_to_choose():
    text = f"{FORK}\nqueries: ['P(y | do(x))', 'P(y | x)', 'P(y | do(x))']\n"
    assert asked(text, "", "")["queries"] == ["P(y | do(x))", "P(y | x)"]


def test_own_questions_are_offered_only_where_they_can_be_asked():
    text = f"{FORK}\nqueries: ['P(y | do(x))', 'P(y | z)', 'P(y | gone)']\n"
    assert asked(text, "", "")["queries"] == ["P(y | do(x))", "P(y | z)"]
    assert asked(text, "", "", unobserved="z")["queries"] == ["P(y | do(x))"]


def test_a_sum_of_questions_gives_its_roles_too():
    reply = asked(FORK, "", "", query="P(y | do(x=1)) - P(y | do(x=0))")
    assert reply["roles"]["treatments"] == ["x"]
    assert reply["roles"]["outcomes"] == ["y"]
    assert reply["effect"] == "P(y | do(x))"
    assert reply["adjustment"]["found"] == [["z"]]


def test_a_step_of_a_counterfactual_is_shown_as_a_formula():
    first = asked(BOW, "", "", query="P(y[x=1] | x=0)")["steps"][0]
    assert first["rule"] == "unnest"
    assert "sum" not in first["text"]
    assert "<munder>" in first["mathml"]


def test_the_sets_are_those_of_the_public_functions():
    reply = asked(FORK)
    assert reply["adjustment"] == {"found": [["z"]], "more": ""}
    assert reply["instruments"]["found"] == [{"variable": "w", "given": []}]
    assert asked(FRONT)["front_doors"]["found"] == [["m"]]


def test_instruments_are_not_looked_for_where_that_takes_long():
    chain = "edges: [" + ", ".join(f"v{i} -> v{i + 1}" for i in range(70)) + "]"
    assert asked(chain, "v30", "v60")["instruments"]["found"] == []
    assert (
        "cf.instruments(graph, 'v30', 'v60')" in asked(chain, "v30", "v60")["instruments"]["more"]
    )
    assert asked(chain, "v3 v4", "v6")["instruments"]["more"] == (
        "of one treatment and one outcome only"
    )


def test_adjusting_opens_and_blocks_paths_and_its_formula_stands_where_it_is_right():
    before, after = asked(FORK), asked(FORK, adjusted="z")
    paths = {path["text"]: path["open"] for path in before["paths"]["found"]}
    assert paths == {"x -> y": True, "x <- z -> y": True}
    assert [path["open"] for path in after["paths"]["found"]] == [True, False]
    assert before["adjusted"]["valid"] is False
    assert after["adjusted"]["valid"] is True
    assert "<munder>" in after["adjusted"]["mathml"]


def test_the_unobserved_node_that_a_question_names_is_said_not_one_with_its_letter():
    with pytest.raises(cf.CausalflowError, match="'mild' is unobserved"):
        asked("edges: [x -> m, m -> mild, mild -> y]", unobserved="m mild", query="P(mild | do(x))")


def test_what_is_unobserved_is_a_hidden_cause():
    assert asked(FORK, unobserved="z")["identifiable"] is False
    assert asked("edges: [x -> m, m -> y]", unobserved="m")["identifiable"] is True


def test_experiments_may_be_named_as_data():
    assert asked(BOW, data="experimental")["identifiable"] is True
    assert asked(BOW, data=["P(v)", "P(v | do(x))"])["identifiable"] is True


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"text": "edges: [x -> "}, "<text>:1"),
        ({"treatments": "nowhere"}, "unknown node 'nowhere'"),
        ({"treatments": "x", "adjusted": "x"}, "'x' has two; a node has one"),
        ({"query": "P(y | do(x), q)"}, "unknown node 'q'"),
        ({"query": "P(y | do("}, "expected a variable"),
        ({"query": 3}, "expected a text"),
        ({"unobserved": "x", "treatments": "", "query": "P(y | do(x))"}, "'x' is unobserved"),
        ({"data": ["P(nowhere)"]}, "nowhere"),
        ({"data": 7}, "data"),
    ],
)
def test_a_mistake_is_one_line(more, message):
    with pytest.raises(cf.CausalflowError) as caught:
        asked(**{"text": FORK, **more})
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", graph_names())
def test_every_shipped_graph_is_known(name):
    text = graph_path(name).read_text(encoding="utf-8")
    nodes = list(cf.loads(text).nodes)
    reply = asked(text, nodes[0], nodes[-1] if len(nodes) > 1 else "")
    assert reply["question"] is not None or len(nodes) == 1


@pytest.mark.parametrize("more", [{}, {"unobserved": "z"}, {"data": ["P(v)", "P(v | do(x))"]}])
def test_the_python_lines_say_the_same(tmp_path, more):
    reply = asked(FORK, **more)
    ran = subprocess.run(
        [sys.executable, "-c", reply["python"]],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    assert ran.stdout.startswith(reply["plain"])


def test_a_graph_with_types_is_loaded_from_the_file_that_the_page_saves():
    text = "nodes: {x: {type: class, levels: 2}, y: {type: class, levels: 2}}\nedges: [x -> y]"
    assert "cf.load('mine.yaml')" in asked(text, name="mine.yaml")["python"]
