from __future__ import annotations

import numpy as np
import pytest

from causalflow.factors.table import Table
from causalflow.symbolic.evaluate import evaluate
from causalflow.symbolic.expression import (
    ONE,
    ZERO,
    Event,
    Index,
    Probability,
    Product,
    Ratio,
    Sum,
    probability,
)
from causalflow.symbolic.render import to_text
from causalflow.symbolic.simplify import product_of, ratio_of, simplify, sum_of
from causalflow.symbolic.substitute import bind, without_shadows

A, B, C, D = (Index(name) for name in "abcd")


@pytest.fixture(scope="module")
def joint() -> Table:
    values = np.random.default_rng(0).dirichlet(np.ones(2 * 3 * 2 * 2)).reshape(2, 3, 2, 2)
    return Table(["a", "b", "c", "d"], values)


LAWS = {
    "product with one": (Product((ONE, probability("a"))), "P(a)"),
    "product with zero": (Product((ZERO, probability("a"))), "0"),
    "ratio by one": (Ratio(probability("a"), ONE), "P(a)"),
    "ratio of zero": (Ratio(ZERO, probability("a")), "0"),
    "ratio of a formula by itself": (Ratio(probability("a"), probability("a")), "1"),
    "nothing summed": (Sum((), probability("a")), "P(a)"),
    "flat product": (
        Product((probability("a", "b"), Product((probability("c", "d"), probability("b", "c"))))),
        "P(a | b) P(b | c) P(c | d)",
    ),
    "flat ratio": (
        Ratio(Ratio(probability("a", "b"), probability("c", "a")), probability("d", "a")),
        "[P(a | b)] / [P(c | a) P(d | a)]",
    ),
    "ratio of ratios": (
        Ratio(probability("a", "b"), Ratio(probability("c", "a"), probability("d", "a"))),
        "[P(a | b) P(d | a)] / [P(c | a)]",
    ),
    "flat sum": (
        Sum((A,), Sum((B,), Product((probability("c", "ab"), probability("ab", "d"))))),
        "sum_{a, b} P(c | a, b) P(a, b | d)",
    ),
    "chain": (Product((probability("a", "bc"), probability("b", "c"))), "P(a, b | c)"),
    "chain of three": (
        Product((probability("b", "c"), probability("a", "bc"), probability("c"))),
        "P(a, b, c)",
    ),
    "condition": (Ratio(probability("ab", "c"), probability("b", "c")), "P(a | b, c)"),
    "cancel": (
        Ratio(
            Product((probability("a", "b"), probability("c", "d"))),
            Product((probability("c", "d"), probability("d", "b"))),
        ),
        "[P(a | b)] / [P(d | b)]",
    ),
    "cancel across factors": (
        Product((probability("a", "d"), Ratio(probability("b", "c"), probability("a", "d")))),
        "P(b | c)",
    ),
    "marginal": (Sum((A,), probability("ab", "c")), "P(b | c)"),
    "marginal to one": (Sum((A, B), probability("ab", "c")), "1"),
    "chain, then marginal": (
        Sum((B,), Product((probability("a", "bc"), probability("b", "c")))),
        "P(a | c)",
    ),
    "constant": (
        Sum((B,), Product((probability("d"), probability("a", "b"), probability("b", "c")))),
        "P(d) sum_b P(a | b) P(b | c)",
    ),
    "split": (
        Sum(
            (A, B),
            Product(
                (probability("c", "a"), probability("a"), probability("d", "b"), probability("b"))
            ),
        ),
        "P(c) P(d)",
    ),
    "split without marginals": (
        Sum(
            (A, B),
            Product(
                (probability("c", "ad"), probability("a"), probability("d", "bc"), probability("b"))
            ),
        ),
        "(sum_a P(c | a, d) P(a)) sum_b P(d | b, c) P(b)",
    ),
    "inward": (
        Sum((A,), Ratio(probability("ab", "c"), probability("b", "d"))),
        "[P(b | c)] / [P(b | d)]",
    ),
    "inward through a sum": (
        Sum((A,), Sum((B,), Product((probability("a", "bc"), probability("b"))))),
        "1",
    ),
}


