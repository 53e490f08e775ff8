"""All minimal front-door sets and all instruments, against brute force by their definitions."""

import networkx
import numpy as np
import pytest
from general_data_oracle import Model, Question, random_graph, subsets

import causalflow as cf

EXACT = 1e-9  # float64 sums of a few hundred products


def by_front_door(model, x, y, chosen):
    """sum_s P(s | x) sum_x' P(y | x', s) P(x'), axes y, x."""
    s = sorted(chosen)
    outcome = model.distribution((y, [], [*x, *s]))
    seen = model.distribution((x, [], []))
    letters = {name: at for at, name in enumerate([*x, *y, *s])}
    shadow = [letters[name] + len(letters) for name in x]
    y_at, s_at, x_at = ([letters[name] for name in names] for names in (y, s, x))
    weight = model.distribution((s, [], x)) if s else np.ones([2] * len(x))
    parts = (weight, [*s_at, *x_at], outcome, [*y_at, *shadow, *s_at], seen, shadow)
    return np.einsum(*parts, [*y_at, *x_at])


def front_doors(question, x, y, generator):
    """The minimal sets for which the formula is the truth in two random models."""
    models = [Model(question, generator) for _ in range(2)]
    truths = [model.distribution((y, x, [])) for model in models]
    found = []
    for chosen in subsets([name for name in question.names if name not in (*x, *y)]):
        if not any(known <= chosen for known in found):
            pairs = zip(models, truths, strict=True)
            if all(np.abs(by_front_door(m, x, y, chosen) - t).max() < EXACT for m, t in pairs):
                found.append(chosen)
    return found


@pytest.mark.parametrize("seed", range(40))
def test_front_door_sets_are_all_the_minimal_ones_for_which_the_formula_is_right(seed):
    generator = np.random.default_rng(seed)
    size = int(generator.integers(3, 7))
    names, directed, bidirected = random_graph(generator, size, 0.45, 0.15)
    order = [names[at] for at in generator.permutation(size)]
    x, y = order[: 1 + (size > 4 and seed % 4 == 0)], order[2 : 3 + (size > 4 and seed % 3 == 0)]
    if seed % 3:  # no direct effect, and a hidden cause of both
        directed = [edge for edge in directed if not (edge[0] in x and edge[1] in y)]
        bidirected = sorted({tuple(sorted((x[0], y[0]))), *bidirected[:2]})
    question = Question(names, directed, bidirected, (), [])
    graph = cf.Graph(nodes=names, edges=question.edges())
    found = [*cf.front_door_sets(graph, x, y)]
    assert set(found) == set(front_doors(question, x, y, generator))
    assert [*map(len, found)] == sorted(map(len, found))


@pytest.mark.parametrize(
    ("edges", "x", "y", "expected"),
    [
        ("X -> M, M -> Y, R -> M, E -> R, E -> Y, X <-> Y", "X", "Y", [{"M", "R"}, {"M", "E"}]),
        ("X -> M, M -> Y, R -> M, R <-> Y, X <-> Y", "X", "Y", [{"M", "R"}]),
        ("x -> m, m -> y, w -> m, w -> y, x <-> y", "x", "y", [{"m", "w"}]),
        ("x -> m, m -> y, x <-> y", "x", "y", [{"m"}]),
        ("x -> a, x -> b, a -> y, b -> y, x <-> y", "x", "y", [{"a", "b"}]),
        ("x -> y, x <-> y", "x", "y", []),
        ("y -> x", "x", "y", [set()]),
        ("x -> z, y -> z", "x", "y", [set()]),
    ],
)
def test_known_front_doors(edges, x, y, expected):
    graph = cf.Graph(edges=edges.split(", "))
    assert {*cf.front_door_sets(graph, x, y)} == {*map(frozenset, expected)}


def test_a_latent_node_is_in_no_front_door():
    text = "dag { E [latent] X -> M M -> Y R -> M E -> R E -> Y X <-> Y }"
    assert [*cf.front_door_sets(cf.loads(text), "X", "Y")] == [{"M", "R"}]


def test_verdict_names_the_front_doors_that_the_function_finds():
    edges = ["x -> m -> y", "w -> m", "w -> y", "x <-> y"]
    graph = cf.Graph(edges=edges)
    (short,) = cf.identify(graph, "P(y | do(x))").short_answers
    assert (short.rule, short.variables) == (
        "front door",
        next(cf.front_door_sets(graph, "x", "y")),
    )
    model = Model(
        Question(
            ["x", "m", "y", "w"],
            [("x", "m"), ("m", "y"), ("w", "m"), ("w", "y")],
            [("x", "y")],
            (),
            [],
        ),
        np.random.default_rng(0),
    )
    truth = model.distribution((["y"], ["x"], []))
    assert np.abs(by_front_door(model, ["x"], ["y"], short.variables) - truth).max() < EXACT


def separated(dag, a, b, given):
    return networkx.is_d_separator(dag, {a}, {b}, set(given))


def dag_of(names, directed, bidirected):
    dag = networkx.DiGraph(directed)
    dag.add_nodes_from(names)
    dag.add_edges_from((arc, end) for arc in bidirected for end in arc)
    return dag


def is_instrument(dag, x, y, z, given):
    """``given`` separates z from y without the edges out of x, and not from x."""
    behind = dag.copy()
    behind.remove_edges_from([*dag.out_edges(x)])
    return separated(behind, z, y, given) and not separated(dag, z, x, given)


@pytest.mark.parametrize("part", range(4))
def test_instruments_are_all_the_variables_that_some_conditions_make_one(part):
    met = 0
    for seed in range(part, 60, 4):
        generator = np.random.default_rng(seed)
        names, directed, bidirected = random_graph(
            generator, int(generator.integers(3, 7)), 0.4, 0.2
        )
        x, y = names[:2]
        dag = dag_of(names, directed, bidirected)
        after = networkx.descendants(dag, x) | networkx.descendants(dag, y) | {x, y}
        before = [name for name in names if name not in after]
        expected = {
            z
            for z in before
            if any(is_instrument(dag, x, y, z, w) for w in subsets([o for o in before if o != z]))
        }
        edges = [f"{a} -> {b}" for a, b in directed] + [f"{a} <-> {b}" for a, b in bidirected]
        found = [*cf.instruments(cf.Graph(nodes=names, edges=edges), x, y)]
        assert {each.variable for each in found} == expected
        for each in found:
            assert each.given <= {*before}
            assert is_instrument(dag, x, y, each.variable, each.given)
        met += len(found)
    assert met > 3


F18 = ["v0 -> v1", "v0 -> v2", "v0 -> v3", "v1 -> v2", "v3 -> v4", "v0 <-> v1", "v0 <-> v3"]


@pytest.mark.parametrize("more", [0, 30])
def test_instrument_behind_another_is_found_in_small_and_large_graphs(more):
    causes = [f"w{at} -> v{1 + at % 2}" for at in range(more)]
    found = [*cf.instruments(cf.Graph(edges=[*F18, *causes]), "v1", "v2")]
    shown = {each.variable: sorted(each.given) for each in found}
    assert {name: shown[name] for name in ("v3", "v4")} == {"v3": ["v0"], "v4": ["v0"]}
    assert {f"w{at}" for at in range(0, more, 2)} <= shown.keys()
