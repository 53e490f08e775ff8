"""Streams: what the commands that write rows without end to a folder have in common.

Under ``torchrun -m causalflow ...`` the processes share the rows, and the first one says what was
written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from causalflow.cli.arguments import PICTURES
from causalflow.cli.output import count, say, say_json
from causalflow.errors import CausalflowError
from causalflow.limits import DRAWN_ROWS

if TYPE_CHECKING:
    from causalflow.model.stream import StreamReport

__all__ = ["check_alone", "say_report", "stream_options", "whole_columns"]

Command = TypeVar("Command", bound=Callable[..., Any])
SHARDS = ("safetensors", "tar")

_OPTIONS = (
    click.option(
        "--out",
        type=click.Path(path_type=Path),
        help="Write the rows here, batch by batch: a .safetensors or .tar file, or a folder. The "
        "same command goes on where a killed one stopped; under torchrun processes share the rows.",
    ),
    click.option(
        "--shards",
        type=click.Choice(SHARDS),
        help="Of --out: a folder of such files, with an index.json.",
    ),
    click.option(
        "--batch-size",
        type=click.IntRange(1, DRAWN_ROWS),
        default=256,
        show_default=True,
        help="Rows answered at once, with --out.",
    ),
    click.option(
        "--shard-batches",
        type=click.IntRange(1, DRAWN_ROWS),
        default=16,
        show_default=True,
        help="Batches that make a shard.",
    ),
    click.option("--progress/--no-progress", default=True, help="Show a bar, with --out."),
)


def stream_options(command: Command) -> Command:
    """The decorator of a command that can write to ``--out``."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def check_alone(out: Path | None, output: Path | None, shards: str | None) -> None:
    """Refuse options that do not go together.

    Raises:
        CausalflowError: -o beside --out, --shards without it, or a picture's name as that of a
            folder of rows.
    """
    if out is None and shards is not None:
        raise CausalflowError("--shards: of a folder of --out; give --out FOLDER")
    if out is not None and output is not None:
        raise CausalflowError("--out and -o: give one of them; --out takes any number of rows")
    if out is not None and out.suffix.lower() in (".csv", *PICTURES):
        raise CausalflowError(
            f"--out {out}: writes rows to a folder, a .safetensors or a .tar file; "
            f"a picture or a .csv is -o {out}"
        )


def whole_columns(evidence: Mapping[str, Any]) -> dict[str, Any]:
    """Evidence with single values repeated, so that every column has all rows."""
    columns = {n: v if _is_column(v) else [v] for n, v in evidence.items()}
    rows = max(map(len, columns.values()), default=0)
    return {n: _repeated(v, rows) if len(v) == 1 < rows else v for n, v in columns.items()}


def _is_column(value: Any) -> bool:
    return hasattr(value, "__len__") and not isinstance(value, str)


def _repeated(value: Any, rows: int) -> Any:
    return value * rows if isinstance(value, list) else value.expand(rows, *value.shape[1:])


def say_report(report: StreamReport, *, as_json: bool) -> None:
    """Say what a stream has written."""
    if as_json:
        names = ("path", "rows", "batches", "resumed_from", "processes", "seconds", "warnings")
        say_json({name: getattr(report, name) for name in names})
        return
    before = f", {report.resumed_from:,} of them before" if report.resumed_from else ""
    together = f" by {report.processes} processes" if report.processes > 1 else ""
    batches = count(report.batches, "batch", "batches")
    rows = count(report.rows, "row")
    say(f"written: {report.path}: {rows} in {batches}{before}{together} ({report.seconds:.0f} s)")
