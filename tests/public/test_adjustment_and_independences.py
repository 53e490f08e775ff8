"""Separation, adjustment sets and implied independences, against brute force by their definitions.

Separation is held against all paths of the graph, adjustment and independence against numbers: a
graph implies what holds in random models of it, and does not imply what fails in one.
"""

from itertools import combinations, pairwise

import numpy as np
import pytest
from general_data_oracle import Model, Question, random_graph, subsets

import causalflow as cf

EXACT = 1e-9  # float64 sums of a few hundred products


def random_question(generator, size, arrows=0.45, arcs=0.2):
    return Question(*random_graph(generator, size, arrows, arcs), (), [])


def graph_of(question):
    return cf.Graph(nodes=question.names, edges=question.edges())


def edges_between(question):
    """(a, b) -> the marks at a and at b of each edge: True is an arrow head."""
    found = {}
    for a, b in question.directed:
        found.setdefault((a, b), []).append((False, True))
        found.setdefault((b, a), []).append((True, False))
    for a, b in question.bidirected:
        found.setdefault((a, b), []).append((True, True))
        found.setdefault((b, a), []).append((True, True))
    return found


def paths(edges, start, end, seen=()):
    """Every path without a repeated node, as its nodes and the marks of its edges."""
    if start == end:
        yield [start], []
        return
    for (a, b), marks in edges.items():
        if a == start and b not in seen:
            for nodes, rest in paths(edges, b, end, (*seen, start)):
                yield from (([start, *nodes], [mark, *rest]) for mark in marks)


def above(question, given):
    found = set(given)
    while more := {a for a, b in question.directed if b in found} - found:
        found |= more
    return found


def is_open(question, nodes, marks, given):
    opened = above(question, given)
    for node, (before, after) in zip(nodes[1:], pairwise(marks), strict=False):
        collider = before[1] and after[0]
        if (node not in opened) if collider else (node in given):
            return False
    return True


@pytest.mark.parametrize("seed", range(25))
def test_separated_is_what_no_open_path_means(seed):
    generator = np.random.default_rng(seed)
    question = random_question(generator, int(generator.integers(3, 6)))
    graph, edges = graph_of(question), edges_between(question)
    for a, b in combinations(question.names, 2):
        every = [*paths(edges, a, b)]
        for given in subsets([name for name in question.names if name not in (a, b)]):
            expected = not any(is_open(question, *path, given) for path in every)
            assert cf.separated(graph, a, b, given=given) is expected
            assert cf.separated(graph, [b], {a}, given=sorted(given)) is expected


def test_sets_are_separated_when_each_pair_is():
    generator = np.random.default_rng(7)
    met = set()
    for _ in range(60):
        question = random_question(generator, 5, 0.3, 0.15)
        graph = graph_of(question)
        order = [question.names[at] for at in generator.permutation(5)]
        x, y, z = order[:2], order[2:4], order[4:]
        every = all(cf.separated(graph, a, b, given=z) for a in x for b in y)
        assert cf.separated(graph, x, y, given=z) is every
        met.add(every)
    assert met == {True, False}


def by_adjustment(model, x, y, given):
    """sum_z P(y | x, z) P(z), axes y, x."""
    z = sorted(given)
    outcome = model.distribution((y, [], [*x, *z]))
    weight = model.distribution((z, [], [])) if z else np.ones(())
    letters = {name: at for at, name in enumerate([*y, *x, *z])}
    y_at, x_at, z_at = ([letters[name] for name in names] for names in (y, x, z))
    return np.einsum(outcome, [*y_at, *x_at, *z_at], weight, z_at, [*y_at, *x_at])


@pytest.mark.parametrize("seed", range(48))
def test_adjustment_sets_are_those_for_which_the_formula_is_right_in_random_models(seed):
    generator = np.random.default_rng(seed)
    size = int(generator.integers(3, 7))
    question = random_question(generator, size, 0.45, 0.15)
    order = [question.names[at] for at in generator.permutation(size)]
    x, y = order[: 1 + (size > 3 and seed % 3 == 0)], order[2 : 3 + (size > 4 and seed % 4 == 0)]
    models = [Model(question, generator) for _ in range(2)]
    truths = [model.distribution((y, x, [])) for model in models]
    graph, valid = graph_of(question), []
    for given in subsets([name for name in question.names if name not in (*x, *y)]):
        pairs = zip(models, truths, strict=True)
        is_right = all(np.abs(by_adjustment(m, x, y, given) - t).max() < EXACT for m, t in pairs)
        assert cf.is_adjustment_set(graph, x, y, given) is is_right
        valid += [given] * is_right
    every = [*cf.adjustment_sets(graph, x, y, minimal=False)]
    assert every == sorted(every, key=len)
    assert (set(every), len(every)) == (set(valid), len(valid))
    minimal = [*cf.adjustment_sets(graph, x, y)]
    assert minimal == sorted(minimal, key=len)
    assert set(minimal) == {z for z in valid if not any(part < z for part in valid)}


@pytest.mark.parametrize(
    ("edges", "x", "y", "expected"),
    [
        ("z -> x, z -> y, x -> y", "x", "y", [{"z"}]),
        ("x -> y", "x", "y", [set()]),
        ("x -> y, x <-> y", "x", "y", []),
        ("x -> m, m -> y, x <-> y", "x", "y", []),
        ("a -> x, a -> m, b -> m, b -> y, x -> y", "x", "y", [set()]),
        ("a -> m, b -> m, a -> x, b -> y, m -> x, x -> y", "x", "y", [{"b"}, {"a", "m"}]),
        ("x1 -> m, m -> x2, m -> y", ["x1", "x2"], "y", []),
        ("x1 -> x2, x1 -> y, x2 -> y, c -> x2, c -> y", ["x1", "x2"], "y", [{"c"}]),
    ],
)
def test_known_adjustment_sets(edges, x, y, expected):
    found = [*cf.adjustment_sets(cf.Graph(edges=edges.split(", ")), x, y)]
    assert {*found} == {*map(frozenset, expected)}
    assert len(found) == len(expected)


