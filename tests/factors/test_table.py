from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from causalflow.errors import CausalflowError
from causalflow.factors.table import Table

HALF = Fraction(1, 2)


@st.composite
def tables(draw, axes=("x", "y", "z")):
    chosen = draw(st.permutations(axes).map(lambda p: tuple(p[:2])))
    sizes = {"x": 2, "y": 3, "z": 2}
    cells = st.fractions(min_value=0, max_value=3, max_denominator=9)
    shape = [sizes[axis] for axis in chosen]
    flat = draw(st.lists(cells, min_size=int(np.prod(shape)), max_size=int(np.prod(shape))))
    return Table(chosen, np.array(flat, dtype=object).reshape(shape))


def brute(table, assignment):
    return table.at({axis: assignment[axis] for axis in table.axes}).to_dict()[()]


def assignments():
    return [{"x": x, "y": y, "z": z} for x in range(2) for y in range(3) for z in range(2)]


@given(tables(), tables())
def test_product_multiplies_cell_by_cell_whatever_the_order_of_axes(a, b):
    c = a.product(b)
    assert all(brute(c, s) == brute(a, s) * brute(b, s) for s in assignments())


@given(tables(), tables())
def test_dividing_by_a_factor_gives_back_the_other_where_the_factor_is_not_zero(a, b):
    c = a.product(b).divide(b)
    expected = [brute(a, s) if brute(b, s) else 0 for s in assignments()]
    assert [brute(c, s) for s in assignments()] == expected


@given(tables())
def test_normalised_given_an_axis_sums_to_one_where_it_is_possible(a):
    given_axis, other = a.axes
    total, shares = a.marginal(given_axis), a.normalise(given_axis).marginal(given_axis)
    assert a.normalise(given_axis).axes == a.axes
    for level in a.levels[given_axis]:
        cell = {given_axis: level}
        assert shares.at(cell).to_dict()[()] == (1 if total.at(cell).to_dict()[()] else 0)
    assert a.sum(other).to_dict() == total.to_dict()


@given(tables())
def test_dictionary_and_array_and_data_frame_hold_the_same_numbers(a):
    again = Table.from_dict(a.axes, a.to_dict(zeros=False), a.levels)
    assert again.to_dict() == a.to_dict()
    assert np.array_equal(a.to_numpy(a.axes[::-1]).T, a.to_numpy())
    frame = a.to_dataframe().set_index(list(a.axes))
    assert all(frame.loc[cell, "exact"] == str(value) for cell, value in a.to_dict().items())


def test_renaming_swaps_names_at_once():
    swapped = Table(["x", "y"], [[0.1, 0.2], [0.3, 0.4]]).rename({"x": "y", "y": "x"})
    assert swapped.axes == ("y", "x")
    assert swapped.at({"x": 1, "y": 0}).to_dict() == {(): 0.2}


def test_levels_are_found_by_name_first_and_then_by_index():
    table = Table(["x"], [0.25, 0.75], {"x": (1, 0)})
    assert table.at({"x": 1}).to_dict() == {(): 0.25}
    color = Table(["c"], [0.25, 0.75], {"c": ("green", "red")})
    assert color.at({"c": 1}).to_dict() == color.at({"c": "red"}).to_dict() == {(): 0.75}


def test_samples_give_the_share_of_rows():
    frame = pd.DataFrame({"a": [0, 1, 1, 1], "b": ["u", "v", "u", "v"]})
    table = Table.from_samples(frame, levels={"a": (0, 1, 2)})
    assert table.to_dict(zeros=False) == {(0, "u"): 0.25, (1, "u"): 0.25, (1, "v"): 0.5}
    assert table.levels["a"] == (0, 1, 2)


def test_a_table_is_printed_in_aligned_columns():
    table = Table(["color", "y"], [[HALF, 0], [0, HALF]], {"color": ("green", "red")})
    assert str(table) == "color  y  P\ngreen  0  1/2\ngreen  1  0\nred    0  0\nred    1  1/2"


def test_values_cannot_be_changed_in_place():
    table = Table(["x"], [0.5, 0.5])
    with pytest.raises(ValueError, match="read-only"):
        table.values[0] = 1.0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Table(["x", "x"], [[1.0]]), "one different name for each dimension"),
        (lambda: Table(["x"], [[1.0]]), "one different name for each dimension"),
        (lambda: Table(["x"], [1.0, float("nan")]), "not finite"),
        (lambda: Table(["x"], ["a"]), "not an array of numbers"),
        (lambda: Table(["x"], [1.0], {"y": (0,)}), "unknown axis 'y'"),
        (lambda: Table(["x"], [1.0], {"x": (0, 1)}), "1 positions and 2 levels"),
        (lambda: Table(["x"], [1.0, 2.0], {"x": (0, 0)}), "a level twice"),
        (lambda: Table(["x"], [1.0]).sum("z"), "unknown axis 'z'"),
        (lambda: Table(["x"], [1.0]).at({"x": 3}), "unknown level 3"),
        (lambda: Table(["x"], [1.0, 0.0]).condition({"x": 1}), r"P\(x=1\) = 0"),
        (lambda: Table(["x"], [1.0]).divide(Table(["x"], [0.0])), "by zero"),
        (lambda: Table.from_samples({"a": [0, 1], "b": [1]}), "columns of one length"),
        (lambda: Table.from_samples({"a": [0, 7]}, {"a": (0, 1)}), "row 1: unknown level 7"),
    ],
)
def test_mistakes_are_named(make, message):
    with pytest.raises(CausalflowError, match=message):
        make()
