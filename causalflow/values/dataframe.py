"""Dataframe: a table of any library (pandas, polars, pyarrow, ...) as its columns, by name.

narwhals tells the libraries apart; a column stays what it is until it is read
(`causalflow.values.column`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from causalflow.errors import DataError

__all__ = ["columns_of", "table_of"]


def table_of(given: Any) -> Mapping[str, Any] | None:
    """The columns of a table, by name as text; None for what is no table.

    Args:
        given: a mapping of columns, a data frame of any library, one that is still to be computed
            (lazy), or anything whose ``columns`` is a mapping.
    """
    import narwhals

    if isinstance(given, Mapping):
        return given
    if isinstance(columns := getattr(given, "columns", None), Mapping):
        return columns
    frame = narwhals.from_native(given, pass_through=True)
    if isinstance(frame, narwhals.LazyFrame):
        frame = frame.collect()
    if not isinstance(frame, narwhals.DataFrame):
        return None
    return {str(name): frame[name].to_native() for name in frame.columns}


def columns_of(given: Any, what: str) -> Mapping[str, Any]:
    """The columns of a table.

    Args:
        given: what `table_of` takes.
        what: is done with it, for the message.

    Raises:
        DataError: it is no table.
    """
    found = table_of(given)
    if found is None:
        kind = type(given).__name__
        raise DataError(f"{what}: expected a data frame or a mapping of columns, given {kind}")
    return found
