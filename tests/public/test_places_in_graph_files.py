"""Where a graph file says that its nodes are drawn: read, written, checked, and drawn there."""

import re

import pytest

import causalflow as cf

TEXT = """
nodes: [x, m, y, u]
edges:
  - x -> m -> y   # the way
  - u -> x
  - u -> y
latent: [u]
layout:
  x: [0, 0]      # left
  u: [120.5, -90]
"""


def test_positions_are_read_and_written_and_no_part_of_equality():
    graph = cf.loads(TEXT)
    assert graph.layout == {"x": (0, 0), "u": (120.5, -90)}
    assert cf.loads(graph.to_yaml()).layout == graph.layout
    elsewhere = cf.loads(TEXT.replace("[0, 0]", "[7, 7]"))
    assert elsewhere == graph
    assert hash(elsewhere) == hash(graph)
    assert elsewhere.layout != graph.layout
    assert graph.to_yaml(layout=False) == elsewhere.to_yaml(layout=False)
    assert "layout" not in graph.to_yaml(layout=False)


def test_python_takes_positions_as_a_file_does():
    graph = cf.Graph(edges=["x -> y"], layout={"x": (1, 2), "y": [3.5, -4]})
    assert graph.layout == {"x": (1, 2), "y": (3.5, -4)}
    assert graph.do("x").layout == graph.layout
    assert graph.subgraph({"y"}).layout == {"y": (3.5, -4)}


@pytest.mark.parametrize(
    ("layout", "line", "says"),
    [
        ("layout: {q: [0, 0]}", 2, "unknown node 'q'; expected one of"),
        ("layout:\n  x: [0, 0]\n  y: [1]", 4, "layout of 'y': expected two numbers .x, y., not 1"),
        ("layout:\n  x: [0, .inf]", 3, "expected a number, not '.inf'"),
        ("layout: {x: [0, 1e9]}", 2, "expected a number from -100000 to 100000"),
        ("layout: [x]", 2, "expected a mapping name: .x, y., not a list"),
        ("layout: {x: [0, 0], x: [1, 1]}", 2, "duplicate key 'x'"),
    ],
)
def test_a_place_that_cannot_be_is_refused_at_its_line(layout, line, says):
    with pytest.raises(cf.GraphError, match=says) as caught:
        cf.loads(f"edges: [x -> y]\n{layout}\n")
    assert str(caught.value).startswith(f"<text>:{line}: ")


def test_a_checkpoint_knows_nothing_of_places(tmp_path):
    text = "nodes: {x: {type: class, levels: 2, table: [1/2, 1/2]}}\n"
    models = [cf.compile(cf.loads(text + more)) for more in ("", "layout: {x: [3, 4]}\n")]
    files = [tmp_path / "a", tmp_path / "b"]
    for model, file in zip(models, files, strict=True):
        model.save(file)
    assert files[0].read_bytes() == files[1].read_bytes()


def test_a_drawing_stands_where_the_file_says(tmp_path):
    graph = cf.Graph(edges=["x -> y"], layout={"x": (0, 0), "y": (0, 300)})
    path = cf.plot_graph(graph, tmp_path / "g.dot")
    assert re.findall(r'pos="([^"]*)"', path.read_text()) == ["0,0!", "0,-3!"]
    figure = cf.plot_graph(graph)
    placed = {text.get_text(): text.get_position() for text in figure.axes[0].texts}
    assert placed["x"] == (0, 0)
    assert placed["y"] == (0, -3)


def test_a_node_without_a_place_stands_free_of_the_others(tmp_path):
    graph = cf.Graph(edges=["a -> c", "b -> c"], layout={"a": (0, 0), "c": (40, 0)})
    placed = {text.get_text(): text.get_position() for text in cf.plot_graph(graph).axes[0].texts}
    assert placed["a"], placed["c"] == ((0, 0), (0.4, 0))
    assert min(abs(placed["b"][1] - placed[each][1]) for each in "ac") > 0.5


def test_a_place_is_edited_and_nothing_else_moves():
    after = cf.edit.edited(TEXT, cf.edit.PlaceNodes({"x": (5, 6), "m": (60, 0), "y": (120, 0)}))
    assert after == TEXT.replace("x: [0, 0]  ", "x: [5, 6]  ") + "  m: [60, 0]\n  y: [120, 0]\n"
    renamed = cf.edit.edited(after, cf.edit.RenameNode("x", "warm up"))
    assert cf.loads(renamed).layout["warm up"] == (5, 6)
    dropped = cf.edit.edited(after, cf.edit.DropNode("m"))
    assert set(cf.loads(dropped).layout) == {"x", "y", "u"}


@pytest.mark.parametrize(
    "before", ["edges: [x -> y]\n", "edges: [x -> y]\nlayout:\n", "edges: [x -> y]\nlayout: {}\n"]
)
def test_places_begin_and_go_on_in_every_style(before):
    once = cf.edit.edited(before, cf.edit.PlaceNodes({"x": (0, 1), "y": (2, 3)}))
    assert cf.loads(once).layout == {"x": (0, 1), "y": (2, 3)}
    assert once.startswith("edges: [x -> y]\n")
    twice = cf.edit.edited(once, cf.edit.PlaceNodes({"y": (2.5, 3)}))
    assert twice == once.replace("[2, 3]", "[2.5, 3]")
    with pytest.raises(cf.GraphError, match="unknown node 'z'"):
        cf.edit.edited(once, cf.edit.PlaceNodes({"z": (0, 0)}))


def test_places_of_other_tools_are_read_and_written():
    graph = cf.Graph(edges=["x -> m", "m -> y"], layout={"x": (0, 0), "m": (150, -80)})
    for format in ("yaml", "dagitty", "dot"):
        assert cf.loads(cf.dumps(graph, format), format).layout == graph.layout
    small = cf.loads('dag { bb="0,0,1,1" x [pos="0.1,0.5"] y [pos="0.3,0.5"] x -> y }').layout
    assert small["x"][1] == small["y"][1]
    assert small["y"][0] - small["x"][0] == pytest.approx(130, abs=0.2)
    points = cf.loads('digraph { x [pos="72,144"] y [pos="odd"] x -> y }').layout
    assert points == {"x": (100, -200)}
    assert cf.loads('dag { x [pos="1e400,1"] y [pos="2,2"] x -> y }').layout.keys() == {"y"}
