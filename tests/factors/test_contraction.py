"""The contraction against the plain definition: the whole product, then the sum."""

from fractions import Fraction
from functools import reduce

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causalflow.errors import CausalflowError
from causalflow.factors.array import scaled
from causalflow.factors.contraction import contract
from causalflow.factors.plan import make_plan, min_fill_order
from causalflow.factors.program import run_plan
from causalflow.factors.table import Table


def random_tables(seed, count=5, exact=False):
    generator = np.random.default_rng(seed)
    sizes = {name: int(generator.integers(1, 4)) for name in "abcdef"}
    tables = []
    for _ in range(count):
        axes = list(generator.permutation(list(sizes))[: generator.integers(0, 4)])
        values = generator.integers(0, 7, [sizes[axis] for axis in axes])
        if exact:
            tables.append(
                Table(axes, np.vectorize(lambda v: Fraction(int(v), 5), otypes=[object])(values))
            )
        else:
            tables.append(Table(axes, values / 5))
    present = sorted({axis for table in tables for axis in table.axes})
    keep = list(generator.permutation(present)[: generator.integers(0, 3)])
    return tables, keep


@given(st.integers(0, 10**6), st.integers(1, 8))
@settings(max_examples=80, deadline=None)
def test_contraction_is_the_sum_of_the_product(seed, count):
    tables, keep = random_tables(seed, count)
    whole = reduce(Table.product, tables).marginal(keep)
    result = contract(tables, keep)
    assert result.axes == tuple(keep)
    assert np.allclose(result.values, whole.values, rtol=1e-12, atol=0)  # float64 round-off


@given(st.integers(0, 10**6), st.integers(1, 8))
@settings(max_examples=60, deadline=None)
def test_contraction_of_fractions_is_exact(seed, count):
    tables, keep = random_tables(seed, count, exact=True)
    whole = reduce(Table.product, tables).marginal(keep)
    result = contract(tables, keep)
    assert result.is_exact
    assert result.to_dict() == whole.to_dict()


def test_fractions_beyond_64_bits_stay_exact():
    power = Fraction(1, 3)
    tables = [Table(["x"], [power**30 + k, Fraction(2, 7) ** 25]) for k in range(4)]
    expected = reduce(Table.product, tables).sum().to_dict()
    assert contract(tables).to_dict() == expected


def test_negative_fractions_stay_exact():
    tables = [Table(["x"], [Fraction(-1, 3), Fraction(1, 7)]), Table(["x"], [Fraction(2), -1])]
    assert contract(tables).to_dict() == {(): Fraction(-2, 3) - Fraction(1, 7)}


def test_large_matrices_take_the_same_value_as_einsum():
    generator = np.random.default_rng(0)
    a, b = generator.random((4, 30, 20)), generator.random((20, 25, 4))
    result = contract([Table(list("iab"), a), Table(list("bci"), b)], keep=["c", "a", "i"])
    assert np.allclose(result.values, np.einsum("iab,bci->cai", a, b), rtol=1e-12, atol=0)


def test_long_chain_of_more_than_52_variables_is_contracted():
    step = np.array([[0.9, 0.1], [0.2, 0.8]])
    chain = [Table([f"v{k}", f"v{k + 1}"], step) for k in range(200)]
    expected = np.linalg.matrix_power(step, 200)
    result = contract(chain, keep=["v0", "v200"])
    assert np.allclose(result.values, expected, rtol=1e-9, atol=0)


def test_product_of_a_thousand_small_numbers_does_not_vanish():
    tables = [Table(["x"], [1e-3, 2e-3]) for _ in range(1000)]
    plan = make_plan([table.axes for table in tables], {"x": 2}, ["x"])
    result = run_plan(plan, [scaled(table.values) for table in tables])
    ratio = result.values[1] / result.values.sum()
    assert ratio == pytest.approx(1.0, abs=1e-12)
    assert result.exponent < -5000


def test_a_width_that_does_not_fit_is_refused_before_allocation():
    axes = [f"v{k}" for k in range(60)]
    tables = [Table([a, b], np.ones((2, 2))) for i, a in enumerate(axes) for b in axes[:i]]
    with pytest.raises(CausalflowError, match=r"too wide: .* cells over \d+ variables \(v"):
        contract(tables)


def test_unknown_axes_and_different_levels_are_named():
    tables = [Table(["x"], [1.0, 2.0]), Table(["x"], [1.0, 2.0], {"x": ("a", "b")})]
    with pytest.raises(CausalflowError, match="different levels of 'x'"):
        contract(tables)
    with pytest.raises(CausalflowError, match="unknown axis 'z'"):
        contract(tables[:1], keep=["z"])


def test_min_fill_adds_no_edge_to_a_chordal_graph():
    cliques = [(0, 1, 2), (1, 2, 3), (2, 3, 4), (3, 4, 5)]
    order = min_fill_order(cliques, dict.fromkeys(range(6), 2), ())
    plan = make_plan([[str(v) for v in c] for c in cliques], {str(v): 2 for v in range(6)}, [])
    assert sorted(order) == list(range(6))
    assert len(plan.largest) <= 2
