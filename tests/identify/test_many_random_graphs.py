"""Thousands of random graphs: every verdict is a formula that equals the truth, or a hedge.

Truth is computed by enumeration over models with a latent for each `<->` edge (`latent_oracle`),
hedges are checked by definition (`hedge_oracle`); neither shares code with identification.
"""

from __future__ import annotations

import numpy as np
import pytest
from counterfactual_queries import random_counterfactual
from fibre_models import population, two_models
from latent_oracle import random_graph, random_model, random_query
from test_counterfactual_random import check as check_worlds
from test_counterfactual_random import problems
from test_identify_effects import EXACT, asked, check_no, error
from world_oracle import unit_model

from causalflow.admg.admg import ADMG
from causalflow.errors import CausalflowError
from causalflow.graph.graph import Graph
from causalflow.identify.identify import identify
from causalflow.query.parse import parse_query
from causalflow.symbolic.expression import ZERO

BATCHES = 10
GRAPHS = 500
FORMULAS = 300  # of each batch at least: 3,000 in all


def drawn(generator, smallest=3, largest=9):
    """A random graph and a joint question, conditional every other time."""
    size = int(generator.integers(smallest, largest + 1))
    arrows, arcs = generator.uniform(0.2, 0.6), generator.uniform(0.3, 2.0) / size
    names, directed, bidirected = random_graph(generator, size, arrows, arcs)
    outcomes, do, given = random_query(generator, names)
    parts = names, directed, bidirected
    admg = ADMG(tuple(names), frozenset(directed), frozenset(map(frozenset, bidirected)))
    return parts, admg, (outcomes, do, given if generator.random() < 0.5 else [])


@pytest.mark.parametrize("seed", range(BATCHES))
def test_five_thousand_graphs_have_formulas_that_equal_the_truth_or_hedges(seed):
    generator, formulas, conditional = np.random.default_rng(1000 + seed), 0, 0
    for _ in range(GRAPHS):
        parts, admg, question = drawn(generator)
        verdict = identify(admg, asked(*question))
        if verdict.identifiable:
            model = random_model(generator, *parts)
            assert error(verdict, model, question) < EXACT, (admg, asked(*question), str(verdict))
            formulas, conditional = formulas + 1, conditional + bool(question[2])
        else:
            assert verdict.estimand is None
            check_no(admg, verdict, question)
    assert formulas >= FORMULAS
    assert 50 <= conditional <= formulas - 100
    assert GRAPHS - formulas >= 50


def test_refused_conditional_questions_have_two_models_that_agree_on_the_data():
    """The hedges of conditional questions speak of a joint; these models differ in the quotient."""
    generator, refused, found = np.random.default_rng(3), 0, 0
    while refused < 60:
        (names, directed, arcs), admg, question = drawn(generator, 3, 4)
        query = parse_query(asked(*question))
        if len(arcs) > 2 or not question[2] or identify(admg, query):
            continue
        refused += 1
        query = query.counterfactual_form()
        for functions in (6, 12, 12):
            levels = dict.fromkeys(names, 2)
            people = population(generator, names, directed, arcs, levels, 2, functions)
            if two_models(generator, people, query, [()]):
                found += 1
                break
    assert found / refused > 0.9  # the rest need functions that twelve random ones do not hold


@pytest.mark.parametrize("seed", range(4))
def test_a_thousand_counterfactual_formulas_equal_the_truth_over_worlds(seed):
    levels, met = 2 + seed % 2, 0
    largest = 5 if levels == 2 else 4
    for generator, _, parts, query, verdict in problems(100 + seed, 600, largest, levels):
        if met == 250:
            break
        if verdict and verdict.estimand != ZERO:
            model = unit_model(generator, *parts, levels)
            met += check_worlds(model, query, verdict, model.table())
    assert met == 250


NAMES = ("x", "y", "z", "v", "do", "P", "w1", "größe")
MARKS = (*NAMES, "(", ")", "[", "]", "|", ",", "=", "do(", "P(", "E[", "1", "-", "'", " ", "\\")


def spoilt(generator, text, most):
    """The text with up to ``most`` places replaced, doubled or dropped."""
    letters = list(text)
    for _ in range(int(generator.integers(0, most + 1))):
        place = int(generator.integers(len(letters)))
        mark = str(generator.choice(MARKS))
        letters[place] = ["", mark, letters[place] * 2][int(generator.integers(3))]
    return "".join(letters)


def test_fuzzed_graphs_and_questions_end_in_a_verdict_or_one_line_of_error():
    generator, counts = np.random.default_rng(0), {"verdict": 0, "error": 0}
    for turn in range(3000):
        names = [
            str(name) for name in generator.permutation(NAMES)[: int(generator.integers(2, 7))]
        ]
        draws = [generator.permutation(names)[:2] for _ in range(int(generator.integers(1, 8)))]
        ends = [sorted(pair) if generator.random() < 0.95 else pair for pair in draws]
        edges = [str(generator.choice(["->", "->", "<->"])).join((a, b)) for a, b in ends]
        data = ["observational", "experimental", ["P(v)"], [f"P(v | do({names[0]}))"]]
        try:
            graph = Graph(nodes=names, edges=[spoilt(generator, e, turn % 10 == 0) for e in edges])
            if turn % 2:
                text = asked(*random_query(generator, names)) if len(names) > 1 else "P(x)"
            else:
                text = str(random_counterfactual(generator, names))
            known = data[int(generator.integers(4))]
            verdict = identify(graph, spoilt(generator, text, turn % 3), known)
        except CausalflowError as problem:
            assert str(problem).splitlines()[0].strip(), (edges, text)
            assert len(str(problem).splitlines()) in (1, 3)  # a line, or that and the place in it
            counts["error"] += 1
        else:
            assert (verdict.identifiable is True) == (verdict.estimand is not None)
            assert verdict.text(explain=True)
            assert verdict.latex()
            counts["verdict"] += 1
    assert min(counts.values()) > 250


def test_verdict_does_not_depend_on_the_order_in_which_the_graph_is_declared():
    generator = np.random.default_rng(8)
    for _ in range(150):
        (names, directed, arcs), admg, question = drawn(generator)
        order = tuple(names[i] for i in generator.permutation(len(names)))
        shuffled = ADMG(order, admg.directed, admg.bidirected)
        verdict, other = (identify(each, asked(*question)) for each in (admg, shuffled))
        assert verdict.identifiable == other.identifiable
        if verdict:
            model = random_model(generator, names, directed, arcs)
            assert error(other, model, question) < EXACT


def test_thousand_nodes_with_three_hundred_hidden_causes_are_answered():
    """In a fraction of a second; the benchmark times it."""
    generator = np.random.default_rng(0)
    names = tuple(f"v{i}" for i in range(1000))
    draws = [(i, j) for j in range(1, 1000) for i in generator.integers(max(0, j - 20), j, 2)]
    pairs = generator.permutation(1000)[:600].reshape(300, 2).tolist()
    arcs = frozenset(frozenset((names[a], names[b])) for a, b in pairs)
    admg = ADMG(names, frozenset((names[i], names[j]) for i, j in draws), arcs)
    assert identify(admg, "P(v999 | do(v500))")
    child = next(names[j] for i, j in draws if i == 500)
    bow = ADMG(names, admg.directed, arcs | {frozenset(("v500", child))})
    verdict = identify(bow, f"P({child} | do(v500))")
    check_no(bow, verdict, ([child], ["v500"], []))
