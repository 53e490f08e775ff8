from pathlib import Path

import pytest

from causalflow.formats.formats import load, loads
from causalflow.identify.positivity import overlaps, reached_cells

GRAPHS = Path(__file__).resolve().parents[2] / "graphs"
LEARNED = """
nodes:
  digit: {type: class, levels: 4}
  color: {type: class, levels: [red, green], %s}
  image: {type: image, shape: [1, 8, 8]}
edges:
  - digit, color -> image: neural
  %s
"""


def sentences(text):
    return [str(each) for each in overlaps(loads(text))]


@pytest.mark.parametrize("name", ["colored_mnist", "masked_mnist"])
def test_a_colour_that_the_digit_decides_is_named_with_three_of_the_empty_cells(name):
    (found,) = overlaps(load(GRAPHS / f"{name}.yaml"))
    assert (found.child, found.node, found.by) == ("image", "color", ("digit",))
    assert len(found.empty) == 10
    assert str(found) == (
        "color is a function of digit, so no data show image under digit=0, color=green; "
        "digit=1, color=green; digit=2, color=green, and 7 more"
    )


def test_no_other_graph_file_that_ships_is_warned_of():
    grouped = {"colored_mnist.yaml", "masked_mnist.yaml"}
    others = [path for path in GRAPHS.rglob("*.yaml") if path.name not in grouped]
    assert len(others) > 70
    assert {path.name: overlaps(load(path)) for path in others} == {p.name: () for p in others}


def test_a_table_of_ones_decides_as_an_equation_does():
    table = "table: {0: [1, 0], 1: [1, 0], 2: [0, 1], 3: [0, 1]}"
    by_table = sentences(LEARNED % (table, "- digit -> color"))
    assert by_table == [
        "color is a function of digit, so no data show image under digit=0, color=green; "
        "digit=1, color=green; digit=2, color=red, and 1 more"
    ]


def test_a_table_with_any_chance_decides_nothing():
    table = "table: {0: [1, 0], 1: [0.9, 0.1], 2: [0, 1], 3: [0, 1]}"
    assert sentences(LEARNED % (table, "- digit -> color")) == []


def test_noise_in_the_equation_decides_nothing():
    text = LEARNED.replace("nodes:", "exogenous: {u: {p: [0.9, 0.1]}}\nnodes:")
    assert sentences(text.replace("%s}", "equation: (digit > 1) ^ u}").replace("%s", "")) == []


def test_a_known_child_needs_no_data():
    text = """
    nodes:
      x: {type: class, levels: 2}
      z: {type: class, levels: 2, equation: x}
      y: {type: class, levels: 2, equation: x & z}
    """
    assert sentences(text) == []


def test_a_cause_that_is_no_parent_of_the_child_decides_by_way_of_its_other_effect():
    text = """
    nodes:
      hand: {type: class, levels: 3}
      x: {type: class, levels: 2, equation: hand > 0}
      z: {type: class, levels: 2, equation: hand == 0}
      y: {type: continuous}
    edges: [x -> y, z -> y]
    """
    assert sentences(text) == [
        "x is a function of z, so no data show y under z=0, x=0; z=1, x=1",
        "z is a function of x, so no data show y under x=0, z=0; x=1, z=1",
    ]


def test_effects_of_one_cause_that_are_no_functions_of_each_other_are_fine():
    text = """
    nodes:
      hand: {type: class, levels: 4}
      x: {type: class, levels: 2, equation: hand % 2}
      z: {type: class, levels: 2, equation: hand > 1}
      y: {type: continuous}
    edges: [x -> y, z -> y]
    """
    assert sentences(text) == []


def test_two_parents_that_decide_together_are_named_together():
    text = """
    nodes:
      a: {type: class, levels: 2}
      b: {type: class, levels: 2}
      c: {type: class, levels: 2, equation: a ^ b}
      y: {type: class, levels: 2}
    edges: [a -> y, b -> y, c -> y]
    """
    (found,) = overlaps(loads(text))
    assert str(found).startswith(
        "c is a function of a and b, so no data show y under a=0, b=0, c=1"
    )


def test_a_constant_and_a_threshold_of_a_number_are_said_too():
    text = """
    nodes:
      size: {type: continuous}
      big: {type: class, levels: 2, equation: size > 3}
      one: {type: class, levels: [no, yes], equation: "1"}
      y: {type: class, levels: 2}
    edges: [size -> y, big -> y, one -> y]
    """
    assert sentences(text) == [
        "big is a function of size, so no data tell their effects on y apart",
        "one has one value, so no data show y under one=no",
    ]


def test_reached_cells_follow_the_equations_but_for_what_is_fixed():
    graph = load(GRAPHS / "colored_mnist.yaml")
    every = reached_cells(graph, ["digit", "color"], {})
    assert every == {(digit, int(digit > 4)) for digit in range(10)}
    assert reached_cells(graph, ["digit", "color"], {"color": [0], "digit": [5]}) == {(5, 0)}
    assert reached_cells(graph, ["image"], {}) == frozenset()
