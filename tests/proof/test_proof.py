"""Proofs: every line equals the truth, every separation holds, on named graphs and random ones."""

from __future__ import annotations

from pathlib import Path

import networkx
import numpy as np
import pytest
from finite_models import latent_model
from questions import effect, random_graph, random_query

from causalflow.admg.admg import ADMG
from causalflow.admg.separation import Separations
from causalflow.factors.table import Table
from causalflow.formats.formats import load
from causalflow.graph.graph import Graph
from causalflow.identify.derive import convert
from causalflow.identify.identify import identify
from causalflow.proof.rules import Chance, holds, use_of
from causalflow.query.parse import parse_query
from causalflow.symbolic.evaluate import evaluate
from causalflow.symbolic.expression import Probability, Product, Ratio, Sum

# Float64 algebra on probabilities of at least about 1e-4, sums of at most 2^16 terms.
EXACT = 1e-9
FILES = sorted((Path(__file__).parents[2] / "graphs" / "literature").glob("*.yaml"))


def experiments_in(formula):
    """The sets that the terms of a formula set."""
    match formula:
        case Probability():
            return {tuple(sorted({event.name for event in formula.do}))}
        case Sum():
            return experiments_in(formula.body)
        case Product():
            return set().union(*map(experiments_in, formula.factors))
        case Ratio():
            return experiments_in(formula.numerator) | experiments_in(formula.denominator)
        case _:
            return set()


def errors(model, query, proof):
    """How far each line is from the truth, at every value of what it is constant in."""
    outcomes, given = ([t.name for t in side] for side in (query.outcomes, query.conditions))
    do = [each.variable for each in query.do]
    wanted = [*outcomes, *given, *do]
    truth = model.truth(outcomes, do, given)
    for line in proof.lines:
        regimes = experiments_in(line.formula) | {()}
        tables = {
            f"P(v | do({', '.join(z)}))" if z else "P(v)": Table(model.names, model.joint(z))
            for z in regimes
        }
        found = evaluate(line.formula, tables)
        idle = [axis for axis in found.axes if axis not in wanted]
        kept = [axis for axis in wanted if axis in found.axes]
        values = found.to_numpy([*idle, *kept])
        sizes = [model.levels[axis] if axis in kept else 1 for axis in wanted]
        values = values.reshape([*values.shape[: len(idle)], *sizes])
        yield float(np.abs(values - truth).max())


def is_separated(admg, use):
    """The separation of a use, by networkx on the graph with a latent for each `<->` edge."""
    dag = networkx.DiGraph()
    dag.add_nodes_from(admg.nodes)
    dag.add_edges_from(
        (a, b) for a, b in admg.directed if b not in use.into and a not in use.out_of
    )
    for pair in admg.bidirected:
        if not pair & use.into:
            dag.add_edges_from((pair, end) for end in pair)
    return networkx.is_d_separator(dag, set(use.before.outcomes), set(use.moved), set(use.given))


def cuts_of(admg, use):
    """The graph that the rule prescribes: nodes whose incoming, and whose outgoing, edges go."""
    one, other = use.before, use.after
    if use.rule == 1:
        assert one.do == other.do
        assert one.given ^ other.given == use.moved
        return one.do, frozenset()
    if use.rule == 2:
        assert (one.do ^ other.do) == (one.given ^ other.given) == use.moved
        assert one.do | one.given == other.do | other.given
        return one.do & other.do, use.moved
    assert one.given == other.given
    assert one.do ^ other.do == use.moved
    kept, dag = one.do & other.do, networkx.DiGraph()
    dag.add_nodes_from(admg.nodes)
    dag.add_edges_from((a, b) for a, b in admg.directed if b not in kept)
    above = {n for w in one.given for n in (w, *networkx.ancestors(dag, w))}
    return kept | (use.moved - above), frozenset()


def check(admg, verdict, seed=0, levels=2):
    query, proof = verdict.query, verdict.proof
    assert proof, proof.missing
    for use in (use for line in proof.lines for use in line.uses):
        assert (use.into, use.out_of) == cuts_of(admg, use)
        assert use.given == use.before.do & use.after.do | use.before.given & use.after.given
        assert is_separated(admg, use)
    generator = np.random.default_rng(seed)
    model = latent_model(generator, admg.nodes, admg.directed, admg.bidirected, levels)
    assert max(errors(model, query, proof)) < EXACT
    return proof


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_identifiable_effect_of_the_literature_is_proved_line_by_line(file):
    graph = load(file)
    for each in graph.queries:
        query = parse_query(each.ask, graph)
        if each.identifiable and not query.is_counterfactual:
            verdict = identify(graph, query)
            proof = check(graph.admg, verdict)
            assert experiments_in(proof.formula) == {()}
            assert proof.formula == verdict.estimand


def test_random_effects_are_proved_line_by_line():
    generator, met = np.random.default_rng(4), 0
    while met < 80:
        names, directed, bidirected = random_graph(generator, 5, 0.4, 0.25)
        admg = ADMG(tuple(names), frozenset(directed), frozenset(map(frozenset, bidirected)))
        verdict = identify(admg, effect(*random_query(generator, names)))
        if verdict and any(line.uses for line in verdict.proof.lines):
            check(admg, verdict, met)
            met += 1


