"""Example numbers: what they make of arrows can be asked, and says the same arrows."""

import json

import pytest

import causalflow as cf
from causalflow.app.ask import HANDLERS as ASK
from causalflow.app.handler import Session
from causalflow.app.numbered import HANDLERS
from causalflow.shipped import graph_names, graph_path

BARE = [name for name in graph_names() if name.startswith("literature/")]


def filled(text):
    reply = HANDLERS["numbers"].run({"text": text}, Session())
    return json.loads(json.dumps(reply))["text"]


@pytest.mark.parametrize("name", BARE)
def test_arrows_and_questions_stay_and_there_is_an_exact_answer(name):
    before = cf.load(graph_path(name))
    after = cf.loads(filled(graph_path(name).read_text(encoding="utf-8")))
    assert after.admg == before.admg
    assert [check.ask for check in after.queries] == [check.ask for check in before.queries]
    start = ASK["ask_model"].run({"text": after.to_yaml()}, Session())
    assert start["how"] == "exact"
    assert not start["fillable"]


def test_the_numbers_are_those_that_are_promised():
    text = filled("edges: [x -> y, x <-> y]")
    assert text.startswith("# Levels and numbers are examples")
    model = cf.compile(cf.loads(text))
    # y hears x and the hidden cause: 1 with probability (1 + x + u) / 4, and P(u = 1) is a half.
    assert str(model.ask("P(y=1 | do(x=1))").value) == "5/8"
    assert str(model.ask("P(x=1)").value) == "1/2"


def test_names_of_several_words_and_latent_nodes_are_kept():
    text = 'dag { U [latent] "warm up" -> "great injury" U -> "warm up" U -> "great injury" }'
    after = cf.loads(filled(text))
    assert after.admg.edge_strings() == (
        '"warm up" -> "great injury"',
        '"warm up" <-> "great injury"',
    )


def test_of_many_causes_there_is_an_equation_and_a_node_called_u_stays_a_node():
    after = cf.loads(filled("edges: ['a, b, c, u -> y', y <-> a]"))
    assert str(after.nodes["y"].equation) == "chance_y < 1 + a + b + c + u + u1"


def test_a_graph_with_types_is_left_alone():
    text = "nodes: {x: {type: class, levels: 3}}"
    assert not ASK["ask_model"].run({"text": text}, Session())["fillable"]
    with pytest.raises(cf.GraphError, match="no types yet"):
        filled(text)
