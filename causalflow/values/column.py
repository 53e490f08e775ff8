"""Column: what a user gives for a variable, one value or one a row, as an array of its entries.

Tensors, numpy and masked arrays, pandas (categoricals and nullable columns too), polars, pyarrow,
lists and single values come in; torch is not imported for it.

An entry may be a *gap*, which says nothing: None, NaN, NaT, pandas' NA, an empty text, or a word of
`MISSING`. A text or an object may show a *numeral*: an exact number.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import numpy as np

from causalflow.errors import CausalflowError
from causalflow.limits import NUMERAL_LETTERS
from causalflow.values.dataframe import series_of

if TYPE_CHECKING:
    import narwhals

__all__ = [
    "FILE",
    "GAP",
    "LINE",
    "MISSING",
    "Array",
    "Entries",
    "Number",
    "distinct",
    "entries_of",
    "exact",
    "exact_float_below",
    "is_gap",
    "is_missing_word",
    "is_tensor",
    "located",
    "numeral",
    "occurring",
    "rank",
]

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entries:
    """The entries, shape () for a single value, else (rows, ...).

    Attributes:
        array: typed, or of Python objects.
        tensor: whether they came as a torch tensor.
    """

    array: Array
    tensor: bool = False


def entries_of(given: Any) -> Entries:
    """The entries of a value or a column.

    Example:
        >>> entries_of(["red", 1, None]).array.tolist(), entries_of("red").array.shape
        (['red', 1, None], ())
    """
    if is_tensor(given):
        return Entries(array=_from_tensor(given), tensor=True)
    if isinstance(given, np.ma.MaskedArray):
        return Entries(array=np.where(np.ma.getmaskarray(given), np.nan, given.data.astype(object)))
    if isinstance(given, np.ndarray):
        return Entries(array=_plain(given))
    if hasattr(given, "to_numpy") and hasattr(given, "ndim"):
        return Entries(array=_from_pandas(given))
    if hasattr(given, "to_numpy") and (series := series_of(given)) is not None:
        return Entries(array=_from_series(series))
    if isinstance(given, Sequence) and not isinstance(given, str | bytes):
        return Entries(array=_objects(given))
    array = np.empty((), dtype=object)
    array[()] = given
    return Entries(array=array)


def is_tensor(given: object) -> bool:
    """Whether an object is a torch tensor, without importing torch."""
    is_class = isinstance(given, type)
    return not is_class and type(given).__module__.startswith("torch") and hasattr(given, "detach")


def rank(given: Any) -> int:
    """How many axes a value has: 0 for a single one; a list of lists of several lengths has 1."""
    try:
        return int(np.ndim(given))
    except ValueError:
        return 1


def distinct(column: Array) -> tuple[list[Any], Array]:
    """The values that occur, and which of them each entry is, in the column's shape.

    Linear time for small integers.

    Raises:
        TypeError: an entry is a list or an array.
    """
    if column.dtype.kind in "bui" and column.size:
        low, high = int(column.min()), int(column.max())
        if high < 2**62 and high - low < 4 * column.size + 1024:
            shifted = column.astype(np.int64) - low
            present = np.flatnonzero(np.bincount(shifted.ravel(), minlength=high - low + 1))
            rank = np.zeros(high - low + 1, dtype=np.int64)
            rank[present] = np.arange(len(present))
            values = present + low
            return (values.astype(bool) if column.dtype == bool else values).tolist(), rank[shifted]
    if column.dtype == object:
        seen: dict[Any, int] = {}
        order = [seen.setdefault((type(e), e), len(seen)) for e in column.ravel().tolist()]
        found = np.array(order, dtype=np.int64).reshape(column.shape)
        return [entry for _, entry in seen], found
    unique, places = np.unique(column, return_inverse=True)
    return list(unique), places.reshape(column.shape)


def _plain(array: Array) -> Array:
    """Dates as objects, a missing one as None: the bare numbers behind them mean nothing."""
    if array.dtype.kind not in "mM":
        return array
    found = np.empty(array.shape, dtype=object)
    for place in np.ndindex(array.shape):
        found[place] = None if np.isnat(array[place]) else array[place]
    return found


def _from_tensor(tensor: Any) -> Array:
    plain = tensor.detach().cpu().to_dense()
    try:
        return np.asarray(plain.numpy())
    except TypeError:  # bfloat16 has no numpy type
        return np.asarray(plain.float().numpy())


def _from_series(series: narwhals.Series[Any]) -> Array:
    """A column of polars, pyarrow or another library; a gap is None, NaN among floats."""
    if series.dtype.is_float() or (series.dtype.is_numeric() and not series.null_count()):
        return np.asarray(series.to_numpy())
    return _objects(series.to_list())


def _objects(entries: Sequence[Any]) -> Array:
    """One Python object a row, lists too."""
    array = np.empty(len(entries), dtype=object)
    for place, entry in enumerate(entries):
        array[place] = entry
    return array


def _from_pandas(column: Any) -> Array:
    """A column of pandas; gaps stay what they are, to be read as such (NaT is no column)."""
    if getattr(column, "ndim", 1) > 1:  # two columns of one name
        return np.asarray(column)
    if isinstance(column.dtype, np.dtype) and column.dtype.kind != "O":
        return _plain(np.asarray(column.to_numpy()))
    return np.asarray(column, dtype=object)


GAP = -1
"""The position of a missing value; also a way of writing it, where -1 is no level."""

MISSING = frozenset({"", "na", "n/a", "nan", "nat", "none", "null", "<na>"})
"""Texts, in lower case, that stand for a missing value, unless a level has that name."""


def is_missing_word(text: str) -> bool:
    """Whether a text is one of the words of `MISSING`.

    Example:
        >>> is_missing_word(" NaN "), is_missing_word("no")
        (True, False)
    """
    return text.strip().lower() in MISSING


def is_gap(entry: object) -> bool:
    """Whether an entry that is no text stands for a missing value.

    Example:
        >>> is_gap(None), is_gap(float("nan")), is_gap(0)
        (True, True, False)
    """
    if entry is None or type(entry).__name__ == "NAType":  # pandas' NA has no truth value
        return True
    try:
        different = entry != entry  # NaN and NaT differ from themselves
    except ArithmeticError:  # a signalling NaN
        return True
    return isinstance(different, bool | np.bool_) and bool(different)


FILE, LINE = "file", "line"
"""A table that was read from a file names it in this attribute, and its lines in this index."""

Mistake = TypeVar("Mistake", bound=CausalflowError)


def located(mistake: Mistake, column: Any) -> Mistake:
    """The mistake, with the file and the line of its row where the column was read from one."""
    file = getattr(column, "attrs", {}).get(FILE)
    if file is None or str(mistake).startswith(f"{file}:"):
        return mistake
    row = re.match(rf"\w+ '{re.escape(str(column.name))}', row (\d+)\b", str(mistake))
    at = f":{column.index[int(row[1])]}" if row and column.index.name == LINE else ""
    return type(mistake)(f"{file}{at}: {mistake}")


Number = int | float | Fraction | Decimal | np.number[Any]

_NUMERAL = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII)


def numeral(text: str) -> Fraction | None:
    """The number that a text shows, spaces around it aside; words such as "inf" show none.

    Example:
        >>> numeral(" 1.50 "), numeral("1e3"), numeral("<5"), numeral("nan")
        (Fraction(3, 2), Fraction(1000, 1), None, None)
    """
    inner = text.strip()
    if len(inner) > NUMERAL_LETTERS or not _NUMERAL.fullmatch(inner):
        return None
    return Fraction(inner)


def exact(number: Number) -> Fraction | None:
    """The number itself; a float is the decimal that it shows (0.1 is 1/10), infinity is none."""
    match number:
        case Fraction() | int():
            return Fraction(number)
        case Decimal():
            return Fraction(number) if number.is_finite() else None
        case np.integer():
            return Fraction(int(number))
        case _:
            return numeral(str(number) if isinstance(number, np.floating) else repr(number))


def exact_float_below(number: Number) -> int | None:
    """Below which size a float's whole numbers are told apart; None: it is no float.

    Example:
        >>> exact_float_below(1.0) == 2**53, exact_float_below(np.float32(1)) == 2**24
        (True, True)
    """
    if isinstance(number, np.floating):
        return int(2 ** (np.finfo(number.dtype).nmant + 1))
    return 2**53 if isinstance(number, float) else None


def occurring(column: Any) -> tuple[str | int, ...]:
    """The values that occur, gaps aside: numbers first, then texts, sorted; False is 0, True is 1.

    A text that shows one of the numbers is that number.

    Raises:
        TypeError: an entry is no text and no number.

    Example:
        >>> occurring([1, 0, None, 1]), occurring(["no", "yes", ""]), occurring([True, False, "1"])
        ((0, 1), ('no', 'yes'), (0, 1))
    """
    values, _ = distinct(entries_of(column).array.ravel())
    kept = {_python(value) for value in values if not _says_nothing(value)}
    if wrong := [value for value in kept if not isinstance(value, str | int | float)]:
        raise TypeError(f"{wrong[0]!r} is neither a name nor a number")
    numbers = {value for value in kept if not isinstance(value, str)}
    if numbers:
        kept = {v for v in kept if v in numbers or numeral(str(v)) not in numbers}
    return tuple(sorted(kept, key=lambda each: (isinstance(each, str), each)))


def _says_nothing(value: Any) -> bool:
    return is_missing_word(value) if isinstance(value, str) else is_gap(value)


def _python(value: Any) -> Any:
    """The Python value; a truth value as 0 or 1, a whole number as an integer."""
    bare = value.item() if isinstance(value, np.generic) else value
    bare = float(bare) if isinstance(bare, Decimal | Fraction) else bare
    if isinstance(bare, float) and bare.is_integer():
        return int(bare)
    return int(bare) if isinstance(bare, bool) else bare
