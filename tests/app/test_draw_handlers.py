"""The Draw pane's answers: every shipped graph drawn and arranged, edits, mistakes."""

import json
from itertools import combinations

import pytest

from causalflow.app.draw import EDITS, HANDLERS
from causalflow.app.handler import Session
from causalflow.errors import GraphError
from causalflow.formats.formats import loads
from causalflow.shipped import graph_names, graph_path

TEXTS = {name: graph_path(name).read_text(encoding="utf-8") for name in graph_names()}


PAIR = "nodes: {x: {type: class, levels: 2}, y: {type: class, levels: 2}}\nedges: [x -> y]\n"


def reply(name, **request):
    answer = HANDLERS[name].run(request, Session())
    return json.loads(json.dumps(answer, allow_nan=False))


def overlapping(nodes, positions):
    sizes = {each["name"]: (each["width"], each["height"]) for each in nodes}
    return [
        (a, b)
        for a, b in combinations(positions, 2)
        if all(
            abs(positions[a][k] - positions[b][k]) < (sizes[a][k] + sizes[b][k]) / 2 for k in (0, 1)
        )
    ]


@pytest.mark.parametrize("name", TEXTS)
def test_every_shipped_graph_is_drawn_in_columns(name):
    drawn, graph = reply("draw", text=TEXTS[name]), loads(TEXTS[name])
    assert drawn["drawn"]
    assert drawn["problems"] == []
    assert drawn["text"] == TEXTS[name]
    names = [each["name"] for each in drawn["nodes"]]
    assert names == [*graph.nodes, *graph.latent, *graph.exogenous]
    arrows = {(e["from"], e["to"]) for e in drawn["edges"] if e["kind"] == "->"}
    assert {(e.source, e.target) for e in graph.edges} <= arrows or graph.latent
    places = reply("arrange", text=TEXTS[name])["positions"]
    assert overlapping(drawn["nodes"], places) == []
    assert all(places[source][0] < places[target][0] for source, target in arrows)
    assert [min(place[k] for place in places.values()) for k in (0, 1)] == [0, 0]
    assert reply("arrange", text=TEXTS[name])["positions"] == places
    lines = TEXTS[name].splitlines()
    for edge in drawn["edges"]:
        if not edge["fixed"]:
            assert any(edge["from"] in line for line in lines[edge["line"] - 1 : edge["line"] + 2])


def test_arranging_crosses_no_edges_where_none_need_cross():
    text = "edges: [a1 -> b3, a2 -> b2, a3 -> b1, b1 -> c1, b2 -> c2, b3 -> c3]\n"
    places = reply("arrange", text=text)["positions"]
    for (a, b), (c, d) in combinations([("a1", "b3"), ("a2", "b2"), ("a3", "b1")], 2):
        assert (places[a][1] - places[c][1]) * (places[b][1] - places[d][1]) > 0


def test_what_is_shown_stays_and_what_the_file_places_stands_there():
    text = "edges: [a -> b, b -> c]\nlayout: {a: [500, 500]}\n"
    drawn = reply("draw", text=text, shown={"b": [10, 20], "a": [1, 1], "gone": [0, 0]})
    assert drawn["positions"]["a"] == [500, 500]
    assert drawn["positions"]["b"] == [10, 20]
    assert drawn["placed"] == ["a"]
    assert overlapping(drawn["nodes"], drawn["positions"]) == []


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("edges:\n  - x ->\n", 2, "the edge ends early"),
        ("edges:\n  - x -> y\n  - y -> x\n", 3, "the edges make a cycle: x -> y -> x"),
        ("edges: [x -> y]\nnodez: {}\n", 2, "unknown field 'nodez'"),
        ("edges: [x -> y\n", 2, "not YAML"),
        ("edges: [x -> y]\nqueries:\n  - P(y | do(z))\n", 3, "unknown node 'z'"),
        ("digraph { a -> }", 1, "unexpected"),
    ],
)
def test_a_mistake_is_shown_at_its_line(text, line, says):
    drawn = reply("draw", text=text)
    (problem,) = drawn["problems"]
    assert problem["line"] == line
    assert says in problem["message"]
    assert "<text>" not in problem["message"]


def test_check_says_what_the_command_line_says():
    text = "edges: [x -> y, x <-> y]\nqueries:\n  - {ask: P(y | do(x)), identifiable: true}\n"
    (problem,) = reply("check", text=text)["problems"]
    assert problem["line"] == 3
    assert "is declared identifiable: true, but" in problem["message"]
    assert all(reply("check", text=TEXTS[n])["problems"] == [] for n in ("ascm_xy", "pendulum"))


@pytest.mark.parametrize(
    ("first", "roles", "is_all"),
    [
        ("P(y | do(x), z)", ("x", "y", "z"), True),
        ("P(y=1 | do(x=1))", ("x", "y", ""), False),
        ("P(y[x=1]=1 | z=0)", ("x", "y", "z"), False),
        ("P(y | do(x=1)) - P(y | z)", ("x", "y", "z"), False),
        ("P(y | x)", ("", "y", "x"), True),
    ],
)
def test_the_first_question_gives_its_roles_and_its_text_where_they_do_not_say_all(
    first, roles, is_all
):
    text = f"edges: [z -> x -> y]\nqueries: ['{first}', 'P(x | do(z))']\n"
    names = dict(zip(("treatments", "outcomes", "given"), map(list, roles), strict=True))
    found = reply("draw", text=text)["first"]
    assert found == {"roles": {**names, "adjusted": []}, "query": "" if is_all else first}