def test_effects_from_experiments_are_proved_down_to_the_experiments():
    graph = Graph(edges=["z -> x -> y", "z <-> x", "z <-> y", "x <-> w", "w -> y"])
    data = ["P(v)", "P(v | do(z))"]
    verdict = identify(graph, "P(y | do(x))", data)
    assert not identify(graph, "P(y | do(x))").identifiable
    proof = check(graph.admg, verdict)
    assert experiments_in(proof.formula) <= {(), ("z",)}


def test_front_door_proof_is_that_of_causality():
    """Pearl (2009), Causality, section 3.4.3, tasks 1 to 3."""
    graph = Graph(edges=["x -> m -> y", "x <-> y"])
    proof = identify(graph, "P(y | do(x))").proof
    assert str(proof).splitlines() == [
        "P(y | do(x))",
        "  1. = sum_m P(m, y | do(x))",
        "       sum over m",
        "  2. = sum_m P(y | do(x), m) P(m | do(x))",
        "       chain rule",
        "  3. = sum_m P(y | do(m, x)) P(m | x)",
        "       rule 2: P(m | do(x)) = P(m | x), as m and x are separated when the edges out of x"
        " are cut",
        "       rule 2: P(y | do(x), m) = P(y | do(m, x)), as y and m are separated by x when the"
        " edges into x and out of m are cut",
        "  4. = sum_m P(m | x) P(y | do(m))",
        "       rule 3: P(y | do(m, x)) = P(y | do(m)), as y and x are separated by m when the"
        " edges into m, x are cut",
        "  5. = sum_m P(m | x) sum_x' P(x', y | do(m))",
        "       sum over x",
        "  6. = sum_m P(m | x) sum_x' P(y | do(m), x') P(x' | do(m))",
        "       chain rule",
        "  7. = sum_m P(m | x) sum_x' P(y | do(m), x') P(x')",
        "       rule 3: P(x | do(m)) = P(x), as x and m are separated when the edges into m are"
        " cut",
        "  8. = sum_m P(m | x) sum_x' P(y | m, x') P(x')",
        "       rule 2: P(y | do(m), x) = P(y | m, x), as y and m are separated by x when the edges"
        " out of m are cut",
    ]


def test_values_and_expectations_are_carried_through_the_proof():
    graph = Graph(edges=["x -> m -> y", "x <-> y"])
    verdict = identify(graph, "E[y | do(x=1)]")
    assert verdict.proof.formula == verdict.estimand
    assert str(verdict.proof.lines[0].formula) == "sum_y y P(y | do(x=1))"
    valued = identify(graph, "P(y=1 | do(x=0))")
    assert valued.proof.formula == valued.estimand
    admg = graph.admg
    model = latent_model(np.random.default_rng(1), admg.nodes, admg.directed, admg.bidirected)
    truth = model.truth(["y"], ["x"])
    for line in valued.proof.lines:
        regimes = experiments_in(line.formula) | {()}
        tables = {
            f"P(v | do({', '.join(z)}))" if z else "P(v)": Table(model.names, model.joint(z))
            for z in regimes
        }
        found = evaluate(line.formula, tables).values
        assert np.abs(found - truth[1, 0]).max() < EXACT


def test_rule_without_its_separation_is_not_used():
    bow = Graph(edges=["x -> y", "x <-> y"]).admg
    y, x = frozenset("y"), frozenset("x")
    seen, done = Chance(y, x), Chance(y, frozenset(), x)
    assert use_of(bow, done, seen).rule == 2
    assert not holds(bow, use_of(bow, done, seen))
    assert convert(Separations(bow), done, seen) is None
    assert convert(Separations(bow), done, Chance(y)) is None


def test_what_has_no_proof_says_why():
    bow = Graph(edges=["x -> y", "x <-> y"])
    refused = identify(bow, "P(y | do(x))").proof
    assert not refused
    assert str(refused) == "no do-calculus proof: not identifiable from P(v)"
    worlds = identify(Graph(edges=["x -> y"]), "P(y[x=1] | x=0)").proof
    assert "several worlds" in worlds.missing
    partial = identify(Graph(edges=["x -> y", "x -> z"]), "P(y | do(x))", ["P(x, y)"])
    assert partial
    assert "do not cover all variables" in partial.proof.missing


def test_latex_names_the_graph_of_each_separation():
    latex = identify(Graph(edges=["z -> x -> y", "z -> y"]), "P(y | do(x))").proof.latex()
    assert latex.startswith("\\begin{align*}\n& P(y \\mid \\mathrm{do}(x))")
    assert r"(y \perp\!\!\!\perp x \mid z)_{G_{\underline{x}}}" in latex
    assert r"(z \perp\!\!\!\perp x)_{G_{\overline{x}}}" in latex
    assert latex.count("{") == latex.count("}")
    named = identify(Graph(edges=["a_b -> x -> y", "a_b -> y"]), "P(y | do(x))").proof.latex()
    assert r"\text{sum over a\_b}" in named


def test_proof_of_a_hundred_nodes_has_few_lines_and_ends_in_the_estimand():
    edges = [f"v{i} -> v{i + 1}" for i in range(99)]
    arcs = [f"v{i} <-> v{i + 3}" for i in range(0, 97, 7)]
    verdict = identify(Graph(edges=[*edges, *arcs]), "P(v99 | do(v50))")
    proof = verdict.proof
    assert proof.formula == verdict.estimand
    assert len(proof.lines) < 20