def independent(model, x, y, given):
    """Whether x and y are independent given the others, at every cell."""
    z = sorted(given)
    joint = model.distribution(([x, y, *z], [], []))
    behind = joint.sum(axis=(0, 1), keepdims=True)
    apart = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0, keepdims=True)
    return np.abs(joint * behind - apart).max() < EXACT


@pytest.mark.parametrize("seed", range(24))
def test_implied_independences_are_the_minimal_ones_that_hold_in_random_models(seed):
    generator = np.random.default_rng(seed)
    question = random_question(generator, int(generator.integers(3, 6)), 0.4, 0.2 * (seed % 3 > 0))
    models = [Model(question, generator) for _ in range(2)]
    expected = {}
    for x, y in combinations(question.names, 2):
        others = [name for name in question.names if name not in (x, y)]
        holds = [z for z in subsets(others) if all(independent(m, x, y, z) for m in models)]
        minimal = {z for z in holds if not any(part < z for part in holds)}
        expected |= {(x, y): minimal} if minimal else {}
    found = {}
    for each in cf.implied_independences(graph_of(question)):
        found.setdefault((each.x, each.y), []).append(each.given)
    assert {pair: set(sets) for pair, sets in found.items()} == expected
    assert all(sets == sorted(sets, key=len) for sets in found.values())
    first = [(each.x, each.y, each.given) for each in most_of(question, 1)]
    assert first == [(*pair, sets[0]) for pair, sets in found.items()]


def most_of(question, most):
    return cf.implied_independences(graph_of(question), most=most)


def test_known_independences_as_dagitty_lists_them():
    chain = cf.Graph(edges=["a -> b -> c -> d"])
    assert [*map(str, cf.implied_independences(chain))] == [
        "a _||_ c | b",
        "a _||_ d | b",
        "a _||_ d | c",
        "b _||_ d | c",
    ]
    verma = cf.Graph(edges=["a -> b -> c -> d", "b <-> d"])  # no set separates b and d, nor a and d
    assert [*map(str, cf.implied_independences(verma))] == ["a _||_ c | b"]


def test_names_of_any_letters_are_read_and_shown():
    graph = cf.Graph(edges=['"warm up" -> größe -> 体重', '体重 <-> "warm up"', "größe -> 年"])
    assert cf.separated(graph, "warm up", "年", given="größe") is True
    assert [*cf.adjustment_sets(graph, "größe", "体重")] == [{"warm up"}]
    assert '"warm up" _||_ 年 | größe' in map(str, cf.implied_independences(graph))


def test_latent_nodes_are_in_no_set():
    graph = cf.loads("dag { u [latent] u -> x u -> y x -> y z -> x z -> y }")
    assert [*cf.adjustment_sets(graph, "x", "y", minimal=False)] == []
    with pytest.raises(cf.GraphError, match="unknown node 'u'"):
        cf.is_adjustment_set(graph, "x", "y", "u")


GRAPH = cf.Graph(edges=["z -> x -> y", "z -> y"])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: cf.separated(GRAPH, "q", "y"), "unknown node 'q'"),
        (lambda: cf.separated(GRAPH, "x", "y", given="x"), "'x' is given twice"),
        (lambda: cf.separated(GRAPH, 5, "y"), "nodes: 5; expected a name, or several"),
        (lambda: cf.separated(None, "x", "y"), "expected a Graph"),
        (lambda: cf.adjustment_sets(GRAPH, "x", "q"), "unknown node 'q'"),
        (lambda: cf.adjustment_sets(GRAPH, "x", ["x", "y"]), "'x' is given twice"),
        (lambda: cf.adjustment_sets(GRAPH, [], "y"), "no treatment is given"),
        (lambda: cf.is_adjustment_set(GRAPH, "x", [], "z"), "no outcome is given"),
        (lambda: cf.is_adjustment_set(GRAPH, "x", "y", "x"), "'x' is a treatment or an outcome"),
        (lambda: cf.is_adjustment_set(GRAPH, "x", "y", [["z"]]), "expected a name"),
        (lambda: cf.implied_independences("x -> y"), "expected a Graph"),
        (lambda: cf.implied_independences(GRAPH, most=0), "most is 0"),
        (lambda: cf.front_door_sets(GRAPH, "x", "q"), "unknown node 'q'"),
        (lambda: cf.instruments(GRAPH, "q", "y"), "unknown node 'q'"),
    ],
)
def test_a_mistake_is_one_line_at_the_call(call, message):
    with pytest.raises(cf.GraphError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_many_sets_are_found_one_by_one_and_refused_in_one_line():
    pairs = [f"a{i} -> x, a{i} -> b{i}, b{i} -> y" for i in range(40)]
    graph = cf.Graph(edges=["x -> y", *", ".join(pairs).split(", ")])
    found = cf.adjustment_sets(graph, "x", "y")
    assert len(next(found)) == 40
    with pytest.raises(cf.GraphError, match="is_adjustment_set decides") as caught:
        list(found)
    assert "\n" not in str(caught.value)
    with pytest.raises(cf.GraphError, match="80 variables"):
        next(cf.adjustment_sets(graph, "x", "y", minimal=False))
    assert cf.is_adjustment_set(graph, "x", "y", [f"b{i}" for i in range(40)])
    assert not cf.is_adjustment_set(graph, "x", "y", [f"b{i}" for i in range(39)])
