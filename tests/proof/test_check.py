"""The checker of proofs: it passes what is proved, and finds what is not."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from questions import random_graph, random_query

from causalflow.admg.admg import ADMG
from causalflow.identify.derive import prove_effect
from causalflow.identify.id import identify_effect
from causalflow.proof.check import faults
from causalflow.proof.proof import Line
from causalflow.proof.rules import Chance, use_of
from causalflow.symbolic.expression import Index, Product, Ratio, Sum, probability


def proofs(seed, count):
    """Random graphs with an effect, its lines, and the question that they begin from."""
    generator = np.random.default_rng(seed)
    while count:
        names, directed, bidirected = random_graph(generator, 6, 0.4, 0.25)
        admg = ADMG(tuple(names), frozenset(directed), frozenset(map(frozenset, bidirected)))
        outcomes, do, given = map(frozenset, random_query(generator, names))
        data = [frozenset(names[:1]), frozenset()] if count % 3 else [frozenset()]
        effect = identify_effect(admg, outcomes, do, given, data)
        if effect.estimand is not None and do:
            asked = Chance(outcomes, given, do)
            yield admg, asked, prove_effect(admg, asked, effect)
            count -= 1


def test_random_proofs_pass():
    lengths = []
    for admg, asked, lines in proofs(0, 150):
        assert [*faults(admg, asked, lines)] == []
        lengths.append(len(lines))
    assert max(lengths) > 8


def test_a_line_that_is_missing_or_exchanged_is_found():
    met = 0
    for admg, asked, lines in proofs(1, 60):
        for at, (line, following) in enumerate(pairwise(lines)):
            if following.reason != "simplify":  # which may lead on from earlier lines too
                before, after = lines[:at], lines[at + 2 :]
                assert [*faults(admg, asked, [*before, following, *after])]
                assert [*faults(admg, asked, [*before, following, line, *after])]
                met += 1
    assert met > 100


def test_a_rule_without_its_separation_is_found():
    """Hidden causes of all pairs leave no separation between neighbours."""
    met = 0
    for admg, asked, lines in proofs(2, 60):
        pairs = {frozenset((a, b)) for a in admg.nodes for b in admg.nodes if a != b}
        joined = ADMG(admg.nodes, admg.directed, pairs)
        uses = [use for line in lines for use in line.uses if use.moved]
        if any(use.rule == 2 for use in uses):
            assert [*faults(joined, asked, lines)]
            met += 1
    assert met > 20


def test_a_use_that_names_another_graph_is_found():
    fork = ADMG(("z", "x", "y"), frozenset({("z", "x"), ("z", "y"), ("x", "y")}))
    y, x, z = map(frozenset, "yxz")
    use = use_of(fork, Chance(y, z, x), Chance(y, x | z))
    line = Line(formula=probability("y", "xz"), reason="rule 2", uses=(use,))
    assert [*faults(fork, Chance(y, z, x), [line])] == []
    for wrong in (
        replace(use, out_of=frozenset()),
        replace(use, given=frozenset()),
        replace(use, rule=3),
        replace(use, after=Chance(y, x)),
        replace(use, moved=frozenset("q")),
    ):
        assert [*faults(fork, Chance(y, z, x), [replace(line, uses=(wrong,))])]


P = probability


@pytest.mark.parametrize(
    ("reason", "before", "right", "wrong"),
    [
        (
            "sum over b",
            P("a", do="x"),
            Sum((Index("b"),), P("ab", do="x")),
            [
                Sum((Index("b"),), P("ab")),
                Sum((Index("c"),), P("ab", do="x")),
                Sum((Index("x"),), P("ax", do="x")),
                P("ab", do="x"),
            ],
        ),
        (
            "chain rule",
            P("abc", do="x"),
            Product((P("a", do="x"), P("b", "a", do="x"), P("c", "ab", do="x"))),
            [
                Product((P("a", do="x"), P("b", do="x"), P("c", "ab", do="x"))),
                Product((P("a", do="x"), P("b", "a"), P("c", "ab", do="x"))),
                Product((P("b", "a", do="x"), P("c", "ab", do="x"))),
            ],
        ),
        (
            "conditional probability",
            P("a", "b", do="x"),
            Ratio(P("ab", do="x"), P("b", do="x")),
            [
                Ratio(P("ab", do="x"), P("a", do="x")),
                Ratio(P("ab"), P("b")),
                Ratio(P("b", do="x"), P("ab", do="x")),
            ],
        ),
        (
            "simplify",
            Product((P("a"), Ratio(P("b"), P("a")))),
            P("b"),
            [P("a"), P("b", "a")],
        ),
    ],
)
def test_laws_of_probability_are_told_from_what_looks_like_them(reason, before, right, wrong):
    graph = ADMG(tuple("abcx"), frozenset({("a", "b"), ("b", "c"), ("x", "a")}))
    start = Line(formula=before, reason="given")
    follows = [line_faults(graph, start, reason, formula) for formula in (right, *wrong)]
    assert [bool(each) for each in follows] == [False, *[True] * len(wrong)]


def line_faults(graph, start, reason, formula):
    """What is wrong with one line after another, the first of which is not looked at."""
    lines = [start, Line(formula=formula, reason=reason)]
    found = faults(graph, Chance(frozenset("a")), lines)
    return [each for each in found if each.startswith("line 2")]
