from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
import pytest
from hedge_models import two_models
from hedge_oracle import is_hedge
from latent_oracle import LatentModel, asked, random_graph, random_model, random_query

from causalflow.admg.admg import ADMG
from causalflow.admg.separation import separation
from causalflow.factors.table import Table
from causalflow.graph.graph import Graph
from causalflow.identify.identify import identify
from causalflow.identify.verdict import Verdict

# Float64 algebra on probabilities of at least about 1e-4, sums of at most a few thousand terms.
EXACT = 1e-9


def error(verdict: Verdict, model: LatentModel, question: tuple[list[str], ...]) -> float:
    """Largest distance between the estimand on P(v) and the truth of the model."""
    outcomes, do, given = question
    answer = verdict.evaluate(Table(model.names, model.joint()))
    assert set(answer.axes) == {*outcomes, *do, *given}
    truth = model.truth(outcomes, do, given)
    return float(np.abs(answer.to_numpy([*outcomes, *given, *do]) - truth).max())


def check_no(admg: ADMG, verdict: Verdict, question: tuple[list[str], ...]) -> None:
    """The hedge is one, for the question with the conditions that may be set instead of seen."""
    outcomes, do, given = map(set, question)
    hedge = verdict.hedge
    assert is_hedge(admg, hedge)
    moved, left = set(hedge.treatments) - do, set(hedge.outcomes) - outcomes
    assert moved | left == given
    assert not moved & left
    for node in left:
        cut = admg.do(hedge.treatments).without_outgoing(node)
        assert not separation(cut, outcomes, {node}, hedge.treatments | left - {node})


def check(generator: np.random.Generator, size: int, arcs: float) -> bool:
    names, directed, bidirected = random_graph(generator, size, 0.45, arcs)
    admg = ADMG(tuple(names), frozenset(directed), frozenset(map(frozenset, bidirected)))
    question = random_query(generator, names)
    verdict = identify(admg, asked(*question))
    if verdict.identifiable:
        levels = [int(n) for n in generator.integers(2, 4 if size < 6 else 3, size=size)]
        model = random_model(generator, names, directed, bidirected, levels)
        assert error(verdict, model, question) < EXACT, (admg, asked(*question), str(verdict))
    else:
        check_no(admg, verdict, question)
    return verdict.identifiable


@pytest.mark.parametrize("seed", range(20))
def test_verdicts_on_random_graphs_are_formulas_that_equal_the_truth_or_hedges(seed):
    generator = np.random.default_rng(seed)
    answers = []
    for _ in range(24):
        size = int(generator.integers(3, 8))
        answers.append(check(generator, size, generator.uniform(0.5, 2.0) / size))
    assert 4 <= sum(answers) <= 23, "a test of one kind of answer only proves little"


def test_napkin_uses_the_current_distribution():
    graph = Graph(edges=["w1 -> w2 -> x -> y", "w1 <-> x", "w1 <-> y"])
    verdict = identify(graph, "P(y | do(x))")
    assert verdict.constant_in == ("w2",)
    assert str(verdict).splitlines()[0] == (
        "P(y | do(x)) = [sum_w1 P(x, y | w1, w2) P(w1)] / [sum_w1 P(x | w1, w2) P(w1)]"
    )


def test_front_door_formula_shadows_no_bound_variable():
    verdict = identify(Graph(edges=["x -> m -> y", "x <-> y"]), "P(y | do(x))")
    assert str(verdict) == "P(y | do(x)) = sum_m P(m | x) sum_x' P(y | m, x') P(x')"
    assert verdict.latex() == (
        r"P(y \mid \mathrm{do}(x)) = \sum_{m} P(m \mid x) \sum_{x'} P(y \mid m, x')\, P(x')"
    )


def test_formulas_that_enter_a_district_more_than_once_equal_the_truth():
    """Chains with many arcs: where the current distribution differs from P(v), as in the napkin."""
    generator, deep, ratios = np.random.default_rng(4), 0, 0
    while deep < 40:
        size = int(generator.integers(5, 8))
        names = [f"v{index}" for index in range(size)]
        directed = list(pairwise(names))
        arcs = [pair for pair in combinations(names, 2) if generator.random() < 0.35]
        admg = ADMG(tuple(names), frozenset(directed), frozenset(map(frozenset, arcs)))
        question = ([names[-1]], [names[int(generator.integers(1, size - 1))]], [])
        verdict = identify(admg, asked(*question))
        rounds = [step.rule for step in verdict.derivation].count("line 7")
        if verdict.identifiable and rounds > 1:
            model = random_model(generator, names, directed, arcs)
            assert error(verdict, model, question) < EXACT, (admg, str(verdict))
            deep, ratios = deep + 1, ratios + (" / " in str(verdict))
    assert ratios > 10


def test_two_models_agree_on_the_data_and_differ_in_every_unidentifiable_answer():
    generator, built = np.random.default_rng(7), 0
    while built < 200:
        size = int(generator.integers(3, 6))
        names, directed, bidirected = random_graph(generator, size, 0.5, 1.5 / size)
        admg = ADMG(tuple(names), frozenset(directed), frozenset(map(frozenset, bidirected)))
        outcomes, do, _ = random_query(generator, names)
        verdict = identify(admg, asked(outcomes, do, []))
        if not verdict.identifiable:
            one, other = two_models(admg, verdict.hedge)
            assert np.array_equal(one.joint(), other.joint())
            gap = np.abs(one.truth(outcomes, do) - other.truth(outcomes, do))
            assert gap.max() > 0.01, (admg, outcomes, do, str(verdict))
            built += 1


def test_bow_and_confounded_mediator_have_two_models():
    for edges in (["x -> y", "x <-> y"], ["x -> z -> y", "x <-> z"], ["z -> x -> y", "x <-> y"]):
        graph = Graph(edges=edges)
        one, other = two_models(graph.admg, identify(graph, "P(y | do(x))").hedge)
        assert np.array_equal(one.joint(), other.joint())
        assert np.abs(one.truth(["y"], ["x"]) - other.truth(["y"], ["x"])).max() > 0.2
