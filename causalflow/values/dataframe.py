"""Dataframe: a table of any library (pandas, polars, pyarrow, ...) as its columns, and back.

narwhals tells the libraries apart; a column stays what it is until it is read
(`causalflow.values.column`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from causalflow.errors import CausalflowError, DataError

if TYPE_CHECKING:
    import narwhals
    from narwhals.typing import IntoDataFrame, IntoLazyFrame

__all__ = ["PANDAS", "Tabular", "columns_of", "frame_of", "library_of", "series_of", "table_of"]

Tabular: TypeAlias = "Mapping[str, Any] | IntoDataFrame | IntoLazyFrame"
"""Rows as users keep them: a mapping of columns, or a data frame of any library."""

PANDAS = "pandas"
"""The library of a data frame where none was given."""


def table_of(given: Any) -> Mapping[str, Any] | None:
    """The columns of a table, by name as text; None for what is no table.

    Args:
        given: a mapping of columns; a data frame of any library, or one that is still to be
            computed (polars' LazyFrame); or anything whose ``columns`` is a mapping.
    """
    import narwhals
    from narwhals.dependencies import is_pandas_dataframe

    if isinstance(given, Mapping):
        return given
    if is_pandas_dataframe(given):  # whose columns may share a name, or have a number for one
        return {str(name): given[name] for name in given.columns}
    frame = _frame(given)
    if frame is not None:
        computed = frame.collect() if isinstance(frame, narwhals.LazyFrame) else frame
        return {name: computed[name].to_native() for name in computed.columns}
    columns = getattr(given, "columns", None)
    return columns if isinstance(columns, Mapping) else None


def columns_of(
    given: Any, what: str, error: type[CausalflowError] = DataError
) -> Mapping[str, Any]:
    """The columns of a table.

    Args:
        given: what `table_of` takes.
        what: is done with it, for the message.
        error: the class of what is raised.

    Raises:
        CausalflowError: an error of class ``error``, for what is no table.
    """
    found = table_of(given)
    if found is None:
        kind = type(given).__name__
        raise error(f"{what}: expected a data frame or a mapping of columns, given {kind}")
    return found


def library_of(given: Any) -> str:
    """The library of a data frame, as `frame_of` takes it; "pandas" for what is none.

    Example:
        >>> library_of({"x": [1]})
        'pandas'
    """
    frame = None if isinstance(given, Mapping) else _frame(given)
    return PANDAS if frame is None else str(frame.implementation.value)


def frame_of(columns: Mapping[str, Any], library: str = PANDAS) -> Any:
    """A data frame of a library, of columns of Python values or numpy arrays.

    Raises:
        DataError: the library is not installed, or has no data frames.
    """
    import narwhals

    backend: Any = library
    try:
        return narwhals.from_dict(dict(columns), backend=backend).to_native()
    except (ImportError, ValueError) as mistake:
        reason = str(mistake).split("\n")[0]
        raise DataError(f"a data frame of {library!r} cannot be made: {reason}") from None


def series_of(given: Any) -> narwhals.Series[Any] | None:
    """The column of a data frame of any library; None for what is none."""
    import narwhals

    found = narwhals.from_native(given, series_only=True, pass_through=True)
    return found if isinstance(found, narwhals.Series) else None


def _frame(given: Any) -> narwhals.DataFrame[Any] | narwhals.LazyFrame[Any] | None:
    """The data frame of any library, computed or not; None for what is none."""
    import narwhals

    found = narwhals.from_native(given, pass_through=True)
    return found if isinstance(found, narwhals.DataFrame | narwhals.LazyFrame) else None
