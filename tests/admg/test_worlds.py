from __future__ import annotations

from collections.abc import Callable
from itertools import chain, combinations, product

import numpy as np
import pytest
from finite_models import FREE, Units, unit_model

from causalflow.admg.admg import ADMG
from causalflow.admg.parallel_worlds import (
    ParallelWorlds,
    WorldNode,
    WorldVariable,
    canonical_exogenous,
    parallel_worlds,
    twin_network,
)
from causalflow.errors import GraphError


def graph(*edges: str, nodes: str = "") -> ADMG:
    triples = [edge.split() for edge in edges]
    names = dict.fromkeys([*nodes, *(name for a, _, b in triples for name in (a, b))])
    directed = frozenset((a, b) for a, mark, b in triples if mark == "->")
    bidirected = frozenset(frozenset((a, b)) for a, mark, b in triples if mark == "<->")
    return ADMG(tuple(names), directed, bidirected)


def labels(worlds: ParallelWorlds) -> list[str]:
    return [variable.label for variable in worlds.variables.values()]


def binary_model(admg: ADMG, seed: int) -> Units:
    return unit_model(np.random.default_rng(seed), admg.nodes, admg.directed, admg.bidirected)


def dependence(model: Units, a: tuple, b: tuple, given: list[tuple] | tuple = ()) -> float:
    """Largest |P(a, b, z) P(z) - P(a, z) P(b, z)|; a variable is a name and its world."""
    joints = [
        model.distribution([(*each, FREE) for each in part])
        for part in ([a, b, *given], [a, *given], [b, *given], given)
    ]
    abz, az, bz, z = joints
    return max(
        abs(abz.get((i, j, *k), 0.0) * p - az.get((i, *k), 0.0) * bz.get((j, *k), 0.0))
        for k, p in z.items()
        for i, j in product((0, 1), repeat=2)
    )


GRAPHS = {
    "chain with a back door": graph("w -> x", "x -> m", "m -> y", "w -> y"),
    "front door": graph("x -> m", "m -> y", "x <-> y"),
    "napkin": graph("w -> z", "z -> x", "x -> y", "w <-> x", "w <-> y"),
    "instrument": graph("z -> x", "x -> y", "x <-> y"),
}
INTERVENTIONS = [{}, {"x": 1}, {"x": 0}]


def world_of(place: int) -> tuple:
    return tuple(INTERVENTIONS[place].items())


@pytest.mark.parametrize("name", GRAPHS)
def test_one_variable_for_several_worlds_has_one_value(name: str) -> None:
    admg = GRAPHS[name]
    worlds = parallel_worlds(admg, INTERVENTIONS)
    model = binary_model(admg, 0)
    for node, i in product(admg.nodes, range(3)):
        shared = worlds.at(node, i).node
        own, kept = (model.value(node, world_of(at)) for at in (i, shared.world))
        assert np.array_equal(own, kept)


@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize("seed", range(3))
def test_separation_across_worlds_is_independence_in_a_random_scm(name: str, seed: int) -> None:
    admg = GRAPHS[name]
    worlds = parallel_worlds(admg, INTERVENTIONS)
    model = binary_model(admg, seed)
    random = [v for v in worlds.variables.values() if not v.fixed]
    terms = [(v.node.name, world_of(v.node.world)) for v in random]
    statements = 0
    for a, b in combinations(range(len(random)), 2):
        rest = [i for i in range(len(random)) if i not in (a, b)]
        for given in chain([()], combinations(rest, 1), combinations(rest, 2)):
            z = [random[i] for i in given]
            if worlds.separated(random[a], random[b], z):
                statements += 1
                # float64 sums of at most a few thousand terms below one
                assert dependence(model, terms[a], terms[b], [terms[i] for i in given]) < 1e-12
    assert statements > 0


def test_known_dependences_show_in_the_graph_and_in_a_random_scm() -> None:
    admg = graph("x -> y")
    twin = twin_network(admg, {"x": 1})
    assert twin.separated(twin.at("y", 1), twin.at("x", 0))
    assert twin.separated(twin.at("y", 1), twin.at("y", 0)).text == "y[x=1] <- u(y) -> y"
    assert dependence(binary_model(admg, 4), ("y", (("x", 1),)), ("y", ())) > 1e-3


@pytest.mark.parametrize(
    ("admg", "given", "separated"),
    [
        # Pearl (2009), section 7.1.4: the mediator opens the path through its own noise
        (graph("x -> z", "z -> y"), (), True),
        (graph("x -> z", "z -> y"), ("z",), False),
        # ignorability: y[x=1] and x given an admissible set, and only then
        (graph("w -> x", "w -> y", "x -> y"), (), False),
        (graph("w -> x", "w -> y", "x -> y"), ("w",), True),
        (graph("x -> y", "x <-> y"), (), False),
        (graph("z -> x", "x -> y", "x <-> y"), ("z",), False),
    ],
)
def test_textbook_ignorability_is_read_off_the_twin_network(
    admg: ADMG, given: tuple[str, ...], separated: bool
) -> None:
    twin = twin_network(admg, {"x": 1})
    z = [twin.at(name, 0) for name in given]
    assert twin.separated(twin.at("y", 1), twin.at("x", 0), z).separated is separated


