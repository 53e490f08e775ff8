"""Laws of the types of values: what is shown is read back, whatever the levels and the gaps."""

import numpy as np
import pandas as pd
import pytest

from causalflow.errors import DataError
from causalflow.values.column import GAP, distinct, entries_of, is_gap, occurring
from causalflow.values.finite import Kind, finite
from causalflow.values.real import RealType

LEVELS = [
    (0, 1, 2),
    ("1", "2", "3"),
    ("3", "1", "2"),
    ("-1", "0", "1"),
    ("01", "02"),
    ("2.0", "1.0"),
    (str(2**62), "-1"),
    ("<5", "5", "6"),
    ("0.5", "1.5"),
    ("1", "01"),
    (str(2**70), "0"),
    ("no", "yes"),
    ("None", "NA", ""),
    ("only",),
    ("7",),
    ("True", "False"),
]


@pytest.mark.parametrize("levels", LEVELS, ids=str)
@pytest.mark.parametrize("gaps", [False, True])
def test_what_is_shown_is_read_back(levels, gaps):
    kind, random = finite(levels), np.random.default_rng(3)
    column = random.integers(-1 if gaps else 0, len(levels), 50)
    for shown in (kind.show(column), kind.names(column)):
        for container in (shown, shown.tolist(), pd.Series(shown), pd.Series(shown, dtype=object)):
            assert kind.read(container).tolist() == column.tolist()
    for place in range(len(levels)):
        assert kind.read(kind.show(place)) == place
        assert kind.read(levels[place]) == place
        assert kind.position(kind.show(place)) == place


@pytest.mark.parametrize(
    ("levels", "kind"),
    [
        ((0, 1), Kind.NUMBERS),
        (("1", "2", "3"), Kind.NUMBERS),
        (("1.0", "2e1"), Kind.NUMBERS),
        (("<5", "5"), Kind.MIXED),
        (("0.5", "1"), Kind.MIXED),
        (("1", "1.0"), Kind.MIXED),
        ((str(2**63), "0"), Kind.MIXED),
        (("inf", "nan", "1_0", "0x1", "٣"), Kind.NAMES),
    ],
    ids=str,
)
def test_how_levels_read(levels, kind):
    assert finite(levels).kind is kind


def test_levels_count_as_their_numbers_where_all_are_numbers():
    assert [*map(float, finite(("2", "4")).numbers)] == [2, 4]
    assert [*map(float, finite(("0.5", "1.5")).numbers)] == [0.5, 1.5]
    assert [*map(float, finite(("<5", "5")).numbers)] == [0, 1]
    assert finite(("<5", "5")).counts_by_position


@pytest.mark.parametrize(
    "gap",
    [None, float("nan"), pd.NaT, pd.NA, np.datetime64("NaT"), np.float32("nan")],
    ids=repr,
)
def test_a_gap_is_seen(gap):
    assert is_gap(gap)
    assert finite(("a", "b")).read([gap, "a"]).tolist() == [GAP, 0]
    assert np.isnan(RealType().read([gap, 1.0])[0])


def test_masked_dated_and_nullable_columns_have_gaps():
    kind = finite(("4", "5"))
    assert kind.read(np.ma.array([4, 5], mask=[False, True])).tolist() == [0, GAP]
    assert kind.read(pd.Series([5, None], dtype="Int64")).tolist() == [1, GAP]
    assert kind.read(pd.Categorical([5, None, 4])).tolist() == [1, GAP, 0]
    assert kind.read(pd.Series([pd.NaT, pd.NaT])).tolist() == [GAP, GAP]
    assert kind.read(np.array([b"4", b"5"])).tolist() == [0, 1]
    assert kind.read(np.array([5, 4], dtype="uint64")).tolist() == [1, 0]
    with pytest.raises(DataError, match=r"^here, row 1: unknown level"):
        kind.read(pd.Series([pd.NaT, pd.Timestamp("2020-01-01")]), where="here", error=DataError)


def test_a_refusal_names_row_value_and_levels():
    kind = finite(("no", "yes"))
    with pytest.raises(DataError) as caught:
        kind.read(["no", "yse"], where="column 'x'", error=DataError)
    wanted = (
        "column 'x', row 1: unknown level 'yse'; expected one of ['no', 'yes'] or an index 0..1"
    )
    assert str(caught.value) == f"{wanted}; did you mean 'yes'?"
    with pytest.raises(DataError, match="expected one level a row, given list"):
        kind.read([["no"], ["yes"]], error=DataError)


def test_levels_that_occur_are_sorted_and_no_gap_is_among_them():
    assert occurring(np.array([2.0, np.nan, 1.0])) == (1, 2)
    assert occurring(pd.Series(["b", None, "a", "NA", 3], dtype=object)) == (3, "a", "b")
    assert occurring([True, False, pd.NA]) == (0, 1)
    assert occurring(pd.Series([1.5, 2.5])) == (1.5, 2.5)


def test_entries_that_occur_give_the_column_back():
    for column in ([3, 1, 3], [1, True, 1.0], ["a", None, "a"], np.array([2**63, 5], "uint64")):
        array = entries_of(column).array
        values, places = distinct(array)
        assert [values[at] for at in places] == array.tolist()
        assert [type(values[at]) for at in places] == [type(e) for e in array.tolist()] or (
            array.dtype != object
        )


def test_real_numbers_are_read_within_their_support():
    kind = RealType(low=0.0, high=10.0)
    given = ["2.5", " 3 ", 4, np.float32(5), True, ""]
    assert kind.read(given)[:5].tolist() == [2.5, 3, 4, 5, 1]
    with pytest.raises(DataError, match=r"^t, row 1: value 11 is outside its support"):
        kind.read([1, 11], where="t", error=DataError)
    with pytest.raises(DataError, match=r"^t: not a number: '1_0'"):
        kind.read("1_0", where="t", error=DataError)


@pytest.mark.parametrize(
    ("levels", "true", "false"),
    [
        (("no", "yes"), "yes", "no"),
        (("yes", "no"), "yes", "no"),
        (("Y", "N"), "Y", "N"),
        (("TRUE", "maybe", "FALSE"), "TRUE", "FALSE"),
        (("true", "maybe"), "true", None),
        (("none at all", "no"), None, "no"),
        (("yes", "true", "false"), "true", "false"),
        (("absent", "present"), "present", "absent"),
        (("1", "0"), "1", "0"),
        (("1", "2"), "1", None),
    ],
    ids=str,
)
def test_a_truth_value_is_the_level_of_that_name_or_one_and_zero(levels, true, false):
    kind = finite(levels)
    for truth, level in ((True, true), (False, false)):
        for given in (truth, np.bool_(truth), str(truth), str(truth).lower(), f" {truth} "):
            assert kind.find(given) == (None if level is None else levels.index(level))


def test_infinity_is_no_value_of_any_support():
    with pytest.raises(DataError, match=r"^t, row 1: value inf; expected a finite number$"):
        RealType().read([1.0, np.inf], where="t", error=DataError)