def test_a_first_question_that_names_what_is_gone_gives_way_to_the_next():
    found = reply("draw", text="edges: [z -> x]\nqueries: ['P(q)', 'P(x | do(z))']\n")["first"]
    assert found["roles"]["treatments"] == ["z"]
    assert reply("draw", text="edges: [z -> x]\n")["first"] == {"roles": {}, "query": ""}


def test_the_question_on_the_page_gives_the_drawing_its_roles():
    text = "edges: [z -> x -> y]\n"
    asked = reply("draw", text=text, query="P(y=1 | do(x=1), z=0)")["asked"]
    assert asked == {"treatments": ["x"], "outcomes": ["y"], "given": ["z"]}
    assert reply("draw", text=text, query="P(y | do(")["asked"] is None
    assert reply("draw", text=text)["asked"] is None


@pytest.mark.parametrize(
    ("edit", "query"),
    [
        ({"kind": "rename_node", "old": "x", "new": "dose mg"}, "P(y=x | do('dose mg'=1))"),
        ({"kind": "drop_node", "name": "x"}, ""),
        ({"kind": "hide_node", "name": "y"}, ""),
        ({"kind": "cut_edge", "source": "x", "target": "y"}, "P(y=x | do(x=1))"),
    ],
)
def test_the_question_on_the_page_follows_an_edit(edit, query):
    asked = {"text": "edges: [z -> x -> y]\n", "query": "P(y=x | do(x=1))"}
    assert reply("edit", **asked, edits=[edit])["query"] == query


def test_nothing_yet_is_no_mistake():
    assert reply("draw", text="# soon\n")["problems"] == []
    node = {"kind": "add_node", "name": "x"}
    assert reply("edit", text="", edit=node)["text"] == "nodes: [x]\n"


def test_texts_of_other_tools_become_yaml():
    drawn = reply("draw", text='dag { x -> m -> y; x <-> y; m [pos="1,2"] }')
    assert drawn["format"] == "dagitty"
    assert loads(drawn["text"], "yaml").admg == loads("edges: [x -> m -> y, x <-> y]").admg
    assert {each["line"] for each in drawn["edges"]} == {4, 5, 6}


def test_latent_nodes_of_dagitty_keep_their_edges_and_places():
    text = 'dag { u [latent, pos="1,0"] x [pos="0,1"] y [pos="2,1"] u -> {x y} x -> y }'
    drawn = reply("draw", text=text)
    arrows = {(each["from"], each["to"]) for each in drawn["edges"]}
    assert arrows == {("u", "x"), ("u", "y"), ("x", "y")}
    assert loads(drawn["text"], "yaml") == loads(text)
    assert drawn["positions"]["u"][1] < drawn["positions"]["x"][1]
    assert drawn["positions"]["u"][0] - drawn["positions"]["x"][0] > 60


def test_several_edits_are_made_or_none():
    edits = [
        {"kind": "add_edge", "source": "x", "target": "y", "bidirected": True},
        {"kind": "compile_edge", "source": "x", "target": "y", "compiled": "anticausal"},
    ]
    text = reply("edit", text="edges: [x -> y]\n", edits=edits)["text"]
    assert loads(text).bidirected == (("x", "y"),)
    with pytest.raises(GraphError, match="there is no edge"):
        reply(
            "edit",
            text="edges: [x -> y]\n",
            edits=[*edits, {**edits[1], "source": "y", "target": "x"}],
        )


@pytest.mark.parametrize(
    "edit",
    [
        None,
        {"kind": "zap"},
        {"kind": ["cut_edge"]},
        {"kind": "cut_edge", "source": "x"},
        {"kind": "cut_edge", "source": "x", "target": 3},
        {"kind": "cut_edge", "source": "x", "target": "y", "more": "z"},
        {"kind": "add_edge", "source": "x", "target": "y", "bidirected": "yes"},
        {"kind": "place_nodes", "positions": {"x": [1, None]}},
        {"kind": "place_nodes", "positions": {"x": [1, 1e99]}},
        {"kind": "add_node", "name": "z\n", "fields": "{}"},
        {"kind": "type_node", "name": "x", "fields": "{type: class, levels: 2}\nedges: []"},
    ],
)
def test_a_hostile_edit_is_refused_in_a_line(edit):
    with pytest.raises(GraphError) as caught:
        reply(
            "edit",
            text=PAIR,
            edit=edit,
        )
    assert "\n" not in str(caught.value)


def test_a_graph_too_large_to_draw_says_so():
    (problem,) = reply("draw", text=f"nodes: {[f'n{k}' for k in range(401)]}\n")["problems"]
    assert problem["message"] == "401 variables; the page draws 400 at most"


def test_every_edit_of_the_text_can_be_asked_for():
    from causalflow import edit

    made = {each.__name__ for each in EDITS.values()}
    assert made == set(edit.__all__) - {"Edit", "edited"}