def test_the_instrument_is_independent_of_the_outcome_under_treatment() -> None:
    twin = twin_network(GRAPHS["instrument"], {"x": 1})
    assert twin.separated(twin.at("y", 1), twin.at("z", 0))
    assert not twin.separated(twin.at("y", 1), twin.at("z", 0), twin.at("x", 0))


def test_only_descendants_of_an_intervention_are_copied() -> None:
    twin = twin_network(graph("w -> x", "x -> y", "w -> z", "z -> y"), {"x": 1})
    assert labels(twin) == ["w", "x", "z", "y", "x=1", "y[x=1]"]
    assert twin.at("z", 1) is twin.at("z", 0)
    assert twin.at("y", 1).parents == (twin.at("x", 1).node, twin.at("z", 0).node)
    assert twin.at("x", 1).fixed
    assert twin.at("x", 1).exogenous == twin.at("x", 1).parents == ()


def test_worlds_that_a_node_cannot_tell_apart_share_it() -> None:
    worlds = parallel_worlds(graph("x -> m", "m -> y", "w -> q"), [{"x": 1}, {"x": 1, "w": 0}])
    assert labels(worlds) == ["x=1", "m[x=1]", "y[x=1]", "w", "q", "w=0", "q[w=0]"]
    cut = parallel_worlds(graph("x -> m", "m -> y"), [{"m": 1}, {"x": 0, "m": 1}])
    assert cut.at("y", 0) is cut.at("y", 1)
    assert cut.at("y", 1).subscript == (("m", 1),)


def test_nested_counterfactuals_are_substitutes_from_an_earlier_world() -> None:
    mediation = graph("x -> m", "x -> y", "m -> y")
    nested = parallel_worlds(mediation, [{"x": 0}, {"x": 1, "m": WorldNode(name="m", world=0)}])
    assert nested.at("m", 1) is nested.at("m", 0)
    assert nested.at("y", 1).label == "y[x=1, m[x=0]]"
    assert nested.at("y", 1).parents == (nested.at("x", 1).node, nested.at("m", 0).node)


def test_a_substitute_below_a_shared_copy_keeps_its_own_worlds_subscript() -> None:
    longer = graph("x -> m", "m -> c", "x -> y", "c -> y")
    nested = parallel_worlds(longer, [{"x": 0}, {"x": 1, "m": WorldNode(name="m", world=0)}])
    assert nested.at("c", 1) is nested.at("c", 0)
    assert nested.at("y", 1).label == "y[x=1, m[x=0]]"


def test_composition_a_substitute_of_its_own_value_changes_nothing() -> None:
    mediation = graph("x -> m", "x -> y", "m -> y")
    same = parallel_worlds(mediation, [{"x": 1}, {"x": 1, "m": WorldNode(name="m", world=0)}])
    assert same.at("y", 1) is same.at("y", 0)


def test_exogenous_variables_are_one_a_node_and_one_a_bidirected_edge() -> None:
    napkin = GRAPHS["napkin"]
    assert canonical_exogenous(napkin)["u(w <-> y)"] == ("w", "y")
    twin = twin_network(napkin, {"x": 1})
    assert twin.at("y", 0).exogenous == twin.at("y", 1).exogenous == ("u(y)", "u(w <-> y)")
    assert not twin.admg.bidirected
    assert twin.admg.children("u(y)") == {"y", "y[x=1]"}
    assert twin.admg.parents("x=1") == frozenset()


def test_declared_exogenous_variables_replace_the_canonical_ones() -> None:
    worlds = parallel_worlds(graph("x -> y"), [{}], {"u": ("x", "y")})
    assert worlds.at("y", 0).exogenous == ("u",)
    assert worlds.separated(worlds.at("x", 0), worlds.at("y", 0)).text == "x -> y"


def _fork(worlds: ParallelWorlds) -> tuple[WorldVariable, WorldVariable]:
    return worlds.at("a", 0), worlds.at("b", 0)


def test_a_constant_links_nothing() -> None:
    worlds = parallel_worlds(graph("x -> a", "x -> b"), [{"x": 1}])
    assert worlds.separated(*_fork(worlds))


def test_a_node_set_to_another_of_an_earlier_world_is_that_one() -> None:
    worlds = twin_network(graph("x -> y", "y -> z"), {"y": WorldNode(name="x", world=0)})
    assert worlds.at("y", 1) == worlds.at("x", 0)
    assert worlds.at("z", 1) != worlds.at("z", 0)


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda g: twin_network(g, {"q": 1}), "unknown node 'q'"),
        (lambda g: twin_network(g, {"x": [1]}), "'x' in world 1 is a list; .*hashable"),
        (lambda g: twin_network(g, {"y": WorldNode(name="q", world=0)}), "is a node in an earlier"),
        (lambda g: twin_network(g, {"y": WorldNode(name="y", world=1)}), "in an earlier world"),
        (lambda g: twin_network(g, {}).at("y", 2), "unknown world 2"),
        (lambda g: twin_network(g, {}).at("q", 0), "unknown node 'q'"),
        (lambda g: twin_network(graph("x -> y", "y -> x"), {}), "cycle: x -> y -> x"),
    ],
)
def test_mistakes_are_refused(ask: Callable[[ADMG], object], message: str) -> None:
    with pytest.raises(GraphError, match=message):
        ask(graph("x -> y"))