@pytest.mark.parametrize("law", LAWS)
def test_law_gives_the_normal_form_and_keeps_every_number(law, joint):
    given, expected = LAWS[law]
    found = simplify(given)
    assert to_text(found) == expected
    assert simplify(found) == found
    before, after = evaluate(given, joint), evaluate(found, joint)
    axes = sorted(before.axes)
    assert np.abs(before.to_numpy(axes) - spread(after, before, axes)).max() < 1e-12


def spread(table: Table, like: Table, axes: list[str]) -> np.ndarray:
    """The values along all axes of another table, in some of which they are constant."""
    return Table(like.axes, np.ones(like.shape)).product(table).to_numpy(axes)


def random_expression(generator, depth):
    """Any shape; every index is free or bound as chance will have it."""
    kind = "probability" if depth == 0 else generator.choice(["sum", "product", "ratio"])
    if kind == "probability":
        names = [str(n) for n in generator.permutation(list("abcd"))]
        split = int(generator.integers(1, 3))
        return probability(names[:split], names[split : split + int(generator.integers(0, 3))])
    parts = tuple(random_expression(generator, depth - 1) for _ in range(2))
    if kind == "product":
        return Product(parts)
    if kind == "ratio":
        return Ratio(*parts)
    over = generator.choice(list("abcd"), size=int(generator.integers(1, 3)), replace=False)
    return Sum(tuple(Index(str(name)) for name in over), Product(parts))


@pytest.mark.parametrize("seed", range(5))
def test_simplification_keeps_the_numbers_of_any_formula(seed, joint):
    generator = np.random.default_rng(seed)
    for _ in range(80):
        given = random_expression(generator, int(generator.integers(1, 4)))
        found = simplify(given)
        before, after = evaluate(given, joint), evaluate(found, joint)
        axes = sorted(before.axes)
        whole = spread(after, before, axes)
        # Ratios of nested sums reach a hundred; 1e-9 is relative to that.
        assert np.allclose(before.to_numpy(axes), whole, rtol=1e-9, atol=1e-12), to_text(given)


def test_factors_come_in_one_order_however_they_are_given():
    one = product_of([probability("a", "bc"), probability("c", "d"), probability("b", "d")])
    other = product_of([probability("b", "d"), probability("c", "d"), probability("a", "bc")])
    assert one == other
    assert to_text(one) == "P(a | b, c) P(b | d) P(c | d)"


def test_experiments_are_not_mixed_by_the_laws():
    observed, experiment = probability("b", "c"), probability("a", "bc", do="d")
    assert to_text(product_of([observed, experiment])) == "P(a | do(d), b, c) P(b | c)"
    assert to_text(ratio_of(probability("ab", do="d"), probability("b"))) == (
        "[P(a, b | do(d))] / [P(b)]"
    )


def test_summed_treatment_of_an_experiment_is_not_summed_out():
    formula = sum_of([D], probability("a", do="d"))
    assert to_text(formula) == "sum_d P(a | do(d))"


def test_bound_indices_are_renamed_where_they_would_shadow():
    inner = Sum((A,), Product((probability("b", "a"), probability("a"))))
    formula = Product((probability("a"), Sum((A,), Product((probability("c", "a"), inner)))))
    text = to_text(formula)
    assert text == "P(a) sum_a' P(c | a') sum_a'' P(b | a'') P(a'')"
    assert without_shadows(without_shadows(formula)) == without_shadows(formula)


def test_binding_a_value_leaves_bound_indices_alone():
    formula = Product(
        (probability("b", "a"), Sum((A,), Product((probability("c", "a"), probability("a")))))
    )
    assert to_text(bind(formula, {"a": 1})) == "P(b | a=1) sum_a P(c | a) P(a)"


def test_free_indices_are_those_that_no_sum_binds():
    assert Sum((A,), probability("b", "ac")).free == {B, C}
    assert Ratio(probability("a"), Sum((B,), probability("b"))).free == {A}


def test_literal_events_are_kept_by_the_laws():
    known = Probability((Event("a", A),), (Event("b", 1),))
    weight = Probability((Event("b", 1),))
    assert to_text(product_of([known, weight])) == "P(a, b=1)"
    assert to_text(sum_of([A], product_of([known, weight]))) == "P(b=1)"
