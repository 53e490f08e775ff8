"""Table: a CSV file as columns of text, so that a level called ``None`` or ``01`` stays what it is.

What a text means depends on its node: `causalflow.data.units` decides.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import pandas as pd

from causalflow.errors import DataError

__all__ = ["read_table"]


def read_table(csv: str | Path) -> pd.DataFrame:
    """The columns of a CSV file; an empty cell is an empty text.

    Raises:
        DataError: the file cannot be read.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # a row longer than the header
            table = pd.read_csv(csv, dtype=str, keep_default_na=False, index_col=False)
        return table.fillna("")  # a row that ends early
    except (OSError, ValueError, pd.errors.ParserWarning) as mistake:
        raise DataError(f"{csv}: no readable CSV file: {str(mistake).splitlines()[0]}") from None
