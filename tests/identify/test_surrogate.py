from __future__ import annotations

import numpy as np
import pytest
from finite_models import latent_model
from questions import effect, random_graph, random_query
from test_random_graphs import EXACT, mixed
from two_models import is_hedge

from causalflow.errors import GraphError, QueryError
from causalflow.factors.table import Table
from causalflow.graph.graph import Graph
from causalflow.identify.hedge import Hedge
from causalflow.identify.identify import identify


def experiment(model, observed, do) -> Table:
    """P(observed | do(do)) as a table with both among its axes."""
    return Table([*observed, *do], model.truth(list(observed), list(do)))


def data_of(model, sources):
    return {
        f"P({', '.join(observed)}{' | do(' + ', '.join(do) + ')' if do else ''})": experiment(
            model, observed, do
        )
        for observed, do in sources
    }


def random_sources(generator, names, complete):
    sources = []
    for _ in range(int(generator.integers(1, 4))):
        order = [names[i] for i in generator.permutation(len(names))]
        do = order[: int(generator.integers(0, 3))]
        left = order[len(do) :]
        count = len(left) if complete else int(generator.integers(1, len(left) + 1))
        sources.append((left[:count], do))
    return sources


@pytest.mark.parametrize("complete", [True, False])
@pytest.mark.parametrize("seed", range(6))
def test_effects_from_random_experiments_equal_the_truth_or_have_hedges(seed, complete):
    generator, answers, helped = np.random.default_rng(seed), [], 0
    for _ in range(40):
        size = int(generator.integers(3, 6))
        names, directed, bidirected = random_graph(generator, size, 0.5, 1.5 / size)
        admg = mixed(names, directed, bidirected)
        outcomes, do, given = random_query(generator, names)
        model = latent_model(generator, names, directed, bidirected)
        data = data_of(model, random_sources(generator, names, complete))
        verdict = identify(admg, effect(outcomes, do, given), list(data))
        answers.append(verdict.identifiable is True)
        if verdict.identifiable:
            answer = verdict.evaluate(data).to_numpy([*outcomes, *given, *do])
            assert np.abs(answer - model.truth(outcomes, do, given)).max() < EXACT
            helped += not identify(admg, effect(outcomes, do, given))
        elif complete:
            assert verdict.identifiable is False
            assert verdict.witness
            for hedge in (each for each in verdict.witness if isinstance(each, Hedge)):
                assert is_hedge(admg, hedge)
    assert 0 < sum(answers) < 40
    assert helped or not complete or seed


def test_experiment_on_the_cause_of_the_treatment_replaces_one_on_the_treatment():
    graph = Graph(edges=["z -> x -> y", "z <-> x", "z <-> y"])
    assert not identify(graph, "P(y | do(x))")
    verdict = identify(graph, "P(y | do(x))", ["P(v)", "P(v | do(z))"])
    assert str(verdict).startswith("P(y | do(x)) = P(y | do(z), x)")
    assert verdict.constant_in == ("z",)


def test_seeing_is_read_off_an_experiment_where_nothing_confounds():
    verdict = identify(Graph(edges=["z -> y"]), "P(y | z)", ["P(v | do(z))"])
    assert str(verdict) == "P(y | z) = P(y | do(z))"
    assert not identify(Graph(edges=["z -> y", "z <-> y"]), "P(y | z)", ["P(v | do(z))"])


def test_sources_are_combined_when_none_is_enough():
    graph = Graph(edges=["x1 -> w -> y", "x2 -> y", "x1 <-> w", "x2 <-> y", "x1 <-> x2"])
    query, both = "P(y | do(x1, x2))", ["P(v | do(x1))", "P(v | do(x2))"]
    assert not identify(graph, query, both[:1])
    assert not identify(graph, query, both[1:])
    assert identify(graph, query, both)


def test_effect_measured_without_its_mediator_is_read_off():
    graph = Graph(edges=["x -> m -> y", "x <-> m", "m <-> y"])
    verdict = identify(graph, "P(y | do(x))", ["P(v)", "P(y | do(x))"])
    assert str(verdict) == "P(y | do(x)) = P(y | do(x))"


def test_front_door_needs_its_mediator_in_the_data():
    graph = Graph(edges=["x -> m -> y", "x <-> y"])
    assert identify(graph, "P(y | do(x))", ["P(x, m, y)"])
    assert not identify(graph, "P(y | do(x))", ["P(x, y)"])


def test_all_experiments_tell_every_effect():
    graph = Graph(edges=["x -> y", "x <-> y"])
    verdict = identify(graph, "P(y | do(x))", "experimental")
    assert str(verdict) == "P(y | do(x)) = P(y | do(x))"
    table = Table(["x", "y"], [[0.5, 0.5], [0.9, 0.1]])
    answer = verdict.evaluate({"P(y | do(x))": table})
    assert np.array_equal(answer.to_numpy(["x", "y"]), table.to_numpy())


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("observed", "unknown regime .observed.; expected one of"),
        ([], "no distribution is named"),
        (["P(y | x=1)"], r"take no values|without values"),
        (["P(y | do(x=1))"], "without values"),
        (["P(q)"], "names 'q', which the graph does not have"),
        (["P(v | do(q))"], "names 'q', which the graph does not have"),
        (["hello"], "expected"),
        (["P(v)"] * 11, "at most 10"),
    ],
)
def test_unfit_data_are_one_line_errors(data, message):
    graph = Graph(edges=["x -> y", "z -> y"])
    with pytest.raises(QueryError, match=message):
        identify(graph, "P(y | do(x))", data if len(data) != 11 else [*data[:10], "P(y)"])


def test_what_is_no_graph_and_no_data_is_said_in_one_line():
    with pytest.raises(GraphError, match="identify: given str; expected a Graph"):
        identify("front_door.yaml", "P(y | do(x))")
    with pytest.raises(QueryError, match="data=5; expected texts"):
        identify(Graph(edges=["x -> y"]), "P(y | do(x))", data=5)
