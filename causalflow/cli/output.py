"""Output: what a command prints, an aligned table or JSON, and the files it writes."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from causalflow.atomic import whole_file, written

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "MISTAKE",
    "count",
    "json_option",
    "records",
    "say",
    "say_json",
    "table",
    "write_csv",
    "write_figure",
]

MISTAKE = 2
GAP = "  "

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")


def say(text: str) -> None:
    """Print to standard output."""
    click.echo(text)


def say_json(value: Any) -> None:
    """Print as JSON; NaN and infinities, which JSON does not have, become null."""
    click.echo(json.dumps(_finite(value), indent=2, ensure_ascii=False, allow_nan=False))


def table(columns: Mapping[str, Sequence[object]]) -> str:
    """Columns under their headers: numbers to the right, texts to the left.

    Example:
        >>> print(table({"node": ["x", "image"], "size [px]": [1.5, 256]}))
        node   size [px]
        x            1.5
        image        256
    """
    blocks = [_block(header, list(values)) for header, values in columns.items()]
    return "\n".join(GAP.join(line).rstrip() for line in zip(*blocks, strict=True))


def records(columns: Mapping[str, Sequence[object]]) -> list[dict[str, object]]:
    """The rows of a table, as JSON shows them.

    Example:
        >>> records({"x": [1, 2], "y": ["a", "b"]})
        [{'x': 1, 'y': 'a'}, {'x': 2, 'y': 'b'}]
    """
    return [
        dict(zip(columns, entries, strict=True)) for entries in zip(*columns.values(), strict=True)
    ]


def count(number: int, noun: str, plural: str | None = None) -> str:
    """A number of things.

    Example:
        >>> count(1, "query", "queries"), count(2, "query", "queries"), count(0, "node")
        ('1 query', '2 queries', '0 nodes')
    """
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def write_csv(path: Path, columns: Mapping[str, Sequence[object]]) -> None:
    """Write a table, wholly or not at all.

    Raises:
        CausalflowError: the file cannot be written.
    """
    import pandas

    with written(path), whole_file(path) as part:
        pandas.DataFrame(dict(columns)).to_csv(part, index=False)


def write_figure(path: Path, figure: Figure) -> None:
    """Write a picture; its folder is made if need be.

    Raises:
        CausalflowError: the file cannot be written.
    """
    from causalflow.plot.images import save_figure

    save_figure(figure, path)


def _block(header: str, values: list[object]) -> list[str]:
    """The lines of a column, all of one width."""
    lines = [header, *map(_text, values)]
    width = max(map(len, lines))
    known = [value for value in values if value is not None]
    numbers = bool(known) and all(_is_number(value) for value in known)
    return [line.rjust(width) if numbers else line.ljust(width) for line in lines]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _text(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _finite(value: Any) -> Any:
    match value:
        case float():
            return value if math.isfinite(value) else None
        case Mapping():
            return {str(key): _finite(each) for key, each in value.items()}
        case list() | tuple():
            return [_finite(each) for each in value]
        case Path():
            return str(value)
        case _:
            return value
